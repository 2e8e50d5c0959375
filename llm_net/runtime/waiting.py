"""Who waits for what: an agent for a reply, or for several; a reader for messages. Knows neither the engine nor runs."""

from __future__ import annotations

from asyncio import Future
from collections import deque
from typing import TYPE_CHECKING, Any

from llm_net.base import GenAgent
from llm_net.event import Event
from llm_net.message import Message
from llm_net.runtime.cell import Cell
from llm_net.runtime.place import Place

if TYPE_CHECKING:
    from llm_net.runtime.recorder import Step


class Handled:
    """One agent handling one message: the facts."""

    __slots__ = ("agent", "cell", "depth", "heard", "message", "place", "step")

    agent: GenAgent
    message: Message
    cell: Cell
    place: Place
    heard: Event | None
    depth: int
    step: Step | None  # in a run that is recorded

    @property
    def address(self) -> str:
        """The address of the agent, from the outermost network."""
        return self.place.address(self.agent)


class Waiter:
    """Somebody who waits for the reply to one message; alone, or with others in a tally."""

    __slots__ = ("caller", "done", "error", "future", "message", "receiver", "reply", "tally")

    caller: Handled
    message: Message
    done: bool
    receiver: Cell | None  # None: somebody outside
    future: Future[None] | None  # what the caller waits on, if it has to
    reply: Message | None
    error: BaseException | None
    tally: Tally | None

    def end(self, reply: Message | None, error: BaseException | None = None) -> None:
        """The reply came, or never will."""
        if not self.done:
            self.done, self.reply, self.error = True, reply, error
            if self.tally is not None:
                self.tally.count(self)
            elif self.future is not None and not self.future.done():
                self.future.set_result(None)
            if reply is None:
                self.release()

    def release(self) -> None:
        """Tell those who watch the rules that nobody will answer, or that nobody waits any more."""
        for monitor in self.caller.place.monitors:
            monitor.release(self.message)


class Tally:
    """Somebody who waits for so many of several replies: done when they are there, or at least so many cannot be any more."""

    __slots__ = ("done", "future", "least", "open", "replied", "wanted")

    def __init__(self, open: int, wanted: int, *, least: int | None = None) -> None:
        self.open = open
        self.wanted = wanted
        self.least = wanted if least is None else least  # with fewer there is nothing to wait for
        self.replied: list[Waiter] = []  # in the order in which the replies came
        self.done = wanted <= 0
        self.future: Future[None] | None = None

    def count(self, ended: Waiter) -> None:
        """One of them has an end."""
        if ended.error is None:
            self.replied.append(ended)
            self.wanted -= 1
            self.least -= 1
        self.close_one()

    def close_one(self) -> None:
        """Of one of them nothing more will come."""
        self.open -= 1
        if self.wanted <= 0 or self.open <= 0 or self.open < self.least:
            self.done = True
            if self.future is not None and not self.future.done():
                self.future.set_result(None)


class Tap:
    """What one reader of a run has not read yet; a slow reader slows those who send."""

    __slots__ = ("arrived", "limit", "queue", "room")

    def __init__(self, queue: deque[Any] | None = None, limit: int = 1_000) -> None:
        self.queue: deque[Any] = deque() if queue is None else queue
        self.limit = limit
        self.room: list[Future[None]] = []
        self.arrived: Future[None] | None = None

    def wake(self) -> None:
        """Tell the reader that there is something to read, or nothing more to come."""
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(None)

    def make_room(self) -> None:
        """Tell the senders that there is room again."""
        for future in self.room:
            if not future.done():
                future.set_result(None)
        self.room.clear()
