"""Who may say what to whom in a conversation, and when: a table of moves. Knows no agents, no network and no time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal, NamedTuple, TypeAlias

from llm_net.address import AbstractObject
from llm_net.errors import DefinitionError
from llm_net.message import Message, fields_of

Speaker: TypeAlias = Literal["initiator", "participant"]
"""The two sides of a conversation: who began it, and who was spoken to. One who speaks to many has a conversation with each."""

START: Final = "start"
EXPIRED: Final = "expired"
"""Where each conversation is before its first message, and where it is when an answer did not come in time."""


class Move(NamedTuple):
    """In `state`, `speaker` may say a message of `kind`; then the conversation is in `then`."""

    state: str
    speaker: Speaker
    kind: type[Message]
    then: str


def act_of(kind: type[Message]) -> str:
    """The verb of a message class: what its messages do."""
    method: str = kind.model_fields["method"].default
    return method


def hearer_of(opening: Message) -> AbstractObject | None:
    """Whose conversation a message begins: its sender's, or of whom it names in a field `answer_to`, who gets the answers.

    Source: FIPA SC00061G, section 4.4, the parameter reply-to.
    """
    fields = fields_of(opening)
    named = fields.get("answer_to")
    return named if isinstance(named, AbstractObject) else fields["sender"]


@dataclass(frozen=True)
class Rules:
    """The rules of one kind of conversation between two: a state machine.

    A state from which nobody can move is an end. Where several conversations belong together, as a manager's with each
    contractor do, `sole` says what only one of them may come to.

    Args:
        name: as `Message.protocol` has it.
        moves: from `START` on.
        source: where they are published.
        initiator: what the role is called that says the first word.
        participant: what the other role is called.
        sole: states in which at most one of the conversations may be that one initiator has about one thing.
        fallback: kinds that a participant says who has nothing better to say, the best first.

    Raises:
        DefinitionError: two kinds have one verb, two moves one beginning, or a state cannot be reached or left.
    """

    name: str
    moves: Sequence[Move]
    source: str = ""
    initiator: str = "initiator"
    participant: str = "participant"
    sole: frozenset[str] = frozenset()
    fallback: tuple[type[Message], ...] = ()
    _next: dict[tuple[str, Speaker, str], str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for state, speaker, kind, then in self.moves:
            act = act_of(kind)
            if self.kinds.setdefault(act, kind) is not kind:
                raise self._wrong(
                    f"{kind.__name__} and {self.kinds[act].__name__} are both {act!r}; rename one of them"
                )
            if self._next.setdefault((state, speaker, act), then) != then:
                raise self._wrong(f"in {state!r} the {speaker}'s {act!r} leads to two states; let it lead to one")
        if not any(state == START and speaker == "initiator" for state, speaker, _, _ in self.moves):
            raise self._wrong(f"nobody can begin; give the initiator a move from {START!r}")
        if lost := sorted({state for state, *_ in self.moves} - self._reachable(START)):
            raise self._wrong(f"no move leads to {lost[0]!r}; leave it out, or let one do so")
        if stuck := sorted(state for state in self.states if not self._reachable(state) & self.ends):
            raise self._wrong(f"no way leads from {stuck[0]!r} to an end; let one do so")

    @cached_property
    def kinds(self) -> dict[str, type[Message]]:
        """The message class of each verb."""
        return {}

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order in which the moves name them."""
        return tuple(dict.fromkeys(state for move in self.moves for state in (move.state, move.then)))

    @cached_property
    def ends(self) -> frozenset[str]:
        """The states from which nobody can move."""
        return frozenset(self.states) - {move.state for move in self.moves}

    @cached_property
    def openings(self) -> frozenset[str]:
        """The verbs with which a conversation begins."""
        return frozenset(act for state, speaker, act in self._next if state == START and speaker == "initiator")

    def saying(self, *kinds: type[Message], name: str | None = None) -> Rules:
        """The same rules, in which these classes stand for the verbs that they have: an `Offer` for any proposal.

        Raises:
            DefinitionError: a class has a verb that is not in these rules.
        """
        mine = {act_of(kind): kind for kind in kinds}
        if unknown := sorted(mine.keys() - self.kinds.keys()):
            raise self._wrong(f"there is no {unknown[0]!r}; there is {', '.join(self.kinds)}")
        moves = [move._replace(kind=mine.get(act_of(move.kind), move.kind)) for move in self.moves]
        fallback = tuple(mine.get(act_of(kind), kind) for kind in self.fallback)
        return replace(self, name=name or self.name, moves=moves, fallback=fallback)

    def next(self, state: str, speaker: Speaker, act: str) -> str | None:
        """The state after this is said; None where it must not be."""
        return self._next.get((state, speaker, act))

    def after(self, state: str, speaker: Speaker, message: Message) -> str | None:
        """The state after this message is said; None where it must not be. `act` and `next` in one look, 0.2 µs sooner."""
        move = state, speaker, type(message)
        then = self._after.get(move, _UNSEEN)
        if then is _UNSEEN:
            act = self.act(message)
            then = self._after[move] = None if act is None else self.next(state, speaker, act)
        return then

    def later(self, state: str, speaker: Speaker, act: str) -> str | None:
        """The state after this is said, if the same side may have said something else before; None where it must not be."""
        states = [state]
        for here in states:
            if (then := self.next(here, speaker, act)) is not None:
                return then
            states += [move.then for move in self.moves if move[:2] == (here, speaker) and move.then not in states]
        return None

    def allowed(self, state: str, speaker: Speaker) -> tuple[type[Message], ...]:
        """What a side may say now."""
        return tuple(move.kind for move in self.moves if move.state == state and move.speaker == speaker)

    def act(self, message: Message) -> str | None:
        """Which verb of these rules a message is, by its class: its method may be any. None: it is none of them."""
        verb = self._of_class.get(type(message), _UNSEEN)
        if verb is _UNSEEN:
            mine = (act for act, kind in self.kinds.items() if isinstance(message, kind))
            verb = self._of_class[type(message)] = next(mine, None)
        return verb

    def standing(self, message: Message) -> Standing | None:
        """Where the conversation is that a message belongs to, by the thread of that message alone.

        O(n) in the messages of the conversation that are in the thread. None: it belongs to none, or broke the rules.
        """
        told: list[tuple[Message, str]] = []
        here: Message | None = message
        while here is not None and here.sender is not None and here.receiver is not None:
            if (act := self.act(here)) is None:
                return None
            told.append((here, act))
            if act in self.openings and (found := self._follow(told)) is not None:
                return found
            here = here.reply_to
        return None

    def _follow(self, told: Iterable[tuple[Message, str]]) -> Standing | None:
        """What becomes of a conversation, told from its last message to its first."""
        state, sides = START, None
        for message, act in reversed([*told]):
            sender, receiver = message.sender, message.receiver
            assert sender is not None
            assert receiver is not None
            if sides is None:
                sender = hearer_of(message) or sender
                sides = sender, receiver
            if (sender, receiver) not in (sides, sides[::-1]):
                return None
            then = self.next(state, "initiator" if sender == sides[0] else "participant", act)
            if then is None:
                return None
            state = then
        return None if sides is None else Standing(self, *sides, state)

    def _reachable(self, state: str) -> set[str]:
        found, left = {state}, [state]
        while left:
            here = left.pop()
            for move in self.moves:
                if move.state == here and move.then not in found:
                    found.add(move.then)
                    left.append(move.then)
        return found

    @cached_property
    def _of_class(self) -> dict[type[Message], str | None]:
        return {Message: None}

    @cached_property
    def _after(self) -> dict[tuple[str, Speaker, type[Message]], str | None]:
        return {}

    def _wrong(self, problem: str) -> DefinitionError:
        return DefinitionError(f"rules {self.name!r}", problem)


def standing_in(rules: Iterable[Rules], message: Message) -> Standing | None:
    """Where the conversation is that a message belongs to: by the rules that it names as its `protocol`, else by the first
    that know it."""
    found = [standing for each in rules if (standing := each.standing(message)) is not None]
    return next(
        (standing for standing in found if standing.rules.name == message.protocol), found[0] if found else None
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one conversation is."""

    rules: Rules
    initiator: AbstractObject
    participant: AbstractObject
    state: str

    def speaker(self, agent: AbstractObject) -> Speaker | None:
        """The side of an agent; None if it has no part in it."""
        if agent == self.initiator:
            return "initiator"
        return "participant" if agent == self.participant else None

    def other(self, agent: AbstractObject) -> AbstractObject:
        """To whom one of the two speaks."""
        return self.participant if agent == self.initiator else self.initiator

    def allowed(self, agent: AbstractObject) -> tuple[type[Message], ...]:
        """What an agent may say now."""
        speaker = self.speaker(agent)
        return () if speaker is None else self.rules.allowed(self.state, speaker)


_UNSEEN: Final = ""
