"""Where in the nesting of networks something happens, and the way from there to any agent. Knows no messages' contents."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from llm_net.address import AbstractObject, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import DeliveryError, UnknownAddress
from llm_net.graph import ITSELF
from llm_net.ports import Monitor
from llm_net.runtime.cell import Cell


@dataclass(slots=True)
class Route:
    """The way to an agent: its cell, and the place in which it handles what comes this way. (Frozen, it would cost 1 µs.)"""

    agent: AbstractObject
    cell: Cell
    place: Place


class Place:
    """A network as seen on one path from the outermost one: the same network may be at several places.

    Ways once found are kept until any network of the run changes, so a message costs the same at every size and depth.
    """

    __slots__ = ("_cell_of", "_inner", "_listeners", "_resumed", "monitors", "network", "parent", "path", "routes")

    def __init__(
        self,
        network: GenNetwork | None,
        parent: Place | None,
        path: str,
        cell_of: Callable[[GenAgent], Cell],
        *,
        resumed: bool = False,
    ) -> None:
        self.network = network  # None: a single agent is run, everybody else is outside
        self.parent = parent
        self.path = path  # "" outermost, else ends with "/"
        self._cell_of = cell_of
        self._resumed = resumed
        # Who watches what is said here: the nearest network's first.
        self.monitors: tuple[Monitor, ...] = () if parent is None else parent.monitors
        if network is not None and (monitor := network.monitor(resumed=resumed)) is not None:
            self.monitors = (monitor, *self.monitors)
        self._inner: dict[int, Place] = {}
        self.routes: dict[int | str, Route] = {}
        self._listeners: dict[tuple[str, str], tuple[Route, ...]] = {}

    def forget(self) -> None:
        """The network changed: find every way anew."""
        self.routes.clear()
        self._listeners.clear()
        for inner in self._inner.values():
            inner.forget()

    def inner(self, network: GenNetwork) -> Place:
        """The place of a network that is a member here."""
        place = self._inner.get(id(network))
        if place is None or place.network is not network:
            place = self._inner[id(network)] = Place(
                network, self, f"{self.path}{network.id}/", self._cell_of, resumed=self._resumed
            )
        return place

    def route(self, receiver: AbstractObject) -> Route:
        """The way to a receiver: a live agent, or a reference by id or path.

        A member of this network comes first, then one of the networks around, then whoever alone has that id anywhere.

        Raises:
            UnknownAddress, AmbiguousAddress: it cannot be found.
        """
        key: int | str = receiver.id if isinstance(receiver, Reference) else id(receiver)
        route = self.routes.get(key)
        if route is None or (route.agent is not receiver and isinstance(key, int)):
            route = self.routes[key] = self._find(receiver)
        return route

    def watchers(self, receiver: AbstractObject | None) -> tuple[Monitor, ...]:
        """Who watches what is said from here to a receiver: the monitors of the networks that both are in."""
        if receiver is None:
            return self.monitors
        try:
            there = self.route(receiver).place.path
        except DeliveryError:  # it is outside, or nowhere
            return self.monitors
        at = self
        while not there.startswith(at.path) and at.parent is not None:
            at = at.parent
        return at.monitors

    def address(self, agent: AbstractObject) -> str:
        """The address of an agent that handles something here."""
        return self.path[:-1] or agent.id if agent is self.network else self.path + agent.id

    def listeners(self, source: str, event: str) -> tuple[Route, ...]:
        """Who hears this event of a source, given as its path from this network (`ITSELF` for the network)."""
        key = (source, event)
        found = self._listeners.get(key)
        if found is None:
            found = self._listeners[key] = tuple(self._find_listeners(source, event))
        return found

    # ------------------------------------------------------------------------------------------ inside

    def _find_listeners(self, source: str, event: str) -> list[Route]:
        assert self.network is not None
        ids = dict.fromkeys(self.network._graph.listeners(source, event))
        while "/" in source:  # an inner agent is heard under its own path and as each network around it
            source = source.rpartition("/")[0]
            ids.update(dict.fromkeys(self.network._graph.listeners(source, event)))
        routes: list[Route] = []
        for id in ids:
            with suppress(UnknownAddress):  # it left a network inside of this one, which has its links
                routes.append(self._route_to(self.network, self) if id == ITSELF else self.route_along(id))
        return routes

    def _find(self, receiver: AbstractObject) -> Route:
        if isinstance(receiver, Reference):
            return self._by_address(receiver.id)
        place: Place | None = self
        while place is not None and place.network is not None:
            if place.network._graph.members.get(receiver.id) is receiver:
                return place._enter(receiver)
            if place.network is receiver:
                return self._route_to(receiver, place)
            place = place.parent
        outermost = self._outermost()
        if outermost.network is not None:
            for path, agent in outermost.network.walk():
                if agent is receiver:
                    return outermost.route_along(path)
        raise UnknownAddress(receiver.id, outermost.network.id if outermost.network is not None else "", ())

    def _by_address(self, address: str) -> Route:
        outermost = self._outermost()
        if outermost.network is None:
            raise UnknownAddress(address, "")
        place: Place | None = self
        first = address.partition("/")[0]
        while place is not None and place.network is not None:
            if first in place.network._graph.members:
                return place.route_along(address)
            if place.network.id == address:
                return self._route_to(place.network, place)
            place = place.parent
        return outermost.route_along(outermost.network.find(address)[0])

    def route_along(self, path: str) -> Route:
        """The way along a path of members from here. Raises UnknownAddress."""
        assert self.network is not None
        first, slash, rest = path.partition("/")
        member = self.network._graph.members.get(first)
        if member is None or (slash and not isinstance(member, GenNetwork)):
            raise self.network._unknown(path)
        if slash:
            assert isinstance(member, GenNetwork)
            return self.inner(member).route_along(rest)
        return self._enter(member)

    def _enter(self, agent: AbstractObject) -> Route:
        assert self.network is not None
        network = self.network._graph.networks.get(agent.id)
        return self._route_to(agent, self if network is None else self.inner(cast(GenNetwork, network)))

    def _route_to(self, agent: AbstractObject, place: Place) -> Route:
        return Route(agent, self._cell_of(cast(GenAgent, agent)), place)  # only those are members

    def _outermost(self) -> Place:
        place = self
        while place.parent is not None:
            place = place.parent
        return place
