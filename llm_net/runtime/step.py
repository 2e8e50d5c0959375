"""The first step of a coroutine without a task, and its handing over to one if it waits. Knows asyncio, not agents.

Most handlers never wait, and a task costs two turns of the event loop (7 µs) where a step costs 0.3. So a coroutine is
stepped where its message is taken from the mailbox, in a context of its own and with a spare Task as the current one. If it
waits, that very task takes it over: `asyncio.timeout`, cancellation and anyio see one task from beginning to end.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import TracebackType
from typing import Any


class Body(Coroutine[Any, Any, Any]):
    """What a spare task runs: nothing yet, then the rest of a coroutine that began without it."""

    __slots__ = ("_begun", "_context", "_coroutine", "_ended", "_parked", "_waits_for", "loop", "task")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._begun = False  # whether a step of the coroutine was the task's
        self._parked: Future[None] | None = None
        self.task: Task[Any] = loop.create_task(self)

    def take_over(
        self,
        coroutine: Coroutine[Any, Any, Any],
        waits_for: Future[Any] | None,
        context: Context,
        ended: Callable[[Any, BaseException | None], None],
    ) -> Task[Any]:
        """Let the task go on with a coroutine whose first step gave `waits_for`."""
        self._coroutine, self._waits_for, self._context, self._ended = coroutine, waits_for, context, ended
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)
        return self.task

    # What asyncio calls. The task's own first step comes at a turn of the loop, before or after `take_over`.

    def send(self, value: Any) -> Any:
        if self._coroutine is None:
            self._parked = parked = self.loop.create_future()
            parked._asyncio_future_blocking = True  # what `await parked` would have set
            return parked
        if not self._begun:
            self._begun = True
            return self._waits_for
        return self._step(self._coroutine.send, value)

    def throw(
        self, kind: Any, value: BaseException | None = None, traceback: TracebackType | None = None, /
    ) -> Any:
        error = kind if isinstance(kind, BaseException) else (value or kind())
        if self._coroutine is None:
            raise error
        if not self._begun:
            self._begun = True
            if self._waits_for is not None:
                self._waits_for.cancel()
        return self._step(self._coroutine.throw, error)

    def _step(self, step: Callable[[Any], Any], value: Any) -> Any:
        try:
            return self._context.run(step, value)
        except StopIteration as stop:
            self._ended(stop.value, None)
            raise
        except BaseException as error:
            self._ended(None, error)
            if isinstance(error, (Exception, asyncio.CancelledError)):
                raise StopIteration from None  # told; the task itself ends well
            raise

    def close(self) -> None:
        if self._coroutine is not None:
            self._context.run(self._coroutine.close)

    def __await__(self) -> Any:
        raise TypeError("a Body is run by its task")
