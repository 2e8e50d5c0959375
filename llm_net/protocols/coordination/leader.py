"""Who leads of those who are there: the bully's rule. Knows an order and who answers, not how they were asked."""

from __future__ import annotations

from collections.abc import Collection

from llm_net.protocols.tie import TieRule


def leader(alive: Collection[str], rank: TieRule) -> str | None:
    """The first by rank of those alive; None where nobody is. Whoever asks comes to the same answer.

    Source: Garcia-Molina 1982, Elections in a distributed computing system.
    """
    return rank.rank(alive)[0] if alive else None


def superiors(name: str, members: Collection[str], rank: TieRule) -> tuple[str, ...]:
    """Whom a member asks before it may call itself leader: all who come before it, alive or not.

    Raises:
        ValueError: it is not one of the members.

    Source: as `leader`.
    """
    order = rank.rank(members)
    if name not in order:
        raise ValueError(f"{name!r} is not a member; members are {', '.join(order)}")
    return order[: order.index(name)]
