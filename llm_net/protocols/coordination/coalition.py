"""Into which teams to divide a group so that all together are worth most. Knows what teams are worth, not shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

from llm_net.protocols.coordination.shapley import Worth

Partition: TypeAlias = tuple[frozenset[str], ...]
"""Teams of which everybody is in exactly one."""


@dataclass(frozen=True, slots=True)
class Formation:
    """The best teams.

    Args:
        partitions: all that tie; in each, the team of who is listed first comes first.
        worth: of all teams together.
    """

    partitions: tuple[Partition, ...]
    worth: int | Fraction


def best_partitions(players: Sequence[str], worth: Worth, *, most: int = 1_000) -> Formation:
    """The partitions of the highest worth, by dynamic programming. O(3^n): for at most about 14 players.

    Args:
        players: each once.
        worth: of a team; it is asked for each of the 2^n - 1 once.
        most: of equally good partitions, so many are named.

    Source: Yeh 1986, A dynamic programming approach to the complete set partitioning problem; Sandholm et al. 1999,
    Coalition structure generation with worst case guarantees.
    """
    everybody = (1 << len(players)) - 1
    teams = [
        frozenset(name for place, name in enumerate(players) if mask >> place & 1) for mask in range(everybody + 1)
    ]
    alone = [worth(team) if team else 0 for team in teams]
    best = list(alone)
    for mask in range(1, everybody + 1):
        best[mask] = max(alone[team] + best[mask ^ team] for team in _with_first(mask))

    def partitions(mask: int) -> Iterator[Partition]:
        if not mask:
            yield ()
        for team in _with_first(mask):
            if alone[team] + best[mask ^ team] == best[mask]:
                for rest in partitions(mask ^ team):
                    yield (teams[team], *rest)

    return Formation(tuple(islice(partitions(everybody), most)), best[everybody])


def _with_first(mask: int) -> Iterator[int]:
    """The subsets of a set that contain its first member: so each partition is met once."""
    first = mask & -mask
    others = subset = mask ^ first
    while mask:
        yield subset | first
        if not subset:
            return
        subset = (subset - 1) & others
