"""An answer on its way from a model to its asker: what is checked before and after, and how pieces become chunks.

Shared by the adapters; knows none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from llm_net.chat import Chunk, Completion, Part, Price, Request, Text, TextDelta, ToolCall, Usage, estimate_tokens
from llm_net.errors import InvalidOutput, ModelError, ModelUnavailable
from llm_net.llm.schema import BadSchema, parse_problems
from llm_net.llm.text import Cut, clean, split

T = TypeVar("T")

FREE = Price(Decimal(0), Decimal(0))
"""The price of what runs here."""


def check_request(request: Request, model: str) -> None:
    """Refuse a request that no model can answer."""
    if not request.turns:
        raise ModelError(model, "the request has no turns; send at least one")
    if request.output is not None and request.tools:
        raise ModelError(model, "the request asks for an output form and offers tools; send one of them")
    if request.tool_choice == "required" and not request.tools:
        raise ModelError(model, "the request requires a tool but offers none; offer tools, or choose auto")


def check_answer(request: Request, answer: Completion) -> Completion:
    """Give the answer back if it keeps to the form that was asked for; raise InvalidOutput if not."""
    if answer.finish == "refusal":
        return answer
    if request.tool_choice == "required" and not answer.tool_calls:
        problem = "it answered without calling a tool, though one is required; ask again"
        raise InvalidOutput(answer.model, problem, answer.usage)
    if request.output is None:
        return answer
    try:
        broken = parse_problems(request.output.schema, answer.text)
    except BadSchema as error:
        raise bad_schema(request, answer.model, error) from None
    if not broken:
        return replace(answer, finish="stop")  # also where it was complete with the very last token
    if answer.finish == "length":
        limit = request.settings.max_tokens
        problem = f"its JSON was cut off at max_tokens={limit}; raise it, or bound the strings"
    else:
        problem = f"its answer breaks the schema: {'; '.join(broken)}; ask again"
    raise InvalidOutput(answer.model, problem, answer.usage)


def bad_schema(request: Request, model: str, reason: object) -> ModelError:
    """The error for a schema that cannot be used."""
    subject = f"the schema {request.output.name!r}" if request.output is not None else "the schema of a tool"
    return ModelError(model, f"{subject} cannot be used: {reason}; mend the schema")


def late(request: Request, model: str) -> ModelUnavailable:
    """The error for an answer that did not come within the request's timeout."""
    seconds = request.settings.timeout
    return ModelUnavailable(model, f"no whole answer within {seconds:g} s; try again, or raise the timeout")


def deadline(request: Request) -> float:
    """The loop's time at which the patience for this request ends, if it starts now."""
    return asyncio.get_running_loop().time() + request.settings.timeout


async def in_time(awaitable: Awaitable[T], until: float, request: Request, model: str) -> T:
    """Await something, but not past the request's deadline."""
    timer = asyncio.timeout_at(until)
    try:
        async with timer:
            return await awaitable
    except TimeoutError:
        if timer.expired():
            raise late(request, model) from None
        raise


async def collect(chunks: AsyncGenerator[Chunk, None]) -> Completion:
    """Read a stream to its end and give the Completion."""
    async with aclosing(chunks) as stream:
        async for chunk in stream:
            if isinstance(chunk, Completion):
                return chunk
    raise AssertionError("a stream ended without a Completion")


async def write(
    pieces: AsyncGenerator[str, None], request: Request, until: float, *, model: str, price: Price
) -> AsyncGenerator[Chunk, None]:
    """Write an answer from pieces of text as a model would: stop strings, `max_tokens`, deadline, usage and form hold.

    Tokens are those of `text.split`, which is the same on every machine.
    """
    cut = Cut(request.settings.stop)
    limit, used = request.settings.max_tokens, 0
    whole: list[str] = []
    async with aclosing(pieces) as source:
        while used <= limit and not cut.stopped:
            try:
                tokens = split(await in_time(anext(source), until, request, model))
            except StopAsyncIteration:
                break
            text = cut.push("".join(tokens[: limit - used]))
            used += len(tokens)
            if text:
                whole.append(text)
                yield TextDelta(text)
    if rest := cut.end():
        whole.append(rest)
        yield TextDelta(rest)
    answer = Completion(
        parts=(Text("".join(whole)),) if whole else (),
        usage=count(request, min(used, limit), price),
        model=model,
        finish="length" if used > limit and not cut.stopped else "stop",
    )
    yield check_answer(request, answer)


async def recite(answer: Completion, request: Request, *, model: str, price: Price) -> AsyncGenerator[Chunk, None]:
    """Stream an answer that is already whole, adding the name and the usage if it has none."""
    text = clean(answer.text)
    if text:
        yield TextDelta(text)
    used = sum(len(split(part.arguments)) for part in answer.tool_calls) + len(split(text))
    yield check_answer(
        request,
        replace(
            answer,
            parts=tuple(map(_clean_part, answer.parts)),
            model=answer.model or model,
            usage=answer.usage if answer.usage.requests else count(request, used, price),
        ),
    )


def count(request: Request, output_tokens: int, price: Price) -> Usage:
    """The usage of one call of a model that cannot count its input."""
    tokens = estimate_tokens(request)
    return Usage(1, tokens, output_tokens, price.of(tokens, output_tokens))


def _clean_part(part: Part) -> Part:
    match part:
        case Text(text):
            return Text(clean(text))
        case ToolCall(id, name, arguments):
            return ToolCall(clean(id), clean(name), clean(arguments))
        case _:
            return part
