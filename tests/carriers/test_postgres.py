"""Carriers over a real PostgreSQL server: promises kept, forgers refused where nodes have roles, and restarts survived."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from llm_net.carriers import PostgresCarrier
from llm_net.carriers.postgres import database_script
from llm_net.errors import CarrierFailed
from llm_net.testing import check_carrier
from llm_net.testing.carrier_check import NODES
from tests.carriers.holder import Holder
from tests.carriers.world import ends, ignore, until
from tests.journal.servers import PostgresServer

pytestmark = pytest.mark.server

_names = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def dsn(server: PostgresServer) -> str:
    return server.database(f"carrier_{next(_names)}")


def with_roles(dsn: str, *nodes: str) -> None:
    """Each node gets a role of its own: `node_` and its name in small letters."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for node in nodes:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role(node)]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role(node))))
        connection.execute(database_script({node: role(node) for node in nodes}).encode())


def role(node: str) -> str:
    return f"node_{node.lower()}"


def as_role(dsn: str, node: str) -> str:
    return make_conninfo(dsn, user=role(node))


async def joined(dsn: str, node: str, heard: list[tuple[str, bytes]] | None = None) -> PostgresCarrier:
    carrier = PostgresCarrier(dsn)
    await carrier.join(node, ignore if heard is None else lambda sender, data: heard.append((sender, data)))
    return carrier


# ------------------------------------------------------------------------------------------------ promises


def test_it_keeps_the_promises_of_the_port_where_all_nodes_have_one_role(dsn: str) -> None:
    asyncio.run(check_carrier(lambda node: PostgresCarrier(dsn)))


def test_it_keeps_them_where_each_node_has_its_own(dsn: str) -> None:
    with_roles(dsn, *NODES)
    asyncio.run(check_carrier(lambda node: PostgresCarrier(as_role(dsn, node))))


def test_a_server_that_is_not_there_is_told_in_a_sentence() -> None:
    async def main() -> None:
        with pytest.raises(CarrierFailed, match="by the database none of PostgreSQL at /nowhere: it cannot be reached"):
            await joined("host=/nowhere dbname=none", "anna")

    asyncio.run(main())


def test_who_may_not_join_is_told_why(dsn: str) -> None:
    with_roles(dsn, "anna", "eve")

    async def main() -> None:
        with pytest.raises(CarrierFailed, match="role node_eve may not speak as node anna.*`database_script`"):
            await joined(as_role(dsn, "eve"), "anna")

    asyncio.run(main())


def test_nodes_that_make_the_tables_at_the_same_time_make_them_once(dsn: str) -> None:
    async def main() -> None:
        carriers = await asyncio.gather(*(joined(dsn, f"node-{n}") for n in range(6)))
        async for there in carriers[0].watch():
            if len(there) == 6:
                break
        await asyncio.gather(*(carrier.aclose() for carrier in carriers))

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------ forgers


def test_of_a_thousand_forged_senders_none_is_heard(dsn: str) -> None:
    with_roles(dsn, "anna", "bob", "eve")

    async def main() -> None:
        heard: list[tuple[str, bytes]] = []
        bob = await joined(as_role(dsn, "bob"), "bob", heard)
        anna = await joined(as_role(dsn, "anna"), "anna")
        eve = await joined(as_role(dsn, "eve"), "eve")
        hers = await psycopg.AsyncConnection.connect(as_role(dsn, "eve"), autocommit=True)
        refused = 0
        for n in range(1_000):
            forged = "anna" if n % 2 else f"node-{n}"
            try:
                await hers.execute(
                    "SELECT llm_net_carrier.post(%s, %s, %s, %s)", [forged, anna._life, ["bob"], [b"forged"]]
                )
            except psycopg.errors.InsufficientPrivilege:
                refused += 1
        await eve.send("bob", b"true")
        await until(lambda: bool(heard), 10)
        assert (refused, heard) == (1_000, [("eve", b"true")])
        await hers.close()
        for carrier in (anna, bob, eve):
            await carrier.aclose()

    asyncio.run(main())


