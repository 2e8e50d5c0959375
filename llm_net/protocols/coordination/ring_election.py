"""A leader elected in a ring, by messages that each member passes to the next. Knows an order, not who is fit to lead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.election import Begin, Elect, Elected, Leader, leader_by, summons
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule


class Nominate(Message):
    """Pass on in the ring who may lead."""

    election: str
    candidate: str


class Announce(Message):
    """Pass on in the ring who leads."""

    election: str
    leader: str


RING_ELECTION = Rules(
    "ring-election",
    completed([
        (START, "initiator", Begin, "begun"),
        ("begun", "participant", Elected, "elected"),
        ("begun", "participant", Refuse, "refused"),
        (START, "initiator", Nominate, "nominated"),
        (START, "initiator", Announce, "announced"),
    ]),
    source="Chang and Roberts 1979, An improved algorithm for decentralized extrema-finding in circular configurations of "
    "processes",
    initiator="speaker",
    participant="listener",
    fallback=(Refuse,),
)  # fmt: skip


class RingElector(GenAgent):
    """A member of a ring that elects a leader; subclass it to do more besides.

    It nominates itself once, passes on whoever outranks it, swallows whoever it outranks, and leads when its own name comes
    back. Then the leader's name goes around, so that everybody knows.
    """

    leader: str | None = None
    """Who leads; None while that is not known."""
    term: Begin | None = None
    """The election of which it has heard last."""
    nominated: bool = False
    """Whether it has passed on a name in it."""
    early: list[Message] = []
    """What others said of an election before this one had heard of it."""

    def begin(self, message: Begin) -> Iterator[Message]:
        self.term, self.leader, self.nominated = message, None, False
        early, self.early = self.early, []
        if message.starts:
            yield self._nominate(message, self.id)
        for said in early:
            yield from self._hear(message, said)

    def nominate(self, message: Nominate) -> Iterator[Message]:
        if (term := self._term_of(message)) is not None:
            yield from self._hear(term, message)

    def announce(self, message: Announce) -> Iterator[Message]:
        if (term := self._term_of(message)) is not None:
            yield from self._hear(term, message)

    def _term_of(self, message: Nominate | Announce) -> Begin | None:
        if self.term is not None and self.term.election == message.election:
            return self.term
        self.early.append(message)
        return None

    def _hear(self, term: Begin, message: Message) -> Iterator[Message]:
        match message:
            case Nominate(election=term.election, candidate=self.id) | Announce(election=term.election, leader=self.id):
                if self.leader is None:
                    yield from self._abide(term, self.id)
            case Nominate(election=term.election, candidate=candidate) if candidate in term.members:
                outranked = term.members.index(candidate) > term.members.index(self.id)
                if outranked or not self.nominated:
                    yield self._nominate(term, candidate if outranked else self.id)
            case Announce(election=term.election, leader=leader) if leader in term.members and self.leader is None:
                yield from self._abide(term, leader)
            case _:
                pass

    def _nominate(self, term: Begin, candidate: str) -> Message:
        self.nominated = True
        return Nominate(election=term.election, candidate=candidate, receiver=term.following, reply_to=term)

    def _abide(self, term: Begin, leader: str) -> Iterator[Message]:
        self.leader = leader
        yield Elected.reply(term, leader=leader)
        if term.following != leader:
            yield Announce(election=term.election, leader=leader, receiver=term.following, reply_to=term)


class RingElection(InteractionProtocol):
    """A ring whose members, in their order, elect the highest of them: `Elect` is answered by the `Leader`.

    Members are `RingElector`s. With n of them that all begin, n · H(n) nominations are sent on average over all orders, at
    least 2n - 1 and at most n(n + 1)/2; then n - 1 announcements. A ring in which somebody is silent or fails elects nobody:
    see `BullyElection`.

    Args:
        ranks: who outranks whom, the highest first; without a rule, the greater id does.
    """

    rules: ClassVar = (RING_ELECTION,)

    ranks: TieRule | None = None

    async def aelect(self, message: Elect) -> Message:
        members = [member.id for member in self]
        answers = await self.collect(summons(message, members, self.ranks, election=message.id))
        absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
        return Leader.reply(message, leader=leader_by(answers), absent=absent)
