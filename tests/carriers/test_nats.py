"""Carriers over real NATS servers: promises kept, forgers refused, and whatever happens to the servers mended by links."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import nats
import pytest

from llm_net.carriers import NatsCarrier
from llm_net.carriers.nats import server_config
from llm_net.errors import CarrierFailed
from llm_net.testing import check_carrier
from llm_net.testing.carrier_check import NODES
from tests.carriers.holder import Holder
from tests.carriers.servers import NatsCluster, NatsServer, free_ports
from tests.carriers.world import End, ends, ignore, until

pytestmark = pytest.mark.server

PEOPLE = ("anna", "bob", "eve")


@pytest.fixture
def server() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


@pytest.fixture
def strict() -> Iterator[NatsServer]:
    """One that knows who is who; eve may hold no leases."""
    server = NatsServer(server_config(dict.fromkeys(PEOPLE, "secret"), homes=("anna", "bob")))
    yield server
    server.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[NatsCluster]:
    cluster = NatsCluster()
    yield cluster
    cluster.close()


@asynccontextmanager
async def joined(url: str | Callable[[str], str], *nodes: str) -> AsyncIterator[list[NatsCarrier]]:
    carriers = [NatsCarrier(url if isinstance(url, str) else url(node)) for node in nodes]
    try:
        for node, carrier in zip(nodes, carriers, strict=True):
            await carrier.join(node, ignore)
        yield carriers
    finally:
        for carrier in carriers:
            await carrier.aclose()


# ------------------------------------------------------------------------------------------------ promises


def test_it_keeps_the_promises_of_the_port() -> None:
    server = NatsServer(server_config(dict.fromkeys(NODES, "secret")))
    try:
        asyncio.run(check_carrier(lambda node: NatsCarrier(server.url_of(node))))
    finally:
        server.close()


def test_spaces_do_not_meet(server: NatsServer) -> None:
    async def main() -> None:
        one, other = NatsCarrier(server.url, space="one"), NatsCarrier(server.url, space="other")
        heard: list[bytes] = []
        await one.join("anna", ignore)
        await other.join("anna", lambda sender, data: heard.append(data))
        await one.send("anna", b"to myself")
        assert (await one.lease("x", seconds=5)).holder == "anna"
        async for there in other.watch():
            assert there.keys() == {"anna"}
            break
        await one.aclose()
        await other.aclose()
        assert heard == []

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told_in_a_sentence() -> None:
    async def main() -> None:
        url = f"nats://someone:hidden@127.0.0.1:{free_ports(1)[0]}"
        with pytest.raises(
            CarrierFailed, match=r"by NATS at 127\.0\.0\.1:\d+: no server answers .*; start one"
        ) as caught:
            await NatsCarrier(url).join("anna", ignore)
        assert "hidden" not in str(caught.value)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("user", "node", "sentence"),
    [
        ("anna:wrong", "anna", "refuses this user or password"),
        ("eve:secret", "anna", "refuses this user .*; give it the permissions that `server_config` writes"),
    ],
)
def test_who_may_not_join_is_told_why(strict: NatsServer, user: str, node: str, sentence: str) -> None:
    async def main() -> None:
        carrier = NatsCarrier(f"nats://{user}@127.0.0.1:{strict.port}")
        with pytest.raises(CarrierFailed, match=sentence):
            await carrier.join(node, ignore)
        await carrier.aclose()

    asyncio.run(main())


def test_a_server_without_jetstream_is_told_in_a_sentence() -> None:
    server = NatsServer(jetstream=False)

    async def main() -> None:
        with pytest.raises(CarrierFailed, match="has no JetStream.*; start it with `--jetstream`"):
            await NatsCarrier(server.url).join("anna", ignore)

    try:
        asyncio.run(main())
    finally:
        server.close()


# ------------------------------------------------------------------------------------------------ forgers


def test_of_a_thousand_forged_senders_none_is_heard(strict: NatsServer) -> None:
    async def main() -> None:
        heard: list[tuple[str, bytes]] = []
        bob = NatsCarrier(strict.url_of("bob"))
        await bob.join("bob", lambda sender, data: heard.append((sender, data)))
        refused: list[str] = []

        async def note(error: Exception) -> None:
            refused.append(str(error))

        eve = await nats.connect(strict.url_of("eve"), error_cb=note)
        for n in range(1_000):
            await eve.publish(f"llm_net.default.m.{'anna' if n % 2 else f'node-{n}'}.bob", b"\x01forged")
        await eve.publish("llm_net.default.m.eve.bob", b"\x01true")
        await until(lambda: len(refused) == 1_000 and bool(heard), 10)
        assert heard == [("eve", b"true")]
        assert all("permissions violation" in each for each in refused)
        await eve.close()
        await bob.aclose()

    asyncio.run(main())


def test_what_the_server_itself_can_be_made_to_send_is_nobodys_word(strict: NatsServer) -> None:
    """The subject of an answer is not checked by NATS: so its answers may go anywhere, and must not pass for a node's."""

    async def main() -> None:
        heard: list[tuple[str, bytes]] = []
        async with joined(strict.url_of, "anna") as [anna]:
            bob = NatsCarrier(strict.url_of("bob"))
            await bob.join("bob", lambda sender, data: heard.append((sender, data)))
            held = await anna.lease("run", seconds=60)
            eve = await nats.connect(strict.url_of("eve"))
            own, bucket = "$KV.llm_net-default.here.eve", "$KV.llm_net-default"
            for target in ("llm_net.default.m.anna.bob", f"{bucket}.here.anna", f"{bucket}.lease.run.bob"):
                await eve.publish(own, b"\x01" + bytes(8), reply=target)
                await eve.flush()
            await asyncio.sleep(0.1)
            with pytest.raises(CarrierFailed, match="was spoiled"):
                await bob.lease("run", seconds=60)
            assert (await anna.lease("run", seconds=60)).epoch == held.epoch
            assert (await bob.lease("run", seconds=60)).holder == "anna"
            await asyncio.sleep(2.5)  # anna says again that she is there
            with pytest.raises(CarrierFailed, match="somebody else is there"):
                await NatsCarrier(strict.url_of("anna")).join("anna", ignore)
            async for there in bob.watch():
                assert there.keys() == {"anna", "bob", "eve"}
                break
            await eve.close()
            await bob.aclose()
        assert heard == []

    asyncio.run(main())


