"""Law 2: messages between two agents arrive in the order sent; an agent handles one at a time, or `concurrency`."""

import asyncio
from typing import ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Mailbox, Message, Retry, blocking
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage

FAR = Limits(messages=100_000)


class Counter(GenAgent):
    """Sends `number` messages to the probe, in every way there is."""

    number: int = 100

    def plain(self, message: Message) -> list[Message]:
        return [Message(receiver="probe", body=f"{self.id} {n}") for n in range(self.number)]

    def generator(self, message: Message):  # type: ignore[no-untyped-def]  # as a user may write it
        for n in range(self.number):
            yield Message(receiver="probe", body=f"{self.id} {n}")

    async def acoroutine(self, message: Message) -> None:
        for n in range(self.number):
            if n % 7 == 0:
                await asyncio.sleep(0)
            await self.send(Message(receiver="probe", body=f"{self.id} {n}"))

    async def aflow(self, message: Message):  # type: ignore[no-untyped-def]
        for n in range(self.number):
            if n % 5 == 0:
                await asyncio.sleep(0)
            yield Message(receiver="probe", body=f"{self.id} {n}")

    def emission(self, message: Message):  # type: ignore[no-untyped-def]
        for n in range(self.number):
            self.emit("said", Message(body=f"{self.id} {n}"))
            yield


class Slow(Probe):
    """Takes its time, and sees that nobody else is at it."""

    inside: int = 0
    most: int = 0

    async def aslowly(self, message: Message) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        for _ in range(3):
            await asyncio.sleep(0)
        self.messages.append(message)
        self.inside -= 1


class Two(Slow):
    concurrency: ClassVar[int] = 2


class Hundred(Slow):
    concurrency: ClassVar[int] = 100


@pytest.mark.parametrize("way", ["plain", "generator", "coroutine", "flow", "emission"])
@pytest.mark.parametrize("mailbox", [Mailbox(), Mailbox(limit=3)], ids=["roomy", "narrow"])
def test_each_speaker_is_heard_in_order_whatever_its_way_of_speaking(stage: Stage, way: str, mailbox: Mailbox) -> None:
    class Ear(Probe):
        pass

    Ear.mailbox = mailbox

    async def main() -> None:
        speakers = [Counter(id=name) for name in "abc"]
        network = GenNetwork(agents=[*speakers, ear := Ear(id="probe")])
        for speaker in speakers:
            network.link(speaker, "said", ear)
        async with stage.run(network, limits=FAR) as run:
            for speaker in speakers:
                await run.send(Message(method=way, receiver=speaker))
        for name in "abc":
            heard = [body for body in ear.bodies if body.startswith(name)]
            assert heard == [f"{name} {n}" for n in range(100)]

    stage.play(main())


def test_what_is_sent_in_several_ways_by_one_handler_keeps_its_order(stage: Stage) -> None:
    class Mixed(GenAgent):
        async def arequest(self, message: Message):  # type: ignore[no-untyped-def]
            yield Message(receiver="probe", body="1")
            await self.send(Message(receiver="probe", body="2"))
            self.emit("said", Message(body="3"))
            yield [Message(receiver="probe", body="4"), [Message(receiver="probe", body="5")]]
            await asyncio.sleep(0)
            yield None
            await self.send(Message(receiver="probe", body="6"))

    async def main() -> None:
        network = GenNetwork(agents=[Mixed(id="mixed"), probe := Probe(id="probe")], links=[("mixed", "said", "probe")])
        async with stage.run(network, Message(receiver="mixed")) as run:
            await run.wait()
        assert "".join(probe.bodies) == "123456"

    stage.play(main())


def test_an_agent_handles_one_message_at_a_time_and_the_next_when_that_is_done(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[slow := Slow(id="slow")])) as run:
            for n in range(20):
                await run.send(Message(method="slowly", receiver="slow", body=str(n)))
        assert slow.most == 1
        assert slow.bodies == [str(n) for n in range(20)]

    stage.play(main())


@pytest.mark.parametrize(("kind", "most"), [(Two, 2), (Hundred, 20)])
def test_an_agent_with_concurrency_handles_that_many_at_a_time(stage: Stage, kind: type[Slow], most: int) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[agent := kind(id="agent")])) as run:
            for n in range(20):
                await run.send(Message(method="slowly", receiver="agent", body=str(n)))
        assert agent.most == most
        assert sorted(agent.bodies, key=int) == [str(n) for n in range(20)]

    stage.play(main())


def test_a_blocking_handler_is_one_at_a_time_too(stage: Stage) -> None:
    class Threaded(Probe):
        inside: int = 0
        most: int = 0

        @blocking
        def think(self, message: Message) -> Message:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.messages.append(message)
            self.inside -= 1
            return message.reply(body=message.body)

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[agent := Threaded(id="agent")])) as run:
            for n in range(20):
                await run.send(Message(method="think", receiver="agent", body=str(n)))
        assert agent.most == 1
        assert agent.bodies == [str(n) for n in range(20)]

    stage.play(main())


def test_a_message_that_is_tried_again_keeps_its_place(world: Stage) -> None:
    class Shaky(Probe):
        tries: int = 0

        def request(self, message: Message) -> None:
            self.tries += message.body == "1"
            if message.body == "1" and self.tries < 3:
                raise ConnectionError
            self.messages.append(message)

    async def main() -> None:
        network = GenNetwork(agents=[shaky := Shaky(id="shaky")], supervision=Retry(times=5, delay=10))
        async with world.run(network) as run:
            for n in range(5):
                await run.send(Message(method="request", receiver="shaky", body=str(n)))
        assert shaky.bodies == list("01234")

    world.play(main())


def test_an_agent_in_two_networks_still_handles_one_message_at_a_time(stage: Stage) -> None:
    async def main() -> None:
        shared = Slow(id="shared")
        outer = GenNetwork(agents=[GenNetwork(id="north", agents=[shared]), GenNetwork(id="south", agents=[shared])])
        async with stage.run(outer) as run:
            for n in range(10):
                way = "north/shared" if n % 2 else "south/shared"
                await run.send(Message(method="slowly", receiver=way, body=str(n)))
        assert shared.most == 1
        assert shared.bodies == [str(n) for n in range(10)]

    stage.play(main())


def test_an_agent_in_two_runs_of_one_loop_still_handles_one_message_at_a_time(stage: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[slow := Slow(id="slow")])
        async with stage.run(network) as first, stage.run(network) as second:
            for n in range(10):
                await (first if n % 2 else second).send(Message(method="slowly", receiver="slow", body=str(n)))
        assert slow.most == 1
        assert slow.bodies == [str(n) for n in range(10)]
        assert first.statistics().handled == second.statistics().handled == 5

    stage.play(main())


def test_nobody_waits_for_a_busy_agent_but_who_needs_it(world: Stage) -> None:
    class Sleeper(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(100)

    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper"), probe := Probe(id="probe")])
        async with world.run(network) as run:
            await run.send(Message(receiver="sleeper"))
            await run.send(Message(receiver="probe"))
            await asyncio.sleep(1)
            assert len(probe.messages) == 1

    world.play(main())
