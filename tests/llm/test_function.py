"""A function as a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from llm_net.chat import Completion, Output, Request, Settings, Text, TextDelta, Tool, ToolCall, Turn, Usage, user
from llm_net.errors import DefinitionError, InvalidOutput, ModelError, ModelUnavailable
from llm_net.llm.function import FunctionModel
from llm_net.testing import check_model

HELLO = Request([user("Hello")])


async def parrot(turns: Sequence[Turn], tools: Sequence[Tool]) -> str:
    return f"You said: {turns[-1].text}"


async def slowly(request: Request) -> AsyncIterator[str]:
    for word in ("one", " two", " three", " four", " five", " six", " seven", " eight"):
        await asyncio.sleep(0.002)
        yield word


def choosing(request: Request) -> str | Completion:
    """A rule that can call."""
    if request.tools and request.tool_choice != "none":
        return Completion((ToolCall("1", "add", '{"a": 1, "b": 2}'),), Usage(), "", "tools")
    return "The bee flies over the garden and comes home before the rain. " * 3


@pytest.mark.parametrize("f", [parrot, slowly])
def test_a_function_of_either_form_is_a_model(f: object) -> None:
    asyncio.run(check_model(FunctionModel(f), without={"output", "tools", "context", "embeddings", "length"}))  # type: ignore[arg-type]  # one of each form


def test_a_plain_function_that_calls_tools_is_a_model() -> None:
    asyncio.run(check_model(FunctionModel(choosing), without={"output", "context", "embeddings"}))


def test_its_answer_is_its_text_with_estimated_usage() -> None:
    answer = asyncio.run(FunctionModel(parrot).complete(HELLO))

    assert answer.text == "You said: Hello"
    assert answer.model == "parrot"
    assert answer.finish == "stop"
    assert answer.usage.requests == 1
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens == 4


def test_its_pieces_are_streamed_as_they_come() -> None:
    async def main() -> list[object]:
        return [chunk async for chunk in FunctionModel(slowly).stream(HELLO)]

    chunks = asyncio.run(main())
    assert chunks[:2] == [TextDelta("one"), TextDelta(" two")]
    assert len(chunks) == 9


def test_its_text_is_cut_at_stop_strings_and_max_tokens() -> None:
    model = FunctionModel(slowly)

    stopped = asyncio.run(model.complete(Request([user("x")], settings=Settings(stop=(" thr",)))))
    short = asyncio.run(model.complete(Request([user("x")], settings=Settings(max_tokens=3))))
    assert (stopped.text, stopped.finish) == ("one two", "stop")
    assert (short.text, short.finish) == ("one two three", "length")


def test_its_text_must_have_the_form_that_was_asked_for() -> None:
    model = FunctionModel(lambda request: '{"a": 1}')

    assert asyncio.run(model.complete(Request([user("x")], output=Output({"type": "object"})))).text == '{"a": 1}'
    with pytest.raises(InvalidOutput, match="not of type array") as found:
        asyncio.run(model.complete(Request([user("x")], output=Output({"type": "array"}))))
    assert found.value.usage is not None
    assert found.value.usage.requests == 1
    assert found.value.usage.output_tokens > 0


def test_a_completion_of_its_own_is_passed_on_with_usage_if_it_has_none() -> None:
    call = ToolCall("1", "add", "{}")
    own = Completion((Text("Let me add."), call), Usage(2, 30, 4), "mine", "tools")
    bare = Completion((call,), Usage(), "", "tools")

    assert asyncio.run(FunctionModel(lambda request: own).complete(HELLO)) == own
    answer = asyncio.run(FunctionModel(lambda request: bare, name="adder").complete(HELLO))
    assert answer.model == "adder"
    assert answer.usage.requests == 1
    assert answer.tool_calls == (call,)


def test_what_it_raises_is_the_cause_of_a_model_error() -> None:
    def fails(request: Request) -> str:
        raise KeyError("bee")

    async def unreachable(request: Request) -> str:
        raise ConnectionResetError("gone")

    async def breaks(request: Request) -> AsyncIterator[str]:
        yield "The "
        raise ValueError("no more")

    with pytest.raises(ModelError, match="its function raised KeyError: 'bee'") as raised:
        asyncio.run(FunctionModel(fails).complete(HELLO))
    assert isinstance(raised.value.__cause__, KeyError)
    assert not raised.value.transient
    with pytest.raises(ModelUnavailable, match="ConnectionResetError: gone"):
        asyncio.run(FunctionModel(unreachable).complete(HELLO))
    with pytest.raises(ModelError, match="ValueError: no more"):
        asyncio.run(FunctionModel(breaks).complete(HELLO))


def test_it_is_not_waited_for_beyond_the_timeout() -> None:
    async def never(request: Request) -> str:
        await asyncio.Event().wait()
        return ""

    async def hesitates(request: Request) -> AsyncIterator[str]:
        yield "Well"
        await asyncio.Event().wait()

    impatient = Request([user("x")], settings=Settings(timeout=0.01))
    for f in (never, hesitates):
        with pytest.raises(ModelUnavailable, match=r"no whole answer within 0\.01 s"):
            asyncio.run(FunctionModel(f).complete(impatient))


def test_a_reader_that_stops_ends_the_function() -> None:
    ended: list[bool] = []

    async def endless(request: Request) -> AsyncIterator[str]:
        try:
            while True:
                yield "on and "
        finally:
            ended.append(True)

    async def main() -> None:
        stream = FunctionModel(endless).stream(HELLO)
        await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert ended == [True]


def test_characters_that_no_encoding_carries_do_not_leave_it() -> None:
    answer = asyncio.run(FunctionModel(lambda request: "a\ud800b\0").complete(HELLO))

    assert answer.text == "a\ufffdb\ufffd"


def test_a_function_of_another_form_is_refused_at_once() -> None:
    with pytest.raises(DefinitionError, match=r"takes \(request\) or \(turns, tools\)"):
        FunctionModel(lambda: "x")  # type: ignore[arg-type]  # that is what is tested
    with pytest.raises(ModelError, match="its function gave int"):
        asyncio.run(FunctionModel(lambda request: 3).complete(HELLO))  # type: ignore[arg-type]  # the same


@pytest.mark.parametrize(
    "request_",
    [
        Request([]),
        Request([user("x")], tool_choice="required"),
        Request([user("x")], output=Output({}), tools=[Tool("a", "", {})]),
    ],
)
def test_a_request_that_no_model_can_answer_is_refused(request_: Request) -> None:
    with pytest.raises(ModelError):
        asyncio.run(FunctionModel(parrot).complete(request_))
