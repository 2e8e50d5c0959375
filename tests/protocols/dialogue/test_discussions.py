"""Discussions and floors: who is asked is told all that was said, and one alone has the floor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.errors import AgentFailed
from llm_net.journal import MemoryJournal
from llm_net.protocols.acts import NotUnderstood
from llm_net.protocols.dialogue.discussion import Discussion, Hand, Hands, Next, WhoNext
from llm_net.protocols.dialogue.ending import Turns, Words
from llm_net.protocols.dialogue.floor import Done, Floor, GoOn, Grant, Interrupt, Interrupted, Listen, Overhear
from llm_net.protocols.dialogue.line import Line
from llm_net.protocols.dialogue.selection import URGENT, ByHands, ByRule, BySelector
from llm_net.protocols.dialogue.turn import Minutes, Say, Skip, TakeTurn, TimeUp, Topic
from llm_net.record import Sent
from tests.protocols.dialogue.members import Crashing, Late, Lying, Member, Says, Silent, outcome


def speaker(id: str, *words: str) -> Member:
    """Says these things one after the other, then nothing more."""

    def say(turn: TakeTurn) -> Message:
        mine = sum(line.speaker == id for line in turn.said)
        return Say.reply(turn, body=words[mine]) if mine < len(words) else Skip.reply(turn)

    return Member(id=id, says={TakeTurn: say})


def minutes(network: Discussion | Floor, body: str = "bees", *, seed: int = 0) -> Minutes:
    end = outcome(network, Topic(body=body), seed=seed)
    assert isinstance(end, Minutes)
    return end


def told(end: Minutes) -> list[str]:
    return [str(line) for line in end.said]


def test_they_speak_in_turn_until_nobody_has_anything_to_say() -> None:
    room = Discussion(id="room", agents=[speaker("ann", "Bees sting.", "Rarely."), speaker("bob", "They feed us.")])

    end = minutes(room)

    assert told(end)[:3] == ["ann: Bees sting.", "bob: They feed us.", "ann: Rarely."]
    assert told(end)[3:] == ["bob says nothing", "ann says nothing"]
    assert end.reason == "nobody has anything to say"
    assert end.absent == {}


def test_everybody_is_told_the_topic_and_all_that_was_said_and_nothing_else() -> None:
    members = [speaker(name, "one", "two") for name in ("ann", "bob", "cat")]
    end = minutes(Discussion(id="room", agents=members, ending=Turns(6)))

    for place, member in enumerate(members):
        turns = [message for message in member.told if isinstance(message, TakeTurn)]
        assert [turn.body for turn in turns] == ["bees", "bees"]
        assert [turn.said for turn in turns] == [end.said[:place], end.said[: place + 3]]
        assert len(member.told) == 2


def test_who_fails_or_is_late_has_left_and_the_others_talk_on() -> None:
    leaving = Member(id="dan", says={TakeTurn: lambda turn: NotUnderstood.reply(turn, body="I have to go.")})
    wrong: list[GenAgent] = [Silent(id="sam"), Crashing(id="cid"), Late(id="lea"), Lying(id="lyn")]
    room = Discussion(id="room", agents=[leaving, *wrong, speaker("ann", "a", "b"), speaker("bob", "c")])

    end = minutes(room)

    assert [line for line in told(end) if "nothing" not in line] == ["ann: a", "bob: c", "ann: b"]
    assert end.absent.keys() == {"dan", "sam", "cid", "lea", "lyn"}
    assert end.absent["dan"] == "I have to go."
    assert end.absent["lea"] == "no answer within 120 s"


def test_it_is_over_after_the_most_turns_whatever_the_ending_says() -> None:
    room = Discussion(id="room", agents=[speaker("ann", *"abcdefgh")], ending=Words("never"), most=5)

    assert len(minutes(room).said) == 5


def test_where_nobody_is_left_it_is_over() -> None:
    assert minutes(Discussion(id="room", agents=[Silent(id="ann")])).reason == "nobody is left"
    assert minutes(Discussion(id="room")).said == ()


# ------------------------------------------------------------------------------------------ selectors


def test_a_selector_names_who_speaks_and_can_name_nobody_else() -> None:
    names = iter(["bob", "bob", "ann"])
    chair = Member(id="chair", says={WhoNext: lambda question: Next.reply(question, name=next(names))})
    members = [chair, speaker("ann", "a"), speaker("bob", "b", "c")]

    end = minutes(Discussion(id="room", agents=members, selection=BySelector("chair"), ending=Turns(3)))

    assert told(end) == ["bob: b", "bob: c", "ann: a"]
    assert [question.members for question in chair.told if isinstance(question, WhoNext)] == [("ann", "bob")] * 3


@pytest.mark.parametrize("name", ["TERMINATE", "chair", "", "Ann"])
def test_a_selector_who_names_somebody_else_is_not_heard_and_the_declared_rule_decides(name: str) -> None:
    chair = Member(id="chair", says={WhoNext: lambda question: Next.reply(question, name=name)})
    members = [chair, speaker("ann", "a"), speaker("bob", "b")]
    otherwise = ByRule(lambda members, said: "bob")

    end = minutes(Discussion(id="room", agents=members, selection=BySelector("chair", otherwise), ending=Turns(1)))

    assert told(end) == ["bob: b"]
    assert "name one of ann, bob" in end.absent["chair"]


def test_a_model_is_offered_the_members_and_nobody_else() -> None:
    question = WhoNext(body="bees", members=("ann", "bob"))

    assert question.fields_for(Next) == {"name": {"type": "string", "enum": ["ann", "bob"]}}


def test_a_selector_who_is_no_member_is_an_error_with_its_cure() -> None:
    with pytest.raises(AgentFailed, match="'chair' is no member; name one of ann"):
        minutes(Discussion(id="room", agents=[speaker("ann")], selection=BySelector("chair")))


def test_a_selection_that_names_somebody_else_does_not_stop_them() -> None:
    class Stranger:
        def pick(self, members: Sequence[str], said: Sequence[Line], chance: Random) -> str:
            return "nobody"

    room = Discussion(
        id="room", agents=[speaker("ann", "a"), speaker("bob", "b")], selection=Stranger(), ending=Turns(2)
    )

    assert told(minutes(room)) == ["ann: a", "bob: b"]


# ------------------------------------------------------------------------------------------ raised hands


def eager(id: str, urgency: int) -> Member:
    return Member(
        id=id,
        says={
            Hands: lambda hands: Hand.reply(hands, urgency=urgency),
            TakeTurn: lambda turn: Say.reply(turn, body="so"),
        },
    )


def test_who_wants_it_most_speaks_first_and_nobody_who_wants_to_is_left_out() -> None:
    room = Discussion(
        id="room",
        agents=[eager("ann", 1), eager("bob", URGENT), eager("cat", 0)],
        selection=ByHands(),
        ending=Turns(40),
    )

    spoken = [line.speaker for line in minutes(room).said]

    assert spoken[0] == "bob"
    assert "cat" not in spoken
    assert "ann" in spoken[: URGENT + 1]


def test_where_no_hand_is_raised_it_is_over() -> None:
    room = Discussion(id="room", agents=[eager("ann", 0), eager("bob", 0)], selection=ByHands())

    assert minutes(room).reason == "nobody wants to speak"


# ------------------------------------------------------------------------------------------ the floor


def holder(id: str, *sentences: str, interrupts: str = "…") -> Member:
    """Says these sentences whenever it has the floor, and interrupts whoever says a certain word."""

    def go_on(message: Grant | GoOn) -> Message:
        mine = sum(isinstance(each, Say) for each in message.thread())
        return Say.reply(message, body=sentences[mine]) if mine < len(sentences) else Done.reply(message)

    def overhear(message: Overhear) -> Message:
        return Interrupt.reply(message) if interrupts in message.body else Listen.reply(message)

    says: Says = {Grant: go_on, GoOn: go_on, Overhear: overhear}
    return Member(id=id, says=says)


def floor(*members: GenAgent, **fields: Any) -> Floor:
    return Floor(id="room", agents=members, **{"ending": Turns(4), **fields})


def test_one_says_sentence_by_sentence_what_it_has_to_say_and_yields() -> None:
    end = minutes(floor(holder("ann", "Bees sting.", "Rarely."), holder("bob", "Indeed."), ending=Turns(2)))

    assert told(end) == ["ann: Bees sting. Rarely.", "bob: Indeed."]


def test_who_is_interrupted_is_told_and_the_interrupter_has_the_floor_next() -> None:
    ann, bob, cat = holder("ann", "Bees", "sting", "me"), holder("bob", "No."), holder("cat", "No!", interrupts="sting")

    end = minutes(floor(ann, bob, cat, ending=Turns(3)))

    assert told(end) == ["ann: Bees sting", "cat: No!", "bob: No."]
    assert [message.by for message in ann.told if isinstance(message, Interrupted)] == ["cat"]
    assert not any(isinstance(message, Interrupted | TimeUp) for message in [*bob.told, *cat.told])


def test_the_floor_is_taken_back_when_the_words_are_over() -> None:
    ann = holder("ann", "one two three", "four five", "six")

    end = minutes(floor(ann, words=5, ending=Turns(1)))

    assert told(end) == ["ann: one two three four five"]
    assert [message.words for message in ann.told if isinstance(message, GoOn)] == [2]
    assert [message.body for message in ann.told if isinstance(message, TimeUp)] == ["5 words are over"]


def test_the_floor_is_taken_back_when_the_time_is_over_and_who_is_late_is_not_heard() -> None:
    end = minutes(floor(Late(id="lea"), holder("ann", "so"), seconds=5.0, ending=Turns(1)))

    assert told(end) == ["ann: so"]
    assert end.absent == {"lea": "no answer within 5 s"}


@settings(max_examples=15, deadline=None)
@given(st.integers(), st.integers(2, 4))
def test_one_alone_has_the_floor_and_nobody_starves(seed: int, count: int) -> None:
    """Some interrupt all the time; one never does, and has its turn within the bound all the same."""
    chance = Random(seed)
    members = [holder(f"m{index}", "a", "b", interrupts=chance.choice("ab…")) for index in range(count)]
    quiet = holder("quiet", "a", "b")

    end = minutes(floor(*members, quiet, ending=Turns(2 * (URGENT + count)), words=2))

    order = [line.speaker for line in end.said]
    waits = [place for place, name in enumerate(order) if name == "quiet"]
    gaps = [after - before for before, after in zip([-1, *waits], [*waits, len(order)], strict=True)]
    assert max(gaps) <= URGENT + count + 1


# ------------------------------------------------------------------------------------------ recorded, and nested


def test_a_discussion_is_resumed_wherever_it_was_cut_off_and_replayed() -> None:
    def room() -> Floor:
        ann, bob = holder("ann", "Bees", "sting"), holder("bob", "No.", interrupts="sting")
        return floor(ann, bob, ending=Turns(3))

    async def main() -> None:
        journal = MemoryJournal()
        async with room().run(Topic(body="bees"), journal=journal) as run:
            whole = await run.wait()
        assert isinstance(whole, Minutes)
        facts = [fact async for fact in journal.read(run.id)]
        for cut, fact in enumerate(facts):
            if isinstance(fact, Sent) and fact.receiver:
                rest = MemoryJournal()
                await rest.write(run.id, facts[: cut + 1])
                async with room().resume(rest, run.id) as again:
                    end = await again.wait()
                assert isinstance(end, Minutes)
                assert told(end) == told(whole)
        await room().replay(journal, run.id)

    asyncio.run(main())


class Committee(Discussion):
    """A discussion that takes part in another one: what it says there is what its last member said."""

    async def atake_turn(self, message: TakeTurn) -> Message:
        end = await self.atopic(Topic.reply(message, body=message.body, receiver=self))
        return Say.reply(message, body=end.said[-1].text)


def test_a_network_takes_part_as_anybody_else() -> None:
    committee = Committee(id="committee", agents=[speaker("eve", "Hm."), speaker("fay", "Aye.")], ending=Turns(2))
    hall = Discussion(id="hall", agents=[speaker("ann", "Shall we?"), committee], ending=Turns(2))

    assert told(minutes(hall)) == ["ann: Shall we?", "committee: Aye."]
