"""Cancelling a run cancels all of it, and a handler may give up waiting. Knows nothing of limits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from pydantic import Field

from llm_net.base import GenAgent, GenNetwork
from llm_net.chat import Request, user
from llm_net.errors import CallTimeout, RunCancelled
from llm_net.llm.scripted import ScriptedModel
from llm_net.message import Message
from llm_net.testing.runtime.agents import Echo, Fails
from llm_net.testing.runtime.place import LONG, Place, Witness, equal


async def _for_long() -> str:
    return await asyncio.sleep(LONG, "slept")


class Sleeper(GenAgent):
    """Waits in many ways, and says how it was woken."""

    woken: str = ""
    after: str = ""

    async def arequest(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.woken = "cancelled"
            raise

    async def aquery(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await self.call(Message(method="silence_for_long", receiver="other"))
        except BaseException as error:
            self.woken = type(error).__name__
            raise

    async def asilence_for_long(self, message: Message) -> None:
        self.emit("begun", Message())
        await asyncio.Event().wait()

    async def astubborn(self, message: Message) -> None:
        self.emit("begun", Message())
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)
        self.woken = "cancelled"
        try:
            await self.send(Message(method="note", receiver="other"))
        except RunCancelled:
            self.after = "RunCancelled"

    async def adelayed(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            await self.delay(LONG)
        finally:
            self.woken = "cancelled"

    async def alooks(self, message: Message) -> None:
        self.emit("begun", Message())
        try:
            self.after = await self.effect("look", _for_long)
        finally:
            self.woken = "cancelled"

    def note(self, message: Message) -> None:
        self.after = "noted"


async def check_cancellation(place: Place) -> None:
    ways = ("request", "query", "stubborn", "delayed", "looks", "silence_for_long")
    for way in ways:
        network = GenNetwork(id="net", agents=[sleeper := Sleeper(id="sleeper"), Sleeper(id="other")])
        witness = Witness()
        async with place.run(network, Message(method=way, receiver="sleeper"), observers=[witness]) as run:
            await witness.hears(2 if way == "query" else 1)
            run.cancel()
        equal(run.status, "cancelled", f"the status of a cancelled run ({way})")
        if way == "query":
            assert sleeper.woken in ("RunCancelled", "CancelledError"), sleeper.woken
        elif way != "silence_for_long":
            equal(sleeper.woken, "cancelled", f"how {way} was woken")
        equal(sleeper.after, "RunCancelled" if way == "stubborn" else "", "what came after")
        equal(run.statistics().handled, int(way == "stubborn"), f"messages handled ({way})")
    witness = Witness()
    with suppress(KeyError):
        network = GenNetwork(id="net", agents=[sleeper := Sleeper(id="sleeper")])
        async with place.run(network, Message(receiver="sleeper"), observers=[witness]):
            await witness.hears()
            raise KeyError("left")
    equal(sleeper.woken, "cancelled", "how it was woken when the block was left with an error")


class Hasty(GenAgent):
    """Gives up waiting, inside its handlers."""

    met: list[str] = []

    async def arequest(self, message: Message) -> Message:
        for what in (self._call, self._effect, self._delay, self._sleep, self._gather, self._complete):
            try:
                async with asyncio.timeout(0.02):
                    await what()
            except TimeoutError:
                self.met.append(what.__name__)
        echo = await self.call(Message(method="request", receiver="echo", body="still here"))
        return message.reply(body=echo.body)

    model: Any = Field(exclude=True, repr=False)

    async def _call(self) -> None:
        await self.call(Message(method="hang", receiver="fails"))

    async def _gather(self) -> None:
        await self.gather([Message(method="hang", receiver="fails"), Message(receiver="echo")])

    async def _effect(self) -> None:
        self.met.append(await self.effect("wait", _for_long))

    async def _delay(self) -> None:
        await self.delay(LONG)

    async def _sleep(self) -> None:
        await asyncio.sleep(LONG)

    async def _complete(self) -> None:
        await self.complete(self.model, Request((user(""),)))


class Hangs(Fails):
    """Wakes after a while, when nobody waits any more."""

    woken: int = 0

    async def ahang(self, message: Message) -> Message:
        await asyncio.sleep(0.05)
        self.woken += 1
        return message.reply(body="late")


async def check_timeouts(place: Place) -> None:
    model = ScriptedModel(["never"], latency=LONG)
    agents = [hasty := Hasty(id="hasty", model=model), fails := Hangs(id="fails"), Echo(id="echo")]
    ended = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="hasty"))
    equal(ended.error, None, "what ended the run")
    equal(ended.result, "still here", "what a handler can do after timeouts")
    equal(hasty.met, ["_call", "_effect", "_delay", "_sleep", "_gather", "_complete"], "what timed out")
    equal(fails.woken >= 1, True, "whether the one that was called went on")
    assert {type(letter.reason) for letter in ended.run.dead_letters} <= {CallTimeout}, ended.run.dead_letters
    assert ended.run.dead_letters, "a late reply is no dead letter"
