"""What journals in tables ask of a database, as Protocols. Knows no facts and no database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from llm_net.errors import JournalFailed
from llm_net.journal.rows import Row, Value


class Connection(Protocol):
    """One connection, used by one thread at a time. Raises what its library raises."""

    def fetch(self, sql: str, **values: Value | Sequence[Value]) -> list[Row]:
        """Execute a statement with `:name` for each value, and give its rows, if it has any."""
        ...

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows to a table, which have its columns in its order; a content that is there already stays."""
        ...

    def change(self) -> AbstractContextManager[None]:
        """A transaction that writes: nobody else does so at the same time, at least not to the runs that it touches."""
        ...

    def look(self) -> AbstractContextManager[None]:
        """A transaction that reads: all of it sees the same."""
        ...

    def alive(self) -> bool:
        """Whether it can still be used, after a rest."""
        ...

    def close(self) -> None:
        """Give it back. Never raises."""
        ...


class Database(Protocol):
    """Where the tables are. Its methods are called from any thread."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def odd(self) -> tuple[type[Exception], ...]:
        """What its library raises for a text that it cannot keep."""
        ...

    @property
    def for_update(self) -> str:
        """What a SELECT ends with whose row nobody else shall change before the transaction ends."""
        ...

    @property
    def holds_words(self) -> str:
        """The condition that a row of `sent` holds all of `:words`."""
        ...

    @property
    def lock_parts(self) -> str:
        """The statement that keeps others from adding parts, while those that nobody needs are deleted; "" if nobody can.
        A part is added before its content, so that who does so waits before it finds the content there."""
        ...

    @property
    def unsearch(self) -> str:
        """The statement that takes what run `:run` has up to `:upto` out of the index of words."""
        ...

    def among(self, column: str, values: str) -> str:
        """The condition that a column is one of `:values`, a sequence."""
        ...

    def question(self, words: Sequence[str]) -> str:
        """The value of `:words`."""
        ...

    def to_write(self) -> Connection:
        """A connection for writing, to tables as this version wants them. Makes them where there are none yet."""
        ...

    def to_read(self) -> Connection | None:
        """A connection for reading, to tables as this version wants them; None while nothing was ever written."""
        ...

    def rest(self, connection: Connection) -> None:
        """Called when nothing was written for a while."""
        ...

    def explain(self, error: Exception) -> JournalFailed | None:
        """What is wrong and the cure, if the error is of its library."""
        ...
