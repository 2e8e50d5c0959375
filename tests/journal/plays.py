"""Small networks that between them use everything, each with what comes to it from outside. Knows no journal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from llm_net import Event, GenAgent, GenNetwork, Limits, Mailbox, Message, Retry, blocking, call, every
from llm_net.agents.assistant import Assistant
from llm_net.chat import Request, ToolCall, user
from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, ModelError, Unanswered
from llm_net.llm.scripted import ScriptedModel
from llm_net.supervision import Directive

FOREVER = Limits(seconds=None)


@dataclass
class World:
    """What is outside: what was done to it, and how often."""

    done: Counter[str] = field(default_factory=Counter)
    keys: dict[str, str] = field(default_factory=dict)
    heard: Counter[str] = field(default_factory=Counter)  # by callbacks, which may hear a thing again

    def __deepcopy__(self, memo: object) -> World:
        return self

    def act(self, what: str) -> str:
        """Something that must happen once."""
        self.done[what] += 1
        return f"{what} is done"

    def keyed(self, what: str, key: str) -> str:
        """Something that happens once however often it is asked for under one key."""
        if key not in self.keys:
            self.keys[key] = what
            self.done[what] += 1
        return f"{what} is done"

    def hear(self, event: Event) -> None:
        self.heard[f"{event.name} {event.message.body}"] += 1


class Player(GenAgent):
    """Somebody with the world at hand."""

    world: Any = Field(default=None, exclude=True, repr=False)

    async def astart(self) -> None:
        if self.world is None:  # it lives elsewhere
            self.world = World()


@dataclass(frozen=True)
class Play:
    """A network and what is said to it.

    Args:
        build: makes the network anew.
        roots: fields of the messages from outside, all sent at the beginning; each has an id.
        status, limits: of the run.
        answers: by the body of a question to the outside.
        timed: whether what its agents do depends on who is first: then it need not be the same after a crash.
        strict: whether ids of messages are the same however often it was interrupted: in a chain, where nothing overtakes.
    """

    build: Callable[[World], GenAgent]
    roots: Sequence[Mapping[str, Any]]
    status: str = "done"
    limits: Limits = FOREVER
    answers: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    timed: bool = False

    def messages(self) -> list[Message]:
        return [Message(id=f"root{n}", sender="boss", **fields) for n, fields in enumerate(self.roots)]


PLAYS: dict[str, Play] = {}


def play(
    *roots: Mapping[str, Any], **settings: Any
) -> Callable[[Callable[[World], GenAgent]], Callable[[World], GenAgent]]:
    """Put what a function builds on the bill."""

    def put(build: Callable[[World], GenAgent]) -> Callable[[World], GenAgent]:
        PLAYS[build.__name__] = Play(build, roots, **settings)
        return build

    return put


# ---------------------------------------------------------------------------------------------- a shop


class Buyer(Player):
    bought: list[str] = []
    spent: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        asked = [Message(method="offer", body=message.body, receiver=seller) for seller in ("anna", "bert")]
        offers = await self.gather(asked)
        best = min(offers, key=lambda offer: int(offer.body))
        checked = await self.effect("check", lambda: f"{message.body} is good", repeats="pure")
        await self.delay(0.5)
        receipt = await self.call(best.reply(method="buy", body=message.body))
        self.bought.append(f"{checked}: {receipt.body}")
        self.spent += int(best.body)
        self.emit("bought", Message(body=message.body))
        yield message.reply(body=f"{message.body} for {best.body}")


class Seller(Player):
    sold: int = 0
    price: int

    def offer(self, message: Message) -> Message:
        return message.reply(body=str(self.price + len(message.body)))

    async def abuy(self, message: Message) -> Message:
        self.sold += 1
        receipt = await self.effect(f"charge {message.body}", lambda: self.world.act(f"charge {message.body}"))
        await self.effect(
            f"ship {message.body}", lambda key: self.world.keyed(f"ship {message.body}", key), repeats="idempotent"
        )
        return message.reply(body=receipt)


class Clerk(GenAgent):
    noted: list[str] = []
    last: Message | None = None
    all: dict[str, list[Message]] = {}

    def bought(self, message: Message) -> None:
        assert self.heard is not None
        self.noted.append(f"{self.heard.path}: {message.body}")
        self.last = message
        self.all.setdefault(message.body, []).append(message)


@play({"body": "bread", "receiver": "buyer"}, {"body": "milk", "receiver": "buyer"})
def shop(world: World) -> GenNetwork:
    inner = GenNetwork(id="front", agents=[Buyer(id="buyer", world=world)])
    office = GenNetwork(id="office", agents=[Clerk(id="clerk")])
    sellers = [Seller(id="anna", price=5, world=world), Seller(id="bert", price=9, world=world)]
    network = GenNetwork(id="shop", agents=[inner, office, *sellers], links=[("front", "bought", "office/clerk")])
    network.link("front/buyer", "bought", "office/clerk")
    return network


# ---------------------------------------------------------------------------------------------- calls for proposals


class Manager(Player):
    awards: list[str] = []

    async def arequest(self, message: Message) -> Message:
        def tender() -> list[Message]:
            return [Message(method="tender", body=message.body, receiver=f"c{n}") for n in range(4)]

        first = await self.gather(tender(), k=2)
        soon = await self.gather(tender(), timeout=0.25)
        both = await self.gather(tender(), k=1, timeout=0.05)
        self.awards += [bid.body for bid in (*first, *soon, *both)]
        return message.reply(body=" ".join(self.awards))


class Bidder(Player):
    wait: float
    late: int = 0

    async def atender(self, message: Message) -> Message:
        await self.delay(self.wait)
        if self.wait == 0.2:
            raise ValueError("no bid")
        self.late += 1
        return message.reply(body=f"{self.id} {self.late}")


@play({"body": "mend", "receiver": "manager"})
def tender(world: World) -> GenNetwork:
    bidders = [Bidder(id=f"c{n}", wait=0.1 * (n + 1), world=world) for n in range(4)]
    return GenNetwork(id="tender", agents=[Manager(id="manager", world=world), *bidders], supervision="skip")


# ---------------------------------------------------------------------------------------------- colours of handlers


class Colours(Player):
    got: list[str] = []

    def request(self, message: Message) -> Generator[Any, Message, Message]:
        reply = yield call(Message(method="double", body="2", receiver="echo"))
        self.got.append(reply.body)
        yield Message(method="note", body="a", receiver="echo")
        try:
            yield call(Message(method="fail", receiver="echo"))
        except AgentFailed as failed:
            self.got.append(type(failed).__name__)
        yield [Message(method="note", body="b", receiver="echo"), Message(method="note", body="c", receiver="echo")]
        return message.reply(body=" ".join(self.got))

    async def aquery(self, message: Message) -> list[Message]:
        await asyncio.sleep(0)
        return [Message(method="note", body=f"list {n}", receiver="echo") for n in range(3)]

    async def acheck(self, message: Message) -> AsyncIterator[Message]:
        for n in range(2):
            answer = await self.call(Message(method="double", body=str(n), receiver="echo"))
            yield Message(method="note", body=answer.body, receiver="echo")
        with suppress(DeliveryError):
            yield Message(receiver="nobody")


class Echo(Player):
    notes: list[str] = []

    def double(self, message: Message) -> Message:
        return message.reply(body=message.body * 2)

    def fail(self, message: Message) -> None:
        raise ValueError("as written")

    def note(self, message: Message) -> None:
        self.notes.append(message.body)


@play(
    {"receiver": "colours"},
    {"method": "query", "receiver": "colours"},
    {"method": "check", "receiver": "colours"},
)
def colours(world: World) -> GenNetwork:
    return GenNetwork(id="colours", agents=[Colours(id="colours", world=world), Echo(id="echo", world=world)])


# ---------------------------------------------------------------------------------------------- failures


class Stumbler(Player):
    tries: int = 0
    done: list[str] = []

    async def arequest(self, message: Message) -> Message:
        self.tries += 1
        what = f"try {message.body} {self.tries}"
        told = await self.effect(what, lambda: self.world.act(what))
        await self.send(Message(method="note", body=what, receiver="echo"))
        if message.body == "never" or self.tries % 3:
            raise ValueError(told)
        self.done.append(message.body)
        return message.reply(body=str(self.tries))

    def note(self, message: Message) -> None:
        pass


class Fragile(Player):
    seen: list[str] = []

    def request(self, message: Message) -> None:
        self.seen.append(message.body)
        if message.body == "break":
            raise ValueError("broken")


@play(
    {"body": "third", "receiver": "trying/stumbler"},
    {"body": "never", "receiver": "trying/stumbler"},
    {"body": "again", "receiver": "trying/stumbler"},
    {"body": "one", "receiver": "restarting/fragile"},
    {"body": "break", "receiver": "restarting/fragile"},
    {"body": "two", "receiver": "restarting/fragile"},
    {"body": "one", "receiver": "skipping/fragile"},
    {"body": "break", "receiver": "skipping/fragile"},
    {"body": "two", "receiver": "skipping/fragile"},
    {"body": "break", "receiver": "escalating/fragile"},
)
def failures(world: World) -> GenNetwork:
    retry = Retry(times=3, delay=0.5, then="skip")
    trying = GenNetwork(id="trying", supervision=retry, agents=[Stumbler(id="stumbler", world=world)])
    rules: dict[str, Directive] = {"restarting": "restart", "skipping": "skip", "escalating": "escalate"}
    others = [
        GenNetwork(id=id, supervision=rule, agents=[Fragile(id="fragile", world=world)]) for id, rule in rules.items()
    ]
    return GenNetwork(id="failures", supervision="skip", agents=[trying, *others, Echo(id="echo", world=world)])


@play({"body": "one", "receiver": "fragile"}, {"body": "break", "receiver": "fragile"}, status="failed")
def broken(world: World) -> GenNetwork:
    return GenNetwork(id="broken", agents=[Fragile(id="fragile", world=world)])


# ---------------------------------------------------------------------------------------------- the outside


class Doer(Player):
    results: list[str] = []

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        what = message.body
        self.results.append(await self.effect("look", lambda: f"saw {what}", repeats="pure"))
        self.results.append(await self.effect(f"pay {what}", lambda: self.world.act(f"pay {what}")))
        yield Message(method="note", body=f"paid {what}", receiver="echo")
        self.results.append(
            await self.effect(f"order {what}", lambda key: self.world.keyed(f"order {what}", key), repeats="idempotent")
        )
        try:
            await self.effect(f"refuse {what}", lambda: self.refuse(what))
        except ValueError as error:
            self.results.append(str(error))
        await self.delay(2.0)
        self.results.append(await self.effect(f"thank {what}", self.thank(what)))
        yield message.reply(body=f"{len(self.results)}")

    def refuse(self, what: str) -> str:
        self.world.act(f"refuse {what}")
        raise ValueError(f"no {what}")

    def thank(self, what: str) -> Callable[[], Any]:
        async def later() -> str:
            await asyncio.sleep(0)
            return str(self.world.act(f"thank {what}"))

        return later


@play({"body": "tea", "receiver": "doer"}, {"body": "cake", "receiver": "doer"}, strict=True)
def effects(world: World) -> GenNetwork:
    return GenNetwork(id="effects", agents=[Doer(id="doer", world=world), Echo(id="echo", world=world)])


# ---------------------------------------------------------------------------------------------- time


class Slow(Player):
    served: list[str] = []

    async def arequest(self, message: Message) -> Message:
        await self.delay(1.0)
        self.served.append(message.body)
        return message.reply(body=f"{message.body} served")


class Hasty(Player):
    got: list[str] = []

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        yield Message(body="first", receiver="slow")
        yield Message(body="in time", receiver="slow", deadline=self.now() + timedelta(seconds=1.5))
        yield Message(body="too late", receiver="slow", deadline=self.now() + timedelta(seconds=1.7))
        try:
            await self.call(Message(body="patient", receiver="slow"), timeout=0.5)
        except CallTimeout:
            self.got.append("no answer")
        answer = await self.call(Message(body="last", receiver="slow"), timeout=100.0)
        self.got.append(answer.body)

    def response(self, message: Message) -> None:
        self.got.append(message.body)


@play({"receiver": "hasty"})
def deadlines(world: World) -> GenNetwork:
    return GenNetwork(id="deadlines", agents=[Hasty(id="hasty", world=world), Slow(id="slow", world=world)])


class Pulse(Player):
    beats: int = 0

    @every(1.0)
    def beat(self, message: Message) -> Message:
        self.beats += 1
        return Message(method="note", body="beat", receiver="echo")


@play({"body": "run", "receiver": "slow"}, {"body": "stop", "receiver": "slow"}, timed=True)
def ticks(world: World) -> GenNetwork:
    return GenNetwork(
        id="ticks", agents=[Pulse(id="pulse", world=world), Slow(id="slow", world=world), Echo(id="echo", world=world)]
    )


# ---------------------------------------------------------------------------------------------- mailboxes


class Busy(Player):
    handled: list[str] = []

    async def ado(self, message: Message) -> None:
        await self.delay(1.0)
        self.handled.append(message.body)


class Rejecting(Busy):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="reject")


class Dropping(Busy):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="drop_oldest")


class Latest(Busy):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2, when_full="keep_latest", key=lambda message: message.body[0])


class Narrow(Busy):
    mailbox: ClassVar[Mailbox] = Mailbox(limit=2)


class Pusher(Player):
    refused: list[str] = []

    async def arequest(self, message: Message) -> None:
        for receiver in ("rejecting", "dropping", "latest", "narrow"):
            for n in range(6):
                try:
                    await self.send(Message(method="do", body=f"{n % 2} {n}", receiver=receiver))
                except DeliveryError as error:
                    self.refused.append(f"{n} {type(error).__name__}")
        for n in range(5):
            self.emit("do", Message(method="do", body=f"x{n}"))
            await asyncio.sleep(0)


@play({"receiver": "pusher"}, timed=True)
def mailboxes(world: World) -> GenNetwork:
    kinds: list[type[Busy]] = [Rejecting, Dropping, Latest, Narrow]
    network = GenNetwork(id="mailboxes", agents=[Pusher(id="pusher", world=world)], supervision="skip")
    for kind in kinds:
        network.add(kind(id=kind.__name__.lower(), world=world))
    network.link("pusher", "do", "rejecting")
    network.link("pusher", "do", "dropping")
    return network


# ---------------------------------------------------------------------------------------------- threads, concurrency


class Digger(Player):
    depth: int = 0

    @blocking
    def do(self, message: Message) -> list[Message]:
        self.depth += int(message.body)
        self.emit("dug", Message(method="note", body=f"dug {message.body}"))
        return [message.reply(body=str(self.depth)), Message(method="note", body="done", receiver="echo")]


class Foreman(Player):
    seen: list[str] = []

    async def arequest(self, message: Message) -> Message:
        for n in range(3):
            answer = await self.call(Message(method="do", body=str(n), receiver="digger"))
            self.seen.append(answer.body)
        return message.reply(body=" ".join(self.seen))


@play({"receiver": "foreman"})
def threads(world: World) -> GenNetwork:
    agents = [Foreman(id="foreman", world=world), Digger(id="digger", world=world), Echo(id="echo", world=world)]
    return GenNetwork(id="threads", agents=agents, links=[("digger", "dug", "echo")])


class Wide(Player):
    concurrency: ClassVar[int] = 3
    total: int = 0

    async def arequest(self, message: Message) -> Message:
        await self.delay(0.1 * int(message.body))
        what = await self.effect(f"lift {message.body}", lambda: self.world.act(f"lift {message.body}"))
        self.total += int(message.body)
        self.emit("lifted", Message(body=what))
        return message.reply(body=message.body)


@play(*({"body": str(n), "receiver": "wide"} for n in (5, 3, 4, 1, 2)))
def concurrent(world: World) -> GenNetwork:
    wide = Wide(id="wide", world=world)
    wide.on("lifted", world.hear)
    wide.on("sent", world.hear)
    network = GenNetwork(id="concurrent", agents=[wide, Echo(id="echo", world=world)])
    network.on("lifted", world.hear)
    return network


# ---------------------------------------------------------------------------------------------- members that come and go


class Guest(GenAgent):
    heard_of: list[str] = []
    friends: set[str] = set()

    def news(self, message: Message) -> None:
        self.heard_of.append(message.body)
        self.friends.add(message.body)
        if message.body == "trouble":
            raise ValueError("trouble")


class Host(Player):
    notes: list[str] = []

    async def arequest(self, message: Message) -> Message:
        home = self.network
        await self.delay(0.1)
        match message.body.split():
            case "invite", name:
                home.add(Guest(id=name))
                home.link(self, "news", name)
            case "room", name:
                home.add(GenNetwork(id=name, agents=[Guest(id="guest")], links=[(".", "news", "guest")]))
                home.link(self, "news", f"{name}/guest")
            case "mute", name:
                home.unlink(self, "news", name)
            case "expel", name:
                home.remove(name)
            case _:
                pass
        self.emit("news", Message(method="news", body=message.body))
        await self.delay(0.1)
        self.notes.append(message.body)
        with suppress(DeliveryError):
            await self.send(Message(method="news", body=f"dear bert: {message.body}", receiver="bert"))
        return message.reply(body=message.body)


@play(
    *(
        {"body": body, "receiver": "house/host"}
        for body in (
            "invite anna", "invite bert", "room attic", "trouble", "mute anna", "hello", "expel bert", "hello", "expel attic",
            "invite bert", "bye",
        )
    )
)  # fmt: skip
def members(world: World) -> GenNetwork:
    house = GenNetwork(id="house", agents=[Host(id="host", world=world), Guest(id="old")], supervision="skip")
    house.link("host", "news", "old")
    return GenNetwork(id="town", agents=[house])


# ---------------------------------------------------------------------------------------------- models


class Reader(Player):
    """Asks models, whole and in pieces."""

    model: Any = Field(exclude=True, repr=False)
    lines: list[str] = []

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        whole = await self.complete(self.model, Request((user(message.body),)))
        self.lines.append(whole.text)
        yield Message(method="note", body=whole.text, receiver="echo")
        pieces: list[str] = []
        async for chunk in self.stream(self.model, Request((user("again"),))):
            if text := getattr(chunk, "text", ""):
                pieces.append(text)
        self.lines.append(pieces[-1])
        try:
            await self.complete(self.model, Request((user("fail"),)))
        except ModelError as error:
            self.lines.append(str(error))
        answer = await self.call(Message(method="ask", body=message.body, receiver="assistant"))
        self.lines.append(answer.body)
        yield message.reply(body=str(len(self.lines)))


def answer_to(request: Request) -> Any:
    said = request.turns[-1].text
    if said == "fail":
        raise ModelError("scripted", "as written")
    if request.turns[-1].role == "user" and said.startswith("find"):
        return ToolCall("1", "double", '{"receiver": "echo", "body": "ab"}')
    return f"about {said[:40]}: {len(request.turns)} turns"


@play({"body": "find bees", "receiver": "reader"}, {"body": "honey", "receiver": "reader"}, strict=True)
def models(world: World) -> GenNetwork:
    model = ScriptedModel([answer_to], cycle=True)
    agents = [Reader(id="reader", world=world, model=model), Assistant(id="assistant", model=model)]
    return GenNetwork(id="models", agents=[*agents, Echo(id="echo", world=world)])


# ---------------------------------------------------------------------------------------------- questions to the outside


class Petitioner(Player):
    granted: list[str] = []

    async def arequest(self, message: Message) -> Message:
        for n in range(2):
            question = Message(method="ask", body=f"{message.body} {n}?", receiver=message.sender)
            answer = await self.call(question)
            self.granted.append(answer.body)
            await self.effect(f"stamp {message.body} {n}", lambda n=n: self.world.act(f"stamp {message.body} {n}"))
        return message.reply(body=" ".join(self.granted))


@play(
    {"body": "pay", "receiver": "one"},
    {"body": "go", "receiver": "two"},
    answers={"pay 0?": "yes", "pay 1?": "no", "go 0?": "left", "go 1?": "right"},
)
def questions(world: World) -> GenNetwork:
    return GenNetwork(id="questions", agents=[Petitioner(id="one", world=world), Petitioner(id="two", world=world)])


# ---------------------------------------------------------------------------------------------- waits that cannot end


class Caller(Player):
    met: list[str] = []

    async def arequest(self, message: Message) -> Message | None:
        other = {"one": "two", "two": "one"}[self.id]
        if message.body != "hello":
            return None
        for method in ("request", "silence"):
            try:
                await self.call(Message(method=method, body="hello" if self.id == "one" else "again", receiver=other))
            except (Deadlock, Unanswered) as error:
                self.met.append(type(error).__name__)
        return message.reply(body="well")

    def silence(self, message: Message) -> None:
        pass

    def response(self, message: Message) -> None:
        pass


@play({"body": "hello", "receiver": "one"}, timed=True)
def stuck(world: World) -> GenNetwork:
    return GenNetwork(
        id="stuck", agents=[Caller(id="one", world=world), Caller(id="two", world=world)], supervision="skip"
    )


# ---------------------------------------------------------------------------------------------- limits


class Counting(Player):
    count: int = 0

    def request(self, message: Message) -> Message:
        self.count += 1
        return Message(receiver={"one": "two", "two": "one"}[self.id], body=str(self.count))


@play({"receiver": "one"}, status="limited", limits=replace(FOREVER, messages=20))
def endless(world: World) -> GenNetwork:
    return GenNetwork(id="endless", agents=[Counting(id="one", world=world), Counting(id="two", world=world)])


# ---------------------------------------------------------------------------------------------- one agent alone


class Alone(Player):
    total: int = 0

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        await self.effect(f"step {message.body}", lambda: self.world.act(f"step {message.body}"))
        self.total += 1
        yield Message(method="inform", body=f"{self.total}")
        yield Message(method="note", body="mine", receiver=self)
        yield message.reply(body="done")

    def note(self, message: Message) -> None:
        self.total += 10


@play({"body": "a"}, {"body": "b"}, strict=True)
def alone(world: World) -> GenAgent:
    return Alone(id="alone", world=world)
