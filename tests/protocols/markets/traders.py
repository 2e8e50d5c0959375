"""Traders with a value or a cost of one unit."""

from __future__ import annotations

from decimal import Decimal

from llm_net import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.markets.continuous_market import MarketNews
from llm_net.protocols.markets.trading import Ask, Bid, CallForOrders
from tests.protocols.speakers import Says


def buys(price: int | Decimal, quantity: int = 1) -> Says:
    """Orders once, at this price."""
    return _orders(Bid, price, quantity)


def sells(price: int | Decimal, quantity: int = 1) -> Says:
    """Likewise."""
    return _orders(Ask, price, quantity)


def _orders(kind: type[Bid | Ask], price: int | Decimal, quantity: int) -> Says:
    def says(message: Message) -> Message | None:
        if isinstance(message, MarketNews) and message.turn > 1:
            return Refuse.reply(message)
        if isinstance(message, CallForOrders):
            return kind.reply(message, price=price, quantity=quantity)
        return None

    return says
