"""A coroutine that is stepped by hand until it waits, and by a task from then on. Knows asyncio, not agents.

Most handlers never wait, and a task costs two turns of the event loop (7 µs) where awaiting a coroutine costs 0.2. So a worker
is stepped where there is something to do, in a context of its own and with its own Task as the current one. If it waits, that
very task takes it over: `asyncio.timeout`, cancellation and anyio see one task from beginning to end.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future, Task
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from types import TracebackType, coroutine
from typing import Any, Final, Protocol

PARKED: Final = object()
"""What a step gives when there was nothing more to do."""


@coroutine
def park() -> Generator[object, None, None]:
    """Wait for the next step by hand."""
    yield PARKED


class Around(Protocol):
    """Who is told of each step that the task makes."""

    def step_begins(self) -> None: ...
    def step_ends(self, body: Body) -> None: ...


class Work(Protocol):
    """What goes on with a handler that waits. `detached`: whether that is a task of its own."""

    @property
    def detached(self) -> bool: ...
    @property
    def task(self) -> Task[Any] | None: ...


class Body(Coroutine[Any, Any, Any]):
    """What the task of a worker runs: nothing as long as it is stepped by hand, then the rest of the worker."""

    __slots__ = (
        "_around",
        "_begun",
        "_over",
        "_parked",
        "_waits_for",
        "context",
        "coroutine",
        "detached",
        "loop",
        "step",
        "task",
    )

    coroutine: Coroutine[Any, Any, Any]
    step: Callable[[], Any]
    """Make the next step by hand, in the worker's context."""

    def __init__(self, loop: AbstractEventLoop, context: Context, around: Around) -> None:
        self._around = around
        self.loop = loop
        self.context = context
        self.detached = False  # whether the task has taken over
        self._begun = False  # whether it has made a step since
        self._over = False  # whether the worker ended while it was stepped by hand
        self._parked: Future[None] | None = None
        # In the worker's context, not in that of the handler that is at work just now: it would keep that one's message alive.
        # A plain task, whatever factory the loop has: one that begins eagerly would begin with nothing to do.
        self.task: Task[Any] = Task(self, loop=loop, context=context)

    def begin(self, worker: Coroutine[Any, Any, Any]) -> None:
        """Have a worker to run."""
        self.coroutine = worker
        run: Callable[..., Any] = self.context.run
        self.step = partial(run, worker.send, None)

    def detach(self, waits_for: Future[Any] | None) -> Task[Any]:
        """Let the task go on with the worker, whose last step by hand gave `waits_for`."""
        self._waits_for, self.detached = waits_for, True
        self._wake()
        return self.task

    def retire(self) -> None:
        """Let the task end: the worker did."""
        self._over = True
        self._wake()

    def _wake(self) -> None:
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    # What asyncio calls. The task's own first step comes at some turn of the loop, before or after `detach`.

    def send(self, value: Any) -> Any:
        if self._over:
            raise StopIteration
        if not self.detached:
            self._parked = parked = self.loop.create_future()
            parked._asyncio_future_blocking = True  # what `await parked` would have set
            return parked
        if not self._begun:
            self._begun = True
            return self._waits_for
        return self._step(self.coroutine.send, value)

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None, /) -> Any:
        error = kind if isinstance(kind, BaseException) else (value or kind())
        if not self.detached:
            self._over = True
            self.coroutine.close()
            raise error
        if not self._begun:
            self._begun = True
            if self._waits_for is not None and self._waits_for.cancel():
                return self._waits_for  # which tells when it is cancelled, as for any task
        return self._step(self.coroutine.throw, error)

    def _step(self, step: Callable[[Any], Any], value: Any) -> Any:
        self._around.step_begins()
        try:
            return step(value)
        except CancelledError:
            raise StopIteration from None  # told to those concerned; the task itself ends well
        finally:
            self._around.step_ends(self)

    def close(self) -> None:
        self.coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("a Body is run by its task")
