"""The two doors of a run: `areceive` for async code, `receive` for any other, also in a notebook, in threads, and under Ctrl-C."""

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from contextvars import ContextVar
from pathlib import Path

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.errors import AgentFailed, AlreadyRunning, LimitReached, NoResult
from llm_net.testing.probe import Probe, Recorder

ROOT = Path(__file__).parents[2]

VARIABLE: ContextVar[str] = ContextVar("variable", default="unset")


class Counter(GenAgent):
    """Counts to a number, and notes when it is done."""

    done: bool = False
    seen: str = ""

    async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
        self.seen = VARIABLE.get()
        try:
            for n in range(int(message.body)):
                await asyncio.sleep(0)
                yield message.reply(body=str(n))
        finally:
            self.done = True


def counting() -> tuple[GenNetwork, Counter]:
    return GenNetwork(id="office", agents=[counter := Counter(id="counter")]), counter


def to(number: int) -> Message:
    return Message(receiver="counter", body=str(number))


# ---------------------------------------------------------------------------------------------- areceive


def test_areceive_gives_each_message_as_it_is_sent() -> None:
    async def main() -> list[str]:
        return [message.body async for message in counting()[0].areceive(to(5))]

    assert asyncio.run(main()) == list("01234")


def test_areceive_gives_what_agents_send_each_other_and_what_is_heard() -> None:
    class Speaker(GenAgent):
        def request(self, message: Message) -> Message:
            self.emit("said", Message(body="heard"))
            self.emit("unheard", Message(body="unheard"))
            return Message(receiver="probe", body="sent")

    async def main() -> list[str]:
        network = GenNetwork(agents=[Speaker(id="s"), Probe(id="probe")], links=[("s", "said", "probe")])
        return [message.body async for message in network.areceive(Message(receiver="s"))]

    assert asyncio.run(main()) == ["heard", "sent"]


def test_areceive_passes_limits_and_observers_on() -> None:
    async def main() -> None:
        recorder = Recorder()
        with pytest.raises(LimitReached):
            async for _ in counting()[0].areceive(to(100), limits=Limits(messages=10), observers=[recorder]):
                pass
        assert recorder.kinds()["sent"] == 10

    asyncio.run(main())


def test_areceive_that_is_let_go_cancels_its_run() -> None:
    async def main() -> None:
        network, counter = counting()
        async for _ in network.areceive(to(10**9)):
            break
        for _ in range(10):
            await asyncio.sleep(0)
        assert counter.done
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- result_of


def test_result_of_gives_the_last_message_to_the_outside_when_nothing_is_pending() -> None:
    network, counter = counting()

    assert network.result_of(to(5)).body == "4"
    assert counter.done
    assert asyncio.run(network.aresult_of(to(3))).body == "2"


def test_result_of_works_where_a_loop_is_running() -> None:
    async def cell() -> str:
        return counting()[0].result_of(to(2)).body

    assert asyncio.run(cell()) == "1"


def test_result_of_a_run_that_says_nothing_to_the_outside_says_how_to_mend_it() -> None:
    network, _ = counting()
    sentence = "the run of 'request' in 'office' ended without a message to the outside; return `message.reply"

    with pytest.raises(NoResult, match=re.escape(sentence)):
        network.result_of(to(0))
    with pytest.raises(NoResult, match=re.escape(sentence)):
        asyncio.run(network.aresult_of(to(0)))


def test_result_of_raises_what_ended_the_run() -> None:
    recorder = Recorder()

    with pytest.raises(LimitReached):
        counting()[0].result_of(to(100), limits=Limits(messages=10), observers=[recorder])
    assert recorder.kinds()["sent"] == 10
    with pytest.raises(AgentFailed):
        asyncio.run(counting()[0].aresult_of(Message(receiver="counter", body="many")))


# ---------------------------------------------------------------------------------------------- receive


def test_receive_in_a_script_gives_the_same() -> None:
    network, counter = counting()
    assert [message.body for message in network.receive(to(5))] == list("01234")
    assert counter.done


def test_nothing_runs_before_the_first_message_is_asked_for_or_between_two() -> None:
    network, counter = counting()
    messages = network.receive(to(500))
    assert counter.seen == ""
    next(messages)
    assert not counter.done
    assert len(list(messages)) == 499


