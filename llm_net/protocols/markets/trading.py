"""What traders and their market say to each other. Knows no market in particular."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from llm_net.message import Message
from llm_net.protocols.markets.order import Order, Trade
from llm_net.protocols.money import ZERO, Amount, between
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema


class OpenMarket(Message):
    """Let the traders trade the good that the body names."""


class Bid(Message):
    """Buy so many units, for at most this price each."""

    price: Amount
    quantity: int = Field(default=1, ge=1)


class Ask(Message):
    """Sell so many units, for at least this price each."""

    price: Amount
    quantity: int = Field(default=1, ge=1)


class CallForOrders(Question):
    """Ask for an order to buy or to sell.

    Args:
        cash: what the trader can pay; None for any.
        goods: the units that it can sell; None for any.
        most: the units that one order may be for.
    """

    cash: Amount | None = None
    goods: int | None = None
    most: int = Field(default=100, ge=1)

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind not in (Bid, Ask):
            return {}
        units = self.most if kind is Bid or self.goods is None else max(1, min(self.most, self.goods))
        return {
            "price": between(ZERO, self.cash if kind is Bid else None),
            "quantity": {"type": "integer", "minimum": 1, "maximum": units},
        }

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, (Bid, Ask)):
            return None
        if answer.quantity > self.most:
            return f"{answer.quantity} units are too many; order at most {self.most}"
        cost = answer.price * answer.quantity
        if isinstance(answer, Bid) and self.cash is not None and cost > self.cash:
            return f"{answer.quantity} at {answer.price} cost {cost}, and you have {self.cash}; buy fewer, or refuse"
        if isinstance(answer, Ask) and self.goods is not None and answer.quantity > self.goods:
            return f"you have {self.goods} to sell; sell no more, or refuse"
        return None


class Deal(BaseModel):
    """Units that changed hands.

    Args:
        price: of one unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    buyer: str
    seller: str
    price: Amount
    quantity: int

    @classmethod
    def of(cls, trade: Trade, orders: Mapping[str, Order]) -> Self:
        """A trade, with its traders in place of their orders."""
        return cls(
            buyer=orders[trade.buy].trader,
            seller=orders[trade.sell].trader,
            price=trade.price,
            quantity=trade.quantity,
        )


class Trading(Outcome):
    """What was traded.

    Args:
        quantity: units that changed hands.
        price: of one unit: of all trades of a call, of the last one of a continuous market; None where nothing was traded.
        deals: as they were made.
    """

    quantity: int = 0
    price: Amount | None = None
    deals: tuple[Deal, ...] = ()


def order_of(id: str, trader: str, said: Bid | Ask) -> Order:
    """What a trader said, as an order of a market."""
    side: Literal["buy", "sell"] = "buy" if isinstance(said, Bid) else "sell"
    return Order(id, trader, side, said.price, said.quantity)
