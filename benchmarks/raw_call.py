"""For orientation: agents without mailboxes, whose handlers are found by name and awaited. Knows no queue.

There is no ring here: each hop would be one more frame on the stack.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.workloads import BODY, CONTRACTORS, LISTENERS, WAIT, WAITS, WORKERS, Contender, Go, price


class Agent:
    __slots__ = ("count", "last", "number")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.count = 0
        self.last: object = None

    async def send(self, method: str, message: object) -> Any:
        return await getattr(self, method)(message)

    async def aput(self, body: str) -> None:
        self.count += 1
        self.last = body

    async def awork(self, body: str) -> None:
        await asyncio.sleep(WAIT)
        self.count += 1

    async def acall(self, body: str) -> tuple[int, int]:
        self.count += 1
        return price(self.number, self.count), self.number

    async def aaccept(self, body: str) -> str:
        return "inform"


@asynccontextmanager
async def request_reply() -> AsyncIterator[Go]:
    async def go(n: int) -> object:
        server, answered = Agent(), 0
        for _ in range(n):
            await server.send("aput", BODY)
            answered += 1
        return {"served": server.count, "answered": answered}

    yield go


@asynccontextmanager
async def one_way() -> AsyncIterator[Go]:
    async def go(n: int) -> object:
        receiver = Agent()
        for _ in range(n):
            await receiver.send("aput", BODY)
        return {"received": receiver.count, "last": receiver.last}

    yield go


@asynccontextmanager
async def fan_out() -> AsyncIterator[Go]:
    async def go(n: int) -> object:
        listeners = [Agent() for _ in range(LISTENERS)]
        for _ in range(n // LISTENERS):
            for listener in listeners:
                await listener.send("aput", BODY)
        return [listener.count for listener in listeners]

    yield go


@asynccontextmanager
async def idle() -> AsyncIterator[Go]:
    agents: list[Agent] = []

    async def go(n: int) -> object:
        before = len(agents)
        agents.extend(Agent() for _ in range(n))
        return len(agents) - before

    yield go


@asynccontextmanager
async def waits() -> AsyncIterator[Go]:
    async def drive(worker: Agent) -> None:
        for _ in range(WAITS):
            await worker.send("awork", BODY)

    async def go(n: int) -> object:
        workers = [Agent() for _ in range(WORKERS)]
        await asyncio.gather(*map(drive, workers))
        return [worker.count for worker in workers]

    yield go


@asynccontextmanager
async def contract_net() -> AsyncIterator[Go]:
    async def go(n: int) -> object:
        contractors = [Agent(number) for number in range(CONTRACTORS)]
        proposals = informs = paid = 0
        for _ in range(n):
            bids: list[tuple[int, int]] = []
            for contractor in contractors:
                bids.append(await contractor.send("acall", BODY))
            proposals += len(bids)
            amount, winner = min(bids)
            paid += amount
            informs += await contractors[winner].send("aaccept", BODY) == "inform"
        return {"proposals": proposals, "informs": informs, "paid": paid}

    yield go


RAW_CALL: Contender = {
    "W1": request_reply,
    "W2": one_way,
    "W3": fan_out,
    "W5": idle,
    "W6": waits,
    "W7": contract_net,
}
