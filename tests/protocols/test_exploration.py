"""Every table of rules, explored: whatever may happen does, nothing else can, and each conversation comes to an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from llm_net import Message
from llm_net.address import AbstractObject, Reference
from llm_net.errors import BrokenRule
from llm_net.protocols.acts import ACTS
from llm_net.protocols.monitor import Monitor, Session
from llm_net.protocols.rules import EXPIRED, START, Rules, Speaker, act_of
from tests.protocols.tables import tables, word

MANAGER = Reference("manager")
ANNA = Reference("anna")
BOB = Reference("bob")
NOW = datetime(2000, 1, 1, tzinfo=UTC)
SIDES: tuple[Speaker, ...] = ("initiator", "participant")

PATHS = 80
"""Conversations of a table that are tried, the shortest first; a path longer than these is one of them and more of the same."""


class Said(NamedTuple):
    """A word that a side says to the other, who is this participant."""

    speaker: Speaker
    kind: type[Message]
    participant: AbstractObject = ANNA

    def message(self, answered: Message | None, deadline: datetime | None = None) -> Message:
        sides = (MANAGER, self.participant) if self.speaker == "initiator" else (self.participant, MANAGER)
        return self.kind(sender=sides[0], receiver=sides[1], reply_to=answered, deadline=deadline)


class Talk:
    """Conversations of one manager about one thing, watched; `state` is where the one with each participant is."""

    def __init__(self, rules: Rules, *participants: AbstractObject) -> None:
        self.rules = rules
        self.monitor = Monitor((rules,))
        self.root = Message(sender=Reference("somebody"), receiver=MANAGER)
        self.last: dict[AbstractObject, Message] = dict.fromkeys(participants, self.root)
        self.state: dict[AbstractObject, str] = dict.fromkeys(participants, START)

    def may(self, said: Said) -> bool:
        """What the table says."""
        state, act = self.state[said.participant], act_of(said.kind)
        then = self.rules.next(state, said.speaker, act)
        if then is None:
            return False
        others = [other for participant, other in self.state.items() if participant != said.participant]
        return not (then in self.rules.sole and state not in self.rules.sole and self.rules.sole.intersection(others))

    def begins_another(self, said: Said) -> bool:
        """Whether it is the first word of a conversation of its own, where this one has yet to begin or is over."""
        return not self._is_live(self.state[said.participant]) and act_of(said.kind) in self.rules.openings

    def say(self, said: Said, deadline: datetime | None = None) -> None:
        """Say what may be said."""
        message = said.message(self.last[said.participant], deadline)
        assert self.monitor.admit(message, lambda: NOW)
        then = self.rules.next(self.state[said.participant], said.speaker, act_of(said.kind))
        assert then is not None
        self.state[said.participant], self.last[said.participant] = then, message
        assert self.sessions == {who: state for who, state in self.state.items() if self._is_live(state)}

    def refuses(self, said: Said) -> bool:
        """Say what must not be said. Whether it was refused, or is no matter of these rules, and changed nothing."""
        before = self._facts()
        message = said.message(self.last[said.participant])
        try:
            admitted = self.monitor.admit(message, lambda: NOW)
            refused = not admitted and (self.monitor.stray(message) is not None or self.rules.act(message) is None)
        except BrokenRule as broken:
            state, act = self.state[said.participant], act_of(said.kind)
            refused = broken.state == state and (act not in broken.allowed or bool(broken.problem))
        return refused and before == self._facts()

    @property
    def sessions(self) -> dict[AbstractObject, str]:
        """Where the monitor holds the conversation with each participant to be."""
        return {session.participant: session.state for session in self.monitor.sessions}

    def _facts(self) -> list[tuple[object, ...]]:
        facts = ((getattr(session, name) for name in Session.__slots__) for session in self.monitor.sessions)
        return [tuple([*value] if isinstance(value, dict) else value for value in each) for each in facts]

    def _is_live(self, state: str) -> bool:
        return state != START and state not in self.rules.ends


def _words(rules: Rules) -> list[type[Message]]:
    """Each word of the rules, and of FIPA, and one of nobody's."""
    acts = dict.fromkeys((*rules.kinds, *(act_of(kind) for kind in ACTS)))
    return [word(act) for act in acts] + [Message]


def _paths(rules: Rules) -> Iterator[tuple[Said, ...]]:
    """Conversations by the rules, the shortest first."""
    waiting: deque[tuple[str, tuple[Said, ...]]] = deque([(START, ())])
    for _ in range(PATHS):
        if not waiting:
            return
        state, path = waiting.popleft()
        yield path
        for speaker in SIDES:
            for kind in rules.allowed(state, speaker):
                then = rules.next(state, speaker, act_of(kind))
                assert then is not None
                waiting.append((then, (*path, Said(speaker, kind))))


