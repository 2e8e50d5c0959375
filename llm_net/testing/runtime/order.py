"""In which order messages come, and how many are handled at once. Knows only mailboxes that never fill."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from llm_net.base import GenAgent, GenNetwork
from llm_net.message import Message
from llm_net.testing.runtime.agents import Notes, Sender, Slow
from llm_net.testing.runtime.place import Place, equal


async def check_order(place: Place) -> None:
    wanted = [str(n) for n in range(100)]
    for way in ("returns", "yields", "yields_too", "sends", "emits"):
        one, other = Sender(id="one"), Sender(id="other", to="slow")
        network = GenNetwork(id="net", agents=[one, other, notes := Notes(id="notes"), slow := Slow(id="slow")])
        network.link("one", "said", "notes")
        network.link("other", "said", "slow")
        played = await place.play(network, Message(method=way, receiver="one"), Message(method=way, receiver="other"))
        equal(played.error, None, "what ended the run")
        equal(notes.notes, wanted, f"what came of {way}")
        equal(slow.notes, wanted, f"what came of {way}, slowly")


class Busy(GenAgent):
    """Counts how many of its handlers are at work at once."""

    pause: ClassVar[float] = 0.002
    busy: int = 0
    most: int = 0
    handled: int = 0

    async def arequest(self, message: Message) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(self.pause)
        self.handled += 1
        self.busy -= 1


class Wide(Busy):
    concurrency: ClassVar[int] = 3
    pause: ClassVar[float] = 0.05  # so long that three messages come within


async def check_one_at_a_time(place: Place) -> None:
    for kind, most in ((Busy, 1), (Wide, 3)):
        network = GenNetwork(id="net", agents=[busy := kind(id="busy"), Sender(id="sender", to="busy", number=20)])
        await place.play(network, Message(method="sends", receiver="sender"))
        equal(
            (busy.most, busy.handled, busy.busy), (most, 20, 0), "how many handlers were at work at once, of how many"
        )
