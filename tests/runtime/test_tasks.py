"""What handlers may rely on of asyncio: one task from beginning to end, a context of their own, timeouts and groups."""

import asyncio
import contextvars
import gc
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Mailbox, Message, blocking, call
from llm_net.errors import AgentFailed, NotHandling, Unanswered
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Echo(GenAgent):
    pause: float = 0.0

    async def arequest(self, message: Message) -> Message:
        if self.pause >= 0:
            await asyncio.sleep(self.pause)
        return message.reply(body=message.body)


# ---------------------------------------------------------------------------------------------- the current task


class Watching(GenAgent):
    """Notes its task before and after each way of waiting."""

    tasks: list[Any] = []

    def note(self) -> None:
        self.tasks.append(asyncio.current_task())

    async def await_all(self) -> None:
        self.note()
        await asyncio.sleep(0)
        self.note()
        await self.call(Message(receiver="echo"))
        self.note()
        await self.gather([Message(receiver="echo"), Message(receiver="echo")])
        self.note()
        await asyncio.sleep(0.001)
        self.note()
        await self.send(Message(receiver="probe"))
        self.note()
        async with asyncio.timeout(10):
            self.note()
            await asyncio.sleep(0)
            self.note()
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        self.note()

    async def acoroutine(self, message: Message) -> None:
        await self.await_all()

    async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
        self.note()
        yield Message(receiver="probe")
        self.note()
        await self.await_all()
        yield Message(receiver="probe")
        self.note()

    def generator(self, message: Message):  # type: ignore[no-untyped-def]
        self.note()
        yield Message(receiver="probe")
        self.note()
        yield call(Message(receiver="echo"))
        self.note()
        yield [Message(receiver="probe")]
        self.note()


@pytest.mark.parametrize("way", ["coroutine", "flow", "generator"])
@pytest.mark.parametrize("pause", [-1.0, 0.0, 0.001], ids=["at once", "a turn", "a while"])
def test_a_handler_is_one_task_from_beginning_to_end(stage: Stage, way: str, pause: float) -> None:
    async def main() -> None:
        agents = [watching := Watching(id="w"), Echo(id="echo", pause=pause), Probe(id="probe")]
        async with stage.run(GenNetwork(agents=agents), Message(method=way, receiver="w")) as run:
            await run.wait()
        assert len(watching.tasks) > 3
        assert None not in watching.tasks
        assert len(set(watching.tasks)) == 1
        assert asyncio.current_task() not in watching.tasks

    stage.play(main())


def test_handlers_that_wait_at_the_same_time_have_tasks_of_their_own(stage: Stage) -> None:
    async def main() -> None:
        watching = [Watching(id=f"w{n}") for n in range(50)]
        network = GenNetwork(agents=[*watching, Echo(id="echo"), Probe(id="probe")])
        async with stage.run(network) as run:
            for agent in watching:
                await run.send(Message(method="coroutine", receiver=agent))
        tasks = [set(agent.tasks) for agent in watching]
        assert all(len(mine) == 1 for mine in tasks)
        assert len(set.union(*tasks)) == 50

    stage.play(main())


def test_a_called_handler_has_another_task_than_its_caller(stage: Stage) -> None:
    class Callee(Watching):
        async def arequest(self, message: Message) -> Message:
            self.note()
            return message.reply()

    class Caller(Watching):
        async def arequest(self, message: Message) -> None:
            self.note()
            await self.call(Message(receiver="callee"))
            self.note()

    async def main() -> None:
        network = GenNetwork(agents=[caller := Caller(id="caller"), callee := Callee(id="callee")])
        async with stage.run(network, Message(receiver="caller")) as run:
            await run.wait()
        assert len(set(caller.tasks)) == 1
        assert set(caller.tasks).isdisjoint(callee.tasks)

    stage.play(main())


def test_a_handler_that_cancels_its_task_is_the_only_one_that_is_cancelled(stage: Stage) -> None:
    class Odd(GenAgent):
        async def arequest(self, message: Message) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if message.body == "wait":
                await asyncio.sleep(0)

        def plain(self, message: Message) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    async def main() -> None:
        agents = [Odd(id="odd"), *(Echo(id=f"e{n}", pause=0.0) for n in range(5))]
        async with stage.run(GenNetwork(agents=agents, supervision="skip")) as run:
            for method, body in [("request", ""), ("plain", ""), ("request", "wait"), ("plain", "")]:
                await run.send(Message(method=method, receiver="odd", body=body))
                for n in range(5):
                    await run.send(Message(receiver=f"e{n}"))
        assert run.statistics().handled == 20 + 20 + 3
        assert run.statistics().dead == 1  # only the one that waited saw it

    stage.play(main())


