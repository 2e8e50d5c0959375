"""An event loop whose time jumps to what happens next instead of passing. Knows asyncio, not agents.

There are two times. The world's stands still while anything is ready, and then jumps to the next timer. The outside's, that of
models and threads, goes on besides: the world waits for them without growing older, then takes up what they gave, all of it
at once and in an order of the seed. So neither how long they took nor how many were under way can be seen inside.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from asyncio import Future, TimerHandle
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakSet

from llm_net.errors import Stuck
from llm_net.message import source

T = TypeVar("T")

START = datetime(2000, 1, 1, tzinfo=UTC)

_is_outside: ContextVar[bool] = ContextVar("llm_net.outside", default=False)


def run(main: Coroutine[Any, Any, T], *, seed: int = 0, start: datetime = START) -> T:
    """`asyncio.run` in a simulated world.

    Sleeps, timeouts, deadlines and periodic handlers take no time. Ids, times, and the random numbers of agents are the
    same again under the same seed, and so is the order in which answers of models and threads are taken up.

    Args:
        main: what to run; runs of networks that it enters belong to the world.
        seed: of everything random.
        start: the time of day at which the world begins.

    Raises:
        Stuck: everybody waits for something that will not happen.
    """
    context = copy_context()
    with asyncio.Runner(loop_factory=lambda: World(seed, start)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, World)
        context.run(source.set, loop)
        return runner.run(main, context=context)


async def outside(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that takes as long as it takes, such as a question to a server; the world's time stands still.

    Models asked through `complete` and `stream`, `@blocking` handlers and `asyncio.to_thread` are waited for in this way
    by themselves. Where no world is simulated, it is just awaited.
    """
    loop = asyncio.get_running_loop()
    return await (loop.outside(work) if isinstance(loop, World) else work)


