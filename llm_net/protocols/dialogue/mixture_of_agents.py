"""Layers of members who each improve on what the layer before wrote, and one who makes one answer of it.

Knows nothing of what makes an answer good.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from llm_net.protocols.dialogue.company import everybody_but
from llm_net.protocols.dialogue.problem import Problem, Solution, Solve
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import exchange
from llm_net.protocols.outcome import Outcome


class Improve(Solve):
    """Answer a question; make the best of the answers that others gave, some of which may be wrong.

    Args:
        drafts: the answers of the layer before; none in the first.
    """

    drafts: tuple[str, ...] = ()


class Synthesis(Outcome):
    """The answer of a mixture of agents.

    Args:
        answer: the aggregator's; None where it gave none.
        drafts: what the last layer gave it.
        calls: questions that were asked.
    """

    answer: str | None = None
    drafts: tuple[str, ...] = ()
    calls: int = 0


MIXTURE_OF_AGENTS = exchange(
    "mixture-of-agents",
    Improve,
    Solution,
    source="Wang et al. 2024, Mixture-of-Agents Enhances Large Language Model Capabilities (arXiv 2406.04692)",
    initiator="network",
    participant="proposer",
    refuse=False,
)


class MixtureOfAgents(InteractionProtocol):
    """Layers of proposers and an aggregator: a `Problem` is answered by the `Synthesis`.

    Each proposer sees the answers of the layer before, without names, and nothing of those before that; the aggregator sees
    those of the last. Who is absent in one layer is not asked in the next. It costs one call for each proposer of each
    layer, and one.

    Args:
        layers: who proposes in each, at least one layer; a member may be in several.
        aggregator: who has the last word; it may be in layers too.
    """

    rules: ClassVar = (MIXTURE_OF_AGENTS,)

    layers: tuple[tuple[str, ...], ...] = Field(min_length=1)
    aggregator: str

    async def aproblem(self, message: Problem) -> Synthesis:
        everybody_but(self, self.aggregator, *(name for layer in self.layers for name in layer))
        drafts: tuple[str, ...] = ()
        absent: dict[str, str] = {}
        calls = 0
        for layer in self.layers:
            calls += sum(name not in absent for name in layer)
            drafts = await self._layer(message, layer, drafts, absent)
        calls += self.aggregator not in absent
        last = await self._layer(message, (self.aggregator,), drafts, absent)
        answer = next(iter(last), None)
        return Synthesis.reply(
            message, body=answer or "no answer", answer=answer, drafts=drafts, calls=calls, absent=absent
        )

    async def _layer(
        self, problem: Problem, layer: tuple[str, ...], drafts: tuple[str, ...], absent: dict[str, str]
    ) -> tuple[str, ...]:
        """What a layer makes of the drafts of the one before."""
        answers = await self.collect(
            Improve(body=problem.body, choices=problem.choices, drafts=drafts, receiver=name, reply_to=problem)
            for name in layer
            if name not in absent
        )
        solutions = answers.of(Solution)
        absent |= answers.absent
        return tuple(solution.answer for solution in solutions.values())
