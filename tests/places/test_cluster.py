"""Agents on the nodes of a cluster: the same run, whoever carries the bytes, and whoever of them is lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from llm_net import simulation
from llm_net.carriers import SimulatedCarrier, Weather
from llm_net.errors import AgentFailed, CarrierFailed, PlaceUnavailable
from llm_net.journal import MemoryJournal
from llm_net.places import Cluster
from llm_net.places.cluster import Visit, node
from tests.places.mill import SACKS, mill
from tests.places.test_losses import BEGIN, check


@pytest.mark.parametrize("seed", range(5))
def test_bad_weather_changes_nothing(seed: int, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        weather = Weather(seed, lose=0.1, double=0.1, reorder=0.2, delay=0.01)
        async with AsyncExitStack() as stack:
            for name in ("n1", "n2"):
                await stack.enter_async_context(node(SimulatedCarrier(weather), name))
            async with network.run(BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather))) as run:
                pass
            assert run.status == "done"
            assert run.statistics().handled == run.statistics().sent

    simulation.run(main(), seed=seed)
    check(network, ledger)


def test_without_a_node_there_is_one_sentence() -> None:
    async def main() -> None:
        weather = Weather(1)
        async with mill("nowhere").run(BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather))):
            pass

    with pytest.raises(CarrierFailed, match="start one with `llm-net node`"):
        simulation.run(main(), seed=1)


def test_a_node_that_comes_gets_its_share_and_one_that_goes_leaves_its_agents(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        weather = Weather(3, delay=0.01)
        async with AsyncExitStack() as stack:
            first = AsyncExitStack()
            await first.enter_async_context(node(SimulatedCarrier(weather), "n1"))
            async with network.run(BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather))) as run:
                seen = 0
                async for message in run:
                    if message.method == "grind":
                        seen += 1
                        if seen == 5:
                            await stack.enter_async_context(node(SimulatedCarrier(weather), "n2"))
                        if seen == 12:
                            await first.aclose()
            assert seen == SACKS
            assert run.status == "done"

    simulation.run(main(), seed=3)
    check(network, ledger)


def test_a_node_that_is_cut_off_is_given_up_and_its_work_goes_on_elsewhere(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        weather = Weather(4, delay=0.01)
        async with AsyncExitStack() as stack:
            for name in ("n1", "n2"):
                await stack.enter_async_context(node(SimulatedCarrier(weather), name))
            cluster = Cluster(lambda: SimulatedCarrier(weather), name="home")
            async with network.run(BEGIN, runtime=cluster, journal=MemoryJournal()) as run:
                seen = 0
                async for message in run:
                    if message.method == "grind":
                        seen += 1
                        if seen == 5:
                            weather.part(["n1"], ["n2", "home"])
                        if seen == 15:
                            weather.heal()
            assert run.status == "done"

    simulation.run(main(), seed=4)
    check(network, ledger)


def test_a_node_that_leaves_and_comes_again_under_its_name_gets_its_share(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        weather = Weather(5, delay=0.01)
        visits: list[str] = []

        def came(visit: Visit) -> None:
            visits.append(visit.home)

        async with node(SimulatedCarrier(weather), "n1"), AsyncExitStack() as stack:
            other = AsyncExitStack()
            await other.enter_async_context(node(SimulatedCarrier(weather), "n2", came=came))
            async with network.run(
                BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather), name="home"), journal=MemoryJournal()
            ) as run:
                seen = 0
                async for message in run:
                    if message.method == "grind":
                        seen += 1
                        if seen == 4:
                            await other.aclose()
                        if seen == 6:
                            await stack.enter_async_context(node(SimulatedCarrier(weather), "n2", came=came))
            assert run.status == "done"
        assert visits == ["home", "home"]

    simulation.run(main(), seed=5)
    check(network, ledger)


def test_where_all_nodes_leave_at_once_their_agents_wait_for_another(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    network = mill(str(ledger))

    async def main() -> None:
        weather = Weather(6, delay=0.01)
        async with AsyncExitStack() as stack:
            first, second = AsyncExitStack(), AsyncExitStack()
            await first.enter_async_context(node(SimulatedCarrier(weather), "n1"))
            await second.enter_async_context(node(SimulatedCarrier(weather), "n2"))
            async with network.run(
                BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather)), journal=MemoryJournal()
            ) as run:
                seen = 0
                async for message in run:
                    if message.method == "grind":
                        seen += 1
                        if seen == 5:
                            await asyncio.gather(first.aclose(), second.aclose())
                            await asyncio.sleep(3)
                            await stack.enter_async_context(node(SimulatedCarrier(weather), "n3"))
            assert run.status == "done"

    simulation.run(main(), seed=6)
    check(network, ledger)


def test_where_all_nodes_leave_and_none_comes_there_is_one_sentence(tmp_path: Path) -> None:
    network = mill(str(tmp_path / "ledger"))

    async def main() -> None:
        weather = Weather(7, delay=0.01)
        stack = AsyncExitStack()
        await stack.enter_async_context(node(SimulatedCarrier(weather), "n1"))
        async with network.run(
            BEGIN, runtime=Cluster(lambda: SimulatedCarrier(weather)), journal=MemoryJournal()
        ) as run:
            async for message in run:
                if message.method == "grain":
                    await stack.aclose()

    with pytest.raises(AgentFailed) as failed:
        simulation.run(main(), seed=7)
    cause: BaseException | None = failed.value
    while isinstance(cause, AgentFailed):
        cause = cause.__cause__
    assert "start one with `llm-net node`" in str(cause)


def test_a_run_waits_for_the_lease_of_a_home_that_is_gone_and_not_for_one_that_is_there() -> None:
    async def main() -> None:
        weather = Weather(8)
        async with node(SimulatedCarrier(weather), "n1"):
            holder = SimulatedCarrier(weather)
            await holder.join("before", lambda sender, data: None)
            network, journal = mill("nowhere"), MemoryJournal()
            async with network.run(None, journal=journal) as run:
                pass
            lease = await holder.lease(f"run.{run.id}", seconds=60)
            assert lease.holder == "before"
            place = Cluster(lambda: SimulatedCarrier(weather), name="after")
            with pytest.raises(PlaceUnavailable, match="the run is at home at 'before'"):
                async with network.resume(journal, run.id, runtime=place):
                    pass
            await holder.lease(f"run.{run.id}", seconds=5)
            await holder.aclose()
            async with network.resume(journal, run.id, runtime=place) as again:
                pass
            assert again.status == "done"

    simulation.run(main(), seed=8)
