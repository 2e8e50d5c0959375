"""A producer that says ten times what its receiver can take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from llm_net import GenAgent, GenNetwork, Message

WEIGHT = 10_000
"""Characters of a message."""


class Producer(GenAgent):
    """Says as much as it may."""

    count: int

    def begin(self, message: Message) -> Iterator[Message]:
        for _ in range(self.count):
            yield Message(method="take", body="x" * WEIGHT, receiver="consumer")


class Consumer(GenAgent):
    """Takes its time."""

    seconds: float
    taken: int = 0

    async def atake(self, message: Message) -> None:
        await asyncio.sleep(self.seconds)
        self.taken += 1


def flood(count: int, seconds: float) -> GenNetwork:
    """Say so much to one who takes so long for each."""
    return GenNetwork(
        id="flood", agents=[Producer(id="producer", count=count), Consumer(id="consumer", seconds=seconds)]
    )


def network() -> GenNetwork:
    """Ten times what is taken, and no end of it."""
    return flood(10**9, 0.002)
