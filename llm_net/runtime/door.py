"""A blocking door to what is asynchronous. Knows nothing of messages."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import TypeVar

T = TypeVar("T")


def iterate(source: Callable[[], AsyncGenerator[T]]) -> Iterator[T]:
    """Iterate over an asynchronous generator from code that is not async.

    Without a running event loop, a private one runs in this thread, and only while the next item is waited for. Where a
    loop is running already (a notebook), a private one runs in a thread of its own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _in_this_thread(source)
    return _in_another_thread(source)


def _in_this_thread(source: Callable[[], AsyncGenerator[T]]) -> Iterator[T]:
    with asyncio.Runner() as runner:
        items = source()

        async def following() -> T:
            return await anext(items)

        try:
            while True:
                try:
                    item = runner.run(following())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            runner.run(items.aclose())


def _in_another_thread(source: Callable[[], AsyncGenerator[T]]) -> Iterator[T]:
    room = threading.Semaphore(0)  # one item under way at a time: a slow reader slows the run, as in this thread
    items: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    begun = threading.Event()
    producing: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def produce() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        producing.append((loop, task))
        begun.set()
        async with aclosing(source()) as generator:
            async for item in generator:
                items.put((item,))
                await loop.run_in_executor(None, room.acquire)

    def work() -> None:
        try:
            asyncio.run(produce())
        except BaseException as error:
            items.put(error)
        else:
            items.put(None)
        finally:
            begun.set()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="llm_net.receive")
    thread.start()
    try:
        while (got := items.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]
            room.release()
    finally:
        begun.wait()
        for loop, task in producing:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        room.release()
        thread.join()
