"""Agents in Ray actors: the same run, whatever becomes of an actor. Ray is started once for all of these."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from select import select

import pytest
import ray  # pyright: ignore[reportMissingImports]  # not in the environment that is checked

from llm_net import GenNetwork, Message
from llm_net.errors import AgentFailed, NodeLost, PlaceUnavailable
from llm_net.journal import MemoryJournal
from llm_net.places import Processes
from llm_net.places.ray import Ray
from llm_net.ports import Place
from llm_net.testing.runtime import check_runtime
from tests.places.mill import mill
from tests.places.tellers import Asker, street
from tests.places.test_losses import BEGIN, check


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def ask(network: GenNetwork, place: Mapping[str, Place | str]) -> dict[str, int]:
    """Where those live who are placed."""
    asker = network["asker"]
    assert isinstance(asker, Asker)

    async def main() -> None:
        root = Message(method="begin", body=" ".join(place), receiver="asker")
        async with network.run(root, place=place):
            pass

    asyncio.run(main())
    return asker.found


def test_a_ray_that_a_run_has_started_ends_with_it() -> None:
    network = street()

    found = ask(network, {"anna": Ray(num_cpus=1), "bert": Ray(num_cpus=0)})

    assert len({os.getpid(), *found.values()}) == 3
    assert not ray.is_initialized()


@pytest.mark.usefixtures("server")
def test_the_laws_of_a_run_hold_in_actors() -> None:
    async def main() -> None:
        async with Ray(actors=2, num_cpus=0) as runtime:
            await check_runtime(lambda: runtime, away=True)

    asyncio.run(main())


@pytest.mark.usefixtures("server")
def test_a_run_in_actors_is_the_same_run(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        async with network.run(BEGIN, runtime=Ray(actors=2, num_cpus=0)) as run:
            pass
        assert run.status == "done"
        assert run.statistics().handled == run.statistics().sent

    asyncio.run(main())
    check(network, ledger)


@pytest.mark.usefixtures("server")
def test_what_a_killed_actor_had_begun_goes_on_in_another(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger), dies_over=7)

    async def main() -> None:
        journal = MemoryJournal()
        async with network.run(BEGIN, runtime=Ray(actors=2, num_cpus=0), journal=journal) as run:
            pass
        assert run.status == "done"
        await mill(str(ledger), dies_over=7).replay(journal, run.id)

    asyncio.run(main())
    check(network, ledger)
    assert (tmp_path / "ledger.died").exists()


@pytest.mark.usefixtures("server")
def test_without_a_record_what_was_being_handled_fails_with_the_loss(tmp_path: Path) -> None:
    network = mill(str(tmp_path / "ledger"), dies_over=3)

    async def main() -> None:
        async with network.run(BEGIN, runtime=Ray(num_cpus=0)):
            pass

    with pytest.raises(AgentFailed) as failed:
        asyncio.run(main())
    cause: BaseException | None = failed.value
    while isinstance(cause, AgentFailed):
        cause = cause.__cause__
    assert isinstance(cause, NodeLost)
    assert "its worker process has died" in str(cause)
    assert "common causes" not in str(cause)


@pytest.mark.usefixtures("server")
def test_actors_may_be_kept_for_several_runs_and_shared_with_other_places() -> None:
    async def main() -> list[dict[str, int]]:
        found: list[dict[str, int]] = []
        async with Ray(num_cpus=0) as actor:
            for _ in range(2):
                network = street()
                root = Message(method="begin", body="anna bert house/carl", receiver="asker")
                place: dict[str, Place | str] = {"anna": actor, "house/carl": actor, "bert": Processes(workers=1)}
                async with network.run(root, place=place):
                    pass
                asker = network["asker"]
                assert isinstance(asker, Asker)
                found.append(asker.found)
            handle = os.pidfd_open(found[0]["anna"])
        assert select([handle], [], [], 30)[0], "the actor is still there"
        os.close(handle)
        return found

    one, other = asyncio.run(main())

    assert one["anna"] == one["house/carl"] == other["anna"] == other["house/carl"]
    assert len({os.getpid(), one["anna"], one["bert"], other["bert"]}) == 4


VISIT = """
import ray
from llm_net.places.ray import Ray
from tests.heavy.test_ray import ask
from tests.places.tellers import street
ask(street(), {"anna": Ray(num_cpus=0, address="%s")})
assert not ray.is_initialized()
"""


def test_a_program_visits_a_ray_that_is_there_and_leaves_it_there(server: str) -> None:
    visit = subprocess.run([sys.executable, "-c", VISIT % server], check=False, capture_output=True, text=True)

    assert visit.returncode == 0, visit.stderr
    assert ray.cluster_resources()["CPU"] == 4


@pytest.mark.usefixtures("server")
def test_what_ray_does_not_have_is_said_in_one_sentence() -> None:
    async def main() -> None:
        async with street().run(runtime=Ray(resources={"moon": 1}, patience=1)):
            pass

    with pytest.raises(PlaceUnavailable, match="ask for less, or add machines"):
        asyncio.run(main())


@pytest.mark.usefixtures("server")
def test_ten_megabytes_cross() -> None:
    network = street()
    root = Message(method="where", body="x" * 10_000_000, receiver="anna")

    async def main() -> None:
        async with network.run(root, place={"anna": Ray(num_cpus=0)}) as run:
            pass
        assert run.status == "done"

    asyncio.run(main())
