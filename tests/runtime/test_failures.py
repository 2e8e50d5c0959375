"""Law 6: an error goes to one place: the caller, else the networks around, from the inside out."""

import asyncio
from functools import cached_property
from typing import Any

import pytest
from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message, Retry
from llm_net.errors import AgentFailed, CallTimeout, NotUnderstood
from llm_net.supervision import Directive, Failure
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage


class Faulty(GenAgent):
    """Fails the first `times` times, with what it was told; remembers what it did."""

    times: int = 1
    done: list[str] = Field(default_factory=list)
    transient: bool = False

    def request(self, message: Message) -> Message:
        self.done.append(message.body)
        if len(self.done) <= self.times:
            if self.transient:
                raise CallTimeout("somebody", "something", 1.0)
            raise ValueError(f"{message.body} is wrong")
        return message.reply(body=f"did {message.body}")


def supervised(by: Directive, *agents: GenAgent) -> GenNetwork:
    return GenNetwork(id="office", agents=agents, supervision=by)


# ---------------------------------------------------------------------------------------------- by default


@pytest.mark.parametrize("colour", ["plain", "generator", "coroutine", "flow"])
def test_an_error_names_the_agent_the_message_and_the_cause(stage: Stage, colour: str) -> None:
    class Wrong(GenAgent):
        def plain(self, message: Message) -> None:
            raise KeyError("missing")

        def generator(self, message: Message):  # type: ignore[no-untyped-def]
            yield
            raise KeyError("missing")

        async def acoroutine(self, message: Message) -> None:
            await asyncio.sleep(0)
            raise KeyError("missing")

        async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
            yield
            raise KeyError("missing")

    async def main() -> None:
        network = GenNetwork(agents=[GenNetwork(id="inner", agents=[Wrong(id="wrong")])])
        root = Message(method=colour, receiver="wrong")
        with pytest.raises(AgentFailed) as failed:
            async with stage.run(network, root) as run:
                await run.wait()
        error = failed.value
        assert (error.agent, error.method, error.message_id) == ("inner/wrong", colour, root.id)
        assert error.reason == "KeyError: 'missing'"
        assert isinstance(error.__cause__, KeyError)
        assert run.status == "failed"

    stage.play(main())


def test_the_error_of_a_run_is_raised_to_whoever_iterates(stage: Stage) -> None:
    async def main() -> None:
        with pytest.raises(AgentFailed, match="x is wrong"):
            async for _ in GenNetwork(agents=[Faulty(id="faulty")]).areceive(Message(receiver="faulty", body="x")):
                pass

    stage.play(main())


def test_the_error_of_a_run_is_raised_when_its_block_is_left_if_nobody_was_told(stage: Stage) -> None:
    async def main() -> None:
        with pytest.raises(AgentFailed):
            async with stage.run(supervised("escalate", Faulty(id="faulty")), Message(receiver="faulty")):
                pass
        async with stage.run(supervised("escalate", Faulty(id="faulty")), Message(receiver="faulty")) as run:
            with pytest.raises(AgentFailed):
                await run.wait()

    stage.play(main())


