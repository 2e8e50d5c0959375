"""What a handler raises comes to its caller, else to the network's supervision. Knows nothing of nodes that die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from dataclasses import replace

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed, ModelError, NotUnderstood
from llm_net.message import Message
from llm_net.supervision import Directive, Failure, Retry
from llm_net.testing.runtime.agents import Notes
from llm_net.testing.runtime.place import Place, Played, equal


class Refused(Exception):
    """An error of somebody's own, with fields."""

    def __init__(self, what: str, price: int) -> None:
        super().__init__(f"{what} for {price} is refused")
        self.what, self.price = what, price


class Stumbles(GenAgent):
    """Raises errors of many kinds."""

    tries: int = 0
    seen: list[str] = []

    def request(self, message: Message) -> None:
        error = Refused(message.body, 7)
        error.add_note("a note")
        raise error

    async def aquery(self, message: Message) -> None:
        await asyncio.sleep(0)
        raise ModelError("a model", "as written")

    def ask(self, message: Message) -> Generator[Message, None, None]:
        yield Message(method="note", receiver="notes", body="first")
        try:
            raise KeyError("inner")  # noqa: TRY301  # it is to be the cause
        except KeyError as inner:
            raise ValueError("outer") from inner

    def do(self, message: Message) -> Message:
        self.tries += 1
        self.seen.append(message.body)
        if message.body == "never" or self.tries % 3:
            raise ValueError(message.body)
        return message.reply(body=f"after {self.tries}")


class Asks(GenAgent):
    """Calls, and tells of what was raised."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        try:
            await self.call(message.forward("stumbles"))
        except AgentFailed as failed:
            cause = failed.__cause__
            assert isinstance(cause, Refused)
            notes = getattr(cause, "__notes__", [])
            assert "a note" in notes
            there = any("in request" in note for note in notes) or cause.__traceback__ is not None
            yield message.reply(body=f"{failed.agent} {failed.method} {cause.what} {cause.price} {there} {cause}")
        try:
            await self.call(Message(method="query", receiver="stumbles"))
        except AgentFailed as failed:
            cause = failed.__cause__
            assert isinstance(cause, ModelError)
            yield message.reply(body=f"{cause.model}, {cause.problem}")
        try:
            await self.call(Message(method="ask", receiver="stumbles"))
        except AgentFailed as failed:
            assert failed.__cause__ is not None
            yield message.reply(body=f"{failed.__cause__!r} from {failed.__cause__.__cause__!r}")
        try:
            await self.call(Message(method="sing", receiver="stumbles"))
        except NotUnderstood as error:
            yield message.reply(body=f"{error.agent} {error.method}")


async def check_errors(place: Place) -> None:
    agents = [Asks(id="asks"), Stumbles(id="stumbles"), Notes(id="notes")]
    played = await place.play(GenNetwork(id="net", agents=agents), Message(receiver="asks", body="a cake"))
    equal(played.error, None, "what ended the run")
    told = [message.body for message in played.messages if message.receiver is None]
    wanted = [
        "stumbles request a cake 7 True a cake for 7 is refused",
        "a model, as written",
        "ValueError('outer') from KeyError('inner')",
        "stumbles sing",
    ]
    equal(told, wanted, "what the caller was raised")


async def check_failures(place: Place) -> None:
    network = GenNetwork(id="net", agents=[Stumbles(id="s"), Notes(id="notes")])
    played = await place.play(network, Message(receiver="s", body="a cake"))
    failed = played.error
    assert isinstance(failed, AgentFailed), f"a run whose agent raised ends with {failed!r}"
    equal((failed.agent, failed.method, played.run.status), ("s", "request", "failed"), "what failed")
    cause = failed.__cause__
    assert isinstance(cause, Refused), f"the cause is {cause!r}"
    equal((cause.what, cause.price, cause.args), ("a cake", 7, ("a cake for 7 is refused",)), "the cause's fields")
    notes = getattr(cause, "__notes__", [])
    assert "a note" in notes, f"its note is lost: {notes}"
    if place.away:
        assert any("in request" in note and "raise error" in note for note in notes), f"no far traceback: {notes}"


class Judge(GenNetwork):
    """Decides by what failed, and how often."""

    seen: list[str] = []

    def supervise(self, failure: Failure) -> Directive:
        self.seen.append(f"{failure.address} {failure.attempt} {failure.error} {failure.agent.id}")
        return Retry(times=1, delay=0) if failure.message.body == "never" else "skip"


async def check_supervision(place: Place) -> None:
    def played(rule: Directive, *bodies: str) -> tuple[GenNetwork, Stumbles, Awaitable[Played]]:
        network = GenNetwork(id="net", supervision=rule, agents=[s := Stumbles(id="s")])
        roots = [Message(method="do", receiver="s", body=body) for body in bodies]
        return network, s, place.play(network, *roots)

    retry = Retry(times=2, delay=0.001)
    _, s, work = played(replace(retry, then="skip"), "x", "y", "never", "z")
    ended = await work
    equal((ended.error, s.tries), (None, 12), "the error, and the tries, under retry")
    equal(s.seen, ["x"] * 3 + ["y"] * 3 + ["never"] * 3 + ["z"] * 3, "what was tried, in order")
    equal([letter.message.body for letter in ended.run.dead_letters], ["never"], "the dead letters")

    _, s, work = played("restart", "x", "y", "z")
    ended = await work
    equal((s.tries, s.seen, ended.run.statistics().dead), (0, [], 3), "what is left of an agent that began anew")

    _, s, work = played("skip", "x", "y", "z")
    ended = await work
    equal((s.tries, s.seen, ended.run.statistics().dead), (3, ["x", "y", "z"], 2), "what is left of one that went on")
    equal(ended.result, "after 3", "the result")

    for rule in ("stop", "escalate"):
        _, s, work = played(rule, "x")
        ended = await work
        assert isinstance(ended.error, AgentFailed), f"{rule} ends the run with {ended.error!r}"
        equal(s.tries, 1, "how often it was tried")

    inner = GenNetwork(id="inner", supervision="escalate", agents=[Stumbles(id="s")])
    network = Judge(id="net", agents=[inner])
    roots = [Message(method="do", receiver="inner/s", body=body) for body in ("never", "x")]
    await place.play(network, *roots)
    seen = ["inner/s 1 never s", "inner/s 2 never s", "inner/s 1 x s"]
    equal(network.seen[: len(seen) - 1], seen[:-1], "what a network decided of")
