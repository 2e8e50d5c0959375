"""Worker processes that are killed: what is on record goes on in another; what is not ends where everybody can see it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from llm_net import GenNetwork, Limits, Message
from llm_net.errors import AgentFailed, NodeLost, PlaceUnavailable
from llm_net.journal import MemoryJournal, SqliteJournal
from llm_net.places import Processes
from llm_net.ports import Link
from llm_net.record import RunInfo
from llm_net.runtime.home import Home, Share
from llm_net.runtime.local import LocalRuntime
from tests.places.mill import SACKS, Clerk, Foreman, Miller, Store, mill

BEGIN = Message(method="begin", receiver="foreman")


def check(network: GenNetwork, ledger: Path) -> None:
    """Everything happened once, and everybody remembers it."""
    foreman, clerk, store = network["foreman"], network["clerk"], network["store"]
    assert isinstance(foreman, Foreman)
    assert isinstance(clerk, Clerk)
    assert isinstance(store, Store)
    assert foreman.ground == list(range(SACKS))
    assert sorted(map(int, clerk.known)) == list(range(SACKS))
    assert store.left == 100 - SACKS
    assert sorted(sack for miller in network if isinstance(miller, Miller) for sack in miller.sacks) == list(
        range(SACKS)
    )
    notes = [line.split()[1] for line in ledger.read_text().splitlines()]
    assert sorted(map(int, notes)) == list(range(SACKS))


def test_what_a_killed_worker_had_begun_goes_on_in_another(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger), dies_over=7)

    async def main() -> None:
        journal = SqliteJournal(tmp_path / "run.db")
        async with network.run(BEGIN, runtime=Processes(workers=2), journal=journal) as run:
            pass
        assert run.status == "done"
        await mill(str(ledger), dies_over=7).replay(journal, run.id)
        await journal.aclose()

    asyncio.run(main())
    check(network, ledger)
    assert (tmp_path / "ledger.died").exists()


def test_workers_may_be_killed_again_and_again(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        async with Processes(workers=2) as runtime:
            killed = 0
            async with network.run(BEGIN, runtime=runtime, journal=MemoryJournal()) as run:
                async for message in run:
                    if message.method == "grain" and int(message.body) % 6 == 3 and killed < int(message.body) // 6 + 1:
                        os.kill(runtime.pids[killed % 2], signal.SIGKILL)
                        killed += 1
            assert killed == 3
            assert run.status == "done"

    asyncio.run(main())
    check(network, ledger)


def test_without_a_record_what_was_being_handled_fails_with_the_loss(tmp_path: Path) -> None:
    network = mill(str(tmp_path / "ledger"), dies_over=3)

    async def main() -> None:
        async with network.run(BEGIN, runtime=Processes(workers=1)):
            pass

    with pytest.raises(AgentFailed) as failed:
        asyncio.run(main())
    cause = failed.value.__cause__
    while isinstance(cause, AgentFailed):
        cause = cause.__cause__
    assert isinstance(cause, NodeLost)
    assert "SIGKILL" in str(cause)


async def listed(journal: MemoryJournal) -> Sequence[RunInfo]:
    return await journal.runs()


def test_a_home_that_ends_before_its_nodes_are_there_leaves_nothing_half_begun() -> None:
    class NoHosts:
        imports = False

        async def open(self, run: str, network: str, **told: object) -> Sequence[Link]:
            await asyncio.sleep(0.01)  # in which all that was noted would be written
            assert [info.run for info in await journal.runs()] == []
            raise PlaceUnavailable("nobody is there; come again")

        async def replace(self, lost: Link) -> Link | None:
            raise AssertionError("there was none")

        def gone(self, link: Link) -> None:
            pass

        async def release(self, links: Iterable[Link]) -> None:
            pass

    journal = MemoryJournal()

    async def main() -> None:
        home = Home(Share(NoHosts()))
        async with LocalRuntime().run(
            mill("nowhere"), BEGIN, limits=Limits(), observers=(), journal=journal, away=home
        ):
            pass

    with pytest.raises(PlaceUnavailable):
        asyncio.run(main())
    (info,) = asyncio.run(listed(journal))
    assert info.status == "failed"
