"""English and Dutch clocks end as the sealed auctions that they are equal to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.auctions.bid import Award, Bid
from llm_net.protocols.auctions.dutch import DutchClock
from llm_net.protocols.auctions.english import EnglishClock
from llm_net.protocols.auctions.sealed import first_price, vickrey

values = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 12))
reserves = st.integers(0, 8).map(Decimal)


def english(worth: dict[str, int], *, reserve: Decimal, increment: Decimal) -> Award:
    """Everybody stays up to what the item is worth to them."""
    clock = EnglishClock.start(list(worth), reserve=reserve, increment=increment)
    while clock.award is None:
        clock = clock.hear([name for name in clock.standing if worth[name] >= clock.price])
    return clock.award


def dutch(worth: dict[str, int], *, reserve: Decimal) -> Award:
    """Everybody takes it as soon as the price is not above what they would have bid."""
    clock = DutchClock(Decimal(15), Decimal(1), reserve)
    while clock.award is None:
        clock = clock.hear([name for name in worth if worth[name] >= clock.price])
    return clock.award


def sealed(worth: dict[str, int]) -> list[Bid]:
    return [Bid(name, Decimal(value)) for name, value in worth.items()]


@given(values, reserves)
def test_an_english_auction_ends_as_vickreys(worth: dict[str, int], reserve: Decimal) -> None:
    assert english(worth, reserve=reserve, increment=Decimal(1)) == vickrey(sealed(worth), reserve=reserve)


@given(values, reserves, st.integers(1, 5).map(Decimal))
def test_with_coarse_steps_it_ends_within_one_increment_of_it(
    worth: dict[str, int], reserve: Decimal, increment: Decimal
) -> None:
    rough, exact = english(worth, reserve=reserve, increment=increment), vickrey(sealed(worth), reserve=reserve)

    assert set(exact.winners) <= set(rough.winners)
    assert (rough.price is None) == (exact.price is None)
    if rough.price is not None and exact.price is not None:
        assert exact.price - increment < rough.price <= exact.price
        assert all(worth[name] >= rough.price for name in rough.winners)


@given(values, reserves)
def test_a_dutch_auction_ends_as_first_price(worth: dict[str, int], reserve: Decimal) -> None:
    assert dutch(worth, reserve=reserve) == first_price(sealed(worth), reserve=reserve)


def test_the_last_step_of_a_dutch_clock_is_the_reserve() -> None:
    clock = DutchClock(Decimal(10), Decimal(4), Decimal(3))

    prices = []
    while clock.award is None:
        prices.append(clock.price)
        clock = clock.hear([])

    assert prices == [10, 6, 3]
    assert clock.award == Award()


def test_who_left_cannot_come_back_and_an_end_is_an_end() -> None:
    clock = EnglishClock.start("abc", increment=Decimal(1)).hear("ab")

    with pytest.raises(ValueError, match="'c' does not stand any more"):
        clock.hear("abc")
    with pytest.raises(ValueError, match="is over"):
        clock.hear("a").hear("a")
    with pytest.raises(ValueError, match="is over"):
        DutchClock(Decimal(1), Decimal(1)).hear("a").hear("b")


def test_a_clock_that_would_never_end_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        EnglishClock.start("ab", increment=Decimal(0))
    with pytest.raises(ValueError, match="above 0"):
        DutchClock(Decimal(1), Decimal(0))
    with pytest.raises(ValueError, match="start above"):
        DutchClock(Decimal(1), Decimal(1), Decimal(2))
