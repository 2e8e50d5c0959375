"""What a journal costs: runs with and without one, beside raw inserts of the very same rows in the same batches.

python -m benchmarks.journal                    a minute; SQLite, and PostgreSQL where one is installed
python -m benchmarks.journal --million          besides, one run of 1,000,000 messages: some minutes, 1 GB of disk
python -m benchmarks.journal --write            and into benchmarks/README.md
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.errors import LimitReached
from llm_net.journal import MemoryJournal, PostgresJournal, SqliteJournal
from llm_net.journal.sqlite import INSERT, _Connection
from llm_net.journal.store import Store
from llm_net.ports import Journal
from llm_net.record import Begun, Ended, Fact, Sent
from llm_net.runtime.recorder import Recorder

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- journal -->", "<!-- end of journal -->"

BODY = "x" * 100
UNLIMITED = Limits(messages=None, depth=None, seconds=None)


class Runner(GenAgent):
    """Passes a token on, and counts."""

    after: str
    runs: int = 0

    async def atoken(self, message: Message) -> Message | None:
        self.runs += 1
        left = int(str(message.metadata["left"]))
        return Message(method="token", body=BODY, receiver=self.after, metadata={"left": left - 1}) if left else None


class Payer(GenAgent):
    """Does something once, `n` times."""

    waits: list[float] = []

    async def arequest(self, message: Message) -> None:
        waits: list[float] = []
        for _ in range(int(message.body)):
            began = perf_counter()
            await self.effect("pay", lambda: None)
            waits.append(perf_counter() - began)
        self.waits = waits


def ring(agents: int) -> GenNetwork:
    runners = [Runner(id=f"r{n}", after=f"r{(n + 1) % agents}") for n in range(agents)]
    return GenNetwork(id="ring", agents=runners)


@dataclass
class Lap:
    """One run: so many messages in so much time on the wall and of all threads' CPU."""

    messages: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.messages / self.wall


async def lap(agents: int, tokens: int, hops: int, journal: Journal | None, limits: Limits = UNLIMITED) -> Lap:
    """Let tokens go round a ring; it is over when everything is durable."""
    network = ring(agents)
    wall, cpu = perf_counter(), process_time()
    run = network.run(journal=journal, limits=limits)
    try:
        async with run:
            for n in range(tokens):
                root = Message(method="token", body=BODY, receiver=f"r{n * agents // tokens}", metadata={"left": hops})
                await run.send(root)
    except LimitReached:
        pass
    return Lap(run.statistics().sent, perf_counter() - wall, process_time() - cpu)


# ---------------------------------------------------------------------------------------------- raw


@dataclass
class Batches:
    """What a journal was given, and what it inserted, by transaction."""

    all: list[list[tuple[str, Sequence[Any]]]] = field(default_factory=list)
    facts: list[Sequence[Fact]] = field(default_factory=list)

    @contextmanager
    def caught(self) -> Iterator[None]:
        insert, change = _Connection.insert, _Connection.change
        write = SqliteJournal.write
        batches = self.all

        async def kept_write(journal: SqliteJournal, run: str, facts: Sequence[Fact]) -> None:
            self.facts.append(facts)
            await write(journal, run, facts)

        SqliteJournal.write = kept_write  # type: ignore[method-assign,assignment]

        def kept_insert(connection: _Connection, table: str, rows: Sequence[Any]) -> None:
            batches[-1].append((table, list(rows)))
            insert(connection, table, rows)

        def kept_change(connection: _Connection) -> Any:
            batches.append([])
            return change(connection)

        _Connection.insert, _Connection.change = kept_insert, kept_change  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            _Connection.insert, _Connection.change = insert, change  # type: ignore[method-assign]
            SqliteJournal.write = write  # type: ignore[method-assign]


async def written(journal: Journal, batches: Batches) -> float:
    """Seconds that a journal takes for the same facts, while nothing else is done."""
    began = perf_counter()
    for facts in batches.facts:
        await journal.write("again", facts)
    return perf_counter() - began


def raw(path: Path, like: Path, batches: Batches) -> list[float]:
    """Seconds that executemany takes for the same rows in the same transactions, into the same tables: of each."""
    source = sqlite3.connect(like)
    schema = source.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
    source.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    for name, sql in schema:
        if not name.startswith(("search_", "sqlite_")):
            database.execute(sql)
    waits: list[float] = []
    for batch in batches.all:
        began = perf_counter()
        database.execute("BEGIN IMMEDIATE")
        for table, rows in batch:
            database.executemany(INSERT[table], rows)
        database.execute("COMMIT")
        waits.append(perf_counter() - began)
    database.close()
    return waits


