"""The continuous double auction: an order trades at once with the best that waits, or waits. Knows one good, no clock."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, replace
from decimal import Decimal

from llm_net.protocols.markets.order import Order, Trade


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The orders that wait: by price, and those of one price by time of arrival.

    Args:
        buys: highest price first.
        sells: lowest price first. All of them are above all of `buys`.

    Source: Smith 1962, An experimental study of competitive market behavior; Friedman and Rust 1993, The double auction
    market.
    """

    buys: tuple[Order, ...] = ()
    sells: tuple[Order, ...] = ()

    @property
    def spread(self) -> Decimal | None:
        """Between the best prices of both sides; None where one side is empty."""
        return self.sells[0].price - self.buys[0].price if self.buys and self.sells else None

    def place(self, order: Order) -> tuple[OrderBook, tuple[Trade, ...]]:
        """The book after an order came, and the trades it made, each at the price of the one that waited.

        Raises:
            ValueError: an order of this id waits already.
        """
        if any(order.id == other.id for other in (*self.buys, *self.sells)):
            raise ValueError(f"an order {order.id!r} waits already; give the new one another id, or cancel the old one")
        others = list(self.sells if order.side == "buy" else self.buys)
        trades: list[Trade] = []
        left = order.quantity
        while left and others and _agree(order, others[0]):
            best = others[0]
            quantity = min(left, best.quantity)
            pair = (order.id, best.id) if order.side == "buy" else (best.id, order.id)
            trades.append(Trade(*pair, best.price, quantity))
            left -= quantity
            others[:1] = [replace(best, quantity=best.quantity - quantity)] if quantity < best.quantity else []
        same = list(self.buys if order.side == "buy" else self.sells)
        if left:  # behind those of its price: insort inserts to the right
            insort(same, replace(order, quantity=left), key=_price_first)
        sides = (same, others) if order.side == "buy" else (others, same)
        return OrderBook(tuple(sides[0]), tuple(sides[1])), tuple(trades)

    def cancel(self, order: str) -> OrderBook:
        """The book without what is left of an order; the same where none of this id waits."""
        return OrderBook(
            tuple(other for other in self.buys if other.id != order),
            tuple(other for other in self.sells if other.id != order),
        )


def _agree(order: Order, waiting: Order) -> bool:
    return order.price >= waiting.price if order.side == "buy" else order.price <= waiting.price


def _price_first(order: Order) -> Decimal:
    return -order.price if order.side == "buy" else order.price
