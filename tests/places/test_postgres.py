"""A cluster with nothing but PostgreSQL: it carries the links, keeps the leases, and the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.journal.servers import PostgresServer
from tests.places.talking import Talk

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


def test_nodes_and_homes_are_killed_and_the_run_goes_on(server: PostgresServer, tmp_path: Path) -> None:
    dsn = server.database("everything")
    with ExitStack() as stack:
        talk = Talk(stack, dsn, tmp_path, journal=dsn)
        doomed = talk.add_node()
        talk.add_node()
        talk.begin()
        talk.goes_on()
        doomed.kill()
        talk.goes_on()
        talk.home.kill()
        talk.begin()
        talk.goes_on()
        assert talk.end() > 100
