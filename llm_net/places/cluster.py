"""Agents on the nodes of a cluster. Knows who is there and who has the lease of a run, not what is said."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from asyncio import Future, Task
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from llm_net.carriers.links import Exchange
from llm_net.errors import CarrierFailed, NodeLost, PlaceUnavailable
from llm_net.message import unique_id
from llm_net.places.elsewhere import Elsewhere
from llm_net.ports import Carrier, Clock, Hosts, Link
from llm_net.runtime.home import Share
from llm_net.runtime.node import Node

LEASE_SECONDS = 12.0
"""For which the home of a run has it, unless somebody says otherwise: longer than the servers of a cluster take to choose who leads
them (up to 7.5 s, measured), after which it is renewed."""

PATIENCE = 10.0
"""Seconds in which a node must be there when a run begins, or when one was lost."""

GONE = 7.0
"""Seconds after which nobody sees a process any more that was killed."""

LATE = 4.0
"""Seconds that a lease which ran out may take to be free: servers count whole ones, and may be choosing who leads them."""

LONGEST_WORD = 120
"""Bytes that a process says about itself, under each name."""


def carrier_at(url: str, *, space: str = "default") -> Carrier:
    """The carrier that a URL means: `nats://…`, or `postgresql://…`.

    Args:
        space: nodes of one space see each other.
    """
    scheme = url.partition("://")[0]
    if scheme in ("nats", "tls"):
        from llm_net.carriers.nats import NatsCarrier

        return NatsCarrier(url, space=space, replicas=3 if url.count(",") >= 2 else 1)
    if scheme in ("postgresql", "postgres") or "dbname=" in url:
        from llm_net.carriers.postgres import PostgresCarrier

        return PostgresCarrier(url, schema="llm_net_carrier" if space == "default" else f"llm_net_carrier_{space}")
    raise PlaceUnavailable(f"no cluster at {url!r}: give nats://host:4222, or postgresql://host/database")


def user_in(url: str) -> str:
    """The user in a nats:// URL, "" if there is none: the name that a server which knows users lets it have."""
    found = re.match(r"(?:nats|tls)://([^:@/,]+)(?::[^@/,]*)?@", url)
    return found[1] if found else ""


