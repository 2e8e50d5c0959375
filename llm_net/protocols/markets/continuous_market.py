"""The continuous double auction: traders place and withdraw orders, round after round, and whatever agrees is traded at once.

Knows no trader from inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.markets.account import Accounts
from llm_net.protocols.markets.book import OrderBook
from llm_net.protocols.markets.order import Order
from llm_net.protocols.markets.trading import Ask, Bid, CallForOrders, Deal, OpenMarket, Trading, order_of
from llm_net.protocols.meta import exchange
from llm_net.protocols.money import Amount
from llm_net.schema import JsonSchema


class Withdraw(Message):
    """Withdraw an order that waits."""

    order: str


class MarketNews(CallForOrders):
    """Say how the market stands, and ask for an order to buy or to sell, or to withdraw one.

    Args:
        turn: counts from 1.
        turns: how many there are.
        best_bid: the highest price that anybody waits to pay.
        best_ask: the lowest price that anybody waits to sell for.
        last_price: of the latest trade.
        waiting: the trader's own orders that wait, by their ids.
    """

    turn: int
    turns: int
    best_bid: Amount | None = None
    best_ask: Amount | None = None
    last_price: Amount | None = None
    waiting: Mapping[str, str] = {}

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is Withdraw and self.waiting:
            return {"order": {"type": "string", "enum": list(self.waiting)}}
        return super().fields_for(kind)

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Withdraw) and answer.order not in self.waiting:
            return f"no order {answer.order!r} of yours waits; there is {', '.join(self.waiting) or 'none'}"
        return super().problem_with(answer)


CONTINUOUS_MARKET = exchange(
    "continuous-market",
    MarketNews,
    Bid,
    Ask,
    Withdraw,
    source="V. L. Smith 1962, An experimental study of competitive market behavior",
    initiator="market",
    participant="trader",
)


class ContinuousMarket(InteractionProtocol):
    """A market whose members are the traders: `OpenMarket` to the network begins some rounds and is answered by `Trading`.

    In each round all traders get `MarketNews` at once, and answer by `Bid`, `Ask`, `Withdraw` or `Refuse`. Their answers are
    taken up one by one, in an order that is drawn for each round: an order trades at once with the best that waits, at the
    price of that one, or waits. Of equal prices who came first trades first. At the end what waits is forgotten. Who gives no
    answer is not asked again.

    Args:
        rounds: how many there are at most; a round in which nobody does anything is the last one.
        seconds: no round begins later than so long after the first; None for no such limit.
        cash: what each can pay, and what each has after the trading; more is not ordered, and who is not named has
            nothing. None: nobody counts it.
        goods: the units that each can sell, likewise.
        most: the units that one order may be for.
    """

    rules: ClassVar = (CONTINUOUS_MARKET,)

    rounds: int = Field(default=10, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    cash: Mapping[str, Amount] | None = None
    goods: Mapping[str, int] | None = None
    most: int = Field(default=100, ge=1)

    async def aopen_market(self, message: OpenMarket) -> Trading:
        began = self.now()
        book, accounts, orders = OrderBook(), Accounts(self.cash, self.goods), dict[str, Order]()
        deals: list[Deal] = []
        absent: dict[str, str] = {}
        for turn in range(1, self.rounds + 1):
            if self.seconds is not None and (self.now() - began).total_seconds() > self.seconds:
                break
            news = self._news(message, turn, book, accounts, deals)
            answers = await self.collect(each for name, each in news.items() if name not in absent)
            absent.update(answers.absent)
            moves = [(name, each) for name, each in answers.given.items() if isinstance(each, (Bid, Ask, Withdraw))]
            self.random.shuffle(moves)
            for name, said in moves:
                if isinstance(said, Withdraw):
                    book = book.cancel(said.order)
                    continue
                number = 1 + sum(order.trader == name for order in orders.values())
                order = order_of(f"{name}-{number}", name, said)
                orders[order.id] = order
                book, trades = book.place(order)
                accounts = accounts.settle(orders, trades)
                deals += [Deal.of(trade, orders) for trade in trades]
            if not moves:
                break
        self.cash, self.goods = accounts.cash, accounts.goods
        return Trading.reply(
            message,
            body=message.body,
            quantity=sum(deal.quantity for deal in deals),
            price=deals[-1].price if deals else None,
            deals=tuple(deals),
            absent=absent,
        )

    def _news(
        self, message: OpenMarket, turn: int, book: OrderBook, accounts: Accounts, deals: list[Deal]
    ) -> dict[str, MarketNews]:
        waiting = (*book.buys, *book.sells)
        return {
            member.id: MarketNews(
                body=message.body,
                turn=turn,
                turns=self.rounds,
                best_bid=book.buys[0].price if book.buys else None,
                best_ask=book.sells[0].price if book.sells else None,
                last_price=deals[-1].price if deals else None,
                waiting={
                    order.id: f"{order.side} {order.quantity} at {order.price}"
                    for order in waiting
                    if order.trader == member.id
                },
                cash=accounts.free_cash(member.id, waiting),
                goods=accounts.free_goods(member.id, waiting),
                most=self.most,
                receiver=member,
                reply_to=message,
            )
            for member in self
        }
