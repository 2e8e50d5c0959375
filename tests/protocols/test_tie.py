"""Ties are broken by a declared rule only, and the same way for everybody who checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.tie import Lot, Order


def test_the_order_decides_who_is_first() -> None:
    assert Order(("bob", "ann", "cat")).rank(["ann", "cat", "bob"]) == ("bob", "ann", "cat")


def test_an_order_that_forgets_somebody_is_refused() -> None:
    with pytest.raises(ValueError, match="does not name 'dan'; name all"):
        Order(("ann",)).rank(["ann", "dan"])


def test_a_lot_is_the_same_on_every_machine() -> None:
    # `printf 7/cat | sha256sum` begins with b1, of ann with ca, of bob with d1
    assert Lot(7).rank(["ann", "bob", "cat"]) == Lot(7).rank(["cat", "bob", "ann"]) == ("cat", "ann", "bob")


@given(st.integers(), st.sets(st.sampled_from("abcdefgh"), min_size=2))
def test_who_else_ties_does_not_change_who_of_two_is_first(seed: int, tied: set[str]) -> None:
    one, other = sorted(tied)[:2]

    drawn = Lot(seed).rank(tied)

    assert (drawn.index(one) < drawn.index(other)) == (Lot(seed).rank([one, other])[0] == one)


def test_over_many_seeds_everybody_is_first_about_equally_often() -> None:
    first = [Lot(seed).rank(["ann", "bob", "cat"])[0] for seed in range(3000)]

    assert all(900 < first.count(name) < 1100 for name in ("ann", "bob", "cat"))
