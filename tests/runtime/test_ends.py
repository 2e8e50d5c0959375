"""Law 1: every message has exactly one visible end. The stage counts them after each run."""

import asyncio
from datetime import timedelta

import pytest

from llm_net import GenAgent, GenNetwork, Mailbox, Message
from llm_net.errors import (
    AgentFailed,
    AmbiguousAddress,
    CallTimeout,
    DeliveryError,
    Expired,
    MailboxFull,
    NotUnderstood,
    UnknownAddress,
)
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage


class Sleeper(GenAgent):
    """Is busy for a second with each message."""

    async def arequest(self, message: Message) -> Message:
        await asyncio.sleep(1)
        return message.reply(body="awake")


class Teller(GenAgent):
    """Sends what it is given to send, and remembers what that raised."""

    to_send: list[Message] = []
    errors: list[str] = []

    async def arequest(self, message: Message) -> None:
        for each in self.to_send:
            try:
                await self.send(each)
            except DeliveryError as error:
                self.errors.append(type(error).__name__)


def test_a_message_that_is_handled_is_counted_as_handled(stage: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[probe := Probe(id="probe")])
        async with stage.run(network, Message(body="hello", receiver=probe)) as run:
            await run.wait()
        assert probe.bodies == ["hello"]
        assert run.statistics().handled == 1

    stage.play(main())


