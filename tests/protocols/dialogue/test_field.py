"""Marks that fade: what evaporates is gone, nothing else is, and no mark changes its sign."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.dialogue.field import deposited, evaporated

amounts = st.fractions(-9, 9, max_denominator=9)
fields = st.dictionaries(st.sampled_from("abcd"), amounts)
rates = st.fractions(0, 1, max_denominator=9)


def sign(amount: Fraction) -> int:
    return (amount > 0) - (amount < 0)


@given(fields, rates)
def test_the_same_share_is_gone_everywhere(field: dict[str, Fraction], rate: Fraction) -> None:
    after = evaporated(field, rate)

    assert sum(after.values()) == sum(field.values()) * (1 - rate)
    assert all(sign(after[place]) in (sign(field[place]), 0) for place in field)
    assert all(abs(after[place]) <= abs(field[place]) for place in field)


@given(fields, st.sampled_from("abcde"), amounts)
def test_what_is_left_at_a_place_is_added_there_and_nowhere_else(
    field: dict[str, Fraction], place: str, amount: Fraction
) -> None:
    after = deposited(field, place, amount)

    assert sum(after.values()) == sum(field.values()) + amount
    assert {name: value for name, value in after.items() if name != place} == {
        name: value for name, value in field.items() if name != place
    }


@given(fields, st.lists(st.tuples(st.sampled_from("abcd"), amounts)))
def test_it_does_not_matter_who_leaves_a_mark_first(
    field: dict[str, Fraction], marks: list[tuple[str, Fraction]]
) -> None:
    one, other = dict(field), dict(field)
    for place, amount in marks:
        one = deposited(one, place, amount)
    for place, amount in reversed(marks):
        other = deposited(other, place, amount)

    assert one == other


@pytest.mark.parametrize("rate", [Fraction(-1, 10), Fraction(11, 10)])
def test_more_than_all_cannot_evaporate(rate: Fraction) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        evaporated({}, rate)