def _ways(rules: Rules) -> dict[str, tuple[Said, ...]]:
    """The shortest way to each state."""
    ways: dict[str, tuple[Said, ...]] = {}
    waiting: deque[tuple[str, tuple[Said, ...]]] = deque([(START, ())])
    while waiting:
        state, path = waiting.popleft()
        if state in ways:
            continue
        ways[state] = path
        for move in rules.moves:
            if move.state == state:
                waiting.append((move.then, (*path, Said(move.speaker, move.kind))))
    return ways


@tables
def test_no_state_is_a_dead_end_and_from_each_an_end_can_be_reached(rules: Rules) -> None:
    reaches_end = set(rules.ends)
    while more := {move.state for move in rules.moves if move.then in reaches_end} - reaches_end:
        reaches_end |= more

    assert rules.ends
    assert reaches_end == set(rules.states)
    assert set(_ways(rules)) == set(rules.states)


@tables
def test_an_end_is_an_end(rules: Rules) -> None:
    said = [
        (end, speaker, act) for end in (*rules.ends, EXPIRED) for speaker in SIDES for act in rules.kinds
        if rules.next(end, speaker, act) is not None
    ]  # fmt: skip

    assert said == []


@tables
def test_exactly_what_the_rules_allow_is_admitted_after_whatever_was_said(rules: Rules) -> None:
    everything = [Said(speaker, kind) for speaker in SIDES for kind in _words(rules)]
    for path in _paths(rules):
        talk = Talk(rules, ANNA)
        for said in path:
            assert talk.may(said)
            talk.say(said)
        for said in everything:
            if not talk.may(said) and not talk.begins_another(said):
                assert talk.refuses(said), f"{said} after {path}"


@tables
def test_of_two_conversations_both_go_on_but_only_one_comes_to_what_is_for_one(rules: Rules) -> None:
    if not rules.sole:
        pytest.skip("each of its conversations is for itself")
    everything = [Said(speaker, word(act), who) for who in (ANNA, BOB) for speaker in SIDES for act in rules.kinds]
    waiting: deque[tuple[Said, ...]] = deque([()])
    seen: set[tuple[str, ...]] = set()
    while waiting:
        path = waiting.popleft()
        talk = Talk(rules, ANNA, BOB)
        for said in path:
            talk.say(said)
        states = tuple(talk.state.values())
        if states in seen:
            continue
        seen.add(states)
        assert sum(state in rules.sole for state in states) <= 1
        for said in everything:
            if talk.may(said):
                waiting.append((*path, said))
            elif not talk.begins_another(said):
                assert talk.refuses(said), f"{said} after {path}"

    both = {(one, other) for one in rules.states for other in rules.states}
    assert seen == {(one, other) for one, other in both if not {one, other} <= rules.sole}


@tables
def test_who_is_silent_ends_it_wherever_it_was(rules: Rules) -> None:
    """However long it goes in circles: a deadline that passes is the end."""
    later = NOW + timedelta(seconds=2)
    for state, path in _ways(rules).items():
        if state == START or state in rules.ends:
            continue
        talk = Talk(rules, ANNA)
        for said in path[:-1]:
            talk.say(said)
        talk.say(path[-1], NOW + timedelta(seconds=1))
        (session,) = talk.monitor.sessions
        answerer: Speaker = "participant" if path[-1].speaker == "initiator" else "initiator"
        for kind in rules.allowed(state, answerer):
            late = Said(answerer, kind).message(talk.last[ANNA])
            with pytest.raises(BrokenRule, match="after its deadline|no conversation goes on"):
                talk.monitor.admit(late, lambda: later)
                raise talk.monitor.stray(late) or AssertionError(f"{late} was admitted in {state!r}")

            assert session.state == EXPIRED
            assert talk.monitor.sessions == ()
            if act_of(kind) in rules.openings:
                break  # the next one would begin another conversation


@tables
def test_going_in_circles_costs_no_memory(rules: Rules) -> None:
    ways = _ways(rules)
    for move in rules.moves:
        if move.state != move.then:
            continue
        talk = Talk(rules, ANNA)
        for said in ways[move.state]:
            talk.say(said)
        for _ in range(200):
            talk.say(Said(move.speaker, move.kind))
        (session,) = talk.monitor.sessions

        assert len(session.messages) <= 64
