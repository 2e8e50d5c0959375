"""An agent that remembers what it is told, and an observer that remembers what happens. Knows no test framework."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.ports import Observation, Statistics

ENDS = ("handled", "failed", "expired", "cancelled", "rejected", "dead")
"""The ends that a message can come to."""


class Probe(GenAgent):
    """Takes every message that it has no handler for, answers none, and keeps them in `messages`, oldest first."""

    messages: list[Message] = Field(default_factory=list)

    def missing(self, message: Message) -> None:
        """Remember a message."""
        self.messages.append(message)

    @property
    def bodies(self) -> list[str]:
        """What the messages said."""
        return [message.body for message in self.messages]


class Recorder:
    """An observer that keeps everything it is told in `observations`, oldest first."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []

    def observe(self, observation: Observation) -> None:
        """Remember what happened."""
        self.observations.append(observation)

    def kinds(self) -> Counter[str]:
        """How often each kind of thing happened."""
        return Counter(observation.kind for observation in self.observations)

    def check(self, statistics: Statistics) -> None:
        """Check the law that each message comes to exactly one end, and the statistics of a run that has ended.

        Raises:
            AssertionError: with the deliveries that came to no end or to several, or with the counts that differ.
        """
        open_ones: Counter[tuple[str, str]] = Counter()
        for observation in self.observations:
            if observation.message is not None:
                delivery = (observation.address, observation.message.id)
                if observation.kind == "sent":
                    open_ones[delivery] += 1
                elif observation.kind in ENDS:
                    open_ones[delivery] -= 1
                    assert open_ones[delivery] >= 0, f"{observation.kind} without being sent: {delivery}"
        unended = [delivery for delivery, number in open_ones.items() if number]
        assert not unended, f"sent, and came to no end: {unended}"
        counted, seen = {kind: getattr(statistics, kind) for kind in ("sent", *ENDS)}, self.kinds()
        assert counted == {kind: seen[kind] for kind in counted}, f"{counted}, but observed: {dict(seen)}"
        check_sum(statistics)


def check_sum(statistics: Statistics) -> None:
    """Check that the messages of a run that has ended are all accounted for. Raises AssertionError."""
    ends = {kind: getattr(statistics, kind) for kind in ENDS}
    assert statistics.sent == sum(ends.values()), f"{statistics.sent} sent, but {ends}"
    assert statistics.pending == 0, f"{statistics.pending} pending"
    assert all(number >= 0 for number in ends.values()), ends
