"""How far to give way: by the time that is left, or by who has more to lose. Knows utilities, not outcomes."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from llm_net.protocols.negotiation.problem import Utility


def aspiration(time: float, *, exponent: float, best: float = 1.0, reservation: float = 0.0) -> float:
    """The utility below which to accept nothing and offer nothing, at some time: it falls, and never rises.

    Args:
        time: the part of the negotiation that is over, from 0 to 1.
        exponent: 1 for a straight line; above 1 who stands firm till late (Boulware), below who gives way early (Conceder).
        best: where it begins.
        reservation: where it ends.

    Raises:
        ValueError: `time` is not between 0 and 1, `exponent` is not above 0, or `best` is below `reservation`.

    Source: Faratin, Sierra and Jennings 1998, Negotiation decision functions for autonomous agents (with β = 1/exponent).
    """
    if not 0 <= time <= 1:
        raise ValueError(f"time {time} is not within the negotiation; give the part that is over, from 0 to 1")
    if exponent <= 0 or best < reservation:
        raise ValueError("a concession needs an exponent above 0, and to begin no lower than it ends")
    return best - (best - reservation) * float(time**exponent)


def risk(own: Utility, theirs: Utility) -> Fraction:
    """What part of its gain a party would lose by accepting the other's offer rather than getting its own.

    Args:
        own: what its own offer is worth to it, beyond the disagreement.
        theirs: the same of the other's offer.

    Returns:
        1 where its own offer gives it nothing: it has nothing to lose by a conflict. 0 where it would rather accept.

    Source: Zeuthen 1930, Problems of monopoly and economic warfare; Rosenschein and Zlotkin 1994, Rules of encounter.
    """
    if own <= 0:
        return Fraction(1)
    return max(Fraction(own - theirs) / own, Fraction(0))


def concedes(first: tuple[Utility, Utility], second: tuple[Utility, Utility]) -> Literal["first", "second", "both"]:
    """Who has to give way: who would lose more by a conflict, so has less risk to take; both where that is equal.

    Args:
        first: what the first party's offer is worth to the first and to the second, beyond the disagreement.
        second: the same of the second party's offer.

    Source: as `risk`.
    """
    of_first, of_second = risk(first[0], second[0]), risk(second[1], first[1])
    if of_first == of_second:
        return "both"
    return "first" if of_first < of_second else "second"
