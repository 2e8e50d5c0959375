"""Ranked pairs: victories are kept from strongest to weakest unless they close a cycle. Knows duels, not ballots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, permutations
from typing import TypeAlias

from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.pairwise import Pairwise, Strength
from llm_net.protocols.voting.result import Result, elected

Pair: TypeAlias = tuple[str, str]
Kept: TypeAlias = frozenset[Pair]
"""What follows from the victories kept so far: always closed under transitivity."""


def ranked_pairs(
    duels: Pairwise, *, by: Strength = "margins", ties: TieRule | None = None, most: int = 20_000
) -> Result:
    """Elects who leads the order that the kept victories make; the scores are how many others each leads.

    Args:
        duels: the outcome of every duel.
        by: what a victory is ranked by.
        ties: which of equally strong victories comes first: that of the higher-ranked winner, then that over the
            lower-ranked loser. Without it every order of them is followed, and whoever wins in one is a winner.
        most: how many orders to keep in mind at once. The search for all of them is NP-hard.

    Raises:
        ValueError: equally strong victories make more than `most` orders.

    Source: Tideman 1987, Independence of clones as a criterion for voting rules; Zavist and Tideman 1989 (breaking
    ties); Brill and Fischer 2012, The price of neutrality for the ranked pairs method (all orders).
    """
    names = duels.candidates
    worlds: set[Kept] = {frozenset()}
    for group in _by_strength(duels, by):
        if ties is None:
            worlds = {after for world in worlds for after in _every_order(world, group, most)}
        else:
            place = {name: index for index, name in enumerate(ties.rank(names))}
            ordered = sorted(group, key=lambda pair: (place[pair[0]], -place[pair[1]]))
            worlds = {_in_order(world, ordered) for world in worlds}
        if len(worlds) > most:
            raise _too_many(most)
    winners = {one for world in worlds for one in names if all(loser != one for _, loser in world)}
    if ties is not None:  # a duel that is drawn is decided by nothing but the rule
        winners = {ties.rank(winners)[0]}
    leads = {one: max(sum(winner == one for winner, _ in world) for world in worlds) for one in names}
    return elected(names, winners, leads)


def _by_strength(duels: Pairwise, by: Strength) -> Iterator[list[Pair]]:
    """The victories, strongest first; equally strong ones together."""
    strengths = {pair: duels.strength(*pair, by) for pair in permutations(duels.candidates, 2)}
    victories = sorted((pair for pair in strengths if strengths[pair]), key=strengths.__getitem__, reverse=True)
    for _, group in groupby(victories, strengths.__getitem__):
        yield list(group)


def _in_order(kept: Kept, pairs: Iterable[Pair]) -> Kept:
    for winner, loser in pairs:
        if (loser, winner) not in kept:
            kept = _keep(kept, winner, loser)
    return kept


def _every_order(kept: Kept, group: list[Pair], most: int) -> set[Kept]:
    """All that may be kept in the end of equally strong victories, whatever their order."""
    ends: set[Kept] = set()
    seen = {kept}
    waiting = [kept]
    while waiting:
        world = waiting.pop()
        open_ = [(one, other) for one, other in group if (one, other) not in world and (other, one) not in world]
        if not open_:
            ends.add(world)
            continue
        reach = _in_any_way(world, open_)
        safe = [pair for pair in open_ if (pair[1], pair[0]) not in reach]  # in no cycle: kept in every order
        nexts = [_in_order(world, safe)] if safe else [_keep(world, *pair) for pair in open_]
        waiting += [after for after in nexts if after not in seen]
        seen.update(nexts)
        if len(seen) > most:
            raise _too_many(most)
    return ends


def _in_any_way(kept: Kept, pairs: Iterable[Pair]) -> Kept:
    for winner, loser in pairs:
        kept = _keep(kept, winner, loser)
    return kept


def _keep(kept: Kept, winner: str, loser: str) -> Kept:
    """One more victory, and all that follows from it."""
    if (winner, loser) in kept:
        return kept
    above = {winner, *(one for one, other in kept if other == winner)}
    below = {loser, *(other for one, other in kept if one == loser)}
    return kept | {(one, other) for one in above for other in below}


def _too_many(most: int) -> ValueError:
    return ValueError(f"equally strong victories can be ordered in more than {most} ways; give a rule for ties")
