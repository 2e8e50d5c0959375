"""Every message comes to one end, and a run ends when nothing of it is pending. Knows nothing of what ends a run early."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed, Expired, MailboxFull, NotUnderstood, UnknownAddress
from llm_net.mailbox import Mailbox
from llm_net.message import Message
from llm_net.testing.runtime.agents import Fails, Notes, Slow, Where
from llm_net.testing.runtime.place import Place, Witness, equal


async def check_where(place: Place) -> None:
    network = GenNetwork(id="net", agents=[Where(id="a"), Where(id="b")])
    for receiver in ("a", "b"):
        played = await place.play(network, Message(receiver=receiver))
        here = played.result == str(os.getpid())
        assert here is not place.away, f"{receiver} lives in process {played.result}; this one is {os.getpid()}"


class Everything(GenAgent):
    """Sees to it that messages come to every end there is."""

    async def arequest(self, message: Message) -> None:
        await self.send(Message(method="note", receiver="notes"))
        with suppress(AgentFailed):
            await self.call(Message(method="fail", receiver="fails"))
        await self.send(Message(method="fail", receiver="fails"))
        late = Message(method="note", receiver="notes", deadline=self.now() - timedelta(seconds=1))
        with suppress(Expired):
            await self.call(late)
        with suppress(MailboxFull):
            for _ in range(20):
                await self.send(Message(receiver="narrow"))
        with suppress(UnknownAddress):
            await self.send(Message(receiver="nobody"))
        await self.send(Message(method="sing", receiver="fails"))
        await self.send(Message(method="end", receiver="fails"))

    def response(self, message: Message) -> None:
        pass


class Narrow(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="reject")


async def check_ends(place: Place) -> None:
    agents = [Everything(id="all"), Notes(id="notes"), Fails(id="fails"), Narrow(id="narrow", seconds=0.05)]
    network = GenNetwork(id="net", agents=agents, supervision="skip")
    witness = Witness()
    async with place.run(network, Message(receiver="all"), observers=[witness]) as run:
        await witness.sees(lambda seen: seen.message is not None and seen.message.method == "end")
        await run.send(Message(method="hang", receiver="fails"))
        await witness.sees(
            lambda seen: seen.kind == "started" and seen.message is not None and seen.message.method == "hang"
        )
        run.cancel()
    ends = run.statistics()
    equal((ends.failed, ends.expired, ends.cancelled > 0), (1, 1, True), f"failed, expired, cancelled of {ends}")
    assert ends.rejected >= 1, ends
    equal(ends.dead, 2, "the number of dead letters")
    equal([type(letter.reason) for letter in run.dead_letters], [ValueError, NotUnderstood], "their reasons")
    equal(run.dead_letters[0].address, "fails", "the address of a dead letter")


class Later(GenAgent):
    """Has something to do when everybody else has ended."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        await asyncio.sleep(0.02)
        yield Message(method="note", receiver="notes", body="slept")
        await self.delay(0.02)
        yield Message(method="note", receiver="notes", body="delayed")
        yield message.reply(body="done")


async def check_quiescence(place: Place) -> None:
    network = GenNetwork(id="net", agents=[Later(id="later"), notes := Notes(id="notes")])
    async with place.run(network, Message(receiver="later")) as run:
        result = await run.wait()
    assert result is not None
    equal((result.body, notes.notes, run.status), ("done", ["slept", "delayed"], "done"), "what was done")
    async with place.run(network) as run:
        for _ in range(2):
            await run.send(Message(receiver="later"))
        equal(run.status, "running", "the status of a run that is open for more")
    equal(len(notes.notes), 6, "the number of notes")
    async with place.run(network) as run:
        pass
    equal((run.status, run.statistics().sent), ("done", 0), "an empty run")
