"""What hurt in other toolkits, each reproduced there: a test each that it cannot happen here. Named after the pain."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import pytest
from pydantic import Field

from llm_net import Event, GenAgent, GenNetwork, Limits, Mailbox, Message, Retry
from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Settings, Text, Usage, user
from llm_net.errors import AgentFailed, Deadlock, LimitReached, LlmNetError, NotUnderstood, RateLimited, UnknownAddress
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage
from llm_net.wire import decode, encode

world = Stage("world")


def now() -> float:
    return asyncio.get_running_loop().time()


class Sleeper(GenAgent):
    async def arequest(self, message: Message) -> Message:
        await asyncio.sleep(1_000)
        return message.reply()


def test_a_stop_that_forgets_those_who_wait() -> None:
    class Caller(GenAgent):
        went_on: bool = False

        async def arequest(self, message: Message) -> None:
            try:
                await self.call(Message(receiver="sleeper"))
            finally:
                self.went_on = True

    async def main() -> None:
        callers = [Caller(id=f"c{n}") for n in range(10)]
        async with world.run(GenNetwork(agents=[*callers, Sleeper(id="sleeper")])) as run:
            for caller in callers:
                await run.send(Message(receiver=caller))
            waiting = asyncio.create_task(run.wait())
            await asyncio.sleep(5)
            run.cancel()
            assert await waiting is None
        assert all(caller.went_on for caller in callers)
        assert now() == 5

    world.play(main())


def test_an_idle_test_that_never_ends_after_a_dropped_message() -> None:
    class Forgetful(Probe):
        mailbox = Mailbox(limit=1, when_full="drop_oldest")

    class Shaky(GenAgent):
        def request(self, message: Message) -> list[Message]:
            return [Message(receiver="forgetful") for _ in range(5)]

        def drop(self, message: Message) -> None:
            raise ValueError

    async def main() -> None:
        agents = [Shaky(id="shaky"), forgetful := Forgetful(id="forgetful")]
        async with world.run(GenNetwork(agents=agents, supervision="skip")) as run:
            await run.send(Message(receiver="shaky"))
            await run.send(Message(method="drop", receiver="shaky"))
            await run.send(Message(method="unheard of", receiver="shaky"))
        assert run.status == "done"
        assert len(forgetful.messages) == 1
        assert run.statistics().dead == 4 + 2

    world.play(main())


def test_twenty_handlers_at_once_in_one_agent() -> None:
    class Account(GenAgent):
        balance: int = 0

        async def arequest(self, message: Message) -> None:
            before = self.balance
            await asyncio.sleep(1)
            self.balance = before + 1

    async def main() -> None:
        async with world.run(GenNetwork(agents=[account := Account(id="account")])) as run:
            for _ in range(20):
                await run.send(Message(receiver="account"))
        assert account.balance == 20

    world.play(main())


def test_a_subclass_message_that_is_silently_not_handled() -> None:
    class Order(Message):
        text: str = ""

    class RushOrder(Order):
        pass

    class Other(Message):
        pass

    class Shop(GenAgent):
        got: list[str] = []

        def order(self, message: Order) -> None:
            self.got.append(type(message).__name__)

    async def main() -> None:
        network = GenNetwork(agents=[shop := Shop(id="shop")])
        async with world.run(network, RushOrder(receiver="shop")) as run:
            await run.wait()
        assert shop.got == ["RushOrder"]
        with pytest.raises(NotUnderstood, match="'other' .Other.; it understands order"):
            async with world.run(network, Other(receiver="shop")):
                pass

    world.play(main())


def test_errors_of_a_broadcast_swallowed() -> None:
    class Herald(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("news", Message())

    class Deaf(GenAgent):
        def news(self, message: Message) -> None:
            raise ValueError("I did not get it")

    async def main() -> None:
        agents = [Herald(id="herald"), Deaf(id="deaf"), probe := Probe(id="probe")]
        links = [("herald", "news", "deaf"), ("herald", "news", "probe")]
        with pytest.raises(AgentFailed, match="'deaf' failed at 'request'.*I did not get it"):
            async with world.run(GenNetwork(agents=agents, links=links), Message(receiver="herald")):
                pass
        async with world.run(
            GenNetwork(agents=agents, links=links, supervision="skip"), Message(receiver="herald")
        ) as run:
            await run.wait()
        assert [str(letter.reason) for letter in run.dead_letters] == ["I did not get it"]
        assert probe.messages

    world.play(main())


def test_two_classes_of_one_name_mixed_up_on_the_wire() -> None:
    def mine() -> type[Message]:
        class Offer(Message):
            price: int = 1

        return Offer

    def yours() -> type[Message]:
        class Offer(Message):
            price: int = 1

        return Offer

    one, other = mine(), yours()
    assert type(decode(encode(one()))) is one
    assert type(decode(encode(other()))) is other


def test_a_send_to_an_unknown_target_that_vanishes() -> None:
    class Careless(GenAgent):
        def request(self, message: Message) -> Message:
            return Message(receiver="archivst")

    async def main() -> None:
        network = GenNetwork(agents=[Careless(id="careless"), Probe(id="archivist")])
        with pytest.raises(AgentFailed, match="no agent 'archivst'.*did you mean 'archivist'") as failed:
            async with world.run(network, Message(receiver="careless")):
                pass
        assert isinstance(failed.value.__cause__, UnknownAddress)

    world.play(main())


def test_a_listeners_exception_that_kills_the_speaker_or_later_listeners_or_the_inbox_for_good() -> None:
    class Herald(GenAgent):
        spoken: int = 0

        def request(self, message: Message) -> None:
            self.emit("news", Message(body=message.body))
            self.spoken += 1

    class Fragile(GenAgent):
        heard_well: list[str] = []

        def news(self, message: Message) -> None:
            if message.body == "1":
                raise ValueError
            self.heard_well.append(message.body)

    async def main() -> None:
        agents = [herald := Herald(id="herald"), fragile := Fragile(id="fragile"), probe := Probe(id="probe")]
        links = [("herald", "news", "fragile"), ("herald", "news", "probe")]
        async with world.run(GenNetwork(agents=agents, links=links, supervision="skip")) as run:
            for n in range(4):
                await run.send(Message(receiver="herald", body=str(n)))
        assert herald.spoken == 4
        assert fragile.heard_well == ["0", "2", "3"]
        assert probe.bodies == ["0", "1", "2", "3"]

    world.play(main())


def test_a_tool_call_between_agents_that_dead_locks_until_a_time_out() -> None:
    class Asking(GenAgent):
        other: str

        async def arequest(self, message: Message) -> Message:
            return message.reply(body=(await self.call(Message(receiver=self.other), timeout=300)).body)

    async def main() -> None:
        network = GenNetwork(agents=[Asking(id="a", other="b"), Asking(id="b", other="a")])
        with pytest.raises(LlmNetError, match="deadlock: a waits for b waits for a") as failed:
            async with world.run(network, Message(receiver="a")):
                pass
        assert isinstance(failed.value, Deadlock)
        assert now() == 0

    world.play(main())


def test_replies_that_cost_more_with_every_reply_and_break_at_254() -> None:
    class Player(GenAgent):
        left: int = 3_000

        def request(self, message: Message) -> Message:
            return Message(method="response", receiver="b" if self.id == "a" else "a")

        def response(self, message: Message) -> Message | None:
            self.left -= 1
            return (
                message.reply(metadata={"depth": len(message.thread())} if not self.left else {}) if self.left else None
            )

    async def main() -> None:
        agents = [a := Player(id="a"), b := Player(id="b")]
        async with world.run(GenNetwork(agents=agents), Message(receiver="a"), limits=Limits(depth=None)) as run:
            last = [message async for message in run][-1]
        assert len(last.thread()) > 5_900
        assert last.root.reply_to is None
        assert (a.left, b.left) in ((0, 1), (1, 0))

    world.play(main())


def test_async_handlers_never_awaited() -> None:
    class Eager(GenAgent):
        log: list[str] = []

        async def arequest(self, message: Message) -> None:
            self.log.append("handler")

        async def missing(self, message: Message) -> None:
            self.log.append("missing")

    async def heard(event: Event) -> None:
        eager.log.append("callback")

    async def main() -> None:
        eager.on("receive", heard)
        async with world.run(GenNetwork(agents=[eager])) as run:
            await run.send(Message(receiver="eager"))
            await run.send(Message(method="unknown", receiver="eager"))

    eager = Eager(id="eager")
    world.play(main())
    assert sorted(eager.log) == ["callback", "callback", "handler", "missing"]


def test_context_leaking_from_one_nested_network_into_another() -> None:
    trace: ContextVar[str] = ContextVar("trace", default="")

    class Local(GenAgent):
        seen: list[tuple[str, str]] = []

        async def arequest(self, message: Message) -> Message:
            self.seen.append((self.network.id, trace.get()))
            trace.set(self.network.id)
            await asyncio.sleep(1)
            self.seen.append((self.network.id, trace.get()))
            return message.reply()

    class Boss(GenAgent):
        async def arequest(self, message: Message) -> None:
            trace.set("boss")
            await self.gather([Message(receiver=f"{place}/local") for place in ("north", "south")])
            assert (self.network.id, trace.get()) == ("land", "boss")

    async def main() -> None:
        locals_ = [Local(id="local"), Local(id="local")]
        places = [GenNetwork(id=name, agents=[each]) for name, each in zip(("north", "south"), locals_, strict=True)]
        async with world.run(GenNetwork(id="land", agents=[Boss(id="boss"), *places]), Message(receiver="boss")) as run:
            await run.wait()
        assert [each.seen for each in locals_] == [[(name, ""), (name, name)] for name in ("north", "south")]

    world.play(main())


def test_six_json_dumps_per_message_with_tracing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("nobody asked for this")

    async def main() -> None:
        network = GenNetwork(agents=[probe := Probe(id="probe")])
        async with network.run() as run:
            monkeypatch.setattr(json, "dumps", refuse)
            monkeypatch.setattr(Message, "model_dump_json", refuse)
            monkeypatch.setattr(Message, "model_dump", refuse)
            await run.send(Message(receiver="probe"))
        assert len(probe.messages) == 1

    asyncio.run(main())


def test_whole_messages_deep_copied_per_hop() -> None:
    class Load(Message):
        cargo: Any

    class Carrier(GenAgent):
        def load(self, message: Load) -> Message:
            return message.forward("b" if self.id == "a" else "probe")

    async def main() -> None:
        cargo = [object()]
        network = GenNetwork(agents=[Carrier(id="a"), Carrier(id="b"), probe := Probe(id="probe")])
        async with world.run(network, Load(receiver="a", cargo=cargo)) as run:
            await run.wait()
        (arrived,) = probe.messages
        assert isinstance(arrived, Load)
        assert arrived.cargo is cargo or arrived.cargo[0] is cargo[0]

    world.play(main())


class Meter:
    """A model that costs a dollar and takes a second, and refuses more than so many questions a second."""

    name = "meter"
    price = Price(Decimal(0), Decimal(1_000_000))

    def __init__(self, at_once: int = 10**9) -> None:
        self.at_once = at_once
        self.asked = 0
        self.lately: list[float] = []

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        self.lately = [time for time in self.lately if time > now() - 1]
        if len(self.lately) >= self.at_once:
            raise RateLimited(self.name, "too many", retry_after=1.0)
        self.lately.append(now())
        return Completion((Text("words"),), Usage(1, 0, 1, Decimal(1)), self.name)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        yield await self.complete(request)

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        raise AssertionError("nobody asks")

    async def aclose(self) -> None:
        pass


class Thinker(GenAgent):
    model: Any = Field(repr=False)
    thought: str = ""

    async def arequest(self, message: Message) -> Message:
        question = Request((user(""),), settings=Settings(max_tokens=1))
        self.thought = (await self.complete(self.model, question)).text
        return message.reply(body=self.thought)


class Fan(GenAgent):
    async def arequest(self, message: Message) -> Message:
        replies = await self.gather([Message(receiver=f"t{n}") for n in range(50)])
        return message.reply(body=str(len(replies)))

    def out(self, message: Message) -> list[Message]:
        return [Message(receiver=f"t{n}") for n in range(50)]

    def response(self, message: Message) -> None:
        pass


def test_budgets_overshot_by_concurrent_children() -> None:
    async def main() -> None:
        model = Meter()
        network = GenNetwork(agents=[Fan(id="fan"), *(Thinker(id=f"t{n}", model=model) for n in range(50))])
        with pytest.raises(LimitReached, match="money"):
            async with world.run(network, Message(receiver="fan"), limits=Limits(money=Decimal(7))) as run:
                pass
        assert model.asked <= 7
        assert (run.usage.cost or 0) <= 7

    world.play(main())


def test_graphs_frozen_at_compile_time() -> None:
    class Grower(GenAgent):
        def request(self, message: Message) -> Message:
            self.network.add(Probe(id="new"))
            self.network.link(self, "news", "new")
            self.emit("news", Message(body="an event"))
            return Message(receiver="new", body="a message")

    async def main() -> None:
        network = GenNetwork(agents=[Grower(id="grower")])
        async with world.run(network, Message(receiver="grower")) as run:
            await run.wait()
        new = network["new"]
        assert isinstance(new, Probe)
        assert new.bodies == ["an event", "a message"]

    world.play(main())


def test_sub_agents_invisible_to_the_parents_stream() -> None:
    class Inner(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            self.emit("progress", Message(body="half"))
            yield Message(receiver="probe", body="inside")
            yield message.reply(body="done")

    async def main() -> None:
        deep = GenNetwork(
            id="deep", agents=[Inner(id="inner"), Probe(id="probe")], links=[("inner", "progress", "probe")]
        )
        outer = GenNetwork(id="outer", agents=[GenNetwork(id="middle", agents=[deep])])
        events: list[str] = []
        outer.on("progress", lambda event: events.append(f"{event.path}: {event.message.body}"))
        seen = [message.body async for message in outer.areceive(Message(receiver="inner"))]
        assert seen == ["half", "inside", "done"]
        assert events == ["middle/deep/inner: half"]

    world.play(main())


def test_one_agent_one_parent() -> None:
    async def main() -> None:
        shared = Probe(id="shared")
        networks = [GenNetwork(id=name, agents=[shared]) for name in ("north", "south")]
        async with world.run(GenNetwork(agents=[*networks, shared])) as run:
            for way in ("north/shared", "south/shared", "shared"):
                await run.send(Message(receiver=way, body=way))
        assert shared.bodies == ["north/shared", "south/shared", "shared"]

    world.play(main())


def test_fan_out_that_trips_429_and_loses_the_run() -> None:
    async def main() -> None:
        model = Meter(at_once=5)
        thinkers = [Thinker(id=f"t{n}", model=model) for n in range(50)]
        rule = Retry(times=50, delay=1.0, factor=1.0, transient_only=True)
        network = GenNetwork(agents=[Fan(id="fan"), *thinkers], supervision=rule)
        async with world.run(
            network, Message(method="out", receiver="fan"), limits=Limits(money=Decimal(1_000))
        ) as run:
            await run.wait()
        assert all(thinker.thought == "words" for thinker in thinkers)
        assert run.statistics().handled == 1 + 50 + 50
        assert run.usage.cost == 50

    world.play(main())
