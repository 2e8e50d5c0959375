"""The call market: orders are collected, then all trade at one price. Knows no trader from inside."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar

from pydantic import Field

from llm_net.protocols.acts import Inform, Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.markets.account import Accounts
from llm_net.protocols.markets.call import Clearing, clear
from llm_net.protocols.markets.order import Order
from llm_net.protocols.markets.trading import Ask, Bid, CallForOrders, Deal, OpenMarket, Trading, order_of
from llm_net.protocols.meta import completed
from llm_net.protocols.money import Amount
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule


class Filled(Inform):
    """Say how many units of an order were traded, and for which price each."""

    method: str = "inform"
    quantity: int = 0
    price: Amount | None = None


CALL_MARKET = Rules(
    "call-market",
    completed([
        (START, "initiator", CallForOrders, "called"),
        ("called", "participant", Bid, "ordered"),
        ("called", "participant", Ask, "ordered"),
        ("called", "participant", Refuse, "refused"),
        ("ordered", "initiator", Inform, "closed"),
    ]),
    source="M. Satterthwaite and S. Williams 1989, Bilateral trade with the sealed bid k-double auction",
    initiator="market",
    participant="trader",
    fallback=(Refuse,),
)  # fmt: skip


class CallMarket(InteractionProtocol):
    """A market whose members are the traders: `OpenMarket` to the network collects orders and is answered by `Trading`.

    Traders get a `CallForOrders` and answer by `Bid`, `Ask` or `Refuse`. The best buyers meet the best sellers, as many as
    agree, all at one price. Whoever ordered is told in `Filled` what came of it.

    Args:
        cash: what each can pay, and what each has after a call; more is not ordered, and who is not named has nothing.
            None: nobody counts it.
        goods: the units that each can sell, likewise.
        most: the units that one order may be for.
        weight: where between the lowest (0) and the highest (1) price that clears the market the price is.
        ties: whose order is filled first of equal prices; without a rule, who stands first in the network.
    """

    rules: ClassVar = (CALL_MARKET,)

    cash: Mapping[str, Amount] | None = None
    goods: Mapping[str, int] | None = None
    most: int = Field(default=100, ge=1)
    weight: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)
    ties: TieRule | None = None

    async def aopen_market(self, message: OpenMarket) -> Trading:
        accounts = Accounts(self.cash, self.goods)
        answers = await self.collect(
            CallForOrders(
                body=message.body,
                cash=accounts.free_cash(member.id),
                goods=accounts.free_goods(member.id),
                most=self.most,
                receiver=member,
                reply_to=message,
            )
            for member in self
        )
        said = {name: answer for name, answer in answers.given.items() if isinstance(answer, (Bid, Ask))}
        ranked = tuple(said) if self.ties is None else self.ties.rank(said)
        orders = {name: order_of(name, name, said[name]) for name in ranked}
        clearing = clear([*orders.values()], weight=Fraction(self.weight))
        after = accounts.settle(orders, clearing.trades)
        self.cash, self.goods = after.cash, after.goods
        filled = {
            name: sum(trade.quantity for trade in clearing.trades if name in (trade.buy, trade.sell)) for name in said
        }
        await self.tell(
            Filled.reply(order, quantity=filled[name], price=clearing.price if filled[name] else None)
            for name, order in said.items()
        )
        return Trading.reply(
            message,
            body=message.body,
            quantity=clearing.quantity,
            price=clearing.price,
            deals=tuple(Deal.of(trade, orders) for trade in clearing.trades),
            ties=_equals(clearing, orders),
            absent={**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")},
        )


def _equals(clearing: Clearing, orders: Mapping[str, Order]) -> tuple[str, ...]:
    """Who ordered at a price at which not everybody was served, others at the same price being there."""
    margins = [(orders[name].side, orders[name].price) for name in clearing.rationed]
    at = {margin: [name for name, order in orders.items() if (order.side, order.price) == margin] for margin in margins}
    return tuple(name for equals in at.values() if len(equals) > 1 for name in equals)