def test_receive_raises_what_ended_the_run() -> None:
    class Wrong(GenAgent):
        def request(self, message: Message):  # type: ignore[no-untyped-def]
            yield message.reply(body="one")
            raise ValueError("wrong")

    messages = GenNetwork(agents=[Wrong(id="w")]).receive(Message(receiver="w"))
    heard: list[str] = []
    with pytest.raises(AgentFailed, match="ValueError: wrong"):
        heard.extend(message.body for message in messages)


def test_receive_that_is_left_early_cancels_its_run() -> None:
    network, counter = counting()
    for _ in network.receive(to(10**9)):
        break
    gc.collect()
    assert counter.done


def test_receive_may_be_used_inside_what_it_gives() -> None:
    outer, inner = counting()[0], counting()[0]
    heard = [(one.body, two.body) for one in outer.receive(to(2)) for two in inner.receive(to(2))]
    assert heard == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]


def test_async_code_may_run_while_a_script_looks_at_a_message() -> None:
    for message in counting()[0].receive(to(2)):
        assert asyncio.run(asyncio.sleep(0, message.body)) == message.body


def test_a_hundred_receives_leave_no_thread_no_loop_and_no_file() -> None:
    network, _ = counting()
    list(network.receive(to(1)))
    gc.collect()

    def left() -> tuple[int, int, int]:
        gc.collect()
        loops = sum(isinstance(thing, asyncio.AbstractEventLoop) for thing in gc.get_objects())
        return threading.active_count(), len(os.listdir("/proc/self/fd")), loops

    before = left()
    for _ in range(100):
        list(network.receive(to(3)))
    assert left() == before


# ---------------------------------------------------------------------------------------------- inside a running loop


def test_receive_works_inside_a_running_loop_as_in_a_notebook() -> None:
    async def cell() -> list[str]:
        VARIABLE.set("notebook")
        network, counter = counting()
        heard = [message.body for message in network.receive(to(5))]
        assert counter.seen == "notebook"
        return heard

    before = threading.active_count()
    assert asyncio.run(cell()) == list("01234")
    assert threading.active_count() == before


def test_in_a_notebook_errors_are_raised_and_an_early_end_leaves_nothing() -> None:
    async def cell() -> None:
        network, counter = counting()
        with pytest.raises(AgentFailed, match="ValueError"):
            list(network.receive(Message(receiver="counter", body="not a number")))
        messages = network.receive(to(10**9))
        assert next(messages).body == "0"
        messages.close()  # type: ignore[attr-defined]  # an iterator of ours has it
        assert counter.done

    before = threading.active_count()
    asyncio.run(cell())
    assert threading.active_count() == before


def test_a_slow_reader_in_a_notebook_is_not_run_ahead_of() -> None:
    class Eager(GenAgent):
        said: int = 0

        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            for _ in range(5_000):
                self.said += 1
                yield message.reply()

    async def cell() -> None:
        agent = Eager(id="e")
        for read, _ in enumerate(GenNetwork(agents=[agent]).receive(Message(receiver="e"))):
            assert agent.said - read < 1_100

    asyncio.run(cell())


# ---------------------------------------------------------------------------------------------- one network, two loops


def test_two_threads_cannot_run_one_network_at_once() -> None:
    network, _ = counting()
    messages = network.receive(to(3))
    next(messages)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            list(network.receive(to(1)))
        except AlreadyRunning as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(list(messages)) == 2
    assert [str(error) for error in errors] == [
        "network 'office' is running in another event loop; wait for that run, or build a second network"
    ]
    assert len(list(network.receive(to(1)))) == 1


def test_a_plain_handler_cannot_run_its_own_network_again() -> None:
    class Impatient(GenAgent):
        def request(self, message: Message) -> None:
            list(self.network.receive(Message(receiver="counter", body="1")))

    network = GenNetwork(agents=[Impatient(id="i"), Counter(id="counter")])
    with pytest.raises(AgentFailed, match="AlreadyRunning"):
        list(network.receive(Message(receiver="i")))


def test_two_networks_run_in_two_threads_at_once() -> None:
    results: list[int] = []
    both = threading.Barrier(2)

    def work() -> None:
        network, _ = counting()
        messages = network.receive(to(50))
        next(messages)
        both.wait(10)
        results.append(len(list(messages)))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [49, 49]


def test_a_loop_that_was_closed_over_a_run_does_not_lock_the_network() -> None:
    network, _ = counting()

    async def begin() -> None:
        run = network.run()
        await run.__aenter__()
        kept.append(run)

    kept: list[object] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    assert len(list(network.receive(to(2)))) == 2


