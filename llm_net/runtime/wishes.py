"""What a handler on a node wants done at home: send, call, emit, ask a model. Knows how, not when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from llm_net.chat import Chunk, Completion, Price, Request, TextDelta
from llm_net.message import Message, origin
from llm_net.record import Repeats
from llm_net.runtime import frames
from llm_net.runtime.errand import Errand
from llm_net.runtime.farnode import FarNode
from llm_net.runtime.frames import (
    EMBEDDINGS,
    PRICE,
    TIME,
    far,
    frame,
    joined,
    near,
    read_request,
)
from llm_net.runtime.handling import LocalHandling, OnNode
from llm_net.runtime.recorder import COMPLETION

if TYPE_CHECKING:
    from llm_net.runtime.home import Home

ANYTHING: TypeAdapter[object] = TypeAdapter(object)


class Wishes:
    """Does them, and answers."""

    def __init__(self, home: Home) -> None:
        self._home = home

    async def see_to(self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]) -> None:
        """Do one thing that a handler wants done, and tell it what came of it."""
        answer, parts = b"", list[bytes]()
        try:
            errand.meet()
            answer, parts = await self._do(node, errand, kind, question, said)
        except Exception as error:
            answer, parts = b"e", [far(error)]
        self.answer(node, errand, question, answer, parts)

    def do_now(self, node: FarNode, errand: Errand, kind: int, said: list[Any]) -> None:
        """Do what a handler does not wait for. If it cannot be done the handler would not have come further: what it emits after
        that is not heard, until it has met the error."""
        if errand.deferred is not None or errand.ended:
            return
        token = origin.set(errand.handling)
        try:
            if kind == frames.EMIT:
                errand.handling.emit(said[0], said[1])
            else:
                self._home.change(said[0], said[1], node)
        except Exception as error:
            errand.deferred = error
            node.link.send(frame(frames.ANSWER, errand.number, 0, b"e", TIME.pack(0.0), joined([far(error)])))
        finally:
            origin.reset(token)

    def answer(self, node: FarNode, errand: Errand, question: int, answer: bytes, parts: list[bytes]) -> None:
        if node.lost is not None:
            return
        self._home.tell_changes(node)
        step = errand.handling.step
        at = TIME.pack(0.0 if step is None else step.time)
        node.link.send(frame(frames.ANSWER, errand.number, question, answer, at, joined(parts)))

    async def _do(
        self, node: FarNode, errand: Errand, kind: int, question: int, said: list[Any]
    ) -> tuple[bytes, list[bytes]]:
        handling = errand.handling
        engine = handling.engine
        match kind:
            case frames.POST:
                crowded = engine.post(handling, said[0], None)
                if crowded is not None:
                    await engine.room(handling, crowded)
                await self.uncrowd(handling)
            case frames.ROOM:
                await self.room(handling, said[0])
                await self.uncrowd(handling)
            case frames.CALL:
                reply = await handling.call(said[1], said[0])
                errand.replies[said[1].id] = reply
                return b"m", [node.line.encode(reply)]
            case frames.GATHER:
                k, timeout, tells, messages = said
                failures: dict[Message, BaseException] = {}
                replies = await handling.gather(messages, k, timeout, failures if tells else None)
                errand.replies.update((reply.reply_to.id, reply) for reply in replies if reply.reply_to is not None)
                failed = [
                    to_json([index, from_json(far(failures[message]))])
                    for index, message in enumerate(messages)
                    if message in failures
                ]
                return b"g", [joined(failed), *(node.line.encode(reply) for reply in replies)]
            case frames.MODEL:
                return await self._ask_model(node, errand, question, from_json(said[0]), said[1])
            case frames.EFFECT:
                terms = from_json(said[0])
                call = _CallThere(partial(self._ask, node, errand, question))
                repeats: Repeats = terms["repeats"]
                result = await handling.effect(terms["name"], call, ANYTHING, repeats)
                return b"j", [to_json(result)]
            case frames.DELAY:
                await handling.delay(from_json(said[0]))
            case _:
                raise ValueError(f"a frame of kind {kind}")
        return b"", []

    async def room(self, handling: LocalHandling, full: Any) -> None:
        if full is not None:
            await handling.engine.room(handling, full)

    async def uncrowd(self, handling: LocalHandling) -> None:
        await self.room(handling, handling.run.crowding.pop(handling, None))

    async def _ask(self, node: FarNode, errand: Errand, question: int, what: bytes) -> bytes:
        future = errand.asked[question] = self._home.run.loop.create_future()
        node.link.send(frame(frames.ASK, errand.number, question, what))
        told = await future
        if told.startswith(b"e"):
            raise near(told[1:])
        return bytes(told[1:])

    async def _ask_model(
        self, node: FarNode, errand: Errand, question: int, terms: Mapping[str, Any], asked: bytes
    ) -> tuple[bytes, list[bytes]]:
        number, name = terms["model"]
        handling = errand.handling
        if terms["how"] == "embed":
            return b"j", [EMBEDDINGS.dump_json(await self._home.manifest.models[number].embed(from_json(asked)))]
        request = read_request(asked)
        if number is None:
            model: Any = _ModelThere(
                name, PRICE.validate_python(terms["price"]), partial(self._ask, node, errand, question),
                partial(self._pieces, node, errand, question),
            )  # fmt: skip
        else:
            model = self._home.manifest.models[number]
        if terms["how"] == "alone":  # not on account of the run, as whoever calls the model itself
            return b"j", [COMPLETION.dump_json(await model.complete(request))]
        if terms["how"] == "complete":
            return b"j", [COMPLETION.dump_json(await handling.complete(model, request))]
        last: Completion | None = None
        async with aclosing(handling.stream(model, request)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Completion):
                    last = chunk
                else:
                    node.link.send(frame(frames.PIECE, errand.number, question, chunk.text.encode()))
        return b"j", [COMPLETION.dump_json(last)] if last is not None else []

    async def _pieces(self, node: FarNode, errand: Errand, question: int) -> AsyncIterator[Chunk]:
        """What a model says that is there, piece by piece."""
        pieces = errand.streams[question] = asyncio.Queue()
        try:
            node.link.send(frame(frames.ASK, errand.number, question, b"stream"))
            while True:
                piece = await pieces.get()
                if isinstance(piece, BaseException):
                    raise piece
                if piece[:1] == b"e":
                    raise near(piece[1:])
                if piece[:1] == b"t":
                    yield TextDelta(piece[1:].decode())
                else:
                    yield COMPLETION.validate_json(piece[1:])
                    return
        finally:
            del errand.streams[question]


class _CallThere(OnNode):
    """A call to the outside that a node makes when it is told to."""

    def __init__(self, ask: Callable[[bytes], Coroutine[Any, Any, bytes]]) -> None:
        self._ask = ask

    async def __call__(self, key: str = "") -> object:
        return from_json(await self._ask(key.encode()))


class _ModelThere(OnNode):
    """A model that a node has, asked on account of the run."""

    def __init__(
        self,
        name: str,
        price: Price | None,
        ask: Callable[[bytes], Coroutine[Any, Any, bytes]],
        pieces: Callable[[], AsyncIterator[Chunk]],
    ) -> None:
        self.name, self.price = name, price
        self._ask, self._pieces = ask, pieces

    async def complete(self, request: Request) -> Completion:
        return COMPLETION.validate_json(await self._ask(b"complete"))

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        return self._pieces()
