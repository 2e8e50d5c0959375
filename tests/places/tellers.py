"""Agents that tell in which process they live, and ask each other."""

from __future__ import annotations

import os
from pathlib import Path

from llm_net import GenAgent, GenNetwork, Message
from tests.places.mill import die_once


class Teller(GenAgent):
    """Tells where it lives, and how often it was asked; dies once, if it is told to."""

    asked: int = 0
    dies: str = ""

    def where(self, message: Message) -> Message:
        self.asked += 1
        if self.dies:
            die_once(self.dies)
        return message.reply(body=str(os.getpid()))


class Holder(Teller):
    """Holds what cannot move."""

    log: object = None


class Asker(GenAgent):
    """Asks everybody where they live."""

    found: dict[str, int] = {}

    async def abegin(self, message: Message) -> None:
        for who in message.body.split():
            answer = await self.call(Message(method="where", receiver=who))
            self.found[who] = int(answer.body)


def street(dies: Path | None = None) -> GenNetwork:
    """Anna and Bert, a house in which Carl, Dora and Emil live, and one who asks."""
    house = GenNetwork(
        id="house",
        agents=[Teller(id="carl"), Teller(id="dora", dies=str(dies or "")), Holder(id="emil", log=os.environ)],
    )
    return GenNetwork(id="street", agents=[Teller(id="anna"), Teller(id="bert"), house, Asker(id="asker")])
