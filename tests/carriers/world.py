"""Two ends of a link, in simulated weather or over real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from llm_net.carriers import Exchange, SimulatedCarrier, Weather
from llm_net.ports import Carrier, Link


class End:
    """What one end of a link hears, and how it broke."""

    def __init__(self, link: Link | None = None) -> None:
        self.heard: list[bytes] = []
        self.breaks: list[BaseException | None] = []
        if link is not None:
            self.begin(link)

    def begin(self, link: Link) -> None:
        self.link = link
        link.begin(self.heard.append, self.breaks.append)


class Side:
    """A node: its carrier, its exchange, and the ends of the links that others opened to it."""

    def __init__(self, weather: Weather, node: str, *, silent: float = 10.0) -> None:
        self.carrier = SimulatedCarrier(weather)
        self.ends: list[End] = []
        self.exchange = Exchange(
            self.carrier,
            node,
            accept=lambda link: self.ends.append(End(link)),
            silent=silent,
            random=Random(node),
        )


@asynccontextmanager
async def sides(weather: Weather, *nodes: str, silent: float = 10.0) -> AsyncIterator[list[Side]]:
    all_sides = [Side(weather, node, silent=silent) for node in nodes]
    try:
        for side in all_sides:
            await side.exchange.join()
        yield all_sides
    finally:
        for side in all_sides:
            await side.exchange.aclose()


async def until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait in the world's time."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def now() -> float:
    return asyncio.get_running_loop().time()


async def lasts(work: Awaitable[object]) -> float:
    """How long something takes."""
    began = now()
    await work
    return now() - began


def ignore(sender: str, data: bytes) -> None:
    """Hear nothing."""


@asynccontextmanager
async def ends(make: Callable[[], Carrier]) -> AsyncIterator[tuple[End, End]]:
    """Both ends of a link between nodes of their own."""
    accepted: list[End] = []
    bob = Exchange(make(), "bob", accept=lambda link: accepted.append(End(link)))
    anna = Exchange(make(), "anna")
    async with bob, anna:
        near = End(await anna.open("bob"))
        await until(lambda: bool(accepted), 5)
        yield near, accepted[0]
