"""A barrier: all members arrive, then all go on, as often as there are phases. Knows who arrived, not what they did before."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Meeting(Message):
    """Let all members arrive, and go on together.

    Args:
        phases: how often; what a member does before it arrives is its work of that phase.
    """

    phases: int = Field(default=1, ge=1)


class Assemble(Question):
    """Say that you have arrived as soon as your part of this phase is done."""

    phase: int = Field(default=1, ge=1)


class Arrived(Message):
    """Say that you have arrived."""


class Release(Message):
    """All have arrived: go on."""

    phase: int = Field(ge=1)


class Broken(Message):
    """Not all have arrived in time: nobody goes on."""

    phase: int = Field(ge=1)
    missing: tuple[str, ...]


class Passage(Outcome):
    """How far all came together.

    Args:
        phases: how many times all arrived and were released.
        waited: who had arrived in vain when the barrier broke, in the order of the network; empty where it did not.
    """

    phases: int
    waited: tuple[str, ...] = ()


BARRIER = Rules(
    "barrier",
    completed([
        (START, "initiator", Assemble, "assembling"),
        ("assembling", "participant", Arrived, "arrived"),
        ("assembling", "participant", Refuse, "refused"),
        ("arrived", "initiator", Release, "released"),
        ("arrived", "initiator", Broken, "broken"),
    ]),
    source="Valiant 1990, A bridging model for parallel computation; Java's CyclicBarrier, which breaks for all or for none",
    initiator="barrier",
    participant="member",
    fallback=(Refuse,),
)  # fmt: skip


class Barrier(InteractionProtocol):
    """A barrier before which the members wait for each other: a `Meeting` is answered by a `Passage`.

    In each phase all get an `Assemble`, which each answers by `Arrived` when it is there, however long its work takes. When all
    have, all get a `Release`, and the next phase begins. Where one is not there in time, those who are get a `Broken` that
    names it, and nobody goes on.

    Args:
        patience: seconds from the beginning of a phase until all must have arrived.
    """

    rules: ClassVar = (BARRIER,)

    async def ameeting(self, message: Meeting) -> Message:
        for phase in range(1, message.phases + 1):
            answers = await self.collect(
                Assemble(body=message.body, phase=phase, receiver=member, reply_to=message) for member in self
            )
            arrived = answers.of(Arrived)
            absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
            if absent:
                missing = tuple(absent)
                await self.tell(Broken.reply(each, phase=phase, missing=missing) for each in arrived.values())
                return Passage.reply(message, phases=phase - 1, waited=tuple(arrived), absent=absent)
            await self.tell(Release.reply(each, phase=phase) for each in arrived.values())
        return Passage.reply(message, phases=message.phases)
