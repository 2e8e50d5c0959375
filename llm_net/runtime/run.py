"""One run: its accounts, its limits, its failures, its beginning and its end. Knows what moves its messages by a few words.

A run ends when nothing of it is pending. Each delivery is counted when it is sent, and once more when it comes to its end; a run
in which all that is left is waiting ends the waits.
"""

from __future__ import annotations

import asyncio
import warnings
from asyncio import AbstractEventLoop, Future, Task
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from inspect import isawaitable, iscoroutine
from random import Random
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

from llm_net.address import AbstractObject
from llm_net.base import SHARED, GenAgent, GenNetwork
from llm_net.chat import Request, Usage
from llm_net.dispatch import Handler
from llm_net.errors import (
    AgentFailed,
    AgentRemoved,
    AlreadyRunning,
    BrokenRule,
    Deadlock,
    Expired,
    JournalFailed,
    LimitReached,
    MailboxFull,
    NotUnderstood,
    RunCancelled,
    Unanswered,
)
from llm_net.event import Callback, Event
from llm_net.limits import Limits
from llm_net.message import Message, Source
from llm_net.ports import DeadLetter, Journal, Model, Observation, Observer, Past, Statistics, Status, World
from llm_net.runtime.budget import Budget
from llm_net.runtime.cell import Cell, Entry
from llm_net.runtime.past import opened
from llm_net.runtime.place import Place, Route
from llm_net.runtime.recorder import Recorder, Step
from llm_net.runtime.step import Body
from llm_net.runtime.waiting import Handled, Tap, Waiter
from llm_net.supervision import Directive, Failure, Retry


class Machine(Protocol):
    """What a run asks of the engine of its event loop."""

    loop: AbstractEventLoop
    cells: dict[int, Cell]
    runs: set[LocalRun]

    @property
    def busy(self) -> bool:
        """Whether any agent has something to do."""
        ...

    def cell_of(self, agent: GenAgent) -> Cell:
        """The cell of an agent, made when it is first needed."""
        ...

    def put(self, cell: Cell, entry: Entry) -> Cell | None:
        """Put a message into a mailbox. Gives the cell if it is full now."""
        ...

    def again(self, cell: Cell, entry: Entry) -> None:
        """Let an agent that was kept busy handle the same message once more."""
        ...

    def bring_back(self, cell: Cell, entry: Entry) -> None:
        """Put a message into the mailbox in which it was before."""
        ...


class Away(Protocol):
    """The agents of a run that live on other nodes."""

    def settle(self, run: LocalRun) -> None:
        """Take their places: from now on their messages wait for `begin`."""
        ...

    async def begin(self) -> None:
        """Have them made there. Raises PlaceError."""
        ...

    async def end(self) -> None:
        """Take their state back, and leave the nodes."""
        ...

    def reset(self, agent: GenAgent) -> None:
        """An agent begins anew, with the state that it has here."""
        ...

    def waiting(self, agent: GenAgent) -> Iterable[Message]:
        """What waits for an agent at its node."""
        ...

    def cancel(self) -> None:
        """The run is over: what is being handled elsewhere is cancelled. Makes tasks of the run for it."""
        ...


UNLIMITED = 1 << 62

KEPT_DEAD_LETTERS = 1_000


