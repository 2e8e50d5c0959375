"""A motion: yes, no or abstain, and whether that is enough. Knows no voter from inside."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Weight
from llm_net.protocols.voting.paper import WITHHELD, Abstain
from llm_net.protocols.voting.quorum import HALF, Verdict, motion

Side: TypeAlias = Literal["yes", "no"]

SIDES: Final[tuple[Side, Side]] = ("yes", "no")


class Decide(Message):
    """Are you for the motion or against it?"""


class Decision(Message):
    """Vote for the motion or against it."""

    vote: Side = Field(description="yes or no")


class Resolve(Message):
    """Have the members carry or reject a motion."""


class Resolution(Outcome):
    """What became of a motion.

    Args:
        verdict: "tied" where as many votes are for it as against it, and no rule for ties is declared.
        yes, no: votes for it and against it, by weight.
        abstain: the weight of those who took part and voted neither way.
        votes: who voted how; empty where that is secret.
    """

    verdict: Verdict
    yes: Weight = 0
    no: Weight = 0
    abstain: Weight = 0
    votes: Mapping[str, Side] = {}

    def content(self) -> dict[str, object]:
        """What it says; nothing of single votes where they are secret."""
        return {name: value for name, value in super().content().items() if value or name != "votes"}


MOTION = Rules(
    "motion",
    completed([
        (START, "initiator", Decide, "deciding"),
        ("deciding", "participant", Decision, "voted"),
        ("deciding", "participant", Abstain, "abstained"),
    ]),
    source="Robert's Rules of Order Newly Revised, 12th edition (2020), 4 (handling of a motion) and 44 (votes)",
    initiator="chair",
    participant="voter",
    fallback=(Abstain,),
)  # fmt: skip


class Motion(InteractionProtocol):
    """An assembly whose members vote on motions: a `Resolve` to the network is answered by a `Resolution`.

    Each voter gets a `Decide`, and answers by `Decision` or `Abstain`; nobody learns of a vote before the last is cast.
    Whoever is silent, late, fails or says something else is absent. As a member of another assembly it votes as its own
    members resolve, and abstains where they resolve nothing.

    Args:
        quorum: the part of all votes, by weight, that has to be cast, abstentions included.
        majority: the part of the votes cast that carries a motion: more than half for 1/2, for anything above at least that.
        weights: how many votes each voter has; 1 for those not named. Whole numbers, or Fractions.
        ties: which of "yes" and "no" wins where they tie; `Order(("no", "yes"))` keeps things as they are.
        secret: leave out of the outcome who voted how.
    """

    rules: ClassVar = (MOTION,)

    quorum: Annotated[Fraction, Field(ge=0, le=1)] = HALF
    majority: Annotated[Fraction, Field(ge=HALF, le=1)] = HALF
    weights: Mapping[str, Annotated[Weight, Field(ge=0)]] = {}
    ties: TieRule | None = None
    secret: bool = False

    async def aresolve(self, message: Resolve) -> Resolution:
        return await self._divide(message)

    async def adecide(self, message: Decide) -> Decision | Abstain:
        """Answer another assembly as the members of this one resolve."""
        verdict = (await self._divide(message)).verdict
        if verdict in ("tied", "no quorum"):
            return Abstain.reply(message, body=verdict)
        return Decision.reply(message, vote="yes" if verdict == "carried" else "no")

    async def _divide(self, message: Message) -> Resolution:
        """Ask the members, and count."""
        if self.ties is not None:
            self.ties.rank(SIDES)  # raises for an order that leaves one out, before anybody is asked
        weights = {member.id: self.weights.get(member.id, 1) for member in self}
        answers = await self.collect(Decide(body=message.body, receiver=member, reply_to=message) for member in self)
        votes = {id: decision.vote for id, decision in answers.of(Decision).items()}
        yes, no = (sum(weights[id] for id, vote in votes.items() if vote == side) for side in SIDES)
        abstain = sum(weights[id] for id in answers.of(Abstain))
        verdict = motion(yes, no, abstain, eligible=sum(weights.values()), quorum=self.quorum, majority=self.majority)
        tied = SIDES if verdict == "tied" else ()
        if tied and self.ties is not None:
            verdict = "carried" if self.ties.rank(tied)[0] == "yes" else "rejected"
        return Resolution.reply(
            message,
            verdict=verdict,
            yes=yes,
            no=no,
            abstain=abstain,
            ties=tied,
            votes={} if self.secret else votes,
            absent=dict.fromkeys(answers.absent, WITHHELD) if self.secret else answers.absent,
        )