def raw_commits(path: Path, n: int) -> list[float]:
    """Seconds of single commits of one row of 500 bytes."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, data BLOB)")
    waits: list[float] = []
    for _ in range(n):
        began = perf_counter()
        database.execute("INSERT INTO row (data) VALUES (?)", (b"x" * 500,))
        waits.append(perf_counter() - began)
    database.close()
    return waits


async def single_messages(journal: Journal, n: int) -> list[float]:
    """Seconds until one message, with its end, is durable: one after another."""
    await journal.write("single", [Begun(1, "ring", 1, 0.0)])
    message = b'{"kind":"llm_net.message:Message","fields":{"body":"%b"}}' % (b"x" * 300)
    waits: list[float] = []
    for number in range(1, n + 1):
        seq = 2 * number
        facts: list[Fact] = [
            Sent(seq, number, 0, f"m{number}", "m:Message", "token", "a", "b", "", "c", "", "", 1, True, 0.0, message),
            Ended(seq + 1, number, "handled", "b", number, 0.0, 0.0),
        ]
        began = perf_counter()
        await journal.write("single", facts)
        waits.append(perf_counter() - began)
    return waits


async def effects(journal: Journal, n: int) -> list[float]:
    """Seconds of one effect that must not happen twice: its intent is durable before it is done."""
    network = GenNetwork(id="till", agents=[Payer(id="payer")])
    async with network.run(Message(body=str(n), receiver="payer"), journal=journal, limits=UNLIMITED):
        pass
    payer = network["payer"]
    assert isinstance(payer, Payer)
    return payer.waits


# ---------------------------------------------------------------------------------------------- parts


@contextmanager
def timed(owner: type, name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Add up the CPU time of the calls of a method, in whatever thread."""
    method = getattr(owner, name)

    def around(*args: Any, **kwargs: Any) -> Any:
        began = thread_time()
        try:
            return method(*args, **kwargs)
        finally:
            seconds[name] = seconds.get(name, 0.0) + thread_time() - began

    setattr(owner, name, around)
    try:
        yield
    finally:
        setattr(owner, name, method)


# ---------------------------------------------------------------------------------------------- the sitting


async def closed(journal: Journal, measured: Callable[[Journal], Awaitable[Any]]) -> Any:
    try:
        return await measured(journal)
    finally:
        await journal.aclose()


def points(waits: list[float]) -> str:
    ordered = sorted(waits)
    return f"{1e3 * statistics.median(ordered):.2f} ms · {1e3 * ordered[int(0.99 * (len(ordered) - 1))]:.2f} ms"


