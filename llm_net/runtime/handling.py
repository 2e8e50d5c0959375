"""What an agent can do while it handles a message: the runtime's side of its `send`, `call`, `emit`, `complete` and so on.

Knows the engine by what it asks of it. In a recorded run each answer from outside is noted, and given again to a step that is
repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    MutableMapping,
)
from contextlib import aclosing
from contextvars import copy_context
from datetime import UTC, datetime
from inspect import isawaitable
from itertools import count
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.address import AbstractObject
from llm_net.base import GenNetwork
from llm_net.chat import Chunk, Completion, Request, TextDelta, Usage
from llm_net.errors import (
    CallTimeout,
    DeliveryError,
    InDoubt,
    InvalidOutput,
    NodeLost,
    NotHandling,
    RunCancelled,
)
from llm_net.graph import ITSELF
from llm_net.message import Message, Source, origin, unique_id
from llm_net.ports import REPEAT, Model, World
from llm_net.record import Effect, Repeats
from llm_net.runtime.outcome import read_error
from llm_net.runtime.place import Place
from llm_net.runtime.recorder import COMPLETION, Recorder, Step
from llm_net.runtime.run import LocalRun
from llm_net.runtime.step import Work
from llm_net.runtime.waiting import Handled, Tally, Waiter

if TYPE_CHECKING:
    from llm_net.runtime.engine import Engine

T = TypeVar("T")

DEPTH = 16
"""How many calls deep a callee is stepped inside its caller; deeper ones take a turn of the loop."""


class OnNode:
    """A model, or a call, of another node: in a simulated world it takes time like everything there."""

    __slots__ = ()


class LocalHandling(Handled):
    """What an agent can do while it handles a message. Each worker has one, and fills it anew for each message."""

    __slots__ = ("body", "engine", "run", "source")

    def __init__(self, engine: Engine, run: LocalRun, body: Work) -> None:
        self.engine = engine
        self.run = run
        self.source: Source | None = run.source
        self.step = None
        self.body = body

    def copy(self) -> LocalHandling:
        """The same, for a message that is handled elsewhere while the worker goes on with others."""
        copy = LocalHandling(self.engine, self.run, self.body)
        copy.agent, copy.message, copy.cell, copy.place = self.agent, self.message, self.cell, self.place
        copy.heard, copy.depth, copy.step, copy.source = self.heard, self.depth, self.step, self.source
        return copy

    @property
    def network(self) -> AbstractObject:
        place = self.place
        if place.network is self.agent and place.parent is not None:
            place = place.parent
        if place.network is None:
            raise NotHandling("network")
        return place.network

    @property
    def random(self) -> Random:
        return self.run.random_of(self.address) if self.step is None else self.step.random

    def now(self) -> datetime:
        return datetime.now(UTC) if self.source is None else self.source.now()

    def _still(self) -> Engine:
        if self.run.over:
            raise RunCancelled("the run is over")
        return self.engine

    async def send(self, message: Message) -> None:
        engine = self._still()
        crowded = engine.post(self, message, None)
        if crowded is not None:
            await engine.room(self, crowded)

    async def call(self, message: Message, timeout: float | None) -> Message:
        engine = self.engine
        waiter = engine.ask(self, message)
        if engine._ready and engine._left > 0 and engine.depth < DEPTH:
            engine.pump(waiter)
        if not waiter.done:
            await engine.answers(self, waiter, [waiter], timeout)
        if waiter.error is not None:
            raise waiter.error
        if waiter.reply is None:
            receiver = message.receiver
            error = CallTimeout(receiver.id if receiver is not None else "", message.method, timeout or 0.0)
            self.run.refuse(waiter, error)
            raise error
        if self.step is not None:
            self.step.learned(waiter.reply.created_at.timestamp())
        return waiter.reply

    async def gather(
        self,
        messages: Iterable[Message],
        k: int | None,
        timeout: float | None,
        failures: MutableMapping[Message, BaseException] | None,
    ) -> list[Message]:
        if self.step is not None and (k is not None or timeout is not None):
            waiters = await self._gather_noted(self.step, list(messages), k, timeout, failures)
        else:
            waiters = await self._gather(list(messages), k, timeout, failures)
        return [waiter.reply for waiter in waiters if waiter.reply is not None]

    async def _gather_noted(
        self,
        step: Step,
        messages: list[Message],
        k: int | None,
        timeout: float | None,
        failures: MutableMapping[Message, BaseException] | None,
    ) -> list[Waiter]:
        """Which replies came in time is something that a step learns from outside."""
        recorder = self.run.recorder
        assert recorder is not None
        n, past = step.ask("gather", "")
        began = step.time
        if past is None:
            try:
                came = await self._gather(messages, k, timeout, failures)
            except Exception as error:
                recorder.learned(step, n, "gather", "", began, error)
                raise
            recorder.learned(step, n, "gather", "", began, to_json([waiter.message.id for waiter in came]))
            return came
        waiters: list[Waiter] = []
        try:
            for message in messages:
                try:
                    waiters.append(self.engine.ask(self, message))
                except DeliveryError as error:
                    if failures is None:
                        raise
                    failures[message] = error
        finally:
            self.engine.give_up(self.run, waiters)
        if past.status == "failed":
            raise read_error(past.answer)
        if failures is not None:
            failures.update((waiter.message, waiter.error) for waiter in waiters if waiter.error is not None)
        first: list[str] = from_json(past.answer)
        return [waiter for waiter in waiters if waiter.message.id in first]

    async def _gather(
        self,
        messages: list[Message],
        k: int | None,
        timeout: float | None,
        failures: MutableMapping[Message, BaseException] | None,
    ) -> list[Waiter]:
        engine = self._still()
        wanted = len(messages) if k is None else min(k, len(messages))
        tally = Tally(len(messages), wanted, least=None if failures is None else 0)
        waiters: list[Waiter] = []
        try:
            for message in messages:
                was_sent = self.step is not None and self.step.is_behind  # then it has its place in the mailbox
                try:
                    waiters.append(waiter := engine.ask(self, message, tally))
                except DeliveryError as error:
                    if failures is None:
                        raise
                    failures[message] = error
                    tally.close_one()
                    continue
                if not was_sent and (cell := waiter.receiver) is not None and len(cell.queue) > cell.limit:
                    await engine.room(self, cell)
        except BaseException:
            engine.give_up(self.run, waiters)
            raise
        if engine._ready and engine._left > 0 and engine.depth < DEPTH:
            engine.pump(tally)
        await engine.answers(self, tally, waiters, timeout)
        replied = [waiter for waiter in waiters if waiter.reply is not None]
        if len(replied) > wanted:  # while the last one came, others came too
            first = set(tally.replied[:wanted])
            replied = [waiter for waiter in replied if waiter in first]
        errors = [waiter.error for waiter in waiters if waiter.error is not None]
        if failures is not None:
            failures.update((waiter.message, waiter.error) for waiter in waiters if waiter.error is not None)
        elif errors and len(replied) < wanted and len(waiters) - len(errors) < wanted:
            raise errors[0]
        return replied

    def listened(self, event: str) -> bool:
        agent, place = self.agent, self.place
        if self.run.observers or agent._calls_back(event):
            return True
        path = agent.id
        at: Place | None = place
        if place.network is agent:
            if place.listeners(ITSELF, event):
                return True
            at = place.parent
        while at is not None and at.network is not None:
            network = at.network
            if at.listeners(path, event) or network._calls_back(event):
                return True
            if type(network).boundary is not GenNetwork.boundary:
                return True  # what it makes of an event is known only when there is one
            path, at = f"{network.id}/{path}", at.parent
        return False

    def emit(self, event: str, message: Message) -> None:
        self._still().emit(self, event, message)

    async def complete(self, model: Model, request: Request) -> Completion:
        if self.step is None:
            return await self._complete(model, request)
        step, recorder = self._noting()
        n, past = step.ask("model", model.name)
        began = step.time
        if past is not None and past.status != "intent":
            return _completion(past)
        try:
            completion = await self._complete(model, request)
        except Exception as error:
            if not self._is_lost(error):
                recorder.learned(step, n, "model", model.name, began, error, request=request, usage=_paid(error))
            raise
        answer = COMPLETION.dump_json(completion)
        recorder.learned(step, n, "model", model.name, began, answer, request=request, usage=completion.usage)
        return completion

    async def stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]:
        if self.step is None:
            async with aclosing(self._stream(model, request)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        step, recorder = self._noting()
        began = step.time
        n, past = step.ask("model", model.name)
        if past is not None:
            step.time = began  # until the answer is whole
            for text in recorder.deltas(past):
                yield TextDelta(text)
            step.learned(past.at)
            yield _completion(past)
            return
        deltas: list[str] = []
        step.streams += 1
        try:
            async with aclosing(self._stream(model, request)) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, Completion):
                        answer, used = COMPLETION.dump_json(chunk), chunk.usage
                        recorder.learned(
                            step, n, "model", model.name, began, answer, request=request, usage=used, deltas=deltas
                        )
                        self._streamed(step)
                    else:
                        deltas.append(chunk.text)
                    yield chunk
        except Exception as error:
            if not self._is_lost(error) and step.streams:
                paid = _paid(error)
                recorder.learned(step, n, "model", model.name, began, error, request=request, usage=paid, deltas=deltas)
                self._streamed(step)
            raise

    def _streamed(self, step: Step) -> None:
        """The answer is on record: what was said of its pieces may be heard."""
        step.streams -= 1
        if not step.streams:
            waiting, step.waiting = step.waiting, []
            for what in waiting:
                what()

    async def effect(
        self, name: str, call: Callable[..., Awaitable[T] | T], type: TypeAdapter[T], repeats: Repeats
    ) -> T:
        if self.step is None:
            self._still()
            return await self._effect(call, type, repeats, unique_id())
        step, recorder = self._noting()
        n, past = step.ask("effect", name)
        began, key = step.time, step.key(n)
        if past is not None:
            if past.status == "failed":
                raise read_error(past.answer)
            if past.status == "done":
                return type.validate_json(past.answer)
            if repeats == "once":
                if key not in recorder.settled:
                    raise InDoubt(step.address, name, key)
                if (result := recorder.settled[key]) is not REPEAT:
                    value = type.validate_python(result)
                    recorder.learned(step, n, "effect", name, began, type.dump_json(value), repeats=repeats)
                    return value
        if repeats != "pure":
            if past is None:
                recorder.intends(step, n, "effect", name, repeats)
            await recorder.durable()
        try:
            value = await self._effect(call, type, repeats, key)
        except Exception as error:
            if not self._is_lost(error):
                recorder.learned(step, n, "effect", name, began, error, repeats=repeats)
            raise
        recorder.learned(step, n, "effect", name, began, type.dump_json(value), repeats=repeats)
        return value

    async def _effect(
        self, call: Callable[..., Awaitable[T] | T], type: TypeAdapter[T], repeats: Repeats, key: str
    ) -> T:
        """The result of a call, as it comes out of a journal."""
        result = call(key) if repeats == "idempotent" else call()
        if isawaitable(result):
            world = None if isinstance(call, OnNode) else self.run.world
            result = await (result if world is None else world.outside(_wait(result)))
        try:
            return type.validate_json(type.dump_json(cast(T, result), warnings="error"))
        except ValueError as failed:
            raise TypeError(f"what the effect gave cannot be kept: {failed}; say its type: returns=…") from failed

    async def delay(self, seconds: float) -> None:
        if self.step is None:
            self._still()
            await asyncio.sleep(seconds)
            return
        step, recorder = self._noting()
        n, past = step.ask("delay", "")
        began = step.time
        if past is not None and past.status == "done":
            return
        due = began + seconds
        if past is None:
            recorder.intends(step, n, "delay", "", answer=to_json(due))
        else:
            due = from_json(past.answer)
        await asyncio.sleep(max(0.0, due - recorder.clock()))
        recorder.learned(step, n, "delay", "", began, to_json(due))

    def _is_lost(self, error: Exception) -> bool:
        """Whether nobody knows what came of a call: it was cut off with the run, or with the node that made it."""
        return self.run.over or isinstance(error, NodeLost)

    def _noting(self) -> tuple[Step, Recorder]:
        self._still()
        assert self.step is not None
        assert self.run.recorder is not None
        return self.step, self.run.recorder

    async def _complete(self, model: Model, request: Request) -> Completion:
        reserved = self.run.reserve(request, model)
        began = perf_counter()
        used = Usage()
        try:
            answer, world = model.complete(request), None if isinstance(model, OnNode) else self.run.world
            completion = await (answer if world is None else world.outside(answer))
            used = completion.usage
        except InvalidOutput as invalid:  # an answer all the same: it is paid for
            used = invalid.usage or used
            raise
        else:
            return completion
        finally:
            self.run.spent(self, reserved, used, perf_counter() - began)

    async def _stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]:
        reserved = self.run.reserve(request, model)
        began = perf_counter()
        used = Usage()
        chunks, world = model.stream(request), None if isinstance(model, OnNode) else self.run.world
        if world is not None:
            chunks = _at_once(chunks, world)
        try:
            async for chunk in chunks:
                if isinstance(chunk, Completion):
                    used = chunk.usage
                yield chunk
        except InvalidOutput as invalid:
            used = invalid.usage or used
            raise
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
            self.run.spent(self, reserved, used, perf_counter() - began)


class Aside(LocalHandling):
    """What an agent can do in a thread. What it emits is kept until it is done; its ids do not depend on other threads."""

    __slots__ = ("_context", "_count", "emitted")

    def __init__(self, handling: LocalHandling) -> None:
        super().__init__(handling.engine, handling.run, handling.body)
        self.agent = handling.agent
        self.message = handling.message
        self.cell = handling.cell
        self.place = handling.place
        self.heard = handling.heard
        self.depth = handling.depth
        if handling.step is not None:
            self.source = self.step = handling.step
        elif self.source is not None:
            self.source = self
        self.emitted: list[tuple[str, Message]] = []
        self._count = count(1)
        self._context = copy_context()

    def in_context(self, function: Callable[[AbstractObject, Message], object]) -> object:
        """Call a handler in this thread."""
        self._context.run(origin.set, self)
        return self._context.run(function, self.agent, self.message)

    def emit(self, event: str, message: Message) -> None:
        self.emitted.append((event, message))

    def new_id(self) -> str:
        """An id of the message that is handled, and counted."""
        return f"{self.message.id}.{next(self._count)}"

    def now(self) -> datetime:
        if self.step is not None:
            return self.step.now()
        return datetime.now(UTC) if self.run.source is None else self.run.source.now()


def _completion(past: Effect) -> Completion:
    """What a model answered when it was asked before."""
    if past.status == "failed":
        raise read_error(past.answer)
    return COMPLETION.validate_json(past.answer)


def _paid(error: Exception) -> Usage | None:
    """What a call of a model used that failed."""
    return error.usage if isinstance(error, InvalidOutput) else None


async def _wait(result: Awaitable[T]) -> T:
    return await result


async def _at_once(chunks: AsyncIterator[Chunk], world: World) -> AsyncGenerator[Chunk]:
    """In a simulated world a stream takes no time: all of it is there, or nothing."""

    async def read() -> list[Chunk]:
        try:
            return [chunk async for chunk in chunks]
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    for chunk in await world.outside(read()):
        yield chunk
