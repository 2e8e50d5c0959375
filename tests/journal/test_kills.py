"""Processes that are killed at any instant, over real files and a real server: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from llm_net.record import Ended, Sent
from tests.journal.relay import LEGS, RUNNERS, entries, journal_at, relay
from tests.journal.servers import PostgresServer

ROOT = Path(__file__).parents[2]


def live_and_be_killed(where: str, ledger: Path, kills: int, seed: int) -> subprocess.Popen[str]:
    call = f"from tests.journal.relay import main; main({where!r}, {str(ledger)!r}, {kills}, {seed})"
    program = [sys.executable, "-c", call]  # not -m: its messages are of that module, also where they are read here
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kills_of(process: subprocess.Popen[str], seed: int) -> int:
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, f"seed {seed}\n{errors}"
    return int(output.split()[1])


async def check(where: str, ledger: Path) -> int:
    """Look at all that was recorded, and at the ledger. Gives how many runs there were."""
    journal = journal_at(where)
    runs = await journal.runs()
    noted = Counter(entries(str(ledger)))
    assert set(noted.values()) == {1}, [entry for entry, times in noted.items() if times > 1]
    wanted: set[str] = set()
    for info in runs:
        assert info.status == "done"
        facts = [fact async for fact in journal.read(info.run)]
        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        sent = [fact for fact in facts if isinstance(fact, Sent)]
        ended = Counter(fact.number for fact in facts if isinstance(fact, Ended))
        assert [fact.number for fact in sent] == list(range(1, len(sent) + 1))
        assert ended == Counter(fact.number for fact in sent if fact.waits)
        assert len({fact.id for fact in sent if fact.method != "cheer"}) == sum(fact.method != "cheer" for fact in sent)
        legs = [fact for fact in sent if fact.method == "baton"]
        assert len(legs) == LEGS
        wanted |= {f"{legs[0].conversation}-{leg}" for leg in range(LEGS)}
        network = relay(str(ledger))
        counted = await network.replay(journal, info.run)
        assert counted.handled == len(sent)
        ran = [runner.legs for runner in network]  # type: ignore[attr-defined]
        assert ran == [list(range(first, LEGS, RUNNERS)) for first in range(RUNNERS)]
        assert sum(runner.cheers for runner in network) == LEGS  # type: ignore[attr-defined]
    assert set(noted) == wanted
    await journal.aclose()
    return len(runs)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often each of these tests kills: `--kills` in all."""
    number = request.config.getoption("--kills")
    assert isinstance(number, int)
    return number // 3


def test_a_process_over_sqlite_may_be_killed_at_any_instant(tmp_path: Path, kills: int) -> None:
    where, ledger = str(tmp_path / "run.db"), tmp_path / "ledger"

    assert kills_of(live_and_be_killed(where, ledger, 2 * kills, 1), 1) == 2 * kills
    assert asyncio.run(check(where, ledger)) > 0


@pytest.mark.server
def test_a_process_over_postgres_may_be_killed_and_so_may_its_server(tmp_path: Path, kills: int) -> None:
    server = PostgresServer(durable=True)
    try:
        where, ledger = server.database("relay"), tmp_path / "ledger"
        process = live_and_be_killed(where, ledger, kills, 2)
        over = threading.Event()

        def kill_the_server() -> None:
            while not over.wait(1.5):
                server.kill()
                server.start()

        killer = threading.Thread(target=kill_the_server)
        killer.start()
        try:
            assert kills_of(process, 2) == kills
        finally:
            over.set()
            killer.join()
        assert asyncio.run(check(where, ledger)) > 0
    finally:
        server.close()
