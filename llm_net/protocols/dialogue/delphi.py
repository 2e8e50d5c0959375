"""A panel estimates a number without knowing whose estimates it is told of. Knows nothing of what is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, WithJsonSchema

from llm_net.message import Message
from llm_net.protocols.coordination.delphi import Spread, settled, spread
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema

Number: TypeAlias = Annotated[Decimal, Field(allow_inf_nan=False), WithJsonSchema({"type": "number"})]
"""A finite number as a field of a message."""


class Forecast(Message):
    """Estimate a number together.

    Args:
        body: what is to be estimated, in which unit.
        lowest, highest: what an estimate has to lie between; None for no bound.
    """

    lowest: Number | None = None
    highest: Number | None = None


class Consult(Question):
    """Estimate a number; think about the middle of the panel's estimates of the round before.

    Args:
        body: what is to be estimated, in which unit.
        round: from 1.
        own: your estimate of the round before; None in the first round, as all that follow.
        lower: a quarter of the panel's estimates were at most this.
        median: half of them.
        upper: three quarters of them.
        lowest, highest: what an estimate has to lie between; None for no bound.
    """

    round: int = 1
    own: Number | None = None
    lower: Number | None = None
    median: Number | None = None
    upper: Number | None = None
    lowest: Number | None = None
    highest: Number | None = None

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is not Estimate:
            return {}
        schema: JsonSchema = {"type": "number"}
        if self.lowest is not None:
            schema["minimum"] = float(self.lowest)
        if self.highest is not None:
            schema["maximum"] = float(self.highest)
        return {"value": schema}

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Estimate):
            return None
        if self.lowest is not None and answer.value < self.lowest:
            return f"{answer.value} is too low; give at least {self.lowest}."
        if self.highest is not None and answer.value > self.highest:
            return f"{answer.value} is too high; give at most {self.highest}."
        return None


class Estimate(Message):
    """Give an estimate."""

    value: Number


class Panel(Outcome):
    """What a panel came to.

    Args:
        median: half of the last estimates are at most this; None where there were none.
        lower, upper: a quarter, and three quarters of them.
        rounds: how many there were.
        settled: whether the panel agreed, or no longer moved, before the rounds were over.
    """

    median: Number | None = None
    lower: Number | None = None
    upper: Number | None = None
    rounds: int = 0
    settled: bool = False


DELPHI = exchange(
    "delphi",
    Consult,
    Estimate,
    source="Dalkey and Helmer 1963, An experimental application of the Delphi method to the use of experts",
    initiator="facilitator",
    participant="expert",
    refuse=False,
)


class Delphi(InteractionProtocol):
    """A panel of its members: a `Forecast` is answered by the `Panel`.

    In each round everybody is told its own estimate and the quartiles of all of the round before, never who gave which, and
    estimates anew, until the panel settles or the rounds are over. Who is absent in a round is not asked again, and its
    estimates of earlier rounds no longer count.

    Args:
        rounds: the most.
        within: the panel agrees where its interquartile range is at most this.
        drift: it no longer moves where median and range changed by at most this since the round before; None to go on.
    """

    rules: ClassVar = (DELPHI,)

    rounds: int = Field(default=4, ge=1)
    within: float = Field(default=0.0, ge=0)
    drift: float | None = Field(default=0.0, ge=0)

    async def aforecast(self, message: Forecast) -> Panel:
        absent: dict[str, str] = {}
        own: dict[str, Decimal] = {}
        rounds: list[list[Decimal]] = []
        while len(rounds) < self.rounds and not self._settled(rounds):
            middle = _told(spread(rounds[-1])) if rounds else {}
            there = [member.id for member in self if member.id not in absent]
            answers = await self.collect(
                Consult.reply(
                    message,
                    body=message.body,
                    receiver=name,
                    round=len(rounds) + 1,
                    own=own.get(name),
                    lowest=message.lowest,
                    highest=message.highest,
                    **middle,
                )
                for name in there
            )
            own = {name: estimate.value for name, estimate in answers.of(Estimate).items()}
            absent |= answers.absent
            if not own:
                break
            rounds.append([*own.values()])
        if not rounds:
            return Panel.reply(message, body="nobody gave an estimate", absent=absent)
        middle = _told(spread(rounds[-1]))
        return Panel.reply(
            message,
            body=f"{middle['median']}",
            rounds=len(rounds),
            settled=self._settled(rounds),
            absent=absent,
            **middle,
        )

    def _settled(self, rounds: list[list[Decimal]]) -> bool:
        drift = None if self.drift is None else Fraction(self.drift)
        return settled(rounds, within=Fraction(self.within), drift=drift)


def _told(middle: Spread) -> dict[str, Decimal]:
    """Quartiles as fields of a message."""
    return {"lower": _decimal(middle.lower), "median": _decimal(middle.median), "upper": _decimal(middle.upper)}


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
