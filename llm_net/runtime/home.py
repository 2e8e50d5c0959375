"""The home of a run whose agents live on other nodes: who lives where, and what the nodes know. Knows no handler.

Mailboxes, order, limits, calls, deadlocks, supervision and the journal are here, in the one engine; nothing but the handlers'
own code runs on nodes. `errands.py` says how a message is handled there, `wishes.py` what a handler may want done here.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject
from llm_net.base import GenAgent, GenNetwork
from llm_net.dispatch import AWAY, Handler
from llm_net.errors import LlmNetError, NodeLost, NotMovable, PlaceUnavailable
from llm_net.message import Message
from llm_net.ports import Hosts, Link
from llm_net.runtime import frames
from llm_net.runtime.engine import Engine
from llm_net.runtime.errand import GRACE, Seat
from llm_net.runtime.errands import Errands
from llm_net.runtime.farnode import FarNode
from llm_net.runtime.frames import (
    frame,
)
from llm_net.runtime.handling import LocalHandling
from llm_net.runtime.moving import Manifest, modules_of, why_not
from llm_net.runtime.run import LocalRun
from llm_net.runtime.wishes import Wishes

PATIENCE = 10.0
"""Seconds that agents without a node wait for one to come."""


@dataclass(frozen=True, slots=True)
class Share:
    """Those agents of a run that shall live with the same hosts.

    Args:
        hosts: where their nodes come from; None: they stay here.
        addresses: of agents, and of networks for all inside; None for all that can move.
    """

    hosts: Hosts | None
    addresses: Sequence[str] | None = None


class Home:
    """What a run knows of its agents that live elsewhere.

    Args:
        shares: of the agents, each with its own hosts. Whoever is in several goes with the one that names the fewest:
            "market/clerk" before "market".
    """

    def __init__(self, *shares: Share) -> None:
        self._shares = shares
        self._opened: list[Hosts] = []
        self.manifest = Manifest()
        self.nodes: list[FarNode] = []
        self.seats: dict[int, Seat] = {}
        self.wishes = Wishes(self)
        self.errands = Errands(self, self.wishes)
        self._numbers = 0  # of nodes
        self._moves: set[Task[None]] = set()
        self._wanting: list[Future[None]] = []  # of those who wait for a node
        self._watched: list[GenNetwork] = []
        self._begun = self._ending = False

    # ------------------------------------------------------------------------------------------ the run's words

    def settle(self, run: LocalRun) -> None:
        """Take the places of the agents that shall live elsewhere: from now on their messages wait for `begin`."""
        self.run = Running(run)
        self.manifest.add(run.agent)
        for agent, hosts in self._choose(run.agent):
            number = self.manifest.number(agent)
            assert number is not None
            self.seats[id(agent)] = Seat(agent, number, hosts)
            self._take_place(agent)
        self.ready: Future[None] = self.run.loop.create_future()

    def _take_place(self, agent: GenAgent) -> None:
        cell = self.run.run.cell_of(agent)
        if not isinstance(cell.handlers, _Everything):
            cell.handlers, cell.started = _everything(self.errands.handle), True

    def _choose(self, outermost: GenAgent) -> list[tuple[GenAgent, Hosts]]:
        """Those who shall live elsewhere, and where."""
        everybody = list(self.manifest.agents.values())
        named: list[tuple[Hosts | None, bool, list[GenAgent]]] = []
        for share in self._shares:
            if share.addresses is None:
                named.append((share.hosts, False, everybody))
            for address in share.addresses or ():
                named.append((share.hosts, True, _inside(outermost, address)))
        named.sort(key=lambda each: -len(each[2]))
        places = {id(agent): (agent, hosts, must) for hosts, must, agents in named for agent in agents}
        found: list[tuple[GenAgent, Hosts]] = []
        for agent, hosts, must in places.values():
            if hosts is None:
                continue
            if (problem := why_not(agent)) is None:
                found.append((agent, hosts))
            elif must and not isinstance(agent, GenNetwork):
                raise NotMovable(agent.id, problem)
        return found

    async def begin(self) -> None:
        """Open links to the nodes, and have the agents made there."""
        if not self.seats:
            self.ready.set_result(None)
            return
        try:
            everywhere = dict.fromkeys(seat.hosts for seat in self.seats.values())
            await _together(map(self._open, everywhere))
            self.manifest.renew()
            for hosts in everywhere:
                theirs = [node for node in self.nodes if node.hosts is hosts]
                for number, seat in enumerate(self._seated(hosts)):
                    seat.node = theirs[number % len(theirs)]
            self._begun = True
            for node in self.nodes:
                node.begin(self._opening(node))
            self._watch()
            await self._all_ready()
        except BaseException as error:
            self.ready.set_exception(error)
            self.ready.exception()  # whoever waits for it hears of it; perhaps nobody does
            raise
        self.ready.set_result(None)

    async def _open(self, hosts: Hosts) -> None:
        links = await hosts.open(
            self.run.id, self.run.run.agent.id, joined=partial(self._joined, hosts), lost=self._not_ours
        )
        self._opened.append(hosts)
        for link in links:
            self._new_node(hosts, link)

    def _seated(self, hosts: Hosts) -> list[Seat]:
        return [seat for seat in self.seats.values() if seat.hosts is hosts]

    def _nodes_of(self, hosts: Hosts) -> list[FarNode]:
        return [node for node in self.nodes if node.hosts is hosts]

    async def _all_ready(self) -> None:
        """Wait for the nodes. One that is lost already will be replaced like any that is lost later, if there are others."""
        problems: list[BaseException] = []
        for node in self.nodes:
            await asyncio.wait([node.ready])
            if (problem := node.ready.exception()) is not None:
                problems.append(problem)
        for problem in problems:
            if not isinstance(problem, NodeLost) or len(problems) == len(self.nodes):
                raise problem

    def _opening(self, node: FarNode) -> bytes:
        seats = {seat.number for seat in self.seats.values() if seat.node is node}
        agents = self.manifest.agents.values()
        node.known.update(self.manifest.agents)
        here = [self.seats[id(agent)].agent for agent in agents if id(agent) in self.seats]
        around = [
            agent for agent in agents if isinstance(agent, GenNetwork)
        ]  # what is said there has its classes with them
        run = {
            "run": self.run.id,
            "seed": self.run.seed,
            "node": node.number,
            "records": self.run.records,
            "hears": self.run.observed,
            "modules": modules_of([*here, *around]) if node.hosts.imports else [],
        }
        return frame(frames.OPEN, 0, 0, to_json(run), self.manifest.described(agents, seats))

    async def end(self) -> None:
        """Take the agents' state back, and leave the nodes."""
        self._ending = True  # else a node that has left would be welcomed as one that comes
        self._unwatch()
        for task in self._moves:
            task.cancel()
        left = [node for node in self.nodes if node.lost is None and self._begun]
        for node in left:
            self._leave(node)
        for node in left:
            await self._left(node)
        for seat in self.seats.values():
            cell = self.run.run.cell_of(seat.agent)
            cell.handlers, cell.started = {}, False
        for hosts in self._opened:
            await hosts.release([node.link for node in self.nodes if node.hosts is hosts])
        for error in (error for node in self.nodes for error in node.failed):
            raise error

    def _leave(self, node: FarNode) -> None:
        """Have the agents of a node stopped there, and ask for what is left of them."""
        wanted = [seat for seat in self.seats.values() if seat.node is node and (seat.worked or not seat.fresh)]
        for seat in wanted:
            self.renew(node, seat)
        node.ask_states(frames.CLOSE, wanted)

    async def _left(self, node: FarNode) -> None:
        if not await self._read_states(node):
            node.failed.append(NodeLost(node.link.far, f"it did not say within {GRACE:g} s what became of its agents"))
        await self._in_time(node.closed)
        node.link.close()

    async def _take_back(self, node: FarNode, seat: Seat) -> None:
        """Give an agent here the state that it has there."""
        async with node.asking:
            if node.lost is None:
                node.ask_states(frames.STATES, [seat])
                if await self._read_states(node):
                    seat.worked = False

    async def _read_states(self, node: FarNode) -> bool:
        assert node.states is not None
        if not await self._in_time(node.states):
            return False
        for number, fields in from_json(node.states.result()):
            self.write(self.manifest.agents[number], fields)
        return True

    def write(self, agent: GenAgent, fields: Mapping[str, object]) -> None:
        self.manifest.write(agent, {name: to_json(value) for name, value in fields.items()})

    def renew(self, node: FarNode, seat: Seat) -> None:
        """Have a node know an agent of its own as it is here."""
        if not seat.fresh:
            node.link.send(frame(frames.MOVE, 0, 0, self.manifest.described([seat.agent], {seat.number})))
            seat.failures = 0  # there they are forgotten too
        seat.fresh = True

    async def _in_time(self, future: Future[Any]) -> bool:
        await asyncio.wait([future], timeout=GRACE)
        return future.done()

    def waiting(self, agent: GenAgent) -> Iterable[Message]:
        """What waits for an agent at its node."""
        return self.errands.waiting(agent)

    def cancel(self) -> None:
        """The run is over: what is being handled elsewhere is cancelled."""
        self.errands.cancel()

    def reset(self, agent: GenAgent) -> None:
        """An agent begins anew, with the state that it has here."""
        if (seat := self.seats.get(id(agent))) is not None:
            seat.fresh, seat.worked = False, False

    # ------------------------------------------------------------------------------------------ one message

    async def node_of(self, seat: Seat) -> FarNode:
        """The node of an agent: another one if that is lost."""
        while True:
            if seat.hold is not None:
                await asyncio.shield(seat.hold)
            elif (node := seat.node) is not None and node.lost is None:
                return node
            else:
                assert node is not None
                if node.successor is None:
                    node.successor = self._in_background(self._replace(node))
                await asyncio.shield(node.successor)

    async def _replace(self, lost: FarNode) -> None:
        """Have the agents of a node that is lost made on others, with the state that they have here."""
        link = await lost.hosts.replace(lost.link)
        if link is None:
            for seat in self._seats_of(lost):
                seat.node, seat.fresh, seat.worked = await self._emptiest(lost.hosts), False, False
        else:
            node = self._new_node(lost.hosts, link)
            for seat in self._seats_of(lost):
                seat.node, seat.fresh, seat.worked, seat.failures = node, True, False, 0
            node.begin(self._opening(node))
            await node.ready
        self._strike(lost)

    def _seats_of(self, node: FarNode) -> list[Seat]:
        return [seat for seat in self.seats.values() if seat.node is node]

    def _strike(self, node: FarNode) -> None:
        """A node has nothing to do with this run any more."""
        if node in self.nodes:
            self.nodes.remove(node)

    def _new_node(self, hosts: Hosts, link: Link) -> FarNode:
        self._numbers += 1
        node = FarNode(self, hosts, link, self._numbers)
        self.nodes.append(node)
        return node

    async def _emptiest(self, hosts: Hosts) -> FarNode:
        """The node with the fewest agents, or the first that comes where there is none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not (nodes := [one for one in self._nodes_of(hosts) if one.serves and not one.leaving]):
                    future: Future[None] = self.run.loop.create_future()
                    self._wanting.append(future)
                    await future
                seats = [seat.node for seat in self._seated(hosts)]
                return min(nodes, key=seats.count)
        raise PlaceUnavailable("all nodes are lost or leave, and none has come; start one with `llm-net node`")

    def arrived(self) -> None:
        """A node is ready."""
        for future in self._wanting:
            if not future.done():
                future.set_result(None)
        self._wanting.clear()

    # ------------------------------------------------------------------------------------------ nodes come and go

    def _joined(self, hosts: Hosts, link: Link) -> None:
        if self._ending:
            link.close()
        else:
            self._in_background(self._welcome(hosts, link))

    def retire(self, node: FarNode) -> None:
        """A node wants to go: its agents move to others."""
        if not node.leaving:
            node.leaving = True
            self._in_background(self._let_go(node))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> Task[None]:
        task = self.run.loop.create_task(work)
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)
        return task

    async def _welcome(self, hosts: Hosts, link: Link) -> None:
        """Give a node that has come its share of the agents."""
        node = self._new_node(hosts, link)
        node.begin(self._opening(node))
        try:
            await node.ready
        except LlmNetError:
            self._strike(node)  # it does not know our agents, or is lost already
            return
        for old in [old for old in self.nodes if old.lost is not None and not self._seats_of(old)]:
            self._strike(old)
        seats, nodes = self._seated(hosts), self._nodes_of(hosts)
        share = len(seats) // len(nodes)
        for fullest in sorted(nodes, key=lambda one: -sum(seat.node is one for seat in seats)):
            theirs = [seat for seat in seats if seat.node is fullest]
            spare = min(len(theirs) - share, share - sum(seat.node is node for seat in seats))
            for seat in theirs[: max(0, spare)] if fullest is not node else ():
                await self._move(seat, node)

    async def _let_go(self, node: FarNode) -> None:
        seats = self._seats_of(node)
        homeless = [asyncio.Event() for _ in seats]
        moves = [
            self._in_background(self._move(seat, None, event)) for seat, event in zip(seats, homeless, strict=True)
        ]
        for event in homeless:
            await event.wait()
        node.link.send(frame(frames.CLOSE, 0, 0, b"[]"))
        await asyncio.gather(*moves)

    async def _move(self, seat: Seat, to: FarNode | None, lifted: asyncio.Event | None = None) -> None:
        """Have an agent live on another node, with the state that it has when it is next idle.

        Args:
            to: None for the one with the fewest agents then.
            lifted: set when the old node has nothing more to do with it.
        """
        old = seat.node
        assert old is not None
        seat.hold = hold = self.run.loop.create_future()
        try:
            await old.idle(seat)
            if old.lost is None and seat.worked:
                await self._take_back(old, seat)
            if lifted is not None:
                lifted.set()
            if old.lost is None:
                seat.fresh = False
                with suppress(PlaceUnavailable):  # whoever finds no node looks again when it is written to
                    seat.node = to or await self._emptiest(seat.hosts)
        finally:
            if lifted is not None:
                lifted.set()
            seat.hold = None
            hold.set_result(None)

    def _not_ours(self, error: Exception) -> None:
        self.run.run.finish("failed", error)

    # ------------------------------------------------------------------------------------------ what it wants done

    # ------------------------------------------------------------------------------------------ networks that change

    def _watch(self) -> None:
        for agent in self.manifest.agents.values():
            if isinstance(agent, GenNetwork) and self not in agent._graph.watchers:
                agent._graph.watchers[self] = partial(self._changed, agent)
                self._watched.append(agent)

    def _unwatch(self) -> None:
        for network in self._watched:
            network._graph.watchers.pop(self, None)
        self._watched.clear()

    def _changed(self, network: GenNetwork, added: AbstractObject | None) -> None:
        number = self.manifest.number(network)
        assert number is not None
        if added is not None:
            self.manifest.add(cast(GenAgent, added))
            self._watch()
            for seat in self.seats.values():  # who comes back lives where it did
                self._take_place(seat.agent)
        self.manifest.renew()
        for node in self.nodes:
            node.changed.add(number)

    def tell_changes(self, node: FarNode) -> None:
        """Tell a node of networks that have changed, before it hears anything else."""
        if not node.changed:
            return
        changed, node.changed = node.changed, set()
        networks = [cast(GenNetwork, self.manifest.agents[number]) for number in sorted(changed)]
        new = [
            self.manifest.agents[number] for number in self.manifest.numbers_in(networks) if number not in node.known
        ]
        node.known.update(self.manifest.numbers_in(new))
        rolls = [[self.manifest.number(network), self.manifest.roll(network)] for network in networks]
        node.link.send(frame(frames.CHANGE, 0, 0, self.manifest.described(new), to_json(rolls)))

    def change(self, described: bytes, rolls: bytes, node: FarNode) -> None:
        """A handler on a node changed a network: so do we."""
        node.known.update(self.manifest.make(described))
        for number, roll in from_json(rolls):
            self.manifest.call(number, roll)
            node.changed.discard(number)
        self.manifest.renew()
        self._watch()

    # ------------------------------------------------------------------------------------------ losses

    def lost(self, node: FarNode) -> None:
        """A node is gone, and its agents' state with it: they begin anew elsewhere, as they are known here."""
        for seat in self.seats.values():
            if seat.node is node:
                seat.worked = False
        if not self._ending:
            node.hosts.gone(node.link)


