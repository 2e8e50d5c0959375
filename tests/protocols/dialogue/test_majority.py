"""The majority of samples: what it is, when it is decided, and how often it is right."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.dialogue.majority import majority, normalised
from llm_net.protocols.tie import Lot, Order

answers = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9)


def test_what_makes_no_difference_does_not_count() -> None:
    count = majority(["Paris.", "paris", " PARIS! ", "Lyon", "the  city"])

    assert count.counts == {"Paris.": 3, "Lyon": 1, "the  city": 1}
    assert count.winners == ("Paris.",)
    assert normalised("the  city") == "the city"


def test_a_tie_is_the_result_unless_a_rule_decides() -> None:
    count = majority(["b", "a", "b", "a", "c"])

    assert count.ties == ("b", "a")
    assert count.answer(None) is None
    assert count.answer(Order(("a", "b", "c"))) == "a"
    assert count.answer(Lot(seed=3)) in ("a", "b")
    assert majority([]).answer(None) is None and majority([]).winners == ()


@given(answers.flatmap(lambda drawn: st.tuples(st.just(drawn), st.permutations(drawn))))
def test_the_order_of_the_samples_does_not_matter(both: tuple[list[str], list[str]]) -> None:
    one, other = map(majority, both)

    assert set(one.winners) == set(other.winners)
    assert one.counts == other.counts


@given(answers, answers)
def test_once_it_is_decided_nothing_that_follows_changes_who_wins(first: list[str], rest: list[str]) -> None:
    if majority(first).decided(len(rest)):
        assert majority(first + rest).winners == majority(first).winners
        assert len(majority(first).winners) == 1


@given(answers, st.integers(0, 4))
def test_while_it_is_not_something_that_may_follow_does(first: list[str], left: int) -> None:
    """So it stops as early as it can."""
    if not majority(first).decided(left) and first:
        ends = {majority([*first, *rest]).winners for rest in product("abcde", repeat=left)}
        assert len({frozenset(end) for end in ends}) > 1 or len(majority(first).winners) > 1


@pytest.mark.parametrize(("samplers", "expected"), [(1, 0.6), (3, 0.648), (11, 0.7535)])
def test_the_majority_of_independent_samplers_is_right_as_often_as_the_binomial_says(
    samplers: int, expected: float
) -> None:
    """By enumeration of all 2ⁿ outcomes, each of which is right with probability 0.6. Source: Condorcet 1785."""
    right = Fraction(6, 10)

    chance = sum(
        prod(right if each == "right" else 1 - right for each in outcome)
        for outcome in product(("right", "wrong"), repeat=samplers)
        if majority(outcome).winners == ("right",)
    )

    assert round(float(chance), 4) == expected
