"""What a message costs at the home of a run, and on the node that handles it: `python -m benchmarks.scale`. For docs/why/scale.md.

Knows NATS on loopback, one home, one node, and the CPU time that the system counts for each process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.carriers.nats import NatsCarrier
from llm_net.journal import SqliteJournal
from llm_net.places import Cluster
from llm_net.places.cluster import node
from llm_net.ports import Journal

MESSAGES = 20_000
BODY = "x" * 100
IDLE = 10.0
CROWD = 100
LIMITS = Limits(messages=None, depth=None)


class Crier(GenAgent):
    """Stays at home, and says so many."""

    count: int

    def begin(self, message: Message) -> Iterator[Message]:
        for _ in range(self.count):
            yield Message(method="hear", body=BODY, receiver="hearer")


class Hearer(GenAgent):
    """Lives on the node."""

    count: int = 0

    def hear(self, message: Message) -> None:
        self.count += 1


class Hopper(GenAgent):
    """Lives on the node, and passes a message on that is counted down."""

    to: str

    def hop(self, message: Message) -> Message | None:
        left = int(message.body[:8]) - 1
        return Message(method="hop", body=f"{left:8}{BODY[8:]}", receiver=self.to) if left else None


class Starter(GenAgent):
    """Stays at home, and sets many going at once."""

    count: int

    def begin(self, message: Message) -> Iterator[Message]:
        for number in range(CROWD):
            yield Message(method="hop", body=f"{self.count:8}{BODY[8:]}", receiver=f"h{number}")


class Scale(NatsCarrier):
    """Counts what comes and goes."""

    packets = size = 0

    async def send(self, node: str, data: bytes) -> None:
        self.packets, self.size = self.packets + 1, self.size + len(data)
        await super().send(node, data)

    async def join(self, node: str, hear: Callable[[str, bytes], None], *, about: bytes = b"") -> None:
        def heard(sender: str, data: bytes) -> None:
            self.packets, self.size = self.packets + 1, self.size + len(data)
            hear(sender, data)

        await super().join(node, heard, about=about)


def be_node(url: str, there: Event, over: Event) -> None:
    """A node in a process of its own."""

    async def main() -> None:
        async with node(NatsCarrier(url), "n1"):
            there.set()
            await asyncio.to_thread(over.wait)

    asyncio.run(main())


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has had."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def measure(url: str, pid: int, what: str, count: int, network: GenNetwork, root: Message, agents: list[str],
                  journal: Journal | None) -> None:  # fmt: skip
    carriers: list[Scale] = []

    def make() -> Scale:
        carriers.append(Scale(url))
        return carriers[-1]

    async with network.run(root, runtime=Cluster(make, agents=agents), limits=LIMITS, journal=journal) as run:
        began, home, there = time.monotonic(), time.process_time(), cpu(pid)
        await run.wait()
        took, home, there = time.monotonic() - began, time.process_time() - home, cpu(pid) - there
    size, packets = carriers[0].size, carriers[0].packets
    print(
        f"{what:34} {count / took:8,.0f} messages/s  home {home / count * 1e6:5.0f} µs  node {there / count * 1e6:5.0f} µs"
        f"  {size / count:5.0f} bytes  {packets / count:5.2f} packets a message"
    )


async def idle(url: str, pid: int) -> None:
    """What a link costs on which nothing is said."""
    carrier = Scale(url)
    network = GenNetwork(id="idle", agents=[Hearer(id="hearer")])
    async with network.run(None, runtime=Cluster(lambda: carrier)):
        await asyncio.sleep(1)
        packets, size, home, there = carrier.packets, carrier.size, time.process_time(), cpu(pid)
        await asyncio.sleep(IDLE)
        packets, size = carrier.packets - packets, carrier.size - size
        home, there = time.process_time() - home, cpu(pid) - there
    print(
        f"a link that is idle: {packets / IDLE:.1f} packets/s and {size / IDLE:.0f} bytes/s both ways; "
        f"home {home / IDLE * 1e3:.1f} ms/s, node {there / IDLE * 1e3:.1f} ms/s of CPU, with presence and lease"
    )


async def main(url: str, pid: int) -> None:
    for kept in (False, True):
        journal = SqliteJournal("/tmp/llm_net-scale.db") if kept else None
        more = ", recorded" if kept else ""
        count = MESSAGES // (4 if kept else 1)
        one_way = GenNetwork(id="one", agents=[Crier(id="crier", count=count), Hearer(id="hearer")])
        start = Message(method="begin", receiver="crier")
        await measure(url, pid, f"from home to a node{more}", count, one_way, start, ["hearer"], journal)
        ring = GenNetwork(id="ring", agents=[Hopper(id="a", to="b"), Hopper(id="b", to="a")])
        root = Message(method="hop", body=f"{count:8}{BODY[8:]}", receiver="a")
        await measure(url, pid, f"from agent to agent on nodes{more}", count, ring, root, ["a", "b"], journal)
        names = [f"h{number}" for number in range(CROWD)]
        hoppers = [Hopper(id=name, to=to) for name, to in zip(names, [*names[1:], names[0]], strict=True)]
        crowd = GenNetwork(id="crowd", agents=[Starter(id="starter", count=count // CROWD), *hoppers])
        start = Message(method="begin", receiver="starter")
        await measure(url, pid, f"{CROWD} at once on nodes{more}", count, crowd, start, names, journal)
        if journal is not None:
            await journal.aclose()
    await idle(url, pid)


if __name__ == "__main__":
    context = get_context("spawn")
    there, over = context.Event(), context.Event()
    child = context.Process(target=be_node, args=(sys.argv[1], there, over))
    child.start()
    there.wait()
    try:
        assert child.pid is not None
        asyncio.run(main(sys.argv[1], child.pid))
    finally:
        over.set()
        child.join()
        Path("/tmp/llm_net-scale.db").unlink(missing_ok=True)
