"""autogen-core in its single-threaded runtime: dataclass messages to routed agents. Knows no tracer, no other runtime.

What wants an answer goes by `send_message`; what wants none by `publish_message` to a topic with one subscriber.
"""

# The peer may be absent, or have no types.
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,import-untyped,misc,untyped-decorator"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
)
from opentelemetry.trace import NoOpTracerProvider

from benchmarks.workloads import BODY, CONTRACTORS, LISTENERS, RING, WAIT, WAITS, WORKERS, Contender, Go, price


@dataclass
class Start:
    n: int


@dataclass
class Ping:
    number: int


@dataclass
class Pong:
    number: int


@dataclass
class Note:
    body: str


@dataclass
class Token:
    hops_left: int


@dataclass
class Work:
    body: str


@dataclass
class Worked:
    worker: int


@dataclass
class Call:
    body: str


@dataclass
class Proposal:
    price: int
    contractor: int


@dataclass
class Accept:
    price: int


@dataclass
class Inform:
    result: str


@asynccontextmanager
async def _runtime() -> AsyncIterator[SingleThreadedAgentRuntime]:
    runtime = SingleThreadedAgentRuntime(tracer_provider=NoOpTracerProvider())
    runtime.start()
    yield runtime
    await runtime.stop()


@asynccontextmanager
async def request_reply() -> AsyncIterator[Go]:
    served = answered = 0
    server, client = AgentId("server", "default"), AgentId("client", "default")

    class Server(RoutedAgent):
        @message_handler
        async def ping(self, message: Ping, ctx: MessageContext) -> Pong:
            nonlocal served
            served += 1
            return Pong(message.number)

    class Client(RoutedAgent):
        @message_handler
        async def start(self, message: Start, ctx: MessageContext) -> None:
            nonlocal answered
            for number in range(message.n):
                answered += (await self.send_message(Ping(number), server)).number == number

    async with _runtime() as runtime:
        await Server.register(runtime, "server", lambda: Server("server"))
        await Client.register(runtime, "client", lambda: Client("client"))

        async def go(n: int) -> object:
            nonlocal served, answered
            served = answered = 0
            await runtime.send_message(Start(n), client)
            return {"served": served, "answered": answered}

        yield go


@asynccontextmanager
async def one_way() -> AsyncIterator[Go]:
    received = expected = 0
    last: object = None
    done = asyncio.Event()
    topic = TopicId("notes", "default")

    class Receiver(RoutedAgent):
        @message_handler
        async def note(self, message: Note, ctx: MessageContext) -> None:
            nonlocal received, last
            received += 1
            last = message.body
            if received == expected:
                done.set()

    class Sender(RoutedAgent):
        @message_handler
        async def start(self, message: Start, ctx: MessageContext) -> None:
            for _ in range(message.n):
                await self.publish_message(Note(BODY), topic)

    async with _runtime() as runtime:
        await Receiver.register(runtime, "receiver", lambda: Receiver("receiver"))
        await Sender.register(runtime, "sender", lambda: Sender("sender"))
        await runtime.add_subscription(TypeSubscription("notes", "receiver"))

        async def go(n: int) -> object:
            nonlocal received, expected
            received, expected = 0, n
            done.clear()
            await runtime.send_message(Start(n), AgentId("sender", "default"))
            await done.wait()
            return {"received": received, "last": last}

        yield go


