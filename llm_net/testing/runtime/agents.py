"""Who plays in the checks of more than one family. Knows no check.

Here as in the modules of the checks, agents stand at the top and have fields that JSON can say, so they can live anywhere.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Generator, Iterable

from llm_net.base import GenAgent
from llm_net.errors import MailboxFull
from llm_net.message import Message
from llm_net.testing.runtime.place import LONG


class Where(GenAgent):
    """Says in which process it lives."""

    def request(self, message: Message) -> Message:
        return message.reply(body=str(os.getpid()))


class Echo(GenAgent):
    """Answers with what it hears."""

    handled: int = 0

    def request(self, message: Message) -> Message:
        self.handled += 1
        return message.reply(body=message.body)


class Notes(GenAgent):
    """Takes down whatever it is told."""

    notes: list[str] = []

    def missing(self, message: Message) -> None:
        self.notes.append(message.body)


class Slow(Notes):
    """Waits a moment over each message."""

    seconds: float = 0.001

    async def arequest(self, message: Message) -> None:
        await asyncio.sleep(self.seconds)
        self.notes.append(message.body)


class Sender(GenAgent):
    """Sends a number of messages in one of several ways."""

    to: str = "notes"
    number: int = 100
    sent: int = 0
    refused: int = 0

    def _each(self) -> Iterable[Message]:
        return (Message(receiver=self.to, body=str(n)) for n in range(self.number))

    def returns(self, message: Message) -> list[Message]:
        return list(self._each())

    def yields(self, message: Message) -> Generator[Message, None, None]:
        for each in self._each():
            try:
                yield each
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    async def ayields_too(self, message: Message) -> AsyncIterator[Message]:
        for each in self._each():
            try:
                yield each
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    async def asends(self, message: Message) -> None:
        for each in self._each():
            try:
                await self.send(each)
            except MailboxFull:
                self.refused += 1
            self.sent += 1

    def emits(self, message: Message) -> None:
        for each in self._each():
            self.emit("said", each.model_copy(update={"receiver": None}))


class Fails(GenAgent):
    def fail(self, message: Message) -> None:
        raise ValueError("as written")

    def end(self, message: Message) -> Message:
        return message.reply()

    async def ahang(self, message: Message) -> Message | None:
        await asyncio.sleep(LONG)
        return None


def hang(receiver: str) -> Message:
    return Message(method="hang", receiver=receiver)
