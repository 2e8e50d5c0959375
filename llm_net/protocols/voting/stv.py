"""The single transferable vote: seats for groups by their size, whatever the groups are. Knows rankings, not parties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Ranking, Weight, cast

Piles: TypeAlias = Mapping[tuple[Ranking, str], Fraction]
"""What each ballot is worth at the candidate who holds it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a count.

    Args:
        votes: of all who stand, and of the elected what they have not yet handed on, before the step.
        elected: who reached the quota, or took a seat that was left, at this stage.
        surplus: whose votes above the quota went on.
        excluded: who dropped out.
    """

    votes: Mapping[str, Fraction] = field(hash=False)
    elected: tuple[str, ...] = ()
    surplus: str | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """The end of a count.

    Args:
        committees: every set of winners that ties allow, each in the order of the list of candidates.
        quota: how many votes made sure of a seat.
        stages: how the first of the committees came about.
    """

    committees: tuple[tuple[str, ...], ...]
    quota: int
    stages: tuple[Stage, ...]

    @property
    def tied(self) -> bool:
        """Whether the ballots leave open who is elected."""
        return len(self.committees) > 1


@dataclass(frozen=True, slots=True)
class _State:
    standing: tuple[str, ...]
    seated: frozenset[str]
    piles: frozenset[tuple[tuple[Ranking, str], Fraction]]


def droop(votes: Weight, seats: int) -> int:
    """The least whole number of votes that only `seats` candidates can reach.

    Source: Droop 1881, On methods of electing representatives.
    """
    return int(votes // (seats + 1)) + 1


def stv(
    candidates: Sequence[str],
    ballots: Iterable[Ranking],
    *,
    seats: int,
    ties: TieRule | None = None,
    most: int = 20_000,
) -> Count:
    """Fills seats: who reaches the quota is elected and hands on the surplus, else the last drops out and hands on all.

    Surpluses go before exclusions, the largest first, and every ballot of the elected goes on at the same part of its
    worth (weighted inclusive Gregory), exactly, without rounding. What has nowhere to go is lost. Equals share a
    ballot's worth. A group that holds k quotas of ballots and ranks its own above all others gets k seats (Droop
    proportionality for solid coalitions), as long as no ballot has equals; weights should be whole numbers.

    Args:
        candidates: who stands.
        ballots: rankings.
        seats: at least 1; where fewer stand, all are elected.
        ties: of several with the largest surplus the first by this rule hands it on, of several with the fewest votes
            the last drops out. Without it every choice is followed, and all committees are named.
        most: how many states of the count to look at.

    Raises:
        ValueError: `seats` is below 1, or ties lead to more than `most` states.

    Source: the Scottish Local Government Elections Order 2007, schedule 1, rules 45 to 52 (which round to five places
    and break ties by earlier stages); Woodall 1994, Properties of preferential election rules (proportionality).
    """
    if seats < 1:
        raise ValueError(f"an election for {seats} seats elects nobody; fill at least 1")
    counted = cast(candidates, ballots)
    quota = droop(sum(ballot.weight for ballot in counted), seats)
    worth: dict[tuple[Ranking, str], Fraction] = {}
    for ballot in counted:
        _deal(worth, Ranking(ballot.ranks), Fraction(ballot.weight), frozenset(candidates))
    start = _State(tuple(candidates), frozenset(), frozenset(worth.items()))
    committees: dict[tuple[str, ...], tuple[Stage, ...]] = {}
    seen = {start}
    waiting: list[tuple[_State, tuple[Stage, ...]]] = [(start, ())]
    while waiting:
        state, before = waiting.pop()
        for stage, after in reversed(list(_steps(state, quota, seats, ties))):
            if not after.standing:
                committee = tuple(name for name in candidates if name in after.seated)
                committees.setdefault(committee, (*before, stage))
            elif after not in seen:
                seen.add(after)
                waiting.append((after, (*before, stage)))
        if len(seen) > most:
            raise ValueError(f"ties lead to more than {most} states of the count; give a rule for ties")
    ordered = sorted(committees, key=lambda committee: [candidates.index(name) for name in committee])
    return Count(tuple(ordered), quota, committees[ordered[0]])


def _steps(state: _State, quota: int, seats: int, ties: TieRule | None) -> Iterator[tuple[Stage, _State]]:
    """What may happen next; several things only where candidates tie."""
    piles = dict(state.piles)
    votes = dict.fromkeys((*state.standing, *sorted(state.seated)), Fraction(0))
    for (_, holder), worth in piles.items():
        votes[holder] += worth
    elected = tuple(name for name in state.standing if votes[name] >= quota)
    standing = tuple(name for name in state.standing if name not in elected)
    seated = state.seated.union(elected)
    if len(seated) == seats or len(seated) + len(standing) <= seats:
        taken = elected if len(seated) == seats else elected + standing
        yield Stage(votes, taken), _State((), seated.union(taken), frozenset())
        return
    surpluses = {name: votes[name] - quota for name in sorted(seated) if votes[name] > quota}
    if surpluses:
        largest = [name for name in surpluses if surpluses[name] == max(surpluses.values())]
        for name in largest if ties is None else ties.rank(largest)[:1]:
            after = _hand_on(piles, (name,), surpluses[name] / votes[name], standing)
            yield Stage(votes, elected, surplus=name), _State(standing, seated, after)
        return
    for names in _last(votes, standing, seats - len(seated), ties):
        left = tuple(name for name in standing if name not in names)
        yield Stage(votes, elected, excluded=names), _State(left, seated, _hand_on(piles, names, Fraction(1), left))


def _last(
    votes: Mapping[str, Fraction], standing: tuple[str, ...], open_seats: int, ties: TieRule | None
) -> list[tuple[str, ...]]:
    """Who may drop out: all who have no vote at once where that leaves enough, as they hand on nothing."""
    without = tuple(name for name in standing if not votes[name])
    if without and len(standing) - len(without) >= open_seats:
        return [without]
    fewest = [name for name in standing if votes[name] == min(votes[other] for other in standing)]
    return [(name,) for name in (fewest if ties is None else ties.rank(fewest)[-1:])]


def _hand_on(
    piles: Piles, holders: tuple[str, ...], part: Fraction, standing: tuple[str, ...]
) -> frozenset[tuple[tuple[Ranking, str], Fraction]]:
    """The piles after these gave away their ballots, at a part of their worth."""
    after = {pile: worth for pile, worth in piles.items() if pile[1] not in holders}
    for (ballot, holder), worth in piles.items():
        if holder in holders:
            _deal(after, ballot, worth * part, frozenset(standing))
    return frozenset(after.items())


def _deal(piles: dict[tuple[Ranking, str], Fraction], ballot: Ranking, worth: Fraction, among: frozenset[str]) -> None:
    best = ballot.best(among)
    for name in best:
        piles[ballot, name] = piles.get((ballot, name), Fraction(0)) + worth / len(best)