def test_a_node_may_write_and_read_only_what_is_its_own(strict: NatsServer) -> None:
    async def main() -> None:
        refused: list[str] = []

        async def note(error: Exception) -> None:
            refused.append(str(error))

        async with joined(strict.url_of, "anna"):
            eve = await nats.connect(strict.url_of("eve"), error_cb=note)
            bucket = "llm_net-default"
            subjects = [
                f"$KV.{bucket}.here.anna",
                f"$KV.{bucket}.lease.run.anna",
                f"$KV.{bucket}.lease.run.eve",  # she is no home
                f"$JS.API.STREAM.CREATE.KV_{bucket}",
                f"$JS.API.STREAM.UPDATE.KV_{bucket}",
                f"$JS.API.STREAM.DELETE.KV_{bucket}",
                f"$JS.API.STREAM.PURGE.KV_{bucket}",
                f"$JS.API.STREAM.MSG.DELETE.KV_{bucket}",
                f"$JS.API.CONSUMER.CREATE.KV_{bucket}",
                f"$JS.API.DIRECT.GET.KV_{bucket}",
                f"_INBOX.{bucket}.anna.x",
                "$SYS.REQ.SERVER.PING",
            ]
            for subject in subjects:
                await eve.publish(subject, b"\x01x")
            await until(lambda: len(refused) == len(subjects), 5)
            refused.clear()
            wanted = [
                "llm_net.>",
                "llm_net.default.m.*.bob",
                f"_INBOX.{bucket}.anna.>",
                "_INBOX.>",
                f"$KV.{bucket}.lease.>",
                ">",
            ]
            for subject in wanted:
                await eve.subscribe(subject, cb=_nothing)
            await until(lambda: len(refused) == len(wanted), 5)
            await eve.close()
        async with joined(strict.url_of, "eve") as [carrier]:
            with pytest.raises(CarrierFailed, match="permissions"):
                await carrier.lease("run", seconds=5)

    asyncio.run(main())


async def _nothing(message: object) -> None:
    pass


# ------------------------------------------------------------------------------------------------ servers that go


def linked(url: str, *, replicas: int = 1) -> AbstractAsyncContextManager[tuple[End, End]]:
    return ends(lambda: NatsCarrier(url, replicas=replicas))


def test_a_link_outlives_servers_that_are_killed_and_started_again(server: NatsServer) -> None:
    async def main() -> None:
        async with linked(server.url) as (near, far):
            count = 0
            for _ in range(5):
                for _ in range(2_000):
                    near.link.send(b"%d" % count)
                    count += 1
                    if count % 100 == 0:
                        await near.link.room()
                server.kill()
                near.link.send(b"%d" % count)
                count += 1
                await asyncio.sleep(0.1)
                server.start()
            await until(lambda: len(far.heard) == count, 15)
            assert far.heard == [b"%d" % n for n in range(count)]
            assert near.breaks == far.breaks == []

    asyncio.run(main())


