"""A single text: a mediator drafts, the parties accept or criticise, and it is drafted again. Knows nobody's interests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Matter(Message):
    """Come to a text about this matter that all accept.

    Args:
        text: to begin with; without one the mediator writes the first.
    """

    text: str = ""


class Adoption(Outcome):
    """Whether a text was adopted; `body` is the last text that the parties read.

    Args:
        adopted: whether as many accepted it as had to.
        accepted: who did.
        criticism: what the others said against it.
        round: in which it came to an end.
    """

    adopted: bool = False
    accepted: tuple[str, ...] = ()
    criticism: Mapping[str, str] = {}
    round: int = 0


class Draft(Question):
    """Write the text so that all can accept it, and mend what they criticise.

    Args:
        text: as it is; "" where there is none yet.
        criticism: what was said against it, by party.
    """

    text: str = ""
    criticism: Mapping[str, str] = {}


class Text(Message):
    """Propose this text."""


class Read(Question):
    """Accept the text, or say what is wrong with it.

    Args:
        round: the number of this round, from 1.
        rounds: how many there are; after the last there is no agreement.
    """

    text: str
    round: int = Field(ge=1)
    rounds: int = Field(ge=1)


class Accept(Message):
    """Accept the text as it is."""


class Criticise(Message):
    """Say what is wrong with the text, and what it should say."""


SINGLE_TEXT = Rules(
    "single-text",
    completed([
        (START, "initiator", Draft, "drafting"),
        ("drafting", "participant", Text, "drafted"),
        (START, "initiator", Read, "reading"),
        ("reading", "participant", Accept, "accepted"),
        ("reading", "participant", Criticise, "criticised"),
    ]),
    source="Fisher 1978, International mediation: a working guide; Raiffa 1982, The art and science of negotiation, chapter 14",
    initiator="table",
    participant="member",
    fallback=(Criticise,),
)  # fmt: skip


class SingleText(InteractionProtocol):
    """A single negotiating text: a `Matter` for its members, answered by an `Adoption`.

    One member is the mediator and writes; the others are parties, read, and accept or criticise. What they criticise, the
    mediator mends, until all accept one and the same text. Who says nothing has not accepted it.

    Args:
        mediator: the id of the member who writes.
        rounds: how many texts the parties read at most.
        needed: how many parties have to accept; None for all of them.
    """

    rules: ClassVar = (SINGLE_TEXT,)

    mediator: str
    rounds: int = Field(default=5, ge=1)
    needed: int | None = Field(default=None, ge=1)

    async def amatter(self, message: Matter) -> Adoption:
        parties = [member for member in self if member.id != self.mediator]
        if self.mediator not in self or len(parties) < (self.needed or 1):
            raise ValueError(
                f"{self.id!r} needs its mediator {self.mediator!r} and {self.needed or 1} parties; add them"
            )
        mediator = self[self.mediator]
        last: dict[str, Message] = {member.id: message for member in self}
        outcome = Adoption.reply(message, body=message.text)
        for number in range(1, self.rounds + 1):
            text, criticism = outcome.body, outcome.criticism
            if not text or criticism:
                draft = Draft(
                    body=message.body,
                    text=text,
                    criticism=criticism,
                    receiver=mediator,
                    reply_to=last[mediator.id],
                )
                drafted = await self.collect([draft])
                last.update(drafted.given)
                text = next((each.body for each in drafted.of(Text).values()), "")
                if not text:
                    absent = drafted.absent or {mediator.id: "it wrote nothing"}
                    return Adoption.reply(message, body=outcome.body, criticism=criticism, round=number, absent=absent)
            read = Read(body=message.body, text=text, round=number, rounds=self.rounds)
            answers = await self.collect(read.forward(party, sender=self, reply_to=last[party.id]) for party in parties)
            last.update(answers.given)
            accepted = tuple(answers.of(Accept))
            outcome = Adoption.reply(
                message,
                body=text,
                adopted=len(accepted) >= (self.needed or len(parties)),
                accepted=accepted,
                criticism={name: each.body for name, each in answers.of(Criticise).items()},
                round=number,
                absent=answers.absent,
            )
            if outcome.adopted or not outcome.criticism:
                break
        return outcome
