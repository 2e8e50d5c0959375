"""Ranked pairs: victories are kept from strongest to weakest unless they close a cycle. Knows duels, not ballots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    """Elects who leads the order that the kept victories make; the scores are 1 for who wins, and 0.

    Args:
        duels: the outcome of every duel.
        by: what a victory is ranked by.
        ties: which of equally strong victories comes first: that of the higher-ranked winner, then that over the
            lower-ranked loser. Without it every order of them is followed, and whoever wins in one is a winner.
        most: how many sets of kept victories to look at. The search for all winners is NP-hard.

    Raises:
        ValueError: equally strong victories lead to more than `most` sets.

    Source: Tideman 1987, Independence of clones as a criterion for voting rules; Zavist and Tideman 1989 (breaking
    ties); Brill and Fischer 2012, The price of neutrality for the ranked pairs method (all orders).
    """
    names = duels.smith_set  # what happens outside of it makes no difference inside
    groups = list(_by_strength(duels, names, by))
    if ties is None:
        winners = _every_winner(names, groups, most)
    else:
        place = {name: index for index, name in enumerate(ties.rank(names))}
        ordered = [pair for group in groups for pair in sorted(group, key=lambda one: (place[one[0]], -place[one[1]]))]
        winners = {ties.rank(_leaders(names, _keep(frozenset(), ordered)))[0]}
    return elected(duels.candidates, winners, {name: int(name in winners) for name in duels.candidates})


def _by_strength(duels: Pairwise, names: Sequence[str], by: Strength) -> Iterator[list[Pair]]:
    """The victories, strongest first; equally strong ones together."""
    strengths = {pair: duels.strength(*pair, by) for pair in permutations(names, 2)}
    victories = sorted((pair for pair in strengths if strengths[pair]), key=strengths.__getitem__, reverse=True)
    for _, group in groupby(victories, strengths.__getitem__):
        yield list(group)


def _every_winner(names: Sequence[str], groups: Sequence[Sequence[Pair]], most: int) -> set[str]:
    """Who leads after some order of the victories that goes from strong to weak."""
    winners: set[str] = set()
    waiting: list[tuple[int, Kept]] = [(0, frozenset())]
    seen = set(waiting)
    while waiting:
        number, kept = waiting.pop()
        leaders = _leaders(names, kept)
        if len(leaders) == 1 or number == len(groups):
            winners |= leaders
        if leaders <= winners:
            continue  # whatever follows: who no longer leads never will again
        undecided = [(one, other) for one, other in groups[number] if not kept & {(one, other), (other, one)}]
        at_once = _keep(kept, undecided, cycles=True)
        safe = [(one, other) for one, other in undecided if (other, one) not in at_once]  # kept in every order
        nexts = [_keep(kept, safe)] if safe or not undecided else [_keep(kept, [pair]) for pair in undecided]
        worlds = dict.fromkeys((number if undecided else number + 1, after) for after in nexts)
        waiting += [world for world in worlds if world not in seen]
        seen.update(worlds)
        if len(seen) > most:
            raise ValueError(f"equally strong victories lead to more than {most} sets of them; give a rule for ties")
    return winners


def _leaders(names: Sequence[str], kept: Kept) -> set[str]:
    return set(names) - {loser for _, loser in kept}


def _keep(kept: Kept, pairs: Iterable[Pair], *, cycles: bool = False) -> Kept:
    """More victories, one after the other, with all that follows from them; those that would close a cycle only if asked."""
    for winner, loser in pairs:
        if (winner, loser) not in kept and (cycles or (loser, winner) not in kept):
            above = {winner, *(one for one, other in kept if other == winner)}
            below = {loser, *(other for one, other in kept if one == loser)}
            kept |= {(one, other) for one in above for other in below}
    return kept
