"""What an agent sees of the networks that it is in, or of none. Knows nothing of networks that change."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import NotHandling, UnknownAddress
from llm_net.graph import Link
from llm_net.message import Message
from llm_net.testing.runtime.agents import Echo, Notes, Where
from llm_net.testing.runtime.events import Hears
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same
from llm_net.testing.runtime.waits import Caller


class Looks(GenAgent):
    """Looks around."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        home = self.network
        yield message.reply(body=f"{home.id} {sorted(home.directory)} {'echo' in home} {len(list(home))}")
        echo = home["echo"]
        yield message.reply(body=f"{echo.id} {type(echo).__name__} {echo.can_receive('request')}")
        reply = await self.call(Message(receiver=echo, body="found"))
        yield message.reply(body=f"{reply.body} {reply.sender is echo} {reply.receiver is self}")
        yield message.reply(body=f"{[agent.id for agent in home.receivers('request')]}")
        yield message.reply(body=f"{sorted(str(each.get('name')) for each in home.init_fns(self))}")
        links = sorted((link.source, link.event, link.listener) for link in home.links if isinstance(link, Link))
        yield message.reply(body=f"{links}")
        try:
            home["nobody"]
        except UnknownAddress as error:
            yield message.reply(body=str(error))

    def response(self, message: Message) -> None:
        pass


def _mansion() -> GenNetwork:
    inner = GenNetwork(id="inner", agents=[Looks(id="looks"), Echo(id="echo"), Notes(id="notes")])
    inner.link("echo", "said", "notes")
    return GenNetwork(id="net", agents=[inner, Echo(id="echo"), Looks(id="looks")])


async def check_directory(place: Place) -> None:
    for receiver in ("inner/looks", "looks"):
        played = await same(place, _mansion, Message(receiver=receiver))
        equal(played.error, None, "what ended the run")


class Chief(GenNetwork):
    """A network with handlers and state of its own."""

    passed: int = 0

    async def arequest(self, message: Message) -> Message:
        self.passed += 1
        reply = await self.call(message.forward("echo"))
        self.emit("passed", Message(method="news", body=reply.body))
        return message.reply(body=f"{self.id}: {reply.body} {self.network.id}")


async def check_nesting(place: Place) -> None:
    def build() -> GenNetwork:
        deep = Chief(id="deep", agents=[Echo(id="echo"), Hears(id="hears")])
        deep.link(deep, "passed", "hears")
        middle = Chief(id="middle", agents=[deep, Echo(id="echo"), Caller(id="inner", to="echo")])
        agents = [
            middle,
            Caller(id="caller", to="middle/deep"),
            Caller(id="finder", to="deep"),
            Notes(id="notes"),
            Echo(id="echo"),
        ]
        network = GenNetwork(id="net", agents=agents)
        network.link("middle", "passed", "notes")
        return network

    names = ("middle", "middle/deep", "caller", "middle/deep/echo", "middle/inner", "finder", "inner")
    roots = [Message(receiver=to, body=to) for to in names]
    played = await same(place, build, *roots, one_by_one=True)
    equal(played.error, None, "what ended the run")


class Counts(GenAgent):
    """Counts in two networks."""

    count: int = 0

    def request(self, message: Message) -> Message:
        self.count += 1
        return message.reply(body=f"{self.network.id} {self.count} {'other' in self.network}")


async def check_two_networks(place: Place) -> None:
    def build() -> GenNetwork:
        counts = Counts(id="counts")
        one = GenNetwork(id="one", agents=[counts, Echo(id="other")])
        two = GenNetwork(id="two", agents=[counts])
        return GenNetwork(id="net", agents=[one, two])

    await same(place, build, *(Message(receiver=to) for to in ("one/counts", "two/counts", "one/counts")))


class Alone(GenAgent):
    """Lives without a network."""

    total: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        self.total += 1
        yield Message(method="inform", body=f"{self.total}", receiver="somebody")
        yield Message(method="note", body="mine", receiver=self)
        answer = await self.call(Message(method="query", receiver=self.id)) if message.body == "ask" else None
        yield message.reply(body="done" if answer is None else answer.body)
        try:
            yield message.reply(body=self.network.id)
        except NotHandling:
            yield message.reply(body="no network")

    def note(self, message: Message) -> None:
        self.total += 10


async def check_alone(place: Place) -> None:
    await same(place, lambda: Alone(id="alone"), Message(body="a"), Message(body="b"))
    await same(place, lambda: Alone(id="alone"), Message(body="a", sender="boss"))
    await same(place, lambda: Alone(id="alone"), Message(body="ask"))
    played = await place.play(Where(id="alone"), Message())
    equal(played.result != str(os.getpid()), place.away, "whether one agent alone lives elsewhere")
    gone = [message.body async for message in Alone(id="alone").areceive(Message(body="a"), runtime=place.make())]
    equal(gone, ["1", "mine", "done", "no network"], "what `areceive` gives")