async def _together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do several things at once, each to its end. Raises what the first of them raised."""
    for failed in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(failed, BaseException):
            raise failed


def _inside(outermost: GenAgent, address: str) -> list[GenAgent]:
    """The agent that an address names, or all inside the network that it names."""
    agent = outermost
    if isinstance(outermost, GenNetwork):
        agent = outermost[address]
    elif address != outermost.id:
        raise NotMovable(address, f"there is only {outermost.id!r}")
    return [inner for _, inner in agent.walk()] if isinstance(agent, GenNetwork) else [agent]


class Running:
    """What home needs of a run."""

    def __init__(self, run: LocalRun) -> None:
        assert run.engine is not None
        self.run = run
        self.loop = run.engine.loop
        self.id = run.id

    @property
    def seed(self) -> int:
        return self.run.seed  # that of its past is known only when that is opened

    @property
    def engine(self) -> Engine:
        """The engine of its event loop."""
        return cast(Engine, self.run.engine)

    @property
    def records(self) -> bool:
        return self.run.recorder is not None

    @property
    def observed(self) -> bool:
        return bool(self.run.observers)


class _Everything(dict[Any, Any]):
    """In place of the handlers of a cell: one for messages of every name and class."""

    def get(self, key: Any, default: Any = None) -> Any:
        return self if isinstance(key, str) else self["*"]


def _everything(
    handle: Callable[[LocalHandling], None],
) -> dict[str, dict[type[Message], Handler]]:
    return _Everything({"*": Handler("*", "*", (Message,), handle, AWAY)})
