"""Bids for several items together, and which of them to accept. Knows values, not payments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import TypeAlias

from llm_net.protocols.money import ZERO, check_amount


@dataclass(frozen=True, slots=True)
class PackageBid:
    """What one bidder would pay for these items together. Of several bids of one bidder at most one is accepted (XOR).

    Raises:
        ValueError: there are no items, or `amount` is no amount of money.

    Source: Nisan 2006, Bidding languages for combinatorial auctions.
    """

    bidder: str
    items: frozenset[str]
    amount: Decimal

    def __post_init__(self) -> None:
        check_amount(self.amount, f"the bid of {self.bidder!r},")
        if not self.items:
            raise ValueError(f"{self.bidder!r} bids for nothing; name at least one item")

    @classmethod
    def of(cls, bidder: str, items: Iterable[str], amount: Decimal | int) -> PackageBid:
        """`PackageBid.of("ann", ["wing", "tail"], 30)`."""
        return cls(bidder, frozenset(items), Decimal(amount))


Accepted: TypeAlias = tuple[PackageBid, ...]
"""Bids that can all be accepted: no item twice, no bidder twice. In the order in which they were made."""

Solver: TypeAlias = Callable[[Sequence[PackageBid]], tuple[Accepted, ...]]
"""Finds what to accept so that the sum is highest: all that tie, or where that costs too much, one."""


def worth(accepted: Iterable[PackageBid]) -> Decimal:
    """The sum of these bids."""
    return sum((bid.amount for bid in accepted), ZERO)


def search(bids: Sequence[PackageBid], *, most: int = 1_000) -> tuple[Accepted, ...]:
    """All ways to accept bids that have the highest sum, by dynamic programming over bidders and items left.

    Bids of 0 are left out. At most bidders × 2^items states: for about a dozen items.

    Args:
        bids: any number of each bidder.
        most: of equally good ways, so many are named.

    Source: Rothkopf, Pekeč and Harstad 1998, Computationally manageable combinational auctions.
    """
    bidders = list(dict.fromkeys(bid.bidder for bid in bids))
    offers = [[bid for bid in bids if bid.bidder == name and bid.amount] for name in bidders]

    @cache
    def best(index: int, left: frozenset[str]) -> Decimal:
        return max((value for _, value in choices(index, left)), default=ZERO)

    def choices(index: int, left: frozenset[str]) -> Iterable[tuple[PackageBid | None, Decimal]]:
        if index == len(offers):
            return
        yield None, best(index + 1, left)
        for bid in offers[index]:
            if bid.items <= left:
                yield bid, bid.amount + best(index + 1, left - bid.items)

    def ways(index: int, left: frozenset[str]) -> Iterable[Accepted]:
        if index == len(offers):
            yield ()
            return
        for bid, value in choices(index, left):
            if value == best(index, left):
                for rest in ways(index + 1, left - bid.items if bid else left):
                    yield (bid, *rest) if bid else rest

    place = {bid: index for index, bid in reversed(list(enumerate(bids)))}
    found = islice(ways(0, frozenset().union(*(bid.items for bid in bids))), most)
    return tuple(dict.fromkeys(tuple(sorted(way, key=place.__getitem__)) for way in found))