def test_a_handler_that_cancels_its_task_and_ends_leaves_no_trap_for_the_next(stage: Stage) -> None:
    class Odd(GenAgent):
        def request(self, message: Message) -> Message:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return Message(receiver="waiting")

    class Waiting(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(0)

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Odd(id="odd"), Waiting(id="waiting")])) as run:
            for _ in range(5):
                await run.send(Message(receiver="odd"))
                await asyncio.sleep(0)
        assert run.statistics().handled == 10

    stage.play(main())


# ---------------------------------------------------------------------------------------------- timeouts, groups, locks


@pytest.mark.parametrize("way", ["sleep", "call", "gather", "event", "group", "room"])
def test_a_timeout_inside_a_handler_ends_what_it_is_around_and_nothing_else(world: Stage, way: str) -> None:
    class Hasty(GenAgent):
        timeouts: int = 0
        after: float = 0.0

        async def arequest(self, message: Message) -> Message:
            try:
                async with asyncio.timeout(2):
                    await self.wait_by(way)
            except TimeoutError:
                self.timeouts += 1
            await asyncio.sleep(1)
            self.after = asyncio.get_running_loop().time()
            return message.reply(body="in time")

        async def wait_by(self, way: str) -> None:
            match way:
                case "sleep":
                    await asyncio.sleep(100)
                case "call":
                    await self.call(Message(receiver="echo"))
                case "gather":
                    await self.gather([Message(receiver="echo"), Message(receiver="echo")])
                case "event":
                    await asyncio.Event().wait()
                case "group":
                    async with asyncio.TaskGroup() as group:
                        group.create_task(asyncio.sleep(100))
                        group.create_task(self.call(Message(receiver="echo")))  # type: ignore[arg-type]
                case "room":
                    for _ in range(10):
                        await self.send(Message(receiver="narrow"))

    class Narrow(Echo):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=2)

    async def main() -> None:
        agents = [hasty := Hasty(id="hasty"), Echo(id="echo", pause=50.0), Narrow(id="narrow", pause=50.0)]
        async with world.run(GenNetwork(agents=agents, supervision="skip"), Message(receiver="hasty")) as run:
            async for _ in run:
                pass
        assert (hasty.timeouts, hasty.after) == (1, 3)

    world.play(main())


def test_a_timeout_of_zero_is_over_at_the_first_wait(stage: Stage) -> None:
    class Hasty(GenAgent):
        timeouts: int = 0

        async def arequest(self, message: Message) -> None:
            try:
                async with asyncio.timeout(0):
                    await self.call(Message(receiver="echo"))
                    await asyncio.Event().wait()
            except TimeoutError:
                self.timeouts += 1

    async def main() -> None:
        network = GenNetwork(agents=[hasty := Hasty(id="hasty"), Echo(id="echo")])
        async with stage.run(network) as run:
            for _ in range(10):
                await run.send(Message(receiver="hasty"))
        assert hasty.timeouts == 10

    stage.play(main())


def test_a_timeout_that_was_not_needed_leaves_nothing_behind(world: Stage) -> None:
    class Careful(GenAgent):
        async def arequest(self, message: Message) -> Message:
            async with asyncio.timeout(1):
                return message.reply(body=message.body)

    async def main() -> None:
        network = GenNetwork(agents=[Careful(id="careful"), Echo(id="echo", pause=10.0)])
        async with world.run(network) as run:
            for _ in range(10):
                await run.send(Message(receiver="careful"))
                await run.send(Message(receiver="echo"))
        assert run.statistics().handled == 40

    world.play(main())


def test_three_callers_time_out_inside_themselves_at_once(world: Stage) -> None:
    class Hasty(GenAgent):
        wait: float
        log: list[str] = []

        async def arequest(self, message: Message) -> None:
            for _ in range(3):
                try:
                    async with asyncio.timeout(self.wait):
                        await self.call(Message(receiver="echo"))
                    self.log.append("answered")
                except TimeoutError:
                    self.log.append("over")

    class Wide(Echo):
        concurrency: ClassVar[int] = 100

    async def main() -> None:
        agents = [Hasty(id=f"h{n}", wait=n) for n in (1.0, 2.0, 3.0)]
        async with world.run(GenNetwork(agents=[*agents, Wide(id="echo", pause=2.5)], supervision="skip")) as run:
            for agent in agents:
                await run.send(Message(receiver=agent))
        assert [agent.log for agent in agents] == [["over"] * 3, ["over"] * 3, ["answered"] * 3]

    world.play(main())