def test_a_run_inside_a_handler_is_a_run_of_its_own() -> None:
    class Nesting(GenAgent):
        async def arequest(self, message: Message) -> Message:
            network, _ = counting()
            VARIABLE.set("inside")
            bodies = [each.body async for each in network.areceive(to(3))]
            assert self.network.id == "outer"
            return message.reply(body="".join(bodies))

    outer = GenNetwork(id="outer", agents=[Nesting(id="n")])
    assert [message.body for message in outer.receive(Message(receiver="n"))] == ["012"]


def test_a_run_inside_a_handler_is_cancelled_with_it() -> None:
    inner, counter = counting()

    class Nesting(GenAgent):
        async def arequest(self, message: Message) -> None:
            async for _ in inner.areceive(to(10**9)):
                await asyncio.sleep(0)

    async def main() -> None:
        async with GenNetwork(agents=[Nesting(id="n")]).run(Message(receiver="n")) as run:
            for _ in range(20):
                await asyncio.sleep(0)
            run.cancel()
        while not counter.done:  # the generator was only let go, so it is closed in its own time
            await asyncio.sleep(0)

    asyncio.run(main())


def test_what_runs_when_the_loop_ends_is_cancelled_and_closed_by_asyncio_run() -> None:
    class Client(GenAgent):
        log: list[str] = []

        async def astart(self) -> None:
            self.log.append("start")

        async def astop(self) -> None:
            self.log.append("stop")

        async def arequest(self, message: Message) -> None:
            try:
                await asyncio.sleep(10**6)
            finally:
                self.log.append("closed")

    client = Client(id="client")

    async def beside() -> None:
        async with GenNetwork(agents=[client]).run(Message(receiver="client")):
            pass

    async def main() -> None:
        tasks.append(asyncio.create_task(beside()))
        for _ in range(5):
            await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    asyncio.run(main())
    assert client.log == ["start", "closed", "stop"]


# ---------------------------------------------------------------------------------------------- Ctrl-C

PROGRAM = """
    import asyncio, gc, os, signal, sys, threading
    from llm_net import GenAgent, GenNetwork, Message, blocking

    class Worker(GenAgent):
        async def astart(self): print("start", flush=True)
        async def astop(self): print("stop", flush=True)

        async def arequest(self, message: Message):
            try:
                yield message.reply(body="one")
                {interrupt_here}
                await asyncio.sleep(1000)
            finally:
                print("closed", flush=True)

    network = GenNetwork(agents=[Worker(id="w")])

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    def main():
        try:
            for message in network.receive(Message(receiver="w")):
                print(message.body, flush=True)
                {interrupt_there}
        except KeyboardInterrupt:
            print("interrupted", flush=True)

    {start}
    gc.collect()
    print(threading.active_count(), [t for t in gc.get_objects() if isinstance(t, asyncio.Task)], flush=True)
    print([message.body for message in GenNetwork(agents=[]).receive(Message(method="x"))] if False else "again", flush=True)
"""


@pytest.mark.parametrize("where", ["in the loop", "between two messages", "in a handler", "in a notebook"])
def test_ctrl_c_ends_the_run_and_leaves_nothing(where: str) -> None:
    soon = "asyncio.get_running_loop().call_later(0.05, interrupt)"
    here = {"in the loop": soon, "in a handler": "interrupt()", "in a notebook": "pass"}.get(where, "pass")
    there = {"between two messages": "interrupt()", "in a notebook": "threading.Timer(0.05, interrupt).start()"}.get(
        where, "pass"
    )
    start = "main()"
    if where == "in a notebook":
        start = "loop = asyncio.new_event_loop(); loop.call_soon(main); loop.call_soon(loop.stop); loop.run_forever(); loop.close()"
    program = textwrap.dedent(PROGRAM).format(interrupt_here=here, interrupt_there=there, start=start)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell may ignore it
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line != "one"]  # it may be interrupted before that is read
    assert lines == ["start", "closed", "stop", "interrupted", "1 []", "again"]


def test_no_agent_is_kept_alive_by_having_been_received_from() -> None:
    agent = Counter(id="c")
    list(agent.receive(to(3)))
    reference = weakref.ref(agent)
    del agent
    gc.collect()
    assert reference() is None
