"""Where a test of runs is played: which event loop, and whether anybody watches. Knows the local runtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from llm_net import simulation
from llm_net.base import DEFAULT_LIMITS, GenAgent
from llm_net.limits import Limits
from llm_net.message import Message
from llm_net.ports import Observer, Run, Runtime
from llm_net.testing.probe import Recorder, check_sum

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """One place where laws must hold. A test that takes a stage can be played on any.

    Args:
        name: for people.
        loop: makes the event loop; None for a simulated world, the only one in which a test may let time pass.
        watched: whether an observer follows each run: what happens must not depend on it.
        runtime: where the agents run; None for the event loop.
    """

    name: str
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    watched: bool = True
    runtime: Runtime | None = None

    def play(self, main: Coroutine[Any, Any, T], *, seed: int = 0) -> T:
        """Run to the end, and see that no task is left."""

        async def whole() -> T:
            result = await main
            for _ in range(3):  # what just ended, or was let go, has yet to be forgotten
                await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left: {left}"
            return result

        if self.loop is None:
            return simulation.run(whole(), seed=seed)
        with asyncio.Runner(loop_factory=self.loop) as runner:
            return runner.run(whole())

    @asynccontextmanager
    async def run(
        self,
        network: GenAgent,
        root: Message | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        observers: Sequence[Observer] = (),
    ) -> AsyncIterator[Run]:
        """Enter a run, and when it has ended see that each message came to one end."""
        if self.loop is not None and limits is DEFAULT_LIMITS:
            limits = replace(limits, seconds=20.0)  # a test that hangs is to fail soon
        recorder = Recorder()
        watching = (recorder, *observers) if self.watched else tuple(observers)
        run = network.run(root, limits=limits, runtime=self.runtime, observers=watching)
        try:
            async with run:
                yield run
        finally:
            assert run.status != "running", "the block was left before the run ended"
            if self.watched:
                recorder.check(run.statistics())
            else:
                check_sum(run.statistics())
