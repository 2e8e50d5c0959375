"""The floor: a task and a deque per agent, woken through a Future. Knows no message object: no id, type or thread.

It is what one would write by hand for one program; it keeps none of the laws of a run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

from benchmarks.workloads import BODY, CONTRACTORS, LISTENERS, RING, WAIT, WAITS, WORKERS, Contender, Go, price

Handler = Callable[[Any], Awaitable[None]]


class Mailbox(Protocol):
    """An agent, seen from outside: what is sent to it, its handler handles, one at a time, in order."""

    def __init__(self, handle: Handler) -> None: ...

    def send(self, message: object) -> None: ...

    async def stop(self) -> None: ...


class DequeMailbox:
    __slots__ = ("box", "handle", "task", "waiter")

    def __init__(self, handle: Handler) -> None:
        self.handle = handle
        self.box: deque[object] = deque()
        self.waiter: asyncio.Future[None] | None = None
        self.task = asyncio.get_running_loop().create_task(self.live())

    def send(self, message: object) -> None:
        self.box.append(message)
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            waiter.set_result(None)

    async def live(self) -> None:
        loop = asyncio.get_running_loop()
        box = self.box
        while True:
            while box:
                await self.handle(box.popleft())
            self.waiter = waiter = loop.create_future()
            await waiter

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def floor(mailbox: type[Mailbox]) -> Contender:
    """The workloads, for any kind of mailbox."""
    return {
        "W1": partial(request_reply, mailbox),
        "W2": partial(one_way, mailbox),
        "W3": partial(fan_out, mailbox),
        "W4": partial(ring, mailbox),
        "W5": partial(idle, mailbox),
        "W6": partial(waits, mailbox),
        "W7": partial(contract_net, mailbox),
    }


@asynccontextmanager
async def request_reply(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    served = answered = 0

    async def serve(reply: asyncio.Future[None]) -> None:
        nonlocal served
        served += 1
        reply.set_result(None)

    async def ask(order: tuple[int, asyncio.Future[None]]) -> None:
        nonlocal answered
        n, done = order
        for _ in range(n):
            reply: asyncio.Future[None] = loop.create_future()
            server.send(reply)
            await reply
            answered += 1
        done.set_result(None)

    server, client = mailbox(serve), mailbox(ask)

    async def go(n: int) -> object:
        nonlocal served, answered
        served = answered = 0
        done: asyncio.Future[None] = loop.create_future()
        client.send((n, done))
        await done
        return {"served": served, "answered": answered}

    yield go
    await stop([server, client])


@asynccontextmanager
async def one_way(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    received = expected = 0
    last: object = None
    done: asyncio.Future[None]

    async def receive(body: str) -> None:
        nonlocal received, last
        received += 1
        last = body
        if received == expected:
            done.set_result(None)

    async def speak(n: int) -> None:
        send = receiver.send
        for _ in range(n):
            send(BODY)

    receiver, sender = mailbox(receive), mailbox(speak)

    async def go(n: int) -> object:
        nonlocal received, expected, done
        received, expected, done = 0, n, loop.create_future()
        sender.send(n)
        await done
        return {"received": received, "last": last}

    yield go
    await stop([receiver, sender])


@asynccontextmanager
async def fan_out(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    heard = [0] * LISTENERS
    events = 0
    done: asyncio.Future[None]

    def listener(number: int) -> Mailbox:
        async def hear(event: str) -> None:
            heard[number] += 1
            if number == LISTENERS - 1:  # the last to be told is the last to hear
                emitter.send(event)

        return mailbox(hear)

    async def emit(event: str) -> None:
        nonlocal events
        if not events:
            done.set_result(None)
            return
        events -= 1
        for one in listeners:
            one.send(event)

    emitter, listeners = mailbox(emit), [listener(number) for number in range(LISTENERS)]

    async def go(n: int) -> object:
        nonlocal events, done
        heard[:] = [0] * LISTENERS
        events, done = n // LISTENERS, loop.create_future()
        emitter.send(BODY)
        await done
        return heard

    yield go
    await stop([emitter, *listeners])


@asynccontextmanager
async def ring(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    visits = [0] * RING
    done: asyncio.Future[None]

    def member(number: int) -> Mailbox:
        async def pass_on(hops_left: int) -> None:
            visits[number] += 1
            if hops_left:
                members[number + 1 - RING].send(hops_left - 1)
            else:
                done.set_result(None)

        return mailbox(pass_on)

    members = [member(number) for number in range(RING)]

    async def go(n: int) -> object:
        nonlocal done
        visits[:] = [0] * RING
        done = loop.create_future()
        members[0].send(n - 1)
        await done
        return visits

    yield go
    await stop(members)


@asynccontextmanager
async def idle(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    agents: list[Mailbox] = []

    async def rest(message: object) -> None:
        return None

    async def go(n: int) -> object:
        before = len(agents)
        agents.extend(mailbox(rest) for _ in range(n))
        await asyncio.sleep(0)  # every task has run up to its first wait
        return len(agents) - before

    yield go
    await stop(agents)


@asynccontextmanager
async def waits(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    answers = [0] * WORKERS
    open_questions = 0
    done: asyncio.Future[None]

    def worker(number: int) -> Mailbox:
        async def work(_: object) -> None:
            await asyncio.sleep(WAIT)
            driver.send(number)

        return mailbox(work)

    async def drive(number: int) -> None:
        nonlocal open_questions
        answers[number] += 1
        if answers[number] < WAITS:
            workers[number].send(BODY)
        else:
            open_questions -= 1
            if not open_questions:
                done.set_result(None)

    driver, workers = mailbox(drive), [worker(number) for number in range(WORKERS)]

    async def go(n: int) -> object:
        nonlocal open_questions, done
        answers[:] = [0] * WORKERS
        open_questions, done = WORKERS, loop.create_future()
        for one in workers:
            one.send(BODY)
        await done
        return answers

    yield go
    await stop([driver, *workers])


@asynccontextmanager
async def contract_net(mailbox: type[Mailbox]) -> AsyncIterator[Go]:
    loop = asyncio.get_running_loop()
    calls = [0] * CONTRACTORS
    rounds = proposals = informs = paid = 0
    bids: list[tuple[int, int]] = []
    done: asyncio.Future[None]

    def contractor(number: int) -> Mailbox:
        async def serve(message: str) -> None:
            if message == "call":
                manager.send((price(number, calls[number]), number))
                calls[number] += 1
            else:
                manager.send("inform")

        return mailbox(serve)

    async def manage(message: object) -> None:
        nonlocal rounds, proposals, informs, paid
        if isinstance(message, tuple):
            bids.append(message)
            proposals += 1
            if len(bids) == CONTRACTORS:
                amount, winner = min(bids)
                bids.clear()
                paid += amount
                contractors[winner].send("accept")
            return
        if message == "inform":
            informs += 1
        if rounds:
            rounds -= 1
            for one in contractors:
                one.send("call")
        else:
            done.set_result(None)

    manager, contractors = mailbox(manage), [contractor(number) for number in range(CONTRACTORS)]

    async def go(n: int) -> object:
        nonlocal rounds, proposals, informs, paid, done
        rounds, proposals, informs, paid, done = n, 0, 0, 0, loop.create_future()
        manager.send("start")
        await done
        return {"proposals": proposals, "informs": informs, "paid": paid}

    yield go
    await stop([manager, *contractors])


async def stop(agents: Iterable[Mailbox]) -> None:
    for agent in agents:
        await agent.stop()


RAW_DEQUE = floor(DequeMailbox)
