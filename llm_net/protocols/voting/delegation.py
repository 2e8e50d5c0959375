"""Liquid democracy: whose votes each voter casts. Knows who trusts whom, not what is voted on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from llm_net.protocols.voting.ballot import Weight


@dataclass(frozen=True, slots=True)
class Delegated:
    """Where all votes ended.

    Args:
        weights: for each who votes, the weight of all the votes that came to it, its own included.
        voter: for each whose vote is cast, who casts it; for those who vote themselves, they.
        cycles: rings of voters who trust each other in a circle; none of them votes, so all their votes are lost.
        lost: whose vote nobody casts: members of cycles, those whose trust leads into one, and those whose trust ends at
            somebody who neither votes nor delegates.
    """

    weights: Mapping[str, Weight] = field(hash=False)
    voter: Mapping[str, str] = field(hash=False)
    cycles: tuple[tuple[str, ...], ...]
    lost: frozenset[str]


def delegate(
    trust: Mapping[str, str], voting: Collection[str], *, weights: Mapping[str, Weight] | None = None
) -> Delegated:
    """Follows each delegation, and those of who was delegated to, until somebody votes. O(n).

    Args:
        trust: to whom each voter hands its vote. Who votes in spite of that keeps it, with all that came to it.
        voting: who votes.
        weights: of each voter's own vote; 1 for those not named.

    Source: Christoff and Grossi 2017, Binary voting with delegable proxy; Ford 2002, Delegative democracy.
    """
    ends: dict[str, str | None] = {name: name for name in voting}
    cycles: list[tuple[str, ...]] = []
    for start in sorted({*trust, *trust.values()}):
        path: dict[str, None] = {}
        here: str | None = start
        while here is not None and here not in ends and here not in path:
            path[here] = None
            here = trust.get(here)
        if here is not None and here in path:
            names = list(path)
            cycles.append(_from_least(names[names.index(here) :]))
        end = None if here is None else ends.get(here)
        ends.update(dict.fromkeys(path, end))
    total: dict[str, Weight] = dict.fromkeys(sorted(voting), 0)
    for name, end in ends.items():
        if end is not None:
            total[end] += (weights or {}).get(name, 1)
    cast_by = {name: end for name, end in sorted(ends.items()) if end is not None}
    return Delegated(total, cast_by, tuple(cycles), frozenset(ends.keys() - cast_by.keys()))


def _from_least(ring: list[str]) -> tuple[str, ...]:
    """The same ring, told from its first name in the alphabet, whoever it was entered by."""
    first = ring.index(min(ring))
    return (*ring[first:], *ring[:first])
