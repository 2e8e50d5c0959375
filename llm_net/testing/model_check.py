"""Is this a `Model`? Every promise of the port as a check that can fail. Knows no adapter and no provider."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import Final, Literal, TypeAlias, get_args

from llm_net.chat import Completion, Output, Request, Settings, TextDelta, Tool, system, user
from llm_net.errors import ContextTooLong
from llm_net.llm.schema import parse_problems, problems
from llm_net.ports import Model

Ability: TypeAlias = Literal["output", "tools", "length", "stop", "seed", "context", "embeddings"]
"""What a model may lack and still be one: JSON under a schema, tools, `max_tokens`, stop strings, the same answer for
the same seed, a known limit to its context, vectors."""

SCHEMAS: Final[dict[str, dict[str, object]]] = {
    "a choice": {"enum": ["bid", "refuse"]},
    "a bounded integer": {"type": "integer", "minimum": 10, "maximum": 80},
    "a nested object": {
        "type": "object",
        "properties": {
            "to": {"enum": ["anna", "bob"]},
            "offer": {
                "type": "object",
                "properties": {"price": {"type": "integer", "minimum": 1, "maximum": 9}, "open": {"type": "boolean"}},
                "required": ["price", "open"],
                "additionalProperties": False,
            },
        },
        "required": ["to", "offer"],
        "additionalProperties": False,
    },
    "an alternative": {
        "anyOf": [
            {
                "type": "object",
                "properties": {"refuse": {"const": True}},
                "required": ["refuse"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {"bid": {"$ref": "#/$defs/Bid"}},
                "required": ["bid"],
                "additionalProperties": False,
            },
        ],
        "$defs": {"Bid": {"type": "integer", "minimum": 1, "maximum": 99}},
    },
}

TOOLS: Final = (
    Tool(
        "get_weather",
        "Tell the weather of a city",
        {
            "type": "object",
            "properties": {"city": {"enum": ["Paris", "Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    ),
    Tool(
        "add",
        "Add two numbers",
        {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "minimum": 0, "maximum": 99},
                "b": {"type": "integer", "minimum": 0, "maximum": 99},
            },
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    ),
)


async def check_model(
    model: Model, *, without: Collection[Ability] = (), patience: float = 0.5, seconds: float = 120.0
) -> None:
    """Check that a model keeps the promises of the port `Model`. Makes about 40 short calls, then closes it.

    One call sends 100,000 words, to see ContextTooLong: leave it out with `without={"context"}` where that is paid for.

    Args:
        model: the one to check; it is closed afterwards.
        without: what this model does not claim to do, and is therefore not checked.
        patience: seconds for which the event loop may be held while the model works.
        seconds: the longest that one promise may take to check.

    Raises:
        AssertionError: a promise is broken; the sentence says which.
    """
    unknown = set(without) - set(get_args(Ability))
    assert not unknown, f"{sorted(unknown)} is no ability; they are {', '.join(get_args(Ability))}"
    assert isinstance(model, Model), f"{type(model).__name__} lacks a method or property of the port Model"
    checks: dict[str, Callable[[Model], Awaitable[None]]] = {
        "identity": _check_identity,
        "complete": _check_complete,
        "stream": _check_stream,
        **{ability: check for ability, check in _ABILITIES.items() if ability not in without},
        "concurrency": lambda model: _check_concurrency(model, patience),
        "cancellation": _check_cancellation,
        "aclose": _check_aclose,
    }
    for name, check in checks.items():
        try:
            async with asyncio.timeout(seconds):
                await check(model)
        except TimeoutError:
            raise AssertionError(f"{name}: not done after {seconds:g} s") from None
        except Exception as error:
            kind = "" if isinstance(error, AssertionError) else f"the model raised {type(error).__name__}: "
            raise AssertionError(f"{name}: {kind}{error}") from error


def ask(text: str, **settings: object) -> Request:
    """A short question."""
    known = {"temperature": 0.0, "max_tokens": 16, **settings}
    return Request([system("You are a helpful assistant."), user(text)], settings=Settings(**known))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- always


async def _check_identity(model: Model) -> None:
    assert model.name, "a model needs a name"
    if model.price is not None:
        assert min(model.price.input, model.price.output) >= 0, f"the price is negative: {model.price}"


async def _check_complete(model: Model) -> None:
    answer = await model.complete(ask("What is the capital of France?"))
    assert isinstance(answer, Completion), f"complete gave {type(answer).__name__}, not a Completion"
    assert answer.text.strip(), "complete gave an answer without text to a plain question"
    assert not answer.tool_calls, "the model called a tool that nobody offered"
    assert answer.model, "a Completion must say which model answered"
    _check_usage(answer)


def _check_usage(answer: Completion) -> None:
    usage = answer.usage
    assert usage.requests >= 1, f"one call counts as at least one request, not {usage.requests}"
    assert usage.input_tokens > 0, f"a question has tokens, usage says {usage.input_tokens}"
    assert usage.output_tokens > 0, f"an answer has tokens, usage says {usage.output_tokens}"
    assert usage.tokens == usage.input_tokens + usage.output_tokens, f"usage does not add up: {usage}"
    assert usage.cost is None or usage.cost >= 0, f"the cost is negative: {usage.cost}"


async def _check_stream(model: Model) -> None:
    deltas, answer = await _read(model.stream(ask("Tell me of bees.", max_tokens=24)))
    assert deltas, "a stream of a plain question gave no TextDelta"
    assert all(deltas), "a stream gave an empty TextDelta"
    joined = "".join(deltas)
    assert joined == answer.text, f"the deltas join to {joined!r}, the Completion says {answer.text!r}"
    assert joined.encode(errors="replace").decode() == joined, (
        f"the text has characters no encoding carries: {joined!r}"
    )
    _check_usage(answer)


async def _read(stream: AsyncIterator[object]) -> tuple[list[str], Completion]:
    deltas: list[str] = []
    answer: Completion | None = None
    async for chunk in stream:
        assert answer is None, f"the Completion must be the last of a stream, {type(chunk).__name__} came after it"
        if isinstance(chunk, Completion):
            answer = chunk
        else:
            assert isinstance(chunk, TextDelta), f"a stream gave {type(chunk).__name__}"
            deltas.append(chunk.text)
    assert answer is not None, "a stream ended without a Completion"
    return deltas, answer


# ---------------------------------------------------------------------------------------------- if claimed


async def _check_output(model: Model) -> None:
    for name, schema in SCHEMAS.items():
        turns = [user("You may offer up to 80 for the bees. Answer in JSON.")]
        request = Request(turns, output=Output(schema), settings=Settings(temperature=0.0, max_tokens=64))
        answer = await model.complete(request)
        broken = parse_problems(schema, answer.text)
        assert not broken, f"asked for {name}, the model wrote {answer.text!r}: {'; '.join(broken)}"
        assert answer.finish == "stop", f"an answer in the asked form finishes with 'stop', not {answer.finish!r}"
        deltas, streamed = await _read(model.stream(request))
        assert "".join(deltas) == streamed.text, "the deltas of an answer in JSON do not join to its text"
        broken = parse_problems(schema, streamed.text)
        assert not broken, f"asked for {name}, the model streamed {streamed.text!r}: {'; '.join(broken)}"


async def _check_tools(model: Model) -> None:
    turns = [user("What is the weather in Paris?")]
    settings = Settings(temperature=0.0, max_tokens=64)
    answer = await model.complete(Request(turns, tools=TOOLS, tool_choice="required", settings=settings))
    assert answer.tool_calls, "a tool was required and none was called"
    _check_calls(answer)
    _, streamed = await _read(model.stream(Request(turns, tools=TOOLS, tool_choice="required", settings=settings)))
    assert streamed.tool_calls, "a tool was required and none was called in a stream"
    _check_calls(streamed)
    _check_calls(await model.complete(Request(turns, tools=TOOLS, settings=settings)))
    answer = await model.complete(Request(turns, tools=TOOLS, tool_choice="none", settings=settings))
    assert not answer.tool_calls, "tool_choice was 'none' and a tool was called"


def _check_calls(answer: Completion) -> None:
    """What is called exists, with valid arguments and different ids, and the answer says so."""
    parameters = {tool.name: tool.parameters for tool in TOOLS}
    assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls), "two tool calls have one id"
    for call in answer.tool_calls:
        assert call.id, "a tool call needs an id"
        assert call.name in parameters, f"the model called {call.name!r}, which nobody offered"
        broken = problems(parameters[call.name], json.loads(call.arguments))
        assert not broken, f"arguments of {call.name} are wrong: {'; '.join(broken)}"
    if answer.tool_calls:
        assert answer.finish == "tools", f"an answer with tool calls finishes with 'tools', not {answer.finish!r}"
    _check_usage(answer)


async def _check_length(model: Model) -> None:
    answer = await model.complete(ask("Tell me a long story of a bee.", max_tokens=5))
    assert answer.usage.output_tokens <= 5, f"max_tokens is 5, the answer has {answer.usage.output_tokens}"
    assert answer.finish == "length", f"an answer cut at max_tokens finishes with 'length', not {answer.finish!r}"


async def _check_stop(model: Model) -> None:
    question = "Tell me a story of a bee."
    whole = (await model.complete(ask(question, max_tokens=24))).text
    assert len(whole) > 8, f"the model's answer {whole!r} is too short to check stop strings with"
    stop = whole[len(whole) // 2 : len(whole) // 2 + 3]
    answer = await model.complete(ask(question, max_tokens=24, stop=(stop,)))
    assert stop not in answer.text, f"the stop string {stop!r} is in the answer {answer.text!r}"
    deltas, answer = await _read(model.stream(ask(question, max_tokens=24, stop=(stop,))))
    assert stop not in "".join(deltas), f"the stop string {stop!r} was streamed: {''.join(deltas)!r}"


async def _check_seed(model: Model) -> None:
    request = ask("Invent a name for a bee.", temperature=0.8, seed=7, max_tokens=12)
    first = await model.complete(request)
    second, third = await asyncio.gather(model.complete(request), model.complete(request))
    texts = {first.text, second.text, third.text}
    assert len(texts) == 1, f"one seed, different answers: {sorted(texts)}"


async def _check_context(model: Model) -> None:
    try:
        await model.complete(ask("bees " * 100_000))
    except ContextTooLong:
        return
    raise AssertionError("a prompt of 100,000 words was taken; a model that is too small must raise ContextTooLong")


async def _check_embeddings(model: Model) -> None:
    texts = ["a cat", "a dog", "the price of copper"]
    result = await model.embed(texts)
    assert len(result.vectors) == len(texts), f"{len(texts)} texts gave {len(result.vectors)} vectors"
    sizes = sorted({len(vector) for vector in result.vectors})
    assert len(sizes) == 1, f"vectors must be of one length, these are of {sizes}"
    assert sizes != [0], "the vectors are empty"
    assert len(set(result.vectors)) == len(texts), "different texts gave the same vector"
    assert result.usage.input_tokens > 0, "embedding texts uses tokens"
    alone = (await model.embed(texts[:1])).vectors[0]
    distance = max(abs(a - b) for a, b in zip(alone, result.vectors[0], strict=True))
    assert distance < 1e-2, "a text alone and among others gave different vectors, or the order is wrong"


_ABILITIES: Final[dict[Ability, Callable[[Model], Awaitable[None]]]] = {
    "output": _check_output,
    "tools": _check_tools,
    "length": _check_length,
    "stop": _check_stop,
    "seed": _check_seed,
    "context": _check_context,
    "embeddings": _check_embeddings,
}


# ---------------------------------------------------------------------------------------------- at once


async def _check_concurrency(model: Model, patience: float) -> None:
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            await asyncio.sleep(0.002)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    try:
        answers = await asyncio.gather(*(model.complete(ask(f"Say {number}.", max_tokens=8)) for number in range(8)))
    finally:
        ticking.cancel()
    for answer in answers:
        _check_usage(answer)
    assert longest < patience, f"the model held the event loop for {longest:.2f} s; work in a thread, or await"


async def _check_cancellation(model: Model) -> None:
    stream = model.stream(ask("Tell me a long story of a bee.", max_tokens=200))
    if isinstance(stream, AsyncGenerator):
        async with aclosing(stream):
            async for _ in stream:
                break  # whoever stops reading is not answered further

    begun = asyncio.Event()

    async def read() -> None:
        async for _ in model.stream(ask("Tell me a long story of a bee.", max_tokens=200)):
            begun.set()

    reading = asyncio.create_task(read())
    asking = asyncio.create_task(model.complete(ask("Tell me a long story of a bee.", max_tokens=200)))
    starting = asyncio.create_task(begun.wait())
    await asyncio.wait([reading, starting], return_when=asyncio.FIRST_COMPLETED)
    running = [task for task in (reading, asking, starting) if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.wait([reading, asking, starting], timeout=30)
    assert all(task.done() for task in (reading, asking)), "a cancelled call was still running after 30 s"
    hidden = [task for task in running if not task.cancelled()]
    assert not hidden, "a cancelled call went on and hid the cancellation"
    await _check_complete(model)


async def _check_aclose(model: Model) -> None:
    await model.aclose()
    await model.aclose()
