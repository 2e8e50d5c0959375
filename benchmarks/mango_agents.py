"""mango's agents in one container: dataclass contents, handled by `handle_message`. Knows no other process.

Answers go out by `schedule_instant_message`, as in its tutorial, since a handler there is a plain function.
"""

# The peer may be absent, or have no types.
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,import-untyped,misc"

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mango import Agent, activate, create_tcp_container

from benchmarks.workloads import BODY, CONTRACTORS, LISTENERS, RING, WAIT, WAITS, WORKERS, Contender, Go, price


@dataclass(slots=True)
class Ping:
    number: int


@dataclass(slots=True)
class Pong:
    number: int


@dataclass(slots=True)
class Note:
    body: str


@dataclass(slots=True)
class Token:
    hops_left: int


@dataclass(slots=True)
class Work:
    body: str


@dataclass(slots=True)
class Worked:
    worker: int


@dataclass(slots=True)
class Call:
    body: str


@dataclass(slots=True)
class Proposal:
    price: int
    contractor: int


@dataclass(slots=True)
class Accept:
    price: int


@dataclass(slots=True)
class Inform:
    result: str


@asynccontextmanager
async def _container(agents: Sequence[Agent]) -> AsyncIterator[None]:
    container = create_tcp_container(("127.0.0.1", 0), auto_port=True)
    async with activate(container):
        for agent in agents:
            container.register(agent)
        yield


@asynccontextmanager
async def request_reply() -> AsyncIterator[Go]:
    served = answered = expected = 0
    done = asyncio.Event()
    server_address: Any
    client_address: Any

    class Server(Agent):
        def handle_message(self, content: Ping, meta: dict[str, Any]) -> None:
            nonlocal served
            served += 1
            self.schedule_instant_message(Pong(content.number), client_address)

    class Client(Agent):
        def handle_message(self, content: Pong, meta: dict[str, Any]) -> None:
            nonlocal answered
            answered += 1
            if answered < expected:
                self.schedule_instant_message(Ping(answered), server_address)
            else:
                done.set()

    server, client = Server(), Client()
    async with _container([server, client]):
        server_address, client_address = server.addr, client.addr

        async def go(n: int) -> object:
            nonlocal served, answered, expected
            served, answered, expected = 0, 0, n
            done.clear()
            await client.send_message(Ping(0), server_address)
            await done.wait()
            return {"served": served, "answered": answered}

        yield go


@asynccontextmanager
async def one_way() -> AsyncIterator[Go]:
    received = expected = 0
    last: object = None
    done = asyncio.Event()

    class Receiver(Agent):
        def handle_message(self, content: Note, meta: dict[str, Any]) -> None:
            nonlocal received, last
            received += 1
            last = content.body
            if received == expected:
                done.set()

    class Sender(Agent):
        def handle_message(self, content: object, meta: dict[str, Any]) -> None:
            """It only speaks."""

    receiver, sender = Receiver(), Sender()
    async with _container([receiver, sender]):
        address: Any = receiver.addr

        async def go(n: int) -> object:
            nonlocal received, expected
            received, expected = 0, n
            done.clear()
            for _ in range(n):
                await sender.send_message(Note(BODY), address)
            await done.wait()
            return {"received": received, "last": last}

        yield go


