"""Carriers over a PostgreSQL server, for those who have nothing else. Knows tables and functions, not what is carried.

Packets go through an unlogged table and LISTEN/NOTIFY says that there are some; presence and leases are rows with the server's
clock. All of it is done by functions of the schema (`postgres.sql`), which run with the rights of the schema's owner.

Who speaks: those functions let a database role speak only as the nodes that it is a `member` of, by the name under which the
server knows it (`session_user`); the tables themselves are closed to it. So where each node connects as a role of its own
(`database_script`), none can speak, hear, be there or hold a lease as another. The owner of the schema may speak as anybody:
where all nodes connect as one role, which is the simple way, they trust each other, and a forged sender is not found.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import Future, Task
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from hashlib import md5
from importlib.resources import files
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

from llm_net.carriers.presence import Presence, check_name
from llm_net.errors import CarrierFailed, MissingDependency
from llm_net.ports import Lease

if TYPE_CHECKING:  # not ours, and may be absent
    import psycopg

LARGEST: Final = 256 * 1024
"""Bytes of a packet."""

HERE: Final = 5.0
"""Seconds after which a node that was not heard of is not there any more."""

BEAT: Final = 1.0
"""Seconds between two signs of life."""

CROWD: Final = 1_000
CROWD_BYTES: Final = 8 * 1024 * 1024
"""Packets and bytes that may wait to be written."""

AT_A_TIME: Final = 100
"""Packets that are read at a time."""

SHORTEST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 2.0
"""Seconds between two attempts to connect: at first, and at most."""

LOCK: Final = 0x6C6E6361
"""The lock that whoever makes the tables holds."""


class PostgresCarrier:
    """A `Carrier` over one schema of a database of PostgreSQL 14 or later. Connects again by itself for as long as it is joined.

    Args:
        dsn: where it is, as libpq writes it: `postgresql://user@host/database`, or `host=… dbname=…`.
        schema: of the tables and functions, which are made when the first node joins, if its role may.

    Raises:
        MissingDependency: psycopg is not installed.
    """

    def __init__(self, dsn: str, *, schema: str = "llm_net_carrier") -> None:
        try:
            import psycopg
            import psycopg.conninfo
        except ImportError as error:
            raise MissingDependency("psycopg", "postgres", "a carrier over PostgreSQL") from error
        self._psycopg = psycopg
        self._dsn = dsn
        self._schema = schema
        known: dict[str, Any] = {}
        with suppress(psycopg.Error):
            known = psycopg.conninfo.conninfo_to_dict(dsn)
        host = known.get("host", "")
        self._where = f"the database {known.get('dbname', '')} of PostgreSQL{f' at {host}' if host else ''}"
        self._node = ""
        self._life = token_bytes(8)
        self._hear: Callable[[str, bytes], None] = lambda sender, data: None
        self._writing: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._listening: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._connecting = asyncio.Lock()
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued = 0
        self._awake = asyncio.Event()
        self._waiting: list[Future[None]] = []
        self._tasks: list[Task[None]] = []
        self._presence = Presence()
        self._gone = ""

    @property
    def largest(self) -> int:
        """Bytes that a packet may have."""
        return LARGEST

    # ------------------------------------------------------------------------------------------ being there

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        """See `ports.Carrier.join`. A name whose node died is free after some seconds: they are waited for."""
        check_name(self._where, node, about)
        if self._node:
            raise self._failed(f"it was joined as {self._node!r} already; make another")
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", self._schema):
            raise self._failed(f"{self._schema!r} cannot name a schema; use lower-case letters, digits and _")
        self._node, self._hear = node, hear
        clock = asyncio.get_running_loop().time
        try:
            self._writing = await self._connect()
            await self._make_tables(self._writing)
            patience = clock() + HERE + 1
            signs: set[tuple[object, ...]] = set()
            while not (await self._call("enter", node, self._life, about, HERE))[0][0]:
                # Whoever is alive says so again; the time of one that died stands still.
                signs.update(await self._call("sign", node))
                if len(signs) > 1 or clock() > patience:
                    raise self._failed(f"somebody else is there as {node!r}; join under another name")
                await asyncio.sleep(0.2)
            await self._listen()
            await self._look()
        except self._psycopg.Error as error:
            await self._disconnect()
            self._node = ""
            raise self._failed(self._sentence(error)) from error
        except BaseException:
            await self._disconnect()
            self._node = ""
            raise
        self._tasks = [asyncio.create_task(work()) for work in (self._read, self._write, self._beat)]

    async def aclose(self) -> None:
        """See `ports.Carrier.aclose`."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks and not self._gone:
            with suppress(CarrierFailed, self._psycopg.Error, TimeoutError):
                async with asyncio.timeout(2):
                    await self._post_all()
                    await self._call("leave", self._node, self._life)
        self._gone = self._gone or "it has left"
        await self._disconnect()
        self._presence.close()
        self._make_room()

    async def _beat(self) -> None:
        """Say every second that this node is there, and see who else is."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._look()
            except self._psycopg.errors.ObjectNotInPrerequisiteState:
                # Whoever was away for so long is not this node any more, and must not speak as it.
                self._gone = f"somebody else has taken the name {self._node!r}"
                self._presence.close()
                return
            except (CarrierFailed, self._psycopg.Error):
                continue  # said again soon, on another connection

    async def _look(self) -> None:
        there = await self._call("stay", self._node, self._life, HERE)
        self._presence.set({name: bytes(about) for name, about in there})

    def watch(self) -> AsyncIterator[Mapping[str, bytes]]:
        """See `ports.Carrier.watch`."""
        return self._presence.watch()

    # ------------------------------------------------------------------------------------------ bytes

    async def send(self, node: str, data: bytes) -> None:
        """See `ports.Carrier.send`."""
        if len(data) > LARGEST:
            raise ValueError(f"a packet of {len(data):,} bytes; this carrier takes {LARGEST:,}")
        while self._tasks and not self._gone and (len(self._queue) >= CROWD or self._queued >= CROWD_BYTES):
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        if self._tasks and not self._gone:
            self._queue.append((node, data))
            self._queued += len(data)
            self._awake.set()

    async def _write(self) -> None:
        """Write what waits, all of it at once."""
        wait = SHORTEST_WAIT
        while not self._gone:
            await self._awake.wait()
            self._awake.clear()
            try:
                await self._post_all()
                wait = SHORTEST_WAIT
            except (CarrierFailed, self._psycopg.Error):
                await asyncio.sleep(wait)  # what was to be written is lost, as a link expects
                wait = min(2 * wait, LONGEST_WAIT)

    async def _post_all(self) -> None:
        packets = list(self._queue)
        self._queue.clear()
        self._queued = 0
        self._make_room()
        if packets:
            receivers, data = [node for node, _ in packets], [each for _, each in packets]
            await self._call("post", self._node, self._life, receivers, data)

    def _make_room(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _read(self) -> None:
        """Take what is there for this node, whenever the server says that there is something."""
        wait = SHORTEST_WAIT
        while not self._gone:
            try:
                if self._listening is None or self._listening.closed:
                    await self._listen()
                await self._take(self._listening)
                wait = SHORTEST_WAIT
            except (CarrierFailed, self._psycopg.Error):
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _take(self, connection: psycopg.AsyncConnection[tuple[Any, ...]] | None) -> None:
        assert connection is not None
        query = _ours(f'SELECT * FROM "{self._schema}".take(%s, %s, %s)')
        while True:
            cursor = await connection.execute(query, [self._node, self._life, AT_A_TIME], binary=True)
            rows = await cursor.fetchall()
            for sender, data in rows:
                self._hear(sender, bytes(data))
            if len(rows) < AT_A_TIME:
                break
        async for note in connection.notifies(timeout=BEAT, stop_after=1):
            if note.channel == self._channel(""):
                await self._look()

    async def _listen(self) -> None:
        self._listening = await self._connect()
        for node in (self._node, ""):
            await self._listening.execute(_ours(f'LISTEN "{self._channel(node)}"'))

    def _channel(self, node: str) -> str:
        """Where it is said that there is something for a node; for "", that others are there than before."""
        return f"llm_net_{md5(f'{self._schema}.{node}'.encode(), usedforsecurity=False).hexdigest()}"

    # ------------------------------------------------------------------------------------------ leases

    async def lease(self, name: str, *, seconds: float) -> Lease:
        """See `ports.Carrier.lease`."""
        if not self._tasks or self._gone:
            raise self._failed(self._gone or "it is not joined")
        asked = asyncio.get_running_loop().time()
        try:
            ((holder, epoch, left),) = await self._call("hold", self._node, self._life, name, float(seconds))
        except self._psycopg.Error as error:
            raise self._failed(self._sentence(error)) from error
        return Lease(name, holder, epoch, asked + max(left, 0.0))

    # ------------------------------------------------------------------------------------------ the connection

    async def _call(self, function: str, *values: object) -> list[tuple[Any, ...]]:
        """Call a function of the schema."""
        async with self._connecting:
            if self._writing is None or self._writing.closed:
                self._writing = await self._connect()
        places = ", ".join(["%b" if isinstance(value, bytes | list) else "%s" for value in values])
        cursor = await self._writing.execute(_ours(f'SELECT * FROM "{self._schema}".{function}({places})'), values)
        return await cursor.fetchall()

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        try:
            return await self._psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
        except self._psycopg.Error as error:
            raise self._failed(self._sentence(error)) from error

    async def _disconnect(self) -> None:
        for connection in (self._writing, self._listening):
            if connection is not None:
                with suppress(self._psycopg.Error):
                    await connection.close()

    async def _make_tables(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        if await self._is_made(connection):
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if not await self._is_made(connection):
                await connection.execute(_ours(_tables(self._schema)))

    async def _is_made(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> bool:
        cursor = await connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [self._schema])
        return await cursor.fetchone() is not None

    def _failed(self, problem: str) -> CarrierFailed:
        return CarrierFailed(self._where, problem)

    def _sentence(self, error: Exception) -> str:
        """What happened, with the cure."""
        lines = str(error).strip().splitlines()
        said = lines[0] if lines else type(error).__name__
        if isinstance(error, self._psycopg.errors.InsufficientPrivilege):
            return f"it refuses this role ({said}); let its owner run what `database_script` writes"
        if isinstance(error, self._psycopg.OperationalError):
            return f"it cannot be reached ({said}); start it, or look at the DSN"
        return said


def _ours(sql: str) -> LiteralString:
    """SQL of our own words, as psycopg's types want it."""
    return cast(LiteralString, sql)  # type: ignore[redundant-cast]  # it is not for pyright


def _tables(schema: str) -> str:
    script = files("llm_net.carriers").joinpath("postgres.sql").read_text(encoding="utf-8").replace("@schema@", schema)
    return f"CREATE SCHEMA {schema};\nSET LOCAL search_path TO {schema};\n{script}\nRESET search_path;\n"


def database_script(nodes: Mapping[str, str], *, schema: str = "llm_net_carrier") -> str:
    """SQL that makes the tables and lets each node speak in its own name only; to be run once, by who will own them.

    Args:
        nodes: names of nodes, and the database role that each connects as: one of its own, and not the owner's.
    """
    where = "a database of PostgreSQL"
    rows = []
    for node, role in nodes.items():
        check_name(where, node)
        rows.append("('{}', '{}')".format(role.replace("'", "''"), node))
    members = f"INSERT INTO {schema}.member (role, node) VALUES {', '.join(rows)};\n" if rows else ""
    return f"BEGIN;\n{_tables(schema)}{members}COMMIT;\n"
