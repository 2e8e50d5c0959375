"""Copeland's rule and minimax, which read the outcome of duels directly. Know nothing of cycles or ballots."""

from __future__ import annotations

from llm_net.protocols.voting.ballot import Weight, share
from llm_net.protocols.voting.pairwise import Pairwise, Strength
from llm_net.protocols.voting.result import Result, highest


def copeland(duels: Pairwise) -> Result:
    """Elects who wins most duels; a drawn one counts half.

    Source: Copeland 1951; Saari and Merlin 1996, The Copeland method.
    """
    scores: dict[str, Weight] = {}
    for one in duels.candidates:
        margins = [duels.margin(one, other) for other in duels.candidates if other != one]
        scores[one] = sum(margin > 0 for margin in margins) + share(margins.count(0), 2)
    return highest(duels.candidates, scores)


def minimax(duels: Pairwise, *, by: Strength = "margins") -> Result:
    """Elects whose worst defeat is least; the scores are those defeats, as negative numbers.

    Source: Simpson 1969; Kramer 1977, A dynamical model of political equilibrium.
    """
    names = duels.candidates
    return highest(names, {one: -max(duels.strength(other, one, by) for other in names) for one in names})
