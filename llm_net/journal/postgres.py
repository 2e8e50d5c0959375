"""Facts of runs in a PostgreSQL database. The only file that knows PostgreSQL and psycopg; knows no facts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

from llm_net.errors import JournalFailed, MissingDependency
from llm_net.journal.database import Connection
from llm_net.journal.rows import Row, Value, clean
from llm_net.journal.sql import SqlJournal

if TYPE_CHECKING:  # not ours, and may be absent
    import psycopg

VERSION: Final = 2
"""Of the tables: the last of `schema/postgres-*.sql`."""

MIGRATION: Final = 0x6C6E6574
"""The lock that whoever makes or changes the tables holds."""

COPY: Final = {
    "begun": "int8 int8 text text float8 text text int8",
    "sent": "int8 int8 int8 int8 text text text text text text text text text int8 int2 float8 bytea int2",
    "effect": "int8 int8 int8 int8 text text text text text float8 float8 bytea bytea int8 int8 text",
    "ended": "int8 int8 int8 text text int8 float8 float8 bytea int8 int8 int8",
    "state": "int8 int8 int8 text int2 bytea",
    "finished": "int8 int8 text bytea float8",
    "part": "int8 int8 text",
}
"""The types of the columns of each table that is filled by COPY, which is the fastest way."""

INSERT: Final = {
    "content": "INSERT INTO content VALUES (%s, %s) ON CONFLICT DO NOTHING",
    "search": "INSERT INTO search VALUES (%s, %s, array_to_tsvector(string_to_array(%s, ' ')))",
}


class PostgresJournal(SqlJournal):
    """Keeps runs in a database of a PostgreSQL server (14 or later), which processes on many machines may share.

    What a write waits for is what the server promises: with `synchronous_commit`, as it is by default, its disk.

    Args:
        dsn: where it is, as libpq writes it: `postgresql://user@host/database`, or `host=… dbname=…`.
        schema: of the tables, which are made at the first write.

    Raises:
        MissingDependency: psycopg is not installed.
    """

    def __init__(self, dsn: str, *, schema: str = "llm_net") -> None:
        super().__init__(_Postgres(dsn, schema))


class _Connection:
    """One connection to a server."""

    def __init__(self, psycopg_connection: psycopg.Connection[Row]) -> None:
        self.psycopg = psycopg_connection

    def fetch(self, sql: str, **values: Value | Sequence[Value]) -> list[Row]:
        cursor = self.psycopg.execute(_translated(sql), {name: _plain(value) for name, value in values.items()})
        return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        with self.psycopg.cursor() as cursor:
            if table not in COPY:
                cursor.executemany(_ours(INSERT[table]), rows)
                return
            with cursor.copy(_ours(f"COPY {table} FROM STDIN (FORMAT BINARY)")) as copy:
                copy.set_types(COPY[table].split())
                for row in rows:
                    copy.write_row(row)

    @contextmanager
    def change(self) -> Iterator[None]:
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def look(self) -> Iterator[None]:
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    @contextmanager
    def _transaction(self, begin: LiteralString) -> Iterator[None]:
        self.psycopg.execute(begin)
        try:
            yield
            self.psycopg.execute("COMMIT")
        except BaseException:
            if not self.psycopg.broken:
                with suppress(Exception):  # what went wrong before is what is told
                    self.psycopg.execute("ROLLBACK")
            raise

    def alive(self) -> bool:
        try:
            self.psycopg.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is, a new one is made
            return False
        return True

    def close(self) -> None:
        with suppress(Exception):
            self.psycopg.close()


def _ours(sql: str) -> LiteralString:
    """SQL of our own words, as psycopg's types want it."""
    return cast(LiteralString, sql)  # type: ignore[redundant-cast]  # it is not for pyright


@cache
def _translated(sql: str) -> LiteralString:
    """With `%(name)s` for `:name`."""
    return _ours(re.sub(r":([a-z_]+)", r"%(\1)s", sql.replace("%", "%%")))


def _plain(value: Value | Sequence[Value]) -> object:
    """A value as psycopg takes it: sequences as lists."""
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list):
        return list(clean(tuple(value)))
    return clean((value,))[0]


