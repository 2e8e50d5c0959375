"""Agents in worker processes of this machine. Knows how many there are, not what they say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from llm_net.carriers import pipes
from llm_net.carriers.pipes import Worker
from llm_net.errors import PlaceUnavailable
from llm_net.places.elsewhere import Elsewhere
from llm_net.ports import Clock, Hosts, Link
from llm_net.runtime.home import Share


class Processes(Elsewhere):
    """Agents in worker processes, which run at once on as many cores: `network.run(root, runtime=Processes(workers=2))`.

    Workers are started when a run is entered and end with it. To keep them for several runs, enter the runtime too:
    `async with Processes(workers=2) as runtime: …`.

    Args:
        workers: how many; None for one on each core.
        agents: the addresses of those that shall live there, networks for all inside; None for all that can. An agent can
            if its class stands at the top of a module, and its fields are what JSON can say, or models (those stay here,
            and are asked from there).
        seed, clock: as for `LocalRuntime`.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        agents: Iterable[str] | None = None,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"at least one worker, not {workers}")
        self._number = workers or os.cpu_count() or 1
        self._agents = None if agents is None else list(agents)
        super().__init__(lambda: [Share(self.hosts(), self._agents)], seed=seed, clock=clock)
        self._kept: _Workers | None = None

    def hosts(self) -> Hosts:
        """The workers that are kept, or new ones for a run. Raises PlaceError where there can be none."""
        if sys.platform == "win32":
            raise PlaceUnavailable(
                "worker processes need sockets that processes inherit, which Windows lacks; use a cluster"
            )
        pipes.refuse_in_worker()
        return self._kept or _Workers(self._number)

    async def __aenter__(self) -> Self:
        self._kept = _Workers(self._number, keep=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept.end()

    @property
    def pids(self) -> Sequence[int]:
        """The numbers of the processes that are kept."""
        return [] if self._kept is None else [worker.pid for worker in self._kept.workers]


class _Workers:
    """The hosts of a Home."""

    imports = True

    def __init__(self, number: int, *, keep: bool = False) -> None:
        self._number = number
        self._keep = keep
        self._count = 0
        self.workers: list[Worker] = []

    async def open(
        self, run: str, network: str, *, joined: Callable[[Link], None], lost: Callable[[Exception], None]
    ) -> Sequence[Link]:
        while len(self.workers) < self._number:
            self.workers.append(self._new())
        return [worker.link() for worker in self.workers]

    async def replace(self, lost: Link) -> Link:
        for worker in self.workers:
            if worker.name == lost.far:
                self.workers.remove(worker)
                worker.kill()
                await worker.end()
                break
        self.workers.append(worker := self._new())
        return worker.link()

    def gone(self, link: Link) -> None:
        pass  # a worker that is lost is replaced when it is missed

    async def release(self, links: Iterable[Link]) -> None:
        if not self._keep:
            await self.end()

    async def end(self) -> None:
        """End them all."""
        workers, self.workers = self.workers, []
        for worker in workers:
            worker.close()
        for worker in workers:
            await worker.end()

    def _new(self) -> Worker:
        self._count += 1
        return Worker(f"worker-{self._count}")
