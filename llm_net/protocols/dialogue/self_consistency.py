"""The answer that most of several samples agree on. Knows nothing of how an answer is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.protocols.dialogue.majority import majority
from llm_net.protocols.dialogue.problem import Problem, Solution, Solve
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.tie import TieRule

SELF_CONSISTENCY = exchange(
    "self-consistency",
    Solve,
    Solution,
    source="Wang et al. 2022, Self-Consistency Improves Chain of Thought Reasoning in Language Models (arXiv 2203.11171)",
    initiator="counter",
    participant="sampler",
    refuse=False,
)


class CommonAnswer(Outcome):
    """What most say.

    Args:
        answer: None where nobody answered, or several answers tie and no rule decides.
        counts: how often each answer was given, most first.
        calls: questions that were asked for it.
    """

    answer: str | None = None
    counts: Mapping[str, int] = {}
    calls: int = 0


class SelfConsistency(InteractionProtocol):
    """Asks its members again and again, each time anew, and counts: a `Problem` is answered by the `CommonAnswer`.

    The members are asked side by side, one question each at a time, until there are enough samples; a single member gives
    them all, one after the other. Nobody sees what the others say. A sample that fails or is late does not count, and
    that member is not asked again.

    Args:
        samples: how many there are to be.
        early: stop once no further sample could change who wins.
        ties: which answer wins among those that were given equally often; without a rule they are the result.
    """

    rules: ClassVar = (SELF_CONSISTENCY,)

    samples: int = Field(default=9, ge=1)
    early: bool = True
    ties: TieRule | None = None

    async def aproblem(self, message: Problem) -> CommonAnswer:
        found: list[str] = []
        absent: dict[str, str] = {}
        calls = 0
        while calls < self.samples and not (self.early and majority(found).decided(self.samples - calls)):
            there = [member.id for member in self if member.id not in absent][: self.samples - calls]
            if not there:
                break
            answers = await self.collect(
                Solve(body=message.body, choices=message.choices, receiver=name, reply_to=message) for name in there
            )
            calls += len(there)
            solutions = answers.of(Solution)
            found += [solution.answer for solution in solutions.values()]
            absent |= answers.absent
        count = majority(found)
        answer = count.answer(self.ties)
        return CommonAnswer.reply(
            message,
            body=answer or "undecided",
            answer=answer,
            counts=count.counts,
            calls=calls,
            ties=count.ties,
            absent=absent,
        )
