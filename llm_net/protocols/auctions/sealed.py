"""Auctions with one sealed bid each: first price, Vickrey, any k-th price, all-pay. Knows one item and no clock."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from llm_net.protocols.auctions.bid import Award, Bid, one_each
from llm_net.protocols.money import ZERO


def kth_price(bids: Iterable[Bid], *, k: int, reserve: Decimal = ZERO) -> Award:
    """The highest bid wins and pays the k-th highest, and never less than the reserve.

    Args:
        bids: one of each bidder; those below the reserve do not count.
        k: from 1, the winner's own.
        reserve: the least that the seller takes; also the price where fewer than `k` bids count.

    Raises:
        ValueError: somebody bids twice, or `k` is below 1.

    Source: Kagel and Levin 1993, Independent private value auctions (third price); Krishna 2009, Auction theory.
    """
    if k < 1:
        raise ValueError(f"there is no {k}-th price; count from 1, the highest")
    counted = [bid for bid in one_each(bids) if bid.amount >= reserve]
    if not counted:
        return Award()
    amounts = sorted((bid.amount for bid in counted), reverse=True)
    winners = tuple(bid.bidder for bid in counted if bid.amount == amounts[0])
    return Award(winners, amounts[k - 1] if len(amounts) >= k else reserve)


def first_price(bids: Iterable[Bid], *, reserve: Decimal = ZERO) -> Award:
    """The highest bid wins and pays what it says; see `kth_price`."""
    return kth_price(bids, k=1, reserve=reserve)


def vickrey(bids: Iterable[Bid], *, reserve: Decimal = ZERO) -> Award:
    """The highest bid wins and pays the second; to bid what the item is worth is best, whatever others do.

    See `kth_price`.

    Source: Vickrey 1961, Counterspeculation, auctions, and competitive sealed tenders, Journal of Finance 16.
    """
    return kth_price(bids, k=2, reserve=reserve)


def all_pay(bids: Iterable[Bid], *, reserve: Decimal = ZERO) -> Award:
    """The highest bid wins, and everybody pays their own, also those below the reserve: a contest, a race, a lobby.

    Raises:
        ValueError: somebody bids twice.

    Source: Baye, Kovenock and de Vries 1996, The all-pay auction with complete information, Economic Theory 8.
    """
    bids = one_each(bids)
    won = first_price(bids, reserve=reserve)
    return Award(won.winners, ZERO if won.winners else None, {bid.bidder: bid.amount for bid in bids})
