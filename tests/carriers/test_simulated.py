"""Simulated carriers: they keep the promises of the port in any weather, part, heal and die."""

from __future__ import annotations

import asyncio

import pytest

from llm_net import simulation
from llm_net.carriers import SimulatedCarrier, Weather
from llm_net.errors import CarrierFailed
from llm_net.testing import check_carrier
from tests.carriers.world import now


@pytest.mark.parametrize(
    "weather",
    [
        {},
        {"delay": 0.05},
        {"lose": 0.3, "double": 0.2, "reorder": 0.3, "delay": 0.01},
        {"reorder": 0.5, "largest": 1_024},
    ],
    ids=str,
)
def test_it_keeps_the_promises_of_the_port(weather: dict[str, float]) -> None:
    async def main() -> None:
        shared = Weather(3, **weather)  # type: ignore[arg-type]
        await check_carrier(lambda node: SimulatedCarrier(shared), seconds=600)

    simulation.run(main())


async def joined(weather: Weather, *nodes: str) -> list[tuple[SimulatedCarrier, list[tuple[str, bytes]]]]:
    found = []
    for node in nodes:
        heard: list[tuple[str, bytes]] = []
        carrier = SimulatedCarrier(weather)
        await carrier.join(node, lambda sender, data, heard=heard: heard.append((sender, data)))  # type: ignore[misc]
        found.append((carrier, heard))
    return found


def test_a_partition_keeps_out_what_is_under_way_and_who_is_behind_it_is_gone_after_a_while() -> None:
    async def main() -> None:
        weather = Weather(delay=1.0)
        (anna, _), (bob, heard), (_, also) = await joined(weather, "anna", "bob", "carl")
        await anna.send("bob", b"x")
        await asyncio.sleep(0.5)
        weather.part(["anna", "carl"], ["bob"])
        began = now()
        await anna.send("carl", b"x")
        async for there in anna.watch():
            if there.keys() == {"anna", "carl"}:
                break
        assert now() - began == pytest.approx(3)
        assert heard == []
        assert also == [("anna", b"x")]
        weather.heal()
        await bob.send("anna", b"x")
        await anna.send("bob", b"y")
        async for there in anna.watch():
            assert there.keys() == {"anna", "bob", "carl"}
            break
        await asyncio.sleep(2)
        assert heard == [("anna", b"y")]

    simulation.run(main())


def test_behind_a_partition_there_are_no_leases_and_their_time_runs_out() -> None:
    async def main() -> None:
        weather = Weather()
        (anna, _), (bob, _) = await joined(weather, "anna", "bob")
        held = await bob.lease("run", seconds=5)
        weather.part(["anna"], ["bob"])
        with pytest.raises(CarrierFailed, match="cannot reach"):
            await bob.lease("run", seconds=5)
        assert (await anna.lease("run", seconds=5)).holder == "bob"
        await asyncio.sleep(5)
        assert (await anna.lease("run", seconds=5)).epoch == held.epoch + 1
        weather.heal()
        assert (await bob.lease("run", seconds=5)).holder == "anna"

    simulation.run(main())


def test_who_is_dead_is_silent_and_its_name_is_free_after_a_while() -> None:
    async def main() -> None:
        weather = Weather()
        (anna, heard), (bob, deaf) = await joined(weather, "anna", "bob")
        bob.kill()
        await bob.send("anna", b"from the dead")
        await anna.send("bob", b"to the dead")
        with pytest.raises(CarrierFailed, match="not joined"):
            await bob.lease("run", seconds=5)
        with pytest.raises(CarrierFailed, match="somebody else"):
            await joined(weather, "bob")
        await asyncio.sleep(3)
        assert heard == deaf == []
        ((_, heard),) = await joined(weather, "bob")
        await anna.send("bob", b"to the living")
        await asyncio.sleep(0)
        assert heard == [("anna", b"to the living")]

    simulation.run(main())


def test_too_many_under_way_make_the_sender_wait() -> None:
    async def main() -> None:
        (anna, _), (_, heard) = await joined(Weather(delay=1.0), "anna", "bob")
        for _ in range(1_000):
            await anna.send("bob", b"x")
        assert now() == 0
        await anna.send("bob", b"x")
        assert now() == 1
        assert heard

    simulation.run(main())
