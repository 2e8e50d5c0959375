"""Two divide what shrinks while they bargain: one offers a share, the other takes it or waits. Knows no party's wishes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import Field, WithJsonSchema

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules

Share: TypeAlias = Annotated[
    Decimal, Field(ge=0, le=1, allow_inf_nan=False), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
"""A part of the whole."""

ONE: Final = Decimal(1)

USUAL: Final = Decimal("0.9")
"""The discount of a party of which nothing is said."""


class Division(Message):
    """Divide something among two."""


class Divided(Outcome):
    """Who has how much.

    Args:
        shares: of the whole, by party; empty where they did not agree.
        worth: what the shares are worth to them now, after the time that it took.
        round: in which they came to an end.
    """

    shares: Mapping[str, Decimal] = {}
    worth: Mapping[str, Decimal] = {}
    round: int = 0


class Round(Question):
    """A round of bargaining.

    Args:
        round: its number, from 1.
        rounds: how many there are; after the last nobody gets anything.
        mine: what a share in the next round is worth, of one in this, to who is asked.
        theirs: the same to the other.
    """

    round: int = Field(ge=1)
    rounds: int = Field(ge=1)
    mine: Share
    theirs: Share


class Divide(Round):
    """Say what part of the whole, from 0 to 1, you would keep; the other gets the rest."""


class Keep(Message):
    """Keep a part of the whole, from 0 to 1, and leave the other the rest."""

    share: Share


class Consider(Round):
    """Take the part of the whole that is offered to you, or reject it and wait."""

    share: Share


class Take(Message):
    """Take the part that is offered."""


class Reject(Message):
    """Reject the part that is offered, and wait for the next round."""


SPLIT_BARGAINING = Rules(
    "split-bargaining",
    completed([
        (START, "initiator", Divide, "dividing"),
        ("dividing", "participant", Keep, "offered"),
        (START, "initiator", Consider, "considering"),
        ("considering", "participant", Take, "taken"),
        ("considering", "participant", Reject, "rejected"),
    ]),
    source="Rubinstein 1982, Perfect equilibrium in a bargaining model, Econometrica 50; Ståhl 1972, Bargaining theory",
    initiator="table",
    participant="party",
    fallback=(Reject,),
)  # fmt: skip


class SplitBargaining(InteractionProtocol):
    """A whole is divided among its two members: a `Division`, answered by what is `Divided`.

    In the first round the first member says what it would keep, and the other takes the rest or rejects it; in the next
    round they change places. What they get is worth less with each round. Who gives no answer ends it, and nobody
    gets anything.

    Args:
        rounds: how many offers there are at most.
        discounts: of each member by id, what a share in the next round is worth, of one in this; 0.9 where it is not said.
    """

    rules: ClassVar = (SPLIT_BARGAINING,)

    rounds: int = Field(default=20, ge=1)
    discounts: Mapping[str, Share] = {}

    async def adivision(self, message: Division) -> Divided:
        if len(self) != 2:
            raise ValueError(f"{self.id!r} has {len(self)} members; it takes two to divide")
        one, other = self
        last: dict[str, Message] = {one.id: message, other.id: message}
        for number in range(1, self.rounds + 1):
            divide = Divide(reply_to=last[one.id], **self._round(message, number, one, other))
            answers = await self.collect([divide])
            keep = answers.given.get(one.id)
            if not isinstance(keep, Keep):
                return _nothing(message, number, answers.absent)
            rest = ONE - keep.share
            consider = Consider(share=rest, reply_to=last[other.id], **self._round(message, number, other, one))
            answers = await self.collect([consider])
            answer = answers.given.get(other.id)
            if isinstance(answer, Take):
                return self._divided(message, number, {one.id: keep.share, other.id: rest})
            if not isinstance(answer, Reject):
                return _nothing(message, number, answers.absent)
            last = {one.id: keep, other.id: answer}
            one, other = other, one
        return _nothing(message, self.rounds, {})

    def _round(self, message: Division, number: int, me: GenAgent, them: GenAgent) -> dict[str, Any]:
        """What a question of this round says to one of the two."""
        mine, theirs = self.discounts.get(me.id, USUAL), self.discounts.get(them.id, USUAL)
        told = {"body": message.body, "round": number, "rounds": self.rounds, "mine": mine, "theirs": theirs}
        return {**told, "receiver": me}

    def _divided(self, message: Division, number: int, shares: Mapping[str, Decimal]) -> Divided:
        waited = number - 1
        worth = {
            name: share * self.discounts.get(name, USUAL) ** waited if waited else share
            for name, share in shares.items()
        }
        body = ", ".join(f"{name} {share:f}" for name, share in shares.items())
        return Divided.reply(message, body=body, shares=shares, worth=worth, round=number)


def _nothing(message: Division, number: int, absent: Mapping[str, str]) -> Divided:
    return Divided.reply(message, body="nobody gets anything", round=number, absent=absent)
