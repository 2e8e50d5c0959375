"""The simulated world's time: it jumps, it is still while the outside works, and it knows when nothing can happen."""

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import simulation
from llm_net.errors import Stuck
from llm_net.message import unique_id
from llm_net.ports import World


def now() -> float:
    """The world's time."""
    return asyncio.get_running_loop().time()


def test_a_million_seconds_take_none() -> None:
    async def main() -> float:
        await asyncio.sleep(1e6)
        return now()

    began = time.monotonic()
    assert simulation.run(main()) == 1e6
    assert time.monotonic() - began < 5


def test_the_time_of_day_goes_with_it() -> None:
    async def main() -> datetime:
        await asyncio.sleep(3_600)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, World)
        return loop.now()

    start = datetime(2040, 2, 3, tzinfo=UTC)
    assert simulation.run(main(), start=start) == start + timedelta(hours=1)


def test_what_main_gives_and_raises_is_given_and_raised() -> None:
    async def fine() -> str:
        return "fine"

    async def wrong() -> None:
        raise KeyError("wrong")

    assert simulation.run(fine()) == "fine"
    with pytest.raises(KeyError, match="wrong"):
        simulation.run(wrong())


def test_timers_are_due_in_order_and_those_of_one_time_in_the_order_they_were_set() -> None:
    async def main() -> list[str]:
        loop, log = asyncio.get_running_loop(), list[str]()
        for delay, name in [(2, "c"), (1, "a"), (2, "d"), (1, "b"), (0, "0")]:
            loop.call_later(delay, log.append, name)
        await asyncio.sleep(3)
        return log

    assert simulation.run(main()) == ["0", "a", "b", "c", "d"]


def test_a_timer_that_is_cancelled_is_not_waited_for_even_when_it_was_due() -> None:
    async def main() -> tuple[list[str], float]:
        loop, log = asyncio.get_running_loop(), list[str]()
        loop.call_later(100, log.append, "late").cancel()
        second = loop.call_later(1, log.append, "second")
        loop.call_at(1, second.cancel)
        loop.call_at(0.5, lambda: loop.call_at(1, log.append, "third"))
        first = loop.call_at(1, log.append, "never")
        loop.call_at(0.9, first.cancel)
        await asyncio.sleep(2)
        return log, now()

    assert simulation.run(main()) == (["second", "third"], 2)


def test_timers_that_were_not_needed_do_not_pile_up() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        for _ in range(20_000):
            loop.call_later(1_000, print).cancel()
        return len(loop._inside._timers)  # type: ignore[attr-defined]  # nothing public tells

    assert simulation.run(main()) < 3_000


def test_a_timer_that_is_due_does_not_wait_for_others_to_be_idle() -> None:
    async def main() -> int:
        spins = 0
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0, done.set)
        while not done.is_set():
            spins += 1
            await asyncio.sleep(0)
        return spins

    assert simulation.run(main()) < 10


@given(st.lists(st.floats(min_value=0, max_value=1e9), max_size=30))
@settings(max_examples=50)
def test_sleepers_wake_in_order_of_their_times(times: list[float]) -> None:
    async def main() -> list[float]:
        woken: list[float] = []

        async def sleeper(seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append(now())

        await asyncio.gather(*(sleeper(seconds) for seconds in times))
        return woken

    assert simulation.run(main()) == sorted(times)


# ---------------------------------------------------------------------------------------------- nothing can happen


def test_waiting_for_what_cannot_happen_is_an_error_at_once_that_says_who_waits() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match=r"still wait: Task-\d+ at .*waits_for_ever:\d+; wait for what happens outside"):
        simulation.run(waits_for_ever())


def test_who_waits_when_nothing_can_happen_may_still_clean_up() -> None:
    log: list[str] = []

    async def waits_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(5)
            log.append("cleaned")

    with pytest.raises(Stuck):
        simulation.run(waits_for_ever())
    assert log == ["cleaned"]


# ---------------------------------------------------------------------------------------------- the outside


def test_time_stands_still_while_a_thread_works() -> None:
    async def main() -> tuple[str, float]:
        async with asyncio.timeout(1):
            words = await asyncio.to_thread(lambda: time.sleep(0.02) or "done")  # type: ignore[func-returns-value]
        return words, now()

    assert simulation.run(main()) == ("done", 0)


