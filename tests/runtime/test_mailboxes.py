"""Law 4: mailboxes are bounded. A full one makes the sender wait, rejects, drops the oldest, or keeps the latest of a key."""

import asyncio
import gc
from typing import ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Mailbox, Message
from llm_net.errors import AgentFailed, Deadlock, MailboxFull, Unanswered
from llm_net.ports import Observation
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage

FAR = Limits(messages=1_000_000)


class Slow(Probe):
    """Takes one message a second."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=10)

    async def arequest(self, message: Message) -> None:
        await asyncio.sleep(1)
        self.messages.append(message)


class Rejecting(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=10, when_full="reject")


class Dropping(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=10, when_full="drop_oldest")


class Latest(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=10, when_full="keep_latest")


class LatestOfBody(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=10, when_full="keep_latest", key=lambda message: message.body[:1])


class Flood(GenAgent):
    """Sends as fast as it can."""

    number: int = 100
    sent: int = 0
    refused: int = 0

    async def aflood(self, message: Message) -> None:
        for n in range(self.number):
            try:
                await self.send(Message(receiver="slow", body=str(n)))
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    def returned(self, message: Message) -> list[Message]:
        return [Message(receiver="slow", body=str(n)) for n in range(self.number)]

    async def agathered(self, message: Message) -> None:
        await self.gather(Message(receiver="slow", body=str(n)) for n in range(self.number))


class Depth:
    """An observer of how many messages wait or are handled at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def observe(self, observation: Observation) -> None:
        if observation.address == "slow":
            self.now += (observation.kind == "sent") - (
                observation.kind in ("handled", "rejected", "dead", "cancelled")
            )
            self.most = max(self.most, self.now)


def test_a_mailbox_holds_a_thousand_messages_unless_told_otherwise() -> None:
    assert GenAgent.mailbox == Mailbox(limit=1_000, when_full="wait")


def test_a_mailbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 message"):
        Mailbox(limit=0)


@pytest.mark.parametrize("way", ["flood", "returned"])
def test_a_full_mailbox_makes_the_sender_wait(world: Stage, way: str) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[flood := Flood(id="flood"), slow := Slow(id="slow")])
        depth = Depth()
        async with world.run(network, Message(method=way, receiver="flood"), observers=[depth]) as run:
            await asyncio.sleep(50.5)
            assert 50 < flood.sent < 65 or way == "returned"
            await run.wait()
        assert slow.bodies == [str(n) for n in range(100)]
        assert depth.most <= 12  # ten wait, one is handled, one has just been put there by the sender that now waits

    world.play(main())


def test_every_sender_to_a_full_mailbox_waits(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[*(Flood(id=f"f{n}", number=20) for n in range(5)), slow := Slow(id="slow")])
        depth = Depth()
        async with world.run(network, observers=[depth]) as run:
            for n in range(5):
                await run.send(Message(method="flood", receiver=f"f{n}"))
        assert len(slow.messages) == 100
        assert depth.most <= 10 + 1 + 5

    world.play(main())


def test_whoever_sends_from_the_outside_waits_for_room_too(world: Stage) -> None:
    async def main() -> None:
        depth = Depth()
        async with world.run(GenNetwork(agents=[slow := Slow(id="slow")]), observers=[depth]) as run:
            for n in range(50):
                await run.send(Message(receiver="slow", body=str(n)))
            assert asyncio.get_running_loop().time() > 30
        assert len(slow.messages) == 50
        assert depth.most <= 12

    world.play(main())