def test_the_caller_hears_of_the_error_and_supervision_does_not(stage: Stage) -> None:
    class Caller(GenAgent):
        async def arequest(self, message: Message) -> Message:
            with pytest.raises(AgentFailed, match="'faulty' failed at 'request'.*ValueError: x is wrong"):
                await self.call(Message(receiver="faulty", body="x"))
            return message.reply(body="so be it")

    class Watched(GenNetwork):
        failures: list[str] = []

        def supervise(self, failure: Failure) -> Directive:
            self.failures.append(failure.address)
            return "stop"

    async def main() -> None:
        network = Watched(agents=[Caller(id="caller"), Faulty(id="faulty")])
        async with stage.run(network, Message(receiver="caller")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "so be it"
        assert network.failures == []
        assert run.statistics().failed == 1

    stage.play(main())


def test_a_handler_that_returns_something_else_than_messages_is_an_error(stage: Stage) -> None:
    class Odd(GenAgent):
        def request(self, message: Message) -> Any:
            return "just words"

    async def main() -> None:
        with pytest.raises(AgentFailed, match="yields or returns messages, not str: 'just words'"):
            async with stage.run(GenNetwork(agents=[Odd(id="odd")]), Message(receiver="odd")):
                pass

    stage.play(main())


def test_a_handler_that_raises_cancelled_error_by_itself_has_failed(stage: Stage) -> None:
    class Odd(GenAgent):
        async def arequest(self, message: Message) -> None:
            if message.body == "later":
                await asyncio.sleep(0)
            raise asyncio.CancelledError("on a whim")

    async def main() -> None:
        for body in ("now", "later"):
            with pytest.raises(AgentFailed, match="CancelledError: on a whim"):
                async with stage.run(GenNetwork(agents=[Odd(id="odd")]), Message(receiver="odd", body=body)):
                    pass

    stage.play(main())


# ---------------------------------------------------------------------------------------------- retry


def test_a_retry_handles_the_same_message_again_after_growing_delays(world: Stage) -> None:
    async def main() -> None:
        network = supervised(Retry(times=4, delay=1.0, factor=3.0), faulty := Faulty(id="faulty", times=4))
        async with world.run(network, Message(receiver="faulty", body="x")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "did x"
        assert faulty.done == ["x"] * 5
        assert asyncio.get_running_loop().time() == 1 + 3 + 9 + 27
        assert (run.statistics().handled, run.statistics().failed) == (2, 0)

    world.play(main())


def test_after_the_last_retry_comes_what_was_said_to_come_then(world: Stage) -> None:
    async def main() -> None:
        network = supervised(Retry(times=2, delay=1.0, then="skip"), faulty := Faulty(id="faulty", times=9))
        async with world.run(network) as run:
            await run.send(Message(receiver="faulty", body="x"))
            await run.send(Message(receiver="faulty", body="y"))
        assert faulty.done == ["x", "x", "x", "y", "y", "y"]
        assert [letter.message.body for letter in run.dead_letters] == ["x", "y"]
        with pytest.raises(AgentFailed):
            async with world.run(supervised(Retry(times=1), Faulty(id="f", times=9)), Message(receiver="f")):
                pass

    world.play(main())


def test_a_retry_may_be_for_errors_that_pass_only(world: Stage) -> None:
    async def main() -> None:
        rule = Retry(times=5, transient_only=True, then="skip")
        lasting, passing = Faulty(id="lasting", times=2), Faulty(id="passing", times=2, transient=True)
        async with world.run(supervised(rule, lasting, passing)) as run:
            await run.send(Message(receiver="lasting", body="x"))
            await run.send(Message(receiver="passing", body="x"))
        assert (len(lasting.done), len(passing.done)) == (1, 3)
        assert (run.statistics().dead, run.statistics().handled) == (1, 2)

    world.play(main())


def test_while_an_agent_waits_to_try_again_it_takes_no_other_message_and_others_go_on(world: Stage) -> None:
    async def main() -> None:
        network = supervised(Retry(times=1, delay=10), faulty := Faulty(id="faulty"), probe := Probe(id="probe"))
        async with world.run(network) as run:
            for body in "xy":
                await run.send(Message(receiver="faulty", body=body))
                await run.send(Message(receiver="probe", body=body))
            await asyncio.sleep(5)
            assert faulty.done == ["x"]
            assert probe.bodies == ["x", "y"]
        assert faulty.done == ["x", "x", "y"]

    world.play(main())


def test_cancelling_a_run_ends_its_retries(world: Stage) -> None:
    async def main() -> None:
        network = supervised(Retry(times=1, delay=1_000), faulty := Faulty(id="faulty"))
        async with world.run(network, Message(receiver="faulty")) as run:
            await asyncio.sleep(1)
            run.cancel()
        assert asyncio.get_running_loop().time() == 1
        assert len(faulty.done) == 1
        assert run.statistics().cancelled == 1

    world.play(main())


def test_an_event_that_failed_is_tried_again_as_the_event_it_was(world: Stage) -> None:
    class Herald(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("news", Message(method="inform", body="x"))

    class Listener(GenAgent):
        heard_as: list[str] = []

        def news(self, message: Message) -> None:
            assert self.heard is not None
            self.heard_as.append(self.heard.path)
            if len(self.heard_as) < 3:
                raise ValueError

    async def main() -> None:
        agents = [Herald(id="herald"), listener := Listener(id="listener")]
        network = GenNetwork(agents=agents, links=[("herald", "news", "listener")], supervision=Retry())
        async with world.run(network, Message(receiver="herald")) as run:
            await run.wait()
        assert listener.heard_as == ["herald"] * 3

    world.play(main())


# ---------------------------------------------------------------------------------------------- skip, restart, stop


def test_skip_sends_the_message_to_the_dead_letters_and_the_agent_goes_on_as_it_is(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(supervised("skip", faulty := Faulty(id="faulty"))) as run:
            await run.send(Message(receiver="faulty", body="x"))
            await run.send(Message(receiver="faulty", body="y"))
        assert faulty.done == ["x", "y"]
        (letter,) = run.dead_letters
        assert (letter.message.body, letter.address, str(letter.reason)) == ("x", "faulty", "x is wrong")

    stage.play(main())


class Stateful(GenAgent):
    """Changes its state and then fails."""

    count: int = 5
    seen: list[str] = Field(default_factory=lambda: ["before"])

    @cached_property
    def told(self) -> int:
        return self.count

    def request(self, message: Message) -> None:
        self.count += 1
        self.seen.append(message.body)
        assert self.told
        if message.body == "fail":
            raise ValueError


def test_restart_gives_the_agent_the_state_back_that_it_had_at_the_start(stage: Stage) -> None:
    async def main() -> None:
        agent = Stateful(id="agent", count=7)
        async with stage.run(supervised("restart", agent)) as run:
            await run.send(Message(receiver="agent", body="ok"))
            await run.send(Message(receiver="agent", body="fail"))
        assert (agent.count, agent.seen) == (7, ["before"])
        assert "told" not in agent.__dict__  # what was computed of the lost state is lost as well
        async with stage.run(supervised("restart", agent)) as run:
            await run.send(Message(receiver="agent", body="fail"))
            await run.send(Message(receiver="agent", body="ok"))
            await run.send(Message(receiver="agent", body="fail"))
            await run.send(Message(receiver="agent", body="ok"))
        assert (agent.count, agent.seen) == (8, ["before", "ok"])
        assert run.statistics().dead == 2

    stage.play(main())


def test_restart_leaves_what_cannot_be_copied_as_it_is(stage: Stage) -> None:
    class Client:
        def __deepcopy__(self, memo: object) -> "Client":
            raise TypeError("a socket cannot be copied")

    class Connected(Stateful):
        client: Any = None

    async def main() -> None:
        agent = Connected(id="agent", client=(client := Client()))
        async with stage.run(supervised("restart", agent), Message(receiver="agent", body="fail")) as run:
            await run.wait()
        assert agent.client is client
        assert agent.count == 5

    stage.play(main())


def test_restart_works_for_agents_that_join_while_the_run_goes_on(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(outer := GenNetwork(agents=[])) as run:
            outer.add(GenNetwork(id="inner", agents=[agent := Stateful(id="agent")], supervision="restart"))
            await run.send(Message(receiver="agent", body="ok"))
            await run.send(Message(receiver="agent", body="fail"))
        assert agent.count == 5

    stage.play(main())


def test_a_network_with_handlers_of_its_own_is_restarted_too(stage: Stage) -> None:
    class Office(GenNetwork):
        count: int = 0

        def request(self, message: Message) -> None:
            self.count += 1
            raise ValueError

    async def main() -> None:
        office = Office(id="office", agents=[probe := Probe(id="probe")])
        async with stage.run(supervised("restart", office)) as run:
            await run.send(Message(receiver="office"))
            await run.send(Message(receiver="probe"))
        assert office.count == 0
        assert list(office) == [probe]
        assert len(probe.messages) == 1

    stage.play(main())


def test_stop_fails_the_run_though_the_network_around_would_not(stage: Stage) -> None:
    async def main() -> None:
        outer = GenNetwork(agents=[supervised("stop", Faulty(id="faulty"))], supervision="skip")
        with pytest.raises(AgentFailed, match="'office/faulty' failed"):
            async with stage.run(outer, Message(receiver="faulty", body="x")):
                pass

    stage.play(main())


# ---------------------------------------------------------------------------------------------- escalation


def test_escalate_asks_the_network_around_and_so_on_outwards(stage: Stage) -> None:
    asked = []

    class Asking(GenNetwork):
        answer: Directive = "escalate"

        def supervise(self, failure: Failure) -> Directive:
            asked.append((self.id, failure.address, failure.attempt, str(failure.error)))
            return self.answer

    async def main() -> None:
        inner = Asking(id="inner", agents=[Faulty(id="faulty")])
        outer = Asking(id="outer", agents=[Asking(id="middle", agents=[inner])], answer="skip")
        async with stage.run(outer, Message(receiver="faulty", body="x")) as run:
            await run.wait()
        assert run.statistics().dead == 1

    stage.play(main())
    facts = ("middle/inner/faulty", 1, "x is wrong")
    assert asked == [("inner", *facts), ("middle", *facts), ("outer", *facts)]


def test_the_failure_of_a_network_itself_is_for_the_network_around(stage: Stage) -> None:
    class Office(GenNetwork):
        def request(self, message: Message) -> None:
            raise ValueError

        def supervise(self, failure: Failure) -> Directive:
            raise AssertionError("nobody judges himself")

    async def main() -> None:
        outer = GenNetwork(agents=[Office(id="office")], supervision="skip")
        async with stage.run(outer, Message(receiver="office")) as run:
            await run.wait()
        assert run.statistics().dead == 1

    stage.play(main())


def test_supervision_that_decides_case_by_case_sees_who_failed_with_what_and_how_often(world: Stage) -> None:
    class Strict(GenNetwork):
        attempts: list[int] = []

        def supervise(self, failure: Failure) -> Directive:
            self.attempts.append(failure.attempt)
            return Retry(times=10, delay=0.0) if failure.attempt < 4 else "skip"

    async def main() -> None:
        network = Strict(agents=[faulty := Faulty(id="faulty", times=99)])
        async with world.run(network, Message(receiver="faulty")) as run:
            await run.wait()
        assert network.attempts == [1, 2, 3, 4]
        assert len(faulty.done) == 4

    world.play(main())


def test_supervision_that_raises_fails_the_run_with_that(stage: Stage) -> None:
    class Broken(GenNetwork):
        def supervise(self, failure: Failure) -> Directive:
            raise RuntimeError("I cannot judge")

    async def main() -> None:
        with pytest.raises(AgentFailed, match="RuntimeError: I cannot judge"):
            async with stage.run(Broken(agents=[Faulty(id="faulty")]), Message(receiver="faulty")):
                pass

    stage.play(main())


def test_a_message_that_is_not_understood_is_a_failure_that_supervision_may_skip(stage: Stage) -> None:
    async def main() -> None:
        network = supervised("skip", Faulty(id="faulty"))
        async with stage.run(network, Message(method="dance", receiver="faulty")) as run:
            await run.wait()
        assert isinstance(run.dead_letters[0].reason, NotUnderstood)

    stage.play(main())


# ---------------------------------------------------------------------------------------------- life


def test_the_failure_of_a_start_is_a_failure_of_the_message_and_a_retry_starts_again(world: Stage) -> None:
    class Starting(GenAgent):
        starts: int = 0
        stops: int = 0

        async def astart(self) -> None:
            self.starts += 1
            if self.starts < 3:
                raise ConnectionError("not yet")

        async def astop(self) -> None:
            self.stops += 1

        def request(self, message: Message) -> Message:
            return message.reply(body="up")

    async def main() -> None:
        network = supervised(Retry(times=5, delay=1), agent := Starting(id="agent"))
        async with world.run(network, Message(receiver="agent")) as run:
            result = await run.wait()
        assert result is not None
        assert (agent.starts, agent.stops) == (3, 1)

    world.play(main())


def test_the_failure_of_a_stop_fails_a_run_that_had_gone_well_and_the_others_are_stopped(stage: Stage) -> None:
    class Stopping(Probe):
        stops: int = 0

        async def astart(self) -> None:
            pass

        async def astop(self) -> None:
            self.stops += 1
            raise OSError(f"{self.id} is stuck")

    async def main() -> None:
        agents = [Stopping(id=name) for name in "abc"]
        with pytest.raises(OSError, match="a is stuck") as failed:
            async with stage.run(GenNetwork(agents=agents)) as run:
                for agent in agents:
                    await run.send(Message(receiver=agent))
        assert failed.value.__notes__ == ["raised by astop of 'a'"]
        assert [agent.stops for agent in agents] == [1, 1, 1]
        assert run.status == "failed"

    stage.play(main())


def test_an_observer_that_raises_fails_the_run_and_is_asked_no_more(world: Stage) -> None:
    class Broken:
        asked: int = 0

        def observe(self, observation: object) -> None:
            self.asked += 1
            raise RuntimeError("no disk")

    async def main() -> None:
        observer = Broken()
        with pytest.raises(RuntimeError, match="no disk") as failed:
            async with world.run(GenNetwork(agents=[Probe(id="p")]), Message(receiver="p"), observers=[observer]):
                pass
        assert "Broken" in failed.value.__notes__[0]
        assert observer.asked == 1

    world.play(main())