def test_a_node_may_do_nothing_in_the_name_of_another(dsn: str) -> None:
    with_roles(dsn, "anna", "eve")

    async def main() -> None:
        anna = await joined(as_role(dsn, "anna"), "anna")
        held = await anna.lease("run", seconds=60)
        hers = await psycopg.AsyncConnection.connect(as_role(dsn, "eve"), autocommit=True)
        schema = "llm_net_carrier"
        for statement in (
            f"SELECT {schema}.enter('anna', 'x', '', 5)",
            f"SELECT {schema}.sign('anna')",
            f"SELECT {schema}.leave('anna', %(life)s)",
            f"SELECT {schema}.stay('anna', %(life)s, 5)",
            f"SELECT {schema}.take('anna', %(life)s, 5)",
            f"SELECT {schema}.hold('anna', %(life)s, 'run', 0)",
            f"SELECT {schema}.ask('eve', NULL)",
            f"INSERT INTO {schema}.mail (sender, receiver, data) VALUES ('anna', 'eve', '')",
            f"INSERT INTO {schema}.member VALUES ('node_eve', 'anna')",
            f"UPDATE {schema}.lease SET holder = 'eve'",
            f"SELECT * FROM {schema}.mail",
            f"SELECT * FROM {schema}.node",
            f"CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "SET SESSION AUTHORIZATION node_anna",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await hers.execute(statement.encode(), {"life": anna._life})
        await hers.close()
        assert (await anna.lease("run", seconds=60)).epoch == held.epoch
        await anna.aclose()

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------ who goes


def test_a_link_outlives_a_server_that_is_killed_and_started_again() -> None:
    server = PostgresServer(durable=True)

    async def main() -> None:
        dsn = server.database("killed")
        watcher = await joined(dsn, "carl")
        held = await watcher.lease("run", seconds=60)
        async with ends(lambda: PostgresCarrier(dsn)) as (near, far):
            total = 4_000
            for n in range(total):
                near.link.send(b"%d" % n)
                if n % 100 == 0:
                    await near.link.room()
                if n == 2_000:
                    await asyncio.to_thread(server.kill)
                if n == 2_300:
                    with pytest.raises(CarrierFailed, match="cannot be reached"):
                        await watcher.lease("run", seconds=60)
                    await watcher.send("anna", b"lost")  # and nothing is raised
                    await asyncio.to_thread(server.start)
            await until(lambda: len(far.heard) == total, 15)
            assert far.heard == [b"%d" % n for n in range(total)]
            assert near.breaks == far.breaks == []
        assert (await watcher.lease("run", seconds=60)).epoch == held.epoch
        await watcher.aclose()

    try:
        asyncio.run(main())
    finally:
        server.close()


def test_who_was_stopped_while_it_had_a_lease_finds_it_gone_to_a_later_epoch(dsn: str) -> None:
    async def main() -> None:
        holder = Holder("PostgresCarrier", dsn)
        try:
            bob = await joined(dsn, "bob")
            held = await holder.ask()
            assert held is not None and held[0] == "anna"
            os.kill(holder.process.pid, signal.SIGSTOP)
            while (taken := await bob.lease("run", seconds=30)).holder != "bob":
                await asyncio.sleep(0.05)
            assert taken.epoch == held[1] + 1
            os.kill(holder.process.pid, signal.SIGCONT)
            for _ in range(5):
                assert await holder.ask() == ("bob", taken.epoch)
            await bob.aclose()
        finally:
            holder.close()

    asyncio.run(main())


def test_who_was_stopped_until_another_had_its_name_does_nothing_more_under_it(dsn: str) -> None:
    async def main() -> None:
        holder = Holder("PostgresCarrier", dsn)
        try:
            assert await holder.ask()
            os.kill(holder.process.pid, signal.SIGSTOP)
            anna = await joined(dsn, "anna")
            held = await anna.lease("run", seconds=30)
            os.kill(holder.process.pid, signal.SIGCONT)
            assert await holder.ask() is None  # CarrierFailed ended it
            assert (await anna.lease("run", seconds=30)).epoch == held.epoch
            await anna.aclose()
        finally:
            holder.close()

    asyncio.run(main())
