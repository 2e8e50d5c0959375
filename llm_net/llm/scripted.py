"""A model that answers from a script, the same on every machine, for docs and tests.

Knows no network. Its latency is `asyncio.sleep`, so that a virtual clock makes it free.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from random import Random
from typing import TypeAlias

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, ToolCall, Usage, estimate_tokens
from llm_net.errors import ContextTooLong, ModelError
from llm_net.llm.answer import FREE, bad_schema, check_request, collect, deadline, in_time, recite, write
from llm_net.llm.schema import BadSchema, sample
from llm_net.llm.text import split

Line: TypeAlias = str | ToolCall | Completion | Exception
"""One answer of a script: text, a function to call, a whole Completion, or an error to raise."""

Script: TypeAlias = Line | Callable[[Request], Line | Awaitable[Line]]
"""A line, or what makes one from the Request."""

_DIMENSIONS = 64
_NOUNS = ("bee", "river", "market", "letter", "garden", "engine", "harbour", "lantern", "orchard", "bridge")
_VERBS = ("finds", "follows", "answers", "repairs", "remembers", "opens", "carries", "watches", "joins")


class ScriptedModel:
    """A model that gives the answers of a script, one for each call.

    ```python
    model = ScriptedModel(["Hello.", ToolCall("1", "add", '{"a": 1, "b": 2}'), lambda request: request.turns[-1].text])
    ```

    It keeps to stop strings, `max_tokens`, timeout and output form as a real model does, streams word by word and
    counts tokens (those of `llm_net.llm.text.split`). Without a script it improvises: see `improvise`.

    Args:
        answers: in the order of the calls; each as in `Script`. None improvises every answer.
        cycle: start again when the script is over; otherwise a further call raises ModelError.
        seed: decides what is improvised and every latency; so does `Settings.seed`.
        latency: seconds before the first word; a pair is a range. Without any it answers at once, so that who is asked first
            answers first, however busy the machine is.
        pace: seconds before each further word.
        context: tokens that a request may have, as estimated by `estimate_tokens`; more raises ContextTooLong.
        name: for people and logs.
        price: US dollars for a million tokens.
    """

    def __init__(
        self,
        answers: Iterable[Script] | None = None,
        *,
        cycle: bool = False,
        seed: int = 0,
        latency: float | tuple[float, float] = 0.0,
        pace: float = 0.0,
        context: int = 100_000,
        name: str = "scripted",
        price: Price = FREE,
    ) -> None:
        self.requests: list[Request] = []
        """What was asked, in order."""
        self._script: list[Script] = [lambda request: improvise(request, seed)] if answers is None else list(answers)
        self._cycle = cycle or answers is None
        self._seed = seed
        self._latency = latency if isinstance(latency, tuple) else (latency, latency)
        self._pace = pace
        self._context = context
        self._name = name
        self._price = price

    @property
    def name(self) -> str:
        return self._name

    @property
    def price(self) -> Price | None:
        return self._price

    async def complete(self, request: Request) -> Completion:
        """Give the next answer of the script."""
        return await collect(self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Give the next answer of the script word by word."""
        check_request(request, self._name)
        until = deadline(request)
        script = self._next(request)
        if (tokens := estimate_tokens(request)) > self._context:
            raise ContextTooLong(self._name, f"{tokens} tokens do not fit {self._context}; send fewer or shorter turns")
        line = script(request) if callable(script) else script
        if inspect.isawaitable(line):
            line = await in_time(line, until, request, self._name)
        wait = _random(request, self._seed).uniform(*self._latency)
        if isinstance(line, str):
            chunks = write(self._words(line, wait), request, until, model=self._name, price=self._price)
        else:
            if wait:
                await in_time(asyncio.sleep(wait), until, request, self._name)
            if isinstance(line, Exception):
                raise line
            if isinstance(line, ToolCall):
                line = Completion((line,), Usage(), self._name, "tools")
            chunks = recite(line, request, model=self._name, price=self._price)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Give texts as 64 numbers of length 1 made from their words, so that texts that share words are near."""
        tokens = sum(len(split(text)) for text in texts)
        usage = Usage(1, tokens, 0, self._price.of(tokens, 0))
        return Embeddings(tuple(_vector(text) for text in texts), usage, self._name)

    async def aclose(self) -> None:
        """Nothing is held, so nothing is given back."""

    def _next(self, request: Request) -> Script:
        number = len(self.requests)
        if not self._script or (number >= len(self._script) and not self._cycle):
            raise ModelError(
                self._name, f"its script of {len(self._script)} answers is over; write more, or give cycle=True"
            )
        self.requests.append(request)
        return self._script[number % len(self._script)]

    async def _words(self, text: str, wait: float) -> AsyncGenerator[str, None]:
        for token in split(text):
            if wait:
                await asyncio.sleep(wait)
            wait = self._pace
            yield token


def improvise(request: Request, seed: int = 0) -> Line:
    """Make up an answer that keeps to the form of the request; the same request and seed give the same answer.

    JSON under the output schema; a call of one of the tools with valid arguments (under "auto" every other time, and
    never right after a result); else a sentence or two. May stand in a script.

    Raises:
        ModelError: no value could be made up for the schema.
    """
    random = _random(request, seed)
    if request.output is not None:
        try:
            return json.dumps(sample(request.output.schema, random), ensure_ascii=False)
        except BadSchema as error:
            raise bad_schema(request, "scripted", error) from None
    calls = request.tool_choice == "required" or (
        request.tool_choice == "auto" and request.turns[-1].role != "tool" and random.random() < 0.5
    )
    if request.tools and calls:
        tool = random.choice(request.tools)
        try:
            arguments = json.dumps(sample(tool.parameters, random), ensure_ascii=False)
        except BadSchema as error:
            raise bad_schema(request, "scripted", f"{tool.name}: {error}") from None
        return ToolCall(f"call_{random.getrandbits(32):08x}", tool.name, arguments)
    return " ".join(
        f"The {random.choice(_NOUNS)} {random.choice(_VERBS)} the {random.choice(_NOUNS)}."
        for _ in range(random.randint(2, 4))
    )


def _random(request: Request, seed: int) -> Random:
    """Chance that depends on what is asked, not on when: calls at the same time cannot change each other's answers."""
    return Random(f"{seed} {request.settings.seed} {request.turns!r}")


def _vector(text: str) -> tuple[float, ...]:
    values = [0.0] * _DIMENSIONS
    for word in split(text.lower()):
        number = zlib.crc32(word.strip().encode(errors="replace"))
        values[number % _DIMENSIONS] += 1.0 if number & 0x80000000 else -1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return tuple(value / length for value in values)
