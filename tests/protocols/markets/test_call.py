"""The call market clears: as much as can be traded is, at prices that leave nobody wanting."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.markets.call import Clearing, clear
from llm_net.protocols.markets.order import Order

sides: st.SearchStrategy[Literal["buy", "sell"]] = st.sampled_from(("buy", "sell"))


def numbered(many: list[tuple[Literal["buy", "sell"], int, int]]) -> list[Order]:
    return [
        Order(str(index), f"trader {index}", side, Decimal(price), quantity)
        for index, (side, price, quantity) in enumerate(many)
    ]


orders = st.lists(st.tuples(sides, st.integers(0, 8), st.integers(1, 3)), max_size=8).map(numbered)
halves = [Decimal(number) / 2 for number in range(-1, 19)]


def wanted(many: list[Order], side: str, price: Decimal, *, strictly: bool = False) -> int:
    """How many units are wanted or offered at a price; strictly: by those who would gain by it."""
    sign = 1 if side == "buy" else -1
    return sum(
        order.quantity
        for order in many
        if order.side == side and ((order.price - price) * sign > 0 or (order.price == price and not strictly))
    )


def test_the_market_of_a_textbook_clears_between_the_marginal_traders() -> None:
    many = numbered([("buy", 9, 1), ("buy", 7, 1), ("buy", 4, 1), ("sell", 2, 1), ("sell", 5, 1), ("sell", 8, 1)])

    clearing = clear(many)

    assert clearing.quantity == 2
    assert (clearing.lowest, clearing.price, clearing.highest) == (Decimal(5), Decimal(6), Decimal(7))
    assert clear(many, weight=Fraction(0)).price == 5
    assert clear(many, weight=Fraction(1)).price == 7
    assert not clearing.rationed


@given(orders)
def test_no_price_lets_more_change_hands(many: list[Order]) -> None:
    at_best = max((min(wanted(many, "buy", price), wanted(many, "sell", price)) for price in halves), default=0)

    assert clear(many).quantity == at_best


@given(orders)
def test_exactly_the_prices_between_lowest_and_highest_clear_the_market(many: list[Order]) -> None:
    clearing = clear(many)

    for price in halves:
        clears = wanted(many, "buy", price, strictly=True) <= wanted(many, "sell", price) and wanted(
            many, "sell", price, strictly=True
        ) <= wanted(many, "buy", price)
        if clearing.lowest is not None and clearing.highest is not None:
            assert clears == (clearing.lowest <= price <= clearing.highest)


@given(orders, st.fractions(min_value=0, max_value=1, max_denominator=4))
def test_nobody_trades_at_a_loss_or_more_than_they_ordered(many: list[Order], weight: Fraction) -> None:
    clearing = clear(many, weight=weight)
    by_id = {order.id: order for order in many}
    filled = dict.fromkeys(by_id, 0)

    for trade in clearing.trades:
        assert trade.price == clearing.price
        assert by_id[trade.sell].price <= trade.price <= by_id[trade.buy].price
        filled[trade.buy] += trade.quantity
        filled[trade.sell] += trade.quantity
    assert all(filled[name] <= order.quantity for name, order in by_id.items())
    if clearing.price is not None:
        for name, order in by_id.items():
            better = order.price > clearing.price if order.side == "buy" else order.price < clearing.price
            assert not better or filled[name] == order.quantity or name in clearing.rationed


def test_of_equal_prices_who_came_first_is_filled_and_the_other_is_named() -> None:
    clearing = clear(numbered([("buy", 5, 1), ("buy", 5, 1), ("sell", 5, 1)]))

    assert [trade.buy for trade in clearing.trades] == ["0"]
    assert clearing.rationed == ("1",)


def test_where_nobody_agrees_nothing_is_traded() -> None:
    assert clear(numbered([("buy", 1, 1), ("sell", 2, 1)])) == Clearing(0)


def test_orders_that_cannot_be_told_apart_and_weights_outside_are_refused() -> None:
    order = Order("1", "ann", "buy", Decimal(1))
    with pytest.raises(ValueError, match="give each its own"):
        clear([order, order])
    with pytest.raises(ValueError, match="from 0 to 1"):
        clear([], weight=Fraction(2))
    with pytest.raises(ValueError, match="at least 1"):
        Order("1", "ann", "buy", Decimal(1), 0)