def test_a_group_inside_a_handler_waits_for_all_and_brings_their_errors(world: Stage) -> None:
    class Grouping(GenAgent):
        results: list[str] = []

        async def arequest(self, message: Message) -> None:
            async def ask(name: str) -> None:
                self.results.append((await self.call(Message(receiver=name, body=name))).body)

            async with asyncio.TaskGroup() as group:
                for n in range(5):
                    group.create_task(ask(f"e{n}"))
            if message.body == "fail":
                async with asyncio.TaskGroup() as group:
                    group.create_task(ask("e0"))
                    group.create_task(ask("nobody"))

    async def main() -> None:
        echoes = [Echo(id=f"e{n}", pause=5.0 - n) for n in range(5)]
        network = GenNetwork(agents=[grouping := Grouping(id="g"), *echoes])
        async with world.run(network, Message(receiver="g")) as run:
            await run.wait()
        assert grouping.results == ["e4", "e3", "e2", "e1", "e0"]
        assert asyncio.get_running_loop().time() == 5
        with pytest.raises(AgentFailed) as failed:
            async with world.run(network, Message(receiver="g", body="fail")):
                pass
        assert isinstance(failed.value.__cause__, ExceptionGroup)

    world.play(main())


def test_locks_and_queues_of_asyncio_work_between_handlers(stage: Stage) -> None:
    class Guarded(GenAgent):
        concurrency: ClassVar[int] = 10
        inside: int = 0
        most: int = 0
        lock: Any = None

        async def astart(self) -> None:
            self.lock = asyncio.Semaphore(3)

        async def arequest(self, message: Message) -> None:
            async with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
                await asyncio.sleep(0)
                self.inside -= 1

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[guarded := Guarded(id="g")])) as run:
            for _ in range(30):
                await run.send(Message(receiver="g"))
        assert guarded.most == 3

    stage.play(main())


# ---------------------------------------------------------------------------------------------- anyio


def test_scopes_of_anyio_work_inside_handlers(world: Stage) -> None:
    anyio = pytest.importorskip("anyio")

    class Scoped(GenAgent):
        log: list[object] = []

        async def arequest(self, message: Message) -> None:
            with anyio.move_on_after(2) as scope:
                await self.call(Message(receiver="echo"))
            self.log.append(scope.cancelled_caught)
            with anyio.move_on_after(100) as scope:
                await self.call(Message(receiver="echo"))
            self.log.append(scope.cancelled_caught)
            try:
                with anyio.fail_after(1):
                    await anyio.sleep(10)
            except TimeoutError:
                self.log.append("over")
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 3)
                group.start_soon(anyio.sleep, 4)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anyio.sleep(1)
                self.log.append("not reached")
            await anyio.sleep(1)
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)
            self.log.append("end")

        async def aat_once(self, message: Message) -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
            with anyio.move_on_after(0):
                pass
            self.log.append("at once")

    async def main() -> None:
        network = GenNetwork(agents=[scoped := Scoped(id="s"), Echo(id="echo", pause=10.0)], supervision="skip")
        async with world.run(network) as run:
            for _ in range(3):
                await run.send(Message(method="at_once", receiver="s"))
            await run.send(Message(receiver="s"))
            await run.send(Message(method="at_once", receiver="s"))
        assert scoped.log == [*["at once"] * 3, True, False, "over", "end", "at once"]

    world.play(main())


def test_cancelling_a_run_passes_through_scopes_of_anyio(world: Stage) -> None:
    anyio = pytest.importorskip("anyio")

    class Scoped(GenAgent):
        log: list[str] = []

        async def arequest(self, message: Message) -> None:
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
                    await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(1)
                self.log.append("cleaned")
                raise

    async def main() -> None:
        async with world.run(GenNetwork(agents=[scoped := Scoped(id="s")]), Message(receiver="s")) as run:
            await asyncio.sleep(1)
            run.cancel()
        assert scoped.log == ["cleaned"]

    world.play(main())


