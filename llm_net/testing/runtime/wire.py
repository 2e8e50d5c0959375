"""Messages stay what they are, wherever they go: kinds, fields, threads, length. Knows no wire."""

from __future__ import annotations

from dataclasses import replace

from llm_net.address import Address, Reference
from llm_net.base import DEFAULT_LIMITS, GenAgent, GenNetwork
from llm_net.message import Message
from llm_net.testing.runtime.agents import Echo
from llm_net.testing.runtime.place import Place, equal
from llm_net.testing.runtime.same import same


class Parcel(Message):
    """Something to pass on."""

    weight: int
    owner: Address
    others: list[Address] = []
    tags: dict[str, list[float]] = {}


class Carries(GenAgent):
    """Passes parcels on, and back."""

    to: Address | None = None
    seen: list[str] = []

    def parcel(self, message: Parcel) -> Message:
        live = [isinstance(party, GenAgent) for party in (message.owner, *message.others)]
        self.seen.append(f"{message.weight} {message.owner.id} {[other.id for other in message.others]} {live}")
        if self.to is None:
            return message.reply(body=f"{message.owner.id} {len(message.body)}", receiver=message.owner)
        return Parcel.reply(
            message, weight=message.weight + 1, owner=message.owner, others=[*message.others, self], receiver=self.to,
            body=message.body, tags=message.tags,
        )  # fmt: skip

    def response(self, message: Message) -> Message | None:
        thread = [f"{type(one).__name__}:{one.sender.id if one.sender is not None else ''}" for one in message.thread()]
        self.seen.append(f"{message.body} {thread}")
        first = message.closest(Parcel)
        return first and first.root.reply(body=f"{first.weight} {first.tags}")


async def check_messages(place: Place) -> None:
    def build() -> GenNetwork:
        a, b, c = Carries(id="a"), Carries(id="b"), Carries(id="c")
        a.to, b.to = b, c
        inner = GenNetwork(id="inner", agents=[b, c])
        return GenNetwork(id="net", agents=[a, inner, Echo(id="echo")])

    owner, others = Reference("a"), (Reference("echo"), Reference("inner/c"))
    root = Parcel(weight=1, owner=owner, others=[*others], receiver="a", body="x", tags={"a": [0.1, 1e300]})
    played = await same(place, build, root)
    equal(played.error, None, "what ended the run")
    assert played.run.result is not None
    equal(played.run.result.root is root, True, "whether the thread leads back to the very root")


class Remembers(GenAgent):
    """Asks, and sees whether the answer answers its own question."""

    kept: int = 0

    async def arequest(self, message: Message) -> Message:
        question = Message(receiver="echo", body="a question")
        reply = await self.call(question)
        self.kept += reply.reply_to is question
        again = await self.call(reply.reply(body="again", method="request"))
        assert again.reply_to is not None
        self.kept += again.reply_to.reply_to is reply
        self.kept += again.root is question
        self.kept += again.conversation == question.conversation
        self.kept += message.reply().root is message.root
        replies = await self.gather([(one := Message(receiver="echo")), (two := Message(receiver="echo"))])
        self.kept += [each.reply_to for each in replies] == [one, two]
        return message.reply()


async def check_conversations(place: Place) -> None:
    network = GenNetwork(id="net", agents=[remembers := Remembers(id="r"), Echo(id="echo")])
    root = Message(receiver="r", conversation="about bees", metadata={"a": 1}, protocol="talk")
    played = await place.play(network, root)
    equal((played.error, remembers.kept), (None, 6), "the error, and the threads that were kept")
    assert played.run.result is not None
    assert played.run.result.reply_to is root, "the reply that came out does not answer the very root"
    equal(played.run.result.conversation, "about bees", "its conversation")


class Weighs(GenAgent):
    """Takes long texts, and gives them back."""

    longest: int = 0

    async def arequest(self, message: Message) -> Message:
        self.longest = max(self.longest, len(message.body))
        reply = await self.call(Message(receiver="echo", body=message.body))
        return message.reply(body=reply.body)


async def check_large(place: Place) -> None:
    for size in (100_000, 10_000_000):
        network = GenNetwork(id="net", agents=[weighs := Weighs(id="weighs"), Echo(id="echo")])
        played = await place.play(network, Message(receiver="weighs", body="é" * (size // 2)))
        equal(
            (played.error, len(played.result), weighs.longest), (None, size // 2, size // 2), "what came of a long text"
        )


class Talks(GenAgent):
    """Replies to replies."""

    to: str

    def request(self, message: Message) -> Message | None:
        return message.reply(receiver=self.to, method="request") if len(message.body) < 1 else None


async def check_threads_of_messages(place: Place) -> None:
    network = GenNetwork(id="net", agents=[Talks(id="a", to="b"), Talks(id="b", to="a")])
    limits = replace(DEFAULT_LIMITS, messages=3_000, depth=None)
    played = await place.play(network, Message(receiver="a"), limits=limits)
    equal(played.run.status, "limited", "how a talk without end ends")
    assert len(list(played.messages[-1].thread())) > 2_900, (
        f"{len(list(played.messages[-1].thread()))} of 3,000 in the thread"
    )
