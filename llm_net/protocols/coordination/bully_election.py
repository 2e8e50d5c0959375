"""A leader elected among members of whom some may be gone: the highest who answers. Knows an order, not who is fit to lead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered
from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.election import Begin, Elect, Elected, Leader, Poll, leader_by, summons
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Answers
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule


class Challenge(Message):
    """Ask somebody who outranks you whether he is there to lead."""

    election: str


class Alive(Message):
    """Say that you are there."""


class TakeOver(Poll):
    """Leave it to somebody who outranks you to find out who leads, and to tell you."""


class Victory(Message):
    """Say that you lead.

    Args:
        members: as in `Poll`.
    """

    election: str
    members: tuple[str, ...]


class Campaign(Message):
    """A member to itself: find out who leads."""

    election: str
    members: tuple[str, ...]


class Won(Message):
    """A member to itself: nobody who outranks it answered."""

    election: str
    members: tuple[str, ...]


BULLY_ELECTION = Rules(
    "bully-election",
    completed([
        (START, "initiator", Begin, "begun"),
        ("begun", "participant", Elected, "elected"),
        ("begun", "participant", Refuse, "refused"),
        (START, "initiator", Challenge, "challenged"),
        ("challenged", "participant", Alive, "alive"),
        (START, "initiator", TakeOver, "taken over"),
        ("taken over", "participant", Elected, "elected"),
        (START, "initiator", Victory, "led"),
        (START, "initiator", Poll, "polled"),
        ("polled", "participant", Elected, "elected"),
        ("polled", "participant", Refuse, "refused"),
    ]),
    source="Garcia-Molina 1982, Elections in a distributed computing system",
    initiator="speaker",
    participant="listener",
    fallback=(Refuse,),
)  # fmt: skip


class BullyElector(GenAgent):
    """A member that takes the lead where nobody who outranks it answers; subclass it to do more besides.

    It challenges all who outrank it. The highest who answers takes over; where none does, it leads, and tells all others. One
    that hears of a leader whom it outranks campaigns itself.

    Args:
        wait: seconds in which somebody who is there answers a challenge.
    """

    # Handlers that wait leave the state alone: it is changed in steps that take no time, whose order is on record.

    concurrency: ClassVar[int] = 100
    """It answers challenges while it waits for the answers to its own."""

    wait: float = Field(default=1.0, gt=0)
    election: str = ""
    """The latest election of which it knows the end."""
    leader: str | None = None
    """Who leads, by that one."""

    async def abegin(self, message: Begin) -> Message:
        return Elected.reply(message, leader=await self._campaign(message))

    async def atake_over(self, message: TakeOver) -> Message:
        return Elected.reply(message, leader=await self._campaign(message))

    async def acampaign(self, message: Campaign) -> None:
        if message.sender == self:
            await self._campaign(message)

    def challenge(self, message: Challenge) -> Message:
        return Alive.reply(message)

    def won(self, message: Won) -> Iterator[Message]:
        if message.sender == self and self._abides(message, self.id):
            for name in message.members:
                if name != self.id:
                    with suppress(DeliveryError):  # who has left need not know
                        yield Victory(
                            election=message.election, members=message.members, receiver=name, reply_to=message
                        )
        yield message.reply()

    def victory(self, message: Victory) -> Message | None:
        rank, winner = message.members.index, message.sender
        if winner is None or winner.id not in message.members:
            return None
        if rank(winner.id) < rank(self.id):
            return Campaign(election=message.election, members=message.members, receiver=self, reply_to=message)
        self._abides(message, winner.id)
        return None

    def poll(self, message: Poll) -> Message:
        if self.election != message.election:
            return Refuse.reply(message, body="I do not know")
        return Elected.reply(message, leader=self.leader)

    def _abides(self, message: Won | Victory, leader: str) -> bool:
        """Take somebody for the leader, unless somebody higher leads. Whether that is new."""
        rank = message.members.index
        if self.election == message.election and self.leader is not None and rank(leader) <= rank(self.leader):
            return False
        self.election, self.leader = message.election, leader
        return True

    async def _campaign(self, cause: Poll | Campaign) -> str:
        """Find out who leads; where it is this one, all others are told."""
        election, members = cause.election, cause.members
        challenges = [
            Challenge(election=election, receiver=name, reply_to=cause)
            for name in members[members.index(self.id) + 1 :]
        ]
        failures: dict[Message, BaseException] = {}
        answers = await self.gather(challenges, timeout=self.wait, failures=failures)
        there = [answer.sender for answer in answers if isinstance(answer, Alive)]
        for superior in reversed(there):
            take_over = TakeOver(election=election, members=members, receiver=superior, reply_to=cause)
            try:
                answer = await self.call(take_over, timeout=self.wait * len(members))
            except (AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered):
                continue  # it is gone since
            if isinstance(answer, Elected):
                return answer.leader
        await self.call(Won(election=election, members=members, receiver=self, reply_to=cause))
        return self.id


class BullyElection(InteractionProtocol):
    """Elects the highest member that is there: `Elect` is answered by the `Leader`.

    Members are `BullyElector`s; those that are silent or crash are done without. At the end all are asked who leads. Where one
    that is slow makes them disagree, or the leader is gone by then, they begin again. One of n members that begins and is
    outranked by k sends k challenges; where all begin and nobody is gone, there are n(n - 1)/2, as many answers, and n - 1
    messages by which the winner tells the others.

    Args:
        ranks: who outranks whom, the highest first; without a rule, the greater id does.
        rounds: how often they begin at most.
    """

    rules: ClassVar = (BULLY_ELECTION,)

    ranks: TieRule | None = None
    rounds: int = Field(default=3, ge=1)

    async def aelect(self, message: Elect) -> Message:
        members = [member.id for member in self]
        starters, answers, leader = message.starters, Answers(), None
        for turn in range(1, self.rounds + 1):
            told = summons(message, members, self.ranks, election=f"{message.id}/{turn}")
            await self.collect(begin for begin in told if not starters or _to(begin) in starters)
            answers = await self.collect(
                Poll(election=begin.election, members=begin.members, receiver=_to(begin), reply_to=message)
                for begin in told
            )
            leader = leader_by(answers)
            if leader in answers.of(Elected) and not answers.of(Refuse):
                break
            starters = ()
        absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it does not know")}
        return Leader.reply(message, leader=leader if leader in answers.of(Elected) else None, absent=absent)


def _to(begin: Begin) -> str:
    return "" if begin.receiver is None else begin.receiver.id
