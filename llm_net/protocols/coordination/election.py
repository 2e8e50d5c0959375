"""What all elections of a leader have in common: what begins one, and how it ends. Knows no way to elect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llm_net.message import Message
from llm_net.protocols.outcome import Answers, Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.tie import Order, TieRule
from llm_net.schema import JsonSchema


class Elect(Message):
    """Let the members elect one of them who leads.

    Args:
        starters: who begins; nobody named: all.
    """

    starters: tuple[str, ...] = ()


class Poll(Question):
    """Say who leads.

    Args:
        election: its id.
        members: all of them, the highest last: who stands behind you outranks you.
    """

    election: str
    members: tuple[str, ...]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"leader": {"type": "string", "enum": [*self.members]}} if kind is Elected else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Elected) and answer.leader not in self.members:
            return f"{answer.leader!r} is not a member; members are {', '.join(self.members)}."
        return None


class Begin(Poll):
    """Elect a leader with the others, and say who it is as soon as you know.

    Args:
        following: who stands next to you, where members stand in a ring.
        starts: whether you begin; else you wait until you hear of somebody else.
    """

    following: str
    starts: bool = True


class Elected(Message):
    """Say who leads."""

    leader: str


class Leader(Outcome):
    """Who leads.

    Args:
        leader: the one of whom all who answered say so; None where they do not agree, or nobody answered.
    """

    leader: str | None = None


def summons(message: Elect, members: Iterable[str], ranks: TieRule | None, *, election: str) -> list[Begin]:
    """What each member is told at the beginning.

    Args:
        members: in the order of the ring.
        ranks: who outranks whom, the highest first; without a rule, the greater id does.
        election: its id.
    """
    ring = tuple(members)
    rule = Order(tuple(sorted(ring, reverse=True))) if ranks is None else ranks
    lowest_first = rule.rank(ring)[::-1]
    return [
        Begin(
            body=message.body, election=election, members=lowest_first, following=following,
            starts=name in message.starters or not message.starters, receiver=name, reply_to=message,
        )
        for name, following in zip(ring, ring[1:] + ring[:1], strict=True)
    ]  # fmt: skip


def leader_by(answers: Answers) -> str | None:
    """The one of whom all who answered say that he leads."""
    said = {answer.leader for answer in answers.of(Elected).values()}
    return said.pop() if len(said) == 1 else None
