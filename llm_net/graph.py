"""Who listens to whom. Knows nothing of mailboxes, runtimes or messages' contents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from llm_net.address import AbstractObject
from llm_net.errors import DuplicateAddress

A = TypeVar("A", bound=AbstractObject)

ANY_EVENT = "*"

ITSELF = "."
"""The address of a network in its own links."""


@dataclass(frozen=True, slots=True)
class Link:
    """A standing wish: `listener` hears each `event` that `source` emits; event "*" is every event."""

    source: str
    event: str
    listener: str


class Graph(Generic[A]):
    """The members of one network by id, and its links. Changes are told to the watchers at once, with an agent that is new;
    those who are to be told before a change are in `wary`."""

    __slots__ = ("_links", "_listeners", "members", "networks", "periodic", "wary", "watchers")

    def __init__(self) -> None:
        self.members: dict[str, A] = {}
        self.networks: dict[str, A] = {}  # those members that are networks
        self.periodic: dict[str, A] = {}  # those members that have periodic handlers
        self._links: dict[Link, None] = {}
        self._listeners: dict[tuple[str, str], dict[str, None]] = {}
        self.watchers: dict[object, Callable[[A | None], None]] = {}
        self.wary: dict[object, Callable[[], None]] = {}

    @property
    def links(self) -> Collection[Link]:
        """All links in the order they were made; a live view."""
        return self._links.keys()

    def add(self, agent: A, network: str) -> None:
        """Add a member. Raises DuplicateAddress if its id is taken."""
        if self.wary:
            self._changing()
        if self.members.setdefault(agent.id, agent) is not agent:
            raise DuplicateAddress(network, agent.id)
        if self.watchers:
            self._changed(agent)

    def remove(self, id: str) -> A:
        """Remove a member and its links. Raises KeyError if there is none."""
        self._changing()
        agent = self.members.pop(id)
        self.networks.pop(id, None)
        self.periodic.pop(id, None)
        for link in [link for link in self._links if id in (_member(link.source), _member(link.listener))]:
            self.unlink(link)
        self._changed()
        return agent

    def link(self, link: Link) -> None:
        """Add a link; one that exists already stays as it is."""
        self._changing()
        self._links[link] = None
        self._listeners.setdefault((link.source, link.event), {})[link.listener] = None
        self._changed()

    def unlink(self, link: Link) -> None:
        """Remove a link. Raises KeyError if there is none."""
        self._changing()
        del self._links[link]
        heard = self._listeners[link.source, link.event]
        del heard[link.listener]
        if not heard:
            del self._listeners[link.source, link.event]
        self._changed()

    def listeners(self, source: str, event: str) -> Iterator[str]:
        """Who hears this event of this source, each once, in the order the links were made."""
        exact = self._listeners.get((source, event), {})
        yield from exact
        if event != ANY_EVENT:
            yield from (id for id in self._listeners.get((source, ANY_EVENT), ()) if id not in exact)

    def _changing(self) -> None:
        for told in list(self.wary.values()):
            told()

    def _changed(self, added: A | None = None) -> None:
        for told in list(self.watchers.values()):
            told(added)


def _member(address: str) -> str:
    return address.partition("/")[0]
