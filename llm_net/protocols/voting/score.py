"""Score voting and STAR, which add up points. Know how much better a candidate is, not what its grade is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from llm_net.protocols.voting.ballot import Scores, Weight, cast
from llm_net.protocols.voting.result import Result, elected, highest


def score(candidates: Sequence[str], ballots: Iterable[Scores]) -> Result:
    """Elects who has most points in all; who is not scored gets 0.

    Source: Smith 2000, Range voting.
    """
    points: dict[str, Weight] = dict.fromkeys(candidates, 0)
    for ballot in cast(candidates, ballots):
        for name, given in ballot.given.items():
            points[name] += ballot.weight * given
    return highest(candidates, points)


def star(candidates: Sequence[str], ballots: Iterable[Scores]) -> Result:
    """Score, then automatic run-off: of the two with most points, elects whom more ballots score higher.

    Where points tie for the run-off, every pair that may be in it is tried, and a drawn run-off has two winners. The
    scores are points, of which 0 go to who is not scored.

    Source: Equal Vote Coalition, STAR voting, 2014.
    """
    counted = cast(candidates, ballots)
    points = score(candidates, counted).scores
    if len(candidates) == 1:
        return Result(tuple(candidates), points)
    order = sorted(points.values(), reverse=True)
    winners: set[str] = set()
    for one, other in combinations(candidates, 2):
        if sorted((points[one], points[other]), reverse=True) == order[:2]:
            lead = sum(
                ballot.weight * _sign(ballot.given.get(one, 0) - ballot.given.get(other, 0)) for ballot in counted
            )
            winners |= {one} if lead > 0 else {other} if lead < 0 else {one, other}
    return elected(candidates, winners, points)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
