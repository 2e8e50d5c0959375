"""Rules on approvals, points and grades: against the definitions."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_net.protocols.voting.ballot import Approval, Scores
from llm_net.protocols.voting.judgement import majority_judgement
from llm_net.protocols.voting.positional import approval
from llm_net.protocols.voting.quadratic import cost, quadratic
from llm_net.protocols.voting.score import score, star
from tests.protocols.voting.electorates import approvals, graded

Election = tuple[tuple[str, ...], list[Scores]]


@given(approvals())
def test_approval_is_score_with_points_of_one(election: tuple[tuple[str, ...], list[Approval]]) -> None:
    names, cast = election
    points = [Scores(dict.fromkeys(ballot.named, 1), ballot.weight) for ballot in cast]

    assert approval(names, cast) == score(names, points)


def test_most_points_win_but_the_majority_wins_the_run_off() -> None:
    cast = [Scores({"A": 5, "B": 4}, weight=3), Scores({"A": 0, "B": 4, "C": 5}, weight=2)]

    assert score("ABC", cast).scores == {"A": 15, "B": 20, "C": 10}
    assert score("ABC", cast).winners == ("B",)
    assert star("ABC", cast).winners == ("A",)


def naive_star(names: Sequence[str], cast: Sequence[Scores]) -> set[str]:
    """The run-off of the first two of every order that goes from most points to fewest."""

    def points(name: str) -> int:
        return sum(int(ballot.weight) * ballot.given.get(name, 0) for ballot in cast)

    winners: set[str] = set()
    for one, other, *rest in permutations(names):
        order = [points(name) for name in (one, other, *rest)]
        if order == sorted(order, reverse=True):
            ahead = [int(ballot.weight) for ballot in cast if ballot.given.get(one, 0) > ballot.given.get(other, 0)]
            behind = [int(ballot.weight) for ballot in cast if ballot.given.get(one, 0) < ballot.given.get(other, 0)]
            winners |= {one} if sum(ahead) >= sum(behind) else set()
            winners |= {other} if sum(behind) >= sum(ahead) else set()
    return winners


@given(graded())
def test_star_elects_who_wins_some_run_off_of_the_best_two(election: Election) -> None:
    names, cast = election
    assume(len(names) > 1)

    assert set(star(names, cast).winners) == naive_star(names, cast)


def test_a_lone_candidate_needs_no_run_off() -> None:
    assert star("A", []).winners == ("A",)


def test_three_who_tie_for_the_run_off_are_tried_in_pairs() -> None:
    cast = [Scores({"A": 2, "B": 1}), Scores({"B": 2, "C": 1}), Scores({"C": 2, "A": 1})]

    assert star("ABC", cast).winners == ("A", "B", "C")


# ------------------------------------------------------------------------------------------------ quadratic


def test_strong_feelings_cost_more() -> None:
    cast = [Scores({"A": 3}), Scores({"B": 1, "A": -1}), Scores({"B": 1, "A": -1})]

    assert quadratic("AB", cast, credits=9).scores == {"A": 1, "B": 2}
    with pytest.raises(ValueError, match="costs 9 credits, and a voter has 8; cast fewer votes"):
        quadratic("AB", cast, credits=8)


@given(graded(least=-4, most=4), st.integers(0, 60))
def test_no_ballot_spends_more_than_its_credits(election: Election, credits: int) -> None:
    names, cast = election
    dearest = max(map(cost, cast), default=0)

    if dearest > credits:
        with pytest.raises(ValueError, match="cast fewer votes"):
            quadratic(names, cast, credits=credits)
    else:
        assert quadratic(names, cast, credits=credits) == score(names, cast)


# ------------------------------------------------------------------------------------------------ majority judgement


def naive_merit(grades: Sequence[int]) -> list[int]:
    """Takes out the lower middle grade again and again."""
    left = sorted(grades)
    return [left.pop((len(left) - 1) // 2) for _ in grades]


@given(graded())
def test_majority_judgement_takes_out_middle_grades_until_one_is_ahead(election: Election) -> None:
    names, cast = election
    counted = [ballot for ballot in cast if ballot.given]
    merits = {
        name: naive_merit([ballot.given.get(name, 0) for ballot in counted for _ in range(int(ballot.weight))])
        for name in names
    }

    result = majority_judgement(names, cast)

    assert result.winners == tuple(name for name in names if merits[name] == max(merits.values()))
    assert result.scores == {name: merit[0] if merit else 0 for name, merit in merits.items()}


@given(graded(), st.fractions(min_value=Fraction(1, 9), max_value=9))
def test_only_the_proportions_of_weights_matter(election: Election, factor: Fraction) -> None:
    names, cast = election
    scaled = [Scores(ballot.given, ballot.weight * factor) for ballot in cast]

    assert majority_judgement(names, scaled) == majority_judgement(names, cast)


@given(graded(), st.integers(2, 9))
def test_only_the_order_of_grades_matters(election: Election, stretch: int) -> None:
    names, cast = election
    stretched = [
        Scores({name: grade**2 * stretch for name, grade in ballot.given.items()}, ballot.weight) for ballot in cast
    ]

    assert majority_judgement(names, stretched).winners == majority_judgement(names, cast).winners


def test_a_grade_below_the_worst_is_refused() -> None:
    with pytest.raises(ValueError, match="below the worst, 0"):
        majority_judgement("A", [Scores({"A": -1})])
