"""How messages move between the agents of one event loop: posted, handled, answered. Knows no wire.

1. `Engine.post` stamps a message, counts it, finds its way and puts it into the receiver's mailbox (a `Cell`).
2. The cell stands in one ready list for the whole loop, which one `call_soon` drains.
3. A worker (`Engine._work`) takes it, looks up the handler and awaits it. Most handlers never wait; for those that do, the
   worker's task takes over (`step.Body`).
4. What the handler returns or yields is posted; what it raises goes to the caller, else to supervision.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import AbstractEventLoop, Future
from asyncio.tasks import _enter_task, _leave_task
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Sequence,
)
from contextvars import copy_context
from functools import partial
from inspect import isasyncgen, isawaitable, isgenerator
from itertools import islice
from math import inf
from time import perf_counter
from typing import Any, cast
from weakref import WeakValueDictionary

from llm_net.address import AbstractObject, Reference
from llm_net.base import Call, GenAgent, GenNetwork
from llm_net.dispatch import ASYNC, ASYNC_GENERATOR, GENERATOR, PLAIN
from llm_net.errors import (
    BrokenRule,
    CallTimeout,
    Deadlock,
    DeliveryError,
    Diverged,
    ForgedSender,
    InDoubt,
    JournalFailed,
    MailboxFull,
    NotResumable,
    RunCancelled,
    UnknownAddress,
)
from llm_net.event import Event
from llm_net.graph import ITSELF
from llm_net.message import ANY_MESSAGE, Message, fields_of, id_of, origin, stamp
from llm_net.ports import World
from llm_net.record import Sent
from llm_net.runtime.cell import Cell, Entry, waiting_ring
from llm_net.runtime.handling import Aside, LocalHandling
from llm_net.runtime.past import route_to
from llm_net.runtime.pauses import PAUSES
from llm_net.runtime.place import Place, Route
from llm_net.runtime.recorder import ROOM, Step
from llm_net.runtime.run import LocalRun
from llm_net.runtime.step import PARKED, Body, park
from llm_net.runtime.waiting import Tally, Tap, Waiter

if sys.version_info >= (3, 12):
    from asyncio import current_task
else:  # not yet written in C: 0.07 µs, where this takes 0.02
    from asyncio.tasks import _current_tasks  # type: ignore[attr-defined]  # typeshed leaves it out

    current_task = _current_tasks.get

BUDGET = 256
"""Messages handled before the event loop gets its turn, for sockets and timers."""

TURN_SECONDS = 0.005
"""Time after which the event loop gets its turn whatever the number of messages."""

LOOP_HELD_SECONDS = 0.1
"""A step of a handler that takes longer is reported: it holds up everybody else."""


class Engine:
    """What moves messages in one event loop: the cells of its agents and one list of those with something to do."""

    _of_loops: WeakValueDictionary[int, Engine] = WeakValueDictionary()
    """By the id of the loop, which lives as long as its engine; and the engine as long as its runs."""

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
        self._turn = (
            inf if isinstance(loop, World) else TURN_SECONDS
        )  # in a world the order is not the machine's matter
        self._until = 0.0  # and the time by which it has it
        self._last = 0.0  # when the last step ended
        self._hooked = False  # whether any agent wants to hear of each message it receives

    @classmethod
    def here(cls) -> Engine:
        """The engine of the running event loop."""
        loop = asyncio.get_running_loop()
        engine = cls._of_loops.get(id(loop))
        if engine is None:
            engine = cls._of_loops[id(loop)] = cls(loop)
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
        fields = fields_of(message)
        agent, run = handling.agent, handling.run
        if fields["sender"] is not agent:
            _stamp(message, handling)
        place = handling.place
        if place.monitors:
            if run.recorder is None and not run.abandoned:
                run.hold_to_rules(message, place, run.now)
            else:
                self._hold_to_rules(handling, message)
        if run.special and self._post_specially(handling, message, waiter):
            return None
        receiver = fields["receiver"]
        if (answered := fields["reply_to"]) is not None and run.waiters:
            # Nobody waits for the answer to a message whose id nobody has asked for.
            asked = run.waiters.get(fields_of(answered).get("id", ""))
            if asked is not None and (
                receiver is asked.caller.agent or (type(receiver) is Reference and receiver == asked.caller.agent)
            ):
                if run.sent >= run.max_messages:
                    raise run.limit_reached("messages")
                run.sent += 1
                run.ended += 1
                del run.waiters[asked.message.id]
                tap = run.show_taken(handling, message, asked.caller.address) if run.watched else None
                if asked.tally is None and asked.future is None and not asked.done:
                    asked.done, asked.reply = True, message  # `end`, written out: 0.06 µs less
                else:
                    asked.end(message)
                return tap
        if receiver is None or receiver is run.outside:
            return run.deliver_outside(handling, message, waiter)
        route = place.routes.get(id(receiver))
        if route is None or route.agent is not receiver:
            if place.network is None and receiver == agent:  # to itself, where nobody else is
                route = Route(agent, handling.cell, place)
            elif place.network is None or (type(receiver) is Reference and receiver.id in run.outsiders):
                return run.deliver_outside(handling, message, waiter)
            else:
                route = self._find(handling, message, receiver)
        if handling.depth >= run.max_depth:
            raise run.limit_reached("depth")
        if (sent := run.sent + 1) > run.max_messages:
            raise run.limit_reached("messages")
        run.sent = sent
        cell = route.cell
        if waiter is not None:
            waiter.receiver = cell
            run.waiters[id_of(fields)] = waiter
        if fields.get("deadline") is not None:
            run.special = True
        tap, number = run.show(handling, message, route.place.address(route.agent)) if run.watched else (None, 0)
        entry = (message, run, handling.depth + 1, route.place, None, fields["method"], number)
        queue = cell.queue
        if len(queue) >= cell.full:
            try:
                return self.put(cell, entry) or tap
            except MailboxFull as full:
                self._not_sent(handling, message, full)
                raise
        queue.append(entry)
        if not cell.queued and cell.active < cell.concurrency:
            cell.queued = True
            self._ready.append(cell)
            if not self._scheduled:
                self._scheduled = True
                self.loop.call_soon(self._drain)
        return tap

    def put(self, cell: Cell, entry: Entry) -> Cell | None:
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

    def _hold_to_rules(self, handling: LocalHandling, message: Message) -> None:
        """Let monitors see what is about to be sent. Raises BrokenRule."""
        run, step, now = handling.run, handling.step, handling.run.now
        if run.is_late(message):
            return  # nobody will hear it: it goes to the dead letters
        if run.recorder is not None:
            if run.recorder.has_not_sent(message.id):
                return  # as it was when this was done before: `_was_sent` tells that again
            if step is not None and step.is_behind:
                now = lambda: message.created_at  # noqa: E731 - it was in time then
        try:
            run.hold_to_rules(message, handling.place, now)
        except BrokenRule as broken:
            self._not_done(handling, message.id, broken)
            raise

    def _post_specially(self, handling: LocalHandling, message: Message, waiter: Waiter | None) -> bool:
        """What a run wants that is over or recorded, or in which somebody gave up waiting or wants to hear of each message
        sent. True if the message came to its end by that, or is on its way already."""
        run, answered, agent = handling.run, message.reply_to, handling.agent
        if run.over:
            raise RunCancelled("the run is over")
        if (step := handling.step) is not None:
            if step.streams and waiter is None:
                step.waiting.append(partial(self.post, handling, message, None))
                return True
            if self._was_sent(handling, step, message, waiter):
                return True
        if agent._callbacks:
            run.call_back(agent, handling, agent._callbacks_of("sent"), Event("sent", message, agent.id))
        if answered is None or not run.is_late(message):
            return False
        run.count(1)
        receiver = message.receiver.id if message.receiver is not None else ""
        _, number = run.show(handling, message, receiver) if run.watched else (None, 0)
        run.bury(message, receiver, CallTimeout(agent.id, answered.method, 0.0), number=number)
        return True

    def _was_sent(self, handling: LocalHandling, step: Step, message: Message, waiter: Waiter | None) -> bool:
        """Whether a step that is repeated has sent this before. Then who waits for the reply gets what came of it. Raises
        what was raised then."""
        run, recorder, agent = handling.run, handling.run.recorder, handling.agent
        assert recorder is not None
        error = recorder.could_not_send(message.id)
        sent = step.past_post(message, error)
        if sent is not None:
            step.posts += 1
            recorder.come_again(sent, message)
            if step.replays and agent._callbacks:
                run.call_back(agent, handling, agent._callbacks_of("sent"), Event("sent", message, agent.id))
        if error is not None:
            raise error
        if sent is None:
            return False
        if waiter is not None:
            if (reply := recorder.reply_to(message.id)) is not None:
                for monitor in handling.place.monitors:
                    monitor.admit(reply, lambda: reply.created_at)  # it was right when it was sent
                waiter.end(reply)
            elif (refusal := recorder.refusals.get(message.id)) is not None:
                waiter.end(None, refusal)
            elif (reason := recorder.early.pop(message.id, None)) is not None:
                run.refuse(waiter, reason)
            elif not step.replays:  # else the record knows of no answer
                if sent.waits:
                    waiter.receiver = self._receiver_of(handling, sent)
                run.waiters[message.id] = waiter
        return True

    def _receiver_of(self, handling: LocalHandling, sent: Sent) -> Cell:
        try:
            return route_to(handling.run, sent.receiver).cell
        except UnknownAddress:  # it left, or has yet to come
            return Cell(handling.agent)

    def _find(self, handling: LocalHandling, message: Message, receiver: AbstractObject) -> Route:
        try:
            return handling.place.route(receiver)
        except DeliveryError as error:
            self._not_sent(handling, message, error)
            raise

    def _not_sent(self, handling: LocalHandling, message: Message, error: BaseException) -> None:
        """Sending this raised an error: no conversation went on by it, and a repetition of the step is to meet it too."""
        for monitor in handling.place.monitors:
            monitor.retract(message)
        self._not_done(handling, message.id, error)

    def _not_done(self, handling: LocalHandling, what: str, error: BaseException) -> None:
        """Note an error that a repetition of the step is to meet too."""
        if handling.run.recorder is not None:
            handling.run.recorder.not_sent(handling.step, what, error)

    def _make_room(self, cell: Cell, entry: Entry) -> bool:
        """What the mailbox wants done when it is full (or, to keep the latest, always). False: do not put it there."""
        queue, mailbox = cell.queue, type(cell.agent).mailbox
        message, run, place = entry[0], entry[1], entry[3]
        begun = 0  # those that an earlier life of the run began to handle only stand in the queue
        if run.recorder is not None and run.recorder.past:
            begun = sum(run.recorder.has_begun(entry[6]) for entry in islice(queue, cell.concurrency))
        match mailbox.when_full:
            case "reject":
                if len(queue) - begun >= cell.limit:
                    error = MailboxFull(place.address(cell.agent), cell.limit, "reject")
                    run.end_entry("rejected", message, place.address(cell.agent), error, number=entry[6])
                    raise error
            case "drop_oldest":
                if len(queue) - begun >= cell.limit:
                    old = queue[begun]
                    del queue[begun]
                    address = old[3].address(cell.agent)
                    full = MailboxFull(address, cell.limit, "drop_oldest")
                    old[1].bury(old[0], address, full, number=old[6])
            case "keep_latest":
                key = mailbox.key or _sender_and_method
                mine = key(message)
                for index, waiting in enumerate(queue):
                    if index >= begun and key(waiting[0]) == mine:
                        queue[index] = entry
                        address = waiting[3].address(cell.agent)
                        full = MailboxFull(address, cell.limit, "keep_latest")
                        waiting[1].bury(waiting[0], address, full, number=waiting[6])
                        return False
            case "wait":
                pass
        return True

    async def room(self, handling: LocalHandling, cell: Cell | Tap | BaseException) -> None:
        """Wait until the mailbox of a cell has room again; or meet what was met when this was done before."""
        if isinstance(cell, BaseException):
            raise cell
        if len(cell.queue) <= cell.limit:
            return
        future: Future[None] = self.loop.create_future()
        try:
            self._block(handling, future, [cell])
        except Deadlock as deadlock:
            if (step := handling.step) is not None:
                self._not_done(handling, step.last, deadlock)
            raise
        cell.room.append(future)
        try:
            await future
        finally:
            self._unblock(handling)

    def emit(self, handling: LocalHandling, name: str, message: Message) -> None:
        """Let everybody hear who listens, on each network outwards."""
        run, agent, place = handling.run, handling.agent, handling.place
        if message.sender is not agent:
            _stamp(message, handling)
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
        if heard_by and run.taps and (full := run.tap(message)) is not None:
            run.crowding.setdefault(handling, full)

    def _tell(self, handling: LocalHandling, routes: tuple[Route, ...], event: Event) -> int:
        run, message = handling.run, event.message
        if (step := handling.step) is not None:
            if step.streams:
                step.waiting.append(partial(self._tell, handling, routes, event))
                return len(routes)
            routes = self._untold(handling, step, routes, event)
        if routes:
            if handling.depth >= run.max_depth:
                raise run.limit_reached("depth")
            run.count(len(routes))
        ready, watched = self._ready, run.watched
        refused: Route | None = None
        place: Place | None = None
        entry: Entry | None = None
        for route in routes:
            cell = route.cell
            if route.place is not place:
                place = route.place
                entry = (message, run, handling.depth + 1, place, event, event.name, 0)
            assert entry is not None  # both are set with the first
            assert place is not None
            queue = cell.queue
            full = len(queue) >= cell.full
            if full and cell.when_full == "wait" and len(queue) >= 2 * cell.limit:
                refused = route
                break
            if watched:
                tap, number = run.show(handling, message, place.address(cell.agent), event=event)
                if number:
                    entry = (message, run, handling.depth + 1, place, event, event.name, number)
                    if tap is not None:
                        run.crowding.setdefault(handling, tap)
            if full:
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
        if refused is not None:
            run.sent -= len(routes) - routes.index(refused)  # it, and those after it, were not told
            error = MailboxFull(refused.place.address(refused.agent), refused.cell.limit)
            self._not_done(handling, message.id, error)
            raise error
        return len(routes)

    def _untold(
        self, handling: LocalHandling, step: Step, routes: tuple[Route, ...], event: Event
    ) -> tuple[Route, ...]:
        """Those of the listeners whom a step that is repeated has not told in its earlier life: nobody, if it went on then
        with something else, whoever listens by now. Raises what was raised then."""
        recorder = handling.run.recorder
        assert recorder is not None
        told: set[str] = set()
        for sent in step.past_heard(event):
            step.posts += 1
            recorder.come_again(sent, event.message)
            told.add(sent.receiver)
        if (room := recorder.could_not_send(event.message.id + ROOM)) is not None:
            handling.run.crowding[handling] = room
        if not step.tells_more(event.message) and (error := recorder.could_not_send(event.message.id)) is not None:
            raise error
        if step.is_behind:
            return ()
        return tuple(route for route in routes if route.place.address(route.agent) not in told) if told else routes

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
        if waiter.done and isinstance(waiter.error, (CallTimeout, Deadlock)):  # it is known from the record
            handling.run.waiters.pop(message.id, None)
            handling.run.abandoned.add(message.id)
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
                if not handling.body.detached or current_task(self.loop) is handling.body.task:
                    receivers: list[Cell] = []
                    if isinstance(asker, Tally) and asker.least < asker.wanted:  # none of them is needed
                        waiting = self._without_rings(handling, waiting)
                    if not isinstance(asker, Tally) or asker.open <= asker.wanted:  # each single one of them is needed
                        receivers = [one.receiver for one in waiting if one.receiver is not None]
                    if not asker.done:
                        self._block(handling, future, receivers, waiting)
                if not asker.done:
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
                waiter.release()
                if run.recorder is not None:
                    run.recorder.abandoned(waiter.caller.step, waiter.message)

    def _without_rings(self, handling: LocalHandling, waiters: list[Waiter]) -> list[Waiter]:
        """Those who can answer. Of the others, who themselves wait for who asks, no answer is awaited."""
        waiting: list[Waiter] = []
        for waiter in waiters:
            ring = None if waiter.receiver is None else waiting_ring(handling.cell, waiter.receiver)
            if ring is None:
                waiting.append(waiter)
            else:
                self.give_up(handling.run, [waiter])
                deadlock = Deadlock(tuple(handling.place.address(member.agent) for member in ring))
                handling.run.refuse(waiter, deadlock)
        return waiting

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
                deadlock = Deadlock(tuple(handling.place.address(member.agent) for member in ring))
                if run.recorder is not None:
                    for waiter in waiters:
                        run.recorder.refused(waiter.caller.step, waiter.message, deadlock)
                raise deadlock
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
                waits_for = body.step()
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
            run.tasks[body.detach(waits_for)] = None
            if run.over:  # this very handler ended it
                body.task.cancel()
            handling = cast(LocalHandling, body.context[origin])
            if handling.cell.queue and handling.cell.active < handling.cell.concurrency:
                self._wake(handling.cell)
            now = perf_counter()
            if now > self._until:
                self._late(handling, now)
            self._last = now

    def _new_worker(self, run: LocalRun) -> Body:
        body = Body(self.loop, run.context.copy(), self)
        handling = LocalHandling(self, run, body)
        body.context.run(origin.set, handling)
        body.begin(self._work(run, body, handling))
        return body

    async def _work(self, run: LocalRun, body: Body, handling: LocalHandling) -> None:
        """A worker: handles messages of one run, one after the other.

        It is stepped where there is something to do, with its task as the current one. If a handler waits, the task takes the
        worker over, and it ends with that handler; others have gone on meanwhile. It also ends after a handler that left a
        context variable set, or its task cancelled: the next one must not see it.

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
                    message, _, depth, place, heard, name, _ = entry
                    handling.agent = agent
                    handling.message = message
                    handling.cell = cell
                    handling.place = place
                    handling.heard = heard
                    handling.depth = depth
                    if run.special and self._begin_specially(handling, entry):
                        continue
                    cell.active += 1
                    named = cell.handlers.get(name)
                    handler = None if named is None else named.get(type(message))
                    try:
                        if handler is None:
                            value = await self._long_way(handling, name)
                        elif (colour := handler.colour) == ASYNC:
                            value = await handler.function(agent, message)
                        elif colour == PLAIN:
                            value = handler.function(agent, message)
                        elif colour == ASYNC_GENERATOR:
                            value = None
                            await self._drive_async(handling, handler.function(agent, message))
                        elif colour == GENERATOR:
                            value = None
                            await self._drive(handling, handler.function(agent, message))
                        else:  # it lives elsewhere: `done` or `failed` is called when it has ended there
                            run.aloof += 1
                            handler.function(handling.copy())
                            continue
                        if value is not None:
                            if isinstance(value, ANY_MESSAGE):
                                full = self.post(handling, value, None)
                                if full is not None:
                                    await self.room(handling, full)
                            else:
                                await self._send_value(handling, value)
                        if run.crowding:
                            await self._uncrowd(handling)
                    except BaseException as error:
                        self.failed(handling, error)
                        if not isinstance(error, (Exception, asyncio.CancelledError)):
                            raise
                    else:
                        if run.watched:
                            run.handled(handling)
                        cell.active -= 1
                        run.ended += 1
                        if run.sent == run.ended - run.spare:
                            run.look()
                    if body.detached:
                        run.tasks.pop(body.task, None)
                        if queue:
                            self._wake(cell)
                        if not ready:
                            self._rest()
                        return
                    now = perf_counter()
                    if now > self._until:
                        self._late(handling, now)
                    self._last = now
                    if copy_context() != clean or body.task.cancelling():
                        if queue:
                            self._wake(cell)
                        return
                    if asker is not None and asker.done:
                        break
                if queue and cell.active < cell.concurrency:
                    self._wake(cell)
            await park()

    async def _long_way(self, handling: LocalHandling, name: str) -> Any:
        """A message of a kind that this class of agents has not had before, or something else than an everyday step: an
        agent's start, a message that nobody takes, a handler in a thread."""
        cell, agent, message = handling.cell, handling.agent, handling.message
        handler = cell.table.find(type(message), name)
        if (
            handler is None and handling.heard is not None
        ):  # an event without a handler of its name: by the message's own
            handler = cell.table.find(type(message), message.method)
        while not cell.started:
            await self._start(handling)
        if handler is not None and handler.blocking:
            aside = Aside(handling)
            value = await handling.run.in_thread(partial(aside.in_context, handler.function))
            for event, said in aside.emitted:
                self.emit(handling, event, said)
            return value
        if handler is None:
            return agent.missing(message)
        cell.handlers = cell.table.everyday  # of all agents of its class
        cell.handlers.setdefault(name, {})[type(message)] = handler
        return handler.function(agent, message)

    async def _start(self, handling: LocalHandling) -> None:
        """Start an agent, or wait for another of its handlers that is at it."""
        cell = handling.cell
        if cell.starting is not None:
            await asyncio.wait([cell.starting])
            return
        cell.starting = self.loop.create_future()
        try:
            await handling.agent.astart()
            cell.started = True
            handling.run.started.append(handling.agent)
        finally:
            cell.starting.set_result(None)
            cell.starting = None

    def _begin_specially(self, handling: LocalHandling, entry: Entry) -> bool:
        """What a run wants that is over, observed, or has deadlines. True if the message came to its end by that."""
        run, cell, message = handling.run, handling.cell, handling.message
        if run.over:
            run.end_entry("cancelled", message, handling.address)
            return True
        if run.recorder is not None and run.recorder.park(entry[6], partial(self.again, cell, entry)):
            cell.active += 1  # it keeps the agent busy
            return True
        begun = run.recorder is not None and run.recorder.has_begun(entry[6])  # then it goes on, late as it may be
        if (fields_of(message).get("deadline") or run.abandoned) and not begun and run.expired(entry, cell):
            return True
        if run.recorder is not None:
            handling.source = handling.step = run.recorder.begin(handling, entry[6])
        run.tick_begins(message)
        run.show_start(handling)
        if run.over:  # an observer or a callback ended it
            run.end_entry("cancelled", message, handling.address)
        return run.over

    def _late(self, handling: LocalHandling, now: float) -> None:
        """Let the event loop have its turn: time is up. Say who took it, if one step did."""
        self._left = 0
        self._report(handling, now - self._last)

    def _report(self, handling: LocalHandling, seconds: float) -> None:
        """Say who held up the loop; the collector's pauses are not a handler's fault."""
        if seconds > LOOP_HELD_SECONDS and (own := seconds - PAUSES.since(self._last)) > LOOP_HELD_SECONDS:
            handling.run.report_held(handling, own)

    def step_begins(self) -> None:
        """A handler goes on that had waited."""
        self._last = perf_counter()

    def step_ends(self, body: Body) -> None:
        """It waits again, or has ended: say so if it took too long."""
        taken = perf_counter() - self._last
        if taken > LOOP_HELD_SECONDS and self._turn < inf:
            self._report(cast(LocalHandling, body.context[origin]), taken)

    async def _send_value(self, handling: LocalHandling, value: object) -> None:
        """Send what a handler returned that is not a message: it may be, or make, several."""
        if isgenerator(value):
            await self._drive(handling, value)
        elif isasyncgen(value):
            await self._drive_async(handling, value)
        else:
            await self._send_item(handling, await value if isawaitable(value) else value)

    async def _send_item(self, handling: LocalHandling, item: Any) -> None:
        """Send what a handler yielded or returned: a message, several, or nothing."""
        if isinstance(item, ANY_MESSAGE):
            crowded = self.post(handling, item, None)
            if crowded is not None:
                await self.room(handling, crowded)
        elif isinstance(item, (list, tuple)):
            for each in item:
                await self._send_item(handling, each)
        elif item is not None:
            raise TypeError(f"a handler yields or returns messages, not {type(item).__name__}: {item!r:.80}")

    async def _drive(self, handling: LocalHandling, generator: Generator[Any, Any, Any]) -> None:
        """Run a plain generator: send what it yields, answer its calls."""
        step: Callable[[Any], object] = generator.send
        value: Any = None
        try:
            while True:
                try:
                    item = step(value)
                except StopIteration as stop:
                    await self._send_item(handling, stop.value)
                    return
                step, value = generator.send, None
                try:
                    if isinstance(item, ANY_MESSAGE):
                        crowded = self.post(handling, item, None)
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

    async def _drive_async(self, handling: LocalHandling, generator: AsyncGenerator[Any, Any]) -> None:
        """Run an async generator: send what it yields."""
        try:
            following: Awaitable[object] = generator.__anext__()
            while True:
                try:
                    item = await following
                except StopAsyncIteration:
                    return
                try:
                    if isinstance(item, ANY_MESSAGE):
                        crowded = self.post(handling, item, None)
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

    def done(self, handling: LocalHandling) -> None:
        """A message was handled well elsewhere."""
        run, cell = handling.run, handling.cell
        if run.watched:
            run.handled(handling)
        cell.active -= 1
        run.ended += 1
        if run.sent == run.ended - run.spare:
            run.look()
        if cell.queue:
            self._wake(cell)
        if run.blocked and len(run.blocked) >= len(run.tasks) + run.aloof:
            self.loop.call_soon(run.look)

    def failed(self, handling: LocalHandling, error: BaseException) -> None:
        """A handler raised: tell its caller, else let its network decide."""
        run, cell, message = handling.run, handling.cell, handling.message
        run.crowding.pop(handling, None)
        if run.over:
            run.end_entry("cancelled", message, handling.address, error)
        elif isinstance(error, (Diverged, JournalFailed, NotResumable)) or not isinstance(
            error, (Exception, asyncio.CancelledError)
        ):  # no network can mend that: the record is wrong, or Ctrl-C was pressed
            run.finish("failed", error)
            run.end_entry("failed", message, handling.address, error)
        elif isinstance(error, InDoubt) or not run.tell_caller(handling, error):  # no caller can settle that
            delay = run.supervise(handling, error)
            if delay is not None:
                run.retry_later(handling, delay)
                return  # the agent is kept busy until then
        cell.active -= 1
        if cell.queue:
            self._wake(cell)

    def bring_back(self, cell: Cell, entry: Entry) -> None:
        """Put a message into the mailbox in which it was before."""
        cell.queue.append(entry)
        self._wake(cell)

    def again(self, cell: Cell, entry: Entry) -> None:
        """Let an agent that was kept busy handle the same message once more."""
        cell.active -= 1
        cell.queue.appendleft(entry)
        self._wake(cell)


_make = object.__new__


def _stamp(message: Message, handling: LocalHandling) -> None:
    """Write the sender on a message that does not name somebody else: a namesake of the agent is somebody else too."""
    sender, agent = message.sender, handling.agent
    if sender is not None:
        network = handling.run.agent
        if sender != agent or (isinstance(network, GenNetwork) and any(one is sender for _, one in network.walk())):
            raise ForgedSender(agent.id, sender.id)
    stamp(message, agent)


def _set(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _sender_and_method(message: Message) -> object:
    return (message.sender, message.method)
