"""Nobody speaks as somebody else. Knows agents that lie; nodes that lie are not a runtime's affair alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator

from llm_net.address import AbstractObject, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import ForgedSender
from llm_net.message import Message
from llm_net.testing.runtime.agents import Echo, Notes
from llm_net.testing.runtime.place import Place, equal


class Forger(GenAgent):
    """Speaks as somebody else, in every way."""

    refused: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        forged: list[AbstractObject] = [
            Reference("victim"),
            self.network["victim"],
            Reference("stranger"),
            Echo(id="victim"),
        ]
        for sender in forged:
            note = Message(sender=sender, receiver="notes", method="note", body="forged")
            for way in (self.send, self.call):
                try:
                    await way(note)
                except ForgedSender:
                    self.refused += 1
            try:
                await self.gather([note])
            except ForgedSender:
                self.refused += 1
            try:
                self.emit("said", note)
            except ForgedSender:
                self.refused += 1
            try:
                yield note
            except ForgedSender:
                self.refused += 1
        twin = Message(sender=Forger(id=self.id), receiver="notes", method="note", body="as himself")
        await self.send(twin)

    def query(self, message: Message) -> Message:
        return Message(sender="victim", receiver="notes", method="note", body="forged")

    def ask(self, message: Message) -> Generator[Message, None, None]:
        for _ in range(100):
            try:
                yield Message(sender="victim", receiver="notes", method="note", body="forged")
            except ForgedSender:
                self.refused += 1


async def check_senders(place: Place) -> None:
    agents = [forger := Forger(id="forger"), Echo(id="victim"), notes := Notes(id="notes")]
    network = GenNetwork(id="net", agents=agents, links=[("forger", "said", "notes")], supervision="skip")
    roots = [Message(method=method, receiver="forger") for method in ("request", *["ask"] * 9, *["query"] * 80)]
    played = await place.play(network, *roots)
    equal(notes.notes, ["as himself"], "what came of 1,000 forged messages")
    equal(forger.refused, 4 * 5 + 900, "how many of them were refused where they were sent")
    equal(played.run.statistics().dead, 80, "and how many where they were returned")
