"""Members talk about something, one after the other. Knows neither what is said nor who would say it best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.dialogue.ending import AllSilent, Ending, Talk, Turns
from llm_net.protocols.dialogue.line import Line, Lines
from llm_net.protocols.dialogue.selection import (
    URGENT,
    ByHands,
    BySelector,
    RoundRobin,
    Selection,
    most_urgent,
)
from llm_net.protocols.dialogue.turn import Minutes, Say, Skip, TakeTurn, Topic
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed, exchange
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema


class WhoNext(Question):
    """Name who shall speak next.

    Args:
        body: the topic.
        members: who may be named.
        said: so far.
    """

    members: tuple[str, ...]
    said: Lines = ()

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"name": {"type": "string", "enum": [*self.members]}} if kind is Next else {}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Next) and answer.name not in self.members:
            return f"{answer.name!r} is not there; name one of {', '.join(self.members)}."
        return None


class Next(Message):
    """Name the next speaker."""

    name: str


class Hands(Question):
    """Say how much you want to speak.

    Args:
        body: the topic.
        said: so far.
    """

    said: Lines = ()


class Hand(Message):
    """Raise a hand, from 0, not at all, to 10, at once."""

    urgency: int = Field(ge=0, le=URGENT)


ROUND_ROBIN = Rules(
    "round-robin",
    completed([
        (START, "initiator", TakeTurn, "asked"),
        ("asked", "participant", Say, "said"),
        ("asked", "participant", Skip, "skipped"),
    ]),
    source="Wu et al. 2023, AutoGen (arXiv 2308.08155), group chat",
    initiator="chair",
    participant="speaker",
    fallback=(Skip,),
)  # fmt: skip
SELECTOR = exchange(
    "selector",
    WhoNext,
    Next,
    source="Wu et al. 2023, AutoGen (arXiv 2308.08155), group chat",
    initiator="chair",
    participant="selector",
    refuse=False,
)
HANDS = exchange(
    "raised-hands",
    Hands,
    Hand,
    source="Sacks, Schegloff and Jefferson 1974, A simplest systematics for the organization of turn-taking (self-selection)",
    initiator="chair",
    participant="listener",
    refuse=False,
)


class Discussion(InteractionProtocol):
    """A conversation of its members: a `Topic` to the network is answered by the `Minutes`.

    Whoever is given the floor gets a `TakeTurn` with all that was said, and answers by `Say` or `Skip`. Who fails or is late
    has left: it is absent and not given the floor again.

    Args:
        selection: who speaks next; where it names somebody who is not there, they speak in turn.
        ending: when it is over.
        most: turns after which it is over whatever the ending says.
    """

    rules: ClassVar = (ROUND_ROBIN, SELECTOR, HANDS)

    selection: Selection = Field(default=RoundRobin(), exclude=True, repr=False)
    ending: Ending = Field(default=Turns(12) | AllSilent(), exclude=True, repr=False)
    most: int = Field(default=100, ge=1)

    async def atopic(self, message: Topic) -> Minutes:
        speakers = everybody_but(self, *self._selectors())
        said: list[Line] = []
        absent: dict[str, str] = {}
        reason = ""
        while not reason:
            there = [name for name in speakers if name not in absent]
            speaker = await self._speaker(message, there, tuple(said), absent) if there else None
            if speaker is None:
                reason = "nobody wants to speak" if there else "nobody is left"
                break
            turn = TakeTurn(body=message.body, said=tuple(said), receiver=speaker, reply_to=message)
            answers = await self.collect([turn])
            word = answers.given.get(speaker)
            absent |= answers.absent
            if isinstance(word, Say | Skip):
                said.append(Line(speaker=speaker, text=word.body if isinstance(word, Say) else ""))
            there = [name for name in speakers if name not in absent]
            reason = (self.ending | Turns(self.most)).reason(Talk(there, said)) if there and said else ""
        return Minutes.reply(message, body=reason, said=tuple(said), reason=reason, absent=absent)

    def _selectors(self) -> tuple[str, ...]:
        return (self.selection.selector,) if isinstance(self.selection, BySelector) else ()

    async def _speaker(self, topic: Topic, there: list[str], said: Lines, absent: dict[str, str]) -> str | None:
        """Who speaks next; None where everybody was asked and nobody wants to."""
        if isinstance(self.selection, ByHands):
            questions = [Hands(body=topic.body, said=said, receiver=name, reply_to=topic) for name in there]
            answers = await self.collect(questions)
            absent |= answers.absent
            hands = {name: hand.urgency for name, hand in answers.of(Hand).items() if hand.urgency}
            return most_urgent(hands, said) if hands else None
        for selector in self._selectors():
            if selector not in absent:
                question = WhoNext(body=topic.body, members=tuple(there), said=said, receiver=selector, reply_to=topic)
                answers = await self.collect([question])
                absent |= answers.absent
                if named := answers.of(Next):
                    return named[selector].name
        picked = self.selection.pick(there, said, self.random)
        return picked if picked in there else RoundRobin().pick(there, said, self.random)
