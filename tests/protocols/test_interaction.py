"""A network holds its members to its rules: what breaks them is not sent, and nobody else has to suffer for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from llm_net import GenAgent, GenNetwork, Mailbox, Message, simulation
from llm_net.address import Reference
from llm_net.errors import BrokenRule, InvalidArguments, MailboxFull, NotUnderstood
from llm_net.journal import MemoryJournal
from llm_net.places.processes import Processes
from llm_net.protocols.acts import AcceptProposal, Cfp, Inform, Refuse, RejectProposal
from llm_net.protocols.fipa.contract_net import Contract, ContractNet, Offer, Task
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Answers, Outcome
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema
from llm_net.testing.probe import Probe, Recorder
from tests.journal.crashes import (
    Crash,
    check_order,
    check_record,
    crash,
    gone_on,
    last_time,
    play_on,
    recorded,
    replayed,
)
from tests.journal.plays import Play, World


class Roofer(GenAgent):
    """Does what he is asked to, by the rules."""

    price: Decimal = Decimal(1)

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield Offer.reply(message, price=self.price)

    async def aaccept_proposal(self, message: AcceptProposal) -> AsyncIterator[Message]:
        yield Inform.reply(message, body="it is tight")

    def reject_proposal(self, message: RejectProposal) -> None:
        """Somebody else got it."""


class Crashes(Roofer):
    async def aaccept_proposal(self, message: AcceptProposal) -> AsyncIterator[Message]:
        raise ValueError("I fell")
        yield message


class Silent(Roofer):
    async def aaccept_proposal(self, message: AcceptProposal) -> AsyncIterator[Message]:
        return
        yield message


class Late(Roofer):
    async def aaccept_proposal(self, message: AcceptProposal) -> AsyncIterator[Message]:
        await asyncio.sleep(500)
        yield Inform.reply(message, body="it is tight")


class LateToOffer(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        await asyncio.sleep(500)
        yield Offer.reply(message, price=self.price)


class SkipsAhead(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield Inform.reply(message, body="done already")


class Plain(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield message.reply(method="propose", body="1 euro")


class Repeats(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield (offer := Offer.reply(message, price=self.price))
        yield Offer.reply(message, price=offer.price + 1)


class Forges(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield Offer.reply(message, price=self.price, sender=self.network["carla"])


class AnswersForOthers(Roofer):
    """Refuses what somebody else was asked."""

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        carla = self.network["carla"]
        assert isinstance(carla, Tells)
        await asyncio.sleep(0.5)
        yield Refuse.reply(carla.told[-1], receiver=message.sender, sender=self)


class Tells(Roofer):
    """Lets everybody see what she gets."""

    told: list[Message] = []

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        self.told.append(message)
        await asyncio.sleep(1)
        yield Offer.reply(message, price=self.price)


def outcome_of(
    network: GenNetwork, root: Message, *, status: str = "done", refused: list[BaseException | None] | None = None
) -> Message:
    """What comes of it in a world without real time; every message comes to an end. `refused` gets what was not sent, and why."""

    async def main() -> Message:
        recorder = Recorder()
        run = network.run(root, observers=[recorder])
        async with run:
            pass
        assert run.status == status
        recorder.check(run.statistics())
        if refused is not None:
            refused.extend(each.error for each in recorder.observations if each.kind == "refused")
        assert run.result is not None
        return run.result

    return simulation.run(main())


def contract(*members: GenAgent, **fields: Any) -> Contract:
    outcome = outcome_of(ContractNet(id="town", agents=members, **fields), Task(body="mend the roof"))
    assert isinstance(outcome, Contract)
    return outcome


# ---------------------------------------------------------------------------------------------- members of all kinds


@pytest.mark.parametrize(
    ("bob", "reason"),
    [
        (Crashes, "I fell"),
        (Silent, "that nobody will send"),
        (Late, "did not answer 'accept_proposal' within 120 s"),
        (LateToOffer, "no answer within 120 s"),
        (SkipsAhead, "cannot say 'inform' in fipa-contract-net when it is 'called'"),
        (Plain, "it has to be of class Offer, not Message"),
        (Forges, "spoke in the name of 'carla'|'carla'"),
        (AnswersForOthers, "what it answers was said to somebody else"),
    ],
)
def test_who_fails_is_absent_with_the_reason_and_the_next_best_gets_it(bob: type[Roofer], reason: str) -> None:
    outcome = contract(Tells(id="carla", price=Decimal(2), told=[]), bob(id="bob"))

    assert (outcome.contractor, outcome.price, outcome.body) == ("carla", Decimal(2), "it is tight")
    assert [*outcome.absent] == ["bob"]
    assert any(part in outcome.absent["bob"] for part in reason.split("|"))


def test_a_second_answer_is_refused_and_the_first_counts() -> None:
    outcome = contract(Repeats(id="bob"), Roofer(id="carla", price=Decimal(2)))

    assert (outcome.contractor, outcome.price, outcome.absent) == ("bob", Decimal(1), {})


class Sulks(Roofer):
    def reject_proposal(self, message: RejectProposal) -> None:
        raise ValueError("how dare you")


class Chatters(Roofer):
    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        yield Message(method="gossip", receiver=self.network)
        yield Offer.reply(message, price=self.price)


def test_what_nobody_waits_for_may_fail_and_is_found_among_the_dead_letters() -> None:
    async def main() -> list[str]:
        network = ContractNet(id="town", agents=[Chatters(id="bob"), Sulks(id="carla", price=Decimal(2))])
        async with network.run(Task(body="mend the roof")) as run:
            pass
        assert isinstance(run.result, Contract)
        assert run.result.contractor == "bob"
        return [f"{letter.address} {letter.message.method}" for letter in run.dead_letters]

    assert sorted(simulation.run(main())) == ["carla reject_proposal", "town gossip"]


def test_what_comes_from_outside_and_is_not_understood_is_an_error() -> None:
    with pytest.raises(NotUnderstood, match="'town' has no handler for 'tusk'"):
        ContractNet(id="town", agents=[Roofer(id="bob")]).result_of(Message(method="tusk"))


def test_members_that_do_not_understand_are_absent() -> None:
    outcome = contract(Probe(id="anna"), Roofer(id="bob"), GenAgent(id="carla"))

    assert outcome.contractor == "bob"
    assert [*outcome.absent] == ["anna", "carla"]


def test_a_network_without_members_has_an_outcome_too() -> None:
    assert contract() == contract().model_copy()
    assert contract().contractor is None


def test_who_watches_is_told_what_was_refused_and_why() -> None:
    recorder = Recorder()

    async def main() -> None:
        network = ContractNet(id="town", agents=[SkipsAhead(id="bob")])
        async with network.run(Task(body="mend the roof"), observers=[recorder]):
            pass

    simulation.run(main())
    told = [observation for observation in recorder.observations if isinstance(observation.error, BrokenRule)]
    assert [
        (each.kind, each.address, each.message and each.message.method) for each in told if each.kind == "refused"
    ] == [("refused", "town", "inform")]


# ---------------------------------------------------------------------------------------------- asking them all


class Colour(Message):
    """Name a colour."""

    colour: str


class Ask(Question):
    """Ask for a colour."""

    colours: tuple[str, ...] = ()

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"colour": {"type": "string", "enum": list(self.colours)}} if kind is Colour else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Colour) and answer.colour not in self.colours:
            return f"name one of {', '.join(self.colours)}"
        return None


class Begin(Message):
    """Ask all."""


class Colours(Outcome):
    """What was said."""

    said: dict[str, str] = {}


ASKING = exchange("asking", Ask, Colour, source="a test")


class Survey(InteractionProtocol):
    """Asks its members for a colour."""

    rules: ClassVar = (ASKING,)

    notes: int = 0

    def tell_me_more(self, message: Message) -> Message:
        return message.reply(body="blue")

    async def abegin(self, message: Begin) -> AsyncIterator[Message]:
        for _ in range(self.notes):
            yield Message(method="note", receiver="busy")
        asked = [Ask(colours=("red", "blue"), receiver=member, reply_to=message) for member in self]
        answers = await self.collect(asked)
        said = {name: answer.colour for name, answer in answers.of(Colour).items()}
        yield Colours.reply(message, said=said, absent=answers.absent)


class Member(GenAgent):
    colour: str = "red"

    def ask(self, message: Ask) -> Message:
        return Colour.reply(message, colour=self.colour)


class Busy(Member):
    """Has no time for letters."""

    mailbox: ClassVar[Mailbox] = Mailbox(limit=1, when_full="reject")

    async def anote(self, message: Message) -> None:
        await asyncio.sleep(1)


class Calls(Member):
    """Wants to know more before it answers."""

    async def aask(self, message: Ask) -> Message:
        more = await self.call(Message(method="tell_me_more", receiver=self.network))
        return Colour.reply(message, colour=more.body)


class Asked(Member):
    """Is busy with a question to the network when it is asked."""

    async def ago(self, message: Message) -> None:
        await self.call(Message(method="tell_me_more", receiver=self.network), timeout=5)


def survey(*members: GenAgent, **fields: Any) -> Colours:
    outcome = outcome_of(Survey(id="survey", agents=members, **fields), Begin())
    assert isinstance(outcome, Colours)
    return outcome


def test_a_member_whose_mailbox_rejects_is_absent_and_the_others_are_heard() -> None:
    outcome = survey(Member(id="anna"), Busy(id="busy"), Member(id="carla", colour="blue"), notes=1)

    assert outcome.said == {"anna": "red", "carla": "blue"}
    assert outcome.absent["busy"].startswith("mailbox of 'busy' is full (1 messages)")


def test_a_member_that_asks_back_who_waits_for_it_is_absent_and_the_others_are_heard() -> None:
    outcome = survey(Member(id="anna"), Calls(id="bob"))

    assert outcome.said == {"anna": "red"}
    assert [*outcome.absent] == ["bob"]


def test_a_wrong_answer_is_refused_at_who_gives_it() -> None:
    outcome = survey(Member(id="anna"), Member(id="bob", colour="green"))

    assert outcome.said == {"anna": "red"}
    assert "'bob' cannot say 'colour' in asking when it is 'asked': name one of red, blue" in outcome.absent["bob"]


def test_answers_that_came_later_count() -> None:
    early = Answers({"anna": Message(body="1")}, {"bob": "late"})
    late = Answers({"anna": Message(body="2"), "bob": Message(body="3")}, {})

    assert {name: answer.body for name, answer in (early | late).given.items()} == {"anna": "2", "bob": "3"}
    assert [answer.body for answer in early] == ["1"]


# ---------------------------------------------------------------------------------------------- networks within


class Crew(ContractNet):
    """Contractor and manager: has its own contractors do what it gets."""

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        answers = await self.collect(Cfp(body=message.body, receiver=member, reply_to=message) for member in self)
        best = min(answers.of(Offer).values(), key=lambda offer: offer.price)
        yield Offer.reply(message, price=best.price + 1)

    async def aaccept_proposal(self, message: AcceptProposal) -> AsyncIterator[Message]:
        yield Inform.reply(message, body="the crew did it")

    def reject_proposal(self, message: RejectProposal) -> None:
        """The crew is not wanted."""


class AsksAround(Roofer):
    """Has a friend outside of the crew do it: speaks over the border, by the rules."""

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        offer = await self.call(Cfp(body=message.body, receiver="dave", reply_to=message))
        assert isinstance(offer, Offer)
        yield Offer.reply(message, price=offer.price + 1)


def test_a_contract_net_may_be_a_contractor_of_another() -> None:
    crew = Crew(
        id="crew", agents=[Roofer(id="anna", price=Decimal(3)), Roofer(id="ben", price=Decimal(2)), SkipsAhead(id="ed")]
    )
    outcome = contract(crew, Roofer(id="carla", price=Decimal(9)), Roofer(id="dave", price=Decimal(7)))

    assert (outcome.contractor, outcome.price, outcome.body) == ("crew", Decimal(3), "the crew did it")
    assert outcome.absent == {}


def test_what_is_said_over_a_border_is_watched_where_both_are() -> None:
    crew = Crew(id="crew", agents=[AsksAround(id="anna")])
    outcome = contract(crew, Roofer(id="dave", price=Decimal(1)), Roofer(id="carla", price=Decimal(9)))

    assert outcome.absent == {}
    assert (outcome.contractor, outcome.price) == ("dave", Decimal(1))


def test_a_plain_network_inside_is_held_to_the_rules_around_it() -> None:
    class Office(GenNetwork):
        async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
            yield Inform.reply(message, body="done already")

    outcome = contract(Office(id="office", agents=[Roofer(id="anna")]), Roofer(id="carla", price=Decimal(9)))

    assert outcome.contractor == "carla"
    assert "'office' cannot say 'inform'" in outcome.absent["office"]


# ---------------------------------------------------------------------------------------------- from outside


def test_who_is_outside_is_held_to_the_rules_as_well() -> None:
    visitor = Reference("visitor")

    async def main() -> list[str]:
        network = ContractNet(id="town", agents=[Roofer(id="bob")])
        async with network.run() as run:
            await run.send(cfp := Cfp(body="a roof", sender=visitor, receiver="bob"))
            offer = await anext(aiter(run))
            assert isinstance(offer, Offer)
            with pytest.raises(BrokenRule, match="'visitor' cannot say 'cfp'"):
                await run.send(Cfp(sender=visitor, receiver="bob", reply_to=offer))
            with pytest.raises(BrokenRule, match="no conversation goes on"):
                await run.send(Inform(sender=visitor, receiver="bob"))
            await run.send(AcceptProposal(sender=visitor, receiver="bob", reply_to=offer))
            done = await anext(aiter(run))
            assert cfp.conversation == done.conversation
            return [offer.method, done.method]

    assert simulation.run(main()) == ["propose", "inform"]


def test_what_a_full_mailbox_did_not_take_from_outside_was_not_said() -> None:
    class Full(Roofer):
        mailbox: ClassVar[Mailbox] = Mailbox(limit=1, when_full="reject")

        async def anote(self, message: Message) -> None:
            await asyncio.sleep(1)

    visitor = Reference("visitor")

    async def main() -> None:
        network = ContractNet(id="town", agents=[Full(id="bob")])
        async with network.run() as run:
            for _ in range(2):
                await run.send(Message(method="note", sender=visitor, receiver="bob"))
                await asyncio.sleep(0.1)
            with pytest.raises(MailboxFull):
                await run.send(cfp := Cfp(sender=visitor, receiver="bob"))
            with pytest.raises(BrokenRule, match="no conversation goes on"):
                await run.send(RejectProposal(sender=visitor, receiver="bob", reply_to=cfp))
            await asyncio.sleep(3)
            await run.send(cfp)
            assert isinstance(await anext(aiter(run)), Offer)

    simulation.run(main())


# ---------------------------------------------------------------------------------------------- what may be said


class Curious(Member):
    """Looks at what it may say."""

    offered: list[dict[str, Any]] = []
    wrong: list[str] = []

    def ask(self, message: Ask) -> Message:
        network = self.network
        assert isinstance(network, InteractionProtocol)
        self.offered.extend(dict(each) for each in network.init_fns(self))
        for name, arguments in (
            ("begin", "{}"),
            ("colour", '{"colour": "green"}'),
            ("colour", '{"colour": 3}'),
            ("colour", "{"),
        ):
            with pytest.raises(InvalidArguments) as raised:
                network.message_from(arguments, name=name, sender=self, answering=message)
            self.wrong.append(str(raised.value))
        return network.message_from('{"colour": "blue"}', name="colour", sender=self, answering=message)


def test_exactly_what_is_allowed_is_offered_and_nothing_else_taken() -> None:
    curious = Curious(id="curious", offered=[], wrong=[])
    outcome = survey(curious, Member(id="anna"))

    assert outcome.said == {"curious": "blue", "anna": "red"}
    assert {each["name"] for each in curious.offered} == {"colour", "refuse", "not_understood"}
    colour = next(each for each in curious.offered if each["name"] == "colour")
    properties: Any = colour["parameters"]["properties"]
    assert properties["colour"] == {"type": "string", "enum": ["red", "blue"]}
    assert properties["receiver"]["enum"] == ["survey"]
    assert not {"sender", "reply_to", "method", "deadline", "protocol", "role"} & properties.keys()
    assert (
        curious.wrong[0]
        == "Arguments of begin are wrong. It may not be said now; allowed are colour, refuse, not_understood."
    )
    assert curious.wrong[1] == "Arguments of colour are wrong. name one of red, blue."
    assert "Input should be a valid string" in curious.wrong[2]
    assert "not JSON" in curious.wrong[3]


def test_outside_of_conversations_one_may_be_begun_and_what_the_rules_do_not_know_be_said() -> None:
    class Friend(Roofer):
        def chat(self, message: Message) -> None:
            """Hears it."""

    network = ContractNet(id="town", agents=[Friend(id="anna"), Friend(id="bob")])

    assert {each["name"] for each in network.init_fns("anna")} == {"cfp", "chat"}


def test_a_stranger_s_message_is_none_of_the_rules() -> None:
    network = ContractNet(id="town", agents=[Roofer(id="anna")])

    assert network.standing(network["anna"]) is None
    with pytest.raises(InvalidArguments, match="offer"):
        network.message_from("{}", name="offer", sender=network["anna"])


# ---------------------------------------------------------------------------------------------- a record


def town(world: World) -> GenAgent:
    """All sorts of members: what is refused, raised and late is on record too."""
    return ContractNet(id="town", agents=[
        Roofer(id="anna", price=Decimal(5)), SkipsAhead(id="bob"), Plain(id="ben"), Crashes(id="carla", price=Decimal(2)),
        Silent(id="dave", price=Decimal(3)), GenAgent(id="ed"), Repeated(id="fay", price=Decimal(4)),
    ])  # fmt: skip


class Repeated(Roofer):
    """Says something wrong, is told so, and says it better."""

    async def acfp(self, message: Cfp) -> AsyncIterator[Message]:
        try:
            await self.send(Inform.reply(message))
        except BrokenRule:
            yield Offer.reply(message, price=self.price)


@dataclass(frozen=True)
class Typed(Play):
    """Its root is a message of this class."""

    root: type[Message] = Task

    def messages(self) -> list[Message]:
        return [self.root(id="root", sender=Reference("you"), receiver="town")]


def test_a_run_that_was_killed_anywhere_goes_on_by_the_rules_to_the_same_end() -> None:
    play = Typed(town, [{}])
    facts, whole, run = recorded(play)

    assert whole.status == "done"
    check_record(facts)
    check_order(facts, town(World()))
    for upto in range(1, len(facts) + 1):
        after, outcome = gone_on(play, crash(facts, upto, happened=False), run)
        where = f"killed after fact {upto} of {len(facts)}"
        check_record(after)
        assert (outcome.status, outcome.error) == (whole.status, whole.error), where
        assert outcome.deliveries == whole.deliveries, where
        replayed(play, after, run)


class Hurried(Survey):
    """Gives its members a second."""

    async def abegin(self, message: Begin) -> AsyncIterator[Message]:
        due = self.now() + timedelta(seconds=1)
        asked = [Ask(colours=("red",), receiver=member, reply_to=message, deadline=due) for member in self]
        answers = await self.collect(asked)
        yield Colours.reply(message, said=dict.fromkeys(answers.given, "red"), absent=answers.absent)


class Thoughtful(Member):
    """Answers, and then has something to do."""

    async def aask(self, message: Ask) -> AsyncIterator[Message]:
        yield Colour.reply(message, colour="red")
        await self.call(Message(method="hello", receiver="anna"), timeout=1)


class Greets(Member):
    def hello(self, message: Message) -> Message:
        return message.reply()


def test_what_was_said_in_time_is_in_time_when_the_run_goes_on_a_day_later() -> None:
    def build(world: World) -> GenAgent:
        return Hurried(id="town", agents=[Thoughtful(id="bob"), Greets(id="anna")])

    play = Typed(build, [{}], root=Begin)
    facts, whole, run = recorded(play)
    for upto in range(1, len(facts) + 1):
        after = crash(facts, upto, happened=False)

        async def main(after: Crash = after) -> str:
            journal = MemoryJournal()
            await journal.write(run, after.facts)
            _, status, error, _ = await play_on(play, after.world, journal, run, {})
            return f"{status} {error}"

        assert simulation.run(main(), start=last_time(after.facts) + timedelta(days=1)) == f"{whole.status} "


# ---------------------------------------------------------------------------------------------- elsewhere


def test_members_in_other_processes_are_held_to_the_rules_too() -> None:
    network = ContractNet(
        id="town",
        agents=[SkipsAhead(id="bob"), Crashes(id="carla", price=Decimal(1)), Roofer(id="dave", price=Decimal(2))],
    )

    outcome = network.result_of(Task(body="mend the roof"), runtime=Processes(workers=2))

    assert isinstance(outcome, Contract)
    assert (outcome.contractor, outcome.price) == ("dave", Decimal(2))
    assert "'bob' cannot say 'inform'" in outcome.absent["bob"]
    assert "I fell" in outcome.absent["carla"]
