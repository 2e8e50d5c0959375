"""Something to be answered, and answers to it. Knows no way to find the best of them."""

from __future__ import annotations

from collections.abc import Mapping

from llm_net.message import Message
from llm_net.protocols.question import Question
from llm_net.schema import JsonSchema


class Problem(Message):
    """Find the answer to something together.

    Args:
        body: the question.
        choices: the only answers that count; none for any.
    """

    choices: tuple[str, ...] = ()


class Solution(Message):
    """Answer the question.

    Args:
        body: the reasons.
        answer: in few words.
    """

    answer: str


class Solve(Question):
    """Answer a question.

    Args:
        body: the question.
        choices: the only answers that count; none for any.
    """

    choices: tuple[str, ...] = ()

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is Solution and self.choices:
            return {"answer": {"type": "string", "enum": [*self.choices]}}
        return {}

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, Solution):
            return None
        if not answer.answer.strip():
            return "the answer is empty; give one, or refuse."
        if self.choices and answer.answer not in self.choices:
            return f"{answer.answer!r} is no choice; give one of {', '.join(self.choices)}."
        return None
