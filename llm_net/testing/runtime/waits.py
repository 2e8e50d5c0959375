"""A wait that can never end is an error at once. Knows rings of calls and rings of full mailboxes."""

from __future__ import annotations

from typing import ClassVar

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed, Deadlock, Unanswered
from llm_net.mailbox import Mailbox
from llm_net.message import Message
from llm_net.testing.runtime.place import Place, equal


class Caller(GenAgent):
    """Calls whoever it is told to, and notes what came of it."""

    to: str = ""
    ways: list[str] = []
    met: list[str] = []

    async def arequest(self, message: Message) -> Message:
        try:
            reply = await self.call(Message(receiver=self.to, body=message.body))
        except (Deadlock, Unanswered, AgentFailed) as error:
            cause: BaseException | None = error
            while isinstance(cause, AgentFailed) and cause.__cause__ is not None:
                cause = cause.__cause__
            self.met.append(type(cause).__name__)
            raise
        self.met.append(reply.body)
        return message.reply(body=reply.body)

    def silence(self, message: Message) -> None:
        pass

    async def aunanswered(self, message: Message) -> Message:
        try:
            await self.call(Message(method="silence", receiver=self.to))
        except Unanswered as error:
            return message.reply(body=f"{error.caller} {error.receiver} {error.method}")
        return message.reply(body="answered")


async def check_deadlocks(place: Place) -> None:
    for size in (1, 2, 3):
        agents = [Caller(id=f"a{n}", to=f"a{(n + 1) % size}") for n in range(size)]
        played = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="a0"))
        cause = played.error
        while isinstance(cause, AgentFailed):
            cause = cause.__cause__
        assert isinstance(cause, Deadlock), f"a ring of {size} calls ends with {played.error!r}"
        equal(set(cause.ring), {agent.id for agent in agents}, "the ring that is named")
        assert ["Deadlock"] in [agent.met for agent in agents], "no caller met the Deadlock"
    agents = [Caller(id="a", to="b"), Caller(id="b")]
    network = GenNetwork(id="net", agents=agents)
    played = await place.play(network, Message(method="unanswered", receiver="a"))
    equal(played.result, "a b silence", "what an Unanswered says")


class Pushing(GenAgent):
    """Sends to its neighbour while its own mailbox fills."""

    to: str
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)
    met: str = ""
    got: int = 0

    async def arequest(self, message: Message) -> None:
        try:
            for _ in range(10):
                await self.send(Message(method="note", receiver=self.to))
        except Deadlock as error:
            self.met = "Deadlock"
            assert len(error.ring) >= 2

    def note(self, message: Message) -> None:
        self.got += 1


async def check_full_rings(place: Place) -> None:
    agents = [Pushing(id=f"p{n}", to=f"p{(n + 1) % 3}") for n in range(3)]
    network = GenNetwork(id="net", agents=agents)
    await place.play(network, *(Message(receiver=agent) for agent in agents))
    assert "Deadlock" in [agent.met for agent in agents], "a ring of full mailboxes is no Deadlock"
    assert sum(agent.got for agent in agents) >= 6
