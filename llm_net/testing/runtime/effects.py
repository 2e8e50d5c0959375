"""What agents do outside, and in threads. Knows nothing of records."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal

from llm_net.base import GenAgent, GenNetwork
from llm_net.dispatch import blocking
from llm_net.message import Message
from llm_net.testing.runtime.agents import Notes
from llm_net.testing.runtime.failures import Refused
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Doer(GenAgent):
    """Does things outside."""

    results: list[str] = []

    async def arequest(self, message: Message) -> Message:
        what = message.body
        self.results.append(await self.effect("look", lambda: f"saw {what} {os.getpid() > 0}", repeats="pure"))
        self.results.append(await self.effect("order", lambda key: f"{what} {bool(key)}", repeats="idempotent"))
        found = await self.effect("find", lambda: Decimal("1.50"), returns=Decimal)
        self.results.append(repr(found))

        async def later() -> dict[str, list[int]]:
            await asyncio.sleep(0)
            return {what: [1, 2]}

        thing: dict[str, list[int]] = await self.effect("later", later)
        self.results.append(str(thing))
        if what == "tea":  # a journal keeps only the sentence of such an error
            try:
                await self.effect("refuse", self._refuse)
            except Refused as error:
                self.results.append(f"{error.what} {error.price}")
        try:
            await self.effect("unsayable", object)
        except TypeError as error:
            self.results.append(str(error)[:40])
        self.results += await asyncio.gather(*(self.effect(f"at once {n}", lambda n=n: f"{n}") for n in range(3)))
        await self.delay(0.001)
        return message.reply(body=str(len(self.results)))

    def _refuse(self) -> str:
        raise Refused("cake", 3)


async def check_effects(place: Place) -> None:
    def build() -> GenNetwork:
        return GenNetwork(id="net", agents=[Doer(id="doer"), Doer(id="other")])

    played = await same(place, build, Message(receiver="doer", body="tea"), Message(receiver="other", body="cake"))
    equal(played.error, None, "what ended the run")


class Digger(GenAgent):
    """Works in a thread."""

    depth: int = 0

    @blocking
    def do(self, message: Message) -> list[Message]:
        self.depth += int(message.body)
        self.emit("dug", Message(method="note", body=f"dug {message.body}"))
        return [message.reply(body=str(self.depth)), Message(method="note", body="done", receiver="notes")]

    @blocking
    def fail(self, message: Message) -> None:
        raise Refused("digging", 2)


async def check_threads(place: Place) -> None:
    def build() -> GenNetwork:
        agents = [Digger(id="digger"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents, links=[("digger", "dug", "notes")], supervision="skip")

    roots = [Message(method="do", receiver="digger", body=str(n)) for n in range(5)]
    await same(place, build, *roots, Message(method="fail", receiver="digger"))
