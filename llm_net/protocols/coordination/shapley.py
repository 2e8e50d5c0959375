"""Shapley's value: what each member adds to a group, on average over all ways it could have come together.

Knows what groups are worth, not what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import comb, log, sqrt
from random import Random
from typing import TypeAlias

Worth: TypeAlias = Callable[[frozenset[str]], int | Fraction]
"""What a group earns on its own; 0 for nobody. Asked at most once for each group."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Shares by a sample.

    Args:
        shares: of each; their sum is exact.
        within: how far any of them may be off.
    """

    shares: Mapping[str, Fraction] = field(hash=False)
    within: float


def shapley(players: Sequence[str], worth: Worth) -> Mapping[str, Fraction]:
    """The share of each, exactly. Asks for the worth of all 2^n groups: for at most about 20 players.

    The shares sum up to what all earn together; equals get the same; who adds nothing gets nothing; and the shares of
    two games add up. No other rule has these four properties.

    Source: Shapley 1953, A value for n-person games.
    """
    worths = {
        frozenset(group): Fraction(worth(frozenset(group)))
        for size in range(len(players) + 1)
        for group in combinations(players, size)
    }
    shares = dict.fromkeys(players, Fraction(0))
    for group, value in worths.items():
        for name in group:
            ways = len(players) * comb(len(players) - 1, len(group) - 1)
            shares[name] += (value - worths[group - {name}]) / ways
    return shares


def sampled_shapley(
    players: Sequence[str], worth: Worth, *, samples: int, seed: int, spread: float, confidence: float = 0.95
) -> Estimate:
    """The shares over a sample of orders in which all come together, drawn by lot. Asks for samples × n groups at most.

    Args:
        players: any number.
        worth: of a group.
        samples: how many orders, at least 1.
        seed: the same gives the same sample.
        spread: between the most and the least that anybody ever adds to a group.
        confidence: how likely all shares are within the bound.

    Raises:
        ValueError: `samples` is below 1, or `confidence` is not between 0 and 1.

    Source: Castro, Gómez and Tejada 2009, Polynomial calculation of the Shapley value based on sampling; Hoeffding 1963,
    with a union bound over the players.
    """
    if samples < 1 or not 0 < confidence < 1:
        raise ValueError("an estimate needs at least one sample, and a confidence between 0 and 1")
    chance, order = Random(seed), list(players)
    known: dict[frozenset[str], Fraction] = {}

    def value(group: frozenset[str]) -> Fraction:
        if group not in known:
            known[group] = Fraction(worth(group))
        return known[group]

    sums = dict.fromkeys(players, Fraction(0))
    for _ in range(samples):
        chance.shuffle(order)
        group: frozenset[str] = frozenset()
        for name in order:
            larger = group | {name}
            sums[name] += value(larger) - value(group)
            group = larger
    within = spread * sqrt(log(2 * max(len(players), 1) / (1 - confidence)) / (2 * samples))
    return Estimate({name: total / samples for name, total in sums.items()}, within)
