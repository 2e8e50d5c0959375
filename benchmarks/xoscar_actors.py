"""xoscar's actors in one pool of this process, called through local references with a dataclass. Knows no other pool.

What needs no answer goes by `tell`, the rest is awaited; nothing is serialised.
"""

# The peer may be absent, or have no types.
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,import-untyped,misc"

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import xoscar
from xoscar import Actor

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
    left: int


@dataclass(slots=True)
class Token:
    hops_left: int


@dataclass(slots=True)
class Work:
    body: str


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
async def _pool() -> AsyncIterator[str]:
    """The address of a pool of this process alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pool = await xoscar.create_actor_pool(f"127.0.0.1:{port}", n_process=0)
    async with pool:
        yield pool.external_address


async def _actor(kind: type[Actor], *args: object, uid: str, address: str) -> Any:
    """A local reference to a new actor, which costs a tenth of the one that `create_actor` gives."""
    await xoscar.create_actor(kind, *args, uid=uid, address=address)
    return await xoscar.actor_ref(address=address, uid=uid)


@asynccontextmanager
async def request_reply() -> AsyncIterator[Go]:
    served = 0

    class Server(Actor):
        async def ping(self, message: Ping) -> Pong:
            nonlocal served
            served += 1
            return Pong(message.number)

    class Client(Actor):
        async def start(self, n: int) -> int:
            answered = 0
            for number in range(n):
                answered += (await server.ping(Ping(number))).number == number
            return answered

    async with _pool() as address:
        server = await _actor(Server, uid="server", address=address)
        client = await _actor(Client, uid="client", address=address)

        async def go(n: int) -> object:
            nonlocal served
            served = 0
            answered = await client.start(n)
            return {"served": served, "answered": answered}

        yield go


@asynccontextmanager
async def one_way() -> AsyncIterator[Go]:
    received = 0
    last: object = None
    done = asyncio.Event()

    class Receiver(Actor):
        async def put(self, message: Note) -> None:
            nonlocal received, last
            received += 1
            last = message.body
            if not message.left:
                done.set()

    class Sender(Actor):
        async def start(self, n: int) -> None:
            for left in range(n - 1, -1, -1):
                await receiver.put.tell(Note(BODY, left))

    async with _pool() as address:
        receiver = await _actor(Receiver, uid="receiver", address=address)
        sender = await _actor(Sender, uid="sender", address=address)

        async def go(n: int) -> object:
            nonlocal received
            received = 0
            done.clear()
            await sender.start(n)
            await done.wait()
            return {"received": received, "last": last}

        yield go


@asynccontextmanager
async def fan_out() -> AsyncIterator[Go]:
    heard = [0] * LISTENERS
    deaf = 0
    done = asyncio.Event()

    class Listener(Actor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        async def hear(self, message: Note) -> None:
            nonlocal deaf
            heard[self.number] += 1
            if not message.left:
                deaf -= 1
                if not deaf:
                    done.set()

    class Emitter(Actor):
        async def start(self, events: int) -> None:
            for left in range(events - 1, -1, -1):
                event = Note(BODY, left)
                for listener in listeners:
                    await listener.hear.tell(event)

    async with _pool() as address:
        emitter = await _actor(Emitter, uid="emitter", address=address)
        listeners = [
            await _actor(Listener, number, uid=f"listener{number}", address=address) for number in range(LISTENERS)
        ]

        async def go(n: int) -> object:
            nonlocal deaf
            heard[:] = [0] * LISTENERS
            deaf = LISTENERS
            done.clear()
            await emitter.start(n // LISTENERS)
            await done.wait()
            return heard

        yield go


@asynccontextmanager
async def ring() -> AsyncIterator[Go]:
    visits = [0] * RING
    done = asyncio.Event()

    class Member(Actor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        async def pass_on(self, message: Token) -> None:
            visits[self.number] += 1
            if message.hops_left:
                await members[self.number + 1 - RING].pass_on.tell(Token(message.hops_left - 1))
            else:
                done.set()

    async with _pool() as address:
        members = [await _actor(Member, number, uid=f"member{number}", address=address) for number in range(RING)]

        async def go(n: int) -> object:
            visits[:] = [0] * RING
            done.clear()
            await members[0].pass_on.tell(Token(n - 1))
            await done.wait()
            return visits

        yield go


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    made = 0

    async with _pool() as address:

        async def go(n: int) -> object:
            nonlocal made
            before = made
            for _ in range(n):
                made += 1
                await xoscar.create_actor(Actor, uid=f"idle{made}", address=address)
            return made - before

        yield go


@asynccontextmanager
async def waits() -> AsyncIterator[Go]:
    answers = [0] * WORKERS

    class Worker(Actor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        async def work(self, message: Work) -> None:
            await asyncio.sleep(WAIT)
            answers[self.number] += 1

    async def drive(worker: Any) -> None:
        for _ in range(WAITS):
            await worker.work(Work(BODY))

    async with _pool() as address:
        workers = [await _actor(Worker, number, uid=f"worker{number}", address=address) for number in range(WORKERS)]

        async def go(n: int) -> object:
            answers[:] = [0] * WORKERS
            await asyncio.gather(*map(drive, workers))
            return answers

        yield go


@asynccontextmanager
async def contract_net() -> AsyncIterator[Go]:
    class Contractor(Actor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number
            self.calls = 0

        async def call(self, message: Call) -> Proposal:
            self.calls += 1
            return Proposal(price(self.number, self.calls), self.number)

        async def accept(self, message: Accept) -> Inform:
            return Inform("done")

    class Manager(Actor):
        async def start(self, n: int) -> object:
            proposals = informs = paid = 0
            for _ in range(n):
                bids = await asyncio.gather(*(contractor.call(Call(BODY)) for contractor in contractors))
                proposals += len(bids)
                best = min(bids, key=lambda bid: bid.price)
                paid += best.price
                informs += isinstance(await contractors[best.contractor].accept(Accept(best.price)), Inform)
            return {"proposals": proposals, "informs": informs, "paid": paid}

    async with _pool() as address:
        manager = await _actor(Manager, uid="manager", address=address)
        contractors = [
            await _actor(Contractor, number, uid=f"contractor{number}", address=address)
            for number in range(CONTRACTORS)
        ]
        yield manager.start


XOSCAR: Contender = {
    "W1": request_reply,
    "W2": one_way,
    "W3": fan_out,
    "W4": ring,
    "W5": idle,
    "W6": waits,
    "W7": contract_net,
}