@asynccontextmanager
async def fan_out() -> AsyncIterator[Go]:
    heard = [0] * LISTENERS
    hearings = expected = 0
    done = asyncio.Event()
    topic = TopicId("notes", "default")

    class Listener(RoutedAgent):
        def __init__(self, number: int) -> None:
            super().__init__("listener")
            self.number = number

        @message_handler
        async def note(self, message: Note, ctx: MessageContext) -> None:
            nonlocal hearings
            heard[self.number] += 1
            hearings += 1
            if hearings == expected:
                done.set()

    class Emitter(RoutedAgent):
        @message_handler
        async def start(self, message: Start, ctx: MessageContext) -> None:
            for _ in range(message.n):
                await self.publish_message(Note(BODY), topic)

    async with _runtime() as runtime:
        await Emitter.register(runtime, "emitter", lambda: Emitter("emitter"))
        for number in range(LISTENERS):
            await Listener.register(runtime, f"listener{number}", lambda number=number: Listener(number))
            await runtime.add_subscription(TypeSubscription("notes", f"listener{number}"))

        async def go(n: int) -> object:
            nonlocal hearings, expected
            heard[:] = [0] * LISTENERS
            hearings, expected = 0, n
            done.clear()
            await runtime.send_message(Start(n // LISTENERS), AgentId("emitter", "default"))
            await done.wait()
            return heard

        yield go


@asynccontextmanager
async def ring() -> AsyncIterator[Go]:
    visits = [0] * RING
    done = asyncio.Event()
    topics = [TopicId("token", str(number)) for number in range(RING)]

    class Member(RoutedAgent):
        def __init__(self) -> None:
            super().__init__("member")
            self.number = int(self.id.key)

        @message_handler
        async def token(self, message: Token, ctx: MessageContext) -> None:
            visits[self.number] += 1
            if message.hops_left:
                await self.publish_message(Token(message.hops_left - 1), topics[self.number + 1 - RING])
            else:
                done.set()

    async with _runtime() as runtime:
        await Member.register(runtime, "member", Member)
        await runtime.add_subscription(TypeSubscription("token", "member"))

        async def go(n: int) -> object:
            visits[:] = [0] * RING
            done.clear()
            await runtime.publish_message(Token(n - 1), topics[0])
            await done.wait()
            return visits

        yield go


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    made = 0

    class Idle(RoutedAgent):
        @message_handler
        async def note(self, message: Note, ctx: MessageContext) -> None:
            return None

    async with _runtime() as runtime:
        await Idle.register(runtime, "idle", lambda: Idle("idle"))

        async def go(n: int) -> object:
            nonlocal made
            before = made
            for _ in range(n):
                await runtime.get(AgentId("idle", str(made)), lazy=False)
                made += 1
            return made - before

        yield go


@asynccontextmanager
async def waits() -> AsyncIterator[Go]:
    answers = [0] * WORKERS

    class Worker(RoutedAgent):
        @message_handler
        async def work(self, message: Work, ctx: MessageContext) -> Worked:
            await asyncio.sleep(WAIT)
            number = int(self.id.key)
            answers[number] += 1
            return Worked(number)

    async with _runtime() as runtime:
        await Worker.register(runtime, "worker", lambda: Worker("worker"))

        async def drive(number: int) -> None:
            worker = AgentId("worker", str(number))
            for _ in range(WAITS):
                await runtime.send_message(Work(BODY), worker)

        async def go(n: int) -> object:
            answers[:] = [0] * WORKERS
            await asyncio.gather(*map(drive, range(WORKERS)))
            return answers

        yield go


@asynccontextmanager
async def contract_net() -> AsyncIterator[Go]:
    proposals = informs = paid = 0
    contractors = [AgentId("contractor", str(number)) for number in range(CONTRACTORS)]

    class Contractor(RoutedAgent):
        def __init__(self) -> None:
            super().__init__("contractor")
            self.number = int(self.id.key)
            self.calls = 0

        @message_handler
        async def call(self, message: Call, ctx: MessageContext) -> Proposal:
            self.calls += 1
            return Proposal(price(self.number, self.calls), self.number)

        @message_handler
        async def accept(self, message: Accept, ctx: MessageContext) -> Inform:
            return Inform("done")

    class Manager(RoutedAgent):
        @message_handler
        async def start(self, message: Start, ctx: MessageContext) -> None:
            nonlocal proposals, informs, paid
            for _ in range(message.n):
                bids = await asyncio.gather(*(self.send_message(Call(BODY), one) for one in contractors))
                proposals += len(bids)
                best = min(bids, key=lambda bid: bid.price)
                paid += best.price
                answer = await self.send_message(Accept(best.price), contractors[best.contractor])
                informs += isinstance(answer, Inform)

    async with _runtime() as runtime:
        await Contractor.register(runtime, "contractor", Contractor)
        await Manager.register(runtime, "manager", lambda: Manager("manager"))

        async def go(n: int) -> object:
            nonlocal proposals, informs, paid
            proposals = informs = paid = 0
            await runtime.send_message(Start(n), AgentId("manager", "default"))
            return {"proposals": proposals, "informs": informs, "paid": paid}

        yield go


AUTOGEN: Contender = {
    "W1": request_reply,
    "W2": one_way,
    "W3": fan_out,
    "W4": ring,
    "W5": idle,
    "W6": waits,
    "W7": contract_net,
}
