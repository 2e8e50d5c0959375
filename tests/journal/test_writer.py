"""The one thread that writes: what goes together, and who is told what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import pytest

from llm_net.errors import JournalError, JournalFailed
from llm_net.journal.database import Connection
from llm_net.journal.rows import Row, Value
from llm_net.journal.writer import Write, Writer
from llm_net.record import Finished


class Disk:
    """A database and its one connection, that does nothing until it is let."""

    name = "the disk"
    odd: tuple[type[Exception], ...] = ()
    for_update = lock_parts = unsearch = holds_words = ""

    def __init__(self) -> None:
        self.may = Event()
        self.groups: list[list[str]] = []
        self.connections = 0
        self.open = False
        self.rested = Event()
        self.broken: OSError | None = None

    def write(self, db: Connection, writes: Sequence[Write]) -> list[JournalError | None]:
        assert db is self
        assert self.may.wait(10)
        names = [write.run for write in writes]
        self.groups.append(names)
        if self.broken is not None:
            raise self.broken
        if "odd" in names:
            raise ValueError("odd")
        return [JournalFailed("taken") if name == "taken" else None for name in names]

    def to_write(self) -> Connection:
        self.connections += 1
        self.open = True
        return self

    def to_read(self) -> Connection | None:
        return None

    def rest(self, connection: Connection) -> None:
        self.rested.set()

    def explain(self, error: Exception) -> JournalFailed | None:
        return JournalFailed("the disk is gone") if isinstance(error, OSError) else None

    def among(self, column: str, values: str) -> str:
        return ""

    def question(self, words: Sequence[str]) -> str:
        return ""

    def fetch(self, sql: str, **values: Value | Sequence[Value]) -> list[Row]:
        return []

    def insert(self, table: str, rows: Sequence[Row]) -> None: ...

    @contextmanager
    def change(self) -> Iterator[None]:
        yield

    look = change

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        self.open = False


FACTS = [Finished(1, "done", "", 1.0)]


async def written(disk: Disk, *names: str) -> list[str]:
    """Write one, and when that is under way these; gives what each of these was told."""
    writer = Writer(disk, disk.write)
    first = asyncio.create_task(writer.write("first", FACTS))
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(writer.write(name, FACTS)) for name in names]
    await asyncio.sleep(0)
    disk.may.set()
    await first
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await writer.close()
    return ["" if outcome is None else str(outcome) for outcome in outcomes]


def test_what_comes_while_a_transaction_is_under_way_goes_into_the_next() -> None:
    disk = Disk()
    assert asyncio.run(written(disk, *"abcdef")) == [""] * 6
    assert ["first", *"abcdef"] == [name for group in disk.groups for name in group]
    assert len(disk.groups) <= 2


def test_what_is_wrong_with_one_is_told_to_that_one() -> None:
    told = asyncio.run(written(Disk(), "a", "taken", "b"))
    assert told[0] == told[2] == ""
    assert "taken" in told[1]


def test_what_cannot_be_kept_keeps_out_nothing_else() -> None:
    disk = Disk()
    told = asyncio.run(written(disk, "a", "odd", "b"))
    assert told[0] == told[2] == ""
    assert "the disk cannot keep this: ValueError: odd" in told[1]
    assert disk.groups[-3:] == [["a"], ["odd"], ["b"]]


def test_after_a_failure_of_the_disk_all_are_told_once_and_a_new_connection_is_made() -> None:
    async def main() -> None:
        disk = Disk()
        disk.may.set()
        writer = Writer(disk, disk.write)
        await writer.write("a", FACTS)
        disk.broken = OSError()
        with pytest.raises(JournalFailed, match="the disk is gone") as failed:
            await writer.write("b", FACTS)
        assert isinstance(failed.value.__cause__, OSError)
        assert not disk.open
        disk.broken = None
        await writer.write("c", FACTS)
        assert disk.connections == 2
        await writer.close()
        assert not disk.open

    asyncio.run(main())


def test_other_work_is_done_between_transactions_in_the_order_asked_for() -> None:
    async def main() -> None:
        disk = Disk()
        writer = Writer(disk, disk.write)
        seen: list[int] = []

        def look(db: Connection) -> int:
            seen.append(sum(map(len, disk.groups)))
            return 7

        tasks = [
            asyncio.create_task(writer.write("a", FACTS)),
            looking := asyncio.create_task(writer.do(look)),
            asyncio.create_task(writer.write("b", FACTS)),
        ]
        await asyncio.sleep(0)
        disk.may.set()
        await asyncio.wait(tasks)
        assert looking.result() == 7
        assert seen == [1]
        await writer.close()

    asyncio.run(main())


def test_the_disk_may_tidy_up_when_nothing_was_written_for_a_while() -> None:
    async def main() -> None:
        disk = Disk()
        disk.may.set()
        writer = Writer(disk, disk.write)
        await writer.write("a", FACTS)
        assert await asyncio.to_thread(disk.rested.wait, 10)
        await writer.close()

    asyncio.run(main())


def test_to_close_waits_for_what_was_asked_for() -> None:
    async def main() -> None:
        disk = Disk()
        writer = Writer(disk, disk.write)
        tasks = [asyncio.create_task(writer.write(name, FACTS)) for name in "abc"]
        await asyncio.sleep(0)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0)
        disk.may.set()
        await closing
        await asyncio.wait(tasks)
        assert not any(task.exception() for task in tasks)
        assert not disk.open

    asyncio.run(main())
