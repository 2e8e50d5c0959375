"""Instant run-off: the last drops out, and its ballots go to whom they rank next. Knows rankings, not duels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Ranking, Weight, cast, share
from llm_net.protocols.voting.result import Result, elected


def instant_runoff(
    candidates: Sequence[str], ballots: Iterable[Ranking], *, ties: TieRule | None = None, most: int = 20_000
) -> Result:
    """Elects who is left when again and again the one with the fewest first places has dropped out.

    Equals at the top of a ballot share its vote. The scores are how many others were out before a candidate was.

    Args:
        candidates: who stands.
        ballots: rankings; a ballot counts until none of those it names is left.
        ties: of several with the fewest votes, the last by this rule drops out. Without it every choice is followed,
            and whoever wins in one is a winner (parallel universes).
        most: how many sets of candidates to look at. The search for all winners is NP-hard.

    Raises:
        ValueError: ties lead to more than `most` sets of candidates.

    Source: Hare 1857, Ware 1871; Conitzer, Rognlie and Xia 2009, Preference functions that score rankings (parallel
    universes).
    """
    counted = cast(candidates, ballots)
    start = frozenset(candidates)
    outlasted: dict[str, Weight] = dict.fromkeys(candidates, 0)
    winners: set[str] = set()
    seen = {start}
    waiting = [start]
    while waiting:
        left = waiting.pop()
        for name in left:
            outlasted[name] = max(outlasted[name], len(start) - len(left))
        nexts = {left - losers for losers in _losers(first_places(left, counted), ties)}
        if not nexts:
            winners |= left
        waiting += sorted(nexts - seen, key=sorted)
        seen |= nexts
        if len(seen) > most:
            raise ValueError(f"ties lead to more than {most} sets of candidates; give a rule for ties")
    if ties is not None:  # nobody has a vote, so all of them are left
        winners = {ties.rank(winners)[0]}
    return elected(candidates, winners, outlasted)


def first_places(left: frozenset[str], ballots: Iterable[Ranking]) -> dict[str, Weight]:
    """The votes of those who are left, fewest first."""
    votes: dict[str, Weight] = dict.fromkeys(left, 0)
    for ballot in ballots:
        best = ballot.best(left)
        for name in best:
            votes[name] += share(ballot.weight, len(best))
    return dict(sorted(votes.items(), key=lambda item: (item[1], item[0])))


def _losers(votes: dict[str, Weight], ties: TieRule | None) -> list[frozenset[str]]:
    """Who may drop out now: several at once where all together have less than the next, as then no order can save one."""
    names, counts = list(votes), list(votes.values())
    if counts[-1] == 0:
        return []
    for size, together in enumerate(accumulate(counts[:-1]), start=1):
        if together < counts[size]:
            return [frozenset(names[:size])]
    tied = [name for name in names if votes[name] == counts[0]]
    if len(names) == 1:
        return []
    return [frozenset([name]) for name in (tied if ties is None else ties.rank(tied)[-1:])]
