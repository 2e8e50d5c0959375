"""For orientation: a deque per agent, drained by the loop; no task unless a handler waits. Knows no message object.

A handler's first step has no current task here, so `asyncio.timeout` would not work in it.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Coroutine, Generator
from typing import Any, cast

from benchmarks.raw_deque import Handler, floor


class DrainMailbox:
    __slots__ = ("box", "busy", "handle")

    def __init__(self, handle: Handler) -> None:
        self.handle = handle
        self.box: deque[object] = deque()
        self.busy = False

    def send(self, message: object) -> None:
        self.box.append(message)
        if not self.busy:
            self.busy = True
            asyncio.get_running_loop().call_soon(self.drain)

    def drain(self) -> None:
        box = self.box
        while box:
            step = cast("Coroutine[Any, Any, None]", self.handle(box.popleft()))
            try:
                awaited = step.send(None)
            except StopIteration:
                continue
            task = asyncio.get_running_loop().create_task(_finish(step, awaited))
            task.add_done_callback(lambda _: self.drain())
            return
        self.busy = False

    async def stop(self) -> None:
        self.box.clear()


async def _finish(step: Coroutine[Any, Any, None], awaited: object) -> None:
    await _resume(step, awaited)


@types.coroutine
def _resume(step: Coroutine[Any, Any, None], awaited: object) -> Generator[object, Any, None]:
    """Go on with a coroutine that was already stepped up to `awaited`."""
    while True:
        value = yield awaited
        try:
            awaited = step.send(value)
        except StopIteration:
            return


RAW_DRAIN = floor(DrainMailbox)
