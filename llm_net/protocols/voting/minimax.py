"""Minimax: whose worst defeat is the least. Knows duels, not cycles or ballots."""

from __future__ import annotations

from llm_net.protocols.voting.pairwise import Pairwise, Strength
from llm_net.protocols.voting.result import Result, highest


def minimax(duels: Pairwise, *, by: Strength = "margins") -> Result:
    """Elects whose worst defeat is least; the scores are those defeats, as negative numbers.

    Source: Simpson 1969; Kramer 1977, A dynamical model of political equilibrium.
    """
    names = duels.candidates
    return highest(names, {one: -max(duels.strength(other, one, by) for other in names) for one in names})