class LocalRun:
    """A run in this event loop: see `ports.Run`. `seed` is the one it was given or made."""

    __slots__ = (
        "_attempts", "_away", "_began", "_budget", "_closing", "_dead", "_ended", "_ends", "_entered_by", "_error",
        "_failing", "_held", "_journal", "_machine", "_may_restart", "_randoms", "_retries", "_seconds", "_senders", "_status",
        "_threads", "_ticking", "_ticks", "_timers", "_told", "_watching", "_working", "abandoned", "agent", "aloof",
        "blocked", "context", "crowding", "ended", "engine", "id", "idle", "limits", "max_depth", "max_messages",
        "observers", "open", "outside", "outsiders", "over", "past", "place", "recorder", "result", "root", "seed",
        "sent", "source", "spare", "special", "started", "taps", "tasks", "waiters", "watched", "world",
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
        machine: Callable[[], Machine],
        journal: Journal | None = None,
        past: Past | None = None,
        away: Away | None = None,
    ) -> None:
        self.id = id
        self._away = away
        self.seed = seed
        self.source = source
        self.world = world
        self._machine = machine
        self.agent = agent
        self.limits = limits
        self.observers = observers
        self.root = root
        self.open = root is None and past is None  # more may come from outside
        self.outside: AbstractObject | None = None  # who spoke from there last
        self.outsiders: set[str] = set()  # and the ids of all who did
        self.engine: Machine | None = None
        network = agent if isinstance(agent, GenNetwork) else None
        self.place = Place(network, None, "", self.cell_of, resumed=past is not None)
        # hot
        self.over = False
        self.recorder: Recorder | None = None
        self._journal = journal
        self.past = past  # what it goes on with
        self.watched = bool(observers) or journal is not None
        # over, observed, recorded, with deadlines, or with callbacks on each message: more to do for each of them
        self.special = self.watched or GenAgent.hooked
        self.sent = 0
        self.ended = 0
        self.spare = 0  # callbacks under way, less ticks that wait: nothing is pending when sent == ended - spare
        self.max_messages = UNLIMITED if limits.messages is None else limits.messages
        self.max_depth = UNLIMITED if limits.depth is None else limits.depth
        self.context: Context = copy_context()
        self.waiters: dict[str, Waiter] = {}
        self.blocked: dict[Handled, tuple[Future[None], Sequence[Waiter]]] = {}
        self.abandoned: set[str] = set()
        self.aloof = 0  # messages that are handled elsewhere, and have no task here
        self.idle: list[Body] = []  # workers with nothing to do
        self.crowding: dict[
            Handled, Cell | Tap | BaseException
        ] = {}  # who emitted more than a listener or reader can take
        # cold
        self.result: Message | None = None
        self.taps: list[Tap] = []
        self.tasks: dict[Task[Any], None] = {}  # in the order in which they began
        self.started: list[GenAgent] = []
        self._ends: Counter[str] = Counter()
        self._dead: deque[DeadLetter] = deque(maxlen=KEPT_DEAD_LETTERS)
        self._budget = Budget(limits)
        self._status: Status = "running"
        self._error: BaseException | None = None
        self._failing: BaseException | None = None
        self._told = False
        self._attempts: Counter[tuple[int, str]] = Counter()
        self._retries: dict[asyncio.TimerHandle, tuple[Cell, Entry]] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._randoms: dict[str, Random] = {}
        self._may_restart = False  # whether any network may ask for it: then states are copied at the start
        self._threads: ThreadPoolExecutor | None = None
        self._working: set[Future[object]] = set()
        self._senders: dict[Future[None], tuple[Cell, Task[Any] | None]] = {}  # who waits for room outside
        self._entered_by: Task[Any] | None = None
        self._held: set[tuple[type, str]] = set()
        self._ended = asyncio.Event()
        self._closing: Task[None] | None = None
        self._ticking: set[tuple[int, str]] = set()
        self._watching: list[GenNetwork] = []  # the networks whose changes we hear
        self._ticks: set[str] = set()  # periodic messages that wait; they do not keep the run alive
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
            if self._error is not None:
                self._told = True
                raise self._error
            raise RunCancelled("the run is not running")
        crowded = self._post_from_outside(message)
        while crowded is not None and len(crowded.queue) > crowded.limit and not self.over:
            future: Future[None] = self.engine.loop.create_future()
            crowded.room.append(future)
            self._senders[future] = crowded, asyncio.current_task()
            self.engine.loop.call_soon(self.look)
            try:
                await future
            finally:
                del self._senders[future]

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
            self.watched = bool(self.observers or self.taps or self.recorder)
            tap.make_room()

    async def __aenter__(self) -> Self:
        if self.engine is not None:
            raise RuntimeError("a run is entered once; make another with network.run(…)")
        engine = self._machine()
        if (left := _running.get(id(self.agent))) is not None and left[0].loop.is_closed():
            del _running[id(self.agent)]  # a loop that was closed over a run will not come back
        held = _running.setdefault(id(self.agent), (engine, set()))
        if held[0] is not engine:
            raise AlreadyRunning(self.agent.id)
        held[1].add(self)
        self.engine = engine
        self._entered_by = asyncio.current_task()
        engine.runs.add(self)
        self._began = perf_counter()
        self._watch()
        try:
            if self._away is not None:
                self._away.settle(self)
            if self._journal is not None:
                self.recorder = await opened(self, self._journal)
            if self._away is not None:
                if self.recorder is not None:
                    self.recorder.hold()
                await self._away.begin()
            if self.limits.seconds is not None and not self.over:
                self._timers.add(engine.loop.call_later(self.limits.seconds, self.limit_reached, "seconds"))
            if self.root is not None:
                self._post_from_outside(self.root)
            if self.recorder is not None:
                self.recorder.release()
        except BaseException as error:
            if self.recorder is not None:
                self.recorder.release()
            self.finish("failed", error)
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
            self.outsiders.add(message.sender.id)
            if self.recorder is not None:
                self.recorder.outsiders.add(message.sender.id)
        if message.reply_to is not None and self._answer(message, message.reply_to.id):
            return None
        place = self.place
        if receiver is None or place.network is None:
            route = Route(self.agent, engine.cell_of(self.agent), place)
        else:
            route = place.route(receiver)
        if not route.place.monitors:
            return self._deliver(message, route)
        self.hold_to_rules(message, route.place, self.now)
        try:
            return self._deliver(message, route)
        except MailboxFull:
            for monitor in route.place.monitors:
                monitor.retract(message)
            raise

    def _answer(self, message: Message, question: str) -> bool:
        """Whether somebody asked for this message: it goes to no mailbox then."""
        asked, recorder = self.waiters.pop(question, None), self.recorder
        asker = None if recorder is None else recorder.asked_outside.pop(question, None)
        if asked is None and asker is None:
            return False
        if asked is not None and asked.caller.place.monitors:
            try:
                self.hold_to_rules(message, asked.caller.place, self.now)
            except BrokenRule:
                self.waiters[question] = asked  # who may still be answered better
                raise
        self.count(1)
        self.ended += 1
        if self.watched:
            self.show_taken(None, message, asked.caller.address if asked is not None else asker or "")
        if asked is not None:
            asked.end(message)
        elif recorder is not None:
            recorder.replies[question] = message  # for the step that asked, when it is repeated
        return True

    def _deliver(self, message: Message, route: Route) -> Cell | None:
        """Put a message that no handler sent into a mailbox."""
        assert self.engine is not None
        self.count(1)
        number = 0
        if self.watched:
            _, number = self.show(None, message, route.place.address(route.agent))
        if message.deadline is not None:
            self.special = True
        # No message caused it.
        return self.engine.put(route.cell, (message, self, 1, route.place, None, message.method, number))

    def hold_to_rules(self, message: Message, place: Place, now: Callable[[], datetime]) -> None:
        """Let those who watch a place see what is about to be sent from there.

        Raises:
            BrokenRule: it must not be.
        """
        monitors = place.monitors
        if len(monitors) > 1:
            monitors = place.watchers(message.receiver)
        try:
            for monitor in monitors:
                if monitor.admit(message, now):
                    return
            for monitor in monitors:
                if (broken := monitor.stray(message)) is not None:
                    raise broken
        except BrokenRule as broken:
            if self.observers:
                self.observe("refused", "" if message.receiver is None else message.receiver.id, message, error=broken)
            raise

    def now(self) -> datetime:
        """The time of day by the clock of the run."""
        return datetime.now(UTC) if self.source is None else self.source.now()

    def deliver_outside(self, handling: Handled, message: Message, waiter: Waiter | None) -> Tap | None:
        """Give a message to whoever started the run."""
        self.count(1)
        self.ended += 1
        self.result = message
        if waiter is not None:
            self.waiters[message.id] = waiter
        return self.show_taken(handling, message, "") if self.watched else None

    def refuse(self, waiter: Waiter, error: BaseException) -> None:
        """Tell who waits for a reply that none will come."""
        if self.recorder is not None and not waiter.done:
            self.recorder.refused(waiter.caller.step, waiter.message, error)
        waiter.end(None, error)

    def restore(self, sent: int, handled: int, ends: Mapping[str, int], usage: Usage) -> None:
        """Go on with these counts."""
        self.sent = sent
        self._ends.update(ends)
        self.ended = handled + self._ends.total()
        self._budget.used = usage

    def bring_back(self, route: Route, entry: Entry, tries: int) -> None:
        """Put a message into the mailbox in which it was before, where it had failed so many times."""
        assert self.engine is not None
        if tries:
            self._attempts[id(route.cell), entry[0].id] = tries
        self.engine.bring_back(route.cell, entry)

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

    def spent(self, handling: Handled, reserved: tuple[int, Any], used: Usage, seconds: float) -> None:
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
        """End the run if nothing is pending; end the waits if nothing but waiting is left, also outside."""
        if self.over or (self.open and not self._senders):
            return
        if self.sent == self.ended - self.spare:
            if not self.open:
                self.finish("done", None)
        elif self.blocked and len(self.tasks) + self.aloof <= len(self.blocked):
            self._end_waits()

    def _end_waits(self) -> None:
        """All handlers wait for each other: tell those whose answer can no longer come."""
        assert self.engine is not None
        replays = self.recorder is not None and self.recorder.replays  # then the record says what comes
        may_go_on = self.engine.busy or self._retries or self._ticking or replays
        # Who waits since last is the likeliest to have been answered: chains of calls end at once here.
        if may_go_on or any(future.done() for future, _ in reversed(self.blocked.values())):
            return
        if self.open and any(not waiter.receiver for _, waiters in self.blocked.values() for waiter in waiters):
            self._end_waits_outside()
            return
        asked: list[tuple[Handled, Waiter]] = []
        held: set[str] = set()  # questions that somebody still has, though he waits himself
        outside = False
        if self.recorder is not None:  # who was asked outside may answer when the run is resumed
            held.update(
                waiter.message.id
                for _, waiters in self.blocked.values()
                for waiter in waiters
                if waiter.receiver is None
            )
            outside = bool(held)
        for handling, (_, waiters) in self.blocked.items():
            held.update(message.id for message in handling.message.thread())
            held.update(entry[0].id for entry in handling.cell.queue)
            if self._away is not None:
                held.update(message.id for message in self._away.waiting(handling.agent))
            asked.extend((handling, waiter) for waiter in waiters if not waiter.done)
        ring = tuple(handling.address for handling in self.blocked)
        for handling, waiter in asked:
            if waiter.message.id not in held:
                receiver = waiter.message.receiver.id if waiter.message.receiver is not None else ""
                self.waiters.pop(waiter.message.id, None)
                self.refuse(waiter, Unanswered(handling.address, receiver, waiter.message.method))
        if not any(future.done() for future, _ in self.blocked.values()):  # nobody can go on for that
            if outside:
                self.finish("waiting", None)
                return
            for _, waiter in asked:
                self.waiters.pop(waiter.message.id, None)
                self.refuse(waiter, Deadlock(ring))

    def _end_waits_outside(self) -> None:
        """Agents wait for the outside. If that is who entered the run, who waits for room at one of them, and nobody else reads
        what they ask, neither will ever go on."""
        if self.taps:
            return
        for future, (cell, task) in self._senders.items():
            if task is self._entered_by and not future.done():
                address = next(iter(cell.queue))[3].address(cell.agent)
                future.set_exception(Deadlock(("the outside", address, "the outside")))

    # ------------------------------------------------------------------------------------------ telling

    def show(
        self,
        handling: Handled | None,
        message: Message,
        address: str,
        *,
        waits: bool = True,
        event: Event | None = None,
    ) -> tuple[Tap | None, int]:
        """Tell readers, observers and the journal of a message on its way; it comes from outside if nobody handles
        anything. Gives the tap of one who cannot follow, and the number of the delivery."""
        number, full = 0, None
        if self.recorder is not None:
            step, depth = (None, 1) if handling is None else (handling.step, handling.depth + 1)
            number = self.recorder.sent(step, message, address, depth, waits=waits, event=event)
            full = self.recorder.full
        if self.observers:
            self.observe("sent", address, message, event=None if event is None else event.name)
        if handling is not None and event is None and self.taps:
            full = self.tap(message) or full
        return full, number

    def show_taken(self, handling: Handled | None, message: Message, address: str) -> Tap | None:
        """Tell of a message that goes to who waits for it, not to a mailbox: a reply, or one to the outside."""
        full, _ = self.show(handling, message, address, waits=False)
        if self.observers:
            self.observe("handled", address, message)
        return full

    def handled(self, handling: Handled) -> None:
        """Tell that a message was handled well."""
        if self.recorder is not None:
            assert handling.step is not None
            self.recorder.ended(handling.step, handling.step.number, "handled")
        if self.observers:
            self.observe("handled", handling.address, handling.message)

    def tap(self, message: Message) -> Tap | None:
        """Give a message to the readers."""
        full = None
        for tap in self.taps:
            tap.queue.append(message)
            tap.wake()
            if len(tap.queue) > tap.limit:
                full = tap
        return full

    def show_start(self, handling: Handled) -> None:
        """Tell that an agent begins to handle a message."""
        if self.observers:
            self.observe("started", handling.address, handling.message)
        agent = handling.agent
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
        status: Status | None = None,
    ) -> None:
        """Tell the observers."""
        observation = Observation(kind, self.id, address, message, event, error, usage, seconds, status)
        for observer in self.observers:
            try:
                observer.observe(observation)
            except Exception as failed:
                failed.add_note(f"raised by the observer {observer!r}")
                self.observers = tuple(other for other in self.observers if other is not observer)
                self.fail_soon(failed)

    def call_back(self, agent: GenAgent, handling: Handled, callbacks: Iterable[Callback], event: Event) -> None:
        """Let callbacks hear an event: all of them, whatever one raises."""
        for callback in callbacks:
            try:
                result = callback(event)
            except Exception as error:
                self._callback_failed(handling.address, handling.message, event, error)
            else:
                if isawaitable(result):
                    self._in_background(handling, event, result)

    def _in_background(self, handling: Handled, event: Event, result: Awaitable[None]) -> None:
        assert self.engine is not None
        address, message = handling.address, handling.message

        async def hear() -> None:
            try:
                await result
            except Exception as error:
                self._callback_failed(address, message, event, error)

        def ended(task: Task[None]) -> None:
            if iscoroutine(result):
                result.close()  # where the task was cancelled before it began
            self.tasks.pop(task, None)
            self.spare -= 1
            self.look()

        self.spare += 1
        task = self.engine.loop.create_task(hear(), context=self.context.copy())
        self.tasks[task] = None
        task.add_done_callback(ended)

    def _callback_failed(self, address: str, message: Message, event: Event, error: Exception) -> None:
        error.add_note(f"raised by a callback on {event.name!r} of {event.path!r}")
        self.fail_soon(_failure(address, message, error))

    def fail_soon(self, error: BaseException) -> None:
        """End the run for what somebody raised who only listens: after what is just being done, not amidst it."""
        assert self.engine is not None
        if self._failing is None:
            self._failing = error
            self.engine.loop.call_soon(self.finish, "failed", error)

    def report_held(self, handling: Handled, seconds: float) -> None:
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
                self.fail_soon(error)

    # ------------------------------------------------------------------------------------------ other ends than handled

    def end_entry(
        self,
        kind: Literal["failed", "expired", "cancelled", "rejected", "dead"],
        message: Message,
        address: str,
        error: BaseException | None = None,
        *,
        number: int = 0,
        step: Step | None = None,
    ) -> None:
        """Count a delivery that came to another end than being handled: that of a step, or of this number."""
        if self.recorder is not None:
            self.recorder.ended(step, number if step is None else step.number, kind, error)
        if self._ticks:
            self.tick_begins(message)
        self._ends[kind] += 1
        if self.observers:
            self.observe(kind, address, message, error=error)
        self.settle(1)

    def bury(
        self, message: Message, address: str, reason: BaseException, *, number: int = 0, step: Step | None = None
    ) -> None:
        """Put a message to the dead letters."""
        self._dead.append(DeadLetter(message, address, reason))
        self._refuse(message, reason, number)
        self.end_entry("dead", message, address, reason, number=number, step=step)

    def is_late(self, message: Message) -> bool:
        """Whether it answers somebody who gave up waiting. Who did may still say more to whom it asked."""
        answered = message.reply_to
        return answered is not None and answered.id in self.abandoned and message.sender != answered.sender

    def expired(self, entry: Entry, cell: Cell) -> bool:
        """End a delivery whose time is over: its deadline passed, or whoever called for it gave up."""
        message, place = entry[0], entry[3]
        now = self.now()
        if message.id not in self.abandoned and (message.deadline is None or message.deadline > now):
            return False
        error = Expired(place.address(cell.agent), message.method)
        self._refuse(message, error, entry[6])
        self.end_entry("expired", message, error.address, error, number=entry[6])
        return True

    def _refuse(self, message: Message, reason: BaseException, number: int) -> None:
        """Tell who waits for the reply to a message, or will do so when its step is repeated, that it came to another end."""
        if (waiter := self.waiters.pop(message.id, None)) is not None:
            self.refuse(waiter, reason)
        elif self.recorder is not None:
            self.recorder.ended_early(message, reason, number)

    def tell_caller(self, handling: Handled, error: BaseException) -> bool:
        """Raise an error where somebody waits for the reply. False if nobody does."""
        waiter = self.waiters.get(handling.message.id)
        told = waiter is not None and waiter.receiver is handling.cell
        if self.recorder is not None and handling.step is not None and (self.recorder.replays or not told):
            told, waiter = self.recorder.was_told(handling.step, handling.message), None
        if not told:
            return False
        if waiter is not None:
            del self.waiters[handling.message.id]
            self.refuse(waiter, _failure(handling.address, handling.message, error))
        self.end_entry("failed", handling.message, handling.address, error, step=handling.step)
        return True

    # ------------------------------------------------------------------------------------------ supervision

    def supervise(self, handling: Handled, error: BaseException) -> float | None:
        """Let the networks decide about a failure, from the inside out. Gives the seconds until the next try, if any."""
        message, address = handling.message, handling.address
        attempt = self._attempts[id(handling.cell), message.id] + 1
        failure = Failure(handling.agent, address, message, error, attempt)
        place: Place | None = handling.place
        if place is not None and place.network is handling.agent and not isinstance(error, NotUnderstood):
            place = place.parent  # what it does not understand is not its own failure
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
                self.bury(message, address, error, step=handling.step)
                return None
            if directive == "stop":
                break
            place = place.parent
        self.finish(
            "failed", _failure(handling.address, handling.message, error)
        )  # first: the last message to end would end the run as done
        self.end_entry("failed", message, address, error, step=handling.step)
        return None

    def retry_later(self, handling: Handled, delay: float) -> None:
        """Handle the same message again after a delay; until then the agent is busy with it."""
        engine, message, cell = self.engine, handling.message, handling.cell
        assert engine is not None
        if self.observers:
            self.observe("retried", handling.address, message, seconds=delay)
        number = 0
        if self.recorder is not None and (step := handling.step) is not None:
            number = step.number
            self.recorder.ended(step, number, "retried")
            delay = 0.0 if self.recorder.replays else delay
        name = handling.heard.name if handling.heard is not None else message.method
        entry = (message, self, handling.depth, handling.place, handling.heard, name, number)

        def again() -> None:
            self._retries.pop(timer, None)
            engine.again(cell, entry)

        timer = engine.loop.call_later(delay, again)
        self._retries[timer] = cell, entry

    def _restart(self, handling: Handled) -> None:
        state = handling.cell.state
        if state is not None:
            fields = self._copies(state)
            present = vars(handling.agent)
            present.clear()  # also of what was computed of the state that is lost
            present.update(fields)
            if self._away is not None:
                self._away.reset(handling.agent)

    def _copies(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Copies of what is an agent's own; other agents, what runs here, and what cannot be copied (a client, a lock), are
        shared."""
        assert self.engine is not None
        shared: dict[Any, Any] = {id(each): each for each in (self, self.engine, self.engine.loop)}
        shared[SHARED] = True
        copies: dict[str, Any] = {}
        for name, value in fields.items():
            try:
                copies[name] = deepcopy(value, dict(shared))
            except Exception:
                copies[name] = value
        return copies

    # ------------------------------------------------------------------------------------------ life

    def cell_of(self, agent: GenAgent) -> Cell:
        """The cell of an agent, with its state at the start where that may be wanted again."""
        assert self.engine is not None
        cell = self.engine.cell_of(agent)
        if self._may_restart and cell.state is None:
            cell.state = self._copies(agent.__dict__)
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
            network._graph.watchers[self] = partial(self._changed, network)
            if self._journal is not None:
                network._graph.wary[self] = partial(self._changing, network)
            self._watching.append(network)
            for agent in network._graph.periodic.values():
                self._tick(agent, place)
            places.extend(place.inner(cast(GenNetwork, inner)) for inner in network._graph.networks.values())

    def _changing(self, network: GenNetwork) -> None:
        if self.recorder is not None:
            self.recorder.network_changes(network)

    def _changed(self, network: GenNetwork, added: AbstractObject | None) -> None:
        """A network changed: find ways anew, hear new networks, bury what waits for those who left."""
        assert self.engine is not None
        self.place.forget()
        if self.recorder is not None:
            self.recorder.network_changed(added)
        if self.over or (added is not None and not cast(GenAgent, added).stands_out):
            return
        self._unwatch()
        self._watch()
        if added is not None or (self.recorder is not None and self.recorder.replays):
            return
        for cell in list(self.engine.cells.values()):
            gone = [
                entry
                for entry in cell.queue
                if entry[1] is self and not _lives(cell.agent, entry[3]) and not self._has_begun(entry)
            ]
            for entry in gone:
                cell.queue.remove(entry)
                address = entry[3].address(cell.agent)
                self.bury(entry[0], address, AgentRemoved(address, self.agent.id), number=entry[6])
            if gone:
                cell.make_room()
        idle = [cell for cell in self.engine.cells.values() if cell.forgettable]
        if idle and len(self.engine.runs) == 1:  # another run may know the way to a cell
            here = {id(self.agent)}
            if isinstance(self.agent, GenNetwork):
                here.update(id(agent) for _, agent in self.agent.walk())
            for cell in idle:
                if id(cell.agent) not in here:
                    del self.engine.cells[id(cell.agent)]

    def _has_begun(self, entry: Entry) -> bool:
        """Whether an earlier life of the run began to handle this."""
        return self.recorder is not None and self.recorder.has_begun(entry[6])

    def _tick(self, agent: GenAgent, place: Place) -> None:
        """Start the periodic handlers of an agent, once."""
        engine = self.engine
        assert engine is not None
        if self.past is not None and self.past.replay:
            return  # the record says when
        for handler in type(agent).handlers.periodic():
            if (key := (id(agent), handler.name)) in self._ticking:
                continue
            self._ticking.add(key)
            self.special = True

            def tick(handler: Handler = handler, key: tuple[int, str] = key) -> None:
                if self.over or not _lives(agent, place):
                    self._ticking.discard(key)
                    return
                cell = engine.cell_of(agent)
                if not any(entry[0].method == handler.method and entry[0].sender is None for entry in cell.queue):
                    with suppress(MailboxFull, LimitReached):  # both are counted; nobody is there to be told
                        message = self._made(handler.kinds[0], method=handler.method, receiver=agent, role="system")
                        self._ticks.add(message.id)
                        self.spare -= 1
                        self._deliver(message, Route(agent, cell, place))
                if self.over:
                    return
                self._timers.add(engine.loop.call_later(handler.every or 1.0, tick))
                self._timers = {
                    timer for timer in self._timers if not timer.cancelled() and timer.when() > engine.loop.time()
                }

            self._timers.add(engine.loop.call_later(handler.every or 1.0, tick))

    def tick_begins(self, message: Message) -> None:
        """What was perhaps a tick does not wait any more: from now on it is work like any other."""
        if message.id in self._ticks:
            self._ticks.remove(message.id)
            self.spare += 1

    def _made(self, kind: type[Message], **fields: Any) -> Message:
        """A message of the run itself."""
        if self.recorder is not None:  # a source begins anew with each process
            fields["id"] = self.recorder.new_id()
        elif self.source is not None:
            fields["id"] = self.source.new_id()
        if self.source is not None:
            fields["created_at"] = self.source.now()
        return kind(**fields)

    def random_of(self, address: str) -> Random:
        """The random numbers of an agent: of the seed and its address."""
        random = self._randoms.get(address)
        if random is None:
            random = self._randoms[address] = Random(f"{self.seed}/{address}")
        return random

    async def in_thread(self, function: Callable[[], object]) -> object:
        """Call a blocking handler in a thread. Whoever waits for it may be cancelled; the thread goes on to its end."""
        assert self.engine is not None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(thread_name_prefix="llm_net")
        work = self.engine.loop.run_in_executor(self._threads, function)
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        return await asyncio.shield(work)

    def finish(self, status: Status, error: BaseException | None) -> None:
        """End the run: only the first time counts."""
        engine = self.engine
        if self.over or engine is None:
            return
        if status == "done" and self._failing is not None:
            status, error = "failed", self._failing
        if status == "done" and self.recorder is not None and (lacking := self.recorder.lacking()) is not None:
            status, error = "failed", lacking
        self.over = self.special = True
        self._status, self._error = status, error
        if self.recorder is not None:
            self.recorder.finished(status, error)
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
        for task in self.tasks:
            task.cancel()
        if self._away is not None:
            self._away.cancel()
        self._closing = Task(self._close(engine), loop=engine.loop)  # never begun eagerly: a handler may be at work

    async def _close(self, engine: Machine) -> None:
        await _ended(self.tasks)
        if self._away is not None:
            try:
                await self._away.end()
            except Exception as error:
                if self._error is None:
                    self._status, self._error = "failed", error
        if self.recorder is not None:
            try:
                await self.recorder.durable()
            except JournalFailed as error:
                if self._error is None:
                    self._status, self._error = "failed", error
        if self._threads is not None:  # threads cannot be stopped, only waited for
            self._threads.shutdown(wait=False, cancel_futures=True)
            await _ended(self._working)
            self._threads.shutdown()
        self._unwatch()
        engine.runs.discard(self)
        for agent in self._left_alone(engine):
            cell = engine.cells.get(id(agent))
            if cell is not None:
                cell.started, cell.handlers = False, {}
            try:
                await agent.astop()
            except Exception as error:
                error.add_note(f"raised by astop of {agent.id!r}")
                if self._error is None:
                    self._status, self._error = "failed", error
            except asyncio.CancelledError:
                pass  # the loop ends, and so does this agent's stop; the others have theirs
        if not engine.runs:
            engine.cells.clear()
        workers = {body.task for body in self.idle}
        self.idle.clear()
        for worker in workers:
            worker.cancel()
        await _ended(workers)
        runs = _running[id(self.agent)][1]
        runs.discard(self)
        if not runs:
            del _running[id(self.agent)]
        self._seconds = perf_counter() - self._began
        if self.observers:
            ended_by = RunCancelled() if self._status == "cancelled" else self._error
            self.observe(
                "ended", self.agent.id, error=ended_by, usage=self.usage, seconds=self._seconds, status=self._status
            )
            if self._error is None and self._failing is not None:
                self._status, self._error = "failed", self._failing
        self._ended.set()
        for tap in self.taps:
            tap.wake()

    def _left_alone(self, engine: Machine) -> list[GenAgent]:
        """The agents to stop with this run. Those of another run of this loop are left to it."""
        for other in engine.runs:
            if self.started and not other.over:
                theirs = {id(other.agent)}
                if isinstance(other.agent, GenNetwork):
                    theirs.update(id(agent) for _, agent in other.agent.walk())
                other.started += [agent for agent in self.started if id(agent) in theirs]
                self.started = [agent for agent in self.started if id(agent) not in theirs]
        return self.started

    def _unwatch(self) -> None:
        for network in self._watching:
            network._graph.watchers.pop(self, None)
            network._graph.wary.pop(self, None)
        self._watching.clear()


_running: dict[int, tuple[Machine, set[LocalRun]]] = {}
"""Which event loop runs a network now: agents hold no lock, so two loops must not run one at once."""


async def _ended(futures: Iterable[Future[Any]]) -> None:
    """Wait until they are done, also while everything is cancelled because the loop ends: what was begun is closed."""
    while pending := [future for future in futures if not future.done()]:
        with suppress(asyncio.CancelledError):
            await asyncio.wait(pending)


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
