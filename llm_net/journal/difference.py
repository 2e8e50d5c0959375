"""How two runs differ: the messages of both side by side, from the first on that only one has, or has otherwise.

Two messages have the same place if both began their run, or if steps with the same place sent them at the same position: so
agents that happened to be quicker in one of the runs make no difference. Knows messages, no journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from llm_net.journal.said import Said
from llm_net.record import Fact, Sent

Pair: TypeAlias = tuple[Said | None, Said | None]
"""What both runs have at one place; None for one that has nothing there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs, compared; `str(difference)` is for people.

    Args:
        shared: how many facts both have because one was forked from the other, or both from a third.
        same: how many messages are the same in both, those included.
        pairs: what is not, in order.
    """

    left: str
    right: str
    shared: int
    same: int
    pairs: Sequence[Pair]

    @property
    def first(self) -> Pair | None:
        """The first difference."""
        return self.pairs[0] if self.pairs else None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.same} messages are the same, {len(self.pairs)} are not"
        for left, right in self.pairs:
            yield f"- {left}" if left else "-"
            yield f"+ {right}" if right else "+"


class Places:
    """Gives the deliveries of runs their places: the same number to those with the same place."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], int] = {}
        self._unknown = 0

    async def of(self, facts: AsyncIterator[Fact]) -> dict[int, Sent]:
        """The deliveries of one run by their places, in order."""
        placed: dict[int, Sent] = {}
        places = {0: 0}  # of deliveries, by their numbers; 0 is the outside
        posts: Counter[int] = Counter()
        async for fact in facts:
            if not isinstance(fact, Sent):
                continue
            if not fact.edited:
                if fact.step not in places:  # its beginning was forgotten: there is nothing like it
                    self._unknown -= 1
                    places[fact.step] = self._unknown
                posts[fact.step] += 1
                key = places[fact.step], posts[fact.step]
                places[fact.number] = self._places.setdefault(key, len(self._places) + 1)
            placed[places[fact.number]] = fact
        return placed


def says_the_same(left: Said, right: Said) -> bool:
    """Whether two messages differ in nothing but their ids and times."""
    return _said(left) == _said(right)


def _said(message: Said) -> tuple[object, ...]:
    sent = message.sent
    content: dict[str, JsonValue] = {
        name: value
        for name, value in message.fields.items()
        if name not in ("id", "created_at", "conversation", "reply_to")
    }
    return sent.kind, sent.method, sent.sender, sent.receiver, sent.event, sent.waits, content


def side_by_side(left: Mapping[int, Said], right: Mapping[int, Said]) -> Iterator[Pair]:
    """The messages of two runs by their places: in the order of the left, with those that only the right has between."""
    others = iter(right.items())
    passed: set[int] = set()
    for place, message in left.items():
        if place in right and place not in passed:
            for other, theirs in others:
                passed.add(other)
                if other == place:
                    break
                if other not in left:
                    yield None, theirs
        yield message, right.get(place)
    for other, theirs in others:
        if other not in left:
            yield None, theirs
