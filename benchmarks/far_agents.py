"""The agents of the measurements between processes: a class that lives elsewhere stands in a module that both sides import."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from time import perf_counter

from pydantic import Field

from llm_net import GenAgent, Message


class Source(GenAgent):
    """Sends, and measures."""

    done: asyncio.Event = Field(default_factory=asyncio.Event, exclude=True)
    seconds: list[float] = []
    waits: int = 0
    began: float = 0.0

    model_config = {"arbitrary_types_allowed": True}

    async def apour(self, message: Message) -> AsyncIterator[Message]:
        n, size, receivers = json.loads(message.body)
        body = "x" * size
        self.waits = receivers
        self.began = perf_counter()
        for number in range(receivers):
            yield Message(method="expect", body=str(n // receivers), receiver=f"sink{number}")
        for number in range(n):
            yield Message(method="note", body=body, receiver=f"sink{number % receivers}")

    def full(self, message: Message) -> None:
        self.waits -= 1
        if not self.waits:
            self.seconds = [perf_counter() - self.began]
            self.done.set()

    async def atravel(self, message: Message) -> None:
        n, size = json.loads(message.body)
        body = "x" * size
        seconds: list[float] = []
        for _ in range(n):
            began = perf_counter()
            await self.call(Message(method="echo", body=body, receiver="sink0"))
            seconds.append(perf_counter() - began)
        self.seconds = seconds
        self.done.set()


class Sink(GenAgent):
    """Counts what comes, and tells when it was all."""

    left: int = 0
    size: int = 0

    def expect(self, message: Message) -> None:
        self.left = int(message.body)

    def note(self, message: Message) -> Message | None:
        self.left -= 1
        self.size += len(message.body)
        return None if self.left else Message(method="full", receiver="source")

    def echo(self, message: Message) -> Message:
        return message.reply(body=message.body)


class Grinder(GenAgent):
    """Only computes."""

    def grind(self, message: Message) -> None:
        total = 0
        for number in range(int(message.body)):
            total += number * number % 7
