"""Calls and their replies, in handlers of every colour, and with who is outside. Knows nothing of rings of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

from llm_net.base import GenAgent, GenNetwork, call
from llm_net.errors import AgentFailed, CallTimeout, UnknownAddress
from llm_net.message import Message
from llm_net.testing.runtime.agents import Echo, Fails, Notes
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Answers(GenAgent):
    """Answers after a while, or not."""

    seconds: float = 0.0
    fails: bool = False

    async def arequest(self, message: Message) -> Message:
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise ValueError(self.id)
        return message.reply(body=self.id)

    def double(self, message: Message) -> Generator[Any, Message, Message]:
        return message.reply(body=message.body * 2)
        yield


class Gathers(GenAgent):
    """Asks several at once, in every way."""

    async def _asked(self, *ids: str, **terms: Any) -> str:
        replies = await self.gather([Message(receiver=id) for id in ids], **terms)
        return " ".join(reply.body for reply in replies)

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        yield message.reply(body=await self._asked("now", "soon"))
        yield message.reply(body=await self._asked("soon", "now", "late", k=2))
        yield message.reply(body=await self._asked("late", "now", timeout=0.03))
        failures: dict[Message, BaseException] = {}
        told = await self._asked("now", "fails", "soon", failures=failures)
        wrong = [f"{one.receiver and one.receiver.id}: {type(error).__name__}" for one, error in failures.items()]
        yield message.reply(body=f"{told} {wrong}")
        try:
            await self._asked("now", "fails")
        except AgentFailed as failed:
            yield message.reply(body=failed.agent)
        yield message.reply(body=await self._asked("now", "soon", k=1))
        try:
            await self.call(Message(receiver="late"), timeout=0.01)
        except CallTimeout as error:
            yield message.reply(body=f"{error.receiver} {error.method} {error.seconds}")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(id)) for id in ("now", "soon", "now")]
            yield message.reply(body=" ".join(task.result() for task in tasks))
        except ExceptionGroup as error:
            yield message.reply(body=repr(error))
        try:
            await self.call(Message(receiver="nobody"))
        except UnknownAddress as error:
            yield message.reply(body=f"{type(error).__name__} {error.address}")
        reply = await self.call(Message(method="double", receiver="now", body="ab"))
        assert reply.reply_to is not None
        yield message.reply(body=f"{reply.body} {reply.reply_to.body} {reply.sender and reply.sender.id}")

    async def _one(self, id: str) -> str:
        return (await self.call(Message(receiver=id))).body


async def check_calls(place: Place) -> None:
    seconds = {"now": 0.0, "soon": 0.01, "late": 0.06}
    agents: list[GenAgent] = [Answers(id=id, seconds=wait) for id, wait in seconds.items()]
    agents += [Gathers(id="gathers"), Answers(id="fails", fails=True)]
    network = GenNetwork(id="net", agents=agents, supervision="skip")
    played = await place.play(network, Message(receiver="gathers"))
    equal(played.error, None, "what ended the run")
    told = [message.body for message in played.messages if message.receiver is None]
    wanted = [
        "now soon",
        "soon now",
        "now",
        "now soon ['fails: AgentFailed']",
        "fails",
        "now",
        "late request 0.01",
        "now soon now",
        "UnknownAddress nobody",
        "abab ab now",
    ]
    equal(told, wanted, "what came of calls")
    reasons = {type(letter.reason) for letter in played.run.dead_letters}
    assert CallTimeout in reasons, "a late reply is no dead letter"


class Colours(GenAgent):
    """Handlers of every colour."""

    got: list[str] = []

    def request(self, message: Message) -> Generator[Any, Message, Message]:
        reply = yield call(Message(body="2", receiver="echo"))
        self.got.append(reply.body)
        try:
            yield call(Message(method="fail", receiver="fails"), timeout=5)
        except AgentFailed as failed:
            self.got.append(failed.agent)
        try:
            yield Message(receiver="nobody")
        except UnknownAddress as error:
            self.got.append(error.address)
        yield [Message(method="note", body="b", receiver="notes"), Message(method="note", body="c", receiver="notes")]
        return message.reply(body=" ".join(self.got))

    async def aquery(self, message: Message) -> list[Message]:
        return [Message(method="note", body=f"list {n}", receiver="notes") for n in range(3)]

    async def acheck(self, message: Message) -> AsyncIterator[Message]:
        try:
            yield Message(receiver="nobody")
        except UnknownAddress as error:
            yield Message(method="note", body=f"mended {error.address}", receiver="notes")
        yield message.reply(body="mended")

    def tell(self, message: Message) -> tuple[Message, ...]:
        return (
            Message(method="note", body="one", receiver="notes"),
            Message(method="note", body="two", receiver="notes"),
        )

    def log(self, message: Message) -> str:
        return "no message"


async def check_colours(place: Place) -> None:
    def build() -> GenNetwork:
        agents = [Colours(id="colours"), Echo(id="echo"), Fails(id="fails"), Notes(id="notes")]
        return GenNetwork(id="net", agents=agents)

    for method in ("request", "query", "check", "tell", "log"):
        await same(place, build, Message(method=method, receiver="colours"))


class Asker(GenAgent):
    """Asks whoever is outside."""

    async def arequest(self, message: Message) -> Message:
        reply = await self.call(Message(method="ask", receiver=message.sender, body="why?"))
        return message.reply(body=f"because {reply.body}")


async def check_outside(place: Place) -> None:
    network = GenNetwork(id="net", agents=[Asker(id="asker")])
    async with place.run(network) as run:
        messages = aiter(run)
        await run.send(Message(receiver="asker", sender="boss"))
        async for message in messages:
            if message.method == "ask":
                await run.send(message.reply(body="I say so", sender="boss"))
            elif message.body.startswith("because"):
                break
    assert run.result is not None
    equal((run.result.body, run.status), ("because I say so", "done"), "the result")
    assert run.result.receiver is not None
    equal(run.result.receiver.id, "boss", "who gets it")
