"""What live agents were before a recorded run changed them, for as long as they live. Knows neither records nor why it is asked.

A run that stopped amidst a step leaves what that step had changed in the objects. Whoever goes on with the same objects takes it
back first: to the record only what ended counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from weakref import ref

from llm_net.base import GenAgent
from llm_net.runtime.members import Roll

T = TypeVar("T")


@dataclass(slots=True)
class Before(Generic[T]):
    """Something about one agent as it was when a run first met it.

    Args:
        runs: that run, and those that began with the same.
        lived: whether another run had changed it by then.
    """

    agent: ref[GenAgent]
    what: T
    runs: set[str]
    lived: bool = False


class Memory(Generic[T]):
    """Remembers one thing of each agent, by the object and not by its id: two agents may have one id."""

    def __init__(self, same: Callable[[T, T], bool]) -> None:
        self._same = same
        self._known: dict[int, Before[T]] = {}

    def of(self, agent: GenAgent) -> Before[T] | None:
        """What an agent was, if any run met it."""
        return self._known.get(id(agent))

    def remember(self, agent: GenAgent, run: str, what: T) -> None:
        """A run meets an agent; if it knows it already, what it was then stays."""
        known = self._known.get(id(agent))
        if known is not None and run in known.runs:
            return
        lived = known is not None and (known.lived or not self._same(known.what, what))
        forget = partial(self._known.pop, id(agent), None)
        self._known[id(agent)] = Before(ref(agent, lambda _: forget()), what, {run}, lived)


def is_same_roll(one: Roll, other: Roll) -> bool:
    """Whether they say the same of the very same objects."""
    return [*map(id, one.agents.values())] == [*map(id, other.agents.values())] and [*one.links] == [*other.links]


FIELDS: Memory[Mapping[str, bytes]] = Memory(lambda one, other: one == other)
"""The JSON of the stored fields of agents."""

ROLLS: Memory[Roll] = Memory(is_same_roll)
"""The members and links of networks."""
