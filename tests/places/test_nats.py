"""A cluster over real NATS servers: homes and nodes in processes of their own, killed, stopped, sent away and overloaded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from random import Random

import nats
import pytest

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.carriers.nats import server_config
from llm_net.carriers.links import FRAMES, HEADER, OPEN, VERSION, FROM_OPENER
from llm_net.errors import LimitReached
from llm_net.journal import MemoryJournal
from llm_net.places import Cluster
from llm_net.places.cluster import node as be_node
from llm_net.carriers import NatsCarrier
from tests.carriers.servers import NatsCluster, NatsServer
from tests.places.flood import flood
from tests.places.mill import SACKS, mill
from tests.places.programs import ROOT, Program, llm_net, node
from tests.places.talk import BURST, TALKERS
from tests.places.test_losses import BEGIN, check

pytestmark = pytest.mark.server

TALK = ROOT / "tests/places/talk.py"
MILLS = ROOT / "tests/places/nodes.py"


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


class Talk:
    """A run of `talk.py` with its nodes, and what came of it."""

    def __init__(self, stack: ExitStack, url: str, folder: Path, silent: float = 2.0) -> None:
        self.stack, self.url, self.folder, self.silent = stack, url, folder, str(silent)
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.nodes: dict[str, Program] = {}
        self._count = 0

    def add_node(self) -> Program:
        self._count += 1
        name = f"n{self._count}"
        program = node(TALK, self.url, name, self.folder, "--silent", self.silent, "--space", self.folder.name)
        self.nodes[name] = self.stack.enter_context(program)
        return program

    def begin(self, *, patience: float = 30.0) -> Program:
        """Start a home: the first, or another that goes on."""
        words = (self.url, str(self.folder / "run.db"), str(self.notes), self.folder.name, self.silent)
        self.home = self.stack.enter_context(Program(str(TALK), *words, log=self.folder / "home.log"))
        self.home.says("home of", patience)
        return self.home

    @property
    def count(self) -> int:
        """Words that were noted."""
        return len(os.listdir(self.notes))

    def goes_on(self, words: int = 60, seconds: float = 30.0) -> None:
        """Wait until so many more words were heard."""
        wanted, end = self.count + words, time.monotonic() + seconds
        while self.count < wanted:
            assert self.home.alive, self.home.said
            assert time.monotonic() < end, f"it stands still: {self.home.said}"
            time.sleep(0.02)

    def end(self, seconds: float = 30.0) -> int:
        """Have it end; all that was said was heard once, in order, and noted once. Gives how many words that were."""
        (self.notes / "stop").touch()
        told = json.loads(self.home.says('"status"', seconds))
        assert self.home.ends() == 0
        assert told["status"] == "done"
        talkers = told["talkers"]
        assert len(talkers) == TALKERS
        words: list[str] = []
        for name, talker in talkers.items():
            assert talker["wrong"] == []
            assert talker["said"] % BURST == 0
            for other in talkers.keys() - {name}:
                assert talkers[other]["got"].get(name, 0) == talker["said"]
                words += (f"{name} {other} {number}" for number in range(talker["said"]))
        noted = [path.read_text() for path in self.notes.iterdir() if path.name != "stop"]
        assert sorted(noted) == sorted(words)
        return len(words)


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
        for number in range(request.config.getoption("--stops")):
            talk.goes_on(10)
            paused.send(signal.SIGSTOP)
            time.sleep(1.3)
            talk.goes_on(10)
            paused.send(signal.SIGCONT)
            paused.says("is over here", again=number)  # home has given it up
            paused.says("came", again=number + 1)  # and takes it back
        assert talk.end() > 60


# ------------------------------------------------------------------------------------------------ homes


def test_a_home_that_is_killed_leaves_a_run_that_goes_on_at_another(talk: Talk) -> None:
    talk.add_node()
    talk.add_node()
    talk.begin().kill()
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
