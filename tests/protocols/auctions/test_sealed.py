"""Sealed bids: the theorems of Vickrey's auction over generated bids, and what other rules do instead."""

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_net.protocols.auctions.bid import Award, Bid
from llm_net.protocols.auctions.budget import Budgets
from llm_net.protocols.auctions.sealed import all_pay, first_price, kth_price, vickrey
from llm_net.protocols.tie import Lot, Order

amounts = st.integers(0, 12).map(lambda halves: Decimal(halves) / 2)


def bids_of(*values: Decimal | int) -> list[Bid]:
    return [Bid(name, Decimal(value)) for name, value in zip("abcdefgh", values, strict=False)]


many = st.lists(amounts, max_size=5).map(lambda values: bids_of(*values))


def gain(award: Award, bidder: str, value: Decimal, seed: int) -> Decimal:
    """What an award is worth to somebody, at the price that it has to pay."""
    won = value if award.winner(Lot(seed)) == bidder else Decimal(0)
    return won - award.payments(Lot(seed)).get(bidder, Decimal(0))


@given(many, amounts, amounts, amounts, st.integers(0, 99))
def test_in_vickreys_auction_truth_is_best_and_costs_nothing(
    others: list[Bid], value: Decimal, lie: Decimal, reserve: Decimal, seed: int
) -> None:
    truthful = gain(vickrey([*others, Bid("me", value)], reserve=reserve), "me", value, seed)
    lying = gain(vickrey([*others, Bid("me", lie)], reserve=reserve), "me", value, seed)

    assert truthful >= 0
    assert truthful >= lying


@given(many, amounts)
def test_the_second_price_lies_between_reserve_and_best_bid(bids: list[Bid], reserve: Decimal) -> None:
    award = vickrey(bids, reserve=reserve)

    if award.price is None:
        assert all(bid.amount < reserve for bid in bids)
    else:
        assert reserve <= award.price <= max(bid.amount for bid in bids)


@given(many, amounts, amounts)
def test_the_price_does_not_depend_on_the_winners_bid(others: list[Bid], one: Decimal, another: Decimal) -> None:
    first, second = vickrey([*others, Bid("me", one)]), vickrey([*others, Bid("me", another)])
    assume(first.winners == second.winners == ("me",))

    assert first.price == second.price


def test_in_a_first_price_auction_a_lower_bid_may_gain_more() -> None:
    truthful = gain(first_price(bids_of(10, 4)), "a", Decimal(10), 0)
    shaded = gain(first_price(bids_of(5, 4)), "a", Decimal(10), 0)

    assert (truthful, shaded) == (Decimal(0), Decimal(5))


@pytest.mark.parametrize(("k", "price"), [(1, 9), (2, 7), (3, 4), (4, 1)])
def test_the_winner_pays_the_kth_highest_bid_or_the_reserve(k: int, price: int) -> None:
    assert kth_price(bids_of(4, 9, 7, 0), k=k, reserve=Decimal(1)) == Award(("b",), Decimal(price))


def test_equal_bids_tie_until_a_rule_is_asked() -> None:
    award = vickrey(bids_of(5, 5, 3))

    assert award.tied
    assert not vickrey(bids_of(5, 3)).tied
    assert award.winners == ("a", "b")
    assert award.payments(Order(("b", "a"))) == {"b": 5}


def test_below_the_reserve_nothing_is_sold_and_only_an_all_pay_auction_is_paid() -> None:
    assert vickrey(bids_of(3), reserve=Decimal(4)) == Award()
    assert all_pay(bids_of(3), reserve=Decimal(4)).payments(Lot(0)) == {"a": 3}


@given(many)
def test_in_an_all_pay_auction_everybody_pays_what_they_bid(bids: list[Bid]) -> None:
    award = all_pay(bids)

    assert award.winners == first_price(bids).winners
    assert award.payments(Lot(1)) == {bid.bidder: bid.amount for bid in bids}


def test_first_and_second_price_bring_the_seller_the_same() -> None:
    """Revenue equivalence: n values, uniform from 0 to 1; at best one bids (n-1)/n of one's value in a first price
    auction; both bring (n-1)/(n+1).

    Source: Vickrey 1961; Myerson 1981, Optimal auction design.
    """
    chance, rounds = Random(5), 4000
    first = second = Decimal(0)
    for _ in range(rounds):
        values = [Decimal(chance.randrange(10_000)) for _ in range(4)]
        first += first_price(bids_of(*(value * 3 / 4 for value in values))).price or 0
        second += vickrey(bids_of(*values)).price or 0

    assert abs(first / rounds / 10_000 - Decimal("0.6")) < Decimal("0.01")
    assert abs(second / rounds / 10_000 - Decimal("0.6")) < Decimal("0.01")


@pytest.mark.parametrize("amount", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), 1.5, Fraction(1, 3)])
def test_what_is_no_amount_of_money_is_refused(amount: Decimal) -> None:
    with pytest.raises(ValueError, match="write a Decimal"):
        Bid("a", amount)


def test_two_bids_of_one_bidder_and_a_price_before_the_first_are_refused() -> None:
    with pytest.raises(ValueError, match="keep the last bid"):
        vickrey([Bid("a", Decimal(1)), Bid("a", Decimal(2))])
    with pytest.raises(ValueError, match="count from 1"):
        kth_price([], k=0)


# ------------------------------------------------------------------------------------------------ budgets


@given(many, st.dictionaries(st.sampled_from("abcde"), amounts), st.integers(0, 9))
def test_no_budget_is_ever_overspent(bids: list[Bid], purses: dict[str, Decimal], seed: int) -> None:
    budgets = Budgets(purses)

    kept, refused = budgets.split(bids)
    payments = all_pay(kept).payments(Lot(seed))
    after = budgets.pay(payments)

    assert [*kept, *refused] == sorted(bids, key=lambda bid: bid in refused)
    assert all(bid.amount > purses.get(bid.bidder, 0) for bid in refused)
    assert all(left >= 0 for left in after.left.values())
    assert sum(budgets.left.values()) == sum(after.left.values()) + sum(payments.values())


def test_who_cannot_pay_is_named_and_nobody_pays() -> None:
    with pytest.raises(ValueError, match="'b' has 1 and cannot pay 2"):
        Budgets({"a": Decimal(3), "b": Decimal(1)}).pay({"a": Decimal(1), "b": Decimal(2)})