@asynccontextmanager
async def fan_out() -> AsyncIterator[Go]:
    heard = [0] * LISTENERS
    hearings = 0
    heard_by_all = asyncio.Event()

    class Listener(Agent):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def handle_message(self, content: Note, meta: dict[str, Any]) -> None:
            nonlocal hearings
            heard[self.number] += 1
            hearings += 1
            if hearings == LISTENERS:
                hearings = 0
                heard_by_all.set()

    class Emitter(Agent):
        def handle_message(self, content: object, meta: dict[str, Any]) -> None:
            """It only speaks."""

    emitter, listeners = Emitter(), [Listener(number) for number in range(LISTENERS)]
    async with _container([emitter, *listeners]):
        addresses: list[Any] = [listener.addr for listener in listeners]

        async def go(n: int) -> object:
            heard[:] = [0] * LISTENERS
            for _ in range(n // LISTENERS):
                heard_by_all.clear()
                await emitter.send_messages(Note(BODY), addresses)
                await heard_by_all.wait()
            return heard

        yield go


@asynccontextmanager
async def ring() -> AsyncIterator[Go]:
    visits = [0] * RING
    done = asyncio.Event()

    class Member(Agent):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def handle_message(self, content: Token, meta: dict[str, Any]) -> None:
            visits[self.number] += 1
            if content.hops_left:
                self.schedule_instant_message(Token(content.hops_left - 1), addresses[self.number + 1 - RING])
            else:
                done.set()

    members = [Member(number) for number in range(RING)]
    async with _container(members):
        addresses: list[Any] = [member.addr for member in members]

        async def go(n: int) -> object:
            visits[:] = [0] * RING
            done.clear()
            await members[-1].send_message(Token(n - 1), addresses[0])
            await done.wait()
            return visits

        yield go


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    class Idle(Agent):
        def handle_message(self, content: object, meta: dict[str, Any]) -> None:
            """Nothing comes."""

    container = create_tcp_container(("127.0.0.1", 0), auto_port=True)
    async with activate(container):

        async def go(n: int) -> object:
            made = [container.register(Idle()) for _ in range(n)]
            await asyncio.sleep(0)  # every inbox task has run up to its first wait
            return len(made)

        yield go


@asynccontextmanager
async def waits() -> AsyncIterator[Go]:
    answers = [0] * WORKERS
    at_work = 0
    done = asyncio.Event()
    driver_address: Any

    class Worker(Agent):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def handle_message(self, content: Work, meta: dict[str, Any]) -> None:
            self.schedule_instant_task(self.work())

        async def work(self) -> None:
            await asyncio.sleep(WAIT)
            await self.send_message(Worked(self.number), driver_address)

    class Driver(Agent):
        def handle_message(self, content: Worked, meta: dict[str, Any]) -> None:
            nonlocal at_work
            answers[content.worker] += 1
            if answers[content.worker] < WAITS:
                self.schedule_instant_message(Work(BODY), addresses[content.worker])
            else:
                at_work -= 1
                if not at_work:
                    done.set()

    driver, workers = Driver(), [Worker(number) for number in range(WORKERS)]
    async with _container([driver, *workers]):
        driver_address = driver.addr
        addresses: list[Any] = [worker.addr for worker in workers]

        async def go(n: int) -> object:
            nonlocal at_work
            answers[:] = [0] * WORKERS
            at_work = WORKERS
            done.clear()
            await driver.send_messages(Work(BODY), addresses)
            await done.wait()
            return answers

        yield go


@asynccontextmanager
async def contract_net() -> AsyncIterator[Go]:
    rounds = proposals = informs = paid = 0
    done = asyncio.Event()
    manager_address: Any

    class Contractor(Agent):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number
            self.calls = 0

        def handle_message(self, content: Call | Accept, meta: dict[str, Any]) -> None:
            match content:
                case Call():
                    self.schedule_instant_message(
                        Proposal(price(self.number, self.calls), self.number), manager_address
                    )
                    self.calls += 1
                case Accept():
                    self.schedule_instant_message(Inform("done"), manager_address)

    class Manager(Agent):
        def __init__(self) -> None:
            super().__init__()
            self.bids: list[Proposal] = []

        def handle_message(self, content: Proposal | Inform, meta: dict[str, Any]) -> None:
            nonlocal rounds, proposals, informs, paid
            match content:
                case Proposal():
                    proposals += 1
                    self.bids.append(content)
                    if len(self.bids) == CONTRACTORS:
                        best = min(self.bids, key=lambda bid: bid.price)
                        self.bids.clear()
                        paid += best.price
                        self.schedule_instant_message(Accept(best.price), addresses[best.contractor])
                case Inform():
                    informs += 1
                    rounds -= 1
                    if rounds:
                        self.schedule_instant_task(self.send_messages(Call(BODY), addresses))
                    else:
                        done.set()

    manager, contractors = Manager(), [Contractor(number) for number in range(CONTRACTORS)]
    async with _container([manager, *contractors]):
        manager_address = manager.addr
        addresses: list[Any] = [contractor.addr for contractor in contractors]

        async def go(n: int) -> object:
            nonlocal rounds, proposals, informs, paid
            rounds, proposals, informs, paid = n, 0, 0, 0
            done.clear()
            await manager.send_messages(Call(BODY), addresses)
            await done.wait()
            return {"proposals": proposals, "informs": informs, "paid": paid}

        yield go


MANGO: Contender = {
    "W1": request_reply,
    "W2": one_way,
    "W3": fan_out,
    "W4": ring,
    "W5": idle,
    "W6": waits,
    "W7": contract_net,
}
