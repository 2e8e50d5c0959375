"""Bidders who know what an item is worth to them, and say so by whatever the rules of an auction are."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.auctions.combinatorial_auction import CallForPackages, Package, PackageBids
from llm_net.protocols.auctions.english_auction import PriceCall, TakePrice
from llm_net.protocols.auctions.sale import Sale
from llm_net.protocols.auctions.sealed_auction import CallForBids, SealedBid
from tests.protocols.speakers import Says, Speaker, crashes, silent


def worth(value: int | Decimal) -> Says:
    """Bids what the item is worth, and at most that."""

    def says(message: Message) -> Message | None:
        match message:
            case CallForBids():
                fits = message.reserve <= value and (message.budget is None or value <= message.budget)
                return SealedBid.reply(message, amount=value) if fits else Refuse.reply(message)
            case PriceCall():
                return TakePrice.reply(message) if message.price <= value else Refuse.reply(message)
            case _:
                return None

    return says


def worth_together(values: Mapping[str, int]) -> Says:
    """Bids what packages are worth; the names of their items are letters."""

    def says(message: Message) -> Message | None:
        if not isinstance(message, CallForPackages):
            return None
        packages = tuple(Package(items=tuple(items), amount=Decimal(value)) for items, value in values.items())
        return PackageBids.reply(message, packages=packages) if packages else Refuse.reply(message)

    return says


def bidders(values: Mapping[str, int]) -> list[GenAgent]:
    """A truthful bidder of each name."""
    return [Speaker(id=name, says=worth(value)) for name, value in values.items()]


def troublemakers(says: Says) -> list[GenAgent]:
    """Who would win if they did it rightly: silent, late, crashing, and who answers something else than was asked."""
    return [
        Speaker(id="silent", says=silent),
        Speaker(id="late", says=says, after=500),
        Speaker(id="crashing", says=crashes),
        Speaker(id="lying", says=lambda message: message.reply(method="cfp", body="I have it")),
    ]


def ending(sale: Sale) -> str:
    """How a sale ended: "bob for 7"."""
    return "nobody" if sale.winner is None else f"{sale.winner} for {sale.price}"
