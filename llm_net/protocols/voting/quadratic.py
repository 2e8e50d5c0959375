"""Quadratic voting: many votes for one candidate cost more than they add. Knows credits, not where a voter has them from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llm_net.protocols.voting.ballot import Scores, cast
from llm_net.protocols.voting.result import Result
from llm_net.protocols.voting.score import score


def quadratic(candidates: Sequence[str], ballots: Iterable[Scores], *, credits: int) -> Result:
    """Elects who has most votes, where v votes for or against one candidate cost v² credits.

    Args:
        candidates: who stands.
        ballots: the scores are votes; those against are negative.
        credits: what each voter may spend.

    Raises:
        ValueError: a ballot spends more.

    Source: Posner and Weyl 2015, Voting squared; Lalley and Weyl 2018, Quadratic voting.
    """
    counted = cast(candidates, ballots)
    for ballot in counted:
        if (spent := cost(ballot)) > credits:
            raise ValueError(f"a ballot costs {spent} credits, and a voter has {credits}; cast fewer votes")
    return score(candidates, counted)


def cost(ballot: Scores) -> int:
    """The credits that a ballot spends in quadratic voting."""
    return sum(votes**2 for votes in ballot.given.values())
