"""An offer for one item, and to whom the item goes. Knows no rule that sets a price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from llm_net.protocols.money import ZERO, check_amount
from llm_net.protocols.tie import TieRule


@dataclass(frozen=True, slots=True)
class Bid:
    """What one bidder would pay.

    Raises:
        ValueError: `amount` is no amount of money.
    """

    bidder: str
    amount: Decimal

    def __post_init__(self) -> None:
        check_amount(self.amount, f"the bid of {self.bidder!r},")


@dataclass(frozen=True, slots=True)
class Award:
    """Who gets the item.

    Args:
        winners: all who tie for it, in the order of their bids; nobody where it stays unsold.
        price: what the winner pays for it; None where it stays unsold.
        fees: what bidders pay whether they win or not.
    """

    winners: tuple[str, ...] = ()
    price: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=dict, hash=False)

    @property
    def tied(self) -> bool:
        """Whether several may have it."""
        return len(self.winners) > 1

    def winner(self, rule: TieRule | None) -> str | None:
        """Who has it, by this rule where several tie; None where it stays unsold, or where they tie and there is no rule."""
        if not self.winners or (self.tied and rule is None):
            return None
        return self.winners[0] if rule is None else rule.rank(self.winners)[0]

    def payments(self, rule: TieRule | None) -> Mapping[str, Decimal]:
        """What everybody pays who pays anything, once the rule has told equals apart."""
        paid = dict(self.fees)
        if (winner := self.winner(rule)) is not None and self.price is not None:
            paid[winner] = paid.get(winner, ZERO) + self.price
        return paid


def one_each(bids: Iterable[Bid]) -> tuple[Bid, ...]:
    """The bids, as they came.

    Raises:
        ValueError: somebody bids twice.
    """
    bids = tuple(bids)
    if len({bid.bidder for bid in bids}) < len(bids):
        raise ValueError("somebody bids twice for one item; keep the last bid of each")
    return bids
