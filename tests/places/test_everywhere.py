"""The laws of a run hold on the nodes of a cluster, over NATS and over PostgreSQL; test_processes has worker processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_net.places import Cluster
from llm_net.testing.runtime import check_runtime
from llm_net.testing.runtime.check import CHECKS
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
            # But for threads of 1,500 messages, one after the other: 10 s of waiting for this server, and no other law.
            asyncio.run(
                check_runtime(lambda: Cluster(dsn, silent=5.0), away=True, only=CHECKS.keys() - {"long threads"})
            )
    finally:
        server.close()
