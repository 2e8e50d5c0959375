"""Networks change while they run, from inside and from outside. Knows nothing of what else agents see of them."""

from __future__ import annotations

import asyncio

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import AgentRemoved, UnknownAddress
from llm_net.message import Message
from llm_net.ports import Run
from llm_net.testing.runtime.agents import Echo
from llm_net.testing.runtime.place import Place, Witness, equal, quiet
from llm_net.testing.runtime.same import same


class Guest(GenAgent):
    """Comes and goes."""

    heard_of: list[str] = []
    started: int = 0

    async def astart(self) -> None:
        self.started += 1

    def news(self, message: Message) -> None:
        self.heard_of.append(message.body)

    def request(self, message: Message) -> Message:
        self.heard_of.append(message.body)
        return message.reply(body=f"{self.id} of {self.network.id}: {len(self.heard_of)}")


class Host(GenAgent):
    """Changes the network that it is in."""

    notes: list[str] = []

    async def arequest(self, message: Message) -> Message:
        home = self.network
        match message.body.split():
            case "invite", name:
                home.add(Guest(id=name))
                home.link(self, "news", name)
            case "room", name:
                room = GenNetwork(id=name, agents=[Guest(id="guest")])
                room.link(room, "news", "guest")
                home.add(room)
                home.link(self, "news", f"{name}/guest")
            case "mute", name:
                home.unlink(self, "news", name)
            case "expel", name:
                home.remove(name)
            case "ask", name:
                self.notes.append((await self.call(Message(receiver=name, body="how are you?"))).body)
            case _:
                pass
        self.notes.append(f"{sorted(agent.id for agent in home)}")
        self.emit("news", Message(method="news", body=message.body))
        try:
            await self.send(Message(method="news", body=f"dear bert: {message.body}", receiver="bert"))
        except UnknownAddress:
            self.notes.append("no bert")
        return message.reply(body=message.body)


def make_house() -> GenNetwork:
    house = GenNetwork(id="house", agents=[Host(id="host"), Guest(id="old"), Host(id="wife")], supervision="skip")
    house.link("host", "news", "old")
    return GenNetwork(id="town", agents=[house])


async def check_changes_inside(place: Place) -> None:
    bodies = [
        "invite anna", "invite bert", "ask anna", "room attic", "mute anna", "hello", "expel bert", "ask attic/guest",
        "expel attic", "invite bert", "ask bert", "bye",
    ]  # fmt: skip
    roots = [Message(receiver="house/host", body=body) for body in bodies]
    played = await same(place, make_house, *roots, one_by_one=True)
    equal(played.error, None, "what ended the run")
    network = make_house()
    async with place.run(network) as run:
        for body in ("invite anna", "ask anna"):
            for host in ("host", "wife"):
                if (host, body) != ("wife", "invite anna"):
                    await run.send(Message(receiver=f"house/{host}", body=body))
                    await quiet(run)
    assert network["house/anna"].id == "anna", "who was added in a handler is not in the network"
    wife = network["house/wife"]
    assert isinstance(wife, Host)
    equal(wife.notes, ["anna of house: 4", "['anna', 'host', 'old', 'wife']", "no bert"], "what the other one found")


async def check_changes_outside(place: Place) -> None:
    network = make_house()
    house = network["house"]
    assert isinstance(house, GenNetwork)
    host = house["host"]
    assert isinstance(host, Host)

    async def say(run: Run, body: str, receiver: str = "house/host") -> None:
        await run.send(Message(receiver=receiver, body=body))
        await quiet(run)

    async with place.run(network) as run:
        await say(run, "hello")
        house.add(anna := Guest(id="anna"))
        house.link("host", "news", "anna")
        await say(run, "ask anna")
        house.unlink("host", "news", "anna")
        await say(run, "quietly")
        house.remove("anna")
        try:
            await say(run, "to nobody", "house/anna")
        except UnknownAddress:
            pass
        else:
            raise AssertionError("who left can still be written to")
        await say(run, "bye")
    everybody = "['anna', 'host', 'old', 'wife']"
    usual = "['host', 'old', 'wife']"
    wanted = [usual, "no bert", "anna of house: 1", everybody, "no bert", everybody, "no bert", usual, "no bert"]
    equal(host.notes, wanted, "what a handler saw of changes from outside")
    equal(anna.heard_of, ["how are you?", "ask anna"], "what the one who was there for a while heard")
    equal(anna.started, 1, "how often it was started")


class Leaver(GenAgent):
    """Works slowly, and is put out meanwhile."""

    done: int = 0

    async def arequest(self, message: Message) -> None:
        self.emit("begun", Message())
        await asyncio.sleep(0.03)
        self.done += 1


async def check_removal(place: Place) -> None:
    network = GenNetwork(id="net", agents=[leaver := Leaver(id="leaver"), Echo(id="echo")])
    witness = Witness()
    async with place.run(network, observers=[witness]) as run:
        for _ in range(3):
            await run.send(Message(receiver="leaver"))
        await witness.hears()
        network.remove(leaver)
        await run.send(Message(receiver="echo"))
    equal({type(letter.reason) for letter in run.dead_letters}, {AgentRemoved}, "why letters are dead")
    equal((len(run.dead_letters), leaver.done), (2, 1), "dead letters, and what was done of an agent that was removed")
