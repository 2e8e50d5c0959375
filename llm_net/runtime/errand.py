"""An agent that lives elsewhere, and a message that is handled there, as their home sees them. Knows no run."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.ports import Hosts
from llm_net.runtime.cell import Entry
from llm_net.runtime.handling import LocalHandling

if TYPE_CHECKING:
    from llm_net.runtime.farnode import FarNode

GRACE = 5.0
"""Seconds that a node has to end what was cancelled; then it is given up."""


@dataclass(slots=True, eq=False)
class Seat:
    """An agent that lives elsewhere."""

    agent: GenAgent
    number: int
    hosts: Hosts
    node: FarNode | None = None  # None: not begun yet
    fresh: bool = True  # whether the node has the state that it had here
    worked: bool = False  # whether it has another one there since
    hold: Future[None] | None = None  # while it moves
    ahead: deque[Errand] = field(default_factory=deque)  # at the node, where they wait for those before them
    failures: int = 0  # of its handlers there
    again: Message | None = None  # what it is to handle once more, before those


@dataclass(eq=False)
class Errand:
    """A message that is being handled on a node, as seen from home. Most end without a word: what others need is made late."""

    number: int
    seat: Seat
    handling: LocalHandling
    node: FarNode | None = None
    entry: Entry | None = None
    """As it lay in the mailbox, of one that was sent ahead."""
    task: Task[None] | None = None
    """Who sees to it; nobody as long as nothing has to be waited for."""
    arrived: Future[None] | None = None
    lost: BaseException | None = None
    deferred: BaseException | None = None
    """What an event that was emitted raised: met at the next step."""
    doing: int = 0  # the question that is being seen to
    dropped: bool = False
    failed: bool = False  # whether its handler has raised, there
    repeated: Errand | None = None  # the same on another node
    ended: bool = False  # whether its handler has ended, there or here
    forks: bool = False  # whether tasks inside its handler want something

    @cached_property
    def wanted(self) -> deque[tuple[int, int, list[Any]]]:
        """What the handler itself wants done next: a kind of frame, its question, what it says."""
        return deque()

    @cached_property
    def replies(self) -> dict[str, Message]:
        """What it was answered, by question: a step of a recorded run may be repeated."""
        return {}

    @cached_property
    def inside(self) -> dict[int, Task[None]]:
        """What is done for tasks inside its handler, by question."""
        return {}

    @cached_property
    def asked(self) -> dict[int, Future[bytes]]:
        """What its node gives in answer to our own questions."""
        return {}

    @cached_property
    def streams(self) -> dict[int, asyncio.Queue[bytes | BaseException]]:
        """Pieces of what models say that are there, by question."""
        return {}

    @property
    def detached(self) -> bool:
        """Whatever sees to it is a task of its own."""
        return True

    @property
    def last(self) -> Errand:
        """It, or what it was repeated as."""
        errand = self
        while errand.repeated is not None:
            errand = errand.repeated
        return errand

    def wake(self) -> None:
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    def meet(self, told: object = None) -> None:
        """Raise what the handler raised, or else what an event raised that it emitted."""
        if isinstance(told, BaseException):
            raise told
        if (error := self.deferred) is not None:
            self.deferred = None
            raise error

    def lose(self, error: BaseException) -> None:
        """Its node is gone: what it waits for is of no use any more, unless the step is repeated."""
        self.lost = error
        if self.doing and self.handling.step is None and self.task is not None:
            self.task.cancel()
        for future in self.asked.values():
            if not future.done():
                future.set_exception(error)
        for pieces in self.streams.values():
            pieces.put_nowait(error)
        self.wake()


class Nobody:
    """Who sees to a message of which nothing is wanted yet."""

    @property
    def detached(self) -> bool:
        """There is no worker that it could hold up."""
        return True

    @property
    def task(self) -> None:
        """There is none."""
        return None
