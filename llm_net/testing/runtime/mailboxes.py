"""Mailboxes are bounded, and what happens when they are full. Knows nothing of rings of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import MailboxFull
from llm_net.mailbox import Mailbox
from llm_net.message import Message
from llm_net.ports import Observation
from llm_net.testing.runtime.agents import Sender, Slow
from llm_net.testing.runtime.place import Place, equal


class Waiting(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5)


class Rejecting(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="reject")


class Dropping(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="drop_oldest")


class Latest(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="keep_latest")


class Parity(Slow):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=5, when_full="keep_latest", key=lambda message: int(message.body) % 2)


@dataclass
class _Depth:
    """How many messages wait for an agent, or are handled, at once."""

    address: str
    now: int = 0
    most: int = 0

    def observe(self, observation: Observation) -> None:
        if observation.address == self.address:
            ends = ("handled", "failed", "expired", "cancelled", "rejected", "dead")
            self.now += (observation.kind == "sent") - (observation.kind in ends)
            self.most = max(self.most, self.now)


async def check_mailboxes(place: Place) -> None:
    wanted = [str(n) for n in range(100)]
    for way in ("returns", "yields", "yields_too", "sends"):
        slow, depth = Waiting(id="notes"), _Depth("notes")
        network = GenNetwork(id="net", agents=[sender := Sender(id="sender"), slow])
        await place.play(network, Message(method=way, receiver="sender"), observers=[depth])
        equal(slow.notes, wanted, f"what came of {way}")
        assert depth.most <= 7, f"{depth.most} messages waited for a mailbox with room for 5, sent by {way}"
        equal(sender.refused, 0, "how many were refused")
    slow = Waiting(id="notes")
    agents = [*(Sender(id=f"s{n}", number=20) for n in range(5)), slow]
    depth = _Depth("notes")
    roots = [Message(method="sends", receiver=f"s{n}") for n in range(5)]
    await place.play(GenNetwork(id="net", agents=agents), *roots, observers=[depth])
    assert (len(slow.notes), depth.most <= 5 + 1 + 5) == (100, True), f"{len(slow.notes)} came; {depth.most} waited"


async def check_full_mailboxes(place: Place) -> None:
    for kind in (Rejecting, Dropping, Latest, Parity):
        slow, sender = kind(id="notes", seconds=0.02), Sender(id="sender", number=30)
        network = GenNetwork(id="net", agents=[sender, slow])
        run = (await place.play(network, Message(method="sends", receiver="sender"))).run
        counts = run.statistics()
        lost = counts.rejected + counts.dead
        assert lost, f"nothing was too much for a {kind.__name__} mailbox"
        equal(len(slow.notes) + lost, 30, f"those that came to a {kind.__name__} mailbox, and those that did not")
        for key in (0, 1) if kind is Parity else (None,):
            came = [note for note in slow.notes if key is None or int(note) % 2 == key]
            equal(came, sorted(came, key=int), f"what came to a {kind.__name__} mailbox")
        if kind is Rejecting:
            equal((counts.rejected, sender.refused), (lost, lost), "what was rejected, and what the sender knows of")
        else:
            equal({type(letter.reason) for letter in run.dead_letters}, {MailboxFull}, "why letters are dead")
            assert "29" in slow.notes, f"the latest is lost, not the oldest: {slow.notes}"


class Flooding(GenAgent):
    """Emits without ever waiting."""

    met: str = ""

    async def arequest(self, message: Message) -> None:
        try:
            for n in range(1_000):
                self.emit("said", Message(body=str(n)))
            await self.send(Message(receiver="nobody"))
        except Exception as error:  # noqa: BLE001  # which one it is, is the question
            self.met = type(error).__name__


async def check_floods(place: Place) -> None:
    network = GenNetwork(id="net", agents=[flood := Flooding(id="flood"), slow := Waiting(id="notes")])
    network.link("flood", "said", "notes")
    depth = _Depth("notes")
    await place.play(network, Message(receiver="flood"), observers=[depth])
    equal(flood.met, "MailboxFull", "what is raised to whoever emits without waiting")
    assert depth.most <= 11, f"{depth.most} messages waited for a mailbox with room for 5"
    equal(slow.notes, [str(n) for n in range(len(slow.notes))], "what came")
