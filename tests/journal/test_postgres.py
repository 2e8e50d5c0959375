"""What can happen to a server: each time a sentence with the cure, and the record as it was."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import psycopg
import pytest

from llm_net.errors import JournalFailed, MissingDependency
from llm_net.journal import PostgresJournal
from llm_net.journal.postgres import VERSION
from llm_net.record import Part
from tests.journal.facts import BEGUN, FIRST, facts_of, refusal, sent
from tests.journal.servers import PostgresServer

pytestmark = pytest.mark.server


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that may be killed, and whose commits wait for the disk."""
    server = PostgresServer(durable=True)
    yield server
    server.close()


def test_a_server_that_is_killed_is_told_and_what_was_written_is_there_when_it_is_back(
    own_server: PostgresServer,
) -> None:
    async def main() -> None:
        dsn = own_server.database("killed")
        journal = PostgresJournal(dsn)
        await journal.write("r", FIRST)
        assert await facts_of(journal, "r") == FIRST
        own_server.kill()
        assert "cannot be reached" in await refusal(journal, "r", [sent(5)])
        with pytest.raises(JournalFailed, match="start it, then resume"):
            await journal.open("r")
        own_server.start()
        assert await facts_of(journal, "r") == FIRST
        assert await refusal(journal, "r", [sent(5)]) == ""
        own_server.stop()
        own_server.start()  # nobody asked anything meanwhile: nobody is told
        assert (await journal.open("r")).seq == 5
        assert await facts_of(journal, "r") == [*FIRST, sent(5)]
        await journal.aclose()

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told() -> None:
    async def main() -> None:
        journal = PostgresJournal("host=/nowhere dbname=none")
        assert "the database none of PostgreSQL at /nowhere cannot be reached" in await refusal(journal, "r", FIRST)
        with pytest.raises(JournalFailed, match="cannot be reached"):
            await journal.runs()
        await journal.aclose()

    asyncio.run(main())


def test_of_two_who_go_on_with_one_run_the_later_is_told(server: PostgresServer) -> None:
    async def main() -> None:
        dsn = server.database("two")
        one, other = PostgresJournal(dsn), PostgresJournal(dsn)
        begun = await asyncio.gather(*(refusal(journal, "r", FIRST) for journal in (one, other)))
        assert sorted(map(bool, begun)) == [False, True]
        told = await asyncio.gather(*(refusal(journal, "r", [sent(5)]) for journal in (one, other)))
        assert sorted(map(bool, told)) == [False, True]
        assert any("place 5 of run 'r' is taken; somebody else goes on with it" in sentence for sentence in told)
        assert await facts_of(one, "r") == [*FIRST, sent(5)]
        await one.aclose()
        await other.aclose()

    asyncio.run(main())


def test_who_may_only_read_is_told_and_can_read(server: PostgresServer) -> None:
    async def main() -> None:
        dsn = server.database("reader")
        journal = PostgresJournal(dsn)
        await journal.write("r", FIRST)
        await journal.aclose()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN")
            connection.execute("GRANT USAGE ON SCHEMA llm_net TO reader")
            connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA llm_net TO reader")
        journal = PostgresJournal(dsn.replace("user=postgres", "user=reader"))
        assert await facts_of(journal, "r") == FIRST
        assert "grant it, then resume" in await refusal(journal, "r", [sent(5)])
        assert (await journal.open("r")).seq == 4
        await journal.aclose()

    asyncio.run(main())


def test_schemas_are_apart_and_have_plain_names(server: PostgresServer) -> None:
    async def main() -> None:
        dsn = server.database("schemas")
        one, other = PostgresJournal(dsn), PostgresJournal(dsn, schema="other")
        await one.write("r", FIRST)
        assert list(await other.runs()) == []
        await other.write("r", [BEGUN, Part(2, "hash", b"data")])
        assert len(await facts_of(one, "r")) == 4
        await one.aclose()
        await other.aclose()

    asyncio.run(main())
    for name in ('x"; DROP SCHEMA llm_net; --', "Upper", "", "1st"):
        with pytest.raises(JournalFailed, match="cannot name a schema"):
            PostgresJournal("dbname=none", schema=name)


def test_tables_of_a_newer_version_are_told(server: PostgresServer) -> None:
    async def main() -> None:
        dsn = server.database("newer")
        journal = PostgresJournal(dsn)
        await journal.write("r", FIRST)
        await journal.aclose()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO llm_net.version VALUES (%s)", [VERSION + 1])
        journal = PostgresJournal(dsn)
        assert "was written by a newer llm_net" in await refusal(journal, "r", [sent(5)])
        with pytest.raises(JournalFailed, match="install that"):
            await journal.open("r")
        await journal.aclose()

    asyncio.run(main())


def test_several_may_make_the_tables_at_once(server: PostgresServer) -> None:
    async def main() -> None:
        dsn = server.database("several")
        journals = [PostgresJournal(dsn) for _ in "abcd"]
        await asyncio.gather(*(journal.write(name, FIRST) for journal, name in zip(journals, "abcd", strict=True)))
        assert [info.run for info in sorted(await journals[0].runs(), key=lambda info: info.run)] == [*"abcd"]
        for journal in journals:
            await journal.aclose()

    asyncio.run(main())


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingDependency, match=r"pip install 'llm_net\[postgres\]'"):
        PostgresJournal("dbname=none")
