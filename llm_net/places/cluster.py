"""Agents on the nodes of a cluster. Knows who is there and who has the lease of a run, not what is said."""

from __future__ import annotations

import asyncio
import json
from asyncio import Task
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from llm_net.address import AbstractObject
from llm_net.carriers.links import Exchange
from llm_net.errors import CarrierFailed, NodeLost, PlaceUnavailable
from llm_net.limits import Limits
from llm_net.message import Message, unique_id
from llm_net.ports import Carrier, Clock, Hosts, Journal, Link, Observer, Past
from llm_net.runtime.home import Home, Share
from llm_net.runtime.local import LocalRuntime
from llm_net.runtime.node import Node
from llm_net.runtime.run import LocalRun

LEASE_SECONDS = 10.0
"""For which the home of a run has it; it is renewed long before."""

PATIENCE = 10.0
"""Seconds in which a node must be there when a run begins, or when one was lost."""

_NODE = {"role": "node"}


def carrier_at(url: str, *, space: str = "default") -> Carrier:
    """The carrier that a URL means: `nats://…`, or `postgresql://…`.

    Args:
        space: nodes of one space see each other.
    """
    scheme = url.partition("://")[0]
    if scheme in ("nats", "tls"):
        from llm_net.carriers.nats import NatsCarrier

        return NatsCarrier(url, space=space)
    if scheme in ("postgresql", "postgres") or "dbname=" in url:
        from llm_net.carriers.postgres import PostgresCarrier

        return PostgresCarrier(url, schema="llm_net_carrier" if space == "default" else f"llm_net_carrier_{space}")
    raise PlaceUnavailable(f"no cluster at {url!r}: give nats://host:4222, or postgresql://host/database")


