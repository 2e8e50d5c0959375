"""The same messages between two processes, by the peers: xoscar, mango and plain Ray actors, as their users would write it."""

# The peers may be absent, or have no types.
# pyright: basic, reportMissingImports=false, reportUndefinedVariable=false
# mypy: disable-error-code="import-not-found,import-untyped,misc,no-untyped-def,no-untyped-call,attr-defined,has-type"

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import asdict
from time import perf_counter
from typing import Any

from benchmarks.far import MANY, ROOT, Amounts, Figures, measured


def xoscar(amounts: Amounts) -> Figures:
    """Actors in a process of their pool: `tell` one way, a call for a round trip."""

    async def main() -> Figures:
        import xoscar
        from xoscar.backends.allocate_strategy import ProcessIndex

        from benchmarks.far_xoscar import Sink

        pool = await xoscar.create_actor_pool(f"127.0.0.1:{free_port()}", n_process=1)
        async with pool:
            where = ProcessIndex(1)
            sinks = [
                await xoscar.create_actor(Sink, address=pool.external_address, uid=f"sink{n}", allocate_strategy=where)
                for n in range(MANY)
            ]

            async def one_way(n: int, size: int, receivers: int) -> float:
                body = "x" * size
                for sink in sinks[:receivers]:
                    await sink.expect(n // receivers)
                began = perf_counter()
                for number in range(n):
                    await sinks[number % receivers].note.tell(body)
                for sink in sinks[:receivers]:
                    while await sink.left():
                        await asyncio.sleep(0.001)
                return perf_counter() - began

            async def trips(n: int, size: int) -> list[float]:
                body = "x" * size
                seconds = []
                for _ in range(n):
                    began = perf_counter()
                    await sinks[0].echo(body)
                    seconds.append(perf_counter() - began)
                return seconds

            return await measured(one_way, trips, amounts)

    return asyncio.run(main())


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def mango(amounts: Amounts) -> Figures:
    """Two containers over TCP on this machine, each in a process, with mango's own JSON."""

    async def main() -> Figures:
        from mango import Agent, AgentAddress, activate, create_tcp_container

        near, there = free_port(), free_port()
        heard: asyncio.Future[Any]
        waits = 0

        class Source(Agent):
            def handle_message(self, content: Any, meta: dict[str, Any]) -> None:
                nonlocal waits
                waits -= 1
                if not waits:
                    heard.set_result(content)

        words = [sys.executable, "-m", "benchmarks.far_peers", "mango-node", str(there), str(near)]
        far = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - before the clock starts
        container = create_tcp_container(("127.0.0.1", near))
        source = container.register(Source())
        sinks = [AgentAddress(("127.0.0.1", there), f"sink{n}") for n in range(MANY)]

        async def one_way(n: int, size: int, receivers: int) -> float:
            nonlocal heard, waits
            heard, waits = asyncio.get_running_loop().create_future(), receivers
            body = "x" * size
            began = perf_counter()
            for sink in sinks[:receivers]:
                await source.send_message({"expect": n // receivers, "source": source.aid}, sink)
            for number in range(n):
                await source.send_message({"note": body}, sinks[number % receivers])
            await heard
            return perf_counter() - began

        async def trips(n: int, size: int) -> list[float]:
            nonlocal heard, waits
            body = "x" * size
            seconds = []
            for _ in range(n):
                heard, waits = asyncio.get_running_loop().create_future(), 1
                began = perf_counter()
                await source.send_message({"echo": body, "source": source.aid}, sinks[0])
                await heard
                seconds.append(perf_counter() - began)
            return seconds

        try:
            assert far.stdout is not None
            assert far.stdout.readline() == "here\n"
            async with activate(container):
                return await measured(one_way, trips, amounts)
        finally:
            far.communicate(timeout=20)

    return asyncio.run(main())


async def mango_node(here: int, home: int) -> None:
    from mango import Agent, AgentAddress, activate, create_tcp_container

    class Sink(Agent):
        def handle_message(self, content: Any, meta: dict[str, Any]) -> None:
            if "note" in content:
                self.left -= 1
                if not self.left:
                    self.schedule_instant_message({"full": True}, self.source)
            elif "expect" in content:
                self.left = content["expect"]
                self.source = AgentAddress(("127.0.0.1", home), content["source"])
            else:
                source = AgentAddress(("127.0.0.1", home), content["source"])
                self.schedule_instant_message({"echo": content["echo"]}, source)

    container = create_tcp_container(("127.0.0.1", here))
    for number in range(MANY):
        container.register(Sink(), suggested_aid=f"sink{number}")
    async with activate(container):
        print("here", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def ray(amounts: Amounts) -> Figures:
    """Plain actors, which keep order: one of them for one receiver; for more than one, as many methods in that actor."""
    import ray

    class Sink:
        def __init__(self) -> None:
            self.seen = 0

        def note(self, number: int, body: str) -> None:
            self.seen += 1

        def count(self) -> int:
            seen, self.seen = self.seen, 0
            return seen

        def echo(self, body: str) -> str:
            return body

    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    sink = ray.remote(num_cpus=0)(Sink).remote()
    ray.get(sink.count.remote())

    async def one_way(n: int, size: int, receivers: int) -> float:
        body = "x" * size
        began = perf_counter()
        for number in range(n):
            sink.note.remote(number % receivers, body)
        assert ray.get(sink.count.remote()) == n
        return perf_counter() - began

    async def trips(n: int, size: int) -> list[float]:
        body = "x" * size
        seconds = []
        for _ in range(n):
            began = perf_counter()
            ray.get(sink.echo.remote(body))
            seconds.append(perf_counter() - began)
        return seconds

    try:
        return asyncio.run(measured(one_way, trips, amounts))
    finally:
        ray.shutdown()


PEERS = {"xoscar": xoscar, "mango": mango, "ray": ray}
"""By the library that each needs."""


def main() -> None:
    match sys.argv[1:]:
        case ["mango-node", here, home]:
            asyncio.run(mango_node(int(here), int(home)))
        case [name, factor]:
            print(json.dumps(asdict(PEERS[name](Amounts().times(float(factor))))))


if __name__ == "__main__":
    main()
