"""Where facts of runs are kept: a `Journal` per kind of place, each in a file of its own. Knows no runtime.

`MemoryJournal` (gone with the process: the reference, and for tests), `SqliteJournal` (one file: the default),
`PostgresJournal` (a server, for many machines). Around any of them: `Redacting`, which keeps secrets out. To ask what
happened in a run: `History`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_net.journal.history import History
    from llm_net.journal.memory import MemoryJournal
    from llm_net.journal.postgres import PostgresJournal
    from llm_net.journal.redact import Redacting
    from llm_net.journal.sqlite import SqliteJournal

__all__ = ["History", "MemoryJournal", "PostgresJournal", "Redacting", "SqliteJournal"]


def __getattr__(name: str) -> object:
    # Whoever keeps a run in one place does not pay for the libraries of the others.
    match name:
        case "History":
            from llm_net.journal.history import History

            return History
        case "MemoryJournal":
            from llm_net.journal.memory import MemoryJournal

            return MemoryJournal
        case "PostgresJournal":
            from llm_net.journal.postgres import PostgresJournal

            return PostgresJournal
        case "Redacting":
            from llm_net.journal.redact import Redacting

            return Redacting
        case "SqliteJournal":
            from llm_net.journal.sqlite import SqliteJournal

            return SqliteJournal
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