def test_what_goes_to_the_outside_is_handled_by_whoever_started_the_run(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper")])
        async with world.run(network, Message(receiver="sleeper")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "awake"
        assert run.statistics().handled == 2

    world.play(main())


def test_a_message_whose_deadline_passed_while_it_waited_is_expired(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper")])
        async with world.run(network) as run:
            await run.send(Message(receiver="sleeper"))
            root = Message(receiver="sleeper")
            await run.send(Message(receiver="sleeper", deadline=root.created_at + timedelta(seconds=0.5)))
        assert (run.statistics().expired, run.statistics().handled) == (1, 2)

    world.play(main())


def test_a_message_is_handled_up_to_its_deadline(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper")])
        async with world.run(network) as run:
            await run.send(Message(receiver="sleeper"))
            root = Message(receiver="sleeper")
            await run.send(Message(receiver="sleeper", deadline=root.created_at + timedelta(seconds=1.5)))
        assert run.statistics().expired == 0

    world.play(main())


def test_the_caller_of_an_expired_message_is_told(world: Stage) -> None:
    class Caller(GenAgent):
        async def ado(self, message: Message) -> None:
            await self.send(Message(receiver="sleeper"))
            with pytest.raises(Expired):
                await self.call(Message(receiver="sleeper", deadline=self.now() + timedelta(seconds=0.5)))

        def response(self, message: Message) -> None:
            """The first answer."""

    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper"), Caller(id="caller")])
        async with world.run(network, Message(method="do", receiver="caller")) as run:
            await run.wait()
        assert run.statistics().expired == 1

    world.play(main())


def test_what_is_in_mailboxes_and_in_hands_when_a_run_is_cancelled_is_cancelled(world: Stage) -> None:
    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper")])
        async with world.run(network) as run:
            for _ in range(5):
                await run.send(Message(receiver="sleeper"))
            await asyncio.sleep(1.5)
            run.cancel()
        assert run.status == "cancelled"
        assert (run.statistics().handled, run.statistics().cancelled) == (2, 4)

    world.play(main())


def test_a_failure_that_stops_the_run_is_one_failed_message_and_the_rest_is_cancelled(stage: Stage) -> None:
    class Clumsy(GenAgent):
        def request(self, message: Message) -> None:
            raise ValueError(message.body)

    async def main() -> None:
        network = GenNetwork(agents=[Clumsy(id="clumsy")])
        with pytest.raises(AgentFailed, match="ValueError: one"):
            async with stage.run(network) as run:
                await run.send(Message(receiver="clumsy", body="one"))
                await run.send(Message(receiver="clumsy", body="two"))
        assert run.status == "failed"
        assert (run.statistics().failed, run.statistics().cancelled) == (1, 1)

    stage.play(main())


def test_a_full_mailbox_that_rejects_tells_the_sender_and_counts_the_message_as_rejected(stage: Stage) -> None:
    class Picky(Probe):
        mailbox = Mailbox(limit=2, when_full="reject")

    async def main() -> None:
        teller = Teller(id="teller", to_send=[Message(receiver="picky", body=str(n)) for n in range(5)], errors=[])
        network = GenNetwork(agents=[teller, picky := Picky(id="picky")])
        async with stage.run(network, Message(receiver="teller")) as run:
            await run.wait()
        assert teller.errors == ["MailboxFull"] * 3
        assert picky.bodies == ["0", "1"]
        assert run.statistics().rejected == 3

    stage.play(main())


def test_a_mailbox_that_drops_its_oldest_sends_them_to_the_dead_letters(stage: Stage) -> None:
    class Forgetful(Probe):
        mailbox = Mailbox(limit=2, when_full="drop_oldest")

    async def main() -> None:
        teller = Teller(id="teller", to_send=[Message(receiver="forgetful", body=str(n)) for n in range(5)], errors=[])
        network = GenNetwork(agents=[teller, forgetful := Forgetful(id="forgetful")])
        async with stage.run(network, Message(receiver="teller")) as run:
            await run.wait()
        assert forgetful.bodies == ["3", "4"]
        assert [letter.message.body for letter in run.dead_letters] == ["0", "1", "2"]
        assert {type(letter.reason) for letter in run.dead_letters} == {MailboxFull}
        assert "and drops the oldest" in str(run.dead_letters[0].reason)

    stage.play(main())


def test_a_message_to_nobody_raises_where_it_is_sent_and_not_only_there_if_not_caught(stage: Stage) -> None:
    async def main() -> None:
        teller = Teller(id="teller", to_send=[Message(receiver="nobody")], errors=[])
        network = GenNetwork(agents=[teller])
        async with stage.run(network, Message(receiver="teller")) as run:
            await run.wait()
        assert teller.errors == ["UnknownAddress"]
        with pytest.raises(UnknownAddress):
            async with stage.run(network, Message(receiver="nobody")):
                pass

    stage.play(main())


def test_an_uncaught_error_of_sending_fails_the_run_with_its_cause(stage: Stage) -> None:
    class Careless(GenAgent):
        def request(self, message: Message) -> Message:
            return Message(receiver="nobody")

    async def main() -> None:
        with pytest.raises(AgentFailed, match="nobody") as failed:
            async with stage.run(GenNetwork(agents=[Careless(id="careless")]), Message(receiver="careless")):
                pass
        assert isinstance(failed.value.__cause__, UnknownAddress)

    stage.play(main())


def test_a_message_to_a_name_that_several_have_says_so(stage: Stage) -> None:
    async def main() -> None:
        inner = [GenNetwork(id=name, agents=[Probe(id="anna")]) for name in ("north", "south")]
        with pytest.raises(AmbiguousAddress, match="north/anna"):
            async with stage.run(GenNetwork(agents=inner), Message(receiver="anna")):
                pass

    stage.play(main())


def test_a_message_that_nobody_understands_is_an_error_of_the_run(stage: Stage) -> None:
    class Deaf(GenAgent):
        pass

    async def main() -> None:
        with pytest.raises(NotUnderstood, match="'deaf' has no handler for 'sing'"):
            async with stage.run(GenNetwork(agents=[Deaf(id="deaf")]), Message(method="sing", receiver="deaf")) as run:
                pass
        assert run.statistics().failed == 1

    stage.play(main())


def test_a_reply_that_comes_too_late_goes_to_the_dead_letters(world: Stage) -> None:
    class Impatient(GenAgent):
        async def ado(self, message: Message) -> None:
            with pytest.raises(CallTimeout):
                await self.call(Message(receiver="sleeper", body="wake up"), timeout=0.5)

    async def main() -> None:
        network = GenNetwork(agents=[Sleeper(id="sleeper"), Impatient(id="impatient")])
        async with world.run(network, Message(method="do", receiver="impatient")) as run:
            await run.wait()
        assert [(letter.message.body, type(letter.reason)) for letter in run.dead_letters] == [("awake", CallTimeout)]

    world.play(main())


def test_who_gave_up_waiting_may_still_say_more_to_whom_it_asked(world: Stage) -> None:
    class Hurried(GenAgent):
        async def arequest(self, message: Message) -> Message:
            question = Message(receiver="sleeper")
            with pytest.raises(CallTimeout):
                await self.call(question, timeout=0.5)
            return question.reply(body="never mind", receiver="sleeper", sender=self)

    class Cancellable(Sleeper):
        told: list[str] = []

        def response(self, message: Message) -> None:
            self.told.append(message.body)

    async def main() -> None:
        network = GenNetwork(agents=[Hurried(id="hurried"), sleeper := Cancellable(id="sleeper")])
        async with world.run(network, Message(receiver="hurried")) as run:
            await run.wait()
        assert sleeper.told == ["never mind"]
        assert [letter.message.body for letter in run.dead_letters] == ["awake"]

    world.play(main())


def test_the_dead_letters_kept_are_the_latest_thousand_and_all_are_counted(stage: Stage) -> None:
    class Forgetful(Probe):
        mailbox = Mailbox(limit=1, when_full="drop_oldest")

    class Flood(GenAgent):
        async def arequest(self, message: Message) -> None:
            for number in range(1_500):
                await self.send(Message(receiver="forgetful", body=str(number)))

    async def main() -> None:
        network = GenNetwork(agents=[Flood(id="flood"), Forgetful(id="forgetful")])
        async with stage.run(network, Message(receiver="flood")) as run:
            await run.wait()
        assert run.statistics().dead == 1_499
        assert len(run.dead_letters) == 1_000
        assert run.dead_letters[-1].message.body == "1498"

    stage.play(main())