# ---------------------------------------------------------------------------------------------- context


class Variables(Probe):
    """Sets the variable, in every colour, and notes what it found."""

    found: list[str] = []

    def meet(self, message: Message) -> None:
        self.found.append(VARIABLE.get())
        VARIABLE.set(f"{self.id} {message.body}")

    def plain(self, message: Message) -> None:
        self.meet(message)

    async def acoroutine(self, message: Message) -> None:
        self.meet(message)
        if message.body == "slow":
            await asyncio.sleep(0)
            assert VARIABLE.get() == f"{self.id} slow"

    def generator(self, message: Message):  # type: ignore[no-untyped-def]
        self.meet(message)
        yield
        assert VARIABLE.get() == f"{self.id} {message.body}"

    async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
        self.meet(message)
        yield Message(receiver="probe")
        assert VARIABLE.get() == f"{self.id} {message.body}"

    @blocking
    def thread(self, message: Message) -> None:
        self.meet(message)


@pytest.mark.parametrize("way", ["plain", "coroutine", "generator", "flow", "thread"])
@pytest.mark.parametrize("body", ["quick", "slow"])
def test_a_context_variable_that_a_handler_sets_is_seen_by_no_other(stage: Stage, way: str, body: str) -> None:
    async def main() -> None:
        VARIABLE.set("outside")
        agents = [Variables(id=name) for name in "ab"]
        async with stage.run(GenNetwork(agents=[*agents, Probe(id="probe")])) as run:
            for _ in range(4):
                for agent in agents:
                    await run.send(Message(method=way, receiver=agent, body=body))
        assert [agent.found for agent in agents] == [["outside"] * 4] * 2
        assert VARIABLE.get() == "outside"

    stage.play(main())


def test_a_called_handler_does_not_see_its_callers_variables(stage: Stage) -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> None:
            VARIABLE.set("caller")
            await self.call(Message(receiver="callee"))
            assert VARIABLE.get() == "caller"

    class Callee(GenAgent):
        found: str = ""

        async def arequest(self, message: Message) -> Message:
            self.found = VARIABLE.get()
            VARIABLE.set("callee")
            return message.reply()

    async def main() -> None:
        network = GenNetwork(agents=[Caller(id="caller"), callee := Callee(id="callee")])
        async with stage.run(network, Message(receiver="caller")) as run:
            await run.wait()
        assert callee.found == "unset"

    stage.play(main())


# ---------------------------------------------------------------------------------------------- what outlives a handler


@pytest.mark.parametrize("first", ["quick", "slow"])
def test_a_task_that_a_handler_leaves_behind_never_speaks_in_another_name(stage: Stage, first: str) -> None:
    tasks: list[asyncio.Task[None]] = []
    errors: list[BaseException] = []

    class Leaving(GenAgent):
        async def arequest(self, message: Message) -> None:
            async def later() -> None:
                for _ in range(3):
                    await asyncio.sleep(0)
                try:
                    await self.send(Message(receiver="probe", body=self.id))
                except NotHandling as error:
                    errors.append(error)

            tasks.append(asyncio.create_task(later()))
            if message.body == "slow":
                await asyncio.sleep(0)

    class Busy(GenAgent):
        async def arequest(self, message: Message) -> None:
            for _ in range(10):
                await asyncio.sleep(0)

    async def main() -> None:
        agents = [
            Leaving(id="a"),
            Leaving(id="b"),
            *(Busy(id=f"busy{n}") for n in range(5)),
            probe := Probe(id="probe"),
        ]
        async with stage.run(GenNetwork(agents=agents)) as run:
            await run.send(Message(receiver="a", body=first))
            await run.send(Message(receiver="b", body=first))
            for n in range(5):
                await run.send(Message(receiver=f"busy{n}"))
            while not all(task.done() for task in tasks) or len(tasks) < 2:
                await asyncio.sleep(0)
        assert len(errors) + len(probe.messages) == 2
        for message in probe.messages:
            assert message.sender is not None
            assert message.sender.id == message.body

    stage.play(main())


