"""Copeland's rule: who wins most duels. Knows who beats whom, not how strongly."""

from __future__ import annotations

from llm_net.protocols.voting.ballot import Weight, share
from llm_net.protocols.voting.pairwise import Pairwise
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
