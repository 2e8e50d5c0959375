"""Law 7: limits have finite defaults and hold exactly, also under concurrency; what was done before is kept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from pydantic import Field

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.chat import Chunk, Completion, Embeddings, Output, Price, Request, Settings, Text, TextDelta, Usage, user
from llm_net.errors import AgentFailed, InvalidOutput, LimitReached, ModelUnavailable
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage


class Ring(GenAgent):
    """Passes every message on, for ever."""

    following: str
    passed: int = 0

    def request(self, message: Message) -> Message:
        self.passed += 1
        return Message(receiver=self.following)


def ring(size: int = 3) -> GenNetwork:
    return GenNetwork(agents=[Ring(id=f"r{n}", following=f"r{(n + 1) % size}") for n in range(size)])


@dataclass
class Meter:
    """A model that uses what it is told to use, takes a while, and notes how much was ever under way."""

    tokens: int = 10
    price: Price | None = None
    name: str = "meter"
    fails: bool = False
    asked: int = 0
    used: int = 0
    log: list[str] = field(default_factory=list)

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        await asyncio.sleep(1)
        if self.fails:
            raise ModelUnavailable(self.name, "gone")
        self.used += self.tokens
        cost = None if self.price is None else self.price.of(0, self.tokens)
        return Completion((Text("words"),), Usage(1, 0, self.tokens, cost), self.name)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        for word in ("a", "b", "c"):
            yield TextDelta(word)
        yield Completion((Text("abc"),), Usage(1, 0, self.tokens), self.name)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        raise AssertionError("nobody asks")

    async def aclose(self) -> None:
        pass


def asking(max_tokens: int = 10) -> Request:
    return Request((user(""),), settings=Settings(max_tokens=max_tokens))


INPUT = 9
"""What an empty question is estimated to cost."""


class Spender(GenAgent):
    model: Model
    max_tokens: int = 10
    errors: list[str] = Field(default_factory=list)

    async def arequest(self, message: Message) -> Message:
        try:
            completion = await self.complete(self.model, asking(self.max_tokens))
        except LimitReached as error:
            self.errors.append(error.limit)
            raise
        return message.reply(body=completion.text)

    async def astream_it(self, message: Message) -> Message:
        words = [chunk.text async for chunk in self.stream(self.model, asking()) if isinstance(chunk, TextDelta)]
        return message.reply(body="".join(words))

    async def apeek(self, message: Message) -> Message:
        async for _ in self.stream(self.model, asking()):
            break
        await asyncio.sleep(1)
        return message.reply(body="enough")


# ---------------------------------------------------------------------------------------------- defaults


def test_every_limit_is_finite_unless_told_otherwise() -> None:
    assert Limits() == Limits(messages=10_000, depth=1_000, seconds=600.0, tokens=1_000_000, money=Decimal(10))


@pytest.mark.parametrize("name", ["messages", "depth", "seconds", "tokens", "money"])
def test_a_limit_is_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=f"limit {name} is -1"):
        Limits(**{name: Decimal(-1)})  # type: ignore[arg-type]  # any number will do


def test_a_ring_that_never_ends_is_ended_by_the_default_limits(stage: Stage) -> None:
    async def main() -> None:
        with pytest.raises(LimitReached, match="limit of 1000 depth"):
            async with stage.run(ring(), Message(receiver="r0")) as run:
                pass
        assert run.status == "limited"

    stage.play(main())


# ---------------------------------------------------------------------------------------------- messages, depth, seconds


@pytest.mark.parametrize("allowed", [0, 1, 2, 17, 300])
def test_the_limit_of_messages_holds_exactly(stage: Stage, allowed: int) -> None:
    async def main() -> None:
        network = ring()
        with pytest.raises(LimitReached) as reached:
            async with stage.run(network, Message(receiver="r0"), limits=Limits(messages=allowed, depth=None)) as run:
                pass
        assert str(reached.value) == (
            f"run stopped at its limit of {allowed} messages; raise it with `limits=Limits(messages=…)`"
        )
        assert sum(agent.passed for agent in network if isinstance(agent, Ring)) == allowed
        if allowed:
            assert (run.status, run.statistics().sent) == ("limited", allowed)

    stage.play(main())


def test_exactly_as_many_messages_as_allowed_are_no_error(stage: Stage) -> None:
    class Three(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Message(receiver="probe") for _ in range(3)]

    async def main() -> None:
        network = GenNetwork(agents=[Three(id="three"), probe := Probe(id="probe")])
        async with stage.run(network, Message(receiver="three"), limits=Limits(messages=4)) as run:
            await run.wait()
        assert len(probe.messages) == 3

    stage.play(main())


@pytest.mark.parametrize("allowed", [1, 5, 100])
def test_the_limit_of_messages_holds_for_many_speakers_at_once(world: Stage, allowed: int) -> None:
    class Speaker(GenAgent):
        async def arequest(self, message: Message) -> None:
            for _ in range(20):
                await asyncio.sleep(self.random.random())
                await self.send(Message(receiver="probe"))
                self.emit("said", Message(body="also"))

    async def main() -> None:
        agents = [Speaker(id=f"s{n}") for n in range(20)]
        network = GenNetwork(agents=[*agents, probe := Probe(id="probe")], links=[(a, "said", "probe") for a in agents])
        limits = Limits(messages=20 + allowed)
        with pytest.raises(LimitReached, match="messages"):
            async with world.run(network, limits=limits) as run:
                for agent in agents:
                    await run.send(Message(receiver=agent))
        assert run.statistics().sent == 20 + allowed
        assert allowed - 1 <= len(probe.messages) <= allowed

    world.play(main())


@pytest.mark.parametrize("allowed", [1, 2, 50])
def test_the_limit_of_depth_holds_exactly(stage: Stage, allowed: int) -> None:
    async def main() -> None:
        network = ring()
        with pytest.raises(LimitReached, match=f"limit of {allowed} depth"):
            async with stage.run(network, Message(receiver="r0"), limits=Limits(depth=allowed)):
                pass
        assert sum(agent.passed for agent in network if isinstance(agent, Ring)) == allowed

    stage.play(main())


def test_depth_is_the_length_of_a_chain_not_the_number_of_messages(stage: Stage) -> None:
    class Wide(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Message(receiver="probe") for _ in range(50)]

    async def main() -> None:
        network = GenNetwork(agents=[Wide(id="wide"), probe := Probe(id="probe")])
        async with stage.run(network, Message(receiver="wide"), limits=Limits(depth=2)) as run:
            await run.wait()
        assert len(probe.messages) == 50

    stage.play(main())


def test_events_and_calls_grow_the_chain_too(stage: Stage) -> None:
    class Echoing(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("again", Message(method="request"))

    class Calling(GenAgent):
        following: str

        async def arequest(self, message: Message) -> None:
            await self.call(Message(receiver=self.following))

    async def main() -> None:
        network = GenNetwork(
            agents=[a := Echoing(id="a"), b := Echoing(id="b")], links=[(a, "again", b), (b, "again", a)]
        )
        callers = GenNetwork(agents=[Calling(id=f"c{n}", following=f"c{n + 1}") for n in range(20)])
        for each, first in ((network, "a"), (callers, "c0")):
            with pytest.raises(LimitReached, match="limit of 10 depth"):
                async with stage.run(each, Message(receiver=first), limits=Limits(depth=10)) as run:
                    pass
            assert run.statistics().sent == 10

    stage.play(main())


def test_the_limit_of_seconds_ends_a_run_that_takes_longer(world: Stage) -> None:
    class Sleeper(Probe):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(3)
            self.messages.append(message)

    async def main() -> None:
        network = GenNetwork(agents=[sleeper := Sleeper(id="sleeper")])
        with pytest.raises(LimitReached, match=r"limit of 10\.0 seconds"):
            async with world.run(network, limits=Limits(seconds=10.0)) as run:
                for _ in range(5):
                    await run.send(Message(receiver="sleeper"))
        assert asyncio.get_running_loop().time() == 10
        assert len(sleeper.messages) == 3
        assert (run.statistics().handled, run.statistics().cancelled) == (3, 2)

    world.play(main())


def test_a_limit_reached_keeps_what_was_done_and_said(stage: Stage) -> None:
    class Steady(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            for n in range(100):
                yield message.reply(body=str(n))

    async def main() -> None:
        heard = []
        with pytest.raises(LimitReached):
            async with stage.run(
                GenNetwork(agents=[Steady(id="s")]), Message(receiver="s"), limits=Limits(messages=10)
            ) as run:
                async for message in run:
                    heard.append(message.body)
        assert heard == [str(n) for n in range(9)]
        assert run.result is not None
        assert run.result.body == "8"

    stage.play(main())


@pytest.mark.parametrize("stubborn", ["at once", "after a while"])
def test_a_handler_that_goes_on_after_a_limit_was_reached_is_cancelled(world: Stage, stubborn: str) -> None:
    class Stubborn(GenAgent):
        ended: float = -1.0

        async def arequest(self, message: Message) -> None:
            if stubborn == "after a while":
                await asyncio.sleep(1)
            try:
                for _ in range(10):
                    await self.send(Message(receiver="probe"))
            except LimitReached:
                pass
            try:
                await asyncio.sleep(1_000)
            finally:
                self.ended = asyncio.get_running_loop().time()

    async def main() -> None:
        network = GenNetwork(agents=[agent := Stubborn(id="stubborn"), Probe(id="probe")])
        with pytest.raises(LimitReached):
            async with world.run(network, Message(receiver="stubborn"), limits=Limits(messages=5)):
                pass
        assert agent.ended == asyncio.get_running_loop().time() <= 1

    world.play(main())


# ---------------------------------------------------------------------------------------------- tokens, money


def test_usage_is_counted_and_observers_are_told(world: Stage) -> None:
    async def main() -> None:
        model = Meter(price=Price(Decimal(0), Decimal(1_000_000)))
        network = GenNetwork(agents=[Spender(id=f"s{n}", model=model) for n in range(5)])
        async with world.run(network, limits=Limits(money=Decimal(1_000))) as run:
            for n in range(5):
                await run.send(Message(receiver=f"s{n}"))
        assert run.usage == Usage(5, 0, 50, Decimal(50))

    world.play(main())


@pytest.mark.parametrize("verb", ["complete", "stream"])
def test_answers_in_a_wrong_form_are_paid_for_until_the_limit(stage: Stage, verb: str) -> None:
    class Patient(GenAgent):
        """Asks until the form is right, which it never is."""

        model: Model
        asked: int = 0

        async def arequest(self, message: Message) -> None:
            request = Request((user(""),), output=Output({"enum": ["bid"]}), settings=Settings(max_tokens=10))
            while True:
                self.asked += 1
                try:
                    if verb == "complete":
                        await self.complete(self.model, request)
                    else:
                        async for _ in self.stream(self.model, request):
                            pass
                except InvalidOutput:
                    continue

    async def main() -> None:
        model = ScriptedModel(['"I do not know what you mean"'], cycle=True, price=Price(Decimal(1), Decimal(1)))
        network = GenNetwork(agents=[patient := Patient(id="patient", model=model)])
        with pytest.raises(LimitReached, match="limit of 300 tokens"):
            async with stage.run(network, Message(receiver="patient"), limits=Limits(tokens=300)) as run:
                pass
        assert run.usage.requests == patient.asked - 1 > 1
        assert 250 < run.usage.tokens <= 300
        assert run.usage.cost

    stage.play(main())


def test_a_hundred_spenders_at_once_cannot_pass_the_limit_of_tokens(stage: Stage) -> None:
    async def main() -> None:
        model = Meter()
        network = GenNetwork(agents=[Spender(id=f"s{n}", model=model) for n in range(100)])
        allowed = 10 * (INPUT + 10) + 5
        with pytest.raises(LimitReached, match=f"limit of {allowed} tokens"):
            async with stage.run(network, limits=Limits(tokens=allowed)) as run:
                for n in range(100):
                    await run.send(Message(receiver=f"s{n}"))
        assert run.usage.tokens <= allowed
        assert model.asked <= 10
        assert run.statistics().cancelled == 100  # ten asked, the eleventh would have passed the limit

    stage.play(main())


def test_a_hundred_spenders_one_after_the_other_use_what_is_allowed(world: Stage) -> None:
    async def main() -> None:
        model = Meter()
        network = GenNetwork(agents=[spender := Spender(id="s", model=model)])
        with pytest.raises(LimitReached, match="tokens"):
            async with world.run(network, limits=Limits(tokens=500)) as run:
                for _ in range(100):
                    await run.send(Message(receiver="s"))
        assert 500 - (INPUT + 10) < run.usage.tokens <= 500  # another call might have passed it
        assert spender.errors == ["tokens"]

    world.play(main())


def test_a_hundred_spenders_at_once_cannot_pass_the_limit_of_money(stage: Stage) -> None:
    async def main() -> None:
        model = Meter(price=Price(input=Decimal(0), output=Decimal(1_000)))  # a call may cost and costs one cent
        network = GenNetwork(agents=[Spender(id=f"s{n}", model=model) for n in range(100)])
        with pytest.raises(LimitReached, match=r"limit of US\$ 0\.25;"):
            async with stage.run(network, limits=Limits(money=Decimal("0.25"))) as run:
                for n in range(100):
                    await run.send(Message(receiver=f"s{n}"))
        assert model.asked <= 25
        assert (run.usage.cost or 0) <= Decimal("0.25")

    stage.play(main())


def test_exactly_what_is_allowed_can_be_spent_at_once(world: Stage) -> None:
    async def main() -> None:
        model = Meter(price=Price(input=Decimal(0), output=Decimal(1_000)))
        network = GenNetwork(agents=[Spender(id=f"s{n}", model=model) for n in range(100)])
        async with world.run(network, limits=Limits(money=Decimal(1), tokens=100 * (INPUT + 10))) as run:
            for n in range(100):
                await run.send(Message(receiver=f"s{n}"))
        assert run.usage == Usage(100, 0, 1_000, Decimal(1))

    world.play(main())


def test_a_model_without_a_price_costs_nothing(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Spender(id="s", model=Meter())])
        async with world.run(network, Message(receiver="s"), limits=Limits(money=Decimal(0))) as run:
            await run.wait()
        assert run.usage.cost is None

    world.play(main())


def test_what_a_call_set_aside_and_did_not_use_is_given_back(world: Stage) -> None:
    async def main() -> None:
        model = Meter(tokens=1)
        network = GenNetwork(agents=[Spender(id="s", model=model, max_tokens=50)])
        async with world.run(network, limits=Limits(tokens=70)) as run:
            for _ in range(10):
                await run.send(Message(receiver="s"))
        assert run.usage.tokens == 10

    world.play(main())


def test_what_a_failed_call_set_aside_is_given_back(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Spender(id="s", model=Meter(fails=True))], supervision="skip")
        async with world.run(network, limits=Limits(tokens=INPUT + 10)) as run:
            for _ in range(5):
                await run.send(Message(receiver="s"))
        assert run.statistics().dead == 5
        assert run.usage == Usage()

    world.play(main())


def test_the_error_of_a_model_reaches_the_handler_as_it_is(world: Stage) -> None:
    async def main() -> None:
        with pytest.raises(AgentFailed, match="ModelUnavailable") as failed:
            async with world.run(GenNetwork(agents=[Spender(id="s", model=Meter(fails=True))]), Message(receiver="s")):
                pass
        assert isinstance(failed.value.__cause__, ModelUnavailable)

    world.play(main())


def test_a_stream_counts_too(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Spender(id="s", model=Meter())])
        async with world.run(network, Message(method="stream_it", receiver="s")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "abc"
        assert run.usage.tokens == 10
        with pytest.raises(LimitReached):
            async with world.run(network, Message(method="stream_it", receiver="s"), limits=Limits(tokens=5)):
                pass

    world.play(main())


def test_a_stream_that_is_left_early_gives_back_what_it_set_aside(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Spender(id="s", model=Meter())])
        async with world.run(network, limits=Limits(tokens=INPUT + 10)) as run:
            for _ in range(5):
                await run.send(Message(method="peek", receiver="s"))
        assert run.statistics().handled == 10

    world.play(main())
