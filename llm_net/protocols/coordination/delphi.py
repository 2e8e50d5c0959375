"""Delphi: what a panel is told between rounds, and when to stop asking. Knows numbers, not who gave which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = int | Decimal | Fraction


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of a panel's estimates, which each member sees before it gives its next one.

    Args:
        lower: a quarter of the estimates are at most this.
        median: half of them are at most this.
        upper: three quarters of them are at most this.
    """

    lower: Fraction
    median: Fraction
    upper: Fraction

    @property
    def width(self) -> Fraction:
        """The interquartile range."""
        return self.upper - self.lower


def spread(estimates: Sequence[Number]) -> Spread:
    """The quartiles, with straight lines between estimates.

    Raises:
        ValueError: there are no estimates.

    Source: Hyndman and Fan 1996, Sample quantiles in statistical packages (type 7).
    """
    if not estimates:
        raise ValueError("a panel without estimates has no middle; wait for at least one")
    ordered = sorted(Fraction(estimate) for estimate in estimates)

    def quantile(part: Fraction) -> Fraction:
        place = part * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    return Spread(quantile(Fraction(1, 4)), quantile(Fraction(1, 2)), quantile(Fraction(3, 4)))


def settled(rounds: Sequence[Sequence[Number]], *, within: Number, drift: Number | None = None) -> bool:
    """Whether to stop: the panel agrees, or has stopped moving.

    Args:
        rounds: the estimates of each round so far, the last one last.
        within: it agrees where the interquartile range of the last round is at most this.
        drift: it has stopped moving where median and range changed by at most this since the round before; None to go
            on all the same.

    Raises:
        ValueError: one of the last two rounds has no estimates.

    Source: Dalkey and Helmer 1963, An experimental application of the Delphi method to the use of experts; von der Gracht
    2012, Consensus measurement in Delphi studies (range and stability as criteria).
    """
    if not rounds:
        return False
    last = spread(rounds[-1])
    if last.width <= Fraction(within):
        return True
    if drift is None or len(rounds) < 2:
        return False
    before = spread(rounds[-2])
    return max(abs(last.median - before.median), abs(last.width - before.width)) <= Fraction(drift)
