"""When enough hold one position for all to take it. Knows positions and numbers, not why anybody holds one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a group stands.

    Args:
        agreed: the position that a quorum holds; None while there is none.
        support: how many hold each position, most first.
        silent: how many hold none.
    """

    agreed: str | None
    support: Mapping[str, int] = field(hash=False)
    silent: int


def quorum_size(members: int, *, faulty: int = 0) -> int:
    """The least number such that two groups of so many always share a member that is not faulty.

    Args:
        members: how many there are, at least 1.
        faulty: how many of them may say one thing to some and another to others; fewer than a third.

    Raises:
        ValueError: there are no members, or `faulty` is not from 0 to below a third of them.

    Source: Malkhi and Reiter 1998, Byzantine quorum systems; Lamport, Shostak and Pease 1982 (a third).
    """
    if members < 1 or faulty < 0 or 3 * faulty >= members:
        raise ValueError(f"{members} members cannot agree where {faulty} may lie; have more than three times as many")
    return (members + faulty) // 2 + 1


def standing(positions: Mapping[str, str | None], *, quorum: int) -> Standing:
    """Counts positions.

    Args:
        positions: of each member; None of who has none, or abstains.
        quorum: how many have to hold one. More than half, so that no two can be agreed on.

    Raises:
        ValueError: the quorum is not more than half of the members.
    """
    if 2 * quorum <= len(positions):
        raise ValueError(f"{quorum} of {len(positions)} could agree on two positions at once; take more than half")
    counts: dict[str, int] = {}
    for position in positions.values():
        if position is not None:
            counts[position] = counts.get(position, 0) + 1
    support = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    agreed = next((position for position, count in support.items() if count >= quorum), None)
    return Standing(agreed, support, len(positions) - sum(counts.values()))
