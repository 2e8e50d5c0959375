"""A bargaining table: all reveal what deals are worth to them, and a solution names the fair one. Knows no party from inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, TypeAlias

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import ZERO
from llm_net.protocols.negotiation.bargaining import nash
from llm_net.protocols.negotiation.deal import NONE, Agreement, Issues, Negotiation, Points, Valuation, as_words, deals
from llm_net.protocols.negotiation.problem import Problem
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema

POINTS: JsonSchema = {"type": "number", "minimum": 0, "maximum": 100}
"""What a model may say that something is worth to it."""


class Wishes(Message):
    """Say what each value of each issue is worth to you, and what no agreement is worth."""

    worth: Valuation
    reservation: Points = ZERO


class Reveal(Question):
    """Say how many points, from 0 to 100, each value of each issue is worth to you."""

    issues: Issues

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if not issubclass(kind, Wishes):
            return {}
        properties: dict[str, JsonSchema] = {issue: _points(values) for issue, values in self.issues.items()}
        return {"worth": _object(properties), "reservation": POINTS}

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Wishes):
            return None
        asked = {issue: set(values) for issue, values in self.issues.items()}
        if {issue: set(values) for issue, values in answer.worth.items()} == asked:
            return None
        told = "; ".join(f"{issue}: {', '.join(values)}" for issue, values in self.issues.items())
        return f"worth must give points to each value of each issue, and to nothing else: {told}."


BARGAINING = Rules(
    "bargaining",
    completed([(START, "initiator", Reveal, "asked"), ("asked", "participant", Wishes, "revealed")]),
    source="Nash 1950, The bargaining problem; Kalai and Smorodinsky 1975; Kalai 1977",
    initiator="table",
    participant="party",
)

Solution: TypeAlias = Callable[[Problem], tuple[str, ...]]
"""Names the deals to agree on, all those that tie: one of those in `negotiation.bargaining`, or your own."""


class BargainingTable(InteractionProtocol):
    """A table at which all reveal what deals are worth to them: a `Negotiation`, answered by the `Agreement` that is fair.

    The deal is efficient: no other is better for one party and worse for none. And it is no loss to anybody, as far as
    they said the truth. Where one of them says nothing there is no agreement, unless it is decided without those who are
    absent. It takes O(n²) in the number of deals.

    Args:
        solution: what is fair: `nash`, `kalai_smorodinsky`, `egalitarian`, `utilitarian`.
        ties: which of equally fair deals it is, by their words such as "price 5, paint red"; without a rule, none of them.
        ex_parte: whether it is decided without those who are absent.
    """

    rules: ClassVar = (BARGAINING,)

    solution: Solution = Field(default=nash, exclude=True, repr=False)
    ties: TieRule | None = None
    ex_parte: bool = False

    async def anegotiation(self, message: Negotiation) -> Agreement:
        issues, body = message.issues, message.body
        named = {as_words(deal): deal for deal in deals(issues)}
        if self.ties is not None:
            self.ties.rank(named)  # a rule that cannot rank them all is found before anybody is asked
        answers = await self.collect(Reveal(issues=issues, body=body, receiver=each, reply_to=message) for each in self)
        wishes = answers.of(Wishes)
        if not wishes or (answers.absent and not self.ex_parte):
            return Agreement.reply(message, body=NONE, absent=answers.absent)
        worth = {name: [_worth(each, deal) for each in wishes.values()] for name, deal in named.items()}
        fair = self.solution(Problem(worth, tuple(Fraction(each.reservation) for each in wishes.values())))
        tied = fair if len(fair) > 1 else ()
        if not fair or (tied and self.ties is None):
            return Agreement.reply(message, body=NONE, ties=tied, absent=answers.absent)
        name = self.ties.rank(fair)[0] if self.ties is not None else fair[0]
        return Agreement.reply(message, body=name, deal=named[name], ties=tied, absent=answers.absent)


def _worth(wishes: Wishes, deal: Mapping[str, str]) -> Fraction:
    return Fraction(sum((wishes.worth[issue][value] for issue, value in deal.items()), Decimal(0)))


def _points(values: tuple[str, ...]) -> JsonSchema:
    return _object(dict.fromkeys(values, POINTS))


def _object(properties: dict[str, JsonSchema]) -> JsonSchema:
    return {
        "type": "object",
        "properties": {**properties},
        "required": [*properties],
        "additionalProperties": False,
    }
