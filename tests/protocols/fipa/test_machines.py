"""The laws that hold for every table of rules of FIPA, whoever speaks and whatever is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net import Message
from llm_net.address import Reference
from llm_net.errors import BrokenRule
from llm_net.protocols.acts import ACTS
from llm_net.protocols.fipa.fipa import FIPA
from llm_net.protocols.meta import CANCELLING
from llm_net.protocols.monitor import Monitor
from llm_net.protocols.picture import own_moves
from llm_net.protocols.rules import EXPIRED, START, Rules, Speaker, act_of

each = pytest.mark.parametrize("rules", FIPA, ids=lambda rules: rules.name)
SIDES: dict[Speaker, Reference] = {"initiator": Reference("anna"), "participant": Reference("bob")}
OTHER: dict[Speaker, Speaker] = {"initiator": "participant", "participant": "initiator"}
KINDS = {act_of(kind): kind for kind in ACTS}
words = st.lists(st.tuples(st.sampled_from(("initiator", "participant")), st.sampled_from(sorted(KINDS))), max_size=12)
tables = st.sampled_from(FIPA)


def say(rules: Rules, speaker: Speaker, act: str, answered: Message | None, **fields: object) -> Message:
    return KINDS[act].model_validate(
        {
            "sender": SIDES[speaker],
            "receiver": SIDES[OTHER[speaker]],
            "reply_to": answered,
            "protocol": rules.name,
            **fields,
        }
    )


class Talk:
    """One conversation, told to a monitor word by word: each is an answer to the last that was let through."""

    def __init__(self, rules: Rules, *, opening: str | None = None) -> None:
        self.rules = rules
        self.monitor = Monitor([rules])
        self.state = START
        self.said: list[Message] = []
        assert self.say("initiator", opening or min(rules.openings))

    @property
    def is_over(self) -> bool:
        return not self.monitor.sessions

    def say(self, speaker: Speaker, act: str) -> bool:
        """Whether this word was let through."""
        return self.tell(say(self.rules, speaker, act, self.said[-1] if self.said else None))

    def tell(self, message: Message) -> bool:
        try:
            admitted = self.monitor.admit(message)
        except BrokenRule:
            return False
        if admitted and message not in self.said:
            self.said.append(message)
            speaker: Speaker = "initiator" if message.sender == SIDES["initiator"] else "participant"
            self.state = self.rules.next(self.state, speaker, message.method) or ""
        return admitted


def paths(rules: Rules, state: str = START, seen: tuple[str, ...] = ()) -> Iterator[list[tuple[Speaker, str]]]:
    """Every way to an end, a state twice at most."""
    if state in rules.ends:
        yield []
    for move in rules.moves:
        if move.state == state and seen.count(move.then) < 2:
            for rest in paths(rules, move.then, (*seen, move.then)):
                yield [(move.speaker, act_of(move.kind)), *rest]


@each
def test_every_way_through_the_table_is_let_through_to_its_end(rules: Rules) -> None:
    ways = [*paths(rules)]
    for (_, opening), *way in ways:
        talk = Talk(rules, opening=opening)
        for speaker, act in way:
            assert talk.say(speaker, act), (way, act)
        assert talk.is_over
        assert talk.state in rules.ends
    assert len(ways) >= len(rules.ends)


@each
def test_each_state_has_an_end_in_reach_and_each_end_is_final(rules: Rules) -> None:
    live = [state for state in rules.states if state not in rules.ends]

    assert set(rules.ends) >= {"not understood", "cancelled", "cancel failed"}
    for state in live:
        if state not in (START, CANCELLING):
            assert rules.next(state, "initiator", "cancel") == CANCELLING
            assert {rules.next(state, side, "not_understood") for side in SIDES} == {"not understood"}
    assert not any(rules.allowed(end, side) for end in rules.ends for side in SIDES)


@each
def test_the_participant_has_something_to_say_wherever_it_is_its_turn(rules: Rules) -> None:
    for state in rules.states:
        mine = [move for move in own_moves(rules) if move.state == state and move.speaker == "participant"]
        if mine and not any(move.then == state for move in mine):
            assert any(move.kind in rules.fallback for move in mine), f"{rules.name}: {state}"


@given(tables, words)
def test_a_word_is_in_the_table_or_it_is_reported_and_changes_nothing(
    rules: Rules, said: list[tuple[Speaker, str]]
) -> None:
    talk = Talk(rules)
    for speaker, act in said:
        if talk.is_over:
            break
        before, expected = talk.state, rules.next(talk.state, speaker, act)

        assert talk.say(speaker, act) == (expected is not None)

        assert talk.state == (expected or before)
        assert [session.state for session in talk.monitor.sessions] == ([] if talk.is_over else [talk.state])
    assert talk.is_over == (talk.state in rules.ends)


@given(tables, words)
def test_what_is_said_after_the_end_is_reported(rules: Rules, said: list[tuple[Speaker, str]]) -> None:
    talk = Talk(rules)
    talk.say("participant", "not_understood")
    assert talk.is_over

    for speaker, act in said:
        if act not in rules.openings and act != "not_understood":  # which one may say of anything
            word = say(rules, speaker, act, talk.said[-1])
            assert not talk.monitor.admit(word)
            assert (talk.monitor.stray(word) is not None) == (act in rules.kinds)


@given(tables, words)
def test_who_hears_it_twice_has_heard_it_once(rules: Rules, said: list[tuple[Speaker, str]]) -> None:
    once, twice = Talk(rules), Monitor([rules])
    for speaker, act in said:
        once.say(speaker, act)
    for message in once.said:
        assert twice.admit(message)
        before = [session.state for session in twice.sessions]

        assert twice.admit(message)

        assert [session.state for session in twice.sessions] == before
    assert len(twice.sessions) == len(once.monitor.sessions)


@given(tables, words)
def test_a_transcript_that_is_told_again_comes_to_the_same_end(rules: Rules, said: list[tuple[Speaker, str]]) -> None:
    talk, again = Talk(rules), Monitor([rules])
    for speaker, act in said:
        talk.say(speaker, act)

    assert all(again.admit(message) for message in talk.said)

    assert [session.state for session in again.sessions] == [session.state for session in talk.monitor.sessions]


@given(tables, words)
def test_a_thread_alone_says_where_its_conversation_is(rules: Rules, said: list[tuple[Speaker, str]]) -> None:
    talk = Talk(rules)
    for speaker, act in said:
        if not talk.is_over:
            talk.say(speaker, act)

    standing = rules.standing(talk.said[-1])

    assert standing is not None
    assert (standing.state, standing.initiator) == (talk.state, SIDES["initiator"])


@given(tables, words, st.integers(1, 3))
def test_to_cancel_once_more_changes_nothing(rules: Rules, said: list[tuple[Speaker, str]], times: int) -> None:
    talk = Talk(rules)
    for speaker, act in said:
        if talk.is_over:
            return
        talk.say(speaker, act)
    if talk.is_over:
        return

    for _ in range(times):
        assert talk.say("initiator", "cancel")
        assert talk.state == CANCELLING

    assert talk.say("participant", "inform")
    assert talk.is_over


@each
def test_who_is_silent_until_the_deadline_is_not_heard_after_it(rules: Rules) -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    (opening, *_) = sorted(rules.openings)
    monitor = Monitor([rules])
    asked = say(rules, "initiator", opening, None, deadline=begun + timedelta(seconds=10))
    monitor.admit(asked, lambda: begun)
    answers = {act_of(move.kind) for move in rules.moves if move.state == "asked" and move.speaker == "participant"}
    answer = say(rules, "participant", min(answers or {"not_understood"}), asked)

    with pytest.raises(BrokenRule, match="after its deadline"):
        monitor.admit(answer, lambda: begun + timedelta(seconds=11))

    assert monitor.sessions == ()  # nothing is left that could wait for ever
    assert EXPIRED not in rules.states


def test_the_protocols_of_fipa_use_the_acts_that_fipa_uses() -> None:
    used = {act_of(kind) for rules in FIPA for kind in rules.kinds.values()}

    assert KINDS.keys() - used == {"confirm", "disconfirm", "inform_if", "inform_ref", "propagate", "request_whenever"}


@given(
    st.sampled_from([rules for rules in FIPA if rules.sole]),
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(("initiator", "participant")), st.sampled_from(sorted(KINDS)))
    ),
)
def test_at_most_one_of_those_who_offered_has_the_task(rules: Rules, said: list[tuple[int, Speaker, str]]) -> None:
    """One manager speaks to three contractors of one thing; the words come in any order."""
    monitor, manager = Monitor([rules]), SIDES["initiator"]
    last: dict[int, Message] = {}
    state = dict.fromkeys(range(3), START)
    for who in range(3):
        opening = KINDS["cfp"](sender=manager, receiver=f"c{who}", protocol=rules.name, conversation="roof")
        assert monitor.admit(opening)
        last[who], state[who] = opening, "called"
    for who, speaker, act in said:
        sides = (manager.id, f"c{who}") if speaker == "initiator" else (f"c{who}", manager.id)
        message = KINDS[act](sender=sides[0], receiver=sides[1], reply_to=last[who])
        was = state[who]
        try:
            if monitor.admit(message) and (then := rules.next(was, speaker, act)) is not None:
                last[who], state[who] = message, then
        except BrokenRule:
            pass
        if state[who] == "awarded" and was != "awarded":
            assert was == "proposed"  # never to one who refused, or never offered
        assert sum(each in rules.sole for each in state.values()) <= 1
