"""A cluster over real NATS servers: homes and nodes in processes of their own, killed, stopped, sent away and overloaded."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import nats
import pytest

from llm_net import Message
from llm_net.carriers import NatsCarrier
from llm_net.carriers.links import FRAMES, HEADER, LENGTH, VERSION
from llm_net.carriers.nats import MARK, server_config
from llm_net.places import Cluster
from llm_net.ports import Carrier
from llm_net.runtime import frames
from llm_net.wire import Line
from tests.carriers.servers import NatsCluster, NatsServer
from tests.places.mill import SACKS, mill
from tests.places.programs import ROOT, Program, node
from tests.places.talking import Talk
from tests.places.test_losses import BEGIN, check

pytestmark = pytest.mark.server

FLOOD = ROOT / "tests/places/flood.py"
MILLS = ROOT / "tests/places/mills.py"
QUIET = (
    "import sys; from llm_net.cli import main; out, sys.stdout = sys.stdout, open('/dev/null', 'w'); sys.exit(main())"
)
"""The command, without its output."""


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


@pytest.fixture
def talk(server: NatsServer, tmp_path: Path) -> Iterator[Talk]:
    with ExitStack() as stack:
        yield Talk(stack, server.url, tmp_path)


# ------------------------------------------------------------------------------------------------ nodes


def test_home_and_nodes_are_processes_and_one_of_them_is_killed(talk: Talk) -> None:
    talk.add_node()
    talk.begin()
    doomed = talk.add_node()
    doomed.says("came")
    talk.goes_on()
    doomed.kill()
    talk.goes_on()
    assert talk.end() > 100


def test_a_node_that_joins_gets_a_share_and_one_that_is_asked_to_go_leaves_its_agents(talk: Talk) -> None:
    first = talk.add_node()
    talk.begin()
    talk.goes_on(10)
    second = talk.add_node()
    second.says("came")
    talk.goes_on()
    first.send(signal.SIGTERM)
    assert first.ends() == 0
    assert first.said.splitlines()[-1].endswith("left")
    talk.goes_on()  # at the second
    third = talk.add_node()
    third.says("came")
    second.send(signal.SIGINT)
    assert second.ends() == 0
    talk.goes_on()
    assert talk.end() > 100


def test_a_node_that_stood_still_for_too_long_changes_nothing_when_it_goes_on(
    server: NatsServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with ExitStack() as stack:
        talk = Talk(stack, server.url, tmp_path, silent=1.0)
        talk.add_node()
        paused = talk.add_node()
        talk.begin()
        paused.says("came")
        for number in range(request.config.getoption("--stops") or 0):
            talk.goes_on(10)
            paused.send(signal.SIGSTOP)
            time.sleep(1.3)  # by the clock of other processes: longer than `silent`
            talk.goes_on(10)
            paused.send(signal.SIGCONT)
            paused.says("is over here", again=number)  # home has given it up
            paused.says("came", again=number + 1)  # and takes it back
        assert talk.end() > 60


# ------------------------------------------------------------------------------------------------ homes


def test_a_home_that_is_killed_leaves_a_run_that_goes_on_at_another(talk: Talk) -> None:
    talk.add_node()
    talk.add_node()
    talk.begin()
    talk.goes_on()
    talk.home.kill()
    began = time.monotonic()
    talk.begin()
    assert time.monotonic() - began > 1  # the lease of the dead one had to run out first
    talk.goes_on()
    assert talk.end() > 100


def is_free(file: Path) -> bool:
    """Whether nobody is writing to a journal."""
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True


def test_a_home_that_stood_still_learns_that_the_run_is_elsewhere(talk: Talk) -> None:
    talk.add_node()
    first = talk.begin()
    talk.goes_on()
    while True:  # one that has the file locked would stand in the way of the other: SQLite cannot help that
        first.send(signal.SIGSTOP)
        if is_free(talk.folder / "run.db"):
            break
        first.send(signal.SIGCONT)
        talk.goes_on(1)
    talk.begin()
    talk.goes_on()
    first.send(signal.SIGCONT)
    assert first.ends() == 1
    assert "the run is at home at" in first.said or "somebody else goes on" in first.said
    talk.goes_on()
    assert talk.end() > 100


# ------------------------------------------------------------------------------------------------ servers


def test_a_broker_that_is_killed_and_started_again_loses_nothing(tmp_path: Path) -> None:
    server = NatsServer()
    try:
        with ExitStack() as stack:
            talk = Talk(stack, server.url, tmp_path)
            talk.add_node()
            talk.add_node()
            talk.begin()
            for _ in range(2):
                talk.goes_on()
                server.kill()
                server.start()
            talk.goes_on()
            assert talk.end() > 100
    finally:
        server.close()


def test_three_servers_outlive_the_one_that_leads(tmp_path: Path) -> None:
    cluster = NatsCluster()
    try:
        with ExitStack() as stack:
            talk = Talk(stack, cluster.url, tmp_path, silent=10, lease=12)
            talk.add_node()
            talk.add_node()
            talk.begin()
            talk.goes_on()
            asyncio.run(leader_of(cluster, f"KV_llm_net-{talk.space}")).kill()
            talk.goes_on()
            assert talk.end() > 100
    finally:
        cluster.close()


async def leader_of(cluster: NatsCluster, stream: str) -> NatsServer:
    """Of those who keep presence and leases."""
    client = await nats.connect(cluster.url.split(","))
    info = await client.jetstream().stream_info(stream)
    await client.close()
    assert info.cluster is not None
    assert info.config.num_replicas == 3
    return next(server for server in cluster.servers if server.asked("varz")["server_name"] == info.cluster.leader)


# ------------------------------------------------------------------------------------------------ everything at once


def test_a_storm_of_kills_loses_nothing_and_doubles_nothing(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--storm 60` is the long one; it prints what it did."""
    seconds: float = request.config.getoption("--storm") or 0.0
    random = Random(1)
    server = NatsServer()
    killed = {"node": 0, "server": 0, "home": 0}
    try:
        with ExitStack() as stack:
            talk = Talk(stack, server.url, tmp_path, silent=1.5, lease=5)
            for _ in range(3):
                talk.add_node()
            talk.begin()
            began = time.monotonic()
            while time.monotonic() < began + seconds or sum(killed.values()) < 4:
                talk.goes_on(5)
                match random.choices(("node", "server", "home"), (5, 3, 2))[0]:
                    case "node" as what:
                        name = random.choice(list(talk.nodes))
                        talk.nodes.pop(name).kill()
                        talk.add_node()
                    case "server" as what:
                        server.kill()
                        time.sleep(random.random() / 2)  # how long it is gone
                        server.start()
                    case what:
                        talk.home.kill()
                        talk.begin()
                killed[what] += 1
            took = time.monotonic() - began
            words = talk.end(60)
    finally:
        server.close()
    with capsys.disabled():
        if seconds > 10:
            print(f"\n{took:.0f} s, killed {killed}, {words:,} words heard once, {words / took:,.0f} a second")


