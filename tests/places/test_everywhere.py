"""The laws of a run hold wherever agents live: in worker processes, over NATS, over PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_net.places import Cluster, Processes
from llm_net.testing.runtime import check_runtime
from tests.carriers.servers import NatsServer
from tests.journal.servers import PostgresServer

ROOT = Path(__file__).parents[2]


@contextmanager
def members(url: str) -> Iterator[None]:
    """Two nodes."""
    words = [sys.executable, "-m", "tests.places.member", url]
    nodes = [
        subprocess.Popen(
            [*words, name, check_runtime.__module__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("n1", "n2")
    ]
    try:
        for node in nodes:
            assert node.stdout is not None
            assert node.stdout.readline() == "here\n"
        yield
    finally:
        for node in nodes:
            node.communicate(timeout=20)


def test_in_worker_processes() -> None:
    async def main() -> None:
        async with Processes(workers=2) as runtime:
            await check_runtime(lambda: runtime, away=True)

    asyncio.run(main())


@pytest.mark.server
def test_on_the_nodes_of_a_cluster_over_nats() -> None:
    server = NatsServer()
    try:
        with members(server.url):
            asyncio.run(check_runtime(lambda: Cluster(server.url, silent=5.0), away=True))
    finally:
        server.close()


@pytest.mark.server
def test_on_the_nodes_of_a_cluster_over_postgres() -> None:
    server = PostgresServer()
    try:
        dsn = server.database("cluster")
        with members(dsn):
            asyncio.run(check_runtime(lambda: Cluster(dsn, silent=5.0), away=True))
    finally:
        server.close()
