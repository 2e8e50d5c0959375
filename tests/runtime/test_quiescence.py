"""Law 3: a run ends when nothing of it is pending, and not before. Law 5: a wait that can never end is an error at once."""

import asyncio
from itertools import pairwise
from typing import ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Mailbox, Message, Retry, every
from llm_net.errors import AgentFailed, CallTimeout, Deadlock, LlmNetError, Unanswered
from llm_net.testing.probe import Probe
from llm_net.testing.stage import Stage


class Caller(GenAgent):
    """Calls the agent `next`, and answers with what that answered; remembers what calling raised."""

    next: str
    pause: float | None = None
    error: LlmNetError | None = None

    async def arequest(self, message: Message) -> Message:
        if self.pause is not None:
            await asyncio.sleep(self.pause)
        try:
            reply = await self.call(Message(receiver=self.next, body=message.body))
        except LlmNetError as error:
            self.error = error
            raise
        return message.reply(body=f"{self.id} {reply.body}")


class Echo(GenAgent):
    """Answers, after a while if it is told to."""

    pause: float | None = None

    async def arequest(self, message: Message) -> Message:
        if self.pause is not None:
            await asyncio.sleep(self.pause)
        return message.reply(body=message.body)


class Mute(GenAgent):
    """Handles, and never answers."""

    async def arequest(self, message: Message) -> None:
        await asyncio.sleep(0)


# ---------------------------------------------------------------------------------------------- ending


def test_a_run_without_messages_ends_when_its_block_is_left(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Probe()])) as run:
            assert run.status == "running"
        assert str(run.status) == "done"

    stage.play(main())


def test_a_run_ends_when_its_only_message_is_handled(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Probe(id="probe")]), Message(receiver="probe")) as run:
            assert await run.wait() is None
            assert run.status == "done"

    stage.play(main())


def test_a_run_does_not_end_while_a_handler_waits_for_something_else(world: Stage) -> None:
    async def main() -> None:
        async with world.run(
            GenNetwork(agents=[Echo(id="echo", pause=500)]), Message(receiver="echo", body="x")
        ) as run:
            result = await run.wait()
        assert result is not None
        assert asyncio.get_running_loop().time() == 500

    world.play(main())


def test_a_run_does_not_end_before_a_retry_that_is_due(world: Stage) -> None:
    class Shaky(GenAgent):
        tries: int = 0

        def request(self, message: Message) -> Message:
            self.tries += 1
            if self.tries < 3:
                raise ConnectionError
            return message.reply(body="at last")

    async def main() -> None:
        network = GenNetwork(agents=[Shaky(id="shaky")], supervision=Retry(times=3, delay=100, factor=1))
        async with world.run(network, Message(receiver="shaky")) as run:
            result = await run.wait()
        assert result is not None
        assert asyncio.get_running_loop().time() == 200

    world.play(main())


def test_a_run_does_not_end_before_an_async_callback_has_heard(world: Stage) -> None:
    class Speaker(GenAgent):
        def request(self, message: Message) -> None:
            self.emit("said", message.reply(body="hear"))

    async def main() -> None:
        heard = []

        async def hear(event: object) -> None:
            await asyncio.sleep(50)
            heard.append(event)

        network = GenNetwork(agents=[speaker := Speaker(id="speaker")])
        speaker.on("said", hear)
        async with world.run(network, Message(receiver="speaker")) as run:
            await run.wait()
        assert len(heard) == 1

    world.play(main())


def test_periodic_handlers_do_not_keep_a_run_alive(world: Stage) -> None:
    class Clock(GenAgent):
        ticks: int = 0

        @every(1.0)
        def tick(self, message: Message) -> None:
            self.ticks += 1

    async def main() -> None:
        network = GenNetwork(agents=[clock := Clock(id="clock"), Echo(id="echo", pause=10.5)])
        async with world.run(network, Message(receiver="echo")) as run:
            await run.wait()
        assert clock.ticks == 10
        assert asyncio.get_running_loop().time() == 10.5

    world.play(main())