def rates(folder: Path, dsn: str | None, n: int) -> Iterator[str]:
    """Rows of the table of rates."""
    yield "| tokens round a ring of as many agents | 1 | 50 | 500 |"
    yield "|---|---:|---:|---:|"
    shapes = [(2, 1), (50, 50), (500, 500)]

    def row(name: str, make: Callable[[int], Journal | None]) -> tuple[str, list[Lap]]:
        laps: list[Lap] = []
        for index, (agents, tokens) in enumerate(shapes):

            async def measured(index: int = index, agents: int = agents, tokens: int = tokens) -> Lap:
                journal = make(index)
                try:
                    return await lap(agents, tokens, n // tokens, journal)
                finally:
                    if journal is not None:
                        await journal.aclose()

            laps.append(asyncio.run(measured()))
        cells = " | ".join(f"{each.rate:,.0f}/s · {1e6 * each.cpu / each.messages:.0f} µs" for each in laps)
        return f"| {name} | {cells} |", laps

    yield row("no journal", lambda _: None)[0]
    yield row("MemoryJournal", lambda _: MemoryJournal())[0]
    caught: list[Batches] = []

    laps: list[Lap] = []
    for index, (agents, tokens) in enumerate(shapes):
        batches = Batches()
        caught.append(batches)
        with batches.caught():
            journal = SqliteJournal(folder / f"ring{index}.db")
            laps.append(asyncio.run(closed(journal, lambda journal, a=agents, t=tokens: lap(a, t, n // t, journal))))  # type: ignore[misc]
    cells = " | ".join(f"{each.rate:,.0f}/s · {1e6 * each.cpu / each.messages:.0f} µs" for each in laps)
    yield f"| SqliteJournal, synchronous=full | {cells} |"
    alone: list[str] = []
    raws: list[str] = []
    for index, batches in enumerate(caught):
        n_messages = laps[index].messages
        seconds = sum(raw(folder / f"raw{index}.db", folder / f"ring{index}.db", batches))
        journal = SqliteJournal(folder / f"alone{index}.db")
        ours = asyncio.run(closed(journal, lambda journal, b=batches: written(journal, b)))  # type: ignore[misc]
        alone.append(f"{n_messages / ours:,.0f}/s · **{100 * seconds / ours:.0f} %**")
        raws.append(f"{n_messages / seconds:,.0f}/s, {len(batches.facts)} commits · **100 %**")
    yield f"| SqliteJournal alone: the same facts in the same batches | {' | '.join(alone)} |"
    yield f"| raw sqlite3: the same rows in the same batches | {' | '.join(raws)} |"
    if dsn is not None:
        yield row("PostgresJournal", lambda index: PostgresJournal(dsn, schema=f"ring{index}"))[0]
    size = (folder / "ring1.db").stat().st_size
    yield ""
    yield f"A message takes {size / laps[1].messages:,.0f} bytes of the file, its index of words included."


def latencies(folder: Path, n: int) -> Iterator[str]:
    commits = raw_commits(folder / "commits.db", n)
    batches = Batches()
    with batches.caught():
        messages = asyncio.run(closed(SqliteJournal(folder / "single.db"), lambda journal: single_messages(journal, n)))
    rows = raw(folder / "rows.db", folder / "single.db", batches)[-n:]
    payments = asyncio.run(closed(SqliteJournal(folder / "effects.db"), lambda journal: effects(journal, n)))
    base = statistics.median(commits)
    yield f"| {n} one after another, SQLite synchronous=full | p50 · p99 | ÷ raw |"
    yield "|---|---:|---:|"
    for name, waits in (
        ("raw: one commit of one row", commits),
        ("raw: one commit of the rows of one message", rows),
        ("one message with its end, durable", messages),
        ("one effect that must not happen twice", payments),
    ):
        yield f"| {name} | {points(waits)} | {statistics.median(waits) / base:.2f} |"


def parts(folder: Path, n: int) -> Iterator[str]:
    seconds: dict[str, float] = {}
    with (
        timed(Recorder, "encoded", seconds),
        timed(Recorder, "_states", seconds),
        timed(Store, "write", seconds),
    ):
        journal = SqliteJournal(folder / "parts.db")
        done = asyncio.run(closed(journal, lambda journal: lap(50, 50, n // 50, journal)))
    plain = asyncio.run(lap(50, 50, n // 50, None))
    yield "| CPU of one recorded message | µs |"
    yield "|---|---:|"
    base = plain.cpu / plain.messages
    written = {
        "encoded": "its JSON",
        "_states": "what changed in the agent",
        "write": "rows and tables, in the writer's thread",
    }
    yield f"| the message itself, no journal | {1e6 * base:.0f} |"
    for name, what in written.items():
        yield f"| {what} | {1e6 * seconds[name] / done.messages:.0f} |"
    rest = done.cpu / done.messages - base - sum(seconds.values()) / done.messages
    yield f"| facts, steps, counting | {1e6 * rest:.0f} |"


def million(folder: Path, n: int) -> Iterator[str]:
    path = folder / "million.db"
    limits = Limits(messages=n, depth=None, seconds=None)
    done = asyncio.run(closed(SqliteJournal(path), lambda journal: lap(100, 100, n, journal, limits)))

    async def again(journal: Journal) -> tuple[float, float, int]:
        (info,) = await journal.runs()
        began = perf_counter()
        opened = await journal.open(info.run)
        open_seconds = perf_counter() - began
        network = ring(100)
        began = perf_counter()
        run = network.resume(journal, info.run, limits=UNLIMITED)
        async with run:
            seconds = perf_counter() - began
            run.cancel()
        return open_seconds, seconds, len(opened.pending)

    open_seconds, resumed, pending = asyncio.run(closed(SqliteJournal(path), again))
    yield f"{done.messages:,} messages in one run: {done.rate:,.0f}/s, {1e6 * done.cpu / done.messages:.0f} µs of CPU each, "
    yield f"{path.stat().st_size / done.messages:,.0f} bytes each. "
    yield f"Then, with {pending} pending, `open` takes {1e3 * open_seconds:.0f} ms, "
    yield f"and a resume {1e3 * resumed:.0f} ms until it goes on."


def dsn_of_server() -> tuple[str, Callable[[], None]] | None:
    try:
        from tests.journal.servers import PostgresServer

        server = PostgresServer(durable=True)
    except (ImportError, RuntimeError, OSError) as error:
        print(f"no PostgreSQL: {error}", file=sys.stderr)
        return None
    return server.database("bench"), server.close


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000, help="of each run (50,000)")
    parser.add_argument("--million", action="store_true", help="one run of 1,000,000 messages besides")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    asked = parser.parse_args()
    server = dsn_of_server()
    try:
        with tempfile.TemporaryDirectory(prefix="llm_net-bench-") as name:
            folder = Path(name)
            sections = [
                "\n".join(rates(folder, None if server is None else server[0], asked.messages)),
                "\n".join(latencies(folder, 200)),
                "\n".join(parts(folder, asked.messages)),
            ]
            if asked.million:
                sections.append("".join(million(folder, 1_000_000)))
    finally:
        if server is not None:
            server[1]()
    tables = "\n\n".join(sections)
    print(tables)
    if asked.write:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
