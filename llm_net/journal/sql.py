"""A `Journal` in the tables of some database. Knows no database by name, and writes no statement.

One thread writes, for all who wait; readers have connections of their own, in threads. Nothing blocks the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from threading import Lock
from typing import TypeVar

from llm_net.errors import JournalFailed, UnknownRun
from llm_net.journal.database import Connection, Database
from llm_net.journal.order import unknown
from llm_net.journal.reading import Reading
from llm_net.journal.store import Store
from llm_net.journal.writer import Writer
from llm_net.record import Fact, Opened, RunInfo, Select

T = TypeVar("T")


class SqlJournal:
    """The methods of the port, for every database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = Store(database)
        self._writer = Writer(database, self._store.write)
        self._lock = Lock()
        self._resting: list[Connection] = []
        self._closed = False

    async def write(self, run: str, facts: Sequence[Fact]) -> None:
        """See `Journal.write`. What several callers want kept at the same time goes to the disk together."""
        if facts:
            await self._writer.write(run, tuple(facts))

    async def open(self, run: str, *, upto: int | None = None) -> Opened:
        """See `Journal.open`."""
        return await self._read(lambda db: self._store.open(db, run, upto), run)

    async def read(self, run: str, select: Select = Select()) -> AsyncIterator[Fact]:  # noqa: B008 - frozen
        """See `Journal.read`. Memory holds a page of facts, however many there are."""
        if select.text:
            await self._read(lambda db: self._store.id_of(db, run), run)
            while await self._writer.do(lambda db: self._store.index(db, run)):
                pass
        reading = Reading(self._store, self._database, run, select)
        while facts := await self._read(reading.page, run):
            for fact in facts:
                yield fact

    async def runs(self) -> Sequence[RunInfo]:
        """See `Journal.runs`."""
        try:
            return await self._read(self._store.runs)
        except UnknownRun:  # nothing was ever written
            return []

    async def forget(self, run: str, *, keep_open: bool = False) -> None:
        """See `Journal.forget`."""
        await self._read(lambda db: self._store.id_of(db, run), run)
        await self._writer.do(lambda db: self._store.forget(db, run, keep_open=keep_open))
        while await self._writer.do(self._store.sweep):  # also what was left by one who was stopped
            pass

    async def aclose(self) -> None:
        """Keep what was given to `write`, and close all connections."""
        await self._writer.close()
        with self._lock:
            self._closed = True
            resting, self._resting = self._resting, []
        for connection in resting:
            await asyncio.to_thread(connection.close)

    async def _read(self, work: Callable[[Connection], T], run: str = "") -> T:
        return await asyncio.to_thread(self._do, work, run)

    def _do(self, work: Callable[[Connection], T], run: str) -> T:
        """In a thread: read with a connection that nobody else uses meanwhile. Raises UnknownRun while there is nothing."""
        connection: Connection | None = None
        try:
            connection = self._taken()
            results = [] if connection is None else [work(connection)]
        except Exception as error:
            if connection is not None:
                connection.close()
            explained = self._database.explain(error)
            if explained is None or explained is error:
                raise
            raise explained from error
        if connection is None:
            raise unknown(run, ())
        self._give_back(connection)
        return results[0]

    def _taken(self) -> Connection | None:
        with self._lock:
            if self._closed:
                raise JournalFailed(f"{self._database.name} was closed; make a new journal")
        while self._resting:
            try:
                connection = self._resting.pop()
            except IndexError:  # another thread took it
                break
            if connection.alive():
                return connection
            connection.close()
        return self._database.to_read()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed:
                self._resting.append(connection)
                return
        connection.close()
