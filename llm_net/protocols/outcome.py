"""How a conversation of several ended. Knows no protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from llm_net.message import Message

M = TypeVar("M", bound=Message)


class Outcome(Message):
    """What came of a conversation; what it is about, the classes of protocols say.

    Args:
        ties: equals between whom nothing but the declared rule for ties decided; empty where nobody tied.
        absent: who was asked and gave no answer that counts, with the reason.
    """

    ties: tuple[str, ...] = ()
    absent: Mapping[str, str] = {}

    def content(self) -> dict[str, object]:
        """What it says; nothing is said of ties and absence where there are none."""
        return {name: value for name, value in super().content().items() if value or name not in ("ties", "absent")}


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back when several were asked.

    Args:
        given: the answer of each who gave one, by id, in the order in which they were asked.
        absent: why the others gave none.
    """

    given: Mapping[str, Message] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: type[M]) -> dict[str, M]:
        """The answers of one class."""
        return {id: answer for id, answer in self.given.items() if isinstance(answer, kind)}

    def __iter__(self) -> Iterator[Message]:
        return iter(self.given.values())

    def __or__(self, other: Answers) -> Answers:
        """These and others, which count where both have one: an answer that came later."""
        return Answers({**self.given, **other.given}, {**self.absent, **other.absent})
