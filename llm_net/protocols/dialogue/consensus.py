"""A proposal is put to everybody and revised until enough agree. Knows nothing of what is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.consensus import quorum_size, standing
from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Motion(Message):
    """Agree on something."""


class Consider(Question):
    """Agree to a proposal, or object to it and say why.

    Args:
        body: the proposal.
        objections: to the proposal before it, which this one revises.
    """

    objections: tuple[str, ...] = ()

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Objection) and not answer.reason.strip():
            return "an objection needs a reason; give one, or agree."
        return None


class Objection(Message):
    """Object to the proposal, for a reason."""

    reason: str


class Revise(Question):
    """Write a proposal anew, so that those who objected can agree.

    Args:
        body: the proposal.
        objections: to it.
    """

    objections: tuple[str, ...]


class Revision(Message):
    """Write the proposal anew."""

    text: str


class Agreement(Outcome):
    """What was agreed on, if anything was.

    Args:
        agreed: whether a quorum agreed to `body`, which is the last proposal.
        agree: who agreed to it.
        objections: who objected, and why.
        rounds: how many proposals there were.
    """

    agreed: bool = False
    agree: tuple[str, ...] = ()
    objections: Mapping[str, str] = {}
    rounds: int = 0


CONSENSUS = Rules(
    "consensus",
    completed([
        (START, "initiator", Consider, "considering"),
        ("considering", "participant", Agree, "agreed"),
        ("considering", "participant", Objection, "objected"),
        ("considering", "participant", Refuse, "abstained"),
        (START, "initiator", Revise, "revising"),
        ("revising", "participant", Revision, "revised"),
    ]),
    source="Susskind, McKearnan and Thomas-Larmer 1999, The consensus building handbook (a single text, revised)",
    initiator="facilitator",
    participant="member",
    fallback=(Refuse,),
)  # fmt: skip


class Consensus(InteractionProtocol):
    """Puts a proposal to its members: a `Motion` is answered by the `Agreement`.

    Everybody agrees, objects with a reason, or abstains. Where too few agree, the editor revises the proposal, knowing the
    objections but not whose they are, and it is put to everybody anew, until a quorum agrees, the rounds are over,
    nobody objects, or the editor has nothing new. Who fails or is late is not asked
    again, and agrees to nothing.

    Args:
        editor: who revises the proposal, and has no voice on it; None where nobody does, so that there is one round.
        quorum: how many have to agree, more than half of those who have a voice; None for the least such number.
        rounds: the most.
    """

    rules: ClassVar = (CONSENSUS,)

    editor: str | None = None
    quorum: int | None = Field(default=None, ge=1)
    rounds: int = Field(default=4, ge=1)

    async def amotion(self, message: Motion) -> Agreement:
        voices = everybody_but(self, *(() if self.editor is None else (self.editor,)))
        quorum = self.quorum or quorum_size(len(voices))
        text = message.body
        before: tuple[str, ...] = ()
        absent: dict[str, str] = {}
        number = 0
        while True:
            number += 1
            answers = await self.collect(
                Consider(body=text, objections=before, receiver=name, reply_to=message)
                for name in voices
                if name not in absent
            )
            agree = tuple(answers.of(Agree))
            objections = {name: objection.reason for name, objection in answers.of(Objection).items()}
            absent |= answers.absent
            positions = {name: "agree" if name in agree else None for name in voices}
            agreed = standing(positions, quorum=quorum).agreed is not None
            revised = None
            if objections and not agreed and number < self.rounds and self.editor is not None:
                revised = await self._revised(message, text, tuple(objections.values()), absent)
            if revised is None or revised == text:
                return Agreement.reply(
                    message, body=text, agreed=agreed, agree=agree, objections=objections, rounds=number, absent=absent
                )
            text, before = revised, tuple(objections.values())

    async def _revised(
        self, motion: Motion, text: str, objections: tuple[str, ...], absent: dict[str, str]
    ) -> str | None:
        answers = await self.collect([Revise(body=text, objections=objections, receiver=self.editor, reply_to=motion)])
        absent |= answers.absent
        return next((revision.text for revision in answers.of(Revision).values()), None)
