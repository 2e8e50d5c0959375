"""Where a law is played, and how. Knows no law but that each message comes to one end, and that no task is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from llm_net.base import DEFAULT_LIMITS, GenAgent
from llm_net.limits import Limits
from llm_net.message import Message
from llm_net.ports import Journal, Observation, Observer, Run, Runtime
from llm_net.testing.probe import Recorder, check_sum

LONG = 10**6
"""Seconds that no check waits."""


def equal(found: object, wanted: object, what: str) -> None:
    """Check that something is as wanted. Raises AssertionError, with both."""
    assert found == wanted, f"{what} is\n    {found!r}\nand should be\n    {wanted!r}"


class Witness(Recorder):
    """An observer that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def observe(self, observation: Observation) -> None:
        super().observe(observation)
        self._more.set()

    async def sees(self, wanted: Callable[[Observation], bool], number: int = 1) -> None:
        """Wait until so many of the things that happen are wanted ones."""
        while sum(wanted(seen) for seen in self.observations) < number:
            self._more.clear()
            await self._more.wait()

    async def hears(self, number: int = 1) -> None:
        """Wait until so many events were emitted."""
        await self.sees(lambda seen: seen.kind == "emitted", number)


async def quiet(run: Run) -> None:
    """Wait until nothing of a run is pending, or it is over."""
    while run.status == "running" and run.statistics().pending:  # noqa: ASYNC110  # an observer may change what is checked
        await asyncio.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a law is played."""

    make: Callable[[], Runtime]
    away: bool
    watched: bool
    seconds: float

    @asynccontextmanager
    async def run(
        self,
        network: GenAgent,
        root: Message | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
    ) -> AsyncIterator[Run]:
        """Enter a run, and when it has ended see that each message came to one end, and that no task is left."""
        before = asyncio.all_tasks()
        recorder = Recorder()
        watching = (recorder, *observers) if self.watched else tuple(observers)
        limits = replace(limits, seconds=self.seconds) if limits.seconds == DEFAULT_LIMITS.seconds else limits
        run = network.run(root, limits=limits, runtime=self.make(), observers=watching, journal=journal)
        try:
            async with run:
                yield run
        finally:
            assert run.status != "running", "the block was left before the run ended"
            if self.watched:
                recorder.check(run.statistics())
            else:
                check_sum(run.statistics())
            await _settled(before)

    async def play(
        self,
        network: GenAgent,
        *roots: Message,
        limits: Limits = DEFAULT_LIMITS,
        observers: Sequence[Observer] = (),
        journal: Journal | None = None,
        one_by_one: bool = False,
    ) -> Played:
        """Run to the end; gives what was sent, and what ended it.

        Args:
            one_by_one: whether a root is sent only when nothing of those before is pending.
        """
        error: BaseException | None = None
        messages: list[Message] = []
        first, *more = roots or (None,)

        async def read(run: Run) -> None:
            async for message in run:
                messages.append(message)

        try:
            async with self.run(network, limits=limits, observers=observers, journal=journal) as run:
                reading = asyncio.create_task(read(run))
                await asyncio.sleep(0)
                for root in (first, *more):
                    if root is not None:
                        await run.send(root)
                    if one_by_one:
                        await quiet(run)
        except Exception as raised:  # noqa: BLE001  # whatever ended the run is what is asked for
            error = raised
        with suppress(Exception):
            await reading
        return Played(run, messages, error)


@dataclass(frozen=True, slots=True)
class Played:
    """A run that is over."""

    run: Run
    messages: list[Message]
    error: BaseException | None

    @property
    def bodies(self) -> list[str]:
        """What was said inside."""
        return [message.body for message in self.messages]

    @property
    def result(self) -> str:
        """What the last message to the outside says."""
        assert self.run.result is not None, f"no message went to the outside; the run ended with {self.error!r}"
        return self.run.result.body


async def _settled(before: Container[asyncio.Task[Any]]) -> None:
    for _ in range(5):  # what just ended has yet to be forgotten
        left = [task for task in asyncio.all_tasks() if task not in before]
        if not left:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"tasks are left: {left}")
