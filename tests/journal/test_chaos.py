"""Processes killed at any instant, and a database server with them: nothing is lost, doubled or done twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llm_net.record import Ended, Fact, Finished
from tests.journal import victim
from tests.journal.crashes import check_order, check_record, facts_of
from tests.journal.servers import PostgresServer
from tests.journal.victim import ENDED, JOURNAL_FAILED, KILLED, Ledger, Life, Member, journal_of, town

ROOT = Path(__file__).parents[2]

SEED = 20261122

SERVER_LIVES = 1.5
"""Seconds."""


class Killer:
    """The warm parent of lives."""

    def __init__(self, folder: Path) -> None:
        self._said = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", victim.__name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def live(self, life: Life) -> int:
        """Let a life be lived; gives how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(victim.command(life))
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read()[-5_000:]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._said.close()


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[Killer]:
    killer = Killer(tmp_path)
    yield killer
    killer.close()


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    server = PostgresServer(durable=True)
    yield server
    server.close()


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    kills: Any = request.config.getoption("--kills")
    return int(kills) // 2  # of each kind of journal


def storm(killer: Killer, life: Life, kills: int, there: AbstractContextManager[Any]) -> None:
    """Kill that often, and check each run that came to its end.

    Args:
        life: where it is lived.
        there: while it is entered, the journal can be read.
    """
    random = Random(SEED)
    killed = 0
    ended = KILLED
    while killed < kills or ended != ENDED:
        seconds, early = random.uniform(0.0, 0.06), random.random() < 0.2
        ended = killer.live(replace(life, seconds=seconds, early=early) if killed < kills else life)
        if ended == KILLED:
            killed += 1
        elif ended == ENDED:
            with there:
                check(life)
        else:
            assert ended == JOURNAL_FAILED, f"seed {SEED}, after {killed} kills:\n{killer.said()}"


def check(life: Life) -> None:
    """The ledger has each effect of all runs once, and the record of the last one keeps the laws."""

    async def main() -> None:
        journal = journal_of(life)
        runs = await journal.runs()
        found = Counter(" ".join(line.split()[:2]) for line in Ledger(life.ledger).lines())
        wanted = sum((victim.expected(batch) for batch in range(len(runs))), Counter[str]())
        assert found == wanted, f"seed {SEED}: {found - wanted} too much, {wanted - found} too little"
        run = runs[-1].run
        facts = await facts_of(journal, run)
        network = town()
        check_record(facts)
        check_order(facts, network)
        check_ends(facts)
        Member.ledger = Ledger("/nonexistent/a replay does nothing outside")
        await network.replay(journal, run)
        for path, agent in network.walk():
            if isinstance(agent, Member):
                handled = sum(
                    isinstance(fact, Ended) and fact.agent == path and fact.end == "handled" for fact in facts
                )
                assert agent.handled == handled, f"seed {SEED}: {path} handled {handled}, and says {agent.handled}"
        await journal.aclose()

    asyncio.run(main())


def check_ends(facts: list[Fact]) -> None:
    assert isinstance(facts[-1], Finished)
    assert facts[-1].status == "done"
    bad = [fact for fact in facts if isinstance(fact, Ended) and fact.end not in ("handled", "retried")]
    assert not bad, f"seed {SEED}: {bad}"


def test_a_process_that_is_killed_again_and_again_does_everything_once(
    killer: Killer, kills: int, tmp_path: Path
) -> None:
    life = Life("sqlite", str(tmp_path / "run.db"), str(tmp_path / "ledger"))

    storm(killer, life, kills, nullcontext())


@pytest.mark.server
def test_so_it_is_where_the_database_server_is_killed_too(
    killer: Killer, kills: int, tmp_path: Path, durable: PostgresServer
) -> None:
    life = Life("postgres", durable.database("chaos"), str(tmp_path / "ledger"))

    with killed_now_and_then(durable) as there:
        storm(killer, life, kills, there)


@contextmanager
def killed_now_and_then(server: PostgresServer) -> Iterator[threading.Lock]:
    """Kill a server at any instant and start it again. Gives what to hold so that it is there meanwhile."""
    there, over = threading.Lock(), threading.Event()

    def kill() -> None:
        while not over.wait(SERVER_LIVES):
            with there:
                server.kill()
                server.start()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield there
    finally:
        over.set()
        thread.join()
