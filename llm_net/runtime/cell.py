"""An agent's place in an event loop: its mailbox and what it is busy with. Knows no run and no network."""

from __future__ import annotations

from asyncio import Future
from collections import deque
from typing import Any, TypeAlias

from llm_net.base import GenAgent
from llm_net.dispatch import Handler, Table
from llm_net.event import Event
from llm_net.message import Message

Entry: TypeAlias = tuple[Message, Any, int, Any, Event | None, str, int]
"""A message in a mailbox: what it says, its run (a LocalRun), the length of the chain of messages that led to it, where it is
heard (a Place: both know cells), the event it is heard as, if any, the name of its handler, and the number of the
delivery where the run is recorded, else 0."""


class Cell:
    """One agent in one event loop. Made with its first message; 100,000 idle agents have none."""

    __slots__ = (
        "active", "agent", "concurrency", "full", "handlers", "limit", "queue", "queued", "room", "started", "starting", "state",
        "table", "waits", "when_full",
    )  # fmt: skip

    def __init__(self, agent: GenAgent) -> None:
        kind = type(agent)
        self.agent = agent
        self.table: Table = kind.handlers
        started = kind.astart is GenAgent.astart
        # Those found so far that need nothing special, shared by all agents of a class; none before the agent has started.
        self.handlers: dict[str, dict[type[Message], Handler]] = self.table.everyday if started else {}
        self.queue: deque[Entry] = deque()
        self.queued = False  # whether it stands in the ready list
        self.active = 0  # handlers under way
        self.concurrency = kind.concurrency
        self.limit = kind.mailbox.limit
        self.when_full = kind.mailbox.when_full
        self.full = self.limit if self.when_full == "wait" else 0  # length from which posting takes the long way
        self.room: list[Future[None]] = []  # senders that wait for room
        self.started = started  # whether astart has ended well, if there is one
        self.starting: Future[None] | None = None  # done when the astart that is under way ends
        self.waits: dict[object, tuple[Future[None], tuple[Cell, ...]]] = {}  # handlers that wait, and for all of whom
        self.state: dict[str, Any] | None = None  # fields at the start, where a restart may be asked for

    @property
    def forgettable(self) -> bool:
        """Whether a new one would be the same: nothing waits, nobody is at work, nothing was opened or is to be restored."""
        return not (self.queue or self.active or self.queued or self.room or self.starting) and (
            self.state is None and type(self.agent).astart is GenAgent.astart
        )

    def make_room(self) -> None:
        """Tell the senders that wait that there is room again."""
        for future in self.room:
            if not future.done():
                future.set_result(None)
        self.room.clear()


def waiting_ring(caller: Cell, receiver: Cell) -> list[Cell] | None:
    """The agents that wait for each other in a ring if `caller` now waits for `receiver`; None if there is no ring.

    An agent is stuck when as many of its handlers wait as it may have, and each for an agent that is stuck. Whoever's
    wait is over and has only to go on is not.
    """
    if not _waits_of(receiver) and receiver is not caller:
        return None
    stuck: dict[Cell, list[tuple[Cell, ...]]] = {}
    reached = [caller]
    while reached:
        cell = reached.pop()
        if cell not in stuck:
            waits = _waits_of(cell, (receiver,)) if cell is caller else _waits_of(cell)
            if waits:
                stuck[cell] = waits
                reached.extend(target for targets in waits for target in targets)
    freed = True
    while freed:
        freed = False
        for cell in reversed(list(stuck)):  # the far end of a chain first: then one round is enough for it
            if not all(any(map(stuck.__contains__, targets)) for targets in stuck[cell]):
                del stuck[cell]
                freed = True
    if caller not in stuck:
        return None
    path = {caller: None}
    cell = receiver
    while cell not in path:
        path[cell] = None
        cell = next(target for target in stuck[cell][0] if target in stuck)
    ring = list(path)
    return [*ring[ring.index(cell) :], cell]


def _waits_of(cell: Cell, also: tuple[Cell, ...] = ()) -> list[tuple[Cell, ...]]:
    """For whom the handlers of an agent wait, and one more for `also`; nothing if the agent can take a further message."""
    if cell.active < cell.concurrency or len(cell.waits) + bool(also) < cell.active:
        return []
    waits = [cells for future, cells in cell.waits.values() if not future.done()]
    if also:
        waits.append(also)
    return waits if len(waits) >= cell.active else []