# ------------------------------------------------------------------------------------------------ overload


def test_ten_times_too_much_leaves_memory_as_it_is(server: NatsServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(node(FLOOD, server.url, name, tmp_path, "--space", "flood")) for name in ("n1", "n2")
        ]
        words = ("run", str(FLOOD), "go", "--to", "producer", "--method", "begin", "--limit-seconds", "4", "--json")
        home = stack.enter_context(
            Program("-c", QUIET, *words, "--runtime", server.url, "--space", "flood", log=tmp_path / "home.log")
        )
        for program in nodes:
            program.says("came")
        time.sleep(1.5)  # memory is looked at twice, while others are at work
        before = [program.memory() for program in (home, *nodes)]
        time.sleep(1.5)
        after = [program.memory() for program in (home, *nodes)]
        assert home.ends() == 1
        assert "limit of 4" in home.said
    for one, other in zip(before, after, strict=True):
        # A mailbox of 1,000 and what links remember are 30 MB of such messages; without a bound it were 50 MB a second.
        assert other - one < 32 * 1024 * 1024, f"{[f'{n / 1e6:.0f}' for n in (*before, *after)]} MB"


# ------------------------------------------------------------------------------------------------ forgers


class Overheard(NatsCarrier):
    """Remembers the last packet of frames from somebody."""

    def __init__(self, url: str, whose: str) -> None:
        super().__init__(url)
        self._whose = whose
        self.last = b""

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        def listen(sender: str, data: bytes) -> None:
            if sender == self._whose and data[1] == FRAMES:
                self.last = data
            hear(sender, data)

        await super().join(node, listen, about=about)


def test_of_a_thousand_frames_in_the_name_of_a_node_none_is_accepted(tmp_path: Path) -> None:
    """Eve has a user of her own, and knows all that is said. Half of her frames she sends as the node, half as herself."""
    users = ("home", "n1", "n2", "eve")
    server = NatsServer(server_config(dict.fromkeys(users, "secret"), homes=("home", "n1")))
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))
    refused: list[str] = []
    forged = 0

    async def note(error: Exception) -> None:
        refused.append(str(error))

    async def main() -> None:
        nonlocal forged
        carrier = Overheard(server.url_of("home"), "n1")

        def make() -> Carrier:
            return carrier

        eve = await nats.connect(server.url_of("eve"), error_cb=note)
        lie = Message(method="grind", body="99", receiver="miller0", sender="foreman")
        async with network.run(BEGIN, runtime=Cluster(make, name="home")) as run:
            async for message in run:
                if message.method == "grind":
                    _, kind, half, other, number, ack, _ = HEADER.unpack_from(carrier.last)
                    for n in range(1_000 // SACKS):
                        said = Line(short=True).encode(lie)
                        frame = (
                            frames.frame(frames.POST, n, 1, said)
                            if n % 4 < 2
                            else frames.frame(frames.END, n, 0, b"m", b"0", b"{}", said)
                        )
                        packet = HEADER.pack(VERSION, kind, half, other, number + 1 + n, ack, 0)
                        who = ("n1", "eve")[n % 2]
                        await eve.publish(
                            f"llm_net.default.m.{who}.home", MARK + packet + LENGTH.pack(len(frame)) + frame
                        )
                        forged += 1
                    await eve.flush()
            assert run.status == "done"
        await eve.close()

    try:
        with ExitStack() as stack:
            for name in ("n1", "n2"):
                stack.enter_context(node(MILLS, server.url_of(name), name, tmp_path))
            asyncio.run(main())
    finally:
        server.close()
    assert forged == 1_000
    assert len(refused) == 500
    assert all("permissions violation" in each for each in refused)
    check(network, ledger)