def test_an_open_run_waits_for_more_and_ends_when_its_block_is_left(world: Stage) -> None:
    async def main() -> None:
        async with world.run(GenNetwork(agents=[probe := Probe(id="probe")])) as run:
            await run.send(Message(receiver="probe", body="one"))
            await asyncio.sleep(100)
            assert probe.bodies == ["one"]
            assert run.status == "running"
            await run.send(Message(receiver="probe", body="two"))
        assert probe.bodies == ["one", "two"]

    world.play(main())


# ---------------------------------------------------------------------------------------------- chains of calls


@pytest.mark.parametrize("length", [1, 2, 5, 15, 16, 17, 50, 300])
def test_a_chain_of_calls_brings_the_answer_back_however_long_it_is(stage: Stage, length: int) -> None:
    async def main() -> None:
        names = [f"c{number}" for number in range(length)] + ["echo"]
        callers = [Caller(id=name, next=following) for name, following in pairwise(names)]
        network = GenNetwork(agents=[*callers, Echo(id="echo")])
        async with stage.run(network, Message(receiver="c0", body="x")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == " ".join([*names[:-1], "x"])

    stage.play(main())


@pytest.mark.parametrize("length", [1, 2, 5, 20])
def test_a_chain_of_calls_whose_links_and_end_take_time_brings_the_answer_back(world: Stage, length: int) -> None:
    async def main() -> None:
        names = [f"c{number}" for number in range(length)] + ["echo"]
        callers = [Caller(id=name, next=following, pause=1.0) for name, following in pairwise(names)]
        network = GenNetwork(agents=[*callers, Echo(id="echo", pause=1.0)])
        async with world.run(network, Message(receiver="c0", body="x")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == " ".join([*names[:-1], "x"])
        assert asyncio.get_running_loop().time() == length + 1

    world.play(main())


def test_the_failure_at_the_end_of_a_chain_of_calls_reaches_its_beginning_with_every_cause(world: Stage) -> None:
    class Clumsy(GenAgent):
        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(1)
            raise ValueError("too hot")

    async def main() -> None:
        agents = [Caller(id="a", next="b"), Caller(id="b", next="c"), Clumsy(id="c")]
        with pytest.raises(AgentFailed) as failed:
            async with world.run(GenNetwork(agents=agents), Message(receiver="a")) as run:
                pass
        causes = []
        error: BaseException | None = failed.value
        while error is not None:
            causes.append(f"{type(error).__name__} {getattr(error, 'agent', error)}")
            error = error.__cause__
        assert causes == ["AgentFailed a", "AgentFailed b", "AgentFailed c", "ValueError too hot"]
        assert run.statistics().failed == 3

    world.play(main())


def test_an_agent_that_was_just_answered_may_be_called_by_who_answered(stage: Stage) -> None:
    class Asker(GenAgent):
        async def astart_talk(self, message: Message) -> None:
            reply = await self.call(Message(method="first", receiver="polite"))
            assert reply.body == "fine"

        def second(self, message: Message) -> Message:
            return message.reply(body="and you?")

    class Polite(GenAgent):
        async def afirst(self, message: Message) -> None:
            await asyncio.sleep(0)
            await self.send(message.reply(body="fine"))
            reply = await self.call(Message(method="second", receiver="asker"))  # it goes on, for it has its answer
            assert reply.body == "and you?"

    async def main() -> None:
        network = GenNetwork(agents=[Asker(id="asker"), Polite(id="polite")])
        async with stage.run(network, Message(method="start_talk", receiver="asker")) as run:
            await run.wait()

    stage.play(main())


# ---------------------------------------------------------------------------------------------- rings of calls


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_ring_of_calls_is_a_deadlock_that_names_the_ring(stage: Stage, size: int) -> None:
    async def main() -> None:
        names = [f"c{number}" for number in range(size)]
        callers = [Caller(id=name, next=following) for name, following in pairwise([*names, "c0"])]
        with pytest.raises(LlmNetError):
            async with stage.run(GenNetwork(agents=callers), Message(receiver="c0")):
                pass
        (error,) = [caller.error for caller in callers if isinstance(caller.error, Deadlock)]
        assert error.ring[0] == error.ring[-1]
        assert sorted(error.ring[1:]) == names

    stage.play(main())


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_ring_of_calls_that_take_time_is_a_deadlock_as_soon_as_it_closes(world: Stage, size: int) -> None:
    async def main() -> None:
        names = [f"c{number}" for number in range(size)]
        callers = [Caller(id=name, next=following, pause=1.0) for name, following in pairwise([*names, "c0"])]
        with pytest.raises(LlmNetError):
            async with world.run(GenNetwork(agents=callers), Message(receiver="c0")):
                pass
        assert isinstance(callers[-1].error, Deadlock)
        assert asyncio.get_running_loop().time() == size

    world.play(main())


class Pair(GenAgent):
    """Handles two messages at a time: the first calls `next`, the second answers."""

    concurrency: ClassVar[int] = 2

    next: str
    times: int = 2

    async def arequest(self, message: Message) -> Message:
        await asyncio.sleep(0)
        if message.body == "0":
            return message.reply(body="done")
        reply = await self.call(Message(receiver=self.next, body=str(int(message.body) - 1)))
        return message.reply(body=reply.body)


def test_an_agent_with_concurrency_two_may_call_itself_once(stage: Stage) -> None:
    async def main() -> None:
        async with stage.run(GenNetwork(agents=[Pair(id="p", next="p")]), Message(receiver="p", body="1")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "done"

    stage.play(main())


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_ring_of_agents_with_concurrency_two_holds_two_rounds_and_not_three(stage: Stage, size: int) -> None:
    async def main() -> None:
        names = [f"p{number}" for number in range(size)]

        def network() -> GenNetwork:
            return GenNetwork(agents=[Pair(id=name, next=following) for name, following in pairwise([*names, "p0"])])

        async with stage.run(network(), Message(receiver="p0", body=str(2 * size - 1))) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "done"
        with pytest.raises(LlmNetError, match="deadlock"):
            async with stage.run(network(), Message(receiver="p0", body=str(2 * size + 1))):
                pass

    stage.play(main())


def test_a_deadlock_can_be_caught_and_the_question_is_not_handled_any_more(stage: Stage) -> None:
    class Careful(GenAgent):
        asked: int = 0

        async def arequest(self, message: Message) -> Message:
            self.asked += 1
            with pytest.raises(Deadlock):
                await self.call(Message(receiver=self))
            return message.reply(body="never mind")

    async def main() -> None:
        async with stage.run(GenNetwork(agents=[careful := Careful(id="c")]), Message(receiver="c")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "never mind"
        assert careful.asked == 1
        assert run.statistics().expired == 1

    stage.play(main())


def test_a_ring_of_full_mailboxes_is_a_deadlock(stage: Stage) -> None:
    class Chatty(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=2)

        next: str

        async def arequest(self, message: Message) -> None:
            for _ in range(5):
                await self.send(Message(receiver=self.next, body="more"))

    async def main() -> None:
        network = GenNetwork(agents=[Chatty(id="a", next="b"), Chatty(id="b", next="a")])
        with pytest.raises(Deadlock, match="b waits for a waits for b"):
            async with stage.run(network, Message(receiver="a")):
                pass

    stage.play(main())


def test_an_agent_that_fills_its_own_mailbox_is_a_deadlock(stage: Stage) -> None:
    class Brooding(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=2)

        async def arequest(self, message: Message) -> None:
            for _ in range(5):
                await self.send(Message(receiver=self))

    async def main() -> None:
        with pytest.raises(LlmNetError, match="deadlock: b waits for b"):
            async with stage.run(GenNetwork(agents=[Brooding(id="b")]), Message(receiver="b")):
                pass

    stage.play(main())


def test_waiting_for_room_that_has_just_been_made_is_no_deadlock(stage: Stage) -> None:
    class Source(GenAgent):
        async def arequest(self, message: Message) -> None:
            for number in range(4):
                await self.send(Message(receiver="drain", body=str(number)))

        def note(self, message: Message) -> Message:
            return message.reply()

    class Drain(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=1)
        answers: int = 0

        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(0)
            if message.body == "3":  # by now nobody waits for room
                await self.call(Message(method="note", receiver="source"))
                self.answers += 1

    async def main() -> None:
        network = GenNetwork(agents=[Source(id="source"), drain := Drain(id="drain")])
        async with stage.run(network, Message(receiver="source")) as run:
            await run.wait()
        assert drain.answers == 1

    stage.play(main())


# ---------------------------------------------------------------------------------------------- open questions


def test_a_question_that_nobody_will_answer_is_an_error_at_once(stage: Stage) -> None:
    async def main() -> None:
        caller = Caller(id="caller", next="mute")
        with pytest.raises(Unanswered, match="'caller' waits for an answer of 'mute' to 'request'"):
            async with stage.run(GenNetwork(agents=[caller, Mute(id="mute")]), Message(receiver="caller")):
                pass

    stage.play(main())


def test_an_unanswered_question_is_an_error_at_once_though_it_has_a_timeout(world: Stage) -> None:
    class Patient(GenAgent):
        async def arequest(self, message: Message) -> None:
            with pytest.raises(Unanswered):
                await self.call(Message(receiver="mute"), timeout=100)

    async def main() -> None:
        async with world.run(GenNetwork(agents=[Patient(id="p"), Mute(id="mute")]), Message(receiver="p")) as run:
            await run.wait()
        assert asyncio.get_running_loop().time() == 0

    world.play(main())


def test_only_the_question_that_is_still_open_is_unanswered(world: Stage) -> None:
    class Both(GenAgent):
        async def arequest(self, message: Message) -> Message:
            reply = await self.call(Message(receiver="echo", body="first"))
            with pytest.raises(Unanswered):
                await self.call(Message(receiver="mute"))
            return message.reply(body=reply.body)

    async def main() -> None:
        agents = [Caller(id="caller", next="both"), Both(id="both"), Echo(id="echo", pause=1.0), Mute(id="mute")]
        async with world.run(GenNetwork(agents=agents), Message(receiver="caller")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "caller first"

    world.play(main())


def test_a_ring_that_closes_through_a_message_passed_on_is_a_deadlock(stage: Stage) -> None:
    class Secretary(GenAgent):
        def request(self, message: Message) -> Message:
            return message.forward("expert")

    class Expert(GenAgent):
        async def arequest(self, message: Message) -> Message | None:
            assert message.reply_to is not None
            await self.call(Message(receiver="caller", body="which?"))  # who waits for us, and has time for nobody
            return message.reply_to.reply(body="this")

    async def main() -> None:
        caller = Caller(id="caller", next="secretary")
        network = GenNetwork(agents=[caller, Secretary(id="secretary"), Expert(id="expert")])
        with pytest.raises(Deadlock):
            async with stage.run(network, Message(receiver="caller")):
                pass

    stage.play(main())


def test_who_waits_for_room_at_an_agent_with_an_unanswered_question_goes_on(stage: Stage) -> None:
    class Full(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=1)
        unanswered: int = 0

        async def arequest(self, message: Message) -> None:
            await asyncio.sleep(0)
            try:
                await self.call(Message(receiver="mute"))
            except Unanswered:
                self.unanswered += 1

    class Filler(GenAgent):
        async def arequest(self, message: Message) -> None:
            for _ in range(5):
                await self.send(Message(receiver="full"))

    async def main() -> None:
        network = GenNetwork(agents=[Filler(id="filler"), full := Full(id="full"), Mute(id="mute")])
        async with stage.run(network, Message(receiver="filler")) as run:
            await run.wait()
        assert full.unanswered == 5

    stage.play(main())


@pytest.mark.parametrize("asked", [["self", "self"], ["mute", "mute"], ["mute", "self"], ["busy", "mute"]])
def test_gathering_some_of_several_answers_that_cannot_come_is_an_error_at_once(stage: Stage, asked: list[str]) -> None:
    class Gatherer(GenAgent):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=1)
        errors: int = 0

        async def arequest(self, message: Message) -> None:
            if message.body != "first":
                return
            with pytest.raises((Unanswered, Deadlock)):
                await self.gather([Message(receiver=name) for name in asked], k=1)
            self.errors += 1

    class Busy(GenAgent):
        """Waits for room at who waits for it."""

        async def arequest(self, message: Message) -> None:
            for _ in range(5):
                await self.send(Message(receiver="self"))

    async def main() -> None:
        agents = [gatherer := Gatherer(id="self"), Mute(id="mute"), Busy(id="busy")]
        network = GenNetwork(agents=agents, supervision="skip")
        async with stage.run(network, Message(receiver="self", body="first")) as run:
            await run.wait()
        assert gatherer.errors == 1

    stage.play(main())


def test_a_periodic_handler_may_answer_an_open_question(world: Stage) -> None:
    class Batch(GenAgent):
        questions: list[Message] = []

        def request(self, message: Message) -> None:
            self.questions.append(message)

        @every(10.0)
        def answer(self, message: Message) -> list[Message]:
            replies = [question.reply(body="in a batch") for question in self.questions]
            self.questions.clear()
            return replies

    async def main() -> None:
        network = GenNetwork(agents=[Caller(id="caller", next="batch"), Batch(id="batch")])
        async with world.run(network, Message(receiver="caller")) as run:
            result = await run.wait()
        assert result is not None
        assert result.body == "caller in a batch"

    world.play(main())


def test_two_chains_of_calls_at_once_do_not_end_each_other(world: Stage) -> None:
    async def main() -> None:
        agents: list[GenAgent] = []
        for number in range(10):
            agents += [
                Caller(id=f"a{number}", next=f"b{number}", pause=number * 0.1),
                Caller(id=f"b{number}", next=f"c{number}"),
                Echo(id=f"c{number}", pause=1 - number * 0.05),
            ]
        async with world.run(GenNetwork(agents=agents)) as run:
            for number in range(10):
                await run.send(Message(receiver=f"a{number}", body=str(number)))
        assert run.statistics().handled == 10 * 6

    world.play(main())


def test_a_question_in_an_open_run_may_still_be_answered_from_the_outside(world: Stage) -> None:
    class Shy(GenAgent):
        answer: str = ""

        async def arequest(self, message: Message) -> None:
            self.answer = (await self.call(Message(sender=self, receiver=message.sender, body="what?"))).body

    async def main() -> None:
        async with world.run(GenNetwork(agents=[shy := Shy(id="shy")])) as run:
            await run.send(Message(sender="human", receiver="shy"))
            async for question in run:
                await asyncio.sleep(100)
                await run.send(question.reply(body="nothing"))
                break
        assert shy.answer == "nothing"

    world.play(main())


def test_a_call_times_out_when_the_answer_takes_too_long(world: Stage) -> None:
    class Hasty(GenAgent):
        async def arequest(self, message: Message) -> None:
            with pytest.raises(CallTimeout, match="'echo' did not answer 'request' within 2 s"):
                await self.call(Message(receiver="echo"), timeout=2)

    async def main() -> None:
        network = GenNetwork(agents=[Hasty(id="hasty"), Echo(id="echo", pause=5.0)])
        async with world.run(network, Message(receiver="hasty")) as run:
            await run.wait()
        assert run.statistics().dead == 1

    world.play(main())


def test_an_answer_just_in_time_is_an_answer(world: Stage) -> None:
    class Hasty(GenAgent):
        answers: int = 0

        async def arequest(self, message: Message) -> None:
            await self.call(Message(receiver="echo"), timeout=5.5)
            self.answers += 1

    async def main() -> None:
        network = GenNetwork(agents=[hasty := Hasty(id="hasty"), Echo(id="echo", pause=5.0)])
        async with world.run(network, Message(receiver="hasty")) as run:
            await run.wait()
        assert hasty.answers == 1
        assert run.statistics().dead == 0

    world.play(main())
