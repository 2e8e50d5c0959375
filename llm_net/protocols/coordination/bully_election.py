"""A leader elected among members of whom some may be gone: the highest who answers. Knows an order, not who is fit to lead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.election import Announce, Begin, Elect, Elected, Leader, leader_by, summons
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Answers
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule


class Challenge(Message):
    """Ask somebody who outranks you whether he is there to lead."""

    election: str


class Alive(Message):
    """Say that you are there: you see to the election from here."""


BULLY_ELECTION = Rules(
    "bully-election",
    completed([
        (START, "initiator", Begin, "begun"),
        ("begun", "participant", Elected, "elected"),
        ("begun", "participant", Refuse, "refused"),
        (START, "initiator", Challenge, "challenged"),
        ("challenged", "participant", Alive, "alive"),
        (START, "initiator", Announce, "announced"),
    ]),
    source="Garcia-Molina 1982, Elections in a distributed computing system",
    initiator="speaker",
    participant="listener",
    fallback=(Refuse,),
)  # fmt: skip


class BullyElector(GenAgent):
    """A member that takes the lead where nobody who outranks it answers; subclass it to do more besides.

    It challenges all who outrank it. If one is there, that one goes on; if none is, it leads, and tells all whom it outranks.

    Args:
        wait: seconds in which somebody who is there answers a challenge.
    """

    concurrency: ClassVar[int] = 100
    """It answers challenges while it waits for the answers to its own."""

    wait: float = Field(default=1.0, gt=0)
    leader: str | None = None
    """Who leads; None while that is not known."""
    term: Begin | None = None
    """The election of which it has heard last."""
    cause: tuple[str, str] = ("", "")
    """The last election in which it challenged others, and the id of the message that made it do so: that one alone does it
    again where a run goes on that stopped there."""
    early: list[Message] = []
    """What others said of an election before this one had heard of it."""

    async def abegin(self, message: Begin) -> AsyncIterator[Message]:
        self.term, self.leader = message, None
        early = [said for said in self.early if isinstance(said, (Challenge, Announce))]
        if message.starts or any(isinstance(said, Challenge) and said.election == message.election for said in early):
            async for said in self._campaign(message, message):
                yield said
        for said in early:
            if isinstance(said, Announce) and said.election == message.election:
                async for answer in self._hear(message, said):
                    yield answer
        self.early = []

    async def achallenge(self, message: Challenge) -> AsyncIterator[Message]:
        yield Alive.reply(message)
        if (term := self._term_of(message, message.election)) is not None:
            async for said in self._campaign(term, message):
                yield said

    async def aannounce(self, message: Announce) -> AsyncIterator[Message]:
        if (term := self._term_of(message, message.election)) is not None:
            async for said in self._hear(term, message):
                yield said

    def _term_of(self, message: Message, election: str) -> Begin | None:
        if self.term is not None and self.term.election == election:
            return self.term
        self.early.append(message)
        return None

    async def _campaign(self, term: Begin, cause: Message) -> AsyncIterator[Message]:
        if self.cause[0] == term.election and self.cause[1] != cause.id:
            return
        self.cause = term.election, cause.id
        place = term.members.index(self.id)
        above = [Challenge(election=term.election, receiver=name, reply_to=cause) for name in term.members[place + 1 :]]
        failures: dict[Message, BaseException] = {}
        answers = await self.gather(above, timeout=self.wait, failures=failures)
        if any(isinstance(answer, Alive) for answer in answers):
            return
        self.leader = self.id
        yield Elected.reply(term, leader=self.id)
        for name in term.members[:place]:
            yield Announce(election=term.election, leader=self.id, receiver=name, reply_to=cause)

    async def _hear(self, term: Begin, message: Announce) -> AsyncIterator[Message]:
        """Abide by who outranks this one; somebody else had better know that this one is there after all."""
        if message.leader not in term.members:
            return
        rank = term.members.index
        if rank(message.leader) < rank(self.id):
            async for said in self._campaign(term, message):
                yield said
        elif self.leader is None:
            self.leader = message.leader
            yield Elected.reply(term, leader=message.leader)
        elif rank(message.leader) > rank(self.leader):
            self.leader = message.leader


class BullyElection(InteractionProtocol):
    """Elects the highest member that is there: `Elect` is answered by the `Leader`.

    Members are `BullyElector`s; those that are silent or crash are done without. Where one who is slow makes others disagree,
    or a leader is gone, they begin again. With n members at most n(n - 1)/2 challenges are sent in a round, as many answers,
    and n - 1 announcements, where nobody is taken for gone who is there.

    Args:
        ranks: who outranks whom, the highest first; without a rule, the greater id does.
        rounds: how often they begin at most.
    """

    rules: ClassVar = (BULLY_ELECTION,)

    ranks: TieRule | None = None
    rounds: int = Field(default=3, ge=1)

    async def aelect(self, message: Elect) -> Message:
        members = [member.id for member in self]
        begun, answers, leader = message, Answers(), None
        for turn in range(1, self.rounds + 1):
            answers = await self.collect(summons(begun, members, self.ranks, election=f"{message.id}/{turn}"))
            leader = leader_by(answers)
            if leader in answers.of(Elected):
                break
            leader, begun = None, message.model_copy(update={"starters": ()})
        absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
        return Leader.reply(message, leader=leader, absent=absent)
