"""A message that says what answers to it have to look like. Knows no rules of when they may come."""

from __future__ import annotations

from collections.abc import Mapping

from llm_net.message import Message
from llm_net.schema import JsonSchema


class Question(Message):
    """A message whose answers depend on what is in it: a call for votes lists the candidates.

    What it says here holds for everybody: models are told of it in advance, and a wrong answer is not sent.
    """

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        """What an answer of this kind may have in its fields, narrower than its class says: `{"choice": {"enum": […]}}`."""
        return {}

    def problem_with(self, answer: Message) -> str | None:
        """What is wrong with an answer, in a sentence that says how to mend it; None if nothing is."""
        return None
