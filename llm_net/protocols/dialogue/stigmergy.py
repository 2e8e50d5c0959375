"""Members walk about and leave marks for each other instead of talking. Knows places, not what they are."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.field import deposited, evaporated
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema


class Release(Message):
    """Walk about, and leave marks."""


class Sense(Question):
    """Sense the marks around you; stay or walk to a place next to you, and leave a mark where you are now.

    Args:
        body: what it is about.
        place: where you are.
        marks: how much is there, and at each place next to it.
        most: how much you may leave.
    """

    place: str
    marks: Mapping[str, float]
    most: float

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is not Step:
            return {}
        return {
            "to": {"type": "string", "enum": [*self.marks]},
            "mark": {"type": "number", "minimum": 0, "maximum": self.most},
        }

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Step):
            return None
        if answer.to not in self.marks:
            return f"{answer.to!r} is not next to {self.place!r}; go to one of {', '.join(self.marks)}."
        if answer.mark > self.most:
            return f"a mark of {answer.mark:g} is too strong; leave at most {self.most:g}."
        return None


class Step(Message):
    """Go to a place, and leave a mark where you were."""

    to: str
    mark: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Trails(Outcome):
    """What is left on the ground.

    Args:
        marks: at each place.
        places: where each member is.
        ticks: how often everybody took a step.
    """

    marks: Mapping[str, float] = {}
    places: Mapping[str, str] = {}
    ticks: int = 0


STIGMERGY = exchange(
    "stigmergy",
    Sense,
    Step,
    source="Grassé 1959; Dorigo, Maniezzo and Colorni 1996, Ant System: optimization by a colony of cooperating agents",
    initiator="ground",
    participant="walker",
    refuse=False,
)


class Stigmergy(InteractionProtocol):
    """The ground on which its members walk: a `Release` is answered by the `Trails`.

    In each tick everybody senses the marks at its place and next to it, all at the same moment; then the steps are taken,
    what was left is added, and a share of all evaporates. Who fails or is late stays where it is from then on.

    Args:
        ways: the places next to each place.
        start: where everybody begins.
        evaporation: the share of all marks that is gone after a tick, from 0 to 1.
        most: how much one may leave in a tick.
        ticks: how many.
    """

    rules: ClassVar = (STIGMERGY,)

    ways: Mapping[str, tuple[str, ...]]
    start: str
    evaporation: float = Field(default=0.1, ge=0, le=1)
    most: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    ticks: int = Field(default=10, ge=1, le=1_000)

    async def arelease(self, message: Release) -> Trails:
        places = {member.id: self.start for member in self}
        field = {place: Fraction(0) for place in (self.start, *self.ways)}
        absent: dict[str, str] = {}
        for _ in range(self.ticks):
            answers = await self.collect(
                Sense(
                    body=message.body,
                    place=place,
                    marks={near: float(field.get(near, 0)) for near in (place, *self.ways.get(place, ()))},
                    most=self.most,
                    receiver=name,
                    reply_to=message,
                )
                for name, place in places.items()
                if name not in absent
            )
            absent |= answers.absent
            for name, step in answers.of(Step).items():
                field = deposited(field, places[name], Fraction(step.mark))
                places[name] = step.to
            field = evaporated(field, Fraction(self.evaporation))
        return Trails.reply(
            message,
            body=f"{self.ticks} ticks are over",
            marks={place: float(amount) for place, amount in field.items()},
            places=places,
            ticks=self.ticks,
            absent=absent,
        )
