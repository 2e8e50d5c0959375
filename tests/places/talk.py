"""A busy network for processes that get killed: everybody writes numbered messages to everybody, and notes what it hears outside.

`python talk.py URL JOURNAL FOLDER SPACE SILENT LEASE` is the home of a run of it, or goes on with the one that is in the journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

from llm_net import GenAgent, GenNetwork, Limits, Message
from llm_net.journal import PostgresJournal, SqliteJournal
from llm_net.places import Cluster

TALKERS = 6
BURST = 3


class Word(Message):
    """The `number`-th that this sender says to that receiver."""

    number: int


class Talker(GenAgent):
    """Says words to all others in turns, until the folder has a file `stop`."""

    folder: str
    others: list[str]
    said: int = 0
    got: dict[str, int] = {}
    wrong: list[str] = []

    def wake(self, message: Message) -> Iterator[Message]:
        for one in (self.id, *self.others):
            yield Message(method="begin", receiver=one)

    async def abegin(self, message: Message) -> AsyncIterator[Message]:
        if await self.effect("look", self._stopped, repeats="pure"):
            return
        for number in range(self.said, self.said + BURST):
            for other in self.others:
                yield Word(number=number, receiver=other)
        self.said += BURST
        yield Message(method="begin", receiver=self.id)

    def _stopped(self) -> bool:
        return (Path(self.folder) / "stop").exists()

    async def aword(self, message: Word) -> None:
        assert message.sender is not None
        sender = message.sender.id
        if message.number != self.got.get(sender, 0):
            self.wrong.append(f"{sender} {message.number} instead of {self.got.get(sender, 0)}")
        self.got[sender] = message.number + 1
        await self.effect(
            "note", partial(note, self.folder, f"{sender} {self.id} {message.number}"), repeats="idempotent"
        )


def note(folder: str, what: str, key: str) -> None:
    """Write a line; of one key only one. Whoever is killed meanwhile has written all of it, or nothing."""
    written = Path(folder).parent / f"{key.replace('/', '_')}.{os.getpid()}"
    written.write_text(what)
    written.rename(Path(folder) / key.replace("/", "_"))


def talk(folder: str) -> GenNetwork:
    names = [f"t{n}" for n in range(TALKERS)]
    return GenNetwork(
        id="talk",
        agents=[Talker(id=name, folder=folder, others=[other for other in names if other != name]) for name in names],
    )


async def main(url: str, kept: str, folder: str, space: str, silent: str, lease: str) -> None:
    network = talk(folder)
    journal = PostgresJournal(kept) if "dbname=" in kept else SqliteJournal(kept)
    limits = Limits(messages=None, depth=None)
    runs = await journal.runs()
    place = Cluster(url, space=space, silent=float(silent), lease=float(lease))
    if runs:
        run = network.resume(journal, runs[-1].run, limits=limits, runtime=place)
    else:
        run = network.run(Message(method="wake", receiver="t0"), limits=limits, journal=journal, runtime=place)
    async with run:
        print(f"home of {run.id}", flush=True)
    talkers = {
        talker.id: {"said": talker.said, "got": talker.got, "wrong": talker.wrong}
        for talker in network
        if isinstance(talker, Talker)
    }
    print(json.dumps({"status": run.status, "talkers": talkers}), flush=True)
    await journal.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
