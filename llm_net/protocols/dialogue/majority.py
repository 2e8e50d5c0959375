"""What most answers say. Knows texts, not who gave them or why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llm_net.protocols.tie import TieRule


def normalised(answer: str) -> str:
    """An answer without what makes no difference: case, white space, and marks at its ends ("Paris." is "paris")."""
    return " ".join(answer.casefold().split()).strip(".,;:!?\"'`*()[]{}“”‘’ ")


@dataclass(frozen=True, slots=True)
class Majority:
    """How often each answer was given.

    Args:
        counts: most first, equals in the order in which they first came, each as it was first spelt.
    """

    counts: Mapping[str, int] = field(hash=False)

    @property
    def winners(self) -> tuple[str, ...]:
        """What was said most often: several where they tie, nothing where nothing was said."""
        return tuple(answer for answer, count in self.counts.items() if count == max(self.counts.values()))

    @property
    def ties(self) -> tuple[str, ...]:
        """The answers that tie for the most; empty where one alone has it."""
        return self.winners if len(self.winners) > 1 else ()

    def answer(self, rule: TieRule | None) -> str | None:
        """The answer that wins, among equals by a rule; None where there is none, or no rule decides."""
        if self.ties:
            return rule.rank(self.ties)[0] if rule is not None else None
        return next(iter(self.winners), None)

    def decided(self, left: int) -> bool:
        """Whether nothing that so many further answers say can change who wins, or bring about a tie."""
        first, second, *_ = (*self.counts.values(), 0, 0)
        return first > second + left


def majority(answers: Iterable[str]) -> Majority:
    """Counts answers, those that are the same when normalised together.

    Source: Wang et al. 2022, Self-Consistency Improves Chain of Thought Reasoning in Language Models (arXiv 2203.11171).
    """
    spelt: dict[str, str] = {}
    counts: dict[str, int] = {}
    for answer in answers:
        spelling = spelt.setdefault(normalised(answer), answer)
        counts[spelling] = counts.get(spelling, 0) + 1
    return Majority(dict(sorted(counts.items(), key=lambda item: -item[1])))
