"""Dice, clocks and ticks. Knows no seed and no clock but the run's own."""

from __future__ import annotations

from datetime import timedelta

from llm_net.base import GenAgent, GenNetwork
from llm_net.dispatch import every
from llm_net.message import Message
from llm_net.testing.runtime.agents import Notes
from llm_net.testing.runtime.changes import Leaver
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Dices(GenAgent):
    """Throws dice."""

    thrown: list[int] = []

    def request(self, message: Message) -> Message:
        self.thrown += [self.random.randrange(1_000) for _ in range(3)]
        return message.reply(body=f"{self.random.random()}")


async def check_chance(place: Place) -> None:
    def build() -> GenNetwork:
        inner = GenNetwork(id="inner", agents=[Dices(id="a"), Dices(id="b")])
        return GenNetwork(id="net", agents=[inner, Dices(id="a"), Dices(id="c")])

    await same(place, build, *(Message(receiver=to) for to in ("inner/a", "inner/b", "a", "c", "a")))
    await same(place, lambda: Dices(id="alone"), Message(), Message())


class Dated(GenAgent):
    """Says what time it is."""

    async def arequest(self, message: Message) -> Message:
        before = self.now()
        await self.delay(0.01)
        assert self.now() >= before + timedelta(seconds=0.005)
        assert message.created_at <= before
        return message.reply(body=before.isoformat())


async def check_time(place: Place) -> None:
    played = await place.play(GenNetwork(id="net", agents=[Dated(id="dated")]), Message(receiver="dated"))
    equal(played.error, None, "what ended the run")


class Pulse(GenAgent):
    """Does something now and then."""

    beats: int = 0

    @every(0.01)
    def beat(self, message: Message) -> Message:
        self.beats += 1
        return Message(method="note", body="beat", receiver="notes")


async def check_ticks(place: Place) -> None:
    network = GenNetwork(id="net", agents=[pulse := Pulse(id="pulse"), notes := Notes(id="notes"), Leaver(id="slow")])
    await place.play(network, *(Message(receiver="slow") for _ in range(3)))
    assert pulse.beats >= 2, f"{pulse.beats} beats of 10 ms in 90 ms"
    equal(notes.notes, ["beat"] * pulse.beats, "what came of each beat")
