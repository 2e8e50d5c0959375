"""A wish to buy or sell, and a trade that came of two. Knows no market in which they meet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from llm_net.protocols.money import check_amount


@dataclass(frozen=True, slots=True)
class Order:
    """So many units at this price or a better one.

    Args:
        id: names the order in its market.
        trader: whose it is.
        side: what the trader wants to do.
        price: of one unit; the most a buyer pays, the least a seller takes.
        quantity: in whole units, at least 1.

    Raises:
        ValueError: `price` is no amount of money, or `quantity` is below 1.
    """

    id: str
    trader: str
    side: Literal["buy", "sell"]
    price: Decimal
    quantity: int = 1

    def __post_init__(self) -> None:
        check_amount(self.price, f"in order {self.id!r} the price")
        if self.quantity < 1:
            raise ValueError(f"order {self.id!r} is for {self.quantity} units; order at least 1")


@dataclass(frozen=True, slots=True)
class Trade:
    """Units that change hands.

    Args:
        buy: id of the order of who pays.
        sell: id of the order of who delivers.
        price: of one unit.
        quantity: in units.
    """

    buy: str
    sell: str
    price: Decimal
    quantity: int
