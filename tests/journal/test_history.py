"""What a history tells of a run, in each kind of journal: messages, threads, usage, causes, exports, differences."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message, Retry
from llm_net.chat import Completion, Price, Request, Turn, system, user
from llm_net.chat import Text as Words
from llm_net.chat import Usage as Tokens
from llm_net.errors import UnknownRun
from llm_net.journal import History, MemoryJournal, SqliteJournal
from llm_net.journal.causes import Asked, Change, Happened, Replied
from llm_net.llm.function import FunctionModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Journal, Model, Run
from llm_net.record import Ended, Fact, Select, Sent
from llm_net.runtime.local import LocalRuntime


class Review(Message):
    """Ask for a review."""

    text: str
    strict: bool = False


class Clerk(GenAgent):
    """Asks a model, throws dice, asks a critic, and asks whoever is outside."""

    orders: int = 0
    log: list[str] = []
    model: Model = Field(exclude=True)

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        self.orders += 1
        thought = await self.complete(self.model, Request([system("Be brief."), user(message.body)]))
        dice = await self.effect("dice", lambda: 4, repeats="pure")
        review = await self.call(Review(text=thought.text, receiver="critic"))
        self.emit("draft", message.reply(body=f"draft {dice}"))
        answer = await self.call(Message(method="ask", body=f"May I? {review.body}"))
        self.log.append(f"{message.body}: {answer.body}")
        yield message.reply(body=f"{answer.body}, {review.body}")


class Critic(GenAgent):
    """Asks a specialist."""

    async def areview(self, message: Review) -> Message:
        opinion = await self.call(Message(method="check", body=message.text, receiver="specialist"))
        return message.reply(body=f"review: {opinion.body}", method="response")


class Specialist(GenAgent):
    """Fails at first."""

    tries: int = 0
    model: Model = Field(exclude=True)

    async def acheck(self, message: Message) -> Message:
        self.tries += 1
        opinion = await self.complete(self.model, Request([user(message.body)]))
        if self.tries == 1:
            raise ConnectionError("no line")
        return message.reply(body=opinion.text)


class Archive(GenAgent):
    """Listens."""

    def draft(self, message: Message) -> None:
        pass


def office() -> GenNetwork:
    cheap = FunctionModel(
        lambda turns, tools: Completion((Words("fine"),), Tokens(1, 10, 1, Decimal("0.5")), "cheap"), name="lab:cheap"
    )
    return GenNetwork(
        id="office",
        agents=[
            Clerk(id="clerk", model=ScriptedModel(["a plan"])),
            GenNetwork(id="board", agents=[Critic(id="critic"), Specialist(id="specialist", model=cheap)]),
            Archive(id="archive"),
        ],
        links=[("clerk", "draft", "archive")],
        supervision=Retry(attempts=3, delay=0.0),
    )
