"""Agents are started and stopped where they live, once a run. Knows nothing of nodes that die."""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar

from pydantic import Field

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed
from llm_net.message import Message
from llm_net.testing.runtime.place import Place, equal


class Lives(GenAgent):
    """Opens what cannot be sent where it runs."""

    log: list[str] = []
    fails: str = ""
    client: Any = Field(default=None, exclude=True, repr=False)

    async def astart(self) -> None:
        await asyncio.sleep(0)
        self.log.append("start")
        if self.fails == "start":
            raise ValueError("astart")
        self.client = {"pid": os.getpid(), "lock": asyncio.Lock()}

    async def arequest(self, message: Message) -> Message:
        self.log.append(message.body)
        async with self.client["lock"]:
            return message.reply(body=str(self.client["pid"]))

    async def astop(self) -> None:
        self.log.append("stop")
        if self.fails == "stop":
            raise ValueError("astop")


class WideLife(Lives):
    concurrency: ClassVar[int] = 3


async def check_life(place: Place) -> None:
    for kind in (Lives, WideLife):
        network = GenNetwork(id="net", agents=[lives := kind(id="lives"), idle := kind(id="idle")])
        for _ in range(2):
            played = await place.play(network, *(Message(receiver="lives", body="x") for _ in range(3)))
            equal(played.result != str(os.getpid()), place.away, "whether it was started elsewhere")
        equal(lives.log, ["start", "x", "x", "x", "stop"] * 2, "an agent's life in two runs")
        equal(idle.log, [], "the life of an agent that got no message")
    network = GenNetwork(id="net", agents=[lives := Lives(id="lives", fails="start")])
    played = await place.play(network, Message(receiver="lives"))
    assert isinstance(played.error, AgentFailed), f"astart raised, and the run ended with {played.error!r}"
    equal(lives.log, ["start"], "the life of an agent whose start failed")
    network = GenNetwork(id="net", agents=[lives := Lives(id="lives", fails="stop"), other := Lives(id="other")])
    played = await place.play(network, Message(receiver="lives", body="x"), Message(receiver="other", body="x"))
    assert isinstance(played.error, ValueError), f"astop raised, and the run ended with {played.error!r}"
    equal(played.run.status, "failed", "the status of a run whose agent's stop failed")
    assert any("astop of 'lives'" in note for note in getattr(played.error, "__notes__", ())), "it is not said whose"
    equal((lives.log, other.log), (["start", "x", "stop"],) * 2, "the lives of both")
