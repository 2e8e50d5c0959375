"""Which facts may be written after which: a record without holes. Knows no way of storing."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from llm_net.errors import JournalFailed, UnknownRun
from llm_net.record import Begun, Fact


def check_order(run: str, last: int, facts: Sequence[Fact]) -> None:
    """Facts go on where the run's facts end, at the place after `last`. Raises JournalFailed.

    A write that failed therefore keeps out those after it: what is in a journal is always what a run began with.
    """
    for place, fact in enumerate(facts, last + 1):
        if fact.seq < place:
            raise JournalFailed(
                f"place {fact.seq} of run {run!r} is taken; somebody else goes on with it: let one of the two end"
            )
        if fact.seq > place:
            raise JournalFailed(f"run {run!r} has no fact {place}, so {fact.seq} cannot be kept; resume it")


def first_fact(run: str, facts: Sequence[Fact]) -> Begun:
    """What a new run begins with. Raises UnknownRun if these are facts of a run that was forgotten, or never began."""
    first = facts[0]
    if not isinstance(first, Begun) or first.seq > first.cut + 1:
        raise UnknownRun(run)
    return first


def check_cut(begun: Begun, beginning: int, last: int) -> None:
    """A fork's parent has the fact at which they part, and none before it was forgotten. Raises JournalFailed."""
    if begun.cut > last:
        raise JournalFailed(
            f"run {begun.parent!r} has {last} facts and cannot be forked at {begun.cut}; fork it earlier"
        )
    check_remembered(str(begun.parent), beginning, begun.cut)


def check_remembered(run: str, beginning: int, upto: int) -> None:
    """What a run was at this place is still known. Raises JournalFailed."""
    if upto < beginning:
        raise JournalFailed(
            f"run {run!r} was compacted: what it was at {upto} is forgotten, all from {beginning} on is there; go there"
        )


def check_forks(run: str, forks: Sequence[str]) -> None:
    """Nothing begins with this run. Raises JournalFailed."""
    if forks:
        raise JournalFailed(f"{', '.join(map(repr, forks))} begin with run {run!r}; forget them first")


def unknown(run: str, known: Sequence[str]) -> UnknownRun:
    """There is no such run, but perhaps one that was meant."""
    return UnknownRun(run, tuple(get_close_matches(run, known, n=3)))
