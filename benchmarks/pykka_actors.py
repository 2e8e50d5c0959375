"""pykka's actors: a thread each, dataclass messages by `tell` and `ask` to `on_receive`. Knows no event loop.

Proxies are the other documented form; they cost more.
"""

# The peer may be absent, or have no types.
# pyright: basic, reportMissingImports=false
# mypy: disable-error-code="import-not-found,import-untyped,misc"

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Semaphore

from pykka import ActorRegistry, ThreadingActor

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
class Worked:
    worker: int


@dataclass(slots=True)
class Start:
    pass


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
async def request_reply() -> AsyncIterator[Go]:
    served = 0

    class Server(ThreadingActor):
        def on_receive(self, message: Ping) -> Pong:
            nonlocal served
            served += 1
            return Pong(message.number)

    server = Server.start()

    async def go(n: int) -> object:
        nonlocal served
        served = answered = 0
        for number in range(n):
            answered += server.ask(Ping(number), block=True).number == number
        return {"served": served, "answered": answered}

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def one_way() -> AsyncIterator[Go]:
    received = 0
    last: object = None
    done = Semaphore(0)

    class Receiver(ThreadingActor):
        def on_receive(self, message: Note) -> None:
            nonlocal received, last
            received += 1
            last = message.body
            if not message.left:
                done.release()

    receiver = Receiver.start()

    async def go(n: int) -> object:
        nonlocal received
        received = 0
        for left in range(n - 1, -1, -1):
            receiver.tell(Note(BODY, left))
        done.acquire()
        return {"received": received, "last": last}

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def fan_out() -> AsyncIterator[Go]:
    heard = [0] * LISTENERS
    done = Semaphore(0)

    class Listener(ThreadingActor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def on_receive(self, message: Note) -> None:
            heard[self.number] += 1
            if not message.left:
                done.release()

    listeners = [Listener.start(number) for number in range(LISTENERS)]

    async def go(n: int) -> object:
        heard[:] = [0] * LISTENERS
        for left in range(n // LISTENERS - 1, -1, -1):
            event = Note(BODY, left)
            for listener in listeners:
                listener.tell(event)
        for _ in listeners:
            done.acquire()
        return heard

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def ring() -> AsyncIterator[Go]:
    visits = [0] * RING
    done = Semaphore(0)

    class Member(ThreadingActor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def on_receive(self, message: Token) -> None:
            visits[self.number] += 1
            if message.hops_left:
                members[self.number + 1 - RING].tell(Token(message.hops_left - 1))
            else:
                done.release()

    members = [Member.start(number) for number in range(RING)]

    async def go(n: int) -> object:
        visits[:] = [0] * RING
        members[0].tell(Token(n - 1))
        done.acquire()
        return visits

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    async def go(n: int) -> object:
        before = len(ActorRegistry.get_all())
        for _ in range(n):
            ThreadingActor.start()
        return len(ActorRegistry.get_all()) - before

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def waits() -> AsyncIterator[Go]:
    answers = [0] * WORKERS
    done = Semaphore(0)

    class Worker(ThreadingActor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def on_receive(self, message: Work) -> None:
            time.sleep(WAIT)
            driver.tell(Worked(self.number))

    class Driver(ThreadingActor):
        def on_receive(self, message: Worked) -> None:
            answers[message.worker] += 1
            if answers[message.worker] < WAITS:
                workers[message.worker].tell(Work(BODY))
            else:
                done.release()

    driver, workers = Driver.start(), [Worker.start(number) for number in range(WORKERS)]

    async def go(n: int) -> object:
        answers[:] = [0] * WORKERS
        for worker in workers:
            worker.tell(Work(BODY))
        for _ in workers:
            done.acquire()
        return answers

    yield go
    ActorRegistry.stop_all()


@asynccontextmanager
async def contract_net() -> AsyncIterator[Go]:
    rounds = proposals = informs = paid = 0
    done = Semaphore(0)

    class Contractor(ThreadingActor):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number
            self.calls = 0

        def on_receive(self, message: Call | Accept) -> None:
            match message:
                case Call():
                    manager.tell(Proposal(price(self.number, self.calls), self.number))
                    self.calls += 1
                case Accept():
                    manager.tell(Inform("done"))

    class Manager(ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            self.bids: list[Proposal] = []

        def on_receive(self, message: Start | Proposal | Inform) -> None:
            nonlocal rounds, proposals, informs, paid
            match message:
                case Proposal():
                    proposals += 1
                    self.bids.append(message)
                    if len(self.bids) == CONTRACTORS:
                        best = min(self.bids, key=lambda bid: bid.price)
                        self.bids.clear()
                        paid += best.price
                        contractors[best.contractor].tell(Accept(best.price))
                    return
                case Inform():
                    informs += 1
            if rounds:
                rounds -= 1
                call = Call(BODY)
                for contractor in contractors:
                    contractor.tell(call)
            else:
                done.release()

    manager = Manager.start()
    contractors = [Contractor.start(number) for number in range(CONTRACTORS)]

    async def go(n: int) -> object:
        nonlocal rounds, proposals, informs, paid
        rounds, proposals, informs, paid = n, 0, 0, 0
        manager.tell(Start())
        done.acquire()
        return {"proposals": proposals, "informs": informs, "paid": paid}

    yield go
    ActorRegistry.stop_all()


PYKKA: Contender = {
    "W1": request_reply,
    "W2": one_way,
    "W3": fan_out,
    "W4": ring,
    "W5": idle,
    "W6": waits,
    "W7": contract_net,
}
