"""The call market: all orders meet at once and clear at one price. Knows supply and demand at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from llm_net.protocols.markets.order import Order, Trade


@dataclass(frozen=True, slots=True)
class Clearing:
    """Where supply meets demand.

    Args:
        quantity: as many units as can change hands with nobody losing; 0 where nobody can agree.
        lowest: of the prices at which supply meets demand; None where nothing is traded.
        highest: of those prices.
        trades: who gives to whom, all at `price`.
        price: what was chosen between lowest and highest.
        rationed: orders at the margin of which only a part was filled, or none where an equal one was.
    """

    quantity: int
    lowest: Decimal | None = None
    highest: Decimal | None = None
    price: Decimal | None = None
    trades: tuple[Trade, ...] = ()
    rationed: tuple[str, ...] = ()


def clear(orders: Sequence[Order], *, weight: Fraction = Fraction(1, 2)) -> Clearing:
    """Lets the best buyers meet the best sellers, as many as agree. O(n log n).

    Of equal prices the order that came first is filled first; whom that touches is named in `rationed`.

    Args:
        orders: as they came.
        weight: where between the lowest (0) and the highest (1) price that clears the market the price is; half way gives
            buyers and sellers the same say. Exact wherever the decimal fraction ends.

    Raises:
        ValueError: two orders have one id, or `weight` is not between 0 and 1.

    Source: Chatterjee and Samuelson 1983, Bargaining under incomplete information; Satterthwaite and Williams 1989,
    Bilateral trade with the sealed bid k-double auction.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"a weight of {weight} sets a price that does not clear the market; give one from 0 to 1")
    if len({order.id for order in orders}) < len(orders):
        raise ValueError("two orders have one id; give each its own")
    buys = sorted((order for order in orders if order.side == "buy"), key=lambda order: -order.price)
    sells = sorted((order for order in orders if order.side == "sell"), key=lambda order: order.price)
    matches = list(_matches(buys, sells))
    if not matches:
        return Clearing(0)
    filled: dict[str, int] = {}
    for buy, sell, quantity in matches:
        for order in (buy, sell):
            filled[order.id] = filled.get(order.id, 0) + quantity
    last_buy, last_sell, _ = matches[-1]
    waiting = [order for order in orders if filled.get(order.id, 0) < order.quantity]
    lowest = max([last_sell.price, *(order.price for order in waiting if order.side == "buy")])
    highest = min([last_buy.price, *(order.price for order in waiting if order.side == "sell")])
    price = lowest + (highest - lowest) * weight.numerator / weight.denominator
    margin = {"buy": last_buy.price, "sell": last_sell.price}
    return Clearing(
        quantity=sum(quantity for *_, quantity in matches),
        lowest=lowest,
        highest=highest,
        price=price,
        trades=tuple(Trade(buy.id, sell.id, price, quantity) for buy, sell, quantity in matches),
        rationed=tuple(order.id for order in waiting if order.price == margin[order.side]),
    )


def _matches(buys: Sequence[Order], sells: Sequence[Order]) -> Iterable[tuple[Order, Order, int]]:
    """Best with best, until they no longer agree."""
    wanted = [order.quantity for order in buys]
    offered = [order.quantity for order in sells]
    buy = sell = 0
    while buy < len(buys) and sell < len(sells) and buys[buy].price >= sells[sell].price:
        quantity = min(wanted[buy], offered[sell])
        yield buys[buy], sells[sell], quantity
        wanted[buy] -= quantity
        offered[sell] -= quantity
        buy += not wanted[buy]
        sell += not offered[sell]