def test_what_a_handler_lets_be_called_later_never_speaks_in_another_name(world: Stage) -> None:
    errors: list[BaseException] = []

    class Leaving(GenAgent):
        def request(self, message: Message) -> None:
            asyncio.get_running_loop().call_later(5, self.say)

        def say(self) -> None:
            try:
                self.emit("said", Message(body=self.id))
            except NotHandling as error:
                errors.append(error)

    class Busy(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(10)

    async def main() -> None:
        agents = [Leaving(id="a"), Leaving(id="b"), Busy(id="busy"), probe := Probe(id="probe")]
        links = [(name, "said", "probe") for name in ("a", "b", "busy")]
        async with world.run(GenNetwork(agents=agents, links=links)) as run:
            for name in ("a", "b", "busy"):
                await run.send(Message(receiver=name))
        assert len(errors) + len(probe.messages) == 2
        for message in probe.messages:
            assert message.sender is not None
            assert message.sender.id == message.body

    world.play(main())


# ---------------------------------------------------------------------------------------------- other ways to write handlers


def logged(function: Any) -> Any:
    """A decorator as people write them: it looks at the agent before the handler runs."""

    @wraps(function)
    def wrapper(self: GenAgent, message: Message) -> Any:
        assert self.network.id == "office"
        VARIABLE.set(self.id)
        return function(self, message)

    return wrapper


@pytest.mark.parametrize("way", ["plain", "coroutine", "generator", "flow"])
def test_a_decorator_around_a_handler_is_part_of_the_handler(stage: Stage, way: str) -> None:
    class Decorated(GenAgent):
        @logged
        def plain(self, message: Message) -> Message:
            assert VARIABLE.get() == self.id
            return message.reply(body=self.id)

        @logged
        async def acoroutine(self, message: Message) -> Message:
            assert VARIABLE.get() == self.id
            return message.reply(body=self.id)

        @logged
        def generator(self, message: Message):  # type: ignore[no-untyped-def]
            assert VARIABLE.get() == self.id
            yield message.reply(body=self.id)

        @logged
        async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
            assert VARIABLE.get() == self.id
            yield message.reply(body=self.id)

    class Caller(GenAgent):
        async def arequest(self, message: Message) -> None:
            VARIABLE.set("caller")
            for name in "ab":
                assert (await self.call(Message(method=way, receiver=name))).body == name
            assert VARIABLE.get() == "caller"

    async def main() -> None:
        network = GenNetwork(id="office", agents=[Caller(id="caller"), Decorated(id="a"), Decorated(id="b")])
        async with stage.run(network, Message(receiver="caller")) as run:
            await run.wait()

    stage.play(main())


def test_a_plain_handler_may_return_something_to_await(stage: Stage) -> None:
    class Indirect(GenAgent):
        def request(self, message: Message) -> Any:
            return self.answer(message)

        async def answer(self, message: Message) -> Message:
            await asyncio.sleep(0)
            assert asyncio.current_task() is not None
            return message.reply(body="indeed")

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Indirect(id="i")]), Message(receiver="i")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "indeed"

    stage.play(main())


def test_an_async_context_manager_stays_open_across_yields(stage: Stage) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def connection() -> AsyncIterator[None]:
        task = asyncio.current_task()
        log.append("open")
        try:
            yield
        finally:
            assert asyncio.current_task() is task
            log.append("closed")

    class Streaming(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            async with connection(), asyncio.timeout(10):
                for n in range(3):
                    yield Message(receiver="probe", body=str(n))
                    await asyncio.sleep(0)
                    log.append("said")

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Streaming(id="s"), Probe(id="probe")]), Message(receiver="s")) as run:
            await run.wait()
        assert log == ["open", "said", "said", "said", "closed"]

    stage.play(main())


# ---------------------------------------------------------------------------------------------- threads, held loops


def test_a_blocking_handler_runs_in_a_thread_in_the_context_of_its_message(stage: Stage) -> None:
    class Threaded(GenAgent):
        name: str = ""

        @blocking
        def think(self, message: Message) -> Message:
            self.name = threading.current_thread().name
            assert self.network.id == "office"
            return message.reply(body="thought")

    async def main() -> None:
        network = GenNetwork(id="office", agents=[agent := Threaded(id="t")])
        async with stage.run(network, Message(method="think", receiver="t")) as run:
            result = await run.wait()
        assert result is not None
        assert result.sender is agent
        assert agent.name.startswith("llm_net")

    stage.play(main())


def test_the_error_of_a_blocking_handler_is_the_error_of_its_message(stage: Stage) -> None:
    class Threaded(GenAgent):
        @blocking
        def think(self, message: Message) -> None:
            raise ValueError("too hard")

    async def main() -> None:
        with pytest.raises(AgentFailed, match="ValueError: too hard"):
            async with stage.run(GenNetwork(agents=[Threaded(id="t")]), Message(method="think", receiver="t")):
                pass

    stage.play(main())


