"""A node: a process that runs handlers of agents whose run has its home elsewhere. Knows one link, and no mailbox.

Home says which message an agent handles, and when; whatever the handler wants done besides (send, call, emit, ask a model)
is asked of home. So a node keeps nothing but the agents' state.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from random import Random
from time import perf_counter
from typing import Any

from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject
from llm_net.base import GenAgent, GenNetwork
from llm_net.errors import LlmNetError
from llm_net.ports import Link, World
from llm_net.runtime import frames
from llm_net.runtime.far import Borrowed, FarHandling
from llm_net.runtime.frames import (
    BODY,
    GONE_ON,
    NOWHERE,
    TIME,
    TO_AGENT,
    TOGETHER,
    far,
    frame,
    near,
    numbered,
    parts_of,
    taken_apart,
)
from llm_net.runtime.moving import Manifest, fields_of
from llm_net.runtime.state import Shadow
from llm_net.wire import Line

PATIENCE = 10.0

TURN_SECONDS = 0.005
"""Time after which the event loop gets its turn, for home and for timers, whatever waits to be handled."""

OWN_NUMBERS = 24
"""Bits of the number of an agent that was added on a node; the node's own number is above them."""


class Bench:
    """The messages that an agent handles here, and those that wait for it."""

    __slots__ = ("failures", "halted", "running", "serving", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[FarHandling] = deque()
        self.failures = 0
        self.serving = False  # whether the next one is being begun
        self.halted = False  # it has failed, and home has not said how it goes on


class Node:
    """One run, as a node sees it.

    Args:
        link: to the home of the run.
        imports: imports a module that home names; None where home has not started this process: then it may name none.
    """

    def __init__(self, link: Link, *, imports: Callable[[str], object] | None) -> None:
        self.link = link
        self.run = ""
        self.opened = asyncio.Event()  # home has said which run it is, or will not any more
        self.loop = asyncio.get_running_loop()
        self.seed = 0
        self.records = False
        self.steps: dict[int, FarHandling] = {}
        self.manifest = Manifest()
        self.line = Line()
        self._hears = False  # whether home wants to hear of every event
        self._imports = imports
        self.over = asyncio.Event()  # nothing of the run is left here
        self._starting: dict[int, Future[None]] = {}
        self._living: dict[int, GenAgent] = {}  # those whose astart has ended well
        self._benches: dict[int, Bench] = {}
        self._randoms: dict[int, Random] = {}
        self._shadows: dict[int, Shadow] = {}
        self._changed: dict[int, GenNetwork] = {}  # networks that handlers here have changed
        self._done: list[int] = []  # steps that are over, of which home has not been told
        self._held: dict[int, Bench] = {}  # of agents for whose next message there was no time in this turn
        self._turning = False
        self._until = 0.0  # the time by which the event loop has its turn
        self._turn = inf if isinstance(self.loop, World) else TURN_SECONDS
        self._threads: ThreadPoolExecutor | None = None
        self._closing: Task[None] | None = None
        link.begin(self._hear, lambda _: self._end())

    # ------------------------------------------------------------------------------------------ hearing

    def _hear(self, data: bytes) -> None:
        try:
            self._take(data)
        except (LlmNetError, ValueError, LookupError) as wrong:  # home does not speak as agreed
            self.say(frame(frames.READY, 0, 0, far(wrong)))
            self._end()

    def _take(self, data: bytes) -> None:
        kind, number, question = frames.head_of(data)
        handling = self.steps.get(number)
        match kind:
            case frames.HANDLE:
                where, more, said = frames.handled_of(data)
                self._handle(number, where, from_json(more) if more else {}, said)
            case frames.GO:
                self._go_on(*GONE_ON.unpack(parts_of(data, 1)[0]))
            case frames.ANSWER:
                how, at, what = parts_of(data, 3)
                answer = self._answer(how, taken_apart(what))  # read in any case: a line remembers what crossed it
                if handling is not None:
                    handling.answered(question, answer, TIME.unpack(at)[0])
            case frames.ASK:
                if handling is not None:
                    handling.make_call(question, parts_of(data, 1)[0])
            case frames.PIECE:
                if handling is not None:
                    handling.piece(question, parts_of(data, 1)[0].decode())
            case frames.CANCEL:
                if handling is not None:
                    handling.cancel()
            case frames.OPEN:
                self._open(*parts_of(data, 2))
            case frames.MOVE:
                for moved in self._arrive(parts_of(data, 1)[0]):
                    self._shadows.pop(moved, None)
                    if moved in self._benches:
                        self._benches[moved].failures = 0
            case frames.CHANGE:
                described, rolls = parts_of(data, 2)
                self._arrive(described, from_json(rolls))
            case frames.STATES:
                self._give_back(from_json(parts_of(data, 1)[0]), question)
            case frames.CLOSE:
                self._end(from_json(parts_of(data, 1)[0]), question)
            case _:
                raise ValueError(f"a frame of kind {kind}")

    def _answer(self, how: bytes, parts: list[bytes]) -> Any:
        match how:
            case b"e":
                return near(parts[0])
            case b"m":
                return self.line.decode(parts[0])
            case b"g":
                failed = [(index, near(error)) for index, error in map(from_json, taken_apart(parts[0]))]
                return failed, [self.line.decode(each) for each in parts[1:]]
            case b"j":
                return parts[0]
            case _:
                return None

    # ------------------------------------------------------------------------------------------ telling

    def say(self, frame: bytes) -> None:
        """Tell home something, after all that has ended before."""
        if self._done:
            self._tell_done()
        self.link.send(frame)

    def done(self, number: int) -> None:
        """A step is over, and there is nothing to say of it: home is told of several at once, at the end of this turn."""
        if not self._turning:
            self._begin_turn()
        self._done.append(number)
        if len(self._done) >= TOGETHER:
            self._tell_done()

    def _tell_done(self) -> None:
        if self._done:
            done, self._done = self._done, []
            self.link.send(frame(frames.DONE, 0, 0, numbered(done)))

    # ------------------------------------------------------------------------------------------ agents

    def _open(self, run: bytes, described: bytes) -> None:
        problem = b""
        try:
            said = from_json(run)
            if self._imports is not None:
                for module in said["modules"]:
                    self._imports(module)
            self.run, self.seed, self.records, self._hears = said["run"], said["seed"], said["records"], said["hears"]
            self.manifest = Manifest(said["node"] << OWN_NUMBERS, partial(Borrowed, self))
            self.line = Line(short=True, limit=BODY, address=self.manifest.written, directory=self.manifest)
            self._arrive(described)
        except Exception as error:  # whatever the code of the modules raises
            problem = far(error)
        self.opened.set()
        self.say(frame(frames.READY, 0, 0, problem))

    def _arrive(self, described: bytes, rolls: Iterable[tuple[int, list[list[Any]]]] = ()) -> list[int]:
        numbers = self.manifest.make(described)
        for number, roll in rolls:
            self.manifest.call(number, roll)
            self._changed.pop(number, None)
        self.manifest.renew()
        for number in numbers:
            if isinstance(agent := self.manifest.agents[number], GenNetwork):
                agent._graph.watchers[self] = partial(self._change, number, agent)
                self._changed.pop(number, None)
        return numbers

    def _change(self, number: int, network: GenNetwork, added: AbstractObject | None) -> None:
        self._changed[number] = network

    def changes(self) -> tuple[bytes, bytes] | None:
        """What handlers have changed in the networks since this was last asked for: who came, and the rolls."""
        if not self._changed:
            return None
        changed, self._changed = self._changed, {}
        new: dict[int, GenAgent] = {}
        for network in changed.values():
            new.update((id(agent), agent) for member in network for agent in self.manifest.add(member))
        for agent in new.values():
            if isinstance(agent, GenNetwork) and (number := self.manifest.number(agent)) is not None:
                agent._graph.watchers[self] = partial(self._change, number, agent)
        rolls = [[number, self.manifest.roll(network)] for number, network in changed.items()]
        numbers = {self.manifest.number(agent) for agent in new.values()} - {None}
        return self.manifest.described(new.values(), {number for number in numbers if number is not None}), to_json(
            rolls
        )

    def _give_back(self, numbers: list[int], question: int) -> None:
        states: list[tuple[int, dict[str, Any]]] = []
        for number in numbers:
            fields = fields_of(self.manifest.agents[number], self.manifest.border)
            states.append((number, {name: from_json(data) for name, data in fields.items()}))
        self.say(frame(frames.STATES, 0, question, to_json(states)))

    async def start(self, number: int, agent: GenAgent) -> None:
        """Start an agent once, or wait for another of its handlers that is at it."""
        if number in self._living:
            return
        if (starting := self._starting.get(number)) is not None:
            await asyncio.wait([starting])
            await self.start(number, agent)
            return
        self._starting[number] = self.loop.create_future()
        try:
            await agent.astart()
            self._living[number] = agent
        finally:
            self._starting.pop(number).set_result(None)

    def has_started(self, number: int, agent: GenAgent) -> bool:
        """Whether there is nothing to start any more."""
        return type(agent).astart is GenAgent.astart or number in self._living

    def random(self, number: int, agent: GenAgent) -> Random:
        """The random numbers of an agent in this run."""
        random = self._randoms.get(number)
        if random is None:
            address = self.manifest.written(agent)
            random = self._randoms[number] = Random(f"{self.seed}/{agent.id if address == '.' else address}")
        return random

    def hears(self, event: str) -> bool:
        """Whether anybody may hear this event."""
        networks = (agent for agent in self.manifest.agents.values() if isinstance(agent, GenNetwork))
        return self._hears or any(link.event in (event, "*") for network in networks for link in network._graph.links)

    def before(self, number: int, agent: GenAgent) -> None:
        """An agent begins to handle a message: in a recorded run, what it changes is told at the end."""
        if self.records and number not in self._shadows:
            self._shadows[number] = shadow = Shadow(agent, self.manifest.border, lambda data: data)
            shadow.take()

    def after(self, number: int) -> bytes:
        """The fields of an agent that are different from what home knows of them, as JSON."""
        if not self.records:
            return b""
        return to_json({name: from_json(data) for name, data in self._shadows[number].news().items()})

    def in_thread(self, function: Callable[[], object]) -> Future[object]:
        """Call something that may take long."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(thread_name_prefix="llm_net")
        return self.loop.run_in_executor(self._threads, function)

    # ------------------------------------------------------------------------------------------ messages

    def _handle(self, first: int, where: bytes, more: dict[str, Any], said: list[memoryview]) -> None:
        to, within, failures, at_once = TO_AGENT.unpack(where)
        agent, network = self.manifest.agents[to], None if within == NOWHERE else self.manifest.agents[within]
        bench = self._benches.get(to) or self._benches.setdefault(to, Bench())
        if bench.halted and failures == bench.failures and not bench.waiting:
            bench.halted = False  # home has known it before it sent this
        for number, data in enumerate(said, first):
            handling = FarHandling(self, number, to, agent, network, self.line.decode(data), more)
            self.steps[number] = handling
            if at_once:
                bench.running += 1
                handling.begin()
            else:
                bench.waiting.append(handling)
        self._next(to, bench)

    def ended(self, to: int, *, failed: bool) -> None:
        """An agent has handled a message: now the next, unless home has to decide."""
        bench = self._benches[to]
        bench.running -= 1
        bench.halted = failed
        bench.failures += failed
        self._next(to, bench)

    def _go_on(self, to: int, failures: int) -> None:
        bench = self._benches.setdefault(to, Bench())
        if failures == bench.failures:
            bench.halted = False
            self._next(to, bench)

    def _next(self, to: int, bench: Bench) -> None:
        if bench.serving:
            return  # below, a handler has ended at once
        bench.serving = True
        if not self._turning:
            self._begin_turn()
        try:
            while bench.waiting and not bench.halted and bench.running < type(self.manifest.agents[to]).concurrency:
                if perf_counter() > self._until:
                    self._held[to] = bench
                    break
                bench.running += 1
                bench.waiting.popleft().begin()
        finally:
            bench.serving = False

    def _begin_turn(self) -> None:
        self._turning, self._until = True, perf_counter() + self._turn
        self.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        """Tell what was done in this turn of the event loop, and go on in the next with what there was no time for."""
        self._turning = False
        self._tell_done()
        held, self._held = self._held, {}
        for to, bench in held.items():
            self._next(to, bench)

    def withdrawn(self, to: int, handling: FarHandling) -> bool:
        """Whether a message that was waiting is handled no more."""
        waiting = self._benches[to].waiting
        if handling not in waiting:
            return False
        waiting.remove(handling)
        return True

    # ------------------------------------------------------------------------------------------ the end

    def leave(self) -> None:
        """Go as soon as home has moved the agents elsewhere; at once, after `PATIENCE` seconds."""
        if self._closing is None:
            self.say(frame(frames.LEAVE))
            self.loop.call_later(PATIENCE, self._end)

    def _end(self, wanted: list[int] | None = None, question: int = 0) -> None:
        if self._closing is None:
            if wanted is None:  # home has not said so: what ends here now is not over, and not to be told
                self.link.close()
            self._closing = self.loop.create_task(self._close(wanted or [], question))

    async def _close(self, wanted: list[int], question: int) -> None:
        steps = list(self.steps.values())
        for handling in steps:
            handling.cancel()
        if tasks := [handling.task for handling in steps if handling.task is not None]:
            await asyncio.wait(tasks)
        for agent in self._living.values():
            try:
                await agent.astop()
            except Exception as error:
                error.add_note(f"raised by astop of {agent.id!r}")
                self.say(frame(frames.CLOSED, 0, 0, far(error)))
        try:
            self._give_back(wanted, question)
        except LlmNetError as error:  # a handler put something into a field that cannot be sent
            self.say(frame(frames.CLOSED, 0, 0, far(error)))
            self.say(frame(frames.STATES, 0, question, b"[]"))
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self.say(frame(frames.CLOSED, 0, 0, b""))
        self.link.close()
        self.opened.set()
        self.over.set()
