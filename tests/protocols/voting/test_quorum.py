"""Motions: enough voters, enough votes."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.voting.quorum import Verdict, motion

counts = st.integers(0, 20)


@pytest.mark.parametrize(
    ("yes", "no", "abstain", "majority", "verdict"),
    [
        (3, 2, 0, Fraction(1, 2), "carried"),
        (2, 3, 0, Fraction(1, 2), "rejected"),
        (2, 2, 1, Fraction(1, 2), "tied"),
        (0, 0, 5, Fraction(1, 2), "tied"),
        (2, 1, 1, Fraction(1, 2), "no quorum"),
        (4, 2, 0, Fraction(2, 3), "carried"),
        (3, 2, 0, Fraction(2, 3), "rejected"),
        (0, 0, 5, Fraction(1), "rejected"),
        (1, 0, 4, Fraction(1), "carried"),
    ],
)
def test_a_motion_needs_a_quorum_and_a_majority(
    yes: int, no: int, abstain: int, majority: Fraction, verdict: Verdict
) -> None:
    assert motion(yes, no, abstain, eligible=10, majority=majority) == verdict


@given(counts, counts, counts)
def test_both_sides_never_win(yes: int, no: int, abstain: int) -> None:
    eligible = yes + no + abstain
    verdicts = {motion(yes, no, abstain, eligible=eligible), motion(no, yes, abstain, eligible=eligible)}

    assert verdicts in ({"carried", "rejected"}, {"tied"})


@given(counts, counts, counts, st.fractions(min_value=Fraction(1, 2), max_value=1))
def test_one_more_vote_for_it_never_hurts(yes: int, no: int, abstain: int, majority: Fraction) -> None:
    ladder = ["no quorum", "rejected", "tied", "carried"]

    def rung(ayes: int) -> int:
        return ladder.index(motion(ayes, no, abstain, eligible=61, majority=majority))

    assert rung(yes + 1) >= rung(yes)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"yes": Fraction(3), "no": Fraction(0), "eligible": Fraction(2)}, "count each voter once"),
        ({"yes": Fraction(1), "no": Fraction(0), "eligible": Fraction(2), "quorum": Fraction(3)}, "from 0 to 1"),
        ({"yes": Fraction(1), "no": Fraction(0), "eligible": Fraction(2), "majority": Fraction(1, 3)}, "from 1/2 to 1"),
    ],
)
def test_counts_that_cannot_be_are_refused(arguments: dict[str, Fraction], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        motion(**arguments)