def test_a_server_that_stands_still_for_a_while_loses_nothing(server: NatsServer) -> None:
    async def main() -> None:
        async with linked(server.url) as (near, far):
            server.pause()
            for n in range(3_000):
                near.link.send(b"%d" % n)
            await asyncio.sleep(1)
            server.go_on()
            await until(lambda: len(far.heard) == 3_000, 10)
            assert far.heard == [b"%d" % n for n in range(3_000)]

    asyncio.run(main())


def test_epochs_and_leases_outlive_a_server(server: NatsServer) -> None:
    async def main() -> None:
        async with joined(server.url, "anna", "bob") as [anna, bob]:
            held = await anna.lease("run", seconds=30)
            server.kill()
            with pytest.raises(CarrierFailed):
                await anna.lease("run", seconds=30)
            await anna.send("bob", b"lost")  # and nothing is raised
            server.start()
            await until(lambda: anna._client is not None and bob._client is not None, 10)
            assert (await bob.lease("run", seconds=30)).holder == "anna"
            again = await anna.lease("run", seconds=30)
            assert again.epoch == held.epoch

    asyncio.run(main())


def test_three_servers_outlive_the_one_that_leads(cluster: NatsCluster) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        async with linked(cluster.url, replicas=3) as (near, far):
            carriers = [NatsCarrier(cluster.url, replicas=3) for _ in "12"]
            one, two = carriers
            await one.join("carl", ignore)
            await two.join("dora", ignore)
            held = await one.lease("run", seconds=3)
            leader = await _leader(cluster)
            for n in range(1_000):
                near.link.send(b"%d" % n)
            leader.kill()
            for n in range(1_000, 2_000):
                near.link.send(b"%d" % n)
            await until(lambda: len(far.heard) == 2_000, 15)
            assert far.heard == [b"%d" % n for n in range(2_000)]
            until_when = clock() + 20
            while True:  # they choose who leads now
                try:
                    lease = await two.lease("run", seconds=10)
                except CarrierFailed:
                    assert clock() < until_when
                    await asyncio.sleep(0.1)
                else:
                    if lease.holder == "dora":
                        break
                    await asyncio.sleep(0.1)
            assert clock() > held.until
            assert lease.epoch > held.epoch
            assert near.breaks == far.breaks == []
            leader.start()
            for carrier in carriers:
                await carrier.aclose()

    asyncio.run(main())


async def _leader(cluster: NatsCluster) -> NatsServer:
    client = await nats.connect(cluster.url.split(","))
    info = await client.jetstream().stream_info("KV_llm_net-default")
    await client.close()
    assert info.cluster is not None
    return next(server for server in cluster.servers if server.asked("varz")["server_name"] == info.cluster.leader)


# ------------------------------------------------------------------------------------------------ nodes that go


def test_who_was_stopped_while_it_had_a_lease_finds_it_gone_to_a_later_epoch(server: NatsServer) -> None:
    async def main() -> None:
        holder = Holder("NatsCarrier", server.url)
        try:
            async with joined(server.url, "bob") as [bob]:
                held = await holder.ask()
                assert held is not None and held[0] == "anna"
                os.kill(holder.process.pid, signal.SIGSTOP)
                while (taken := await bob.lease("run", seconds=30)).holder != "bob":
                    await asyncio.sleep(0.1)
                assert taken.epoch > held[1]
                os.kill(holder.process.pid, signal.SIGCONT)
                for _ in range(5):
                    found = await holder.ask()
                    assert found in (None, ("bob", taken.epoch))
        finally:
            holder.close()

    asyncio.run(main())


def test_the_name_of_a_node_that_was_killed_is_free_soon_and_nobody_sees_it_any_more(server: NatsServer) -> None:
    async def main() -> None:
        holder = Holder("NatsCarrier", server.url)
        try:
            async with joined(server.url, "bob") as [bob]:
                held = await holder.ask()
                assert held is not None
                holder.process.kill()
                carrier = NatsCarrier(server.url)
                began = asyncio.get_running_loop().time()
                await carrier.join("anna", ignore)
                assert 2 < asyncio.get_running_loop().time() - began < 10
                lease = await carrier.lease("run", seconds=5)
                assert lease.holder == "anna"
                assert lease.epoch > held[1]  # it is another anna
                await carrier.aclose()
                async for there in bob.watch():
                    if there.keys() == {"bob"}:
                        break
        finally:
            holder.close()

    asyncio.run(main())
