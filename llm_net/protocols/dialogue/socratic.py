"""One asks and the other answers, until who asks is satisfied. Knows nothing of what is asked."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.dialogue.line import Line, Lines
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules


class Thesis(Message):
    """Examine whether something holds."""


class Examine(Question):
    """Ask about a thesis; say that you are satisfied once nothing is left to ask."""


class Ask(Message):
    """Ask a question."""


class Explain(Question):
    """Answer a question about a thesis that you hold.

    Args:
        body: the question.
        thesis: what you hold.
        said: questions and answers so far.
    """

    thesis: str
    said: Lines = ()


class Explanation(Message):
    """Answer the question."""


class FollowUp(Question):
    """Hear the answer; ask on, or say that you are satisfied."""


class Satisfied(Message):
    """Say that nothing is left to ask, and what you conclude."""


class Examination(Outcome):
    """What came of an examination.

    Args:
        satisfied: whether who asked was, in the end; then `body` is its conclusion.
        said: questions and answers, first to last.
    """

    satisfied: bool = False
    said: Lines = ()


SOCRATIC = Rules(
    "socratic",
    completed([
        (START, "initiator", Examine, "examining"),
        ("examining", "participant", Ask, "asking"),
        ("examining", "participant", Satisfied, "satisfied"),
        ("asking", "initiator", FollowUp, "examining"),
        (START, "initiator", Explain, "explaining"),
        ("explaining", "participant", Explanation, "explained"),
    ]),
    source="Paul and Elder 2006, The art of Socratic questioning",
    initiator="moderator",
    participant="partner",
    fallback=(Satisfied,),
)  # fmt: skip


class Socratic(InteractionProtocol):
    """A questioner and an answerer among its members: a `Thesis` is answered by the `Examination`.

    The questioner asks, hears the answer, and asks on, until it is satisfied, the questions are over, or one of the two
    fails. The answerer gets each question with all that was said before.

    Args:
        questioner, answerer: members; others have no part in it.
        questions: the most.
    """

    rules: ClassVar = (SOCRATIC,)

    questioner: str
    answerer: str
    questions: int = Field(default=6, ge=1)

    async def athesis(self, message: Thesis) -> Examination:
        everybody_but(self, self.questioner, self.answerer)
        said: list[Line] = []
        absent: dict[str, str] = {}
        ask: Message = Examine(body=message.body, receiver=self.questioner, reply_to=message)
        while True:
            word = await self._one(ask, absent)
            if isinstance(word, Satisfied):
                return Examination.reply(message, body=word.body, satisfied=True, said=tuple(said), absent=absent)
            if not isinstance(word, Ask):
                break
            said.append(Line(speaker=self.questioner, text=word.body))
            explain = Explain(
                body=word.body, thesis=message.body, said=tuple(said[:-1]), receiver=self.answerer, reply_to=message
            )
            answer = await self._one(explain, absent)
            if not isinstance(answer, Explanation):
                break
            said.append(Line(speaker=self.answerer, text=answer.body))
            if len(said) >= 2 * self.questions:
                break
            ask = FollowUp.reply(word, body=answer.body)
        body = next(iter(absent.values()), f"{self.questions} questions are over")
        return Examination.reply(message, body=body, said=tuple(said), absent=absent)

    async def _one(self, question: Message, absent: dict[str, str]) -> Message | None:
        answers = await self.collect([question])
        absent |= answers.absent
        return next(iter(answers), None)
