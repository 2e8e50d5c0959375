"""Putting an item up for sale, and how its auction ended. Knows no rule that finds the price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from llm_net.address import AbstractObject
from llm_net.message import Message
from llm_net.protocols.acts import Inform
from llm_net.protocols.auctions.bid import Award
from llm_net.protocols.auctions.budget import Budgets
from llm_net.protocols.money import Amount
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.tie import TieRule


class Sell(Message):
    """Sell what the body names to who pays most for it."""


class Closing(Inform):
    """Say that an auction is over, who has the item, and for which price."""

    method: str = "inform"
    winner: str | None = None
    price: Amount | None = None


class Sale(Outcome):
    """Who has an item, and for which price.

    Args:
        winner: None where it stays unsold, or where bidders tie and no rule decides between them.
        price: what the winner pays, None likewise.
        fees: what bidders pay whether they win or not; only where all pay.
    """

    winner: str | None = None
    price: Amount | None = None
    fees: Mapping[str, Amount] = {}

    @property
    def payments(self) -> Mapping[str, Decimal]:
        """What everybody pays who pays anything."""
        award = Award(() if self.winner is None else (self.winner,), self.price, self.fees)
        return award.payments(None)

    def content(self) -> dict[str, object]:
        return {name: value for name, value in super().content().items() if value or name != "fees"}


def sale_of(message: Sell, award: Award, rule: TieRule | None, absent: Mapping[str, str]) -> Sale:
    """The outcome for who had something sold, once equals are told apart.

    Args:
        rule: for ties; None leaves them as they are: nobody wins.
        absent: who gave no answer that counts, and why.
    """
    winner = award.winner(rule)
    return Sale.reply(
        message,
        body=message.body,
        winner=winner,
        price=None if winner is None else award.price,
        fees=award.fees,
        ties=award.winners if award.tied else (),
        absent=absent,
    )


def closings(sale: Sale, said: Iterable[Message], by: AbstractObject) -> Iterator[Closing]:
    """What tells each bidder how it ended.

    Args:
        said: the last word with each, whosever it was.
        by: the auctioneer.
    """
    for last in said:
        bidder = last.receiver if last.sender == by else last.sender
        yield Closing(body=sale.body, winner=sale.winner, price=sale.price, sender=by, receiver=bidder, reply_to=last)


def left_after(sale: Sale, budgets: Mapping[str, Decimal] | None) -> Mapping[str, Decimal] | None:
    """What bidders can still spend once they have paid; None where nobody counts it."""
    return None if budgets is None else Budgets(budgets).pay(sale.payments).left