class Asking(Probe):
    """Asks somebody before it takes what it was sent."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)
    whom: str = "boss"

    async def arequest(self, message: Message) -> None:
        try:
            await self.call(Message(method="ask", receiver=self.whom))
        except Unanswered:
            self.messages.append(message)


class Silent(GenAgent):
    def ask(self, message: Message) -> None:
        pass


def test_whoever_waits_outside_for_room_at_one_who_waits_for_an_answer_from_there_is_told_at_once(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(id="office", agents=[Asking(id="asking")])
        async with world.run(network) as run:
            with pytest.raises(Deadlock, match="the outside waits for asking waits for the outside"):
                for n in range(10):
                    await run.send(Message(sender="boss", receiver="asking", body=str(n)))
            assert run.statistics().sent == 4  # the question too: what was sent is in the mailbox all the same
            run.cancel()

    world.play(main())


def test_whoever_waits_outside_waits_on_while_somebody_else_may_answer(world: Stage) -> None:
    class Once(Asking):
        async def arequest(self, message: Message) -> None:
            await self.call(Message(method="ask", receiver=message.sender))
            self.messages.append(message)

    async def main() -> None:
        network = GenNetwork(id="office", agents=[once := Once(id="asking")])
        async with world.run(network) as run:

            async def answer() -> None:
                async for message in run:
                    if message.method == "ask":
                        await asyncio.sleep(1)
                        await run.send(message.reply(sender="boss"))
                        if len(once.messages) == 5:
                            return

            task = asyncio.create_task(answer())
            for n in range(6):
                await run.send(Message(sender="boss", receiver="asking", body=str(n)))
            await task
        assert once.bodies == ["0", "1", "2", "3", "4", "5"]

    world.play(main())


def test_waits_that_can_never_end_end_also_while_somebody_waits_outside_for_room(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(id="office", agents=[asking := Asking(id="asking", whom="silent"), Silent(id="silent")])
        async with world.run(network) as run:
            for n in range(10):
                await run.send(Message(receiver="asking", body=str(n)))
        assert asking.bodies == [str(n) for n in range(10)]

    world.play(main())


def test_gathering_from_one_agent_waits_for_room_too(world: Stage) -> None:
    class Answering(Slow):
        async def arequest(self, message: Message) -> Message:  # type: ignore[override]  # this one answers
            await asyncio.sleep(1)
            return message.reply()

    async def main() -> None:
        depth = Depth()
        network = GenNetwork(agents=[Flood(id="flood"), Answering(id="slow")])
        async with world.run(network, Message(method="gathered", receiver="flood"), observers=[depth]) as run:
            await run.wait()
        assert run.statistics().handled == 201
        assert depth.most <= 12

    world.play(main())


def test_a_mailbox_of_one_passes_everything_in_order(stage: Stage) -> None:
    class Narrow(Probe):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=1)

    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), narrow := Narrow(id="slow")])
        async with stage.run(network, Message(method="flood", receiver="flood")) as run:
            await run.wait()
        assert narrow.bodies == [str(n) for n in range(100)]

    stage.play(main())


def test_a_full_mailbox_may_reject(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[flood := Flood(id="flood"), slow := Rejecting(id="slow")])
        async with world.run(network, Message(method="flood", receiver="flood")) as run:
            await run.wait()
        assert (flood.sent, flood.refused) == (100, 90)
        assert slow.bodies == [str(n) for n in range(10)]
        assert run.statistics().rejected == 90

    world.play(main())


def test_a_caller_of_an_agent_that_rejects_is_told(world: Stage) -> None:
    class Caller(GenAgent):
        refused: int = 0

        async def aflood(self, message: Message) -> None:
            for n in range(10):
                await self.send(Message(receiver="slow", body=str(n)))
            with pytest.raises(MailboxFull, match="mailbox of 'slow' is full .* and rejects more"):
                await self.call(Message(receiver="slow"))
            self.refused += 1

    async def main() -> None:
        network = GenNetwork(agents=[caller := Caller(id="caller"), Rejecting(id="slow")])
        async with world.run(network, Message(method="flood", receiver="caller")) as run:
            await run.wait()
        assert caller.refused == 1

    world.play(main())


def test_a_rejection_that_nobody_catches_is_a_failure_of_the_sender(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), Rejecting(id="slow")])
        with pytest.raises(AgentFailed, match="MailboxFull"):
            async with world.run(network, Message(method="returned", receiver="flood")):
                pass

    world.play(main())


def test_a_full_mailbox_may_drop_its_oldest(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), slow := Dropping(id="slow")])
        async with world.run(network, Message(method="flood", receiver="flood")) as run:
            await run.wait()
        assert slow.bodies == [str(n) for n in range(90, 100)]
        assert [letter.message.body for letter in run.dead_letters] == [str(n) for n in range(90)]

    world.play(main())


def test_a_caller_whose_message_is_dropped_is_told(world: Stage) -> None:
    class Caller(GenAgent):
        told: int = 0

        async def acall_it(self, message: Message) -> None:
            with pytest.raises(MailboxFull):
                await self.call(Message(receiver="slow", body="question"))
            self.told += 1

    async def main() -> None:
        agents = [caller := Caller(id="caller"), Flood(id="flood"), Dropping(id="slow")]
        async with world.run(GenNetwork(agents=agents)) as run:
            await run.send(Message(receiver="slow"))
            await run.send(Message(method="call_it", receiver="caller"))
            await run.send(Message(method="flood", receiver="flood"))
        assert caller.told == 1

    world.play(main())


def test_a_mailbox_may_keep_only_the_latest_of_each_matter(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), slow := LatestOfBody(id="slow")])
        async with world.run(network, Message(method="flood", receiver="flood")) as run:
            await run.wait()
        assert slow.bodies == ["0", "19", "29", "39", "49", "59", "69", "79", "89", "99"]
        assert run.statistics().dead == 90

    world.play(main())


def test_by_default_a_matter_is_a_sender_and_a_method(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="a"), Flood(id="b", number=50), slow := Latest(id="slow")])
        async with world.run(network) as run:
            await run.send(Message(method="flood", receiver="a"))
            await run.send(Message(method="flood", receiver="b"))
        assert slow.bodies == ["99", "49"]

    world.play(main())


def test_a_mailbox_that_keeps_the_latest_makes_a_sender_of_too_many_matters_wait(world: Stage) -> None:
    class EachItsOwn(Slow):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=10, when_full="keep_latest", key=lambda message: message.body)

    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), slow := EachItsOwn(id="slow")])
        depth = Depth()
        async with world.run(network, Message(method="flood", receiver="flood"), observers=[depth]) as run:
            await run.wait()
        assert len(slow.messages) == 100
        assert depth.most <= 12

    world.play(main())


# ---------------------------------------------------------------------------------------------- events


class Herald(GenAgent):
    number: int = 100
    refused: int = 0

    async def apatiently(self, message: Message) -> None:
        for n in range(self.number):
            self.emit("news", Message(body=str(n)))
            await self.send(message.reply())  # waits where the listener has no room

    def gen(self, message: Message):  # type: ignore[no-untyped-def]
        for n in range(self.number):
            self.emit("news", Message(body=str(n)))
            yield

    def at_once(self, message: Message) -> None:
        for n in range(self.number):
            try:
                self.emit("news", Message(body=str(n)))
            except MailboxFull:
                self.refused += 1


def test_a_speaker_waits_for_a_slow_listener_when_it_yields(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Herald(id="herald"), slow := Slow(id="slow")], links=[("herald", "news", "slow")])
        depth = Depth()
        async with world.run(network, Message(method="gen", receiver="herald"), observers=[depth]) as run:
            await run.wait()
        assert slow.bodies == [str(n) for n in range(100)]
        assert depth.most <= 12

    world.play(main())


def test_a_speaker_that_never_waits_is_refused_at_two_mailboxes_full_and_nothing_is_lost(world: Stage) -> None:
    async def main() -> None:
        agents = [herald := Herald(id="herald"), slow := Slow(id="slow"), probe := Probe(id="probe")]
        links = [("herald", "news", "slow"), ("herald", "news", "probe")]
        async with world.run(
            GenNetwork(agents=agents, links=links), Message(method="at_once", receiver="herald")
        ) as run:
            await run.wait()
        assert herald.refused == 80
        assert len(slow.messages) == 20
        assert len(probe.messages) in (20, 100)  # a listener that has room may or may not hear what another refuses

    world.play(main())


def test_listeners_that_reject_do_not_disturb_the_speaker_or_each_other(world: Stage) -> None:
    async def main() -> None:
        agents = [herald := Herald(id="herald"), slow := Rejecting(id="slow"), probe := Probe(id="probe")]
        links = [("herald", "news", "slow"), ("herald", "news", "probe")]
        async with world.run(
            GenNetwork(agents=agents, links=links), Message(method="at_once", receiver="herald")
        ) as run:
            await run.wait()
        assert herald.refused == 0
        assert len(slow.messages) == 10
        assert len(probe.messages) == 100
        assert run.statistics().rejected == 90

    world.play(main())


@pytest.mark.parametrize("kind", [Dropping, Latest, LatestOfBody])
def test_listeners_that_let_go_of_old_news_do_not_hold_up_the_speaker(world: Stage, kind: type[Slow]) -> None:
    async def main() -> None:
        agents = [herald := Herald(id="herald"), slow := kind(id="slow")]
        network = GenNetwork(agents=agents, links=[("herald", "news", "slow")])
        async with world.run(network, Message(method="at_once", receiver="herald")) as run:
            await run.wait()
        assert herald.refused == 0
        assert slow.bodies[-1] == "99"
        assert run.statistics().dead == 100 - len(slow.messages)

    world.play(main())


# ---------------------------------------------------------------------------------------------- readers, memory


def test_a_slow_reader_of_a_run_slows_it_down(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[flood := Flood(id="flood", number=3_000), Probe(id="slow")])
        async with world.run(network, Message(method="flood", receiver="flood"), limits=FAR) as run:
            read = 0
            async for _ in run:
                read += 1
                if read % 10 == 0:
                    await asyncio.sleep(1)
                assert flood.sent - read < 1_100
        assert read == 3_000

    world.play(main())


def test_a_slow_reader_slows_down_who_emits_to_listeners_that_keep_only_the_latest(world: Stage) -> None:
    class Steady(GenAgent):
        sent: int = 0

        async def aflood(self, message: Message):  # type: ignore[no-untyped-def]
            for n in range(3_000):
                self.emit("news", Message(body=str(n)))
                self.sent += 1
                yield

    async def main() -> None:
        agents = [steady := Steady(id="steady"), Latest(id="slow")]
        network = GenNetwork(agents=agents, links=[("steady", "news", "slow")])
        async with world.run(network, Message(method="flood", receiver="steady"), limits=FAR) as run:
            read = 0
            async for _ in run:
                read += 1
                if read % 10 == 0:
                    await asyncio.sleep(1)
                assert steady.sent - read < 1_100

    world.play(main())


def test_memory_under_overload_is_flat(world: Stage) -> None:
    class Numbered(Message):
        n: int

    class Producer(GenAgent):
        async def arequest(self, message: Message) -> None:
            for n in range(8_000):
                await self.send(Numbered(receiver="slow", n=n))

    class Consumer(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=100)
        most: int = 0

        async def anumbered(self, message: Numbered) -> None:
            if message.n % 10 == 0:
                await asyncio.sleep(1)
            if message.n % 2_000 == 1_999:
                gc.collect()
                alive = sum(isinstance(thing, Numbered) for thing in gc.get_objects())
                self.most = max(self.most, alive)

    async def main() -> None:
        network = GenNetwork(agents=[Producer(id="producer"), consumer := Consumer(id="slow")])
        async with world.run(network, Message(receiver="producer"), limits=Limits(messages=None, seconds=None)) as run:
            await run.wait()
        assert consumer.most < 200 or world.watched  # who watches keeps everything

    world.play(main())