class Cluster(Elsewhere):
    """Agents on the nodes of a cluster, which `llm-net node` starts: `network.run(root, runtime=Cluster("nats://…"))`.

    The process that enters the run is its home; with a journal, what a node was doing when it was lost goes on at another.

    Args:
        at: the URL of the servers, or what makes a carrier: a new one for each run.
        space: nodes of one space see each other.
        agents: the addresses of those that shall live on nodes, networks for all inside; None for all that can.
        nodes: the names of the nodes to use; None for all that are there.
        name: of this process among the nodes; None for the user in a nats:// URL, whom servers may let speak under that
            name only, else for one made by chance.
        silent: seconds of silence after which a node is given up.
        lease: seconds after which another process may go on with the run if this one is not heard of; up to
            two more, because servers count whole ones.
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
        lease: float = LEASE_SECONDS,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make: Callable[[], Carrier] = partial(carrier_at, at, space=space) if isinstance(at, str) else at
        self._agents = None if agents is None else list(agents)
        self._nodes = None if nodes is None else frozenset(nodes)
        self._name = name or (user_in(at) if isinstance(at, str) else "")
        self._silent, self._lease = silent, lease
        super().__init__(lambda: [Share(self.hosts(), self._agents)], seed=seed, clock=clock)

    def hosts(self) -> Hosts:
        """The nodes, for one run."""
        name = self._name or f"home-{unique_id()}"
        return _Members(self._make, name, self._nodes, silent=self._silent, lease=self._lease)


class _Members:
    """The hosts of a Home: the nodes that are there."""

    imports = False

    def __init__(
        self,
        make: Callable[[], Carrier],
        name: str,
        wanted: frozenset[str] | None,
        *,
        silent: float,
        lease: float,
    ) -> None:
        self._make = make
        self._name = name
        self._wanted = wanted
        self._silent, self._seconds = silent, lease
        self._all: frozenset[str] = frozenset()  # who is there, nodes or not
        self._there: frozenset[str] = frozenset()
        self._linked: dict[str, Link] = {}
        self._inviting: set[str] = set()
        self._waiting: list[Future[None]] = []
        self._tasks: set[Task[None]] = set()
        self._over = False

    async def open(
        self, run: str, network: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        about = said_of(role="home", run=run, network=network)
        self._exchange = Exchange(self._make(), self._name, silent=self._silent, about=about)
        try:
            await self._exchange.join()
            self._go(self._watch(lost))
            self._go(self._keep(f"run.{run}", await self._first_lease(f"run.{run}"), lost))
            links = await self._some(frozenset())
        except BaseException:
            await self.release(())
            raise
        self._go(self._welcome(joined))
        return links

    async def replace(self, lost: Link) -> Link | None:
        if self._linked:
            return None  # its agents go to those that are left; `joined` tells of those who come
        return (await self._some(frozenset({lost.far})))[0]

    def gone(self, link: Link) -> None:
        if self._linked.get(link.far) is link:
            del self._linked[link.far]
            self._wake()

    async def release(self, links: Iterable[Link]) -> None:
        self._over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._exchange.aclose()

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------------------------------------ who is there

    async def _watch(self, lost: Callable[[Exception], None]) -> None:
        async for there in self._exchange.carrier.watch():
            nodes = {member.name for member in members_of(there) if member.said.get("role") == "node"}
            self._all = frozenset(there)
            self._there = frozenset(nodes if self._wanted is None else nodes & self._wanted)
            self._wake()
        if not self._over:
            lost(CarrierFailed("the cluster", f"somebody else has taken the name {self._name!r}"))

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _change(self) -> None:
        """Wait until somebody comes or goes."""
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def _some(self, last: frozenset[str]) -> Sequence[Link]:
        """Links to the nodes that are there, one at least; to those in `last` only if there are no others."""
        tried = False
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    nodes = sorted(self._there - last) or sorted(self._there)
                    if links := await self._those_who_answer(nodes):
                        return links
                    if nodes:
                        tried = True
                        await asyncio.sleep(0.2)  # they are said to be there, and do not answer
                    else:
                        await self._change()
        problem = "no node answers" if tried else "no node is there"
        raise CarrierFailed("the cluster", f"{problem}; start one with `llm-net node`")

    async def _those_who_answer(self, nodes: Sequence[str]) -> Sequence[Link]:
        """Links to nodes; once one is there, the others have a second: some may have been killed a moment ago."""
        opening = [asyncio.get_running_loop().create_task(self._open(node)) for node in nodes]
        waiting = set(opening)
        while waiting and not any(task.done() and task.result() is not None for task in opening):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=1.0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return [link for task in opening if task not in waiting and (link := task.result()) is not None]

    async def _open(self, node: str) -> Link | None:
        with suppress(NodeLost):
            link = self._linked[node] = await self._exchange.open(node)
            return link
        return None

    async def _welcome(self, joined: Callable[[Link], None]) -> None:
        """Open links to nodes that come later."""
        while True:
            for node in sorted(self._there - self._linked.keys() - self._inviting):
                self._inviting.add(node)
                self._go(self._invite(node, joined))
            await self._change()

    async def _invite(self, node: str, joined: Callable[[Link], None]) -> None:
        while node in self._there and node not in self._linked:
            if (link := await self._open(node)) is not None:
                joined(link)
            else:
                await asyncio.sleep(1.0)  # it is said to be there, and does not answer
        self._inviting.discard(node)

    # ------------------------------------------------------------------------------------------ the lease

    async def _first_lease(self, name: str) -> float:
        """Take it, as soon as a home that was killed has it no more."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            lease = await self._exchange.carrier.lease(name, seconds=self._seconds)
            if lease.holder == self._name:
                return lease.until
            if clock() > began + (GONE if lease.holder in self._all else self._seconds + LATE):
                raise _elsewhere(lease.holder)
            await asyncio.sleep(0.25)

    async def _keep(self, name: str, until: float, lost: Callable[[Exception], None]) -> None:
        """Renew the lease of a run. Who cannot is its home no more: another may be already."""
        clock = asyncio.get_running_loop().time
        pause = self._seconds / 4
        while True:
            try:
                await asyncio.sleep(pause)
            except asyncio.CancelledError:
                with suppress(CarrierFailed):
                    await self._exchange.carrier.lease(name, seconds=0)
                raise
            try:
                lease = await self._exchange.carrier.lease(name, seconds=self._seconds)
            except CarrierFailed as failed:
                if clock() > until:
                    lost(failed)
                    return
                pause = self._seconds / 20
            else:
                if lease.holder != self._name:
                    lost(_elsewhere(lease.holder))
                    return
                until, pause = lease.until, self._seconds / 4


