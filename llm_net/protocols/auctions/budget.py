"""What each bidder can still spend. Knows amounts, not what they are spent on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from llm_net.protocols.auctions.bid import Bid
from llm_net.protocols.money import ZERO, check_amount


@dataclass(frozen=True, slots=True)
class Budgets:
    """Purses. Who is not named has none and can spend nothing.

    Raises:
        ValueError: what is in one is no amount of money.
    """

    left: Mapping[str, Decimal] = field(hash=False)

    def __post_init__(self) -> None:
        for name, amount in self.left.items():
            check_amount(amount, f"the budget of {name!r},")

    def affords(self, bid: Bid) -> bool:
        """Whether the bidder could pay it."""
        return bid.amount <= self.left.get(bid.bidder, ZERO)

    def split(self, bids: Iterable[Bid]) -> tuple[tuple[Bid, ...], tuple[Bid, ...]]:
        """The bids that can be paid, and those that are refused."""
        bids = tuple(bids)
        kept = tuple(bid for bid in bids if self.affords(bid))
        return kept, tuple(bid for bid in bids if not self.affords(bid))

    def pay(self, payments: Mapping[str, Decimal]) -> Budgets:
        """What is left after these payments: all of them, or none.

        Raises:
            ValueError: somebody cannot pay, or an amount is negative.
        """
        for name, amount in payments.items():
            if not self.affords(Bid(name, amount)):
                raise ValueError(f"{name!r} has {self.left.get(name, ZERO)} and cannot pay {amount}; refuse such bids")
        return Budgets({name: left - payments.get(name, ZERO) for name, left in self.left.items()})
