"""Members of a `Fipa` speak by themselves: they ask, order, subscribe, propose, and call for proposals, by all rules at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from llm_net import GenAgent, Message, handles, simulation
from llm_net.errors import BrokenRule
from llm_net.journal import MemoryJournal
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import (
    ACTS,
    AcceptProposal,
    Agree,
    Cancel,
    Cfp,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    QueryIf,
    QueryRef,
    Refuse,
    RejectProposal,
    Request,
    RequestWhen,
    Subscribe,
)
from llm_net.protocols.fipa.fipa import Fipa
from llm_net.protocols.participant import Person, Voice
from llm_net.protocols.rules import act_of
from llm_net.record import Sent
from tests.protocols.fipa.members import Crashing, Doer, Lying, Silent


class Say(Message):
    """Say this to somebody."""

    act: str = "request"
    to: str = "bob"


class Asker(GenAgent):
    """Says what it is told to say, and keeps what it hears."""

    told: list[str] = []

    def say(self, message: Say) -> Message:
        (kind,) = [kind for kind in ACTS if act_of(kind) == message.act]
        return kind(body=message.body, receiver=message.to, reply_to=message)

    @handles(Agree, Refuse, Inform, Failure, NotUnderstood, AcceptProposal, RejectProposal)
    def hear(self, message: Message) -> None:
        self.told.append(f"{message.method}: {message.body}".removesuffix(": "))


def told(other: GenAgent, *says: Say) -> list[str]:
    """What anna hears when she says something to bob."""

    async def main() -> list[str]:
        network = Fipa(id="house", agents=[anna := Asker(id="anna"), other])
        async with network.run() as run:
            for say in says:
                await run.send(say.model_copy(update={"receiver": anna}))
        return anna.told

    return simulation.run(main())


@pytest.mark.parametrize(
    ("bob", "heard"),
    [
        (Doer(id="bob"), ["inform: bob did tea"]),
        (Doer(id="bob", agrees=True), ["agree", "inform: bob did tea"]),
        (Doer(id="bob", willing=False), ["refuse: not I"]),
        (Silent(id="bob"), []),
        (Crashing(id="bob"), []),
        (Lying(id="bob"), []),
    ],
)
def test_a_request_is_done_or_refused_and_to_agree_first_is_as_one_likes(bob: GenAgent, heard: list[str]) -> None:
    assert told(bob, Say(body="tea")) == heard


class Oracle(GenAgent):
    """Knows what is true, and what fits."""

    def query_if(self, message: QueryIf) -> Message:
        return Inform.reply(message, body=f"it is true that {message.body}")

    def query_ref(self, message: QueryRef) -> Message:
        return Failure.reply(message, body=f"nothing is {message.body}")


def test_a_question_is_whether_something_is_true_or_which_thing_fits() -> None:
    heard = told(Oracle(id="bob"), Say(act="query_if", body="it rains"), Say(act="query_ref", body="blue"))

    assert heard == ["inform: it is true that it rains", "failure: nothing is blue"]


class Gardener(GenAgent):
    """Waters the garden when it is dry."""

    agrees: bool = True
    asked: list[Message] = []

    def request_when(self, message: RequestWhen) -> Message | None:
        self.asked.append(message)
        return Agree.reply(message) if self.agrees else None

    def dry(self, message: Message) -> list[Message]:
        waiting, self.asked = self.asked, []
        return [Inform.reply(wish, body="watered") for wish in waiting]


class Weather(GenAgent):
    def say(self, message: Say) -> Message:
        return Message(method="dry", receiver="bob")


@pytest.mark.parametrize(("agrees", "heard"), [(True, ["agree", "inform: watered"]), (False, [])])
def test_who_is_asked_for_later_has_to_agree_before_it_does_it(agrees: bool, heard: list[str]) -> None:
    async def main() -> list[str]:
        network = Fipa(
            id="house", agents=[anna := Asker(id="anna"), Gardener(id="bob", agrees=agrees), Weather(id="sun")]
        )
        async with network.run() as run:
            await run.send(Say(act="request_when", receiver="anna"))
            await run.send(Say(receiver="sun"))
        return anna.told

    assert simulation.run(main()) == heard


class Publisher(GenAgent):
    """Tells who subscribed of each change, until it is cancelled or it fails."""

    readers: list[Message] = []

    def subscribe(self, message: Subscribe) -> Message:
        self.readers.append(message)
        return Agree.reply(message)

    def change(self, message: Message) -> list[Message]:
        return [Inform.reply(reader, body=message.body) for reader in self.readers]

    def fail(self, message: Message) -> list[Message]:
        return [Failure.reply(reader, body="I have no more news") for reader in self.readers]

    def cancel(self, message: Cancel) -> Message:
        wish = message.closest(Subscribe)
        self.readers = [reader for reader in self.readers if reader != wish]
        return Inform.reply(message, body="you hear no more")


class Reader(GenAgent):
    """Subscribes, and has enough of it after so many news."""

    enough: int = 2
    told: list[str] = []
    news: int = 0

    def start(self, message: Message) -> Message:
        return Subscribe(receiver="bob", reply_to=message)

    @handles(Agree, Inform, Failure)
    def hear(self, message: Message) -> Message | None:
        self.told.append(message.body or message.method)
        self.news += isinstance(message, Inform)
        if isinstance(message, Inform) and self.news == self.enough:
            return Cancel(receiver=message.sender, reply_to=message.closest(Subscribe))
        return None


def heard_by(anna: Reader, bob: Publisher, *news: str) -> list[str]:
    async def main() -> list[str]:
        async with Fipa(id="house", agents=[anna, bob]).run() as run:
            await run.send(Message(method="start", receiver="anna"))
            await asyncio.sleep(1)  # of the virtual clock: until bob knows of it
            for each in news:
                await run.send(Message(method="fail" if each == "fail" else "change", body=each, receiver="bob"))
        return anna.told

    return simulation.run(main())


def test_a_subscriber_hears_of_each_change_until_it_cancels() -> None:
    """News that crosses the cancel is let through."""
    heard = heard_by(Reader(id="anna"), bob := Publisher(id="bob"), "one", "two", "three")

    assert heard[:3] == ["agree", "one", "two"]
    assert sorted(heard[3:]) == ["three", "you hear no more"]
    assert bob.readers == []


def test_a_failure_ends_a_subscription() -> None:
    assert heard_by(Reader(id="anna", enough=9), Publisher(id="bob"), "one", "fail", "two") == [
        "agree",
        "one",
        "I have no more news",
    ]


class Buyer(GenAgent):
    """Wants what is cheap."""

    def propose(self, message: Propose) -> Message:
        wanted = "cheap" in message.body
        return AcceptProposal.reply(message) if wanted else RejectProposal.reply(message, body="too dear")


def test_who_proposes_hears_whether_it_is_wanted() -> None:
    heard = told(Buyer(id="bob"), Say(act="propose", body="cheap tea"), Say(act="propose", body="gold"))

    assert heard == ["accept_proposal", "reject_proposal: too dear"]


class Manager(Asker):
    """Haggles once where its rules allow it, and accepts."""

    by: str

    def start(self, message: Message) -> Message:
        return Cfp(receiver="bob", protocol=self.by, reply_to=message)

    @handles(Propose)
    def proposed(self, message: Propose) -> Message:
        haggles = not any(isinstance(each, Propose) for each in message.thread()[:-1])
        return (Cfp if haggles else AcceptProposal).reply(message)


class Worker(GenAgent):
    def cfp(self, message: Cfp) -> Message:
        return Propose.reply(message)

    def accept_proposal(self, message: AcceptProposal) -> Message:
        return Inform.reply(message, body="done")


@pytest.mark.parametrize("by", ["fipa-contract-net", "fipa-iterated-contract-net"])
def test_the_protocol_that_is_named_says_whether_one_may_call_again(by: str) -> None:
    async def main() -> list[str]:
        network = Fipa(id="house", agents=[anna := Manager(id="anna", by=by), Worker(id="bob")])
        async with network.run(Message(method="start", receiver="anna")) as run:
            await run.wait()
        broken = [letter.reason for letter in run.dead_letters]
        assert all(isinstance(reason, BrokenRule) for reason in broken)
        return [*map(str, broken), *anna.told]

    heard = simulation.run(main())

    if by == "fipa-contract-net":
        (broken,) = heard
        assert "'anna' cannot say 'cfp' in fipa-contract-net when it is 'proposed'" in broken
        assert "it may say reject_proposal, accept_proposal" in broken
    else:
        assert heard == ["inform: done"]


def test_who_answers_after_the_deadline_is_not_heard() -> None:
    class Slow(GenAgent):
        async def arequest(self, message: Request) -> AsyncIterator[Message]:
            yield Agree.reply(message)  # in time; from then on there is none
            await self.delay(60)
            yield Inform.reply(message, body="at last")

    class Slower(GenAgent):
        async def arequest(self, message: Request) -> Message:
            await self.delay(60)
            return Inform.reply(message, body="at last")

    class Hasty(Asker):
        def start(self, message: Message) -> Message:
            return Request(receiver="bob", reply_to=message, deadline=self.now() + timedelta(seconds=30))

    async def main(bob: GenAgent) -> list[str]:
        network = Fipa(id="house", agents=[anna := Hasty(id="anna"), bob])
        async with network.run(Message(method="start", receiver="anna")) as run:
            await run.wait()
        return anna.told

    assert simulation.run(main(Slow(id="bob"))) == ["agree", "inform: at last"]
    assert simulation.run(main(Slower(id="bob"))) == []


def test_a_voice_that_agrees_goes_on_to_do_it() -> None:
    model = ScriptedModel(['{"act": "agree"}', "I will.", '{"act": "inform"}', "It is done."])

    assert told(Voice(id="bob", model=model, stepwise=True), Say(body="tea")) == [
        "agree: I will.",
        "inform: It is done.",
    ]


def test_a_person_that_agrees_goes_on_to_do_it() -> None:
    asked: list[str] = []

    def read(text: str) -> str:
        asked.append(text)
        return ["agree", "I will.", "failure", "I have no tea."][len(asked) - 1]

    assert told(Person(id="bob", read=read), Say(body="tea")) == ["agree: I will.", "failure: I have no tea."]
    assert "inform, agree, refuse, failure?" in asked[0]
    assert "inform, failure?" in asked[2]


def test_a_conversation_is_resumed_and_replayed() -> None:
    def house() -> Fipa:
        return Fipa(id="house", agents=[Asker(id="anna"), Doer(id="bob", agrees=True)])

    async def main() -> None:
        journal = MemoryJournal()
        async with house().run(Say(body="tea", receiver="anna"), journal=journal) as run:
            await run.wait()
        facts = [fact async for fact in journal.read(run.id)]
        for cut, fact in enumerate(facts):
            if isinstance(fact, Sent):
                rest = MemoryJournal()
                await rest.write(run.id, facts[: cut + 1])
                again = house()
                async with again.resume(rest, run.id) as resumed:
                    await resumed.wait()
                assert not resumed.dead_letters
        await house().replay(journal, run.id)

    asyncio.run(main())


def test_a_subscription_outlives_the_process_in_which_it_was_made() -> None:
    def house() -> tuple[Fipa, Reader]:
        anna = Reader(id="anna")
        return Fipa(id="house", agents=[anna, Publisher(id="bob")]), anna

    async def main() -> list[str]:
        journal = MemoryJournal()
        network, _ = house()
        async with network.run(journal=journal) as run:
            await run.send(Message(method="start", receiver="anna"))
            await asyncio.sleep(1)
            await run.send(Message(method="change", body="news", receiver="bob"))
        facts = [fact async for fact in journal.read(run.id)]
        (cut,) = [index for index, fact in enumerate(facts) if isinstance(fact, Sent) and fact.method == "change"]
        rest = MemoryJournal()
        await rest.write(run.id, facts[: cut + 1])
        network, anna = house()
        async with network.resume(rest, run.id) as again:
            await again.wait()
        assert not again.dead_letters
        return anna.told

    assert simulation.run(main()) == ["agree", "news"]
