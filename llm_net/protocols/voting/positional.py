"""Rules that give points for places: plurality, approval, Borda. Each adds up ballots one by one; none compares pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llm_net.protocols.voting.ballot import Approval, Ranking, Weight, cast, share
from llm_net.protocols.voting.result import Result, highest


def plurality(candidates: Sequence[str], ballots: Iterable[Ranking]) -> Result:
    """Elects who is ranked first by most; equals at the top of a ballot share its vote."""
    votes: dict[str, Weight] = dict.fromkeys(candidates, 0)
    for ballot in cast(candidates, ballots):
        for name in ballot.ranks[0]:
            votes[name] += share(ballot.weight, len(ballot.ranks[0]))
    return highest(candidates, votes)


def approval(candidates: Sequence[str], ballots: Iterable[Approval]) -> Result:
    """Elects whom most approve of.

    Source: Brams and Fishburn 1978, Approval Voting.
    """
    votes: dict[str, Weight] = dict.fromkeys(candidates, 0)
    for ballot in cast(candidates, ballots):
        for name in ballot.named:
            votes[name] += ballot.weight
    return highest(candidates, votes)


def borda(candidates: Sequence[str], ballots: Iterable[Ranking]) -> Result:
    """Elects who has most points: one for each candidate ranked below, half a point for each equal.

    Who is not ranked is equal to all others who are not.

    Source: Borda 1781; Black 1976, Partial justification of the Borda count (equals get the mean of their places).
    """
    points: dict[str, Weight] = dict.fromkeys(candidates, 0)
    for ballot in cast(candidates, ballots):
        below = len(candidates)
        for rank in (*ballot.ranks, frozenset(candidates) - ballot.named):
            below -= len(rank)
            each = ballot.weight * below + share(ballot.weight * (len(rank) - 1), 2)
            for name in rank:
                points[name] += each
    return highest(candidates, points)
