"""Messages between two processes: ours in worker processes, in Ray actors and over NATS, and the floors that move bare bytes.

Each contender gives a `Figures`; it counts at the far end, so that a message that is lost has no figure.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from struct import Struct
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parents[1]

SMALL, LARGE = 100, 100_000
"""Bytes of a body."""

MANY = 100
"""Agents that messages go to in turn."""

COALESCED = 64 * 1024
"""Bytes that the floor writes at once."""

_LENGTH = Struct("<I")


@dataclass
class Figures:
    """What one contender did: messages a second one way, and seconds of single round trips."""

    one: float = 0.0
    many: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    large: float = 0.0
    large_p50: float = 0.0
    large_p99: float = 0.0


@dataclass
class Amounts:
    """How many messages a measurement takes."""

    small: int = 20_000
    large: int = 1_000
    trips: int = 2_000
    large_trips: int = 300

    def times(self, factor: float) -> Amounts:
        return Amounts(*(max(MANY, int(number * factor) // MANY * MANY) for number in asdict(self).values()))


OneWay = Callable[[int, int, int], Awaitable[float]]
"""Sends n messages of a size to so many receivers; gives seconds until the last was handled."""

Trips = Callable[[int, int], Awaitable[list[float]]]
"""Makes n round trips of a size, one after another; gives the seconds of each."""

ROUNDS = 3


async def measured(one_way: OneWay, trips: Trips, amounts: Amounts) -> Figures:
    """The best of some rounds, after one that is not counted: what else runs on the machine only ever takes."""
    await one_way(amounts.small // 10, SMALL, 1)
    rounds: list[Figures] = []
    for _ in range(ROUNDS):
        small, large = sorted(await trips(amounts.trips, SMALL)), sorted(await trips(amounts.large_trips, LARGE))
        rounds.append(
            Figures(
                amounts.small / await one_way(amounts.small, SMALL, 1),
                amounts.small / await one_way(amounts.small, SMALL, MANY),
                median(small), small[int(0.99 * len(small))],
                amounts.large / await one_way(amounts.large, LARGE, 1),
                median(large), large[int(0.99 * len(large))],
            )
        )  # fmt: skip
    return Figures(
        **{
            name: (min if "_p" in name or name.startswith("p") else max)(asdict(each)[name] for each in rounds)
            for name in asdict(rounds[0])
        }
    )


# ---------------------------------------------------------------------------------------------- ours


def encoded(size: int) -> bytes:
    """One of our messages as it crosses to a worker."""
    from llm_net import Message
    from llm_net.wire import Line

    message = Message(method="note", body="x" * size, sender="source", receiver="sink0")
    return Line(short=True).encode(message)


def network() -> Any:
    from benchmarks.far_agents import Sink, Source
    from llm_net import GenNetwork

    return GenNetwork(id="net", agents=[Source(id="source"), *(Sink(id=f"sink{n}") for n in range(MANY))])


async def ours(runtime: Any, amounts: Amounts) -> Figures:
    """A run that stays open: one agent here sends to others that live there."""
    from benchmarks.far_agents import Source
    from llm_net import Limits, Message

    net = network()
    source = net["source"]
    assert isinstance(source, Source)
    async with net.run(runtime=runtime, limits=Limits(messages=None, depth=None, seconds=None)) as run:

        async def ask(method: str, *words: int) -> list[float]:
            source.done = asyncio.Event()
            await run.send(Message(method=method, body=json.dumps(words), receiver="source"))
            await source.done.wait()
            return source.seconds

        async def one_way(n: int, size: int, receivers: int) -> float:
            return sum(await ask("pour", n, size, receivers))

        async def trips(n: int, size: int) -> list[float]:
            return await ask("travel", n, size)

        figures = await measured(one_way, trips, amounts)
        run.cancel()
    return figures


SINKS = [f"sink{n}" for n in range(MANY)]


def ours_processes(amounts: Amounts) -> Figures:
    from llm_net.places import Processes

    return asyncio.run(ours(Processes(workers=1, agents=SINKS), amounts))


def ours_ray(amounts: Amounts) -> Figures:
    from llm_net.places.ray import Ray

    return asyncio.run(ours(Ray(num_cpus=0, agents=SINKS), amounts.times(0.25)))


def ours_nats(amounts: Amounts) -> Figures:
    from llm_net.places import Cluster

    with nats_server() as url, child("node", url):
        return asyncio.run(ours(Cluster(url, agents=SINKS), amounts.times(0.5)))


async def be_node(url: str) -> None:
    import benchmarks.far_agents  # noqa: F401 - the classes that live here
    from llm_net.places.cluster import carrier_at, node

    async with node(carrier_at(url), "n1"):
        print("here", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def cores(workers: int) -> float:
    """Seconds that agents take who only compute, on so many workers."""
    from benchmarks.far_agents import Grinder
    from llm_net import GenNetwork, Message
    from llm_net.places import Processes

    async def main() -> float:
        net = GenNetwork(id="net", agents=[Grinder(id=f"grinder{n}") for n in range(4)])
        async with net.run(runtime=Processes(workers=workers)) as run:
            for n in range(4):  # each of them is there and warm
                await run.send(Message(method="grind", body="1", receiver=f"grinder{n}"))
            while run.statistics().handled < 4:
                await asyncio.sleep(0.01)
            began = perf_counter()
            for _ in range(10):
                for n in range(4):
                    await run.send(Message(method="grind", body="300000", receiver=f"grinder{n}"))
        return perf_counter() - began

    return asyncio.run(main())


# ---------------------------------------------------------------------------------------------- floors


@contextmanager
def process(target: Callable[..., None], *args: object) -> Iterator[None]:
    far = multiprocessing.get_context("spawn").Process(target=target, args=args, daemon=True)
    far.start()
    try:
        yield
    finally:
        far.join(10)
        far.kill()


class Frames(asyncio.Protocol):
    """Frames with their length before them. Writes of one turn go together."""

    def __init__(self, hear: Callable[[Frames, bytes], None]) -> None:
        self._hear = hear
        self._came = bytearray()
        self._waiting: list[bytes] = []
        self._size = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        at, end = 0, len(came)
        while end - at >= 4:
            (length,) = _LENGTH.unpack_from(came, at)
            if end - at - 4 < length:
                break
            at += 4 + length
            self._hear(self, bytes(memoryview(came)[at - length : at]))
        del came[:at]

    def send(self, frame: bytes) -> bool:
        """Whether one has to wait until it is writable."""
        self._waiting += _LENGTH.pack(len(frame)), frame
        self._size += len(frame)
        if self._size > COALESCED:
            self.flush()
        return not self._writable.is_set()

    def flush(self) -> None:
        self.transport.write(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0

    async def writable(self) -> None:
        await self._writable.wait()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


ECHO, LAST = b"e", b"l"
"""What a frame may begin with: it is sent back; it was the last one, which is told."""


def unix_far(end: socket.socket) -> None:
    seen = 0

    def hear(frames: Frames, frame: bytes) -> None:
        nonlocal seen
        seen += 1
        if frame[:1] == ECHO:
            frames.send(frame)
            frames.flush()
        elif frame[:1] == LAST:
            frames.send(seen.to_bytes(8, "little"))
            frames.flush()
            seen = 0

    async def main() -> None:
        _, frames = await asyncio.get_running_loop().create_unix_connection(lambda: Frames(hear), sock=end)
        await frames.closed.wait()

    asyncio.run(main())


def unix_socket(amounts: Amounts) -> Figures:
    near, far = socket.socketpair()

    async def main() -> Figures:
        heard: asyncio.Future[bytes]

        def hear(_: Frames, frame: bytes) -> None:
            heard.set_result(frame)

        loop = asyncio.get_running_loop()
        transport, frames = await loop.create_unix_connection(lambda: Frames(hear), sock=near)

        async def one_way(n: int, size: int, receivers: int) -> float:
            nonlocal heard
            frame, last = b"." + encoded(size)[1:], LAST + encoded(size)[1:]
            heard = loop.create_future()
            began = perf_counter()
            for _ in range(n - 1):
                if frames.send(frame):
                    await frames.writable()
            frames.send(last)
            frames.flush()
            seen = int.from_bytes(await heard, "little")
            seconds = perf_counter() - began
            assert seen == n, seen
            return seconds

        async def trips(n: int, size: int) -> list[float]:
            nonlocal heard
            frame = ECHO + encoded(size)[1:]
            seconds: list[float] = []
            for _ in range(n):
                heard = loop.create_future()
                began = perf_counter()
                frames.send(frame)
                frames.flush()
                await heard
                seconds.append(perf_counter() - began)
            heard = loop.create_future()
            frames.send(LAST)
            frames.flush()
            assert int.from_bytes(await heard, "little") == n + 1
            return seconds

        try:
            return await measured(one_way, trips, amounts)
        finally:
            transport.close()

    with process(unix_far, far):
        far.close()
        return asyncio.run(main())


def pipe_far(end: Connection) -> None:
    seen = 0
    while True:
        try:
            frame = end.recv_bytes()
        except EOFError:
            return
        seen += 1
        if frame[:1] == ECHO:
            end.send_bytes(frame)
        elif frame[:1] == LAST:
            end.send_bytes(seen.to_bytes(8, "little"))
            seen = 0


def pipe(amounts: Amounts) -> Figures:
    near, far = multiprocessing.get_context("spawn").Pipe()

    async def one_way(n: int, size: int, receivers: int) -> float:
        frame, last = b"." + encoded(size)[1:], LAST + encoded(size)[1:]
        began = perf_counter()
        for _ in range(n - 1):
            near.send_bytes(frame)
        near.send_bytes(last)
        seen = int.from_bytes(near.recv_bytes(), "little")
        seconds = perf_counter() - began
        assert seen == n, seen
        return seconds

    async def trips(n: int, size: int) -> list[float]:
        frame = ECHO + encoded(size)[1:]
        seconds: list[float] = []
        for _ in range(n):
            began = perf_counter()
            near.send_bytes(frame)
            near.recv_bytes()
            seconds.append(perf_counter() - began)
        near.send_bytes(LAST)
        assert int.from_bytes(near.recv_bytes(), "little") == n + 1
        return seconds

    with process(pipe_far, far):
        far.close()
        try:
            return asyncio.run(measured(one_way, trips, amounts))
        finally:
            near.close()


# ---------------------------------------------------------------------------------------------- raw NATS


@contextmanager
def nats_server() -> Iterator[str]:
    from tests.carriers.servers import NatsServer

    server = NatsServer()
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def child(word: str, *args: str) -> Iterator[None]:
    """Another process of this module, ready."""
    words = [sys.executable, "-m", "benchmarks.far", word, *args]
    far = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert far.stdout is not None
        assert far.stdout.readline() == "here\n"
        yield
    finally:
        far.communicate(timeout=20)


async def be_subscriber(url: str) -> None:
    import nats

    client = await nats.connect(url)
    seen = 0

    async def hear(message: Any) -> None:
        nonlocal seen
        seen += 1
        if message.data[:1] == ECHO:
            await client.publish("back", message.data)
        elif message.data[:1] == LAST:
            await client.publish("back", seen.to_bytes(8, "little"))
            seen = 0

    await client.subscribe("there", cb=hear)
    await client.flush()
    print("here", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await client.close()


def raw_nats(amounts: Amounts) -> Figures:
    """nats-py, each message published by itself: it joins writes. Its reader never tells the writer to wait: we do."""

    async def main(url: str) -> Figures:
        import nats

        client = await nats.connect(url, pending_size=64 * 1024 * 1024)
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def hear(message: Any) -> None:
            heard.set_result(message.data)

        await client.subscribe("back", cb=hear)

        async def asked(data: bytes) -> bytes:
            nonlocal heard
            heard = asyncio.get_running_loop().create_future()
            await client.publish("there", data)
            return await heard

        async def one_way(n: int, size: int, receivers: int) -> float:
            frame, last = b"." + encoded(size)[1:], LAST + encoded(size)[1:]
            began = perf_counter()
            for _ in range(n - 1):
                await client.publish("there", frame)
            seen = int.from_bytes(await asked(last), "little")
            seconds = perf_counter() - began
            assert seen == n, seen
            return seconds

        async def trips(n: int, size: int) -> list[float]:
            frame = ECHO + encoded(size)[1:]
            seconds: list[float] = []
            for _ in range(n):
                began = perf_counter()
                await asked(frame)
                seconds.append(perf_counter() - began)
            assert int.from_bytes(await asked(LAST), "little") == n + 1
            return seconds

        try:
            return await measured(one_way, trips, amounts)
        finally:
            await client.close()

    with nats_server() as url, child("subscriber", url):
        return asyncio.run(main(url))


CONTENDERS: Mapping[str, Callable[[Amounts], Figures]] = {
    "unix_socket": unix_socket,
    "pipe": pipe,
    "ours": ours_processes,
    "raw_nats": raw_nats,
    "ours_nats": ours_nats,
    "ours_ray": ours_ray,
}


if __name__ == "__main__":
    word, url = sys.argv[1:]
    asyncio.run(be_node(url) if word == "node" else be_subscriber(url))
