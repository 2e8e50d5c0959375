"""Two who want the ends of one scale claim at once, and come nearer or stand. Knows what was claimed, not what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, Field

from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.negotiation.deal import NONE, distinct
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import Lot, TieRule
from llm_net.schema import JsonSchema

Scale: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(distinct)]
"""Values in a row: who wants one end likes each value less than the one before."""


class Haggle(Message):
    """Settle on one value of a scale.

    Args:
        scale: from the end that the first party wants to the one that the second wants.
    """

    scale: Scale


class Settlement(Outcome):
    """The value that two settled on.

    Args:
        value: None where they did not.
        claims: the last claim of each.
        round: in which it came to an end.
    """

    value: str | None = None
    claims: Mapping[str, str] = {}
    round: int = 1


class Concede(Question):
    """Claim a value. You cannot take a claim back: come nearer to the other, or stand by yours.

    Args:
        open: what may be claimed, from one side to the other.
        mine: your last claim.
        theirs: the other's.
    """

    open: Scale
    mine: str | None = None
    theirs: str | None = None

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"value": {"type": "string", "enum": [*self.open]}} if issubclass(kind, Claim) else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Claim) and answer.value not in self.open:
            return f"value must be one of {', '.join(self.open)}."
        return None


class Claim(Message):
    """Claim a value."""

    value: str


MONOTONIC_CONCESSION = Rules(
    "monotonic-concession",
    completed([(START, "initiator", Concede, "asked"), ("asked", "participant", Claim, "claimed")]),
    source="Zeuthen 1930, Problems of monopoly and economic warfare; Rosenschein and Zlotkin 1994, Rules of encounter",
    initiator="table",
    participant="party",
)


class MonotonicConcession(InteractionProtocol):
    """Monotonic concession along a scale: a `Haggle` of two members, answered by their `Settlement`.

    Both claim a value at once, round by round, and nobody takes a claim back. Where the claims meet, that is the value;
    where they pass each other, either will do to both, and the rule for ties says which. In a round in which nobody comes
    nearer there is a conflict, and no settlement. So it ends after at most as many rounds as the scale has values. Who
    gives no answer stands by its claim.

    Args:
        ties: which of two values that passed each other it is.
    """

    rules: ClassVar = (MONOTONIC_CONCESSION,)

    ties: TieRule = Lot(seed=0)

    async def ahaggle(self, message: Haggle) -> Settlement:
        if len(self) != 2:
            raise ValueError(f"{self.id!r} has {len(self)} members; it takes two to haggle")
        scale = message.scale
        self.ties.rank(scale)  # a rule that cannot rank them all is found before anybody is asked
        first, second = self
        claims: dict[str, str] = {}
        last: dict[str, Message] = {first.id: message, second.id: message}
        low, high = 0, len(scale) - 1
        number = 0
        while True:
            number += 1
            answers = await self.collect(
                Concede(
                    body=message.body,
                    open=scale[low : high + 1],
                    mine=claims.get(me.id),
                    theirs=claims.get(them.id),
                    receiver=me,
                    reply_to=last[me.id],
                )
                for me, them in ((first, second), (second, first))
            )
            last.update(answers.given)
            before = dict(claims)
            claims.update({name: claim.value for name, claim in answers.of(Claim).items()})
            told = {"claims": claims, "round": number, "absent": answers.absent}
            if len(claims) < 2 or claims == before:
                return Settlement.reply(message, body=NONE, **told)
            low, high = scale.index(claims[first.id]), scale.index(claims[second.id])
            if low >= high:
                passed = (claims[first.id], claims[second.id]) if low > high else ()
                value = self.ties.rank(passed)[0] if passed else claims[first.id]
                return Settlement.reply(message, body=value, value=value, ties=passed, **told)
