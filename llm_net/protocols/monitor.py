"""Watches conversations and says which messages break their rules. Knows messages, not how they are sent.

It stands in a network's runs (`GenNetwork.monitor`), where what breaks the rules is not sent; it may as well be told of the
messages of anybody, `admit` by `admit`. Each message costs the same, however many went before it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from llm_net.address import AbstractObject
from llm_net.errors import BrokenRule
from llm_net.message import Message, fields_of, id_of
from llm_net.protocols.acts import Cancel, NotUnderstood
from llm_net.protocols.meta import CANCELLING
from llm_net.protocols.question import Question
from llm_net.protocols.rules import EXPIRED, START, Rules, Speaker, act_of, hearer_of

REMEMBERED: Final = 64
"""Messages of one conversation that may still be answered: its first and so many of its latest."""

CANCEL: Final = act_of(Cancel)

OVER: Final = 1_000
"""Conversations whose last words are known again when they come twice."""


class Session:
    """One conversation under way.

    `state` is where it is by its rules; `due` the time by which the next word has to come, if there is one.
    """

    __slots__ = ("due", "holds", "initiator", "messages", "participant", "recalled", "rules", "state", "turn")

    def __init__(
        self, rules: Rules, initiator: AbstractObject, participant: AbstractObject, *, recalled: bool = False
    ) -> None:
        self.rules = rules
        self.initiator = initiator
        self.participant = participant
        self.state = START
        self.turn: AbstractObject | None = None  # who has to speak by `due`
        self.due: datetime | None = None
        self.holds = False  # a state to which only one of them may come
        self.messages: list[Message] = []  # those that may be answered: its first and its latest
        self.recalled = recalled  # from a thread, which does not have what was said beside it

    @property
    def group(self) -> str:
        """What it has in common with the others in which one initiator speaks of one thing."""
        first = self.messages[0]
        initiator = self.initiator if self.recalled or first.sender is None else first.sender
        return f"{initiator.id} {first.conversation}"

    def speaker(self, message: Message) -> Speaker | None:
        """The side from which a message goes to the other; None if it does not."""
        fields = fields_of(message)
        return self.side(fields["sender"], fields["receiver"])

    def side(self, sender: AbstractObject | None, receiver: AbstractObject | None) -> Speaker | None:
        """The side that speaks to the other; None if these two are not they."""
        initiator, participant = self.initiator, self.participant
        if sender is initiator and receiver is participant:  # live agents are told by identity, 0.3 µs sooner
            return "initiator"
        if sender is participant and receiver is initiator:
            return "participant"
        if sender is initiator or sender == initiator:
            return "initiator" if receiver is participant or receiver == participant else None
        if sender is participant or sender == participant:
            return "participant" if receiver is initiator or receiver == initiator else None
        return None


class Monitor:
    """A `ports.Monitor` that knows some rules.

    Args:
        rules: of the conversations that it watches. An opening that several have is the first one's, unless the message
            names another one as its `protocol`.
        resumed: whether conversations may have begun before it was there: where they are, the threads of messages say.
    """

    __slots__ = ("_last", "_oldest", "_openings", "_over", "_resumed", "_rules", "_sessions", "_sole")

    def __init__(self, rules: Sequence[Rules], *, resumed: bool = False) -> None:
        self._rules = tuple(rules)
        self._resumed = resumed
        self._openings: dict[type[Message], tuple[tuple[Rules, str], ...]] = {}  # with the state to which each leads
        self._sessions: dict[str, Session] = {}  # by the id of each message that may be answered
        self._over: dict[str, Session] = {}  # by the id of the last word
        self._oldest: deque[str] = deque()  # those ids; a dict whose first item is deleted each time is slow
        self._sole: Counter[str] = Counter()  # of each group, the sessions that hold a state to which only one may come
        self._last: tuple[Message, Session, str, AbstractObject | None, datetime | None, bool] | None = None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The conversations that have begun and not come to an end."""
        return tuple({id(session): session for session in self._sessions.values()}.values())

    def admit(self, message: Message, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> bool:
        """See `ports.Monitor.admit`."""
        fields = fields_of(message)
        if "id" in fields:  # else nobody has seen it before
            session = self._sessions.get(fields["id"]) or self._over.get(fields["id"])
            if session is not None:
                return self._again(session, message)
        answered, session = fields["reply_to"], None
        if answered is not None:
            session = self._sessions.get(fields_of(answered).get("id", ""))
            if session is None and self._resumed:
                session = self._recalled(answered)
        if session is None:
            return self._open(message)
        sender = fields["sender"]
        speaker = session.side(sender, fields["receiver"])
        if speaker is None:
            return self._aside(session, message)
        rules, before = session.rules, session.state
        then = rules.after(before, speaker, message)
        if then is None or before == CANCELLING:
            act = rules.act(message)
            if before == CANCELLING and speaker == "participant" and act is not None and not _is_cancel(answered):
                then = CANCELLING  # it was said before its speaker heard of the cancel
            if then is None and session.recalled and act is not None:
                then = rules.later(before, speaker, act)
            if then is None:
                raise self._broken(session, message, _class_problem(rules, message) if act is None else "")
        if session.due is not None and session.turn == sender and now() > session.due:
            self._expire(session)
            raise self._broken(session, message, f"it came after its deadline, {session.due:%H:%M:%S}")
        if isinstance(answered, Question) and (problem := answered.problem_with(message)) is not None:
            raise self._broken(session, message, problem)
        if then in rules.sole and not session.holds and self._sole[session.group]:
            raise self._broken(session, message, f"another conversation is {' or '.join(sorted(rules.sole))}")
        self._move(session, message, then)
        return True

    def stray(self, message: Message) -> BrokenRule | None:
        """See `ports.Monitor.stray`."""
        if message.sender is None or message.receiver is None or isinstance(message, NotUnderstood):
            return None  # the outside has no part in conversations
        answered = message.reply_to
        asked = answered if answered is not None and answered.sender == message.receiver else None
        for rules in self._rules:
            # An answer to what the rules do not know, or to a word from outside, which addressed nobody.
            free = asked is not None and (asked.receiver is None or rules.act(asked) is None)
            if rules.act(message) is not None and not free:
                begin = tuple(sorted(rules.openings))
                problem = "no conversation goes on that it answers"
                return BrokenRule(rules.name, message.sender.id, message.method, "", problem, begin)
        return None

    def retract(self, message: Message) -> None:
        """See `ports.Monitor.retract`."""
        if self._last is None or self._last[0] is not message:
            return
        _, session, state, turn, due, holds = self._last
        self._last = None
        self._hold(session, holds)
        self._sessions.pop(message.id, None)
        self._over.pop(message.id, None)
        session.messages.remove(message)
        session.state, session.turn, session.due = state, turn, due
        for each in session.messages:
            self._sessions[each.id] = session

    def release(self, message: Message) -> None:
        """See `ports.Monitor.release`."""
        if (session := self._sessions.get(message.id)) is not None:
            self._hold(session, False)

    # ------------------------------------------------------------------------------------------ inside

    def _again(self, session: Session, message: Message) -> bool:
        """See that a message is the one that was admitted under its id."""
        known = session.messages[session.messages.index(message)]  # they are equal by id
        if known is not message and not _same(known, message, wholly=not self._resumed):
            raise self._broken(session, message, "its id is that of another message")
        return True

    def _aside(self, session: Session, message: Message) -> bool:
        """A message that answers one of a conversation and is none of it: others may be told of what was said, and nobody
        may answer for somebody else."""
        sides = session.initiator, session.participant
        if message.sender not in sides and message.receiver in sides:
            raise self._broken(session, message, "what it answers was said to somebody else")
        return self._open(message)

    def _open(self, message: Message) -> bool:
        """Begin a conversation with a message that opens one. False if it does not."""
        kind = type(message)
        candidates = self._openings.get(kind)
        if candidates is None:
            candidates = self._openings[kind] = tuple(self._opened_by(message))
        if not candidates:
            return False
        fields = fields_of(message)
        sender, receiver = fields["sender"], fields["receiver"]
        if sender is None or receiver is None:
            return False
        rules, then = candidates[0]
        if len(candidates) > 1:
            rules, then = next((each for each in candidates if each[0].name == message.protocol), candidates[0])
        hearer = hearer_of(message) if "answer_to" in fields else sender
        session = Session(rules, hearer or sender, receiver)
        self._move(session, message, then)
        return True

    def _opened_by(self, message: Message) -> Iterator[tuple[Rules, str]]:
        for rules in self._rules:
            act = rules.act(message)
            if act is not None and (then := rules.next(START, "initiator", act)) is not None:
                yield rules, then

    def _recalled(self, answered: Message) -> Session | None:
        """One that began before this monitor was there."""
        for rules in self._rules:
            standing = rules.standing(answered)
            if standing is not None and standing.state not in rules.ends:
                session = Session(rules, standing.initiator, standing.participant, recalled=True)
                self._move(session, answered, standing.state)
                return session
        return None

    def _move(self, session: Session, message: Message, then: str) -> None:
        rules, fields = session.rules, fields_of(message)
        id = id_of(fields)
        self._last = message, session, session.state, session.turn, session.due, session.holds
        session.state, session.due, session.turn = then, fields.get("deadline"), fields["receiver"]
        session.messages.append(message)
        if session.holds or then in rules.sole:
            self._hold(session, then in rules.sole)
        if then in rules.ends:
            self._forget(session)
            self._over[id] = session
            self._oldest.append(id)
            if len(self._oldest) > OVER:
                self._over.pop(self._oldest.popleft(), None)
            return
        self._sessions[id] = session
        if len(session.messages) > REMEMBERED:
            del self._sessions[session.messages.pop(1).id]

    def _hold(self, session: Session, holds: bool) -> None:
        if session.holds != holds:
            session.holds = holds
            self._sole[session.group] += 1 if holds else -1
            if not self._sole[session.group]:
                del self._sole[session.group]

    def _expire(self, session: Session) -> None:
        self._hold(session, False)
        session.state = EXPIRED
        self._forget(session)

    def _forget(self, session: Session) -> None:
        for each in session.messages:
            self._sessions.pop(each.id, None)

    def _broken(self, session: Session, message: Message, problem: str) -> BrokenRule:
        rules, speaker = session.rules, session.speaker(message)
        allowed = () if speaker is None else tuple(act_of(kind) for kind in rules.allowed(session.state, speaker))
        who = "" if message.sender is None else message.sender.id
        return BrokenRule(rules.name, who, message.method, session.state, problem, allowed)


def _same(known: Message, message: Message, *, wholly: bool) -> bool:
    """Whether two messages of one id are copies. What came from a record may have lost some of its content."""
    return (
        type(known) is type(message)
        and (known.method, known.sender, known.receiver, known.reply_to)
        == (message.method, message.sender, message.receiver, message.reply_to)
        and (not wholly or known.content() == message.content())
    )


def _class_problem(rules: Rules, message: Message) -> str:
    """What is wrong with a message that has a verb of the rules, and not its class."""
    kind = rules.kinds.get(message.method)
    return "" if kind is None else f"it has to be of class {kind.__name__}, not {type(message).__name__}"


def _is_cancel(message: Message | None) -> bool:
    return message is not None and message.method == CANCEL
