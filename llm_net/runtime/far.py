"""What an agent can do while it handles a message on a node: everything is asked of the home of the run. Knows no other agent."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, Future, Task
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    MutableMapping,
    Sequence,
)
from contextvars import Context, copy_context
from datetime import UTC, datetime
from functools import cached_property, partial
from inspect import isasyncgen, isawaitable, isgenerator
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import to_json

from llm_net.address import AbstractObject
from llm_net.base import Call, GenAgent
from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, TextDelta
from llm_net.dispatch import PLAIN, Handler
from llm_net.errors import ForgedSender, NotHandling, RunCancelled
from llm_net.event import Event
from llm_net.message import Message, Source, origin, stamp
from llm_net.ports import Model
from llm_net.record import Repeats
from llm_net.runtime import frames
from llm_net.runtime.frames import EMBEDDINGS, INSIDE, PRICE, far, frame, joined, written_request
from llm_net.runtime.recorder import COMPLETION

if TYPE_CHECKING:
    from llm_net.runtime.node import Node

T = TypeVar("T")

_END: Final = object()


class FarHandling:
    """One agent handling one message on a node: what `LocalHandling` is at home."""

    # What few handlers change, or need.
    task: Task[None] | None = None
    heard: Event | None = None
    source: Source | None = None
    _hears = False  # whether anybody at home may hear what it emits
    _ids: str | None = None
    _count = 0
    _time = 0.0
    _seed: str | None = None
    _random: Random | None = None
    _begun = _cancelled = False
    _questions = 0
    _deferred: BaseException | None = None
    """What an event that was emitted raised, to be met by the next."""

    def __init__(
        self,
        node: Node,
        number: int,
        to: int,
        agent: GenAgent,
        network: GenAgent | None,
        message: Message,
        more: dict[str, Any],
    ) -> None:
        self.agent = agent
        self.message = message
        self._node = node
        self._number = number
        self._to = to
        self._network = network
        if more:
            self._know(more)

    def _know(self, more: dict[str, Any]) -> None:
        """What home says beside the message."""
        if "heard" in more:
            self.heard = Event(more["heard"][0], self.message, more["heard"][1])
        self._hears = more.get("hears", False)
        if "ids" in more:
            self.source, self._ids = self, more["ids"]
            self._count, self._time, self._seed = more["count"], more["at"], more.get("random")

    @cached_property
    def _asked(self) -> dict[int, Future[Any]]:
        """What home is to answer, by question."""
        return {}

    @cached_property
    def _calls(self) -> dict[int, Callable[[bytes], Awaitable[None]]]:
        """What is to be called when home says so, by question."""
        return {}

    @cached_property
    def _calling(self) -> dict[int, Task[None]]:
        """What is being called."""
        return {}

    @cached_property
    def _streams(self) -> dict[int, asyncio.Queue[Any]]:
        """What models say, by question."""
        return {}

    # ------------------------------------------------------------------------------------------ facts

    @property
    def network(self) -> AbstractObject:
        if self._network is None:
            raise NotHandling("network")
        return self._network

    @property
    def random(self) -> Random:
        if self._seed is None:
            return self._node.random(self._to, self.agent)
        if self._random is None:
            self._random = Random(self._seed)
        return self._random

    def now(self) -> datetime:
        return datetime.now(UTC) if self._ids is None else datetime.fromtimestamp(self._time, UTC)

    def new_id(self) -> str:
        """An id of this step, and counted."""
        self._count += 1
        return f"{self._ids}.{self._count}"

    # ------------------------------------------------------------------------------------------ the handler

    def begin(self) -> None:
        """Handle the message: at once, if that takes no waiting."""
        node, agent = self._node, self.agent
        node.before(self._to, agent)
        handler = self._handler()
        if handler is None or handler.colour != PLAIN or handler.blocking or not node.has_started(self._to, agent):
            self.task = node.loop.create_task(self._run(handler))
            return
        token = origin.set(self)
        try:
            value: object = handler.function(agent, self.message)
        except Exception as error:
            self._end(b"e", far(error))
            return
        finally:
            origin.reset(token)
        if value is None:
            self._end()
        elif isinstance(value, Message):
            self._return(value)
        else:
            self.task = node.loop.create_task(self._run(handler, value))

    def _handler(self) -> Handler | None:
        table, kind = type(self.agent).handlers, type(self.message)
        if self.heard is None:
            return table.find(kind, self.message.method)
        return table.find(kind, self.heard.name) or table.find(kind, self.message.method)

    async def _run(self, handler: Handler | None, value: object = _END) -> None:
        self._begun = True
        if self._cancelled:  # before its first step: a task that is cancelled then makes none
            self._end(b"e", far(RunCancelled()))
            return
        origin.set(self)
        try:
            if value is _END:
                await self._node.start(self._to, self.agent)
                value = await self._value(handler)
            if isawaitable(value):
                value = await value
            if isinstance(value, Message):
                self._return(value)
                return
            await self._send_value(value)
        except CancelledError:
            self._end(b"e", far(RunCancelled()))
        except Exception as error:
            self._end(b"e", far(error))
        except BaseException as error:  # SystemExit, KeyboardInterrupt: the node ends too
            self._end(b"e", far(error))
            raise
        else:
            self._end()

    async def _value(self, handler: Handler | None) -> object:
        if handler is None:
            return self.agent.missing(self.message)
        if not handler.blocking:
            return handler.function(self.agent, self.message)
        aside = _Aside(self)
        value = await asyncio.shield(self._node.in_thread(partial(aside.in_context, handler.function)))
        for event, said in aside.emitted:
            self.emit(event, said)
        return value

    def _return(self, value: Message) -> None:
        try:
            self._stamp(value)
            data = self._node.line.encode(value)
        except Exception as error:
            self._end(b"e", far(error))
        else:
            self._end(b"m", data)

    def _end(self, how: bytes = b"", what: bytes = b"") -> None:
        self._tell_end(how, what)
        self._node.ended(self._to, failed=how == b"e")

    def _tell_end(self, how: bytes, what: bytes) -> None:
        node = self._node
        del node.steps[self._number]
        self._tell_changes()
        if not (how or node.records):
            node.done(self._number)
            return
        try:
            fields = node.after(self._to)
        except Exception as error:
            how, what, fields = b"e", far(error), b""
        node.say(frame(frames.END, self._number, 0, how, b"%d" % self._count, fields, what))

    def cancel(self) -> None:
        """End the handler, or never begin it."""
        if self.task is None:
            if self._node.withdrawn(self._to, self):
                self._tell_end(b"e", far(RunCancelled()))
        elif self._begun:
            self.task.cancel()
        else:
            self._cancelled = True

    async def _send_value(self, value: object) -> None:
        """Send what a handler gave that is not one message: it may be, or make, several."""
        if isgenerator(value):
            await self._drive(value)
        elif isasyncgen(value):
            await self._drive_async(value)
        else:
            await self._send_item(await value if isawaitable(value) else value)

    async def _send_item(self, item: object) -> None:
        if isinstance(item, Message):
            await self.send(item)
        elif isinstance(item, (list, tuple)):
            for each in item:
                await self._send_item(each)
        elif item is not None:
            raise TypeError(f"a handler yields or returns messages, not {type(item).__name__}: {item!r:.80}")

    async def _drive(self, generator: Any) -> None:
        step: Callable[[Any], object] = generator.send
        value: Any = None
        try:
            while True:
                try:
                    item = step(value)
                except StopIteration as stop:
                    await self._send_item(stop.value)
                    return
                step, value = generator.send, None
                try:
                    if isinstance(item, Call):
                        value = await self.call(item.message, item.timeout)
                    else:
                        await self._send_item(item)
                except Exception as error:  # it is for the generator to mend, where it stands
                    step, value = generator.throw, error
        finally:
            generator.close()

    async def _drive_async(self, generator: Any) -> None:
        try:
            following: Awaitable[object] = generator.__anext__()
            while True:
                try:
                    item = await following
                except StopAsyncIteration:
                    return
                try:
                    await self._send_item(item)
                except Exception as error:
                    following = generator.athrow(error)
                else:
                    following = generator.__anext__()
        finally:
            await generator.aclose()

    # ------------------------------------------------------------------------------------------ asking home

    def _stamp(self, message: Message) -> None:
        sender, agent = message.sender, self.agent
        if sender is not None and sender is not agent:
            manifest = self._node.manifest
            if sender != agent or manifest.number(sender) not in (None, self._to):
                raise ForgedSender(agent.id, sender.id)
        stamp(message, agent)

    def _tell_changes(self) -> None:
        """Let home know of changes in a network before it hears anything else."""
        if (changes := self._node.changes()) is not None:
            self._node.say(frame(frames.CHANGE, self._number, 0, *changes))

    def _question(self) -> int:
        self._questions += 1
        return self._questions | (0 if asyncio.current_task() is self.task else INSIDE)

    async def _ask(self, kind: int, *parts: bytes, question: int = 0) -> Any:
        """Have home do something, and wait for what comes of it."""
        self._tell_changes()
        question = question or self._question()
        future = self._asked[question] = self._node.loop.create_future()
        self._node.say(frame(kind, self._number, question, *parts))
        try:
            answer = await future
        except CancelledError:
            self._drop(question)
            raise
        finally:
            self._asked.pop(question, None)
            self._calls.pop(question, None)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _drop(self, question: int) -> None:
        """Nobody waits for this any more."""
        self._node.say(frame(frames.DROP, self._number, question, b""))
        if (task := self._calling.get(question)) is not None:
            task.cancel()

    def answered(self, question: int, answer: Any, time: float) -> None:
        """Home has done something."""
        self._time = max(self._time, time)
        if not question:
            self._deferred = answer
            return
        if isinstance(answer, BaseException):
            self._deferred = None  # it was met by this
        if question in self._streams:
            self._streams[question].put_nowait(answer)
        elif (future := self._asked.get(question)) is not None and not future.done():
            future.set_result(answer)

    def piece(self, question: int, text: str) -> None:
        """A piece of what a model says."""
        if question in self._streams:
            self._streams[question].put_nowait(TextDelta(text))

    def make_call(self, question: int, what: bytes) -> None:
        """Home says that a call to the outside is to be made."""
        if (call := self._calls.get(question)) is not None:
            task = self._calling[question] = self._node.loop.create_task(_wait(call(what)))
            task.add_done_callback(lambda _: self._calling.pop(question, None))

    async def send(self, message: Message) -> None:
        self._stamp(message)
        await self._ask(frames.POST, self._node.line.encode(message))

    async def call(self, message: Message, timeout: float | None) -> Message:
        self._stamp(message)
        return cast(Message, await self._ask(frames.CALL, to_json(timeout), self._node.line.encode(message)))

    async def gather(
        self,
        messages: Iterable[Message],
        k: int | None,
        timeout: float | None,
        failures: MutableMapping[Message, BaseException] | None,
    ) -> list[Message]:
        asked = list(messages)
        for message in asked:
            self._stamp(message)
        terms = to_json([k, timeout, failures is not None])
        written = joined(self._node.line.encode(message) for message in asked)
        failed, replies = await self._ask(frames.GATHER, terms, written)
        if failures is not None:
            failures.update((asked[index], error) for index, error in failed)
        return cast("list[Message]", replies)

    def emit(self, event: str, message: Message) -> None:
        if (error := self._deferred) is not None:
            self._deferred = None
            self._drop(0)
            raise error
        self._stamp(message)
        self._tell_changes()
        self._node.say(frame(frames.EMIT, self._number, 0, event.encode(), self._node.line.encode(message)))

    def listened(self, event: str) -> bool:
        return self._hears or self._node.hears(event)

    async def delay(self, seconds: float) -> None:
        await self._ask(frames.DELAY, to_json(seconds))

    async def effect(
        self, name: str, call: Callable[..., Awaitable[T] | T], type: TypeAdapter[T], repeats: Repeats
    ) -> T:
        question = self._question()

        async def make(key: bytes) -> None:
            async def value() -> bytes:
                result = call(key.decode()) if repeats == "idempotent" else call()
                if isawaitable(result):
                    result = await result
                try:
                    return type.dump_json(cast(T, result), warnings="error")
                except ValueError as failed:
                    raise TypeError(
                        f"what the effect gave cannot be kept: {failed}; say its type: returns=…"
                    ) from failed

            await self._tell(question, value())

        self._calls[question] = make
        return type.validate_json(
            await self._ask(frames.EFFECT, to_json({"name": name, "repeats": repeats}), b"", question=question)
        )

    async def _tell(self, question: int, value: Coroutine[Any, Any, bytes]) -> None:
        try:
            told = b"j" + await value
        except Exception as error:
            told = b"e" + far(error)
        self._node.say(frame(frames.TOLD, self._number, question, told))

    # ------------------------------------------------------------------------------------------ models

    async def complete(self, model: Model, request: Request) -> Completion:
        question = self._question()

        async def make(what: bytes) -> None:
            async def value() -> bytes:
                return COMPLETION.dump_json(await model.complete(request))

            await self._tell(question, value())

        self._calls[question] = make
        return COMPLETION.validate_json(await self.ask_model("complete", model, written_request(request), question))

    async def ask_model(self, how: str, model: Model, asked: bytes, question: int = 0) -> bytes:
        """Ask a model by way of home, which keeps account."""
        return cast(bytes, await self._ask(frames.MODEL, _terms(how, model), asked, question=question))

    async def stream(self, model: Model, request: Request) -> AsyncGenerator[Chunk]:
        question = self._question()
        pieces = self._streams[question] = asyncio.Queue()

        async def make(what: bytes) -> None:
            try:
                async for chunk in model.stream(request):
                    if isinstance(chunk, Completion):
                        self._piece(question, b"c" + COMPLETION.dump_json(chunk))
                    else:
                        self._piece(question, b"t" + chunk.text.encode())
            except Exception as error:
                self._piece(question, b"e" + far(error))

        self._calls[question] = make
        self._tell_changes()
        self._node.say(frame(frames.MODEL, self._number, question, _terms("stream", model), written_request(request)))
        ended = False
        try:
            while True:
                piece = await pieces.get()
                if isinstance(piece, TextDelta):
                    yield piece
                    continue
                ended = True
                if isinstance(piece, BaseException):
                    raise piece
                yield COMPLETION.validate_json(piece)
                return
        finally:
            del self._streams[question], self._calls[question]
            if not ended:
                self._drop(question)

    def _piece(self, question: int, data: bytes) -> None:
        self._node.say(frame(frames.PIECE, self._number, question, data))


class Borrowed:
    """In place of a model that an agent has at home: it is asked there."""

    def __init__(self, node: Node, number: int, name: str) -> None:
        self.name = name
        self.price: Price | None = None  # home keeps account
        self.node, self.number = node, number

    async def complete(self, request: Request) -> Completion:
        return COMPLETION.validate_json(await self._handling().ask_model("alone", self, written_request(request)))

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        completion = await self.complete(request)
        if completion.text:
            yield TextDelta(completion.text)
        yield completion

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return EMBEDDINGS.validate_json(await self._handling().ask_model("embed", self, to_json(list(texts))))

    async def aclose(self) -> None:
        pass

    def _handling(self) -> FarHandling:
        handling = origin.get()
        if not isinstance(handling, FarHandling):
            raise NotHandling(f"the model {self.name!r}, which is elsewhere,")
        return handling


def _terms(how: str, model: Model) -> bytes:
    if isinstance(model, Borrowed):
        return to_json({"how": how, "model": [model.number, model.name], "price": None})
    return to_json({"how": how, "model": [None, model.name], "price": PRICE.dump_python(model.price, mode="json")})


async def _wait(work: Awaitable[None]) -> None:
    await work


class _Aside:
    """What an agent can do in a thread. What it emits is kept until it is done."""

    def __init__(self, handling: FarHandling) -> None:
        self._handling = handling
        self._context: Context = copy_context()
        self.emitted: list[tuple[str, Message]] = []

    def in_context(self, function: Callable[[AbstractObject, Message], object]) -> object:
        """Call a handler in this thread."""
        self._context.run(origin.set, self)
        return self._context.run(function, self._handling.agent, self._handling.message)

    def emit(self, event: str, message: Message) -> None:
        self.emitted.append((event, message))

    @property
    def agent(self) -> AbstractObject:
        return self._handling.agent

    @property
    def message(self) -> Message:
        return self._handling.message

    @property
    def source(self) -> Source | None:
        return self._handling.source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handling, name)
