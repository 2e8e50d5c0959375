"""How a message for an agent that lives elsewhere comes to its end. Knows nodes, not how there come to be any.

To the engine such an agent has one handler for everything, which tells its node of the message (`Errands.handle`). As long as
nothing has to be waited for, no task is needed here: the node does what is to be done, and says how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import NodeLost, RunCancelled
from llm_net.message import Message, origin
from llm_net.runtime import frames
from llm_net.runtime.errand import GRACE, Errand, Nobody, Seat
from llm_net.runtime.farnode import FarNode
from llm_net.runtime.frames import (
    GONE_ON,
    NOWHERE,
    TIME,
    TO_AGENT,
    TOGETHER,
    far,
    frame,
    joined,
)
from llm_net.runtime.handling import LocalHandling
from llm_net.runtime.place import Place
from llm_net.runtime.wishes import Wishes

if TYPE_CHECKING:
    from llm_net.runtime.home import Home

TRIES = 3
"""Nodes that may be lost over one message of a recorded run, that one included: perhaps it is the message that kills them."""

AHEAD = 256
"""Messages that are sent to a node before an agent there has come to them, as far as its mailbox holds so many: else each
would wait for a round trip."""

TOGETHER_BYTES = 64 * 1024
"""Bytes of messages that go together in one frame, as far as they are several."""


class Errands:
    """The messages of one run that are handled elsewhere."""

    def __init__(self, home: Home, wishes: Wishes) -> None:
        self._home = home
        self._wishes = wishes
        self._errands = 0
        self._nobody = Nobody()

    def handle(self, handling: LocalHandling) -> None:
        """What takes every message for an agent that lives elsewhere."""
        seat = self._home.seats[id(handling.agent)]
        node = seat.node
        errand = self._errand(seat, handling)
        if handling.step is not None or seat.hold is not None or node is None or not node.serves or node.link.full:
            self._follow_up(errand, partial(self._in_turn, errand))
            return
        errand.node = node
        node.errands[errand.number] = errand
        try:
            self._tell(node, errand)
        except Exception as error:
            self._forget(node, errand)
            self.over(errand, error)
        else:
            self._send_ahead(seat, node)

    def _send_ahead(self, seat: Seat, node: FarNode) -> None:
        """Have the node know what its agent is to handle next, where nobody wants to look at each message before."""
        run, engine = self._home.run.run, self._home.run.engine
        cell = engine.cell_of(seat.agent)
        queue, ahead = cell.queue, seat.ahead
        if (
            run.special
            or cell.active < cell.concurrency
            or seat.hold is not None
            or cell.when_full != "wait"
            or seat.again is not None
        ):
            return
        about, where = (b"", b""), None
        first, size, said = 0, 0, list[bytes]()
        most = min(AHEAD, cell.limit)
        while queue and len(ahead) < most and queue[0][1] is run and not node.link.full:
            entry = queue[0]
            message, _, depth, place, heard, _, _ = entry
            handling = LocalHandling(engine, run, self._nobody)
            handling.agent, handling.message, handling.cell, handling.place = seat.agent, message, cell, place
            handling.heard, handling.depth = heard, depth
            errand = self._errand(seat, handling)
            errand.node, errand.entry = node, entry
            if not said:
                self._prepare(node, seat)
            try:
                same = place is where and heard is None and run.source is None
                facts = about if same else self._facts(errand)
                data = node.line.encode(message)
            except Exception:
                break  # it will fail when its turn has come
            where = place if heard is None else None
            if said and (facts != about or size + len(data) > TOGETHER_BYTES or len(said) == TOGETHER):
                node.link.send(frames.handle(first, *about, said))
                said.clear()
            if not said:
                about, first, size = facts, errand.number, 0
            said.append(data)
            size += len(data)
            queue.popleft()
            node.errands[errand.number] = errand
            ahead.append(errand)
        if said:
            node.link.send(frames.handle(first, *about, said))
        if cell.room and len(queue) <= cell.limit // 2:
            cell.make_room()

    def promote(self, seat: Seat) -> None:
        """The next of those that wait at a node is handled now."""
        seat.worked = True
        seat.ahead.popleft().handling.cell.active += 1
        self._home.run.run.aloof += 1

    def take_back_what_waits(self, node: FarNode) -> None:
        """Put what waits at a node back to the mailboxes."""
        for seat in self._home.seats.values():
            if seat.node is node:
                while seat.ahead:
                    errand = seat.ahead.pop()
                    node.errands.pop(errand.number, None)
                    assert errand.entry is not None
                    errand.handling.cell.queue.appendleft(errand.entry)

    def waiting(self, agent: GenAgent) -> Iterable[Message]:
        """What waits for an agent at its node."""
        seat = self._home.seats.get(id(agent))
        return () if seat is None else [errand.handling.message for errand in seat.ahead]

    def cancel(self) -> None:
        """The run is over."""
        for seat in self._home.seats.values():
            while seat.ahead:
                self.promote(seat)
        for node in self._home.nodes:
            for errand in list(node.errands.values()):
                if errand.task is None:
                    self._follow_up(errand, partial(self._go_on, node, errand))

    def want(self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]) -> None:
        """A handler wants something done: at once, where nothing has to be waited for."""
        if errand.task is not None or kind not in (frames.POST, frames.END):
            errand.wanted.append((kind, question, said))
            if errand.task is None:
                self._follow_up(errand, partial(self._go_on, node, errand))
            errand.wake()
            return
        handling = errand.handling
        token = origin.set(handling)
        try:
            if kind == frames.END:
                self._forget(node, errand)
                self._end_at_once(errand, *said)
                return
            errand.meet()
            full = handling.engine.post(handling, said[0], None)
        except Exception as error:
            self._wishes.answer(node, errand, question, b"e", [far(error)])
        else:
            if full is None and handling not in self._home.run.run.crowding:
                self._wishes.answer(node, errand, question, b"", [])
            else:
                errand.wanted.append((frames.ROOM, question, [full]))
                self._follow_up(errand, partial(self._go_on, node, errand))
        finally:
            origin.reset(token)

    def done(self, node: FarNode, numbers: Iterable[int]) -> None:
        """Handlers have ended, and there is nothing to say of them."""
        run, engine, errands = self._home.run.run, self._home.run.engine, node.errands
        seats: dict[int, Seat] = {}
        for number in numbers:
            if (errand := errands.get(number)) is None:
                continue  # it ended meanwhile
            seat = errand.seat
            if (ahead := seat.ahead) and ahead[0] is errand:
                self.promote(seat)
            if errand.task is not None or errand.forks or errand.deferred is not None or run.crowding or run.watched:
                self.want(node, errand, frames.END, 0, [None, 0, b""])
                continue
            del errands[number]
            errand.ended = True
            run.aloof -= 1
            if ahead:
                self.promote(seat)
            engine.done(errand.handling)
            seats[seat.number] = seat
        for seat in seats.values():
            self._send_more(seat, node)
        node.wake()

    def _end_at_once(self, errand: Errand, told: object, ids: int, fields: bytes) -> None:
        handling = errand.handling
        errand.failed = isinstance(told, BaseException)
        try:
            errand.meet(told)
            full = handling.engine.post(handling, told, None) if isinstance(told, Message) else None
        except Exception as error:
            self.over(errand, error)
            return
        if full is None and handling not in self._home.run.run.crowding:
            self.over(errand, None)
        else:
            self._follow_up(errand, partial(self._room, handling, full))

    def over(self, errand: Errand, error: BaseException | None) -> None:
        """An errand without a task has come to its end."""
        self._home.run.run.aloof -= 1
        self._conclude(errand, error)

    def _conclude(self, errand: Errand, error: BaseException | None) -> None:
        """Count a message as handled, or failed; and go on with the next."""
        seat, handling = errand.seat, errand.handling
        cell, node = handling.cell, errand.node
        if error is None:
            if seat.ahead:
                self.promote(seat)
            handling.engine.done(handling)
        else:
            active = cell.active
            handling.engine.failed(handling, error)
            seat.failures += errand.failed
            if cell.active == active:  # it is to be handled again
                seat.again = handling.message
                return
            if seat.ahead:
                self.promote(seat)
            if errand.failed and node is not None and node.lost is None:
                self._home.renew(node, seat)  # what waits there is handled in the state that it begins anew with
                node.link.send(frame(frames.GO, 0, 0, GONE_ON.pack(seat.number, seat.failures)))
        if node is not None:
            self._send_more(seat, node)

    def _send_more(self, seat: Seat, node: FarNode) -> None:
        """Send ahead what can be, not one by one: those that go together cost less."""
        few = len(seat.ahead) <= AHEAD // 2
        if few and node.serves and seat.node is node and not self._home.run.run.over:
            self._send_ahead(seat, node)

    def _tell(self, node: FarNode, errand: Errand) -> None:
        self._prepare(node, errand.seat)
        facts, said = self._facts(errand), node.line.encode(errand.handling.message)
        node.link.send(frames.handle(errand.number, *facts, [said]))

    def _prepare(self, node: FarNode, seat: Seat) -> None:
        """Have a node know all that an agent has to know there before it handles anything."""
        self._home.tell_changes(node)
        self._home.renew(node, seat)
        seat.worked = True

    def _facts(self, errand: Errand) -> tuple[bytes, bytes]:
        """What a node has to know beside a message: who handles it and where, and what else there is to say."""
        seat, handling, place = errand.seat, errand.handling, errand.handling.place
        if place.network is handling.agent and place.parent is not None:
            place = place.parent
        network = None if place.network is None else self._home.manifest.number(place.network)
        more: dict[str, Any] = {}
        if _calls_back(handling):
            more["hears"] = True
        if handling.heard is not None:
            more["heard"] = [handling.heard.name, handling.heard.path]
        if (step := handling.step) is not None:
            again = f"/{step.tries}" if step.tries else ""
            prefix = f"{self._home.run.seed:x}"
            more |= {
                "ids": f"{prefix}-{step.number}", "count": step.ids, "at": step.time, "random": f"{prefix}/{step.number}{again}",
            }  # fmt: skip
        elif handling.source is not None:
            more |= {"ids": handling.source.new_id(), "count": 0, "at": handling.source.now().timestamp()}
        if once_more := seat.again is handling.message:
            seat.again = None
        where = TO_AGENT.pack(seat.number, NOWHERE if network is None else network, seat.failures, once_more)
        return where, to_json(more) if more else b""

    def _errand(self, seat: Seat, handling: LocalHandling) -> Errand:
        self._errands += 1
        return Errand(self._errands, seat, handling)

    def _follow_up(self, errand: Errand, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Have a task see to an errand from now on. Nobody cancels it before it has begun: only then is it the run's."""
        run = self._home.run.run
        context = run.context.copy()
        context.run(origin.set, errand.handling)
        errand.task = self._home.run.loop.create_task(self._to_its_end(errand, work), context=context)
        errand.handling.body = errand

    async def _unless_over(self) -> None:
        if self._home.run.run.over:
            raise asyncio.CancelledError

    async def _room(self, handling: LocalHandling, full: object) -> None:
        await self._unless_over()
        await self._wishes.room(handling, full)

    async def _to_its_end(self, errand: Errand, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        handling, task = errand.handling, errand.task
        engine, run = handling.engine, self._home.run.run
        assert task is not None
        run.aloof -= 1
        run.tasks[task] = None
        try:
            value = await work()
            if isinstance(value, Message) and (full := engine.post(handling, value, None)) is not None:
                await engine.room(handling, full)
            await self._wishes.uncrowd(handling)
        except BaseException as error:
            self._conclude(errand.last, error)
            if not isinstance(error, (Exception, asyncio.CancelledError)):
                raise
        else:
            self._conclude(errand.last, None)
        finally:
            run.tasks.pop(task, None)
            if run.blocked:
                self._home.run.loop.call_soon(run.look)

    async def _in_turn(self, errand: Errand) -> object:
        """Have a message handled as soon as its agent has a node: on another one, if that is lost and there is a record."""
        await self._unless_over()
        if not self._home.ready.done():
            await asyncio.shield(self._home.ready)
        handling = errand.handling
        step, recorder = handling.step, self._home.run.run.recorder
        if step is None or recorder is None:
            return await self._try(errand)
        before = step.snapshot()
        for _ in range(TRIES - 1):
            try:
                return await self._try(errand)
            except NodeLost:  # all that came of it is on record: another node goes on
                if self._home.run.run.over:
                    raise
                recorder.repeat(step, before, errand.replies)
                task, replies = errand.task, errand.replies
                first, errand = errand, self._errand(errand.seat, handling)
                errand.task, errand.replies, handling.body = task, replies, errand
                first.repeated = errand
        return await self._try(errand)

    async def _try(self, errand: Errand) -> object:
        node = errand.node = await self._home.node_of(errand.seat)
        node.errands[errand.number] = errand
        return await self._go_on(node, errand, told=False)

    async def _go_on(self, node: FarNode, errand: Errand, *, told: bool = True) -> object:
        """See to what a handler wants that has to be waited for; its node was told of the message, or has still to be."""
        try:
            if told:
                await self._unless_over()
            else:
                self._tell(node, errand)
                await node.link.room()
            return await self._follow(node, errand)
        except asyncio.CancelledError:
            if (end := await self._recall(node, errand)) is not None:
                return self._take_end(errand, *end)
            raise
        finally:
            self._forget(node, errand)

    async def _follow(self, node: FarNode, errand: Errand) -> object:
        """Do what the handler wants done until it has ended. Gives the message that it returned."""
        task = errand.task
        assert task is not None
        while True:
            while not errand.wanted:
                if errand.lost is not None:
                    if errand.inside:
                        await asyncio.wait(errand.inside.values())
                    raise errand.lost
                errand.arrived = asyncio.get_running_loop().create_future()
                await errand.arrived
            kind, question, said = errand.wanted.popleft()
            if kind == frames.END:
                return self._take_end(errand, *said)
            errand.doing = question
            try:
                await self._wishes.see_to(node, errand, kind, question, said)
            except asyncio.CancelledError:
                if self._home.run.run.over or not (errand.dropped or errand.lost is not None):
                    raise
                errand.dropped = False  # only this question is over
                task.uncancel()
            finally:
                errand.doing = 0

    def _take_end(self, errand: Errand, told: object, ids: int, fields: bytes) -> object:
        errand.failed = isinstance(told, BaseException)
        if (step := errand.handling.step) is not None:
            step.ids = ids
            self._home.write(errand.seat.agent, from_json(fields or b"{}"))
        errand.meet(told)
        return told

    def _forget(self, node: FarNode, errand: Errand) -> None:
        errand.ended = True
        node.forget(errand)
        if errand.forks:
            for task in list(errand.inside.values()):
                task.cancel()

    async def _recall(self, node: FarNode, errand: Errand) -> list[Any] | None:
        if node.lost is not None:
            return None
        node.link.send(frame(frames.CANCEL, errand.number))
        return await self._ended(node, errand)

    async def _ended(self, node: FarNode, errand: Errand) -> list[Any] | None:
        """Wait until a handler that was cancelled has ended: nothing that it wants is done any more. Gives how it ended; None
        if it did not."""
        loop, no = asyncio.get_running_loop(), joined([far(RunCancelled("the run is over"))])
        end = loop.time() + GRACE
        while errand.lost is None and loop.time() < end:
            while errand.wanted:
                kind, question, said = errand.wanted.popleft()
                if kind == frames.END:
                    return said
                node.link.send(frame(frames.ANSWER, errand.number, question, b"e", TIME.pack(0.0), no))
            errand.arrived = loop.create_future()
            with suppress(asyncio.CancelledError):  # it is being cancelled already
                await asyncio.wait([errand.arrived], timeout=end - loop.time())
        return None


def _calls_back(handling: LocalHandling) -> bool:
    """Whether somebody at home may hear what the agent emits: a callback, or whoever hears what a network makes of it."""
    if handling.agent._callbacks:
        return True
    place: Place | None = handling.place
    while place is not None and (network := place.network) is not None:
        if network._callbacks or type(network).boundary is not GenNetwork.boundary:
            return True
        place = place.parent
    return False