def _elsewhere(holder: str) -> PlaceUnavailable:
    return PlaceUnavailable(f"the run is at home at {holder!r}; it can go on here when that is gone")


# ---------------------------------------------------------------------------------------------- what is said about oneself


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a cluster: a node, or the home of a run.

    Args:
        said: what it says about itself: role ("node" or "home"), pid, host, since; a node its file; a home its run and network.
    """

    name: str
    said: Mapping[str, str]


def said_of(**more: str) -> bytes:
    """What this process says about itself."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    said = {**more, "pid": str(os.getpid()), "host": socket.gethostname(), "since": since}
    short = {name: word.encode()[:LONGEST_WORD].decode(errors="ignore") for name, word in said.items()}
    return json.dumps(short, ensure_ascii=False).encode()


def members_of(there: Mapping[str, bytes]) -> list[Member]:
    """The nodes and homes among those who are there, by name."""
    found: list[Member] = []
    for name, about in sorted(there.items()):
        try:
            said = json.loads(about)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("role") in ("node", "home"):
            found.append(Member(name, {str(key): str(word) for key, word in said.items()}))
    return found


async def members(carrier: Carrier, name: str) -> Sequence[Member]:
    """Who is in a cluster now.

    Args:
        carrier: not yet joined.
        name: under which this process looks.

    Raises:
        CarrierFailed: it cannot be reached, or another has that name.
    """
    try:
        await carrier.join(name, lambda sender, data: None)
        async for there in carrier.watch():
            return members_of(there)
        return []
    finally:
        await carrier.aclose()


# ---------------------------------------------------------------------------------------------- a node


@dataclass(frozen=True, slots=True)
class Visit:
    """A run that has agents on a node."""

    run: str
    home: str


def _nobody(visit: Visit) -> None:
    """Nobody is told."""


@asynccontextmanager
async def node(
    carrier: Carrier,
    name: str,
    *,
    silent: float = 10.0,
    about: Mapping[str, str] = {},
    came: Callable[[Visit], None] = _nobody,
    went: Callable[[Visit], None] = _nobody,
) -> AsyncIterator[Exchange]:
    """Be a node of a cluster: have agents of the classes that this process has defined live here, until the block is left.
    Then its agents move to other nodes, for which they have ten seconds.

    Args:
        carrier: not yet joined.
        name: letters, digits, "-" and "_".
        silent: seconds of silence after which the home of a run is given up.
        about: what `llm-net cluster status` tells of it.
        came, went: are told of each run that has agents here, when it comes and when it is over.

    Raises:
        CarrierFailed: it cannot be reached, or another has that name.
    """
    nodes: list[Node] = []
    hosting: set[Task[None]] = set()

    def accept(link: Link) -> None:
        nodes[:] = [one for one in nodes if not one.over.is_set()]
        nodes.append(one := Node(link, imports=None))
        hosting.add(task := asyncio.get_running_loop().create_task(host(one)))
        task.add_done_callback(hosting.discard)

    async def host(one: Node) -> None:
        await one.opened.wait()
        if one.run:
            visit = Visit(one.run, one.link.far)
            came(visit)
            await one.over.wait()
            went(visit)

    said = said_of(**about, role="node")
    async with Exchange(carrier, name, accept=accept, about=said, silent=silent) as exchange:
        try:
            yield exchange
        finally:
            exchange.accept_no_more()
            for one in nodes:
                one.leave()
            for one in nodes:
                await one.over.wait()
            await asyncio.gather(*hosting)
