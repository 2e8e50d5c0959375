"""What each trader has, in money and in goods. Knows orders and trades, not how they come about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from llm_net.protocols.markets.order import Order, Trade
from llm_net.protocols.money import ZERO, check_amount

Num = TypeVar("Num", int, Decimal)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Purses and stores. Who is not named in one has nothing of it.

    Args:
        cash: of each trader; None: nobody counts it.
        goods: of each trader, in units, likewise.

    Raises:
        ValueError: what is in a purse is no amount of money, or a store has less than nothing.
    """

    cash: Mapping[str, Decimal] | None = field(default=None, hash=False)
    goods: Mapping[str, int] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        for name, amount in (self.cash or {}).items():
            check_amount(amount, f"the purse of {name!r},")
        for name, units in (self.goods or {}).items():
            if units < 0:
                raise ValueError(f"{name!r} has {units} units; nobody can have less than 0")

    def free_cash(self, trader: str, waiting: Iterable[Order] = ()) -> Decimal | None:
        """The money of a trader that none of the orders that wait may take; None for any."""
        if self.cash is None:
            return None
        bound = (order.price * order.quantity for order in waiting if order.trader == trader and order.side == "buy")
        return self.cash.get(trader, ZERO) - sum(bound, ZERO)

    def free_goods(self, trader: str, waiting: Iterable[Order] = ()) -> int | None:
        """The units of a trader that none of the orders that wait may take; None for any."""
        if self.goods is None:
            return None
        bound = (order.quantity for order in waiting if order.trader == trader and order.side == "sell")
        return self.goods.get(trader, 0) - sum(bound)

    def settle(self, orders: Mapping[str, Order], trades: Iterable[Trade]) -> Accounts:
        """What each has after these trades: all of them, or none. The sums stay what they are.

        Args:
            orders: those that the trades name, by id.

        Raises:
            ValueError: somebody cannot pay, or cannot deliver.
        """
        cash, goods = dict(self.cash or {}), dict(self.goods or {})
        for trade in trades:
            buyer, seller = orders[trade.buy].trader, orders[trade.sell].trader
            if self.cash is not None:
                _move(cash, buyer, seller, trade.price * trade.quantity, ZERO, "pay")
            if self.goods is not None:
                _move(goods, seller, buyer, trade.quantity, 0, "deliver")
        return Accounts(None if self.cash is None else cash, None if self.goods is None else goods)


def _move(held: dict[str, Num], giver: str, taker: str, amount: Num, nothing: Num, verb: str) -> None:
    if held.get(giver, nothing) < amount:
        raise ValueError(f"{giver!r} has {held.get(giver, nothing)} and cannot {verb} {amount}; refuse such orders")
    held[giver] -= amount
    held[taker] = held.get(taker, nothing) + amount