def test_threads_that_work_at_the_same_time_are_waited_for_together() -> None:
    barrier = threading.Barrier(3)

    async def main() -> float:
        await asyncio.gather(*(asyncio.to_thread(barrier.wait, 10) for _ in range(3)), asyncio.sleep(5))
        return now()

    assert simulation.run(main()) == 5


def test_what_is_outside_has_a_time_of_its_own_that_jumps_as_well() -> None:
    async def model() -> float:
        await asyncio.sleep(1e6)
        return now()

    async def main() -> tuple[list[float], float]:
        await asyncio.sleep(3)
        return await asyncio.gather(*(simulation.outside(model()) for _ in range(3))), now()

    assert simulation.run(main()) == (
        [1e6 + 3] * 3,
        3,
    )  # what passes in the world passes there too, but not the reverse


def test_a_timeout_outside_is_not_over_while_threads_work_for_somebody_there() -> None:
    async def model(pool: ThreadPoolExecutor) -> str:
        async with asyncio.timeout(60):
            return await asyncio.wrap_future(pool.submit(lambda: time.sleep(0.02) or "words"))  # type: ignore[func-returns-value]

    async def main() -> str:
        with ThreadPoolExecutor(1) as pool:  # of the model's own: the loop does not know it
            return await simulation.outside(model(pool))

    assert simulation.run(main()) == "words"


def test_errors_and_cancellation_pass_through_from_the_outside() -> None:
    async def fails() -> None:
        await asyncio.sleep(1)
        raise ConnectionError("gone")

    async def hangs() -> None:
        await asyncio.sleep(1_000)

    async def main() -> float:
        with pytest.raises(ConnectionError, match="gone"):
            await simulation.outside(fails())
        task = asyncio.create_task(simulation.outside(hangs()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return now()

    assert simulation.run(main()) == 0


def test_outside_within_outside_is_just_awaited() -> None:
    async def inner() -> str:
        await asyncio.sleep(1)
        return await asyncio.to_thread(lambda: "words")

    async def outer() -> str:
        return await simulation.outside(inner())

    async def main() -> str:
        return await simulation.outside(outer())

    assert simulation.run(main()) == "words"


def test_outside_of_a_world_it_is_just_awaited() -> None:
    async def inner() -> str:
        return "words"

    assert asyncio.run(simulation.outside(inner())) == "words"


def test_a_server_in_the_world_makes_its_time_pass_as_outside() -> None:
    async def main() -> float:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await asyncio.sleep(0.05)
            return time.monotonic() - began

    assert simulation.run(main()) >= 0.04


def test_a_connection_that_is_kept_outside_does_not_hold_up_the_world() -> None:
    near, far = socket.socketpair()
    with near, far:

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection(sock=near)
            kept.append(writer)
            far.sendall(b"words\n")
            return await reader.readline()

        kept: list[asyncio.StreamWriter] = []

        async def main() -> tuple[bytes, float]:
            words = await simulation.outside(ask())
            await asyncio.sleep(1e6)  # the connection is still watched
            kept[0].close()
            return words, now()

        assert simulation.run(main()) == (b"words\n", 1e6)


def test_a_child_process_can_be_waited_for() -> None:
    async def main() -> bytes:
        process = await asyncio.create_subprocess_exec("echo", "words", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return out

    assert simulation.run(main()) == b"words\n"


# ---------------------------------------------------------------------------------------------- ids


def test_ids_of_a_world_are_its_own_and_those_of_the_process_are_not_touched() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, World)
        return [loop.new_id() for _ in range(3)]

    assert simulation.run(main(), seed=10) == ["a-1", "a-2", "a-3"]
    assert len({unique_id() for _ in range(100)}) == 100


def test_a_world_leaves_nothing_open() -> None:
    async def main() -> None:
        await asyncio.to_thread(len, "words")

    before = set(os.listdir("/proc/self/fd")), set(threading.enumerate())
    simulation.run(main())
    assert (set(os.listdir("/proc/self/fd")), set(threading.enumerate())) == before
