"""Vickrey, Clarke and Groves: each winner pays what its winning costs the others. Knows no way to find winners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from llm_net.protocols.auctions.package import Accepted, PackageBid, Solver, search, worth
from llm_net.protocols.money import ZERO
from llm_net.protocols.tie import TieRule


@dataclass(frozen=True, slots=True)
class Allotment:
    """Who gets which items, and pays what.

    Args:
        accepted: the bids that won.
        payments: of each winner.
    """

    accepted: Accepted
    payments: Mapping[str, Decimal] = field(hash=False)

    @property
    def winners(self) -> tuple[str, ...]:
        """Who gets anything."""
        return tuple(bid.bidder for bid in self.accepted)


def vcg(
    bids: Sequence[PackageBid], *, reserves: Mapping[str, Decimal] | None = None, solve: Solver = search
) -> tuple[Allotment, ...]:
    """Accepts the bids with the highest sum; to bid what things are worth is best, whatever others do.

    Args:
        bids: packages, of which each bidder gets at most one.
        reserves: the least that the seller takes for each item; 0 for those not named. The seller counts as one more
            bidder, who would keep the items at these prices, and keeps them where a bid is no higher.
        solve: finds the winners. Truthful only if it finds the best.

    Returns:
        One allotment for each way to accept bids that `solve` names as best. A bidder who is truthful gains the same
        in all of them.

    Source: Vickrey 1961; Clarke 1971, Multipart pricing of public goods; Groves 1973, Incentives in teams.
    """
    floor = {bid: sum(((reserves or {}).get(item, ZERO) for item in bid.items), ZERO) for bid in bids}
    original = {
        PackageBid(bid.bidder, bid.items, bid.amount - floor[bid]): bid for bid in bids if bid.amount >= floor[bid]
    }
    above = list(original)
    best = solve(above)
    without = {
        name: worth(solve([bid for bid in above if bid.bidder != name])[0])
        for name in dict.fromkeys(bid.bidder for way in best for bid in way)
    }
    return tuple(
        Allotment(
            tuple(original[bid] for bid in way),
            {bid.bidder: floor[original[bid]] + without[bid.bidder] - (worth(way) - bid.amount) for bid in way},
        )
        for way in best
    )


def tied(ways: Sequence[Allotment]) -> tuple[str, ...]:
    """Who wins in some of these allotments and not in all."""
    names = dict.fromkeys(name for way in ways for name in way.winners)
    return tuple(name for name in names if not all(name in way.winners for way in ways))


def one_of(ways: Sequence[Allotment], rule: TieRule | None) -> Allotment:
    """One of equally good allotments: that in which those win whom the rule puts first; of those in which the same win, the
    first. Without a rule nobody has anything where they differ in who wins."""
    equals = tied(ways)
    if equals and rule is None:
        return Allotment((), {})
    left = list(ways)
    for name in () if rule is None else rule.rank(equals):
        left = [way for way in left if name in way.winners] or left
    return left[0]