class Cluster:
    """Agents on the nodes of a cluster, which `llm-net node` starts: `network.run(root, runtime=Cluster("nats://…"))`.

    The process that enters the run is its home; with a journal, what a node was doing when it was lost goes on at another.

    Args:
        at: the URL of the servers, or what makes a carrier: a new one for each run.
        space: nodes of one space see each other.
        agents: the addresses of those that shall live on nodes, networks for all inside; None for all that can.
        nodes: the names of the nodes to use; None for all that are there.
        name: of this process among the nodes; None for one made by chance.
        silent: seconds of silence after which a node is given up.
        seed, clock: as for `LocalRuntime`.
    """

    def __init__(
        self,
        at: str | Callable[[], Carrier],
        *,
        space: str = "default",
        agents: Iterable[str] | None = None,
        nodes: Iterable[str] | None = None,
        name: str | None = None,
        silent: float = 10.0,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make: Callable[[], Carrier] = partial(carrier_at, at, space=space) if isinstance(at, str) else at
        self._agents = None if agents is None else list(agents)
        self._nodes = None if nodes is None else frozenset(nodes)
        self._name = name
        self._silent = silent
        self._local = LocalRuntime(seed=seed, clock=clock)

    def run(
        self,
        network: AbstractObject,
        root: Message | None,
        *,
        limits: Limits,
        observers: Sequence[Observer],
        journal: Journal | None = None,
        past: Past | None = None,
    ) -> LocalRun:
        """Prepare a run; nothing starts before it is entered."""
        home = None if past is not None and past.replay else Home(Share(self.hosts(), self._agents))
        return self._local.run(network, root, limits=limits, observers=observers, journal=journal, past=past, away=home)

    def hosts(self) -> Hosts:
        """The nodes, for one run."""
        name = self._name or f"home-{unique_id()}"
        return _Members(Exchange(self._make(), name, silent=self._silent), self._nodes)


class _Members:
    """The hosts of a Home: the nodes that are there."""

    imports = False

    def __init__(self, exchange: Exchange, wanted: frozenset[str] | None) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._there: frozenset[str] = frozenset()
        self._changed = asyncio.Condition()
        self._tasks: list[Task[None]] = []
        self._linked: dict[str, Link] = {}

    async def open(
        self, run: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        await self._exchange.join()
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._keep(f"run.{run}", await self._lease(f"run.{run}"), lost)))
        self._tasks.append(loop.create_task(self._watch()))
        there = await self._wait_for(lambda: self._there)
        links = [link for link in [await self._open(node) for node in sorted(there)] if link is not None]
        if not links:
            raise CarrierFailed("the cluster", "no node answers")
        self._tasks.append(loop.create_task(self._welcome(joined)))
        return links

    async def replace(self, lost: Link) -> Link | None:
        self._linked.pop(lost.far, None)
        if self._linked:
            return None  # its agents go to those that are left; `joined` tells of those who come
        while True:
            there = await self._wait_for(lambda: self._there - {lost.far} or self._there)
            for node in sorted(there):
                if (link := await self._open(node)) is not None:
                    return link

    async def release(self, links: Iterable[Link]) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.aclose()

    async def _open(self, node: str) -> Link | None:
        with suppress(NodeLost):
            link = self._linked[node] = await self._exchange.open(node)
            return link
        return None

    async def _watch(self) -> None:
        async for there in self._exchange.carrier.watch():
            async with self._changed:
                nodes = {name for name, about in there.items() if _is_node(about)}
                self._there = frozenset(nodes if self._wanted is None else nodes & self._wanted)
                self._changed.notify_all()

    async def _wait_for(self, nodes: Callable[[], frozenset[str]]) -> frozenset[str]:
        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(nodes)
        except TimeoutError:
            raise CarrierFailed("the cluster", "no node is there; start one with `llm-net node`") from None
        return nodes()

    async def _welcome(self, joined: Callable[[Link], None]) -> None:
        """Open links to nodes that come later."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._there - self._linked.keys())
                new = sorted(self._there - self._linked.keys())
            for node in new:
                if (link := await self._open(node)) is not None:
                    joined(link)
            if not any(node in self._linked for node in new):
                await asyncio.sleep(1.0)  # they are said to be there, and do not answer

    # ------------------------------------------------------------------------------------------ the lease

    async def _lease(self, name: str) -> float:
        lease = await self._exchange.carrier.lease(name, seconds=LEASE_SECONDS)
        if lease.holder != self._exchange.node:
            raise PlaceUnavailable(f"the run is at home at {lease.holder!r}; it can go on here when that is gone")
        return lease.until

    async def _keep(self, name: str, until: float, lost: Callable[[Exception], None]) -> None:
        """Renew the lease of a run. Who cannot is its home no more: another may be already."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await asyncio.sleep(LEASE_SECONDS / 4)
            except asyncio.CancelledError:
                with suppress(CarrierFailed):
                    await self._exchange.carrier.lease(name, seconds=0)
                raise
            try:
                until = await self._lease(name)
            except CarrierFailed as failed:
                if loop.time() > until:
                    lost(failed)
                    return
            except PlaceUnavailable as elsewhere:
                lost(elsewhere)
                return


def _is_node(about: bytes) -> bool:
    try:
        said = json.loads(about)
    except ValueError:
        return False
    return isinstance(said, Mapping) and said.get("role") == "node"


@asynccontextmanager
async def node(
    carrier: Carrier, name: str, *, silent: float = 10.0, about: Mapping[str, str] = {}
) -> AsyncIterator[Exchange]:
    """Be a node of a cluster: have agents of the classes that this process has defined live here, until the block is left.

    Args:
        carrier: not yet joined.
        name: letters, digits, "-" and "_".
        silent: seconds of silence after which the home of a run is given up.
        about: what `llm-net cluster status` tells of it.

    Raises:
        CarrierFailed: it cannot be reached, or another has that name.
    """
    nodes: list[Node] = []

    def accept(link: Link) -> None:
        nodes[:] = [one for one in nodes if not one.over.is_set()]
        nodes.append(Node(link, imports=None))

    said = json.dumps({**about, **_NODE}).encode()
    async with Exchange(carrier, name, accept=accept, about=said, silent=silent) as exchange:
        try:
            yield exchange
        finally:
            for one in nodes:
                one.leave()
            for one in nodes:
                await one.over.wait()