class _Postgres:
    """One schema of a database, and how it is used."""

    for_update = "FOR UPDATE"
    lock_parts = "LOCK TABLE part IN SHARE ROW EXCLUSIVE MODE"
    holds_words = "sent.seq IN (SELECT search.seq FROM search WHERE search.run = :link AND search.words @@ CAST(:words AS tsquery))"
    unsearch = "DELETE FROM search WHERE run = :run AND seq <= :upto"

    def __init__(self, dsn: str, schema: str) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
            raise JournalFailed(f"{schema!r} cannot name a schema; use lower-case letters, digits and _")
        try:
            import psycopg
            import psycopg.conninfo
        except ImportError as error:
            raise MissingDependency("psycopg", "postgres", "a journal in PostgreSQL") from error
        self._psycopg = psycopg
        self._dsn = dsn
        self._schema = schema
        self.odd: tuple[type[Exception], ...] = (UnicodeEncodeError, psycopg.DataError)

    @property
    def name(self) -> str:
        known: dict[str, Any] = {}
        with suppress(self._psycopg.Error):
            known = self._psycopg.conninfo.conninfo_to_dict(self._dsn)
        host = known.get("host", "")
        return f"the database {known.get('dbname', '')} of PostgreSQL{f' at {host}' if host else ''}"

    def among(self, column: str, values: str) -> str:
        return f"{column} = ANY(:{values})"

    def question(self, words: Sequence[str]) -> str:
        return " & ".join(f"'{word}':*" for word in words)

    def to_write(self) -> Connection:
        connection = self._connect()
        try:
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def to_read(self) -> Connection | None:
        connection = self._connect()
        try:
            version = self._version(connection)
            if not version:
                connection.close()
                return None
            if version != VERSION:
                self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> _Connection:
        connection = _Connection(self._psycopg.connect(self._dsn, autocommit=True))
        connection.psycopg.execute(_ours(f'SET search_path TO "{self._schema}"'))
        return connection

    def _version(self, connection: _Connection) -> int:
        """Of the tables; 0 if there are none."""
        ((known,),) = connection.fetch("SELECT CAST(to_regclass(:name) AS text)", name=f'"{self._schema}".version')
        if known is None:
            return 0
        rows = connection.fetch("SELECT MAX(number) FROM version")
        return int(rows[0][0] or 0)

    def _migrate(self, connection: _Connection) -> None:
        """Bring the tables from whatever version they are of to this one: all of the way, or none."""
        version = self._version(connection)
        if version > VERSION:
            raise JournalFailed(
                f"{self.name} was written by a newer llm_net (its tables are version {version}, this one's are {VERSION}); "
                "install that"
            )
        if version == VERSION:
            return
        with connection.change():
            connection.fetch("SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION)
            connection.fetch(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            for number in range(self._version(connection) + 1, VERSION + 1):
                script = (files("llm_net.journal") / "schema" / f"postgres-{number}.sql").read_text(encoding="utf-8")
                connection.psycopg.execute(_ours(script))
                connection.fetch("INSERT INTO version VALUES (:number)", number=number)

    def rest(self, connection: Connection) -> None:
        """The server tidies up by itself."""

    def explain(self, error: Exception) -> JournalFailed | None:
        if isinstance(error, JournalFailed):
            return error
        if not isinstance(error, self._psycopg.Error) or isinstance(
            error, self._psycopg.IntegrityError | self._psycopg.DataError
        ):
            return None
        what = str(error).strip().splitlines()
        said = what[0] if what else type(error).__name__
        if isinstance(error, self._psycopg.errors.DiskFull):
            return JournalFailed(f"{self.name} has no room left on its disk ({said}); make some, then resume")
        if isinstance(error, self._psycopg.errors.InsufficientPrivilege | self._psycopg.errors.ReadOnlySqlTransaction):
            return JournalFailed(f"{self.name} may not be written ({said}); grant it, then resume")
        if isinstance(error, self._psycopg.OperationalError):
            return JournalFailed(f"{self.name} cannot be reached ({said}); start it, then resume")
        return JournalFailed(f"{self.name}: {said}")