def test_others_go_on_while_a_handler_blocks_its_thread() -> None:
    blocked, go_on = threading.Event(), threading.Event()

    class Threaded(GenAgent):
        @blocking
        def think(self, message: Message) -> None:
            blocked.set()
            assert go_on.wait(10)

    class Releasing(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.to_thread(blocked.wait, 10)
            go_on.set()

    stage = Stage("a loop whose time does not wait for threads", asyncio.new_event_loop)

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Threaded(id="t"), Releasing(id="r")])) as run:
            await run.send(Message(method="think", receiver="t"))
            await run.send(Message(receiver="r"))
        assert run.statistics().handled == 2

    stage.play(main())


class Holding(GenAgent):
    async def arequest(self, message: Message) -> None:
        if message.body == "later":
            await asyncio.sleep(0)
        time.sleep(0.11)  # noqa: ASYNC251 - this is what is to be found out

    def plain(self, message: Message) -> None:
        time.sleep(0.11)


@pytest.mark.filterwarnings("always:.* held the event loop")
@pytest.mark.parametrize(("method", "body"), [("request", ""), ("request", "later"), ("plain", "")])
def test_a_handler_that_holds_the_loop_is_reported_once_by_name(method: str, body: str) -> None:
    stage = Stage("asyncio", asyncio.new_event_loop, watched=False)

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Holding(id="h")])) as run:
            for _ in range(3):
                await run.send(Message(method=method, receiver="h", body=body))

    with pytest.warns(
        RuntimeWarning, match=f"Holding 'h' held the event loop for 0.1. s while it handled '{method}'"
    ) as all:
        stage.play(main())
    assert len([each for each in all if "held" in str(each.message)]) == 1


@pytest.mark.filterwarnings("error:.* held the event loop")
def test_nobody_is_reported_for_the_time_of_the_collector() -> None:
    class Unlucky(GenAgent):
        took: float = 0.0

        def request(self, message: Message) -> None:
            began = time.perf_counter()
            while time.perf_counter() - began < 0.15:
                gc.collect()
            self.took = time.perf_counter() - began

    stage = Stage("asyncio", asyncio.new_event_loop, watched=False)
    ballast = [[n] for n in range(200_000)]  # enough for a collection to take some milliseconds

    async def main() -> None:
        network = GenNetwork(agents=[unlucky := Unlucky(id="u")])
        async with stage.run(network, Message(receiver="u")) as run:
            await run.wait()
        assert unlucky.took > 0.1

    stage.play(main())
    assert ballast


@pytest.mark.filterwarnings("error:.* held the event loop")
def test_a_warning_that_is_made_an_error_fails_the_run() -> None:
    stage = Stage("asyncio", asyncio.new_event_loop)

    async def main() -> None:
        with pytest.raises(RuntimeWarning, match="held the event loop"):
            async with stage.run(GenNetwork(agents=[Holding(id="h")]), Message(receiver="h")):
                pass

    stage.play(main())


@pytest.mark.filterwarnings("always:.* held the event loop")
def test_a_caller_is_not_reported_for_the_time_that_others_took() -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> None:
            with pytest.raises(Unanswered):
                await self.call(Message(receiver="h"))

    stage = Stage("asyncio", asyncio.new_event_loop)

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Caller(id="c"), Holding(id="h")]), Message(receiver="c")) as run:
            await run.wait()

    with pytest.warns(RuntimeWarning) as all:
        stage.play(main())
    assert [str(each.message).split()[0] for each in all] == ["Holding"]


def test_what_a_blocking_handler_emits_is_heard_in_order_when_it_is_done(stage: Stage) -> None:
    class Threaded(GenAgent):
        @blocking
        def think(self, message: Message) -> Message:
            for n in range(3):
                self.emit("thought", Message(body=str(n)))
            return Message(receiver="probe", body="done")

    async def main() -> None:
        network = GenNetwork(agents=[Threaded(id="t"), probe := Probe(id="probe")], links=[("t", "thought", "probe")])
        async with stage.run(network, Message(method="think", receiver="t")) as run:
            await run.wait()
        assert probe.bodies == ["0", "1", "2", "done"]
        assert all(message.sender is network["t"] for message in probe.messages)

    stage.play(main())
