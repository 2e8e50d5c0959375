"""Facts of runs in one SQLite file: the default. The only file that knows SQLite; knows no facts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Final, Literal

from llm_net.errors import JournalFailed
from llm_net.journal.database import Connection
from llm_net.journal.rows import Row, Value, clean
from llm_net.journal.sql import SqlJournal

VERSION: Final = 2
"""Of the tables: the last of `schema/sqlite-*.sql`."""

APPLICATION: Final = 0x6C6E6574
"""By this number a file is known as one of ours: "lnet"."""

STRIDE: Final = 1 << 40
"""Places that a run has in the index of words."""

INSERT: Final = {
    "begun": f"INSERT INTO begun VALUES ({', '.join('?' * 8)})",
    "sent": f"INSERT INTO sent VALUES ({', '.join('?' * 18)})",
    "effect": f"INSERT INTO effect VALUES ({', '.join('?' * 16)})",
    "ended": f"INSERT INTO ended VALUES ({', '.join('?' * 12)})",
    "state": "INSERT INTO state VALUES (?, ?, ?, ?, ?, ?)",
    "finished": "INSERT INTO finished VALUES (?, ?, ?, ?, ?)",
    "part": "INSERT INTO part VALUES (?, ?, ?)",
    "content": "INSERT OR IGNORE INTO content VALUES (?, ?)",
    "search": f"INSERT INTO search (rowid, words) VALUES (?1 * {STRIDE} + ?2, ?3)",
}


class SqliteJournal(SqlJournal):
    """Keeps runs in one file, which is made when something is first written. Several processes may use it at once.

    After `write` the facts outlive the process, and with `synchronous="full"` also the loss of power. With "normal" they
    may then lack the last few seconds, but are never damaged, and a write costs no wait for the disk. A file on a network
    is no good place: SQLite's locks need a disk of this machine.

    Args:
        path: of the file; SQLite keeps two more beside it while it is in use.
        synchronous: what a write waits for.
        patience: seconds to wait for another process that is writing.
    """

    def __init__(
        self, path: str | PathLike[str], *, synchronous: Literal["full", "normal"] = "full", patience: float = 30.0
    ) -> None:
        self.path = Path(path)
        super().__init__(_Sqlite(self.path.absolute(), synchronous, patience))


class _Connection:
    """One connection to a file."""

    def __init__(self, path: str, patience: float) -> None:
        self.sqlite = sqlite3.connect(path, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)

    def fetch(self, sql: str, **values: Value | Sequence[Value]) -> list[Row]:
        return self.sqlite.execute(sql, {name: _plain(value) for name, value in values.items()}).fetchall()

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        self.sqlite.executemany(INSERT[table], rows)

    @contextmanager
    def change(self) -> Iterator[None]:
        with self._transaction("BEGIN IMMEDIATE"):  # to wait for other writers now, when waiting helps
            yield

    @contextmanager
    def look(self) -> Iterator[None]:
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.sqlite.execute(begin)
        try:
            yield
            self.sqlite.execute("COMMIT")
        except BaseException:
            if self.sqlite.in_transaction:
                self.sqlite.execute("ROLLBACK")
            raise

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        with suppress(sqlite3.Error):  # what is to be told of the file was told by what was done before
            self.sqlite.close()


def _plain(value: Value | Sequence[Value]) -> Value:
    """A value as SQLite takes it: sequences as JSON."""
    if isinstance(value, str):
        return clean((value,))[0]  # type: ignore[no-any-return]  # a text again
    return json.dumps(value) if isinstance(value, list | tuple) else value  # type: ignore[return-value]


class _Sqlite:
    """One file, and how it is used."""

    odd = (UnicodeEncodeError,)
    for_update = lock_parts = ""  # there is one writer
    holds_words = (
        f"sent.seq IN (SELECT rowid - :link * {STRIDE} FROM search WHERE search MATCH :words "
        f"AND rowid BETWEEN :link * {STRIDE} AND :link * {STRIDE} + {STRIDE - 1})"
    )
    unsearch = f"DELETE FROM search WHERE rowid BETWEEN :run * {STRIDE} AND :run * {STRIDE} + :upto"

    def __init__(self, path: Path, synchronous: Literal["full", "normal"], patience: float) -> None:
        self._path = path
        self._synchronous = synchronous
        self._patience = patience

    @property
    def name(self) -> str:
        return str(self._path)

    def among(self, column: str, values: str) -> str:
        return f"{column} IN (SELECT value FROM json_each(:{values}))"

    def question(self, words: Sequence[str]) -> str:
        return " ".join(f'"{word}"*' for word in words)

    def to_write(self) -> Connection:
        connection = _Connection(f"{self._path.as_uri()}?mode=rwc", self._patience)
        try:
            execute = connection.sqlite.execute
            self._known_version(connection)
            self._use_log(connection)
            execute(f"PRAGMA synchronous = {self._synchronous}")
            execute("PRAGMA wal_autocheckpoint = 1000")  # pages of 4 kB
            execute("PRAGMA journal_size_limit = 67108864")
            execute("PRAGMA cache_size = -32768")  # kB
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def to_read(self) -> Connection | None:
        if not self._path.exists():
            return None
        connection = self._readable()
        try:
            version = self._known_version(connection)
            if not version:
                connection.close()
                return None
            if version < VERSION:
                self.to_write().close()
            connection.sqlite.execute("PRAGMA query_only = 1")
        except BaseException:
            connection.close()
            raise
        return connection

    def _readable(self) -> _Connection:
        connection = _Connection(f"{self._path.as_uri()}?mode=rw", self._patience)
        try:
            self._known_version(connection)
        except sqlite3.OperationalError as error:
            connection.close()
            log = self._path.with_name(f"{self._path.name}-wal")
            if _is(error, "SQLITE_CANTOPEN", "SQLITE_READONLY") and not (log.exists() and log.stat().st_size):
                # Where nothing can be written, a reader cannot say that it reads; nor can anybody write meanwhile.
                return _Connection(f"{self._path.as_uri()}?immutable=1", self._patience)
            raise
        return connection

    def _known_version(self, connection: _Connection) -> int:
        """Of the tables in the file; 0 if it is empty. Raises JournalFailed if they are not ours, or newer than this."""
        (version,) = connection.sqlite.execute("PRAGMA user_version").fetchone()
        (application,) = connection.sqlite.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.sqlite.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION:
            raise JournalFailed(f"{self.name} is a database of something else; give another path")
        if version > VERSION:
            raise JournalFailed(
                f"{self.name} was written by a newer llm_net (its tables are version {version}, this one's are {VERSION}); "
                "install that"
            )
        return int(version)

    def _use_log(self, connection: _Connection) -> None:
        (mode,) = connection.sqlite.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalFailed(f"{self.name} cannot have a log beside it; put it on a disk of this machine")

    def _migrate(self, connection: _Connection) -> None:
        """Bring the tables from whatever version they are of to this one: all of the way, or none."""
        if self._known_version(connection) == VERSION:
            return
        with connection.change():
            for version in range(self._known_version(connection) + 1, VERSION + 1):
                script = (files("llm_net.journal") / "schema" / f"sqlite-{version}.sql").read_text(encoding="utf-8")
                for statement in _statements(script):
                    connection.sqlite.execute(statement)
            connection.sqlite.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.sqlite.execute(f"PRAGMA user_version = {VERSION}")

    def rest(self, connection: Connection) -> None:
        assert isinstance(connection, _Connection)
        with suppress(sqlite3.Error):  # the log is kept, and nothing is lost; who writes next is told
            connection.sqlite.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def explain(self, error: Exception) -> JournalFailed | None:
        if isinstance(error, JournalFailed):
            return error
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.IntegrityError):
            return None
        for codes, problem in _PROBLEMS.items():
            if _is(error, *codes):
                return JournalFailed(problem.format(path=self.name, patience=self._patience, error=error))
        return JournalFailed(f"{self.name}: {error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")


_PROBLEMS: Final = {
    ("SQLITE_FULL",): "there is no room on the disk for {path}; make some, then resume",
    (
        "SQLITE_IOERR",
    ): "{path} cannot be written or read ({error}); see whether its disk or its size is at a limit, then resume",
    (
        "SQLITE_BUSY",
        "SQLITE_LOCKED",
    ): "{path} was locked by another program for {patience:g} s; let that end, then resume",
    ("SQLITE_READONLY", "SQLITE_PERM"): "{path} may not be written; make the file and its folder writable, then resume",
    ("SQLITE_CANTOPEN",): "{path} cannot be opened; see that its folder exists and may be written",
    ("SQLITE_NOTADB",): "{path} is no SQLite database; give another path",
    ("SQLITE_CORRUPT",): "{path} is damaged ({error}); copy it, then save what can be read with: sqlite3 FILE .recover",
}


def _is(error: sqlite3.Error, *codes: str) -> bool:
    name = getattr(error, "sqlite_errorname", "")
    return any(name == code or name.startswith(f"{code}_") for code in codes)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, for `executescript` ends the transaction that it stands in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
