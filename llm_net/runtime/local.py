"""Runs in this event loop: how a message gets from one agent to another, and how a run begins and ends. Knows no wire.

How a message travels (benchmarks/README.md has what each step costs):

1. `Engine.post` stamps it, counts it, finds its way and puts it into the receiver's mailbox (a `Cell`).
2. The cell stands in one ready list for the whole loop, which one `call_soon` drains.
3. `Engine._serve` takes it, looks up the handler, and makes the handler's first step there and then. Most end with it.
   Those that wait get a task (`step.Body`).
4. What the handler returns or yields is posted; what it raises goes to the caller, else to supervision.
5. When nothing of a run is pending any more, the run ends.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from asyncio import AbstractEventLoop, Future, Task, _get_running_loop, current_task
from asyncio.tasks import _enter_task, _leave_task
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from inspect import isasyncgen, isawaitable, isgenerator
from math import inf
from random import Random
from time import perf_counter
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from llm_net.address import AbstractObject
from llm_net.base import Call, GenAgent, GenNetwork
from llm_net.chat import Chunk, Completion, Request, Usage
from llm_net.dispatch import ASYNC, ASYNC_GENERATOR, PLAIN, Handler
from llm_net.errors import (
    AgentFailed,
    AlreadyRunning,
    CallTimeout,
    Deadlock,
    Expired,
    ForgedSender,
    LimitReached,
    MailboxFull,
    NotHandling,
    NotUnderstood,
    RunCancelled,
    Unanswered,
    UnknownAddress,
)
from llm_net.event import Callback, Event
from llm_net.graph import ITSELF
from llm_net.limits import Limits
from llm_net.message import AbstractMessage, Message, Source, origin, stamp, unique_id
from llm_net.ports import Clock, DeadLetter, Model, Observation, Observer, Statistics, Status, World
from llm_net.runtime.budget import Budget
from llm_net.runtime.cell import Cell, Entry, waiting_ring
from llm_net.runtime.place import Place, Route
from llm_net.runtime.step import PARKED, Body, park
from llm_net.supervision import Directive, Failure, Retry

BUDGET = 256
"""Messages handled before the event loop gets its turn, for sockets and timers."""

TURN_SECONDS = 0.005
"""Time after which the event loop gets its turn whatever the number of messages."""

LOOP_HELD_SECONDS = 0.1
"""A step of a handler that takes longer is reported: it holds up everybody else."""

DEPTH = 16
"""How many calls deep a callee is stepped inside its caller; deeper ones take a turn of the loop."""


class LocalRuntime:
    """All agents in the event loop that enters the run.

    Args:
        seed: of `self.random` and, together with a clock, of all ids; None for a new one each run (see `run.seed`).
        clock: the time of day; None for the system's.

    In a simulated world seed, ids and times are the world's, unless they are given.
    """

    def __init__(self, *, seed: int | None = None, clock: Clock | None = None) -> None:
        self._seed = seed
        self._clock = clock

    def run(
        self, network: AbstractObject, root: Message | None, *, limits: Limits, observers: Sequence[Observer]
    ) -> LocalRun:
        """Prepare a run of this network (a GenNetwork, or one agent); nothing starts before it is entered."""
        if not isinstance(network, GenAgent):
            raise TypeError(f"only agents run, not {type(network).__name__}")
        loop = _get_running_loop()
        world = loop if isinstance(loop, World) else None
        seed, source, name = self._seed, None, None
        if seed is None and world is not None:
            seed, source = world.new_seed(), world
        if seed is not None:
            name = f"run-{seed:x}"
        else:
            seed = int.from_bytes(os.urandom(4), "big")
        if source is None and (name is not None or self._clock is not None):
            source = _OwnSource(f"{seed:x}", self._clock or world)
        return LocalRun(network, root, limits, tuple(observers), name or unique_id(), seed, source, world)


class _OwnSource:
    """Ids and times of a seeded run: the same again each time."""

    __slots__ = ("_clock", "_count", "_prefix")

    def __init__(self, prefix: str, clock: Clock | None) -> None:
        self._prefix = prefix
        self._clock = clock
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count:x}"

    def now(self) -> datetime:
        return datetime.now(UTC) if self._clock is None else self._clock.now()


class Waiter:
    """Somebody who waits for the reply to one message; alone, or with others in a tally."""

    __slots__ = ("caller", "done", "error", "future", "message", "receiver", "reply", "tally")

    caller: LocalHandling
    message: Message
    done: bool
    receiver: Cell | None  # None: somebody outside
    future: Future[None] | None  # what the caller waits on, if it has to
    reply: Message | None
    error: BaseException | None
    tally: Tally | None

    def end(self, reply: Message | None, error: BaseException | None = None) -> None:
        """The reply came, or never will."""
        if not self.done:
            self.done, self.reply, self.error = True, reply, error
            if self.tally is not None:
                self.tally.count(error is None)
            elif self.future is not None and not self.future.done():
                self.future.set_result(None)


class Tally:
    """Somebody who waits for so many of several replies: done when they are there, or cannot be any more."""

    __slots__ = ("done", "future", "open", "wanted")

    def __init__(self, open: int, wanted: int) -> None:
        self.open = open
        self.wanted = wanted
        self.done = wanted <= 0
        self.future: Future[None] | None = None

    def count(self, replied: bool) -> None:
        """One of them has an end."""
        self.open -= 1
        self.wanted -= replied
        if self.wanted <= 0 or self.open < self.wanted:
            self.done = True
            if self.future is not None and not self.future.done():
                self.future.set_result(None)


class LocalHandling:
    """What an agent can do while it handles a message. Each worker has one, and fills it anew for each message."""

    __slots__ = ("agent", "body", "cell", "depth", "heard", "message", "place", "run", "source")

    agent: GenAgent
    message: Message
    cell: Cell
    place: Place
    heard: Event | None
    depth: int

    def __init__(self, run: LocalRun, body: Body) -> None:
        self.run = run
        self.source: Source | None = run.source
        self.body = body

    @property
    def network(self) -> AbstractObject:
        place = self.place
        if place.network is self.agent and place.parent is not None:
            place = place.parent
        if place.network is None:
            raise NotHandling("network")
        return place.network

    @property
    def address(self) -> str:
        return self.place.address(self.agent)

    @property
    def random(self) -> Random:
        return self.run.random_of(self.address)

    def now(self) -> datetime:
        return datetime.now(UTC) if self.source is None else self.source.now()

    def _still(self) -> Engine:
        engine = self.run.engine
        if engine is None or self.run.over:
            raise RunCancelled("the run is over")
        return engine

    async def send(self, message: Message) -> None:
        engine = self._still()
        crowded = engine.post(self, message, None)
        if crowded is not None:
            await engine.room(self, crowded)

    async def call(self, message: Message, timeout: float | None) -> Message:
        engine = self.run.engine
        assert engine is not None
        waiter = engine.ask(self, message)
        if engine._ready and engine._left > 0 and engine.depth < DEPTH:
            engine.pump(waiter)
        if not waiter.done:
            await engine.answers(self, waiter, [waiter], timeout)
        if waiter.error is not None:
            raise waiter.error
        if waiter.reply is None:
            receiver = message.receiver
            raise CallTimeout(receiver.id if receiver is not None else "", message.method, timeout or 0.0)
        return waiter.reply

    async def gather(self, messages: Iterable[Message], k: int | None, timeout: float | None) -> list[Message]:
        engine = self._still()
        messages = list(messages)
        wanted = len(messages) if k is None else min(k, len(messages))
        tally = Tally(len(messages), wanted)
        waiters: list[Waiter] = []
        try:
            for message in messages:
                waiters.append(engine.ask(self, message, tally))
        except BaseException:
            engine.give_up(self.run, waiters)
            raise
        if engine._ready and engine._left > 0 and engine.depth < DEPTH:
            engine.pump(tally)
        await engine.answers(self, tally, waiters, timeout)
        replies = [waiter.reply for waiter in waiters if waiter.reply is not None]
        errors = [waiter.error for waiter in waiters if waiter.error is not None]
        if errors and len(replies) < wanted and len(waiters) - len(errors) < wanted:
            raise errors[0]
        return replies[:wanted] if k is not None else replies

    def emit(self, event: str, message: Message) -> None:
        self._still().emit(self, event, message)

    async def complete(self, model: Model, request: Request) -> Completion:
        reserved = self.run.reserve(request, model)
        began = perf_counter()
        used = Usage()
        try:
            answer, world = model.complete(request), self.run.world
            completion = await (answer if world is None else world.outside(answer))
            used = completion.usage
            return completion
        finally:
            self.run.spent(self, reserved, used, perf_counter() - began)

    async def stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]:
        reserved = self.run.reserve(request, model)
        began = perf_counter()
        used = Usage()
        chunks, world = model.stream(request), self.run.world
        if world is not None:
            chunks = _at_once(chunks, world)
        try:
            async for chunk in chunks:
                if isinstance(chunk, Completion):
                    used = chunk.usage
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
            self.run.spent(self, reserved, used, perf_counter() - began)


async def _at_once(chunks: AsyncIterator[Chunk], world: World) -> AsyncGenerator[Chunk]:
    """In a simulated world a stream takes no time: all of it is there, or nothing."""

    async def read() -> list[Chunk]:
        try:
            return [chunk async for chunk in chunks]
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    for chunk in await world.outside(read()):
        yield chunk


# ---------------------------------------------------------------------------------------------- the engine


class Engine:
    """What moves messages in one event loop: the cells of its agents and one list of those with something to do."""

    _of_loops: WeakKeyDictionary[AbstractEventLoop, Engine] = WeakKeyDictionary()

    __slots__ = (
        "__weakref__", "_asker", "_hooked", "_last", "_left", "_ready", "_scheduled", "_turn", "_until", "cells", "depth",
        "loop", "runs",
    )  # fmt: skip

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.cells: dict[int, Cell] = {}
        self.runs: set[LocalRun] = set()
        self.depth = 0
        self._ready: deque[Cell] = deque()
        self._scheduled = False
        self._asker: Waiter | Tally | None = None  # for whose reply messages are handled just now, inside its handler
        self._left = BUDGET  # messages that may be handled before the event loop has its turn
        self._turn = inf if isinstance(loop, World) else TURN_SECONDS  # in a world the order is not the machine's matter
        self._until = 0.0  # and the time by which it has it
        self._last = 0.0  # when the last step ended
        self._hooked = False  # whether any agent wants to hear of each message it receives

    @classmethod
    def here(cls) -> Engine:
        """The engine of the running event loop."""
        loop = asyncio.get_running_loop()
        engine = cls._of_loops.get(loop)
        if engine is None:
            engine = cls._of_loops[loop] = cls(loop)
        return engine

    @property
    def busy(self) -> bool:
        """Whether any agent has something to do."""
        return bool(self._ready)

    def cell_of(self, agent: GenAgent) -> Cell:
        """The cell of an agent, made when it is first needed."""
        cell = self.cells.get(id(agent))
        if cell is None:
            cell = self.cells[id(agent)] = Cell(agent)
        return cell

    # ------------------------------------------------------------------------------------------ sending

    def post(self, handling: LocalHandling, message: Message, waiter: Waiter | None) -> Cell | Tap | None:
        """Bring a message on its way. Gives what is full, if anything: then wait for `room`."""
        fields = message.__dict__
        agent, run = handling.agent, handling.run
        if (sender := fields["sender"]) is not agent:
            if sender is None:
                stamp(message, agent)
            elif sender != agent:
                raise ForgedSender(agent.id, sender.id)
        receiver = fields["receiver"]
        if (answered := fields["reply_to"]) is not None and run.waiters:
            asked = run.waiters.get(answered.__dict__["id"])
            if asked is not None and (receiver is asked.caller.agent or receiver == asked.caller.agent):
                if run.sent >= run.max_messages:
                    raise run.limit_reached("messages")
                run.sent += 1
                run.ended += 1
                del run.waiters[asked.message.__dict__["id"]]
                tap = run.show_taken(message, asked.caller.address) if run.watched else None
                asked.end(message)
                return tap
        if run.special and self._post_specially(handling, message):
            return None
        if receiver is None or receiver is run.outside:
            return run.deliver_outside(message, waiter)
        place = handling.place
        route = place.routes.get(id(receiver))
        if route is None or route.agent is not receiver:
            if place.network is None and receiver != agent:
                return run.deliver_outside(message, waiter)
            route = place.route(receiver)
        if handling.depth >= run.max_depth:
            raise run.limit_reached("depth")
        if (sent := run.sent + 1) > run.max_messages:
            raise run.limit_reached("messages")
        run.sent = sent
        cell = route.cell
        if waiter is not None:
            waiter.receiver = cell
            run.waiters[fields["id"]] = waiter
        if fields["deadline"] is not None:
            run.special = True
        tap = run.show(message, route.place.address(receiver)) if run.watched else None
        entry = (message, run, handling.depth + 1, route.place, None, (type(message), fields["method"]))
        queue = cell.queue
        if len(queue) >= cell.full:
            return self._put(cell, entry) or tap
        queue.append(entry)
        if not cell.queued and cell.active < cell.concurrency:
            cell.queued = True
            self._ready.append(cell)
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._drain)
        return tap

    def _put(self, cell: Cell, entry: Entry) -> Cell | None:
        """Put a message into a mailbox whatever it wants done when it is full. Gives the cell if it is full now."""
        queue = cell.queue
        if len(queue) >= cell.full and not self._make_room(cell, entry):
            return None
        queue.append(entry)
        if not cell.queued and cell.active < cell.concurrency:
            cell.queued = True
            self._ready.append(cell)
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._drain)
        return cell if len(queue) > cell.limit else None

    def _post_specially(self, handling: LocalHandling, message: Message) -> bool:
        """What a run wants that is over, or in which somebody gave up waiting or wants to hear of each message sent."""
        run, answered, agent = handling.run, message.reply_to, cast(GenAgent, handling.agent)
        if run.over:
            raise RunCancelled("the run is over")
        if agent._callbacks:
            run.call_back(agent, handling, agent._callbacks_of("sent"), Event("sent", message, agent.id))
        if answered is None or answered.id not in run.abandoned:
            return False
        run.count(1)
        receiver = message.receiver.id if message.receiver is not None else ""
        if run.watched:
            run.show(message, receiver)
        run.bury(message, receiver, CallTimeout(agent.id, answered.method, 0.0))
        return True

    def _make_room(self, cell: Cell, entry: Entry) -> bool:
        """What the mailbox wants done when it is full (or, to keep the latest, always). False: do not put it there."""
        queue, mailbox = cell.queue, type(cell.agent).mailbox
        message, run, place = entry[0], entry[1], entry[3]
        match mailbox.when_full:
            case "reject":
                if len(queue) >= cell.limit:
                    error = MailboxFull(place.address(cell.agent), cell.limit)
                    run.end_entry("rejected", message, place.address(cell.agent), error)
                    raise error
            case "drop_oldest":
                if len(queue) >= cell.limit:
                    old = queue.popleft()
                    address = old[3].address(cell.agent)
                    old[1].bury(old[0], address, MailboxFull(address, cell.limit))
            case "keep_latest":
                key = mailbox.key or _sender_and_method
                mine = key(message)
                for index, waiting in enumerate(queue):
                    if key(waiting[0]) == mine:
                        queue[index] = entry
                        address = waiting[3].address(cell.agent)
                        waiting[1].bury(waiting[0], address, MailboxFull(address, cell.limit))
                        return False
            case "wait":
                pass
        return True

    async def room(self, handling: LocalHandling, cell: Cell | Tap) -> None:
        """Wait until the mailbox of a cell has room again."""
        if len(cell.queue) <= cell.limit:
            return
        future: Future[None] = self.loop.create_future()
        self._block(handling, future, [cell])
        cell.room.append(future)
        try:
            await future
        finally:
            self._unblock(handling)

    def emit(self, handling: LocalHandling, name: str, message: Message) -> None:
        """Let everybody hear who listens, on each network outwards."""
        run, agent, place = handling.run, cast(GenAgent, handling.agent), handling.place
        sender = message.__dict__["sender"]
        if sender is None:
            stamp(message, agent)
        elif sender is not agent and sender != agent:
            raise ForgedSender(agent.id, sender.id)
        if agent._callbacks:
            run.call_back(agent, handling, agent._callbacks_of(name), Event(name, message, agent.id))
        if run.observers:
            run.observe("emitted", handling.address, message, event=name)
        heard_by = 0
        path = agent.id
        at: Place | None = place
        if place.network is agent:
            heard_by += self._tell(handling, place.listeners(ITSELF, name), Event(name, message, agent.id))
            at = place.parent
        while at is not None and at.network is not None:
            event = Event(name, message, path)
            heard_by += self._tell(handling, at.listeners(path, name), event)
            network = at.network
            if network._callbacks:
                run.call_back(network, handling, network._callbacks_of(name), event)
            passed = network.boundary(event)
            if passed is None:
                break
            name, message, path = passed.name, passed.message, f"{network.id}/{passed.path}"
            at = at.parent
        if heard_by and run.taps:
            run.tap(message)

    def _tell(self, handling: LocalHandling, routes: tuple[Route, ...], event: Event) -> int:
        run, message = handling.run, event.message
        if routes:
            if handling.depth >= run.max_depth:
                raise run.limit_reached("depth")
            run.count(len(routes))
        ready = self._ready
        place: Place | None = None
        entry: Entry | None = None
        for route in routes:
            cell = route.cell
            if route.place is not place:
                place = route.place
                entry = (message, run, handling.depth + 1, place, event, (type(message), event.name))
            assert entry is not None
            queue = cell.queue
            if len(queue) >= cell.full:
                if len(queue) >= 2 * cell.limit and cell.when_full == "wait":
                    raise MailboxFull(place.address(cell.agent), cell.limit)
                try:
                    if not self._make_room(cell, entry):
                        continue
                except MailboxFull:
                    continue  # this listener rejects; it was counted, and the speaker has done nothing wrong
                if cell.when_full == "wait":
                    run.crowding[handling] = cell
            queue.append(entry)
            if not cell.queued and cell.active < cell.concurrency:
                cell.queued = True
                ready.append(cell)
        if ready and not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._drain)
        if run.observers:
            for route in routes:
                run.observe("sent", route.place.address(route.agent), message, event=event.name)
        return len(routes)

    # ------------------------------------------------------------------------------------------ asking

    def ask(self, handling: LocalHandling, message: Message, tally: Tally | None = None) -> Waiter:
        """Post a message whose reply somebody waits for."""
        waiter = _make(Waiter)
        waiter.caller = handling
        waiter.message = message
        waiter.done = False
        waiter.receiver = waiter.future = waiter.reply = waiter.error = None
        waiter.tally = tally
        try:
            self.post(handling, message, waiter)
        except BaseException:
            handling.run.waiters.pop(message.id, None)
            raise
        return waiter

    def pump(self, asker: Waiter | Tally) -> None:
        """Go on with others inside the waiting handler: often the reply comes without a turn of the event loop."""
        loop = self.loop
        if (task := current_task(loop)) is None:
            return
        outer, self._asker = self._asker, asker
        self.depth += 1
        self._last = perf_counter()
        _leave_task(loop, task)
        try:
            self._serve()
        finally:
            _enter_task(loop, task)
            self.depth -= 1
            self._asker = outer

    async def answers(
        self, handling: LocalHandling, asker: Waiter | Tally, waiters: list[Waiter], timeout: float | None
    ) -> None:
        """Wait until who asks has the replies, or cannot have them, or time is over."""
        future = asker.future = self.loop.create_future()
        timer = None if timeout is None else self.loop.call_later(timeout, _set, future)
        try:
            if not asker.done:
                waiting = [waiter for waiter in waiters if not waiter.done]
                needed = not isinstance(asker, Tally) or asker.open <= asker.wanted  # each single one of them
                if needed and (not handling.body.detached or current_task(self.loop) is handling.body.task):
                    receivers = [one.receiver for one in waiting if one.receiver is not None]
                    self._block(handling, future, receivers, waiting)
                await future
        finally:
            self._unblock(handling)
            if timer is not None:
                timer.cancel()
            self.give_up(handling.run, waiters)

    def give_up(self, run: LocalRun, waiters: list[Waiter]) -> None:
        """Nobody waits for these any more: late replies go to the dead letters."""
        for waiter in waiters:
            if not waiter.done:
                run.waiters.pop(waiter.message.id, None)
                run.abandoned.add(waiter.message.id)
                run.special = True

    def _block(
        self,
        handling: LocalHandling,
        future: Future[None],
        receivers: Sequence[Cell | Tap],
        waiters: Sequence[Waiter] = (),
    ) -> None:
        """Note that a handler waits, unless that can never end."""
        cell, run = handling.cell, handling.run
        cells = tuple(receiver for receiver in receivers if isinstance(receiver, Cell))
        for receiver in cells:
            if (ring := waiting_ring(cell, receiver)) is not None:
                raise Deadlock(tuple(handling.place.address(member.agent) for member in ring))
        if cells:
            cell.waits[handling] = (future, cells)
        if cells or waiters:
            run.blocked[handling] = (future, waiters)
            if len(run.blocked) >= len(run.tasks):
                self.loop.call_soon(run.look)

    def _unblock(self, handling: LocalHandling) -> None:
        handling.cell.waits.pop(handling, None)
        handling.run.blocked.pop(handling, None)

    # ------------------------------------------------------------------------------------------ handling

    def _drain(self) -> None:
        """Serve cells until there are none, or the event loop should have its turn."""
        self._left = BUDGET
        self._last = perf_counter()
        self._until = self._last + self._turn
        if GenAgent.hooked and not self._hooked:
            self._hooked = True
            for run in self.runs:
                run.special = True
        try:
            self._serve()
        finally:
            self._left = BUDGET  # for calls out of tasks, until the next turn
            self._scheduled = bool(self._ready)
            if self._ready:
                self.loop.call_soon(self._drain)
            else:
                self._rest()

    def _rest(self) -> None:
        """Nothing is ready: have each run look whether anything can still happen in it."""
        for run in list(self.runs):
            if run.blocked:
                run.look()

    def _serve(self) -> None:
        """Let workers take messages from the cells that are ready, each worker until one of its handlers waits."""
        ready, loop, asker = self._ready, self.loop, self._asker
        while ready and self._left > 0 and (asker is None or not asker.done):
            cell = ready[0]
            if not cell.queue:
                ready.popleft().queued = False
                continue
            run: LocalRun = cell.queue[0][1]
            body = run.idle.pop() if run.idle else self._new_worker(run)
            _enter_task(loop, body.task)
            try:
                waits_for = body.context.run(body.coroutine.send, None)
            except StopIteration:
                body.retire()
                continue
            except BaseException:
                body.retire()
                raise
            finally:
                _leave_task(loop, body.task)
            if waits_for is PARKED:
                run.idle.append(body)
                continue
            run.tasks.add(body.detach(waits_for))
            handling = cast(LocalHandling, body.context[origin])
            if handling.cell.queue and handling.cell.active < handling.cell.concurrency:
                self._wake(handling.cell)
            now = perf_counter()
            if now > self._until:
                self._late(handling, now)
            self._last = now

    def _new_worker(self, run: LocalRun) -> Body:
        body = Body(self.loop, run.context.copy())
        handling = LocalHandling(run, body)
        body.context.run(origin.set, handling)
        body.coroutine = self._work(run, body, handling)
        return body

    async def _work(self, run: LocalRun, body: Body, handling: LocalHandling) -> None:
        """A worker: handles messages of one run, one after the other.

        It is stepped where there is something to do, with its task as the current one. If a handler waits, the task takes the
        worker over, and it ends with that handler; others have gone on meanwhile. It also ends after a handler that left a
        context variable set: the next one must not see it.

        The hottest loop of all: nothing here is called that could be written out (benchmarks/README.md, W1 to W4).
        """
        ready = self._ready
        clean = copy_context()
        while True:
            while ready and self._left > 0 and ((asker := self._asker) is None or not asker.done):
                cell = ready[0]
                queue, agent = cell.queue, cell.agent
                if queue and queue[0][1] is not run:
                    break  # for a worker of another run
                ready.popleft()
                cell.queued = False
                while queue and cell.active < cell.concurrency and self._left > 0:
                    entry = queue[0]
                    if entry[1] is not run:
                        break
                    queue.popleft()
                    self._left -= 1
                    if cell.room and len(queue) <= cell.limit // 2:
                        cell.make_room()
                    message, _, depth, place, heard, key = entry
                    handling.agent = agent
                    handling.message = message
                    handling.cell = cell
                    handling.place = place
                    handling.heard = heard
                    handling.depth = depth
                    if run.special and self._begin_specially(handling, entry):
                        continue
                    cell.active += 1
                    handler = cell.handlers.get(key)
                    try:
                        if handler is None:
                            value = await self._long_way(handling, key)
                        elif (colour := handler.colour) == ASYNC:
                            value = await handler.function(agent, message)
                        elif colour == PLAIN:
                            value = handler.function(agent, message)
                        elif colour == ASYNC_GENERATOR:
                            value = await self._drive_async(handling, handler.function(agent, message))
                        else:
                            value = await self._drive(handling, handler.function(agent, message))
                        if value is not None:
                            if isinstance(value, AbstractMessage):
                                full = self.post(handling, cast(Message, value), None)
                                if full is not None:
                                    await self.room(handling, full)
                            else:
                                await self._send_value(handling, value)
                        if run.crowding:
                            await self._uncrowd(handling)
                    except BaseException as error:
                        self._failed(handling, error)
                        if not isinstance(error, (Exception, asyncio.CancelledError)):
                            raise
                    else:
                        if run.observers:
                            run.observe("handled", handling.address, message)
                        cell.active -= 1
                        run.ended += 1
                        if run.sent == run.ended - run.spare:
                            run.look()
                    if body.detached:
                        run.tasks.discard(body.task)
                        if queue:
                            self._wake(cell)
                        if not ready:
                            self._rest()
                        return
                    now = perf_counter()
                    if now > self._until:
                        self._late(handling, now)
                    self._last = now
                    if copy_context() != clean:
                        if queue:
                            self._wake(cell)
                        return
                    if asker is not None and asker.done:
                        break
                if queue and cell.active < cell.concurrency:
                    self._wake(cell)
            await park()

    async def _long_way(self, handling: LocalHandling, key: tuple[type[Message], str]) -> object:
        """A message of a kind that this class of agents has not had before, or something else than an everyday step: an
        agent's start, a message that nobody takes, a handler in a thread."""
        cell, agent, message = handling.cell, handling.agent, handling.message
        handler = cell.table.find(*key)
        if handler is None and handling.heard is not None:  # an event without a handler of its name: by the message's own
            handler = cell.table.find(key[0], message.method)
        if not cell.started:
            cell.started = True
            handling.run.started.append(agent)
            await agent.astart()
        if handler is not None and handler.blocking:
            in_context = partial(copy_context().run, handler.function, agent, message)
            return await self.loop.run_in_executor(handling.run.threads(), in_context)
        if handler is None:
            return agent.missing(message)
        cell.handlers = cell.table.everyday  # of all agents of its class
        cell.handlers[key] = handler
        return handler.function(agent, message)

    def _begin_specially(self, handling: LocalHandling, entry: Entry) -> bool:
        """What a run wants that is over, observed, or has deadlines. True if the message came to its end by that."""
        run, cell, message = handling.run, handling.cell, handling.message
        if run.over:
            run.end_entry("cancelled", message, handling.address)
            return True
        if (message.deadline is not None or run.abandoned) and run.expired(entry, cell):
            return True
        run.show_start(handling)
        if run.over:  # an observer or a callback ended it
            run.end_entry("cancelled", message, handling.address)
        return run.over

    def _late(self, handling: LocalHandling, now: float) -> None:
        """Let the event loop have its turn: time is up. Say who took it, if one step did."""
        self._left = 0
        if now - self._last > LOOP_HELD_SECONDS:
            handling.run.report_held(handling, now - self._last)

    async def _send_value(self, handling: LocalHandling, value: object) -> None:
        """Send what a handler returned that is not a message: it may be, or make, several."""
        if isgenerator(value):
            await self._drive(handling, value)
        elif isasyncgen(value):
            await self._drive_async(handling, value)
        else:
            await self._send_item(handling, await value if isawaitable(value) else value)

    async def _send_item(self, handling: LocalHandling, item: object) -> None:
        """Send what a handler yielded or returned: a message, several, or nothing."""
        if isinstance(item, AbstractMessage):
            crowded = self.post(handling, cast(Message, item), None)
            if crowded is not None:
                await self.room(handling, crowded)
        elif isinstance(item, (list, tuple)):
            for each in item:
                await self._send_item(handling, each)
        elif item is not None:
            raise TypeError(f"a handler yields or returns messages, not {type(item).__name__}: {item!r:.80}")

    async def _drive(self, handling: LocalHandling, generator: Generator[object, object, object]) -> None:
        """Run a plain generator: send what it yields, answer its calls."""
        step: Callable[[Any], object] = generator.send
        value: object = None
        try:
            while True:
                try:
                    item = step(value)
                except StopIteration as stop:
                    await self._send_item(handling, stop.value)
                    return
                step, value = generator.send, None
                try:
                    if isinstance(item, AbstractMessage):
                        crowded = self.post(handling, cast(Message, item), None)
                        if crowded is not None:
                            await self.room(handling, crowded)
                    elif isinstance(item, Call):
                        value = await handling.call(item.message, item.timeout)
                    elif item is not None:
                        await self._send_item(handling, item)
                    if handling.run.crowding:
                        await self._uncrowd(handling)
                except Exception as error:  # it is for the generator to mend, where it stands
                    step, value = generator.throw, error
        finally:
            generator.close()

    async def _drive_async(self, handling: LocalHandling, generator: AsyncGenerator[object]) -> None:
        """Run an async generator: send what it yields."""
        try:
            following: Awaitable[object] = generator.__anext__()
            while True:
                try:
                    item = await following
                except StopAsyncIteration:
                    return
                try:
                    if isinstance(item, AbstractMessage):
                        crowded = self.post(handling, cast(Message, item), None)
                        if crowded is not None:
                            await self.room(handling, crowded)
                    elif item is not None:
                        await self._send_item(handling, item)
                    if handling.run.crowding:
                        await self._uncrowd(handling)
                except Exception as error:  # it is for the generator to mend, where it stands
                    following = generator.athrow(error)
                else:
                    following = generator.__anext__()
        finally:
            await generator.aclose()

    async def _uncrowd(self, handling: LocalHandling) -> None:
        crowded = handling.run.crowding.pop(handling, None)
        if crowded is not None:
            await self.room(handling, crowded)

    # ------------------------------------------------------------------------------------------ endings

    def _wake(self, cell: Cell) -> None:
        if not cell.queued:
            cell.queued = True
            self._ready.append(cell)
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._drain)

    def _failed(self, handling: LocalHandling, error: BaseException) -> None:
        """A handler raised: tell its caller, else let its network decide."""
        run, cell, message = handling.run, handling.cell, handling.message
        if run.over:
            run.end_entry("cancelled", message, handling.address, error)
        elif not isinstance(error, (Exception, asyncio.CancelledError)):  # Ctrl-C and the like
            run.finish("failed", error)
            run.end_entry("failed", message, handling.address, error)
        elif not run.tell_caller(handling, error):
            delay = run.supervise(handling, error)
            if delay is not None:
                run.retry_later(handling, delay)
                return  # the agent is kept busy until then
        cell.active -= 1
        if cell.queue:
            self._wake(cell)

    def again(self, cell: Cell, entry: Entry) -> None:
        """Let an agent that was kept busy handle the same message once more."""
        cell.active -= 1
        cell.queue.appendleft(entry)
        self._wake(cell)


