"""Agents in worker processes keep every law of a run, and do what they do in the event loop of one process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from llm_net import GenAgent, GenNetwork, Limits, Message, Retry
from llm_net.errors import AgentFailed, LlmNetError, NodeLost, NotMovable
from llm_net.places import Processes
from llm_net.ports import Observation, Runtime
from llm_net.runtime.local import LocalRuntime
from llm_net.testing import check_runtime
from llm_net.testing.probe import check_sum
from tests.journal.crashes import states_of
from tests.journal.plays import PLAYS, Play, Player, World
from tests.runtime.test_programs import NAMES, Actor, Forgetful, Log, Narrow, Picky, Wide, names

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kept() -> Iterator[Processes]:
    """Two workers for all tests that do not look at how they come and go."""
    runtime = Processes(workers=2)
    asyncio.run(runtime.__aenter__())
    yield runtime
    asyncio.run(runtime.__aexit__(None, None, None))


@pytest.mark.parametrize("watched", [True, False])
def test_the_event_loop_keeps_the_laws(watched: bool) -> None:
    asyncio.run(check_runtime(LocalRuntime, watched=watched))


@pytest.mark.parametrize("watched", [True, False])
def test_worker_processes_keep_the_laws(kept: Processes, watched: bool) -> None:
    asyncio.run(check_runtime(lambda: kept, away=True, watched=watched))


# ---------------------------------------------------------------------------------------------- the same as in one process


class Said:
    """An observer of who says what to whom."""

    def __init__(self) -> None:
        self.pairs: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)

    def observe(self, observation: Observation) -> None:
        message = observation.message
        if observation.kind == "sent" and message is not None:
            sender = "" if message.sender is None else message.sender.id
            self.pairs[sender, observation.address].append((message.method, message.body))

    def counted(self) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
        return {pair: Counter(said) for pair, said in self.pairs.items()}


def moved(agent: GenAgent) -> GenAgent:
    """Have players make their own worlds, where they live."""
    for each in (agent, *(inner for _, inner in agent.walk())) if isinstance(agent, GenNetwork) else (agent,):
        if isinstance(each, Player):
            each.world = None
    return agent


async def played(play: Play, runtime: Runtime) -> tuple[str, Said, dict[str, Any]]:
    network, said = moved(play.build(World())), Said()
    run = network.run(limits=play.limits, runtime=runtime, observers=[said])

    async def answer(messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            if message.body in play.answers:
                await run.send(message.reply(body=play.answers[message.body], sender="boss"))

    answering: asyncio.Task[None] | None = None
    try:
        async with run:
            answering = asyncio.create_task(answer(aiter(run)))
            await asyncio.sleep(0)
            for message in play.messages():
                await run.send(message)
            while run.status == "running" and run.statistics().pending:
                await asyncio.sleep(0.01)
    except LlmNetError:
        pass
    if answering is not None:
        await asyncio.gather(answering, return_exceptions=True)
    check_sum(run.statistics())
    return run.status, said, states_of(network)


def test_every_play_is_the_same(kept: Processes) -> None:
    async def main() -> None:
        plays = {name: play for name, play in PLAYS.items() if not play.timed and play.status != "limited"}
        both = [(kept, play) for play in plays.values()] + [(LocalRuntime(), play) for play in plays.values()]
        ended = await asyncio.gather(*(played(play, runtime) for runtime, play in both))
        for name, far, near in zip(plays, ended, ended[len(plays) :], strict=False):
            assert far[0] == near[0], name
            assert far[1].counted() == near[1].counted(), name
            if near[0] != "failed":  # else it depends on how far others had come
                assert far[2].keys() == near[2].keys(), name

    asyncio.run(main())


class Mover(Actor):
    """An actor that can live anywhere: it keeps its own log, and time is short."""

    log: Any = Field(default=None, exclude=True, repr=False)
    seen: list[tuple[str, int]] = []

    async def astart(self) -> None:
        self.log = Log()

    async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
        try:
            async with aclosing(super().arequest(message)) as sends:
                async for sent in sends:
                    yield sent
        finally:
            self.seen = [(sender, n) for (sender, _), numbers in self.log.handled.items() for n in numbers]

    async def astop(self) -> None:
        assert not any(self.log.busy.values())

    async def ask(self, name: str, ttl: int) -> None:
        await self.call(self.to(name, ttl), timeout=0.05)


class NarrowMover(Mover, Narrow):
    pass


class PickyMover(Mover, Picky):
    pass


class ForgetfulMover(Mover, Forgetful):
    pass


class WideMover(Mover, Wide):
    async def astart(self) -> None:
        await Mover.astart(self)

    async def astop(self) -> None:
        await Mover.astop(self)


MOVERS = [Mover, NarrowMover, PickyMover, ForgetfulMover, WideMover]

times = st.sampled_from([0.0, 0.0, 0.001, 0.01])
quick = st.one_of(
    st.tuples(st.just("send"), names),
    st.tuples(st.just("reply")),
    st.tuples(st.just("forward"), names),
    st.tuples(st.just("emit"), st.sampled_from(["said", "sung"])),
)
any_act = st.one_of(
    quick,
    st.tuples(st.just("call"), names, st.sampled_from([None, None, 0.0, 0.01])),
    st.tuples(
        st.just("gather"), st.lists(names, max_size=4), st.sampled_from([None, 1, 2]), st.sampled_from([None, 0.01])
    ),
    st.tuples(st.just("both"), names, names),
    st.tuples(st.just("urgent"), names, times),
    st.tuples(st.just("sleep"), times),
    st.tuples(st.just("within"), times, names),
    st.tuples(st.just("fail")),
)
links = st.lists(st.tuples(names, st.sampled_from(["said", "sung", "*"]), names), max_size=4)
rules: list[Any] = ["skip", "skip", "restart", "stop", "escalate", Retry(times=2, delay=0.001, then="skip")]


def stage(
    acts: dict[str, list[Any]], kinds: dict[str, int], homes: dict[str, int], heard: list[Any], rule: Any
) -> GenNetwork:
    networks = [GenNetwork(id=f"n{level}", supervision=rule) for level in range(3)]
    networks[0].add(networks[1])
    networks[1].add(networks[2])
    for name in NAMES:
        networks[homes[name]].add(MOVERS[kinds[name]](id=name, acts=acts[name]))
    for source, event, listener in heard:
        networks[0].link(source, event, listener)
    return networks[0]


def each(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict.fromkeys(NAMES, values))


async def performed(
    network: GenNetwork, runtime: Runtime, roots: list[str], ttl: int, stop: float | None = None
) -> Any:
    said = Said()
    run = network.run(limits=Limits(messages=300, depth=50, seconds=20), runtime=runtime, observers=[said])
    try:
        async with run:
            for root in roots:
                await run.send(Message(receiver=root, metadata={"ttl": ttl}))
            if stop is not None:
                await asyncio.sleep(stop)
                run.cancel()
    except (LlmNetError, OSError):
        pass
    check_sum(run.statistics())
    return run, said


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    each(st.lists(any_act, min_size=1, max_size=5)), each(st.integers(0, 4)), each(st.integers(0, 2)), links,
    st.sampled_from(rules), st.lists(names, min_size=1, max_size=4), st.sampled_from([None, None, None, 0.0, 0.01]),
)  # fmt: skip
def test_whatever_agents_do_elsewhere_every_run_ends_and_pairs_keep_their_order(
    kept: Processes, acts: Any, kinds: Any, homes: Any, heard: Any, rule: Any, roots: list[str], stop: float | None
) -> None:
    network = stage(acts, kinds, homes, heard, rule)
    run, _ = asyncio.run(performed(network, kept, roots, 3, stop))
    assert run.status in ("done", "failed", "limited", "cancelled")
    assert "seconds" not in str(run._error), "it came to no end"
    for _, agent in network.walk():
        if isinstance(agent, Mover) and not isinstance(agent, Wide):
            numbers: defaultdict[str, list[int]] = defaultdict(list)
            for sender, n in agent.seen:
                if kinds[sender] != 4:
                    numbers[sender].append(n)
            for sender, came in numbers.items():
                in_order = list(dict.fromkeys(came))  # one that was tried again comes again
                assert rule == "restart" or in_order == sorted(in_order), (sender, agent.id)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    each(st.lists(quick, min_size=1, max_size=3)),
    each(st.integers(0, 2)),
    links,
    st.lists(names, min_size=1, max_size=3),
)
def test_the_same_program_says_the_same_elsewhere(
    kept: Processes, acts: Any, homes: Any, heard: Any, roots: list[str]
) -> None:
    async def main() -> None:
        kinds = dict.fromkeys(NAMES, 0)
        run, near = await performed(stage(acts, kinds, homes, heard, "skip"), LocalRuntime(), roots, 2)
        if run.status == "done":
            run, far = await performed(stage(acts, kinds, homes, heard, "skip"), kept, roots, 2)
            assert run.status == "done"
            assert far.counted() == near.counted()

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------- examples


EXAMPLES = [
    path for path in sorted((ROOT / "examples").glob("*.py")) if path.stem not in ("human_approval", "all_cores")
]
"""All but the one that keeps a journal of its own over two lives, and the one that says where it was."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_every_example_says_the_same(example: Path) -> None:
    told = subprocess.run(  # in a process of its own: there is one class of each name then
        [sys.executable, "-W", "ignore", "-m", "tests.places.example", str(example)],  # a busy machine holds the loop
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    near, far = (json.loads(line) for line in told.stderr.splitlines()[-2:])
    assert near
    assert far == near


# ---------------------------------------------------------------------------------------------- what is left, and what is lost


class Sleepy(GenAgent):
    """Does what it is told, and says in which process."""

    log: str = ""
    tries: int = 0

    async def arequest(self, message: Message) -> Message:
        if message.body == "sleep":
            await asyncio.sleep(10**6)
        if message.body == "fail":
            raise ValueError("as written")
        return message.reply(body=str(os.getpid()))

    def die_once(self, message: Message) -> Message:
        path = Path(message.body)
        if not path.exists():
            path.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return message.reply(body=str(os.getpid()))

    async def acall_somebody(self, message: Message) -> Message:
        try:
            reply = await self.call(Message(method="die_once", receiver="other", body=message.body))
        except AgentFailed as failed:
            return message.reply(body=f"{type(failed.__cause__).__name__} {failed.agent}")
        return reply

    def response(self, message: Message) -> Message:
        return message


def open_files() -> set[str]:
    return {f"{entry.name} {entry.readlink()}" for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def two(**settings: Any) -> GenNetwork:
    return GenNetwork(id="net", agents=[Sleepy(id="one"), Sleepy(id="other")], **settings)


@pytest.mark.parametrize("body", ["", "fail", "cancel"])
def test_nothing_is_left_of_a_run(body: str) -> None:
    async def main() -> None:
        before = open_files(), children(), threading.active_count()
        run = two().run(runtime=Processes(workers=2))
        try:
            async with run:
                await run.send(Message(receiver="one", body="sleep" if body == "cancel" else body))
                if body == "cancel":
                    await asyncio.sleep(0.05)
                    run.cancel()
        except AgentFailed:
            assert body == "fail"
        assert run.status == {"": "done", "fail": "failed", "cancel": "cancelled"}[body]
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        assert (open_files() - before[0], children() - before[1]) == (set(), set())
        assert threading.active_count() == before[2]

    asyncio.run(main())


def test_the_caller_is_told_that_the_node_is_lost(tmp_path: Path) -> None:
    network = two()
    mark = str(tmp_path / "died")
    result = network.result_of(Message(method="call_somebody", receiver="one", body=mark), runtime=Processes(workers=2))
    assert result.body == "NodeLost other"


def test_a_message_that_killed_its_worker_is_tried_again_elsewhere(tmp_path: Path) -> None:
    mark = tmp_path / "died"
    network = two(supervision=Retry(times=2, delay=0.001))
    result = network.result_of(Message(method="die_once", receiver="one", body=str(mark)), runtime=Processes(workers=2))
    assert int(result.body) not in (int(mark.read_text()), os.getpid())


def test_without_supervision_the_run_fails_with_what_became_of_the_worker(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed) as failed:
        two().result_of(
            Message(method="die_once", receiver="one", body=str(tmp_path / "died")), runtime=Processes(workers=2)
        )
    assert isinstance(failed.value.__cause__, NodeLost)
    assert "SIGKILL" in str(failed.value.__cause__)


def script(tmp_path: Path, text: str) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, str(path)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


AGENT = """
    import asyncio, os
    from llm_net import GenAgent, GenNetwork, Message
    from llm_net.places import Processes

    class Slow(GenAgent):
        async def arequest(self, message: Message) -> Message:
            self.emit("begun", Message(body=str(os.getpid())))
            await asyncio.sleep(float(message.body))
            return message.reply(body=str(os.getpid()))

    network = GenNetwork(agents=[Slow(id="slow")])
    network.on("begun", lambda event: print(event.message.body, flush=True))
"""


def test_a_script_moves_the_agents_that_it_defines(tmp_path: Path) -> None:
    process = script(tmp_path, AGENT + """
    if __name__ == "__main__":
        result = network.result_of(Message(receiver="slow", body="0"), runtime=Processes(workers=1))
        assert int(result.body) != os.getpid()
        print("good")
    """)  # fmt: skip
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out.split()[-1:]) == (0, ["good"]), error


def test_a_script_without_its_main_guard_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    process = script(tmp_path, AGENT + """
    print(network.result_of(Message(receiver="slow", body="0"), runtime=Processes(workers=1)))
    """)  # fmt: skip
    _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "PlaceUnavailable: " in error
    assert "`if __name__ == '__main__':`" in error


def test_ctrl_c_ends_the_workers_too(tmp_path: Path) -> None:
    process = script(tmp_path, AGENT + """
    if __name__ == "__main__":
        network.result_of(Message(receiver="slow", body="1000"), runtime=Processes(workers=1))
    """)  # fmt: skip
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    process = script(tmp_path, AGENT + """
    if __name__ == "__main__":
        network.result_of(Message(receiver="slow", body="1000"), runtime=Processes(workers=1))
    """)  # fmt: skip
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    handle = os.pidfd_open(worker)
    process.kill()
    process.communicate(timeout=20)

    async def ended() -> None:
        over = asyncio.Event()
        asyncio.get_running_loop().add_reader(handle, over.set)
        await asyncio.wait_for(over.wait(), 20)
        asyncio.get_running_loop().remove_reader(handle)

    asyncio.run(ended())
    os.close(handle)


# ---------------------------------------------------------------------------------------------- what cannot move


class Holding(GenAgent):
    """Holds what cannot be sent."""

    lock: Any = None

    def request(self, message: Message) -> Message:
        return message.reply(body=str(os.getpid()))


def test_an_agent_that_cannot_move_stays_at_home(kept: Processes) -> None:
    class Local(GenAgent):
        def request(self, message: Message) -> Message:
            return message.reply(body=str(os.getpid()))

    network = GenNetwork(agents=[Local(id="local"), Holding(id="holding", lock=threading.Lock())])
    for receiver in ("local", "holding"):
        assert network.result_of(Message(receiver=receiver), runtime=kept).body == str(os.getpid())


def test_an_agent_that_shall_move_and_cannot_is_an_error_with_the_reason() -> None:
    network = GenNetwork(agents=[Holding(id="holding", lock=threading.Lock()), Sleepy(id="one")])
    with pytest.raises(NotMovable, match=r"'lock' holds a lock.*astart"):
        network.result_of(Message(receiver="holding"), runtime=Processes(workers=1, agents=["holding"]))
    result = network.result_of(Message(receiver="one"), runtime=Processes(workers=1, agents=["one"]))
    assert int(result.body) != os.getpid()


def test_a_runtime_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        Processes(workers=0)
