"""The one thread that writes to a database, for all who wait for it. Knows no facts.

Whatever came while a transaction was under way goes into the next one: that costs one wait for the disk, for however many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from llm_net.errors import JournalError, JournalFailed
from llm_net.journal.database import Connection, Database
from llm_net.record import Fact

T = TypeVar("T")

REST = 0.5
"""Seconds without work after which the database may tidy up."""

GROUP = 20_000
"""Facts in one transaction, if so many wait."""


@dataclass(frozen=True, slots=True)
class Write:
    """Facts of one run, to be kept all or none."""

    run: str
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class _Wanted(Generic[T]):
    """Work, and who waits for it."""

    work: Write | Callable[[Connection], T]
    future: asyncio.Future[T]


class Writer:
    """Starts its thread with the first work, and ends it with `close`.

    Args:
        write: keep these, in one transaction; give what became of each.
    """

    def __init__(
        self, database: Database, write: Callable[[Connection, Sequence[Write]], Sequence[JournalError | None]]
    ) -> None:
        self._database = database
        self._write = write
        self._queue: SimpleQueue[_Wanted[object] | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._thread: Thread | None = None
        self._lock = Lock()
        self._closed = False

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        """Keep facts, with what others want kept meanwhile."""
        await self._want(Write(run, facts))

    async def do(self, work: Callable[[Connection], T]) -> T:
        """Do other work on the writer's connection, between transactions."""
        return await self._want(work)

    async def close(self) -> None:
        """Finish what was asked for, and end."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    def _want(self, work: Write | Callable[[Connection], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                raise JournalFailed(f"{self._database.name} was closed; make a new journal")
            if self._thread is None:
                # It ends with the process, if nobody closes it: what was not yet promised to be kept is then not kept.
                self._thread = Thread(target=self._run, name="llm_net journal", daemon=True)
                self._thread.start()
            self._queue.put(_Wanted(work, future))  # type: ignore[arg-type]  # it is given to this future only
        return future

    # ------------------------------------------------------------------------------------------ in the thread

    def _run(self) -> None:
        rested = True
        while True:
            try:
                first = self._queue.get() if rested else self._queue.get(timeout=REST)
            except Empty:
                rested = True
                if self._connection is not None:
                    self._database.rest(self._connection)
                continue
            if rested and self._connection is not None and not self._connection.alive():
                self._forget_connection()
            rested = False
            if not self._take(first):
                break
        self._forget_connection()

    def _take(self, first: _Wanted[object] | None) -> bool:
        """Do the first, and all that waits, if it can go with it. False if it is time to end."""
        group: list[_Wanted[object]] = []
        facts, wanted = 0, first
        while wanted is not None and isinstance(wanted.work, Write):
            group.append(wanted)
            facts += len(wanted.work.facts)
            if facts >= GROUP:
                break
            try:
                wanted = self._queue.get_nowait()
            except Empty:
                break
        else:
            self._keep(group)
            if wanted is None:
                return False
            self._do(wanted)
            return True
        self._keep(group)
        return True

    def _keep(self, group: Sequence[_Wanted[object]]) -> None:
        if not group:
            return
        writes = [wanted.work for wanted in group if isinstance(wanted.work, Write)]
        try:
            outcomes = self._write(self._connected(), writes)
        except Exception as error:  # noqa: BLE001 - it is for whoever waits
            if len(group) > 1 and self._database.explain(error) is None:  # something about one of them: each for itself
                for wanted in group:
                    self._keep([wanted])
                return
            outcomes = [self._explained(error)] * len(group)  # type: ignore[list-item]
        _settle([(wanted.future, None, outcome) for wanted, outcome in zip(group, outcomes, strict=True)])

    def _do(self, wanted: _Wanted[object]) -> None:
        assert not isinstance(wanted.work, Write)
        try:
            _settle([(wanted.future, wanted.work(self._connected()), None)])
        except Exception as error:  # noqa: BLE001 - it is for whoever waits
            _settle([(wanted.future, None, self._explained(error))])

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.to_write()
        return self._connection

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, JournalError):
            return error
        explained = self._database.explain(error)
        if explained is None:
            explained = JournalFailed(
                f"{self._database.name} cannot keep this: {type(error).__name__}: {error}; leave it out"
            )
        explained.__cause__ = error
        self._forget_connection()  # whatever it was, a new one knows nothing of it
        return explained

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _settle(outcomes: Sequence[tuple[asyncio.Future[object], object, Exception | None]]) -> None:
    """Tell those who wait, each in its event loop, with one call for each loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[object], object, Exception | None]]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, told in loops.items():
        with suppress(RuntimeError):  # closed: nobody waits there any more
            loop.call_soon_threadsafe(_tell, told)


def _tell(outcomes: Sequence[tuple[asyncio.Future[object], object, Exception | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue  # cancelled
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
