"""The check of the port Model: right models pass, each broken promise is found and named."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

import pytest

from llm_net.chat import Chunk, Completion, Embeddings, Price, Request, Text, TextDelta, ToolCall, Usage
from llm_net.errors import ModelError
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.testing import check_model


class Broken:
    """A right model whose chunks, vectors or calls are tampered with."""

    def __init__(self) -> None:
        self.right = ScriptedModel(pace=0.001)

    @property
    def name(self) -> str:
        return "broken"

    @property
    def price(self) -> Price | None:
        return None

    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [chunk]

    async def complete(self, request: Request) -> Completion:
        async for chunk in self.stream(request):
            if isinstance(chunk, Completion):
                return chunk
        raise AssertionError("no completion")

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async for chunk in self.right.stream(request):
            for tampered in self.tamper(request, chunk):
                yield tampered

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return await self.right.embed(texts)

    async def aclose(self) -> None:
        pass


def changed(change: Callable[[Request, Completion], Completion]) -> type[Broken]:
    """A model whose every Completion is changed."""

    class Changed(Broken):
        def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
            return [change(request, chunk) if isinstance(chunk, Completion) else chunk]

    return Changed


class LosesText(Broken):
    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [chunk] if isinstance(chunk, Completion) else [TextDelta(chunk.text.replace("e", "") or "x")]


class AnswersTwice(Broken):
    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [chunk, chunk] if isinstance(chunk, Completion) else [chunk]


class GoesOnAfterwards(Broken):
    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [chunk, TextDelta("and")] if isinstance(chunk, Completion) else [chunk]


class NeverEnds(Broken):
    async def complete(self, request: Request) -> Completion:
        return await self.right.complete(request)

    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [] if isinstance(chunk, Completion) else [chunk]


class StreamsNothing(NeverEnds):
    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        return [chunk] if isinstance(chunk, Completion) else []


class HoldsTheLoop(Broken):
    async def complete(self, request: Request) -> Completion:
        if request.turns[-1].text.startswith("Say"):
            time.sleep(0.02)  # noqa: ASYNC251  # the fault under test
        return await self.right.complete(request)


class HidesCancellation(Broken):
    async def complete(self, request: Request) -> Completion:
        asking = asyncio.ensure_future(self.right.complete(request))
        while not asking.done():
            try:
                await asyncio.shield(asking)
            except asyncio.CancelledError:
                continue
        return asking.result()


class HangsAfterCancellation(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.taken = asyncio.Semaphore(50)

    async def complete(self, request: Request) -> Completion:
        await self.taken.acquire()
        try:
            answer = await self.right.complete(request)
        except asyncio.CancelledError:
            self.taken = asyncio.Semaphore(0)
            raise
        self.taken.release()
        return answer


class ClosesOnce(Broken):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("already closed")
        self.closed = True


class ForgetsTheSeed(Broken):
    calls = 0

    def tamper(self, request: Request, chunk: Chunk) -> list[Chunk]:
        self.calls += 1
        if request.settings.seed is None or not isinstance(chunk, Completion):
            return [chunk]
        return [replace(chunk, parts=(Text(str(self.calls)),))]


class IgnoresSettings(Broken):
    def __init__(self, **kept: object) -> None:
        super().__init__()
        self.kept = kept

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        settings = replace(request.settings, **self.kept)  # type: ignore[arg-type]  # one of its fields
        async for chunk in self.right.stream(replace(request, settings=settings)):
            yield chunk


class TakesAnyLength(Broken):
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        turns = [replace(turn, parts=(Text(turn.text[:100]),)) for turn in request.turns]
        async for chunk in self.right.stream(replace(request, turns=turns)):
            yield chunk


class FailsOtherwise(Broken):
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        if len(request.turns[-1].text) > 10_000:
            raise ModelError(self.name, "no")
        async for chunk in self.right.stream(request):
            yield chunk


class ReversesVectors(Broken):
    async def embed(self, texts: Sequence[str]) -> Embeddings:
        right = await self.right.embed(texts)
        return replace(right, vectors=right.vectors[::-1])


class LosesVectors(Broken):
    async def embed(self, texts: Sequence[str]) -> Embeddings:
        right = await self.right.embed(texts)
        return replace(right, vectors=right.vectors[1:])


def no_usage(request: Request, answer: Completion) -> Completion:
    return replace(answer, usage=Usage())


def no_form(request: Request, answer: Completion) -> Completion:
    return answer if request.output is None else replace(answer, parts=(Text("[]"),))


def tool_always(request: Request, answer: Completion) -> Completion:
    call = ToolCall("1", "add", '{"a": 1, "b": 2}')
    return replace(answer, parts=(call,), finish="tools") if request.tools else answer


def tool_never(request: Request, answer: Completion) -> Completion:
    return replace(answer, parts=(Text("no"),), finish="stop") if request.tools else answer


def with_call(name: str, arguments: object, id: str = "1") -> Callable[[Request, Completion], Completion]:
    def change(request: Request, answer: Completion) -> Completion:
        if request.tool_choice != "required":
            return answer
        return replace(answer, parts=(ToolCall(id, name, json.dumps(arguments)),), finish="tools")

    return change


def stops_at_tools(request: Request, answer: Completion) -> Completion:
    return replace(answer, finish="stop")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (LosesText, "the deltas join to"),
        (AnswersTwice, "must be the last of a stream"),
        (GoesOnAfterwards, "must be the last of a stream"),
        (NeverEnds, "ended without a Completion"),
        (StreamsNothing, "gave no TextDelta"),
        (changed(no_usage), "at least one request"),
        (changed(lambda request, answer: replace(answer, model="")), "which model answered"),
        (changed(no_form), "asked for a choice"),
        (changed(tool_always), "tool_choice was 'none'"),
        (changed(tool_never), "a tool was required and none was called"),
        (changed(with_call("format_disk", {})), "which nobody offered"),
        (changed(with_call("add", {"a": 1})), "arguments of add are wrong: the value lacks 'b'"),
        (changed(with_call("add", {"a": 1, "b": 2}, id="")), "needs an id"),
        (changed(stops_at_tools), "finishes with 'tools', not 'stop'"),
        (lambda: IgnoresSettings(max_tokens=1000), "max_tokens is 5"),
        (lambda: IgnoresSettings(stop=()), "the stop string"),
        (ForgetsTheSeed, "one seed, different answers"),
        (TakesAnyLength, "must raise ContextTooLong"),
        (FailsOtherwise, "context: the model raised ModelError"),
        (ReversesVectors, "the order is wrong"),
        (LosesVectors, "3 texts gave 2 vectors"),
        (HoldsTheLoop, "held the event loop"),
        (HidesCancellation, "hid the cancellation"),
        (HangsAfterCancellation, "cancellation: not done after 2 s"),
        (ClosesOnce, "aclose: the model raised RuntimeError: already closed"),
    ],
)
def test_each_broken_promise_is_named(broken: Callable[[], Model], sentence: str) -> None:
    async def main() -> None:
        with pytest.raises(AssertionError, match=sentence):
            await check_model(broken(), patience=0.05, seconds=2)

    asyncio.run(main())


def test_the_model_that_they_are_made_of_is_right() -> None:
    asyncio.run(check_model(Broken()))


def test_what_a_model_does_not_claim_is_not_checked() -> None:
    async def main() -> None:
        await check_model(changed(no_form)(), without={"output"})
        await check_model(IgnoresSettings(stop=()), without=["stop"])

    asyncio.run(main())


def test_an_unknown_ability_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"\['flying'\] is no ability; they are output, tools"):
        asyncio.run(check_model(Broken(), without=["flying"]))  # type: ignore[list-item]  # that is what is tested


def test_what_lacks_a_method_is_not_a_model() -> None:
    with pytest.raises(AssertionError, match="object lacks a method"):
        asyncio.run(check_model(object()))  # type: ignore[arg-type]  # that is what is tested
