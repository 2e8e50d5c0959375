"""Law 8: cancelling a run cancels all of it, and nothing is left: no task, no thread, no timer, no loop."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Mailbox, Message, blocking, every
from llm_net.errors import AgentFailed, LimitReached, RunCancelled
from llm_net.ports import Run
from llm_net.testing.probe import Probe, Recorder
from llm_net.testing.stage import Stage


class Sleeper(GenAgent):
    """Sleeps for ever, and notes how it was woken."""

    woken: str = ""

    async def arequest(self, message: Message) -> None:
        self.woken = "not yet"
        try:
            await asyncio.sleep(10**9)
        except asyncio.CancelledError:
            self.woken = "cancelled"
            raise

    async def acall_somebody(self, message: Message) -> None:
        try:
            await self.call(Message(receiver="sleeper"))
        except (RunCancelled, asyncio.CancelledError) as error:
            self.woken = type(error).__name__
            raise


def test_cancelling_ends_ten_thousand_waiting_handlers_and_leaves_nothing(stage: Stage) -> None:
    async def main() -> None:
        number = 10_000 if stage.name == "asyncio" else 500  # once is enough
        agents = [Sleeper(id=f"s{n}") for n in range(number)]
        threads = threading.active_count()
        async with stage.run(GenNetwork(agents=agents), limits=Limits(messages=None)) as run:
            for agent in agents:
                await run.send(Message(receiver=agent))
            while not all(agent.woken == "not yet" for agent in agents):
                await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) > number
            run.cancel()
        assert {agent.woken for agent in agents} == {"cancelled"}
        assert run.statistics().cancelled == number
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        assert threading.active_count() == threads

    stage.play(main())


def test_cancelling_wakes_those_who_wait_for_an_answer(world: Stage) -> None:
    async def main() -> None:
        agents = [caller := Sleeper(id="caller"), sleeper := Sleeper(id="sleeper")]
        async with world.run(GenNetwork(agents=agents), Message(method="call_somebody", receiver="caller")) as run:
            await asyncio.sleep(5)
            run.cancel()
        assert sleeper.woken == "cancelled"
        assert caller.woken in ("RunCancelled", "CancelledError")

    world.play(main())


def test_a_cancelled_run_is_no_error_to_whoever_cancelled_it(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Sleeper(id="s")]), Message(receiver="s")) as run:
            run.cancel()
            assert await run.wait() is None
        assert run.status == "cancelled"

    stage.play(main())


def test_observers_are_told_that_a_run_was_cancelled(stage: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="s")])
        for cancelled, ended in ((True, RunCancelled), (False, type(None))):
            recorder = Recorder()
            async with network.run(observers=[recorder]) as run:
                if cancelled:
                    run.cancel()
            assert [type(seen.error) for seen in recorder.observations if seen.kind == "ended"] == [ended]

    stage.play(main())


def test_cancelling_twice_or_after_the_end_changes_nothing(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Probe(id="p")]), Message(receiver="p")) as run:
            await run.wait()
            run.cancel()
            run.cancel()
        assert run.status == "done"
        run.cancel()
        assert run.status == "done"

    stage.play(main())


def test_nothing_can_be_sent_after_the_end(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Probe(id="p")])) as run:
            run.cancel()
            with pytest.raises(RunCancelled):
                await run.send(Message(receiver="p"))
        with pytest.raises(RunCancelled):
            await run.send(Message(receiver="p"))

    stage.play(main())


def test_a_handler_may_cancel_its_own_run(stage: Stage) -> None:
    runs: list[Run] = []

    class Rebel(GenAgent):
        after: bool = False

        async def arequest(self, message: Message) -> None:
            if message.body == "later":
                await asyncio.sleep(0)
            runs[-1].cancel()
            await asyncio.sleep(10**9)
            self.after = True

    async def main() -> None:
        for body in ("now", "later"):
            async with stage.run(GenNetwork(agents=[rebel := Rebel(id="rebel")])) as run:
                runs.append(run)
                await run.send(Message(receiver="rebel", body=body))
            assert run.status == "cancelled"
            assert not rebel.after

    stage.play(main())


def test_leaving_the_block_with_an_error_cancels_the_run(stage: Stage) -> None:
    async def main() -> None:
        with pytest.raises(KeyError):
            async with stage.run(GenNetwork(agents=[sleeper := Sleeper(id="s")]), Message(receiver="s")) as run:
                await asyncio.sleep(0)
                raise KeyError
        assert run.status == "cancelled"
        assert sleeper.woken in ("cancelled", "")

    stage.play(main())


def test_a_timeout_around_the_block_cancels_the_run(world: Stage) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with (
                asyncio.timeout(5),
                world.run(GenNetwork(agents=[sleeper := Sleeper(id="s")]), Message(receiver="s")) as run,
            ):
                await run.wait()
        assert run.status == "cancelled"
        assert sleeper.woken == "cancelled"
        assert asyncio.get_running_loop().time() == 5

    world.play(main())


def test_cancelling_the_task_that_waits_at_the_end_of_the_block_cancels_the_run(world: Stage) -> None:
    async def main() -> None:
        async def inner() -> None:
            async with world.run(GenNetwork(agents=[Sleeper(id="s")]), Message(receiver="s")):
                pass

        task = asyncio.create_task(inner())
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.play(main())


def test_closing_areceive_early_cancels_the_run(world: Stage) -> None:
    class Steady(GenAgent):
        woken: bool = False

        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            try:
                while True:
                    yield message.reply()
                    await asyncio.sleep(1)
            finally:
                self.woken = True

    async def main() -> None:
        network = GenNetwork(agents=[steady := Steady(id="s")])
        messages = network.areceive(Message(receiver="s"))
        async for _ in messages:
            if asyncio.get_running_loop().time() > 5:
                break
        await messages.aclose()
        assert steady.woken
        assert len(asyncio.all_tasks()) == 1

    world.play(main())


def test_a_cancelled_handler_may_still_clean_up_and_the_run_waits_for_it(world: Stage) -> None:
    class Tidy(GenAgent):
        tidied: bool = False

        async def arequest(self, message: Message) -> None:
            try:
                await asyncio.sleep(10**9)
            finally:
                await asyncio.sleep(3)
                self.tidied = True

    async def main() -> None:
        async with world.run(GenNetwork(agents=[tidy := Tidy(id="tidy")]), Message(receiver="tidy")) as run:
            await asyncio.sleep(1)
            run.cancel()
        assert tidy.tidied
        assert asyncio.get_running_loop().time() == 4

    world.play(main())


def test_what_a_handler_opened_is_closed_when_it_is_cancelled(world: Stage) -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def connection(name: str) -> AsyncIterator[None]:
        opened.append(name)
        try:
            yield
        finally:
            await asyncio.sleep(0)
            opened.remove(name)

    class Connected(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            async with connection(self.id):
                yield Message(receiver="sleeper")
                await asyncio.sleep(10**9)

        def plain(self, message: Message):  # type: ignore[no-untyped-def]
            opened.append(self.id)
            try:
                while True:
                    yield Message(receiver="sleeper")
            finally:
                opened.remove(self.id)

    class Slow(Sleeper):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=5)

    async def main() -> None:
        agents = [Connected(id="a"), Connected(id="b"), Slow(id="sleeper")]
        async with world.run(GenNetwork(agents=agents)) as run:
            await run.send(Message(receiver="a"))
            await run.send(Message(method="plain", receiver="b"))
            await asyncio.sleep(5)
            assert sorted(opened) == ["a", "b"]
            run.cancel()
        assert opened == []

    world.play(main())


def test_agents_that_were_started_are_stopped_however_the_run_ends(world: Stage) -> None:
    class Client(Sleeper):
        log: list[str] = []

        async def astart(self) -> None:
            self.log.append("start")

        async def astop(self) -> None:
            await asyncio.sleep(1)
            self.log.append("stop")

        def fail(self, message: Message) -> None:
            raise ValueError

        def fine(self, message: Message) -> None:
            pass

    async def main() -> None:
        for way in ("fine", "fail", "request"):
            client = Client(id="client", log=[])
            network = GenNetwork(agents=[client, idle := Client(id="idle", log=[])])
            try:
                async with world.run(network, Message(method=way, receiver="client")) as run:
                    await asyncio.sleep(1)
                    run.cancel()
            except AgentFailed:
                pass
            assert client.log == ["start", "stop"]
            assert idle.log == []

    world.play(main())


def test_no_thread_is_left_when_a_run_with_blocking_handlers_ends(stage: Stage) -> None:
    class Threaded(GenAgent):
        @blocking
        def think(self, message: Message) -> Message:
            return message.reply(body=threading.current_thread().name)

    async def main() -> None:
        before = set(threading.enumerate())
        async with stage.run(GenNetwork(agents=[Threaded(id=f"t{n}") for n in range(5)])) as run:
            for n in range(5):
                await run.send(Message(method="think", receiver=f"t{n}"))
        assert run.result is not None
        assert run.result.body.startswith("llm_net")
        assert set(threading.enumerate()) == before

    stage.play(main())


def test_a_cancelled_run_waits_for_the_threads_it_cannot_stop() -> None:
    stage = Stage("a loop whose time does not wait for threads", asyncio.new_event_loop)
    started, go_on = threading.Event(), threading.Event()

    class Threaded(GenAgent):
        finished: int = 0

        @blocking
        def think(self, message: Message) -> None:
            started.set()
            go_on.wait(10)
            self.finished += 1

    async def main() -> None:
        before = set(threading.enumerate())
        async with stage.run(
            GenNetwork(agents=[agent := Threaded(id="t")]), Message(method="think", receiver="t")
        ) as run:
            await asyncio.to_thread(started.wait, 10)
            run.cancel()
            assert agent.finished == 0
            go_on.set()
        assert agent.finished == 1
        assert run.statistics().cancelled == 1
        assert {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("llm_net")} == set()

    stage.play(main())


def test_two_handlers_of_one_agent_start_it_once_and_both_wait_for_it(world: Stage) -> None:
    class Client(GenAgent):
        concurrency: ClassVar[int] = 2
        starts: int = 0
        ready: bool = False

        async def astart(self) -> None:
            self.starts += 1
            await asyncio.sleep(1)
            self.ready = True

        def request(self, message: Message) -> None:
            assert self.ready

    async def main() -> None:
        async with world.run(GenNetwork(agents=[client := Client(id="client")])) as run:
            for _ in range(5):
                await run.send(Message(receiver="client"))
        assert client.starts == 1
        assert run.statistics().handled == 5

    world.play(main())


def test_an_agent_of_two_runs_is_started_once_and_stopped_with_the_last_of_them(world: Stage) -> None:
    class Client(GenAgent):
        log: list[str] = []

        async def astart(self) -> None:
            self.log.append("start")

        async def astop(self) -> None:
            self.log.append("stop")

        def request(self, message: Message) -> None:
            self.log.append(message.body)

    async def main() -> None:
        network = GenNetwork(agents=[client := Client(id="client")])
        async with world.run(network) as outer:
            async with world.run(network) as inner:
                await inner.send(Message(receiver="client", body="inner"))
            await outer.send(Message(receiver="client", body="outer"))
            await asyncio.sleep(1)
        assert client.log == ["start", "inner", "outer", "stop"]

    world.play(main())


def test_an_async_callback_that_was_cancelled_before_it_began_leaves_nothing(stage: Stage) -> None:
    class Speaker(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("said", message.reply())
            raise ValueError

    async def hear(event: object) -> None:
        await asyncio.sleep(1)

    async def main() -> None:
        speaker = Speaker(id="speaker")
        speaker.on("said", hear)
        with pytest.raises(AgentFailed):
            async with stage.run(GenNetwork(agents=[speaker]), Message(receiver="speaker")):
                pass

    stage.play(main())


def test_no_timer_is_left_when_a_run_ends(world: Stage) -> None:
    class Clock(GenAgent):
        @every(5.0)
        def tick(self, message: Message) -> None:
            pass

        async def arequest(self, message: Message) -> None:
            await self.call(Message(method="answer", receiver="other"), timeout=1_000)

        def answer(self, message: Message) -> Message:
            return message.reply()

    async def main() -> None:
        network = GenNetwork(agents=[Clock(id="clock"), Clock(id="other")])
        async with world.run(network, Message(receiver="clock")) as run:
            await run.wait()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(10_000)
        assert loop.time() == 10_000

    world.play(main())


def test_no_message_agent_or_loop_is_kept_after_a_run(stage: Stage) -> None:
    class Local(GenAgent):
        async def arequest(self, message: Message) -> Message:
            await asyncio.sleep(0)
            return message.reply(body="done")

    references: list[weakref.ref[object]] = []

    async def main() -> None:
        network = GenNetwork(agents=[agent := Local(id="local")])
        root = Message(receiver="local")
        async with stage.run(network, root) as run:
            await run.wait()
        references.extend(weakref.ref(thing) for thing in (network, agent, asyncio.get_running_loop()))

    stage.play(main())
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]


def test_a_run_that_could_not_start_leaves_nothing(stage: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Probe(id="p")])
        for _ in range(3):
            with pytest.raises(LimitReached):
                async with stage.run(network, Message(receiver="p"), limits=Limits(messages=0)):
                    raise AssertionError("not reached")
        async with stage.run(network, Message(receiver="p")) as run:
            await run.wait()
        assert run.status == "done"

    stage.play(main())


def test_a_run_is_entered_once(stage: Stage) -> None:
    async def main() -> None:
        run = GenNetwork(agents=[]).run()
        async with run:
            with pytest.raises(RuntimeError, match="entered once"):
                async with run:
                    pass

    stage.play(main())


def test_cancelling_one_run_leaves_another_of_the_same_network_alone(world: Stage) -> None:
    class Slow(Probe):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(1)
            self.messages.append(message)

    async def main() -> None:
        network = GenNetwork(agents=[slow := Slow(id="slow")])
        async with world.run(network) as first, world.run(network) as second:
            for n in range(10):
                await (first if n % 2 else second).send(Message(receiver="slow", body=str(n)))
            await asyncio.sleep(2.5)
            first.cancel()
        assert slow.bodies == ["0", "1", "2", "4", "6", "8"]
        assert (first.statistics().cancelled, second.statistics().cancelled) == (4, 0)

    world.play(main())
