"""A network for worker processes that get killed: what it does outside is written down, by a key or once."""

from __future__ import annotations

import os
from pathlib import Path

from llm_net import GenAgent, GenNetwork, Message

SACKS = 20
MILLERS = 3


class Foreman(GenAgent):
    """Has each sack ground by the miller whose turn it is, and counts."""

    ground: list[int] = []

    async def abegin(self, message: Message) -> None:
        for sack in range(SACKS):
            done = await self.call(Message(method="grind", body=str(sack), receiver=f"miller{sack % MILLERS}"))
            self.ground.append(int(done.body))


class Miller(GenAgent):
    """Grinds a sack: asks the store, notes it outside, and tells the clerk. Dies over a sack, once, if it is told to."""

    ledger: str
    dies_over: int | None = None
    sacks: list[int] = []

    async def agrind(self, message: Message) -> Message:
        sack = int(message.body)
        grain = await self.call(Message(method="grain", body=message.body, receiver="store"))
        note = f"{sack} {grain.body}"
        await self.effect("note", lambda key: write(self.ledger, note, key), repeats="idempotent")
        self.emit("ground", Message(method="ground", body=message.body))
        if self.dies_over == sack:
            die_once(self.ledger)
        self.sacks.append(sack)
        return message.reply(body=message.body)


class Store(GenAgent):
    """Hands out grain."""

    left: int = 100

    def grain(self, message: Message) -> Message:
        self.left -= 1
        return message.reply(body="grain")


class Clerk(GenAgent):
    """Hears what was ground."""

    known: list[str] = []

    def ground(self, message: Message) -> None:
        self.known.append(message.body)


def die_once(ledger: str) -> None:
    """End this process, unless that was done before."""
    died = Path(f"{ledger}.died")
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), 9)


def write(ledger: str, note: str, key: str) -> str:
    """Write a line; of one key only one."""
    path = Path(ledger)
    if key not in (path.read_text() if path.exists() else ""):
        with path.open("a") as file:
            file.write(f"{key} {note}\n")
    return note


def mill(ledger: str, dies_over: int | None = None) -> GenNetwork:
    millers = [Miller(id=f"miller{n}", ledger=ledger, dies_over=dies_over) for n in range(MILLERS)]
    links = [(miller, "ground", "clerk") for miller in millers]
    return GenNetwork(
        id="mill", agents=[Foreman(id="foreman"), Store(id="store"), Clerk(id="clerk"), *millers], links=links
    )
