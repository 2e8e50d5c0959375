"""Journals of each kind, each in a place of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from llm_net.journal import MemoryJournal, PostgresJournal, SqliteJournal
from llm_net.ports import Journal
from tests.journal.servers import PostgresServer

Make: TypeAlias = Callable[[], Journal]

_names = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens a journal over the same place each time; in memory there is only one."""
    match request.param:
        case "memory":
            journal = MemoryJournal()
            return lambda: journal
        case "sqlite":
            return lambda: SqliteJournal(tmp_path / "run.db")
        case _:
            dsn = request.getfixturevalue("server").database(f"test_{next(_names)}")
            return lambda: PostgresJournal(dsn)
