"""The home of a run whose agents live on other nodes: it keeps their mailboxes, and has their handlers run there.

To the engine an agent that lives elsewhere has one handler for everything: a coroutine that tells the node of the message,
does what the handler there wants done (`Errand`), and ends as it ends. So order, limits, calls, deadlocks, supervision and the
journal are those of any run: nothing but the handler's own code runs on the node.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, cast

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject
from llm_net.base import GenAgent, GenNetwork
from llm_net.chat import Chunk, Completion, Price, Request, TextDelta
from llm_net.dispatch import AWAY, Handler
from llm_net.errors import LlmNetError, NodeLost, NotMovable, PlaceUnavailable, RunCancelled
from llm_net.message import Message, origin
from llm_net.ports import Hosts, Link
from llm_net.record import Repeats
from llm_net.runtime import frames
from llm_net.runtime.cell import Entry
from llm_net.runtime.engine import Engine
from llm_net.runtime.frames import (
    BODY,
    EMBEDDINGS,
    GONE_ON,
    NOWHERE,
    PRICE,
    TIME,
    TO_AGENT,
    far,
    frame,
    joined,
    near,
    parts_of,
    read_request,
)
from llm_net.runtime.handling import LocalHandling, OnNode
from llm_net.runtime.moving import Manifest, modules_of, why_not
from llm_net.runtime.place import Place
from llm_net.runtime.recorder import COMPLETION
from llm_net.runtime.run import LocalRun
from llm_net.wire import Line

TRIES = 3
"""Nodes that may be lost over one message of a recorded run, that one included: perhaps it is the message that kills them."""

PATIENCE = 10.0
"""Seconds that agents without a node wait for one to come."""

AHEAD = 64
"""Messages that are sent to a node before an agent there has come to them: else each would wait for a round trip."""

GRACE = 5.0
"""Seconds that a node has to end what was cancelled; then it is given up."""

ANYTHING: TypeAdapter[object] = TypeAdapter(object)


@dataclass(frozen=True, slots=True)
class Share:
    """Those agents of a run that shall live with the same hosts.

    Args:
        hosts: where their nodes come from; None: they stay here.
        addresses: of agents, and of networks for all inside; None for all that can move.
    """

    hosts: Hosts | None
    addresses: Sequence[str] | None = None


@dataclass(slots=True, eq=False)
class Seat:
    """An agent that lives elsewhere."""

    agent: GenAgent
    number: int
    hosts: Hosts
    node: FarNode | None = None  # None: not begun yet
    fresh: bool = True  # whether the node has the state that it had here
    worked: bool = False  # whether it has another one there since
    hold: Future[None] | None = None  # while it moves
    ahead: deque[Errand] = field(default_factory=deque)  # at the node, where they wait for those before them
    failures: int = 0  # of its handlers there
    again: Message | None = None  # what it is to handle once more, before those


@dataclass(slots=True, eq=False)
class Errand:
    """A message that is being handled on a node, as seen from home."""

    detached: ClassVar[bool] = True

    number: int
    seat: Seat
    handling: LocalHandling
    node: FarNode | None = None
    entry: Entry | None = None
    """As it lay in the mailbox, of one that was sent ahead."""
    task: Task[None] | None = None
    """Who sees to it; nobody as long as nothing has to be waited for."""
    wanted: deque[tuple[int, int, list[Any]]] = field(default_factory=deque)
    """What the handler itself wants done next: a kind of frame, its question, what it says."""
    arrived: Future[None] | None = None
    lost: BaseException | None = None
    replies: dict[str, Message] = field(default_factory=dict)
    """What it was answered, by question: a step of a recorded run may be repeated."""
    deferred: BaseException | None = None
    """What an event that was emitted raised: met at the next step."""
    doing: int = 0  # the question that is being seen to
    dropped: bool = False
    begun: bool = False  # whether its task has begun
    failed: bool = False  # whether its handler has raised, there
    repeated: Errand | None = None  # the same on another node

    @property
    def last(self) -> Errand:
        """It, or what it was repeated as."""
        errand = self
        while errand.repeated is not None:
            errand = errand.repeated
        return errand

    ended: bool = False  # whether its handler has ended, there or here
    inside: dict[int, Task[None]] = field(default_factory=dict)
    asked: dict[int, Future[bytes]] = field(default_factory=dict)
    streams: dict[int, asyncio.Queue[bytes | BaseException]] = field(default_factory=dict)

    def wake(self) -> None:
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    def meet(self, told: object = None) -> None:
        """Raise what the handler raised, or else what an event raised that it emitted."""
        if isinstance(told, BaseException):
            raise told
        if (error := self.deferred) is not None:
            self.deferred = None
            raise error

    def lose(self, error: BaseException) -> None:
        """Its node is gone: what it waits for is of no use any more, unless the step is repeated."""
        self.lost = error
        if self.doing and self.handling.step is None and self.task is not None:
            self.task.cancel()
        for future in self.asked.values():
            if not future.done():
                future.set_exception(error)
        for pieces in self.streams.values():
            pieces.put_nowait(error)
        self.wake()


class FarNode:
    """A node, as seen from home."""

    def __init__(self, home: Home, hosts: Hosts, link: Link, number: int) -> None:
        self._home = home
        self.hosts = hosts
        self.link = link
        self.number = number
        self.errands: dict[int, Errand] = {}
        self.line = Line(short=True, limit=BODY, address=home.manifest.written, directory=home.manifest)
        self.known: set[int] = set()  # agents that it has been told of
        self.changed: set[int] = set()  # networks of which it has an old roll
        self.lost: BaseException | None = None
        self.ready: Future[None] = home.run.loop.create_future()
        self.told = False  # whether it is ready
        self.states: Future[bytes] | None = None
        self.asking = asyncio.Lock()
        self.failed: list[BaseException] = []  # what was raised when its agents were stopped
        self.closed: Future[None] = home.run.loop.create_future()
        self.successor: Task[None] | None = None  # at work to put another in its place
        self.leaving = False
        self._quiet: list[Future[None]] = []

    @property
    def serves(self) -> bool:
        """Whether it can be given messages now."""
        return self.told and self.lost is None

    def begin(self, opening: bytes) -> None:
        """Have a run on it."""
        self.link.begin(self._hear, self._broken)
        self.link.send(opening)

    def forget(self, errand: Errand) -> None:
        """A message is handled here no more."""
        self.errands.pop(errand.number, None)
        self._wake()

    def _wake(self) -> None:
        for future in self._quiet:
            if not future.done():
                future.set_result(None)
        self._quiet.clear()

    async def idle(self, seat: Seat) -> None:
        """Wait until an agent handles nothing here."""
        while self.lost is None and any(errand.seat is seat for errand in self.errands.values()):
            future = self._home.run.loop.create_future()
            self._quiet.append(future)
            await future

    def _broken(self, error: BaseException | None) -> None:
        self.lost = error or NodeLost(self.link.far, "it closed its link")
        if not self.closed.done():
            self.closed.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(self.lost)
        if self.states is not None and not self.states.done():
            self.states.set_result(b"[]")
        self._home.lost(self)
        self._home.take_back_what_waits(self)
        for errand in list(self.errands.values()):
            errand.lose(self.lost)
            if errand.task is None:
                self.forget(errand)
                self._home.over(errand, self.lost)
        self._wake()

    def _hear(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as wrong:  # it does not speak as agreed: whoever it is, it is not ours
            self.link.close()
            self._broken(NodeLost(self.link.far, f"it said what cannot be understood: {wrong}"))

    def _take(self, data: bytes) -> None:
        kind, number, question = frames.head_of(data)
        match kind:
            case frames.READY:
                (problem,) = parts_of(data, 1)
                if not self.ready.done():
                    if problem:
                        self.ready.set_exception(near(problem))
                    else:
                        self.told = True
                        self.ready.set_result(None)
                        self._home.arrived()
                return
            case frames.STATES:
                if self.states is not None and not self.states.done():
                    self.states.set_result(parts_of(data, 1)[0])
                return
            case frames.LEAVE:
                self._home.retire(self)
                return
            case frames.CLOSED:
                (problem,) = parts_of(data, 1)
                if problem:
                    self.failed.append(near(problem))
                elif not self.closed.done():
                    self.closed.set_result(None)
                    self.link.close()
                return
        said = self._said(kind, data)  # read in any case: a line remembers what crossed it
        errand = self.errands.get(number)
        if errand is None:
            return  # it ended meanwhile
        if (ahead := errand.seat.ahead) and ahead[0] is errand:  # it has begun, whatever became of the one before
            self._home.promote(errand.seat)
        match kind:
            case frames.TOLD:
                if (future := errand.asked.pop(question, None)) is not None and not future.done():
                    future.set_result(said[0])
            case frames.PIECE:
                if (pieces := errand.streams.get(question)) is not None:
                    pieces.put_nowait(said[0])
            case frames.DROP:
                self._drop(errand, question)
            case frames.EMIT | frames.CHANGE:  # nobody waits for it: it is done before anything else is heard
                self._home.do_now(self, errand, kind, said)
            case _ if question & frames.INSIDE:
                work = self._home.see_to(self, errand, kind, question, said)
                context = self._home.run.run.context.copy()
                context.run(origin.set, errand.handling)
                task = self._home.run.loop.create_task(work, context=context)
                errand.inside[question] = task
                task.add_done_callback(lambda _: errand.inside.pop(question, None))
            case _:
                self._home.want(self, errand, kind, question, said)

    def _said(self, kind: int, data: bytes) -> list[Any]:
        match kind:
            case frames.POST:
                (message,) = parts_of(data, 1)
                return [self.line.decode(message)]
            case frames.CALL:
                timeout, message = parts_of(data, 2)
                return [from_json(timeout), self.line.decode(message)]
            case frames.GATHER:
                terms, messages = parts_of(data, 2)
                k, timeout, tells = from_json(terms)
                return [k, timeout, tells, [self.line.decode(each) for each in frames.taken_apart(messages)]]
            case frames.EMIT:
                event, message = parts_of(data, 2)
                return [event.decode(), self.line.decode(message)]
            case frames.END:
                how, ids, fields, what = parts_of(data, 4)
                told: object = self.line.decode(what) if how == b"m" else near(what) if how == b"e" else None
                return [told, from_json(ids), fields]
            case frames.CHANGE | frames.MODEL | frames.EFFECT:
                return parts_of(data, 2)
            case frames.DELAY | frames.TOLD | frames.PIECE | frames.DROP:
                return parts_of(data, 1)
            case _:
                raise ValueError(f"a frame of kind {kind}")

    def _drop(self, errand: Errand, question: int) -> None:
        if not question:  # it has met what an event raised
            errand.deferred = None
        elif (task := errand.inside.get(question)) is not None:
            task.cancel()
        elif errand.doing == question:
            errand.dropped = True
            if errand.task is not None:
                errand.task.cancel()
        else:
            errand.wanted = deque(each for each in errand.wanted if each[1] != question)


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
        self._seats: dict[int, Seat] = {}
        self._errands = 0
        self._numbers = 0  # of nodes
        self._moves: set[Task[None]] = set()
        self._wanting: list[Future[None]] = []  # of those who wait for a node
        self._watched: list[GenNetwork] = []
        self._begun = False

    # ------------------------------------------------------------------------------------------ the run's words

    def settle(self, run: LocalRun) -> None:
        """Take the places of the agents that shall live elsewhere: from now on their messages wait for `begin`."""
        self.run = Running(run)
        self.manifest.add(run.agent)
        for agent, hosts in self._choose(run.agent):
            number = self.manifest.number(agent)
            assert number is not None
            self._seats[id(agent)] = Seat(agent, number, hosts)
            self._take_place(agent)
        self.ready: Future[None] = self.run.loop.create_future()

    def _take_place(self, agent: GenAgent) -> None:
        cell = self.run.run.cell_of(agent)
        if not isinstance(cell.handlers, _Everything):
            cell.handlers, cell.started = _everything(self._handle), True

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
        if not self._seats:
            self.ready.set_result(None)
            return
        try:
            everywhere = dict.fromkeys(seat.hosts for seat in self._seats.values())
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
        return [seat for seat in self._seats.values() if seat.hosts is hosts]

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
        seats = {seat.number for seat in self._seats.values() if seat.node is node}
        agents = self.manifest.agents.values()
        node.known.update(self.manifest.agents)
        here = [self._seats[id(agent)].agent for agent in agents if id(agent) in self._seats]
        run = {
            "run": self.run.id,
            "seed": self.run.seed,
            "node": node.number,
            "records": self.run.records,
            "hears": self.run.observed,
            "modules": modules_of(here) if node.hosts.imports else [],
        }
        return frame(frames.OPEN, 0, 0, to_json(run), self.manifest.described(agents, seats))

    async def end(self) -> None:
        """Take the agents' state back, and leave the nodes."""
        self._unwatch()
        for task in self._moves:
            task.cancel()
        left = [node for node in self.nodes if node.lost is None and self._begun]
        for node in left:
            self._leave(node)
        for node in left:
            await self._left(node)
        for seat in self._seats.values():
            cell = self.run.run.cell_of(seat.agent)
            cell.handlers, cell.started = {}, False
        for hosts in self._opened:
            await hosts.release([node.link for node in self.nodes if node.hosts is hosts])
        for error in (error for node in self.nodes for error in node.failed):
            raise error

    def _leave(self, node: FarNode) -> None:
        """Have the agents of a node stopped there, and ask for what is left of them."""
        wanted = [seat for seat in self._seats.values() if seat.node is node and (seat.worked or not seat.fresh)]
        for seat in wanted:
            self._renew(node, seat)
        node.states = self.run.loop.create_future()
        node.link.send(frame(frames.CLOSE, 0, 0, to_json([seat.number for seat in wanted])))

    async def _left(self, node: FarNode) -> None:
        await self._read_states(node)
        await self._in_time(node.closed)
        node.link.close()

    async def _take_back(self, node: FarNode, seat: Seat) -> None:
        """Give an agent here the state that it has there."""
        async with node.asking:
            if node.lost is None:
                node.states = self.run.loop.create_future()
                node.link.send(frame(frames.STATES, 0, 0, to_json([seat.number])))
                if await self._read_states(node):
                    seat.worked = False

    async def _read_states(self, node: FarNode) -> bool:
        assert node.states is not None
        if not await self._in_time(node.states):
            return False
        for number, fields in from_json(node.states.result()):
            self._write(self.manifest.agents[number], fields)
        return True

    def _write(self, agent: GenAgent, fields: Mapping[str, object]) -> None:
        self.manifest.write(agent, {name: to_json(value) for name, value in fields.items()})

    def _renew(self, node: FarNode, seat: Seat) -> None:
        """Have a node know an agent of its own as it is here."""
        if not seat.fresh:
            node.link.send(frame(frames.MOVE, 0, 0, self.manifest.described([seat.agent], {seat.number})))
            seat.failures = 0  # there they are forgotten too
        seat.fresh = True

    async def _in_time(self, future: Future[Any]) -> bool:
        await asyncio.wait([future], timeout=GRACE)
        return future.done()

    def reset(self, agent: GenAgent) -> None:
        """An agent begins anew, with the state that it has here."""
        if (seat := self._seats.get(id(agent))) is not None:
            seat.fresh, seat.worked = False, False

    # ------------------------------------------------------------------------------------------ one message

    def _handle(self, handling: LocalHandling) -> None:
        """What takes every message for an agent that lives elsewhere."""
        seat = self._seats[id(handling.agent)]
        node = seat.node
        errand = self._errand(seat, handling)
        if handling.step is not None or seat.hold is not None or node is None or not node.serves or node.link.full:
            self._follow_up(errand, self._in_turn(errand))
            return
        errand.node = node
        node.errands[errand.number] = errand
        try:
            self._tell(node, errand)
        except Exception as error:
            self._forget(node, errand)
            self.over(errand, error)
        else:
            self._send_ahead(seat, node)

    def _send_ahead(self, seat: Seat, node: FarNode) -> None:
        """Have the node know what its agent is to handle next, where nobody wants to look at each message before."""
        run, cell = self.run.run, self.run.run.cell_of(seat.agent)
        queue = cell.queue
        if (
            run.special
            or cell.active < cell.concurrency
            or seat.hold is not None
            or cell.when_full != "wait"
            or seat.again is not None
        ):
            return
        while queue and len(seat.ahead) < AHEAD and queue[0][1] is run and not node.link.full:
            entry = queue[0]
            message, _, depth, place, heard, _, _ = entry
            handling = LocalHandling(self.run.engine, run, self.run.nobody)
            handling.agent, handling.message, handling.cell, handling.place = seat.agent, message, cell, place
            handling.heard, handling.depth = heard, depth
            errand = self._errand(seat, handling)
            errand.node, errand.entry = node, entry
            try:
                self._tell(node, errand)
            except Exception:
                break  # it will fail when its turn has come
            queue.popleft()
            node.errands[errand.number] = errand
            seat.ahead.append(errand)
        if cell.room and len(queue) <= cell.limit // 2:
            cell.make_room()

    def promote(self, seat: Seat) -> None:
        """The next of those that wait at a node is handled now."""
        seat.worked = True
        seat.ahead.popleft().handling.cell.active += 1
        self.run.run.aloof += 1

    def take_back_what_waits(self, node: FarNode) -> None:
        """Put what waits at a node back to the mailboxes."""
        for seat in self._seats.values():
            if seat.node is node:
                while seat.ahead:
                    errand = seat.ahead.pop()
                    node.errands.pop(errand.number, None)
                    assert errand.entry is not None
                    errand.handling.cell.queue.appendleft(errand.entry)

    def waiting(self, agent: GenAgent) -> Iterable[Message]:
        """What waits for an agent at its node."""
        seat = self._seats.get(id(agent))
        return () if seat is None else [errand.handling.message for errand in seat.ahead]

    def _errand(self, seat: Seat, handling: LocalHandling) -> Errand:
        self._errands += 1
        return Errand(self._errands, seat, handling)

    def _follow_up(self, errand: Errand, work: Coroutine[Any, Any, object]) -> None:
        """Have a task see to an errand from now on."""
        run = self.run.run
        context = run.context.copy()
        context.run(origin.set, errand.handling)
        errand.task = task = self.run.loop.create_task(self._to_its_end(errand, work), context=context)
        errand.handling.body = errand
        run.aloof -= 1
        run.tasks[task] = None
        errand.begun = False
        task.add_done_callback(partial(self._never_begun, errand, work))

    def _never_begun(self, errand: Errand, work: Coroutine[Any, Any, object], task: Task[None]) -> None:
        """A task that was cancelled before it began has done nothing: another one sees to the end."""
        if not errand.begun:
            work.close()
            self.run.run.tasks.pop(task, None)
            self.run.run.aloof += 1
            self._follow_up(errand, self._cancelled(errand))

    async def _unless_over(self) -> None:
        if self.run.run.over:
            raise asyncio.CancelledError

    async def _cancelled(self, errand: Errand) -> object:
        node = errand.node
        if node is None or errand.number not in node.errands:
            raise asyncio.CancelledError
        return await self._go_on(node, errand)

    async def _to_its_end(self, errand: Errand, work: Coroutine[Any, Any, object]) -> None:
        handling = errand.handling
        engine, run = handling.engine, self.run.run
        errand.begun = True
        try:
            value = await work
            if isinstance(value, Message) and (full := engine.post(handling, value, None)) is not None:
                await engine.room(handling, full)
            await self._uncrowd(handling)
        except BaseException as error:
            self._conclude(errand.last, error)
            if not isinstance(error, (Exception, asyncio.CancelledError)):
                raise
        else:
            self._conclude(errand.last, None)
        finally:
            work.close()
            assert errand.task is not None
            run.tasks.pop(errand.task, None)
            if run.blocked:
                self.run.loop.call_soon(run.look)

    async def _in_turn(self, errand: Errand) -> object:
        """Have a message handled as soon as its agent has a node: on another one, if that is lost and there is a record."""
        await self._unless_over()
        if not self.ready.done():
            await asyncio.shield(self.ready)
        handling = errand.handling
        step, recorder = handling.step, self.run.run.recorder
        if step is None or recorder is None:
            return await self._try(errand)
        before = step.snapshot()
        for _ in range(TRIES - 1):
            try:
                return await self._try(errand)
            except NodeLost:  # all that came of it is on record: another node goes on
                if self.run.run.over:
                    raise
                recorder.repeat(step, before, errand.replies)
                task, replies = errand.task, errand.replies
                first, errand = errand, self._errand(errand.seat, handling)
                errand.task, errand.replies, handling.body = task, replies, errand
                first.repeated = errand
        return await self._try(errand)

    async def _try(self, errand: Errand) -> object:
        node = errand.node = await self._node_of(errand.seat)
        node.errands[errand.number] = errand
        try:
            self._tell(node, errand)
            await node.link.room()
            return await self._follow(node, errand)
        except asyncio.CancelledError:
            if (end := await self._recall(node, errand)) is not None:
                return self._take_end(errand, *end)
            raise
        finally:
            self._forget(node, errand)

    async def _go_on(self, node: FarNode, errand: Errand) -> object:
        """See to what a handler wants that has to be waited for."""
        try:
            await self._unless_over()
            return await self._follow(node, errand)
        except asyncio.CancelledError:
            if (end := await self._recall(node, errand)) is not None:
                return self._take_end(errand, *end)
            raise
        finally:
            self._forget(node, errand)

    def _forget(self, node: FarNode, errand: Errand) -> None:
        errand.ended = True
        node.forget(errand)
        for task in list(errand.inside.values()):
            task.cancel()

    async def _recall(self, node: FarNode, errand: Errand) -> list[Any] | None:
        if node.lost is not None:
            return None
        node.link.send(frame(frames.CANCEL, errand.number))
        return await self._ended(node, errand)

    def cancel(self) -> None:
        """The run is over."""
        for seat in self._seats.values():
            while seat.ahead:
                self.promote(seat)
        for node in self.nodes:
            for errand in list(node.errands.values()):
                if errand.task is None:
                    self._follow_up(errand, self._go_on(node, errand))

    def want(self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]) -> None:
        """A handler wants something done: at once, where nothing has to be waited for."""
        if errand.task is not None or kind not in (frames.POST, frames.END):
            errand.wanted.append((kind, question, said))
            if errand.task is None:
                self._follow_up(errand, self._go_on(node, errand))
            errand.wake()
            return
        handling = errand.handling
        token = origin.set(handling)
        try:
            if kind == frames.END:
                self._forget(node, errand)
                self._end_at_once(errand, *said)
                return
            errand.meet()
            full = handling.engine.post(handling, said[0], None)
        except Exception as error:
            self._answer(node, errand, question, b"e", [far(error)])
        else:
            if full is None and handling not in self.run.run.crowding:
                self._answer(node, errand, question, b"", [])
            else:
                errand.wanted.append((frames.ROOM, question, [full]))
                self._follow_up(errand, self._go_on(node, errand))
        finally:
            origin.reset(token)

    def _end_at_once(self, errand: Errand, told: object, ids: int, fields: bytes) -> None:
        handling = errand.handling
        errand.failed = isinstance(told, BaseException)
        try:
            errand.meet(told)
            full = handling.engine.post(handling, told, None) if isinstance(told, Message) else None
        except Exception as error:
            self.over(errand, error)
            return
        if full is None and handling not in self.run.run.crowding:
            self.over(errand, None)
        else:
            self._follow_up(errand, self._room(handling, full))

    async def _room(self, handling: LocalHandling, full: Any) -> None:
        if full is not None:
            await handling.engine.room(handling, full)

    def over(self, errand: Errand, error: BaseException | None) -> None:
        """An errand without a task has come to its end."""
        self.run.run.aloof -= 1
        self._conclude(errand, error)

    def _conclude(self, errand: Errand, error: BaseException | None) -> None:
        """Count a message as handled, or failed; and go on with the next."""
        seat, handling = errand.seat, errand.handling
        cell, node = handling.cell, errand.node
        if error is None:
            if seat.ahead:
                self.promote(seat)
            handling.engine.done(handling)
        else:
            active = cell.active
            handling.engine.failed(handling, error)
            seat.failures += errand.failed
            if cell.active == active:  # it is to be handled again
                seat.again = handling.message
                return
            if seat.ahead:
                self.promote(seat)
            if errand.failed and node is not None and node.lost is None:
                self._renew(node, seat)  # what waits there is handled in the state that it begins anew with
                node.link.send(frame(frames.GO, 0, 0, GONE_ON.pack(seat.number, seat.failures)))
        if node is not None and node.serves and seat.node is node and cell.queue and not self.run.run.over:
            self._send_ahead(seat, node)

    async def _node_of(self, seat: Seat) -> FarNode:
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
        return [seat for seat in self._seats.values() if seat.node is node]

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

    def _tell(self, node: FarNode, errand: Errand) -> None:
        seat, handling = errand.seat, errand.handling
        self._tell_changes(node)
        self._renew(node, seat)
        seat.worked = True
        place = handling.place
        if place.network is handling.agent and place.parent is not None:
            place = place.parent
        network = None if place.network is None else self.manifest.number(place.network)
        more: dict[str, Any] = {}
        if _calls_back(handling):
            more["hears"] = True
        if handling.heard is not None:
            more["heard"] = [handling.heard.name, handling.heard.path]
        if (step := handling.step) is not None:
            again = f"/{step.tries}" if step.tries else ""
            prefix = f"{self.run.seed:x}"
            more |= {
                "ids": f"{prefix}-{step.number}", "count": step.ids, "at": step.time, "random": f"{prefix}/{step.number}{again}",
            }  # fmt: skip
        elif handling.source is not None:
            more |= {"ids": handling.source.new_id(), "count": 0, "at": handling.source.now().timestamp()}
        if once_more := seat.again is handling.message:
            seat.again = None
        where = TO_AGENT.pack(seat.number, NOWHERE if network is None else network, seat.failures, once_more)
        said = node.line.encode(handling.message)
        node.link.send(frame(frames.HANDLE, errand.number, 0, where, to_json(more) if more else b"", said))

    async def _follow(self, node: FarNode, errand: Errand) -> object:
        """Do what the handler wants done until it has ended. Gives the message that it returned."""
        task = errand.task
        assert task is not None
        while True:
            while not errand.wanted:
                if errand.lost is not None:
                    if errand.inside:
                        await asyncio.wait(errand.inside.values())
                    raise errand.lost
                errand.arrived = asyncio.get_running_loop().create_future()
                await errand.arrived
            kind, question, said = errand.wanted.popleft()
            if kind == frames.END:
                return self._take_end(errand, *said)
            errand.doing = question
            try:
                await self.see_to(node, errand, kind, question, said)
            except asyncio.CancelledError:
                if self.run.run.over or not (errand.dropped or errand.lost is not None):
                    raise
                errand.dropped = False  # only this question is over
                task.uncancel()
            finally:
                errand.doing = 0

    def _take_end(self, errand: Errand, told: object, ids: int, fields: bytes) -> object:
        errand.failed = isinstance(told, BaseException)
        if (step := errand.handling.step) is not None:
            step.ids = ids
            self._write(errand.seat.agent, from_json(fields or b"{}"))
        errand.meet(told)
        return told

    async def _ended(self, node: FarNode, errand: Errand) -> list[Any] | None:
        """Wait until a handler that was cancelled has ended: nothing that it wants is done any more. Gives how it ended; None
        if it did not."""
        loop, no = asyncio.get_running_loop(), joined([far(RunCancelled("the run is over"))])
        end = loop.time() + GRACE
        while errand.lost is None and loop.time() < end:
            while errand.wanted:
                kind, question, said = errand.wanted.popleft()
                if kind == frames.END:
                    return said
                node.link.send(frame(frames.ANSWER, errand.number, question, b"e", TIME.pack(0.0), no))
            errand.arrived = loop.create_future()
            with suppress(asyncio.CancelledError):  # it is being cancelled already
                await asyncio.wait([errand.arrived], timeout=end - loop.time())
        return None

    # ------------------------------------------------------------------------------------------ what it wants done

    async def see_to(self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]) -> None:
        """Do one thing that a handler wants done, and tell it what came of it."""
        answer, parts = b"", list[bytes]()
        try:
            errand.meet()
            answer, parts = await self._do(node, errand, kind, question, said)
        except Exception as error:
            answer, parts = b"e", [far(error)]
        self._answer(node, errand, question, answer, parts)

    def _answer(self, node: FarNode, errand: Errand, question: int, answer: bytes, parts: list[bytes]) -> None:
        if node.lost is not None:
            return
        self._tell_changes(node)
        step = errand.handling.step
        at = TIME.pack(0.0 if step is None else step.time)
        node.link.send(frame(frames.ANSWER, errand.number, question, answer, at, joined(parts)))

    async def _do(
        self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]
    ) -> tuple[bytes, list[bytes]]:
        handling = errand.handling
        engine = handling.engine
        match kind:
            case frames.POST:
                crowded = engine.post(handling, said[0], None)
                if crowded is not None:
                    await engine.room(handling, crowded)
                await self._uncrowd(handling)
            case frames.ROOM:
                await self._room(handling, said[0])
                await self._uncrowd(handling)
            case frames.CALL:
                reply = await handling.call(said[1], said[0])
                errand.replies[said[1].id] = reply
                return b"m", [node.line.encode(reply)]
            case frames.GATHER:
                k, timeout, tells, messages = said
                failures: dict[Message, BaseException] = {}
                replies = await handling.gather(messages, k, timeout, failures if tells else None)
                errand.replies.update((reply.reply_to.id, reply) for reply in replies if reply.reply_to is not None)
                failed = [
                    to_json([index, from_json(far(failures[message]))])
                    for index, message in enumerate(messages)
                    if message in failures
                ]
                return b"g", [joined(failed), *(node.line.encode(reply) for reply in replies)]
            case frames.MODEL:
                return await self._ask_model(node, errand, question, from_json(said[0]), said[1])
            case frames.EFFECT:
                terms = from_json(said[0])
                call = _CallThere(partial(self._ask, node, errand, question))
                repeats: Repeats = terms["repeats"]
                result = await handling.effect(terms["name"], call, ANYTHING, repeats)
                return b"j", [to_json(result)]
            case frames.DELAY:
                await handling.delay(from_json(said[0]))
            case _:
                raise ValueError(f"a frame of kind {kind}")
        return b"", []

    def do_now(self, node: FarNode, errand: Errand, kind: int, said: list[Any]) -> None:
        """Do what a handler does not wait for. If it cannot be done the handler would not have come further: what it emits after
        that is not heard, until it has met the error."""
        if errand.deferred is not None or errand.ended:
            return
        token = origin.set(errand.handling)
        try:
            if kind == frames.EMIT:
                errand.handling.emit(said[0], said[1])
            else:
                self._change(said[0], said[1], node)
        except Exception as error:
            errand.deferred = error
            node.link.send(frame(frames.ANSWER, errand.number, 0, b"e", TIME.pack(0.0), joined([far(error)])))
        finally:
            origin.reset(token)

    async def _uncrowd(self, handling: LocalHandling) -> None:
        await self._room(handling, handling.run.crowding.pop(handling, None))

    async def _ask(self, node: FarNode, errand: Errand, question: int, what: bytes) -> bytes:
        future = errand.asked[question] = self.run.loop.create_future()
        node.link.send(frame(frames.ASK, errand.number, question, what))
        told = await future
        if told.startswith(b"e"):
            raise near(told[1:])
        return bytes(told[1:])

    async def _ask_model(
        self, node: FarNode, errand: Errand, question: int, terms: Mapping[str, Any], asked: bytes
    ) -> tuple[bytes, list[bytes]]:
        number, name = terms["model"]
        handling = errand.handling
        if terms["how"] == "embed":
            return b"j", [EMBEDDINGS.dump_json(await self.manifest.models[number].embed(from_json(asked)))]
        request = read_request(asked)
        if number is None:
            model: Any = _ModelThere(
                name, PRICE.validate_python(terms["price"]), partial(self._ask, node, errand, question),
                partial(self._pieces, node, errand, question),
            )  # fmt: skip
        else:
            model = self.manifest.models[number]
        if terms["how"] == "alone":  # not on account of the run, as whoever calls the model itself
            return b"j", [COMPLETION.dump_json(await model.complete(request))]
        if terms["how"] == "complete":
            return b"j", [COMPLETION.dump_json(await handling.complete(model, request))]
        last: Completion | None = None
        async with aclosing(handling.stream(model, request)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Completion):
                    last = chunk
                else:
                    node.link.send(frame(frames.PIECE, errand.number, question, chunk.text.encode()))
        return b"j", [COMPLETION.dump_json(last)] if last is not None else []

    async def _pieces(self, node: FarNode, errand: Errand, question: int) -> AsyncIterator[Chunk]:
        """What a model says that is there, piece by piece."""
        pieces = errand.streams[question] = asyncio.Queue()
        try:
            node.link.send(frame(frames.ASK, errand.number, question, b"stream"))
            while True:
                piece = await pieces.get()
                if isinstance(piece, BaseException):
                    raise piece
                if piece[:1] == b"e":
                    raise near(piece[1:])
                if piece[:1] == b"t":
                    yield TextDelta(piece[1:].decode())
                else:
                    yield COMPLETION.validate_json(piece[1:])
                    return
        finally:
            del errand.streams[question]

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
            for seat in self._seats.values():  # who comes back lives where it did
                self._take_place(seat.agent)
        self.manifest.renew()
        for node in self.nodes:
            node.changed.add(number)

    def _tell_changes(self, node: FarNode) -> None:
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

    def _change(self, described: bytes, rolls: bytes, node: FarNode) -> None:
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
        for seat in self._seats.values():
            if seat.node is node:
                seat.worked = False
        node.hosts.gone(node.link)


