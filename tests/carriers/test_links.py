"""Links in every weather: each frame once and in order, or broken at both ends. In a world where time jumps."""

from __future__ import annotations

import asyncio
from asyncio import create_task
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import simulation
from llm_net.carriers import Exchange, SimulatedCarrier, Weather
from llm_net.carriers.links import (
    ACK,
    BREAK,
    FRAMES,
    FROM_OPENER,
    HEADER,
    LAST,
    MORE,
    OPEN,
    VERSION,
    WELCOME,
    WINDOW_BYTES,
    WINDOW_FRAMES,
)
from llm_net.errors import CarrierFailed, NodeLost
from llm_net.ports import LARGEST_FRAME, Link
from tests.carriers.world import End, Side, lasts, now, sides, until


def storm(seed: int) -> Weather:
    return Weather(seed, lose=0.2, double=0.1, reorder=0.2, delay=0.01)


async def linked(one: Side, other: Side) -> tuple[End, End]:
    """Both ends of a new link."""
    count = len(other.ends)
    near = End(await one.exchange.open(other.exchange.node))
    await until(lambda: len(other.ends) > count)
    return near, other.ends[-1]


# ------------------------------------------------------------------------------------------------ what arrives


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    lose=st.floats(0, 0.4),
    double=st.floats(0, 0.5),
    reorder=st.floats(0, 0.5),
    delay=st.sampled_from([0.0, 0.001, 0.05, 0.4]),
    largest=st.sampled_from([64, 1_000, 65_536]),
    sizes=st.lists(st.one_of(st.integers(0, 200), st.integers(0, 5_000)), max_size=150),
)
def test_in_any_weather_each_frame_arrives_once_and_in_order(
    seed: int, lose: float, double: float, reorder: float, delay: float, largest: int, sizes: list[int]
) -> None:
    frames = [Random(n).randbytes(size) for n, size in enumerate(sizes)]

    async def main() -> None:
        weather = Weather(seed, lose=lose, double=double, reorder=reorder, delay=delay, largest=largest)
        async with sides(weather, "anna", "bob", silent=60) as [anna, bob]:
            near, far = await linked(anna, bob)
            for frame in frames:
                near.link.send(frame)
                far.link.send(frame[::-1])
            near.link.close()
            await until(lambda: bool(near.breaks and far.breaks))
        assert far.heard == frames
        assert near.breaks == far.breaks == [None]
        assert near.heard == [frame[::-1] for frame in frames][: len(near.heard)]

    simulation.run(main(), seed=seed)


