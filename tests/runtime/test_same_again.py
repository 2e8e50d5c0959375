"""Law 10: with a seed and a virtual clock a program gives exactly the same, however long models take and how many at once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Message, Retry, blocking, every, simulation
from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Text, TextDelta, Usage, user
from llm_net.errors import LimitReached
from llm_net.ports import Model, Run
from llm_net.runtime.local import LocalRuntime
from llm_net.testing.probe import Recorder

Wait = Callable[[], Coroutine[Any, Any, object]]


@dataclass
class Thinking:
    """A model that answers with the question in capitals after whatever time it takes, so many at once."""

    wait: Wait
    at_once: int | None = None
    name: str = "thinking"
    price: Price | None = None
    most: int = 0
    now: int = 0
    semaphore: asyncio.Semaphore | None = field(init=False, default=None)

    async def complete(self, request: Request) -> Completion:
        if self.at_once is not None and self.semaphore is None:
            self.semaphore = asyncio.Semaphore(self.at_once)
        async with self.semaphore or nullcontext():
            self.now += 1
            self.most = max(self.most, self.now)
            await self.wait()
            self.now -= 1
        words = request.turns[-1].text.upper()
        return Completion((Text(words),), Usage(1, len(words), len(words)), self.name)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        whole = await self.complete(request)
        for letter in whole.text:
            await self.wait()
            yield TextDelta(letter)
        yield whole

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        raise AssertionError("nobody asks")

    async def aclose(self) -> None:
        pass


class Villager(GenAgent):
    """Thinks about what it hears and tells it to neighbours that it picks; now and then it sleeps, forgets or stumbles."""

    model: Model
    told: int = 0

    async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
        self.told += 1
        asked = Request((user(f"{message.body[-20:]} {self.told}"),))
        if self.random.random() < 0.3:
            words = "".join(
                [chunk.text async for chunk in self.stream(self.model, asked) if isinstance(chunk, TextDelta)]
            )
        else:
            words = (await self.complete(self.model, asked)).text
        if self.random.random() < 0.2:
            await asyncio.sleep(self.random.randrange(5))
        if self.random.random() < 0.1:
            raise ConnectionError("stumbled")
        hops = message.metadata.get("hops", 0)
        assert isinstance(hops, int)
        if hops < 6:
            others = [agent for agent in self.network if isinstance(agent, Villager) and agent is not self]
            for neighbour in self.random.sample(others, 2):
                yield Message(receiver=neighbour, body=words, metadata={"hops": hops + 1})
        self.emit("gossip", Message(body=words))

    @blocking
    def dig(self, message: Message) -> Message:
        time.sleep(Random().random() / 200)  # whoever digs takes as long as it takes
        return message.reply(body=f"{self.id} dug")

    @every(2.0)
    async def dream(self, message: Message) -> None:
        dream = await self.complete(self.model, Request((user("dream"),)))
        self.emit("gossip", Message(body=dream.text))


class Chronicle(GenAgent):
    lines: list[str] = []

    def gossip(self, message: Message) -> None:
        assert message.sender is not None
        self.lines.append(f"{self.now():%H:%M:%S} {message.id} {message.sender.id}: {message.body}")

    def response(self, message: Message) -> None:
        self.lines.append(message.body)

    def begin(self, message: Message) -> list[Message]:
        return [Message(method="dig", receiver=f"v{n}") for n in range(5)]


def village(wait: Wait, *, at_once: int | None = None, seed: int = 7) -> tuple[list[Any], Thinking]:
    """Everything that happens in a village, and the model that its people think with."""

    async def main() -> tuple[list[Any], Thinking]:
        model = Thinking(wait, at_once)
        people = [Villager(id=f"v{n}", model=model) for n in range(8)]
        chronicle = Chronicle(id="chronicle")
        links = [(person, "gossip", chronicle) for person in people]
        rule = Retry(times=1, delay=0.5, then="skip")
        network = GenNetwork(id="village", agents=[*people, chronicle], links=links, supervision=rule)
        recorder = Recorder()
        run = network.run(limits=Limits(messages=400), observers=[recorder])
        with suppress(LimitReached):  # how a story ends is part of it
            async with run:
                await run.send(Message(method="begin", receiver="chronicle"))
                for person in people[:3]:
                    await run.send(Message(receiver=person, body="Have you heard?"))
        what = [
            (each.kind, each.address, each.event, str(each.error), each.usage)
            + (() if each.message is None else (each.message.id, each.message.created_at, str(each.message)))
            for each in recorder.observations
        ]
        return [run.id, run.status, run.statistics().sent, run.usage, chronicle.lines, *what], model

    return simulation.run(main(), seed=seed)


async def no_time() -> None:
    pass


def sleeping(longest: float) -> Wait:
    chance = Random()  # on purpose without a seed

    async def wait() -> None:
        await asyncio.sleep(chance.random() * longest)

    return wait


async def in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, Random().random() / 500)


async def either() -> None:
    await (in_a_thread() if Random().random() < 0.1 else sleeping(1000)())


@pytest.mark.parametrize(
    ("wait", "at_once"),
    [
        (sleeping(0.1), None),
        (sleeping(1e6), None),
        (sleeping(10), 1),
        (sleeping(10), 3),
        (in_a_thread, None),
        (in_a_thread, 2),
        (either, 4),
    ],
    ids=["quick", "slow", "one at a time", "three at a time", "threads", "two threads", "either"],
)
def test_what_happens_does_not_depend_on_how_long_models_take(wait: Wait, at_once: int | None) -> None:
    expected, _ = village(no_time)
    found, model = village(wait, at_once=at_once)
    assert len(expected) > 500
    assert found == expected
    assert model.most == at_once or (at_once is None and model.most > 3)


def test_another_seed_gives_another_story() -> None:
    assert village(no_time, seed=1)[0] != village(no_time, seed=2)[0]


def test_the_seed_decides_in_which_order_answers_are_taken_up() -> None:
    class Thinker(GenAgent):
        model: Model

        async def arequest(self, message: Message) -> Message:
            await self.complete(self.model, Request((user("?"),)))
            return message.reply(body=self.id)

    def order(seed: int) -> str:
        async def main() -> str:
            network = GenNetwork(agents=[Thinker(id=name, model=Thinking(sleeping(5))) for name in "abc"])
            async with network.run() as run:
                for name in "abc":
                    await run.send(Message(receiver=name))
                answers = [message.body async for message in _first(run, 3)]
            return "".join(answers)

        return simulation.run(main(), seed=seed)

    seen = Counter(order(seed) for seed in range(60))
    assert len(seen) == 6
    assert order(5) == order(5)


async def _first(run: Any, number: int) -> AsyncIterator[Message]:
    async for message in run:
        yield message
        number -= 1
        if not number:
            return


def test_thinking_takes_no_time_in_the_world_and_sleeping_does() -> None:
    class Thinker(GenAgent):
        model: Model
        times: list[float] = []

        async def arequest(self, message: Message) -> None:
            for _ in range(3):
                await self.complete(self.model, Request((user("?"),)))
                self.times.append(asyncio.get_running_loop().time())
                await asyncio.sleep(1)

    async def main() -> None:
        thinker = Thinker(id="t", model=Thinking(sleeping(1_000)))
        async with GenNetwork(agents=[thinker]).run(Message(receiver="t")) as run:
            await run.wait()
        assert thinker.times == [0, 1, 2]

    simulation.run(main())


def test_a_model_that_is_cancelled_is_cancelled_and_waited_for() -> None:
    log: list[str] = []

    async def careful() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(1)
            log.append("cleaned")

    class Hasty(GenAgent):
        model: Model

        async def arequest(self, message: Message) -> None:
            task = asyncio.create_task(self.ask())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                log.append("cancelled")

        async def ask(self) -> None:
            await asyncio.sleep(0)
            await self.complete(self.model, Request((user("?"),)))

    async def main() -> None:
        async with GenNetwork(agents=[Hasty(id="h", model=Thinking(careful))]).run(Message(receiver="h")) as run:
            await run.wait()

    simulation.run(main())
    assert log in (["cleaned", "cancelled"], ["cancelled"])


def test_ids_and_times_outside_of_handlers_are_the_worlds_too() -> None:
    async def main() -> tuple[str, str, datetime]:
        message = Message()
        await asyncio.sleep(90)
        reply = message.reply()
        return message.id, reply.id, reply.created_at

    start = datetime(2030, 5, 1, tzinfo=UTC)
    assert simulation.run(main(), seed=255, start=start) == ("ff-1", "ff-2", start + timedelta(seconds=90))


def test_runs_of_one_world_have_seeds_of_their_own() -> None:
    class Dice(GenAgent):
        def request(self, message: Message) -> Message:
            return message.reply(body=str(self.random.random()))

    async def main() -> list[str]:
        network = GenNetwork(id="n", agents=[Dice(id="dice")])
        found = []
        for _ in range(3):
            async with network.run(Message(receiver="dice")) as run:
                result = await run.wait()
            assert result is not None
            found += [run.id, result.id, result.body]
        return found

    first = simulation.run(main(), seed=1)
    assert len(set(first)) == 9
    assert simulation.run(main(), seed=1) == first


def test_a_runtime_with_a_seed_gives_its_agents_the_same_chance_and_ids_again_in_any_loop() -> None:
    class Dice(GenAgent):
        def request(self, message: Message) -> Message:
            return message.reply(body=str(self.random.random()))

    def play(play: Callable[[Coroutine[Any, Any, Any]], Any], seed: int | None) -> tuple[str, str, str]:
        async def main() -> tuple[str, str, str]:
            network = GenNetwork(id="n", agents=[Dice(id="dice")])
            async with network.run(Message(receiver="dice"), runtime=LocalRuntime(seed=seed)) as run:
                result = await run.wait()
            assert result is not None
            return run.id, result.id, result.body

        return play(main())  # type: ignore[no-any-return]

    assert play(asyncio.run, 5) == play(asyncio.run, 5) == play(simulation.run, 5)
    assert play(asyncio.run, 5)[2] != play(asyncio.run, 6)[2]
    assert play(asyncio.run, None)[0] != play(asyncio.run, None)[0]


def test_agents_at_different_addresses_have_different_chances() -> None:
    class Dice(GenAgent):
        def request(self, message: Message) -> Message:
            return message.reply(body=str(self.random.random()))

    async def main() -> None:
        inner = [GenNetwork(id=name, agents=[Dice(id="dice")]) for name in ("north", "south")]
        async with GenNetwork(id="n", agents=inner).run() as run:
            await run.send(Message(receiver="north/dice"))
            await run.send(Message(receiver="south/dice"))
            await run.send(Message(receiver="north/dice"))
            bodies = [message.body async for message in _first(run, 3)]
        assert len(set(bodies)) == 3

    simulation.run(main())


def test_the_seed_that_a_run_made_for_itself_gives_its_chance_again() -> None:
    class Dice(GenAgent):
        def request(self, message: Message) -> Message:
            return message.reply(body=str(self.random.random()))

    async def thrown(runtime: LocalRuntime) -> tuple[int, str]:
        run: Run = GenNetwork(agents=[Dice(id="dice")]).run(Message(receiver="dice"), runtime=runtime)
        async with run:
            result = await run.wait()
        assert result is not None
        return run.seed, result.body

    seed, number = asyncio.run(thrown(LocalRuntime()))

    assert asyncio.run(thrown(LocalRuntime(seed=seed))) == (seed, number)