def _calls_back(handling: LocalHandling) -> bool:
    """Whether somebody at home may hear what the agent emits: a callback, or whoever hears what a network makes of it."""
    if handling.agent._callbacks:
        return True
    place: Place | None = handling.place
    while place is not None and (network := place.network) is not None:
        if network._callbacks or type(network).boundary is not GenNetwork.boundary:
            return True
        place = place.parent
    return False


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


class Nobody:
    """Who sees to a message of which nothing is wanted yet."""

    detached: ClassVar[bool] = True
    task: ClassVar[None] = None


class Running:
    """What home needs of a run."""

    def __init__(self, run: LocalRun) -> None:
        assert run.engine is not None
        self.run = run
        self.loop = run.engine.loop
        self.id = run.id
        self.nobody = Nobody()

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


class _CallThere(OnNode):
    """A call to the outside that a node makes when it is told to."""

    def __init__(self, ask: Callable[[bytes], Coroutine[Any, Any, bytes]]) -> None:
        self._ask = ask

    async def __call__(self, key: str = "") -> object:
        return from_json(await self._ask(key.encode()))


class _ModelThere(OnNode):
    """A model that a node has, asked on account of the run."""

    def __init__(
        self,
        name: str,
        price: Price | None,
        ask: Callable[[bytes], Coroutine[Any, Any, bytes]],
        pieces: Callable[[], AsyncIterator[Chunk]],
    ) -> None:
        self.name, self.price = name, price
        self._ask, self._pieces = ask, pieces

    async def complete(self, request: Request) -> Completion:
        return COMPLETION.validate_json(await self._ask(b"complete"))

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        return self._pieces()


class _Everything(dict[Any, Any]):
    """In place of the handlers of a cell: one for messages of every name and class."""

    def get(self, key: Any, default: Any = None) -> Any:
        return self if isinstance(key, str) else self["*"]


def _everything(
    handle: Callable[[LocalHandling], None],
) -> dict[str, dict[type[Message], Handler]]:
    return _Everything({"*": Handler("*", "*", (Message,), handle, AWAY)})