def test_both_ends_speak_at_once() -> None:
    frames = [b"%d" % n for n in range(3_000)]

    async def main() -> None:
        async with sides(storm(1), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            for frame in frames:
                near.link.send(frame)
                far.link.send(frame)
            await until(lambda: len(near.heard) == len(far.heard) == 3_000)
            assert near.heard == far.heard == frames

    simulation.run(main())


def test_the_largest_frame_arrives_and_a_larger_one_is_refused() -> None:
    frame = Random(1).randbytes(LARGEST_FRAME)

    async def main() -> None:
        async with sides(Weather(2, lose=0.05, delay=0.01, largest=1 << 20), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            near.link.send(frame)
            near.link.send(b"after it")
            await until(lambda: len(far.heard) == 2)
            assert far.heard == [frame, b"after it"]
            with pytest.raises(ValueError, match="a link takes"):
                near.link.send(frame + b"x")

    simulation.run(main())


def test_frames_sent_together_travel_together() -> None:
    async def main() -> None:
        async with sides(Weather(delay=0.01), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            before = anna.exchange.statistics().packets_sent
            for n in range(200):
                near.link.send(b"%d" % n)
            await until(lambda: len(far.heard) == 200)
            assert anna.exchange.statistics().packets_sent == before + 1

    simulation.run(main())


def test_what_is_lost_is_sent_again_within_a_few_round_trips() -> None:
    async def main() -> float:
        weather = Weather(7, delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            for _ in range(10):  # so that the round trip is known
                near.link.send(b"x")
                await asyncio.sleep(0.1)
            weather.lose = 1.0
            near.link.send(b"lost")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            weather.lose = 0.0
            began = now()
            await until(lambda: far.heard[-1:] == [b"lost"])
            return now() - began

    assert simulation.run(main()) < 0.15


def test_who_begins_later_hears_what_came_before() -> None:
    links: list[Link] = []

    async def main() -> None:
        weather = Weather(delay=0.01)
        async with (
            Exchange(SimulatedCarrier(weather), "bob", accept=links.append, random=Random(1)),
            Exchange(SimulatedCarrier(weather), "anna", random=Random(2)) as anna,
        ):
            link = await anna.open("bob")
            link.send(b"early")
            await asyncio.sleep(30)
            end = End(links[0])
            assert end.heard == [b"early"]
            link.send(b"later")
            await until(lambda: end.heard == [b"early", b"later"])
            assert end.breaks == []

    simulation.run(main())


def test_the_same_seed_gives_the_same_weather() -> None:
    async def main() -> tuple[float, object]:
        async with sides(storm(5), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            for n in range(500):
                near.link.send(b"%d" % n)
                await asyncio.sleep(0.001)
            await until(lambda: len(far.heard) == 500)
            return now(), anna.exchange.statistics()

    assert simulation.run(main()) == simulation.run(main())


# ------------------------------------------------------------------------------------------------ too much


def test_a_full_window_makes_the_sender_wait_and_nothing_is_kept_beyond_it() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01)
        async with sides(weather, "anna", "bob", silent=1000) as [anna, bob]:
            near, _ = await linked(anna, bob)
            weather.lose = 1.0
            sent = 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(20):
                    while True:
                        await near.link.room()
                        near.link.send(b"x" * 100)
                        sent += 1
            assert WINDOW_FRAMES <= sent <= 2 * WINDOW_FRAMES
            weather.lose = 0.0
            assert await lasts(near.link.room()) < 2

    simulation.run(main())


def test_a_window_of_large_frames_is_a_window_of_bytes() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01, largest=1 << 20)
        async with sides(weather, "anna", "bob", silent=1000) as [anna, bob]:
            near, _ = await linked(anna, bob)
            weather.lose = 1.0
            sent = 0
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(20):
                    while True:
                        await near.link.room()
                        near.link.send(bytes(1_000_000))
                        sent += 1_000_000
            assert WINDOW_BYTES <= sent <= 2 * WINDOW_BYTES + 2_000_000

    simulation.run(main())


def test_who_does_not_begin_is_sent_a_windowful_at_most() -> None:
    links: list[Link] = []

    async def main() -> None:
        weather = Weather(delay=0.001)
        async with (
            Exchange(SimulatedCarrier(weather), "bob", accept=links.append, random=Random(1)),
            Exchange(SimulatedCarrier(weather), "anna", random=Random(2)) as anna,
        ):
            link = await anna.open("bob")
            for _ in range(5_000):
                link.send(b"x")
            await asyncio.sleep(60)
            assert anna.statistics().frames_sent <= WINDOW_FRAMES
            end = End(links[0])
            await until(lambda: len(end.heard) == 5_000)

    simulation.run(main())


def test_who_waits_for_room_goes_on_when_the_link_breaks() -> None:
    async def main() -> None:
        weather = Weather()
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, _ = await linked(anna, bob)
            bob.carrier.kill()
            for _ in range(5_000):
                near.link.send(b"x")
            assert 8 < await lasts(near.link.room()) < 12
            near.link.send(b"into the void")
            assert await lasts(near.link.room()) == 0

    simulation.run(main())


# ------------------------------------------------------------------------------------------------ ends


def test_a_closed_link_is_closed_for_both_after_what_waited_has_arrived() -> None:
    async def main() -> None:
        async with sides(storm(9), "anna", "bob") as [anna, bob]:
            for one, other in ((anna, bob), (bob, anna)):
                near, far = await linked(one, other)
                for n in range(2_500):
                    near.link.send(b"%d" % n)
                near.link.close()
                near.link.send(b"too late")
                await until(lambda: bool(near.breaks and far.breaks))  # noqa: B023 - called at once
                assert (near.breaks, far.breaks) == ([None], [None])
                assert far.heard == [b"%d" % n for n in range(2_500)]

    simulation.run(main())


@pytest.mark.parametrize("weather", [Weather(delay=0.01), storm(1), storm(2)], ids=["fine", "storm", "another"])
def test_a_link_closed_by_both_at_once_is_closed_and_then_there_is_silence(weather: Weather) -> None:
    async def main() -> None:
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            for end in (near, far):
                end.link.send(b"x")
                end.link.close()
            await until(lambda: bool(near.breaks and far.breaks))
            assert near.breaks == far.breaks == [None]
            await asyncio.sleep(5)
            before = anna.exchange.statistics(), bob.exchange.statistics()
            await asyncio.sleep(60)
            assert (anna.exchange.statistics(), bob.exchange.statistics()) == before

    simulation.run(main())


def test_silence_breaks_a_link_at_both_ends() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            await asyncio.sleep(100)
            assert near.breaks == far.breaks == []  # nothing to say is no silence
            weather.part(["anna"], ["bob"])
            began = now()
            near.link.send(b"x")
            await until(lambda: bool(near.breaks and far.breaks))
            assert 9 < now() - began < 12
            for end, node in ((near, "bob"), (far, "anna")):
                assert isinstance(end.breaks[0], NodeLost)
                assert end.breaks[0].node == node
                assert "silent for 10 s" in str(end.breaks[0])
            weather.heal()
            await asyncio.sleep(60)
            assert far.heard == []
            assert len(near.breaks) == len(far.breaks) == 1

    simulation.run(main())


def test_who_hears_but_is_not_heard_is_told() -> None:
    """A partition in one direction: the end that hears nothing breaks the link, and the other is told so."""

    class OneWay(Weather):
        def bring(self, sender: SimulatedCarrier, node: str, data: bytes) -> None:
            if sender.node != "anna" or not self.blocked:
                super().bring(sender, node, data)

        blocked = False

    async def main() -> None:
        weather = OneWay(delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            weather.blocked = True
            await until(lambda: bool(near.breaks and far.breaks), 12)
            assert "you were silent" in str(near.breaks[0])

    simulation.run(main())


def test_a_short_partition_heals_unseen() -> None:
    async def main() -> None:
        weather = Weather(3, delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            for n in range(50):
                near.link.send(b"%d" % n)
                if n % 20 == 10:
                    weather.part(["anna"], ["bob"])
                if n % 20 == 15:
                    weather.heal()
                await asyncio.sleep(1)
            weather.heal()
            await until(lambda: len(far.heard) == 50)
            assert far.heard == [b"%d" % n for n in range(50)]
            assert near.breaks == far.breaks == []

    simulation.run(main())


def test_a_node_that_was_given_up_and_comes_back_is_told_and_never_heard_again() -> None:
    """As one that was stopped, or behind a partition: it goes on speaking as if nothing had been."""

    async def main() -> None:
        weather = Weather(delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            far.link.send(b"before")
            await until(lambda: near.heard == [b"before"])
            bob.exchange.silent = 1000  # it does not see that time goes by
            weather.part(["anna"], ["bob"])
            far.link.send(b"from the past")
            await until(lambda: bool(near.breaks))
            again = create_task(anna.exchange.open("bob"))
            await asyncio.sleep(1)
            weather.heal()
            new = End(await again)
            far.link.send(b"from the past too")
            await until(lambda: bool(far.breaks), 3)
            assert isinstance(far.breaks[0], NodeLost)
            await until(lambda: len(bob.ends) == 2)
            bob.ends[1].link.send(b"after")
            await until(lambda: new.heard == [b"after"])
            assert near.heard == [b"before"]

    simulation.run(main())


def test_a_link_opened_again_breaks_the_one_before() -> None:
    async def main() -> None:
        async with sides(storm(4), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            near.link.send(b"x")
            newer, later = await linked(anna, bob)
            await until(lambda: bool(near.breaks and far.breaks))
            assert isinstance(near.breaks[0], NodeLost)
            assert isinstance(far.breaks[0], NodeLost)
            far.link.send(b"from the old one")
            later.link.send(b"from the new one")
            await until(lambda: newer.heard == [b"from the new one"])

    simulation.run(main())


def test_a_node_that_died_and_was_started_again_is_another_one() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01)
        async with sides(weather, "anna", "bob") as [anna, bob]:
            near, _ = await linked(anna, bob)
            bob.carrier.kill()
            await asyncio.sleep(3.5)  # its name is free
            async with sides(weather, "bob"):
                near.link.send(b"x")
                await until(lambda: bool(near.breaks), 2)  # it is told, before any silence
                assert "over" in str(near.breaks[0])

    simulation.run(main())


def test_both_may_open_a_link_to_each_other() -> None:
    async def main() -> None:
        async with sides(storm(5), "anna", "bob") as [anna, bob]:
            one, two = await asyncio.gather(anna.exchange.open("bob"), bob.exchange.open("anna"))
            ends = End(one), End(two)
            one.send(b"of anna")
            two.send(b"of bob")
            await until(lambda: bool(anna.ends and bob.ends and anna.ends[0].heard and bob.ends[0].heard))
            assert anna.ends[0].heard == [b"of bob"]
            assert bob.ends[0].heard == [b"of anna"]
            assert [end.breaks for end in ends] == [[], []]

    simulation.run(main())


def test_nobody_who_answers_is_told_in_time() -> None:
    async def main() -> None:
        async with sides(Weather(), "anna") as [anna]:
            began = now()
            with pytest.raises(NodeLost, match="did not answer for 10 s"):
                await anna.exchange.open("bob")
            assert now() - began == pytest.approx(10)

    simulation.run(main())


def test_who_takes_no_links_says_so_at_once() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01)
        async with (
            Exchange(SimulatedCarrier(weather), "bob", random=Random(1)),
            Exchange(SimulatedCarrier(weather), "anna", random=Random(2)) as anna,
        ):
            with pytest.raises(NodeLost, match="takes no links"):
                await anna.open("bob")
            assert now() < 1

    simulation.run(main())


def test_an_exchange_that_leaves_sends_what_waits_and_closes_its_links() -> None:
    async def main() -> None:
        weather = Weather(delay=0.01)
        async with sides(weather, "anna", "bob", "carl") as [anna, bob, carl]:
            near, far = await linked(anna, bob)
            stuck, _ = await linked(anna, carl)
            carl.carrier.kill()
            near.link.send(b"last words")
            assert await lasts(anna.exchange.aclose()) < 2
            await anna.exchange.aclose()
            assert far.heard == [b"last words"]
            assert near.breaks == far.breaks == stuck.breaks == [None]
            assert anna.carrier not in weather._carriers.values()

    simulation.run(main())


def test_what_a_hearer_raises_breaks_the_link_and_is_told() -> None:
    async def main() -> None:
        async with sides(Weather(), "anna", "bob") as [anna, bob]:
            link = await anna.exchange.open("bob")
            broken: list[BaseException | None] = []
            none: dict[bytes, None] = {}
            link.begin(none.__getitem__, broken.append)
            await until(lambda: bool(bob.ends))
            bob.ends[0].link.send(b"x")
            await until(lambda: bool(broken and bob.ends[0].breaks))
            assert isinstance(broken[0], KeyError)
            assert isinstance(bob.ends[0].breaks[0], NodeLost)

    simulation.run(main())


def test_a_carrier_that_cannot_join_is_told_and_closed() -> None:
    async def main() -> None:
        weather = Weather()
        async with sides(weather, "anna"):
            with pytest.raises(CarrierFailed, match="somebody else"):
                async with Exchange(SimulatedCarrier(weather), "anna"):
                    pass

    simulation.run(main())


def test_no_task_or_timer_is_left() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        async with sides(storm(8), "anna", "bob") as [anna, bob]:
            near, _ = await linked(anna, bob)
            near.link.send(b"x")
            await linked(bob, anna)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    simulation.run(main())


# ------------------------------------------------------------------------------------------------ what is no packet


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_whatever_bytes_come_nothing_is_raised_and_other_links_go_on(seed: int) -> None:
    random = Random(seed)

    def odd(real: bytes) -> bytes:
        """Bytes that are nearly a packet."""
        session = random.choice([real, random.randbytes(16), bytes(16)])
        numbers = [random.choice([0, 1, 2, 3, random.getrandbits(10), random.getrandbits(64)]) for _ in range(3)]
        kind = random.choice([OPEN, WELCOME, FRAMES, LAST, ACK, BREAK, random.getrandbits(7)])
        mark = random.choice([0, FROM_OPENER])
        data = HEADER.pack(VERSION, kind | mark, session[:8], session[8:], *numbers) + random.randbytes(
            random.randrange(40)
        )
        return random.choice([data, data, data[: random.randrange(len(data))], random.randbytes(50), b""])

    async def main() -> None:
        raised: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context))
        async with sides(Weather(delay=0.001), "anna", "bob", "eve") as [anna, bob, eve]:
            near, far = await linked(anna, bob)
            hers, _ = await linked(eve, bob)
            session = hers.link.session  # type: ignore[attr-defined]  # what she knows of her own
            for n in range(300):
                await eve.carrier.send("bob", odd(session))
                near.link.send(b"%d" % n)
                await asyncio.sleep(0.002)
            await until(lambda: len(far.heard) == 300)
            assert far.heard == [b"%d" % n for n in range(300)]
            assert near.breaks == []
        assert raised == []

    simulation.run(main(), seed=seed)


def test_nobody_can_break_or_use_the_link_of_others_even_knowing_its_session() -> None:
    async def main() -> None:
        async with sides(Weather(delay=0.001), "anna", "bob", "eve") as [anna, bob, eve]:
            near, far = await linked(anna, bob)
            session = near.link.session  # type: ignore[attr-defined]
            for n in range(1_000):
                kind = [FRAMES, LAST, BREAK, ACK][n % 4] | FROM_OPENER
                head = HEADER.pack(VERSION, kind, session[:8], session[8:], 1 + n // 4, 1, 0)
                await eve.carrier.send("bob", head + b"\0\0\0\6forged")
            near.link.send(b"true")
            await until(lambda: bool(far.heard))
            assert far.heard == [b"true"]
            assert near.breaks == far.breaks == []
            assert bob.exchange.statistics().stale == 1_000

    simulation.run(main())


def test_an_old_packet_brings_no_session_back() -> None:
    """Everything that was ever said is said again, later: nobody answers it with a link."""
    recorded: list[tuple[str, str, bytes]] = []

    class Recorder(Weather):
        def bring(self, sender: SimulatedCarrier, node: str, data: bytes) -> None:
            if not replaying:
                recorded.append((sender.node, node, data))
            super().bring(sender, node, data)

    replaying = False

    async def main() -> None:
        nonlocal replaying
        async with sides(Recorder(delay=0.01), "anna", "bob") as [anna, bob]:
            near, far = await linked(anna, bob)
            near.link.send(b"once")
            await until(lambda: far.heard == [b"once"])
            newer, later = await linked(anna, bob)
            replaying = True
            for sender, node, data in recorded:
                await (anna if sender == "anna" else bob).carrier.send(node, data)
            await asyncio.sleep(5)
            assert len(bob.ends) == 2
            assert far.heard == [b"once"]
            newer.link.send(b"on")
            await until(lambda: later.heard == [b"on"])
            assert newer.breaks == later.breaks == []

    simulation.run(main())


def test_a_frame_that_claims_to_be_too_large_breaks_the_link() -> None:
    async def main() -> None:
        async with sides(Weather(delay=0.001), "anna", "eve") as [anna, eve]:
            near, far = await linked(eve, anna)
            session = near.link.session  # type: ignore[attr-defined]
            await until(lambda: eve.exchange.statistics().packets_heard >= 2)
            for n in range(400):  # pieces without an end
                piece = (50_000 | MORE).to_bytes(4) + bytes(50_000)
                head = HEADER.pack(VERSION, FRAMES | FROM_OPENER, session[:8], session[8:], 1 + n, 0, 0)
                await eve.carrier.send("anna", head + piece)
                await asyncio.sleep(0.002)
            await until(lambda: bool(far.breaks))
            assert "no frame" in str(far.breaks[0])
            assert far.heard == []

    simulation.run(main())
