"""A node as the home of a run sees it: what comes from there, and whose it is. Knows no mailbox."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from llm_net.errors import NodeLost
from llm_net.message import origin
from llm_net.ports import Hosts, Link
from llm_net.runtime import frames
from llm_net.runtime.errand import Errand, Seat
from llm_net.runtime.frames import (
    BODY,
    near,
    parts_of,
)
from llm_net.wire import Line

if TYPE_CHECKING:
    from llm_net.runtime.home import Home


class FarNode:
    """A node, as seen from home."""

    def __init__(self, home: Home, hosts: Hosts, link: Link, number: int) -> None:
        self._home = home
        self.hosts = hosts
        self.link = link
        self.number = number
        self.errands: dict[int, Errand] = {}
        self.line = Line(short=True, limit=BODY, address=home.manifest.written, directory=home.manifest)
        self.known: set[int] = set()  # agents that it has been told of
        self.changed: set[int] = set()  # networks of which it has an old roll
        self.lost: BaseException | None = None
        self.ready: Future[None] = home.run.loop.create_future()
        self.told = False  # whether it is ready
        self.states: Future[bytes] | None = None
        self._asked = 0  # how often it was asked for states
        self.asking = asyncio.Lock()
        self.failed: list[BaseException] = []  # what was raised when its agents were stopped
        self.closed: Future[None] = home.run.loop.create_future()
        self.successor: Task[None] | None = None  # at work to put another in its place
        self.leaving = False
        self._quiet: list[Future[None]] = []

    @property
    def serves(self) -> bool:
        """Whether it can be given messages now."""
        return self.told and self.lost is None

    def begin(self, opening: bytes) -> None:
        """Have a run on it."""
        self.link.begin(self._hear, self._broken)
        self.link.send(opening)

    def ask_states(self, kind: int, seats: Iterable[Seat]) -> None:
        """Ask for the state of agents, in a frame of this kind; only the answer to the last question counts."""
        self.states = self._home.run.loop.create_future()
        self._asked += 1
        self.link.send(frames.frame(kind, 0, self._asked, to_json([seat.number for seat in seats])))

    def forget(self, errand: Errand) -> None:
        """A message is handled here no more."""
        self.errands.pop(errand.number, None)
        self.wake()

    def wake(self) -> None:
        """Have those look who wait until something is idle here."""
        for future in self._quiet:
            if not future.done():
                future.set_result(None)
        self._quiet.clear()

    async def idle(self, seat: Seat) -> None:
        """Wait until an agent handles nothing here."""
        while self.lost is None and any(errand.seat is seat for errand in self.errands.values()):
            future = self._home.run.loop.create_future()
            self._quiet.append(future)
            await future

    def _broken(self, error: BaseException | None) -> None:
        self.lost = error or NodeLost(self.link.far, "it closed its link")
        if not self.closed.done():
            self.closed.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(self.lost)
        if self.states is not None and not self.states.done():
            self.states.set_result(b"[]")
        self._home.lost(self)
        self._home.errands.take_back_what_waits(self)
        for errand in list(self.errands.values()):
            errand.lose(self.lost)
            if errand.task is None:
                self.forget(errand)
                self._home.errands.over(errand, self.lost)
        self.wake()

    def _hear(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as wrong:  # it does not speak as agreed: whoever it is, it is not ours
            self.link.close()
            self._broken(NodeLost(self.link.far, f"it said what cannot be understood: {wrong}"))

    def _take(self, data: bytes) -> None:
        kind, number, question = frames.head_of(data)
        match kind:
            case frames.READY:
                (problem,) = parts_of(data, 1)
                if not self.ready.done():
                    if problem:
                        self.ready.set_exception(near(problem))
                    else:
                        self.told = True
                        self.ready.set_result(None)
                        self._home.arrived()
                return
            case frames.STATES:
                if self.states is not None and question == self._asked and not self.states.done():
                    self.states.set_result(parts_of(data, 1)[0])
                return
            case frames.LEAVE:
                self._home.retire(self)
                return
            case frames.CLOSED:
                (problem,) = parts_of(data, 1)
                if problem:
                    self.failed.append(near(problem))
                elif not self.closed.done():
                    self.closed.set_result(None)
                    self.link.close()
                return
            case frames.DONE:
                self._home.errands.done(self, frames.numbers_of(data))
                return
        said = self._said(kind, data)  # read in any case: a line remembers what crossed it
        errand = self.errands.get(number)
        if errand is None:
            return  # it ended meanwhile
        if (ahead := errand.seat.ahead) and ahead[0] is errand:  # it has begun, whatever became of the one before
            self._home.errands.promote(errand.seat)
        match kind:
            case frames.TOLD:
                if (future := errand.asked.pop(question, None)) is not None and not future.done():
                    future.set_result(said[0])
            case frames.PIECE:
                if (pieces := errand.streams.get(question)) is not None:
                    pieces.put_nowait(said[0])
            case frames.DROP:
                self._drop(errand, question)
            case frames.EMIT | frames.CHANGE:  # nobody waits for it: it is done before anything else is heard
                self._home.wishes.do_now(self, errand, kind, said)
            case _ if question & frames.INSIDE:
                work = self._home.wishes.see_to(self, errand, kind, question, said)
                context = self._home.run.run.context.copy()
                context.run(origin.set, errand.handling)
                task = self._home.run.loop.create_task(work, context=context)
                errand.inside[question], errand.forks = task, True
                task.add_done_callback(lambda _: errand.inside.pop(question, None))
            case _:
                self._home.errands.want(self, errand, kind, question, said)

    def _said(self, kind: int, data: bytes) -> list[Any]:
        match kind:
            case frames.POST:
                (message,) = parts_of(data, 1)
                return [self.line.decode(message)]
            case frames.CALL:
                timeout, message = parts_of(data, 2)
                return [from_json(timeout), self.line.decode(message)]
            case frames.GATHER:
                terms, messages = parts_of(data, 2)
                k, timeout, tells = from_json(terms)
                return [k, timeout, tells, [self.line.decode(each) for each in frames.taken_apart(messages)]]
            case frames.EMIT:
                event, message = parts_of(data, 2)
                return [event.decode(), self.line.decode(message)]
            case frames.END:
                how, ids, fields, what = parts_of(data, 4)
                told: object = self.line.decode(what) if how == b"m" else near(what) if how == b"e" else None
                return [told, from_json(ids), fields]
            case frames.CHANGE | frames.MODEL | frames.EFFECT:
                return parts_of(data, 2)
            case frames.DELAY | frames.TOLD | frames.PIECE | frames.DROP:
                return parts_of(data, 1)
            case _:
                raise ValueError(f"a frame of kind {kind}")

    def _drop(self, errand: Errand, question: int) -> None:
        if not question:  # it has met what an event raised
            errand.deferred = None
        elif (task := errand.inside.get(question)) is not None:
            task.cancel()
        elif errand.doing == question:
            errand.dropped = True
            if errand.task is not None:
                errand.task.cancel()
        else:
            errand.wanted = deque(each for each in errand.wanted if each[1] != question)
