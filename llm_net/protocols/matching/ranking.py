"""Asking somebody what they would have, best first, and what they answer. Knows nothing of what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llm_net.message import Message
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema


class RankedWishes(Message):
    """List what you would have, best first, and leave out what you would not."""

    ranking: tuple[str, ...]


class CallForRanking(Question):
    """Ask for a list of what somebody would have, best first."""

    candidates: tuple[str, ...]

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"ranking": some_of(self.candidates, len(self.candidates))} if kind is RankedWishes else {}

    def problem_with(self, answer: Message) -> str | None:
        return problem_among(answer.ranking, self.candidates) if isinstance(answer, RankedWishes) else None


def some_of(candidates: Sequence[str], most: int) -> JsonSchema:
    """The schema of a list of at most so many of these names."""
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(candidates)},
        "maxItems": most,
        "uniqueItems": True,
    }


def problem_among(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """What is wrong with a list of some of these names, and how to mend it; None if nothing is."""
    if unknown := [name for name in names if name not in candidates]:
        return f"{unknown[0]!r} is not to be had; list some of {', '.join(candidates)}"
    if twice := [name for name in names if names.count(name) > 1]:
        return f"{twice[0]!r} is listed twice; list each once"
    return None