_make = object.__new__


def _set(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _sender_and_method(message: Message) -> object:
    return (message.sender, message.method)


# ---------------------------------------------------------------------------------------------- runs


class Tap:
    """The messages that one reader of a run has not read yet; a slow reader slows those who send."""

    __slots__ = ("arrived", "limit", "queue", "room")

    def __init__(self) -> None:
        self.queue: deque[Message] = deque()
        self.limit = 1_000
        self.room: list[Future[None]] = []
        self.arrived: Future[None] | None = None

    def wake(self) -> None:
        """Tell the reader that there is something to read, or nothing more to come."""
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    def make_room(self) -> None:
        """Tell the senders that there is room again."""
        for future in self.room:
            if not future.done():
                future.set_result(None)
        self.room.clear()


UNLIMITED = 1 << 62

KEPT_DEAD_LETTERS = 1_000


class LocalRun:
    """A run in this event loop: see `ports.Run`. `seed` is the one it was given or made."""

    __slots__ = (
        "_attempts", "_began", "_budget", "_closing", "_dead", "_ended", "_ends", "_error", "_held", "_may_restart", "_randoms",
        "_retries", "_seconds", "_status", "_threads", "_ticking", "_timers", "_told", "abandoned", "agent", "blocked", "idle",
        "context", "crowding", "ended", "engine", "id", "limits", "max_depth", "max_messages", "observers", "open",
        "outside", "over", "place", "result", "root", "seed", "sent", "source", "spare", "special", "started", "taps",
        "tasks", "waiters", "watched", "world",
    )  # fmt: skip

    def __init__(
        self,
        agent: GenAgent,
        root: Message | None,
        limits: Limits,
        observers: tuple[Observer, ...],
        id: str,
        seed: int,
        source: Source | None,
        world: World | None,
    ) -> None:
        self.id = id
        self.seed = seed
        self.source = source
        self.world = world
        self.agent = agent
        self.limits = limits
        self.observers = observers
        self.root = root
        self.open = root is None  # more may come from outside
        self.outside: AbstractObject | None = None
        self.engine: Engine | None = None
        self.place = Place(agent if isinstance(agent, GenNetwork) else None, None, "", self._cell_of)
        # hot
        self.over = False
        self.watched = bool(observers)
        self.special = bool(observers)  # over, observed, or with deadlines: more to do for each message
        self.sent = 0
        self.ended = 0
        self.spare = 0  # callbacks under way: nothing is pending when sent == ended - spare
        self.max_messages = UNLIMITED if limits.messages is None else limits.messages
        self.max_depth = UNLIMITED if limits.depth is None else limits.depth
        self.context: Context = copy_context()
        self.waiters: dict[str, Waiter] = {}
        self.blocked: dict[LocalHandling, tuple[Future[None], Sequence[Waiter]]] = {}
        self.abandoned: set[str] = set()
        self.idle: list[Body] = []  # workers with nothing to do
        self.crowding: dict[LocalHandling, Cell] = {}  # who emitted more than a listener can take
        # cold
        self.result: Message | None = None
        self.taps: list[Tap] = []
        self.tasks: set[Task[Any]] = set()
        self.started: list[GenAgent] = []
        self._ends: Counter[str] = Counter()
        self._dead: deque[DeadLetter] = deque(maxlen=KEPT_DEAD_LETTERS)
        self._budget = Budget(limits)
        self._status: Status = "running"
        self._error: BaseException | None = None
        self._told = False
        self._attempts: Counter[tuple[int, str]] = Counter()
        self._retries: dict[asyncio.TimerHandle, tuple[Cell, Entry]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._randoms: dict[str, Random] = {}
        self._may_restart = False  # whether any network may ask for it: then states are copied at the start
        self._threads: ThreadPoolExecutor | None = None
        self._held: set[tuple[type, str]] = set()
        self._ended = asyncio.Event()
        self._closing: Task[None] | None = None
        self._ticking: set[tuple[int, str]] = set()
        self._began = 0.0
        self._seconds: float | None = None

    # ------------------------------------------------------------------------------------------ what a user sees

    @property
    def status(self) -> Status:
        return self._status

    @property
    def usage(self) -> Usage:
        return self._budget.used

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """The last 1,000 of them; `statistics().dead` counts all."""
        return tuple(self._dead)

    def statistics(self) -> Statistics:
        ends = self._ends
        return Statistics(
            sent=self.sent,
            handled=self.ended - ends.total(),
            failed=ends["failed"],
            expired=ends["expired"],
            cancelled=ends["cancelled"],
            rejected=ends["rejected"],
            dead=ends["dead"],
            pending=self.sent - self.ended,
            usage=self.usage,
            seconds=self._seconds if self._seconds is not None else perf_counter() - self._began,
        )

    async def wait(self) -> Message | None:
        await self._ended.wait()
        if self._error is not None:
            self._told = True
            raise self._error
        return self.result

    async def send(self, message: Message) -> None:
        if self.engine is None or self.over:
            raise RunCancelled("the run is not running")
        crowded = self._post_from_outside(message)
        while crowded is not None and len(crowded.queue) > crowded.limit and not self.over:
            future: Future[None] = self.engine.loop.create_future()
            crowded.room.append(future)
            await future

    def cancel(self) -> None:
        self.finish("cancelled", None)

    def __aiter__(self) -> AsyncIterator[Message]:
        tap = Tap()
        self.taps.append(tap)
        self.watched = True
        return self._messages(tap)

    async def _messages(self, tap: Tap) -> AsyncGenerator[Message]:
        queue = tap.queue
        try:
            while True:
                while queue:
                    message = queue.popleft()
                    if tap.room and len(queue) <= tap.limit // 2:
                        tap.make_room()
                    yield message
                if self._ended.is_set():
                    break
                tap.arrived = asyncio.get_running_loop().create_future()
                await tap.arrived
            await self.wait()
        finally:
            self.taps.remove(tap)
            self.watched = bool(self.observers or self.taps)
            tap.make_room()

    async def __aenter__(self) -> Self:
        if self.engine is not None:
            raise RuntimeError("a run is entered once; make another with network.run(…)")
        engine = Engine.here()
        held = _running.setdefault(id(self.agent), (engine, set()))
        if held[0] is not engine:
            raise AlreadyRunning(self.agent.id)
        held[1].add(self)
        self.engine = engine
        engine.runs.add(self)
        self._began = perf_counter()
        self._watch()
        if self.limits.seconds is not None:
            self._timers.add(engine.loop.call_later(self.limits.seconds, self.limit_reached, "seconds"))
        if self.root is not None:
            try:
                self._post_from_outside(self.root)
            except BaseException:
                self.finish("failed", None)
                await self._ended.wait()
                raise
            engine.loop.call_soon(self.look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.finish("cancelled", None)
        elif self.open:
            self.open = False
            self.look()
        while not self._ended.is_set():
            try:
                await self._ended.wait()
            except asyncio.CancelledError:
                self.finish("cancelled", None)
                await self._ended.wait()
                raise
        if error is None and self._error is not None and not self._told:
            raise self._error

    # ------------------------------------------------------------------------------------------ from and to the outside

    def _post_from_outside(self, message: Message) -> Cell | None:
        engine = self.engine
        assert engine is not None
        receiver = message.receiver
        if message.sender is not None:
            self.outside = message.sender
        place = self.place
        if receiver is None or place.network is None:
            route = Route(self.agent, engine.cell_of(self.agent), place)
        else:
            route = place.route(receiver)
        if message.reply_to is not None and (asked := self.waiters.pop(message.reply_to.id, None)) is not None:
            self.count(1)
            self.ended += 1
            if self.watched:
                self.show_taken(message, asked.caller.address, tapped=False)
            asked.end(message)
            return None
        return self._deliver(message, route)

    def _deliver(self, message: Message, route: Route) -> Cell | None:
        """Put a message that no handler sent into a mailbox."""
        assert self.engine is not None
        self.count(1)
        if self.watched:
            self.show(message, route.place.address(route.agent), tapped=False)
        if message.deadline is not None:
            self.special = True
        # No message caused it.
        return self.engine._put(route.cell, (message, self, 1, route.place, None, (type(message), message.method)))

    def deliver_outside(self, message: Message, waiter: Waiter | None) -> Tap | None:
        """Give a message to whoever started the run."""
        self.count(1)
        self.ended += 1
        self.result = message
        if waiter is not None:
            self.waiters[message.id] = waiter
        return self.show_taken(message, "") if self.watched else None

    # ------------------------------------------------------------------------------------------ counting

    def count(self, deliveries: int) -> None:
        """Count deliveries. Raises LimitReached, and ends the run, before they would be too many."""
        if self.sent + deliveries > self.max_messages:
            raise self.limit_reached("messages")
        self.sent += deliveries

    def limit_reached(self, limit: str) -> LimitReached:
        """End the run at one of its limits."""
        error = LimitReached(limit, str(getattr(self.limits, limit)))
        self.finish("limited", error)
        return error

    def reserve(self, request: Request, model: Model) -> tuple[int, Any]:
        """Set aside what a call of a model may use."""
        try:
            return self._budget.reserve(request, model.price)
        except LimitReached as error:
            self.finish("limited", error)
            raise

    def spent(self, handling: LocalHandling, reserved: tuple[int, Any], used: Usage, seconds: float) -> None:
        """Count what a call of a model used."""
        self._budget.settle(reserved, used)
        if self.observers:
            self.observe("model", handling.address, handling.message, usage=used, seconds=seconds)

    def settle(self, ended: int) -> None:
        """So many deliveries came to their end."""
        self.ended += ended
        if self.sent == self.ended - self.spare:
            self.look()

    def look(self) -> None:
        """End the run if nothing is pending; end the waits if nothing but waiting is left."""
        if self.over or self.open:
            return
        if self.sent == self.ended - self.spare:
            self.finish("done", None)
        elif self.blocked and len(self.tasks) <= len(self.blocked):
            self._end_waits()

    def _end_waits(self) -> None:
        """All handlers wait for each other: tell those whose answer can no longer come."""
        assert self.engine is not None
        may_go_on = self.engine.busy or self._retries or self._ticking
        # Who waits since last is the likeliest to have been answered: chains of calls end at once here.
        if may_go_on or any(future.done() for future, _ in reversed(self.blocked.values())):
            return
        asked: list[tuple[LocalHandling, Waiter]] = []
        held: set[str] = set()  # questions that somebody still has, though he waits himself
        for handling, (_, waiters) in self.blocked.items():
            held.update(message.id for message in handling.message.thread())
            held.update(entry[0].id for entry in handling.cell.queue)
            asked.extend((handling, waiter) for waiter in waiters if not waiter.done)
        open_ones = [(handling, waiter) for handling, waiter in asked if waiter.message.id not in held]
        ring = tuple(handling.address for handling in self.blocked)
        for handling, waiter in open_ones or asked:
            receiver = waiter.message.receiver.id if waiter.message.receiver is not None else ""
            self.waiters.pop(waiter.message.id, None)
            waiter.end(None, Unanswered(handling.address, receiver, waiter.message.method) if open_ones else Deadlock(ring))

    # ------------------------------------------------------------------------------------------ telling

    def show(self, message: Message, address: str, *, tapped: bool = True) -> Tap | None:
        """Tell readers and observers of a message on its way. Gives a reader's tap if it is full."""
        if self.observers:
            self.observe("sent", address, message)
        return self.tap(message) if tapped and self.taps else None

    def show_taken(self, message: Message, address: str, *, tapped: bool = True) -> Tap | None:
        """Tell of a message that goes to who waits for it, not to a mailbox: a reply, or one to the outside."""
        tap = self.show(message, address, tapped=tapped)
        if self.observers:
            self.observe("handled", address, message)
        return tap

    def tap(self, message: Message) -> Tap | None:
        """Give a message to the readers."""
        full = None
        for tap in self.taps:
            tap.queue.append(message)
            tap.wake()
            if len(tap.queue) > tap.limit:
                full = tap
        return full

    def show_start(self, handling: LocalHandling) -> None:
        """Tell that an agent begins to handle a message."""
        if self.observers:
            self.observe("started", handling.address, handling.message)
        agent = cast(GenAgent, handling.agent)
        if agent._callbacks:
            event = Event("receive", handling.message, agent.id)
            self.call_back(agent, handling, agent._callbacks_of("receive"), event)

    def observe(
        self,
        kind: Any,
        address: str,
        message: Message | None = None,
        *,
        event: str | None = None,
        error: BaseException | None = None,
        usage: Usage | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Tell the observers."""
        observation = Observation(kind, self.id, address, message, event, error, usage, seconds)
        for observer in self.observers:
            try:
                observer.observe(observation)
            except Exception as failed:
                failed.add_note(f"raised by the observer {observer!r}")
                self.observers = tuple(other for other in self.observers if other is not observer)
                self.finish("failed", failed)

    def call_back(self, agent: GenAgent, handling: LocalHandling, callbacks: Iterable[Callback], event: Event) -> None:
        """Let callbacks hear an event: all of them, whatever one raises."""
        for callback in callbacks:
            try:
                result = callback(event)
            except Exception as error:
                self._callback_failed(handling.address, handling.message, event, error)
            else:
                if isawaitable(result):
                    self._in_background(handling, event, result)

    def _in_background(self, handling: LocalHandling, event: Event, result: Awaitable[None]) -> None:
        assert self.engine is not None
        address, message = handling.address, handling.message

        async def hear() -> None:
            try:
                await result
            except Exception as error:
                self._callback_failed(address, message, event, error)

        def ended(task: Task[None]) -> None:
            self.tasks.discard(task)
            self.spare -= 1
            self.look()

        self.spare += 1
        task = self.engine.loop.create_task(hear(), context=self.context.copy())
        self.tasks.add(task)
        task.add_done_callback(ended)

    def _callback_failed(self, address: str, message: Message, event: Event, error: Exception) -> None:
        error.add_note(f"raised by a callback on {event.name!r} of {event.path!r}")
        self.finish("failed", _failure(address, message, error))

    def report_held(self, handling: LocalHandling, seconds: float) -> None:
        """Warn once of a handler that holds up the event loop."""
        kind, method = type(handling.agent), handling.message.method
        if (kind, method) not in self._held:
            self._held.add((kind, method))
            try:
                warnings.warn(
                    f"{kind.__name__} {handling.agent.id!r} held the event loop for {seconds:.2f} s while it handled {method!r}; "
                    "make its handler async and await, or mark a plain one with @blocking",
                    RuntimeWarning,
                    stacklevel=2,
                )
            except RuntimeWarning as error:  # whoever makes warnings errors wants to see it, not a broken engine
                self.finish("failed", error)

    # ------------------------------------------------------------------------------------------ other ends than handled

    def end_entry(self, kind: str, message: Message, address: str, error: BaseException | None = None) -> None:
        """Count a delivery that came to another end than being handled."""
        self._ends[kind] += 1
        if self.observers:
            self.observe(kind, address, message, error=error)
        self.settle(1)

    def bury(self, message: Message, address: str, reason: BaseException) -> None:
        """Put a message to the dead letters."""
        self._dead.append(DeadLetter(message, address, reason))
        if (waiter := self.waiters.pop(message.id, None)) is not None:
            waiter.end(None, reason)
        self.end_entry("dead", message, address, reason)

    def expired(self, entry: Entry, cell: Cell) -> bool:
        """End a delivery whose time is over: its deadline passed, or whoever called for it gave up."""
        message, place = entry[0], entry[3]
        now = datetime.now(UTC) if self.source is None else self.source.now()
        if message.id not in self.abandoned and (message.deadline is None or message.deadline > now):
            return False
        error = Expired(place.address(cell.agent), message.method)
        if (waiter := self.waiters.pop(message.id, None)) is not None:
            waiter.end(None, error)
        self.end_entry("expired", message, error.address, error)
        return True

    def tell_caller(self, handling: LocalHandling, error: BaseException) -> bool:
        """Raise an error where somebody waits for the reply. False if nobody does."""
        waiter = self.waiters.get(handling.message.id)
        if waiter is None or waiter.receiver is not handling.cell:
            return False
        del self.waiters[handling.message.id]
        waiter.end(None, _failure(handling.address, handling.message, error))
        self.end_entry("failed", handling.message, handling.address, error)
        return True

    # ------------------------------------------------------------------------------------------ supervision

    def supervise(self, handling: LocalHandling, error: BaseException) -> float | None:
        """Let the networks decide about a failure, from the inside out. Gives the seconds until the next try, if any."""
        message, address = handling.message, handling.address
        attempt = self._attempts[id(handling.cell), message.id] + 1
        failure = Failure(handling.agent, address, message, error, attempt)
        place: Place | None = handling.place
        if place is not None and place.network is handling.agent:
            place = place.parent
        while place is not None and place.network is not None:
            try:
                directive: Directive = place.network.supervise(failure)
            except Exception as raised:
                error = raised
                break
            if isinstance(directive, Retry):
                helps = not directive.transient_only or getattr(error, "transient", False)
                if attempt <= directive.times and helps:
                    self._attempts[id(handling.cell), message.id] = attempt
                    return directive.delay * directive.factor ** (attempt - 1)
                directive = directive.then
            if directive == "restart":
                self._restart(handling)
            if directive in ("restart", "skip"):
                self.bury(message, address, error)
                return None
            if directive == "stop":
                break
            place = place.parent
        self.finish("failed", _failure(handling.address, handling.message, error))  # first: the last message to end would end the run as done
        self.end_entry("failed", message, address, error)
        return None

    def retry_later(self, handling: LocalHandling, delay: float) -> None:
        """Handle the same message again after a delay; until then the agent is busy with it."""
        engine, message, cell = self.engine, handling.message, handling.cell
        assert engine is not None
        if self.observers:
            self.observe("retried", handling.address, message, seconds=delay)
        method = handling.heard.name if handling.heard is not None else message.method
        entry = (message, self, handling.depth, handling.place, handling.heard, (type(message), method))

        def again() -> None:
            self._retries.pop(timer, None)
            engine.again(cell, entry)

        timer = engine.loop.call_later(delay, again)
        self._retries[timer] = cell, entry

    def _restart(self, handling: LocalHandling) -> None:
        state = handling.cell.state
        if state is not None:
            handling.agent.__dict__.update(deepcopy(state))

    # ------------------------------------------------------------------------------------------ life

    def _cell_of(self, agent: GenAgent) -> Cell:
        assert self.engine is not None
        cell = self.engine.cell_of(agent)
        if self._may_restart and cell.state is None:
            cell.state = _state(agent)
        return cell

    def _watch(self) -> None:
        """Listen to changes of the network and those inside, and let their clocks tick."""
        assert self.engine is not None
        seen: set[int] = set()
        places = [self.place]
        for place in places:
            network = place.network
            if network is None:
                self._tick(self.agent, place)
                continue
            if id(network) in seen:
                continue
            seen.add(id(network))
            rule = network.supervision
            if "restart" in (rule, getattr(rule, "then", None)) or type(network).supervise is not GenNetwork.supervise:
                self._may_restart = True
            self._tick(network, place)
            network._graph.watchers[self] = self._changed
            for agent in network._graph.periodic.values():
                self._tick(agent, place)
            places.extend(place.inner(inner) for inner in network._graph.networks.values())

    def _changed(self) -> None:
        """A network changed: find ways anew, hear new networks, bury what waits for those who left."""
        assert self.engine is not None
        self.place.forget()
        if self.over:
            return
        self._watch()
        for cell in list(self.engine.cells.values()):
            gone = [entry for entry in cell.queue if entry[1] is self and not _lives(cell.agent, entry[3])]
            for entry in gone:
                cell.queue.remove(entry)
                address = entry[3].address(cell.agent)
                self.bury(entry[0], address, UnknownAddress(address, self.agent.id))

    def _tick(self, agent: GenAgent, place: Place) -> None:
        """Start the periodic handlers of an agent, once."""
        engine = self.engine
        assert engine is not None
        for handler in type(agent).handlers.periodic():
            if (key := (id(agent), handler.name)) in self._ticking:
                continue
            self._ticking.add(key)

            def tick(handler: Handler = handler, key: tuple[int, str] = key) -> None:
                if self.over or not _lives(agent, place):
                    self._ticking.discard(key)
                    return
                cell = engine.cell_of(agent)
                if not any(entry[0].method == handler.method and entry[0].sender is None for entry in cell.queue):
                    with suppress(MailboxFull, LimitReached):  # both are counted; nobody is there to be told
                        message = self._made(handler.kinds[0], method=handler.method, receiver=agent, role="system")
                        self._deliver(message, Route(agent, cell, place))
                if self.over:
                    return
                self._timers.add(engine.loop.call_later(handler.every or 1.0, tick))
                self._timers = {timer for timer in self._timers if not timer.cancelled() and timer.when() > engine.loop.time()}

            self._timers.add(engine.loop.call_later(handler.every or 1.0, tick))

    def _made(self, kind: type[Message], **fields: Any) -> Message:
        """A message of the run itself."""
        if self.source is not None:
            fields.update(id=self.source.new_id(), created_at=self.source.now())
        return kind(**fields)

    def random_of(self, address: str) -> Random:
        """The random numbers of an agent: of the seed and its address."""
        random = self._randoms.get(address)
        if random is None:
            random = self._randoms[address] = Random(f"{self.seed}/{address}")
        return random

    def threads(self) -> ThreadPoolExecutor:
        """Where blocking handlers run."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(thread_name_prefix="llm_net")
        return self._threads

    def finish(self, status: Status, error: BaseException | None) -> None:
        """End the run: only the first time counts."""
        engine = self.engine
        if self.over or engine is None:
            return
        self.over = self.special = True
        self._status, self._error = status, error
        for timer in self._timers:
            timer.cancel()
        for waiter in list(self.waiters.values()):
            waiter.end(None, RunCancelled())
        self.waiters.clear()
        for timer, (cell, entry) in list(self._retries.items()):
            timer.cancel()
            engine.again(cell, entry)  # to be cancelled with the rest, below
        self._retries.clear()
        for cell in engine.cells.values():
            if any(entry[1] is self for entry in cell.queue):
                left = [entry for entry in cell.queue if entry[1] is self]
                kept = [entry for entry in cell.queue if entry[1] is not self]
                cell.queue.clear()
                cell.queue.extend(kept)
                for entry in left:
                    self.end_entry("cancelled", entry[0], entry[3].address(cell.agent))
                cell.make_room()
        current = current_task(engine.loop) if self.tasks else None
        for task in self.tasks:
            if task is not current:
                task.cancel()
        self._closing = engine.loop.create_task(self._close(engine))

    async def _close(self, engine: Engine) -> None:
        while tasks := self.tasks - {current_task()}:
            await asyncio.wait(tasks)
        for agent in self.started:
            try:
                await agent.astop()
            except Exception as error:
                error.add_note(f"raised by astop of {agent.id!r}")
                if self._error is None:
                    self._status, self._error = "failed", error
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._unwatch()
        engine.runs.discard(self)
        for agent in self.started:
            if (cell := engine.cells.get(id(agent))) is not None:
                cell.started = False
                cell.handlers = {}
        if not engine.runs:
            engine.cells.clear()
        workers = {body.task for body in self.idle}
        self.idle.clear()
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)
        runs = _running[id(self.agent)][1]
        runs.discard(self)
        if not runs:
            del _running[id(self.agent)]
        self._seconds = perf_counter() - self._began
        if self.observers:
            self.observe("ended", self.agent.id, error=self._error, usage=self.usage, seconds=self._seconds)
        self._ended.set()
        for tap in self.taps:
            tap.wake()

    def _unwatch(self) -> None:
        networks = [self.agent] if isinstance(self.agent, GenNetwork) else []
        seen: set[int] = set()
        for network in networks:
            if id(network) not in seen:
                seen.add(id(network))
                network._graph.watchers.pop(self, None)
                networks.extend(cast(Iterable[GenNetwork], network._graph.networks.values()))


_running: dict[int, tuple[Engine, set[LocalRun]]] = {}
"""Which event loop runs a network now: agents hold no lock, so two loops must not run one at once."""


def _failure(address: str, message: Message, error: BaseException) -> BaseException:
    """What others see of an error: the agent, the message and the cause, unless it names them itself."""
    if isinstance(error, (NotUnderstood, Deadlock, Unanswered)):
        return error
    if isinstance(error, AgentFailed):  # of whom it called: the first of them says it, however long the chain
        reason = error.reason if isinstance(error.__cause__, AgentFailed) else str(error)
    else:
        reason = f"{type(error).__name__}: {error}"
    failed = AgentFailed(address, message.method, message.id, reason)
    failed.__cause__ = error
    return failed


def _lives(agent: GenAgent, place: Place) -> bool:
    network = place.network
    if network is None or (network is agent and place.parent is None):
        return True
    if network is agent:
        place = cast(Place, place.parent)
        network = cast(GenNetwork, place.network)
    return network._graph.members.get(agent.id) is agent and (place.parent is None or _lives(network, place))


def _state(agent: GenAgent) -> dict[str, Any]:
    """A copy of an agent's fields; what cannot be copied (a client, a lock) is shared."""
    state: dict[str, Any] = {}
    for name, value in agent.__dict__.items():
        try:
            state[name] = deepcopy(value)
        except Exception:  # noqa: BLE001 - anything may refuse to be copied
            state[name] = value
    return state