class World(asyncio.SelectorEventLoop):
    """The event loop of a simulated world: see `ports.World`."""

    def __init__(self, seed: int, start: datetime) -> None:
        self._selector_of_world = _Selector(self)
        self._inside, self._beyond = _Timeline(), _Timeline()
        super().__init__(self._selector_of_world)
        self._selector_of_world.forget()  # what the loop itself watches is no sign of work
        self._start = start
        self._seeds = Random(f"{seed}/seeds")
        self._order = Random(f"{seed}/order")
        self._prefix = f"{seed:x}"
        self._count = count(1)
        self._in_threads = 0
        self._pools: WeakSet[Executor] = WeakSet()  # that work for nobody else, as far as we know
        self._calls: list[
            tuple[Future[Any], Future[None]]
        ] = []  # work outside, and the gate behind which its result waits

    # ------------------------------------------------------------------------------------------ what runs take from it

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(seconds=self._inside.now)

    def new_id(self) -> str:
        """An id: of the seed, and counted."""
        return f"{self._prefix}-{next(self._count):x}"

    def new_seed(self) -> int:
        """A seed for one run."""
        return self._seeds.getrandbits(32)

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """See the function `outside`."""
        if _is_outside.get():
            return await work
        context = copy_context()
        context.run(_is_outside.set, True)
        return await self._result(self.create_task(work, context=context))

    async def _result(self, work: Future[T]) -> T:
        """The result of work outside, when the world is quiet and all such work is done."""
        try:
            await self._gate(work)
        except asyncio.CancelledError:
            if not work.done():
                work.cancel()
                await self._gate(work)
            if not work.cancelled():
                work.exception()  # seen by nobody, and said to be
            raise
        return work.result()

    def _gate(self, work: Future[Any]) -> Future[None]:
        gate = self.create_future()
        self._calls.append((work, gate))
        return gate

    # ------------------------------------------------------------------------------------------ what asyncio asks

    def _timeline(self) -> _Timeline:
        return self._beyond if _is_outside.get() else self._inside

    def time(self) -> float:
        """Seconds since the beginning: of the world, or of the outside for who is there."""
        return self._timeline().now

    def call_at(  # type: ignore[override]  # looser than typeshed, which ties the arguments to the callback
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Call back at a time: of the world, or of the outside for who is there."""
        timer = TimerHandle(when, callback, args, self, context)
        self._timeline().add(timer)
        return timer

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> Future[Any]:  # type: ignore[override]
        """Run a function in a thread, whose time is the outside's."""
        work = super().run_in_executor(executor, func, *args)
        self._pools.add(executor or self._default_executor)  # type: ignore[attr-defined]  # made by now
        self._in_threads += 1
        work.add_done_callback(self._out_of_thread)
        return work if _is_outside.get() else self.create_task(self._result(work))

    def _out_of_thread(self, work: Future[Any]) -> None:
        self._in_threads -= 1

    def _others_work(self) -> bool:
        """Whether anything may be done in other threads: those whose work we know are idle without it."""
        known = {threading.current_thread()}
        for pool in self._pools:
            known.update(getattr(pool, "_threads", ()))
        return self._in_threads > 0 or not known.issuperset(threading.enumerate())

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Join the threads, which is work of the outside."""
        await self.outside(super().shutdown_default_executor(*args))

    # ------------------------------------------------------------------------------------------ when nothing is ready

    def advance(self, wait: Callable[[float | None], list[Any]]) -> list[Any]:
        """Let time go on: called when nothing is ready; `wait` waits for files and other threads."""
        self._calls = [call for call in self._calls if not (call[0].done() and call[1].done())]
        watched = self._selector_of_world
        if not self._calls:
            timeline, real = self._inside, bool(watched.inside)
        elif all(work.done() for work, _ in self._calls):
            gates = [gate for _, gate in self._calls]
            self._calls.clear()
            self._order.shuffle(gates)
            for gate in gates:
                if not gate.done():
                    gate.set_result(None)
            return []
        else:
            # Whatever other threads do, they may be doing it for somebody outside: then its time is the real one.
            timeline, real = self._beyond, bool(watched.outside) or self._others_work()
        following, before = timeline.following(), self._inside.now
        events: list[Any] = []
        if real or (following is None and (self._calls or self._others_work())):
            began = monotonic()
            events = wait(None if following is None else following - timeline.now)
            passed = timeline.now + monotonic() - began
            timeline.now = passed if following is None else min(passed, following)
        elif following is not None:
            timeline.now = following
        else:
            raise Stuck(tuple(sorted(_place(task) for task in asyncio.all_tasks(self))))
        self._beyond.now += self._inside.now - before  # what takes time in the world takes it everywhere
        self.fire()
        return events

    def fire(self) -> bool:
        """Make ready what is due."""
        due = [*self._inside.due(), *self._beyond.due()]
        for timer in due:
            self.call_soon(_fire, timer)
        return bool(due)


def _fire(timer: TimerHandle) -> None:
    if not timer.cancelled():  # it may have been since it was due
        timer._run()


def _place(task: asyncio.Task[Any]) -> str:
    stack = task.get_stack(limit=1)
    return f"{task.get_name()} at {stack[0].f_code.co_qualname}:{stack[0].f_lineno}" if stack else task.get_name()


class _Timeline:
    """A time, and what is to happen at which."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._count = count()
        self._crowded = 1_000

    def add(self, timer: TimerHandle) -> None:
        """Note a timer; those of one time are due in the order in which they were set."""
        if len(self._timers) >= self._crowded:  # mostly timeouts that were not needed
            self._timers = [entry for entry in self._timers if not entry[2].cancelled()]
            heapify(self._timers)
            self._crowded = 2 * len(self._timers) + 1_000
        heappush(self._timers, (timer.when(), next(self._count), timer))

    def following(self) -> float | None:
        """The time of the next timer."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heappop(timers)
        return max(timers[0][0], self.now) if timers else None

    def due(self) -> list[TimerHandle]:
        """The timers whose time has come, taken out."""
        due: list[TimerHandle] = []
        while self._timers and self._timers[0][0] <= self.now:
            due.append(heappop(self._timers)[2])
        return due


class _Selector(selectors.DefaultSelector):
    """Lets the world's time go on where a loop would wait. Knows which files are watched from inside, and from outside."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.inside: set[int] = set()
        self.outside: set[int] = set()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        (self.outside if _is_outside.get() else self.inside).add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self.inside.discard(key.fd)
        self.outside.discard(key.fd)
        return key

    def forget(self) -> None:
        self.inside.clear()
        self.outside.clear()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if self._world.fire() or events or timeout == 0:
            return events
        return self._world.advance(super().select)
