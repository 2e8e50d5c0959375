"""Schulze's rule: who is reached by the strongest paths of victories. Knows duels, not ballots."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from llm_net.protocols.voting.ballot import Weight
from llm_net.protocols.voting.pairwise import Pairwise, Strength
from llm_net.protocols.voting.result import Result, elected


def schulze(duels: Pairwise, *, by: Strength = "winning votes") -> Result:
    """Elects whom nobody beats by a stronger path; the scores are how many others each beats so. O(n³).

    Source: Schulze 2011, A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner
    election method, Social Choice and Welfare 36.
    """
    names = duels.candidates
    path = strongest_paths(duels, by=by)
    winners = [one for one in names if all(path[one, other] >= path[other, one] for other in names)]
    beaten: dict[str, Weight] = {one: sum(path[one, other] > path[other, one] for other in names) for one in names}
    return elected(names, winners, beaten)


def strongest_paths(duels: Pairwise, *, by: Strength = "winning votes") -> Mapping[tuple[str, str], Weight]:
    """For each pair the strength of the strongest path of victories, which is that of its weakest step.

    Source: Floyd 1962 and Warshall 1962, with max and min in the place of min and plus.
    """
    names = duels.candidates
    path = {(one, other): duels.strength(one, other, by) for one, other in product(names, names)}
    for between, one, other in product(names, repeat=3):
        path[one, other] = max(path[one, other], min(path[one, between], path[between, other]))
    return path
