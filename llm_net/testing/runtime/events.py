"""Who hears what is emitted, and where. Knows nothing of networks that change."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentFailed
from llm_net.event import Event
from llm_net.message import Message
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Crier(GenAgent):
    """Emits what it is asked to."""

    def request(self, message: Message) -> Message:
        self.emit("news", message.reply(body=message.body, receiver=None))
        self.emit(Message(method="shout", body=message.body))
        return message.reply(body=f"{self.listened('news')} {self.listened('secret')}")


class Hears(GenAgent):
    """Notes what it hears, and from where."""

    heard_of: list[str] = []

    def news(self, message: Message) -> Message | None:
        event = self.heard
        self.heard_of.append(f"{event.name} {event.path} {message.body}" if event is not None else message.body)
        assert message.sender is not None
        return message.reply(body="thanks") if message.body == "ask" else None

    def shout(self, message: Message) -> None:
        self.news(message)

    def loud(self, message: Message) -> None:
        self.news(message)

    def request(self, message: Message) -> None:
        assert self.heard is None
        self.news(message)


class Walls(GenNetwork):
    """Lets nothing secret out, and renames the rest."""

    def boundary(self, event: Event) -> Event | None:
        if event.message.body == "secret":
            return None
        return replace(event, name="loud")


def make_town() -> GenNetwork:
    house = Walls(id="house", agents=[Crier(id="crier"), Hears(id="inside")])
    house.link("crier", "news", "inside")
    house.link("crier", "*", "inside")
    town = GenNetwork(id="town", agents=[house, Hears(id="outside"), Hears(id="mayor")])
    town.link("house/crier", "loud", "outside")
    town.link("house", "loud", "mayor")
    town.link("house", "news", "mayor")
    return town


async def check_events(place: Place) -> None:
    roots = [Message(receiver="house/crier", body=body) for body in ("hello", "secret", "bye")]
    await same(place, make_town, *roots)
    town = make_town()
    heard: list[str] = []
    once: list[str] = []
    crier = town["house/crier"]
    town.on("loud", lambda event: heard.append(f"{event.path} {event.message.body}"))
    crier.once("news", lambda event: once.append(event.message.body))
    received: list[str] = []
    crier.on("receive", lambda event: received.append(event.message.body))
    sent: list[str] = []
    crier.on("sent", lambda event: sent.append(event.message.body))
    later: list[str] = []

    async def hear(event: Event) -> None:
        await asyncio.sleep(0)
        later.append(event.message.body)

    crier.on("*", hear)
    await place.play(town, *roots)
    equal(heard, ["house/crier hello"] * 2 + ["house/crier bye"] * 2, "what callbacks on the outer network heard")
    equal(once, ["hello"], "what a callback heard that wanted to hear it once")
    equal(received, ["hello", "secret", "bye"], 'what was heard on "receive"')
    equal(len(sent), 3, 'what was heard on "sent"')
    equal(later, ["hello", "hello", "secret", "secret", "bye", "bye"], "what an async callback heard")

    def wrong(event: Event) -> None:
        raise KeyError("callback")

    crier.on("news", wrong)
    played = await place.play(town, roots[0])
    assert isinstance(played.error, AgentFailed), f"a callback raised, and the run ended with {played.error!r}"


class Wonders(GenAgent):
    """Says whether anybody listens."""

    def request(self, message: Message) -> Message:
        return message.reply(body=" ".join(f"{event}:{self.listened(event)}" for event in ("news", "shout", "none")))


async def check_listening(place: Place) -> None:
    """Where nobody may hear an event, nothing is to be made of it."""

    def build() -> GenNetwork:
        agents = [Wonders(id="one"), Wonders(id="other"), Hears(id="hears")]
        inner = GenNetwork(id="inner", agents=agents, links=[("one", "news", "hears")])
        return GenNetwork(id="net", agents=[inner, Hears(id="outer")], links=[("inner/other", "shout", "outer")])

    for receiver, wanted in (
        ("one", "news:True shout:False none:False"),
        ("other", "news:False shout:True none:False"),
    ):
        network = build()
        played = await place.play(network, Message(receiver=f"inner/{receiver}"))
        for each in played.result.split():
            told, heard = each.endswith("True"), f"{each.partition(':')[0]}:True" in wanted or place.watched
            assert told >= heard, f"somebody listens to {receiver}, and it is told {each}"
            if not place.away:  # elsewhere it may be told so though nobody does
                equal(told, heard, f"what {receiver} is told of listeners: {each}; whether it is so")
        assert place.watched or "none:False" in played.result, f"nobody listens to {receiver}: {played.result}"
    network = build()
    network["inner/one"].on("none", lambda event: None)
    played = await place.play(network, Message(receiver="inner/one"))
    assert "none:True" in played.result, "a callback at home listens, and the agent is told that nobody does"
