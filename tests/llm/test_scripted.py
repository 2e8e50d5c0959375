"""The scripted model: the same answers on every machine."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from jsonschema import validate

from llm_net.chat import Completion, Output, Price, Request, Settings, TextDelta, Tool, ToolCall, Turn, assistant, user
from llm_net.errors import ContextTooLong, InvalidOutput, ModelError, ModelUnavailable, RateLimited
from llm_net.llm.scripted import ScriptedModel, improvise
from llm_net.testing import check_model
from llm_net.testing.model_check import TOOLS

HELLO = Request([user("Hello")])


def ask(model: ScriptedModel, request: Request = HELLO) -> Completion:
    return asyncio.run(model.complete(request))


@pytest.mark.parametrize("latency", [0.0, (0.001, 0.01)])
def test_it_is_a_model(latency: float | tuple[float, float]) -> None:
    asyncio.run(check_model(ScriptedModel(latency=latency, pace=0.001)))


def test_it_gives_its_answers_in_order_and_says_when_they_are_over() -> None:
    model = ScriptedModel(["one", "two"])

    assert [ask(model).text, ask(model).text] == ["one", "two"]
    with pytest.raises(ModelError, match=r"its script of 2 answers is over; write more, or give cycle=True"):
        ask(model)
    assert model.requests == [HELLO, HELLO]


def test_it_may_start_again() -> None:
    model = ScriptedModel(["one", "two"], cycle=True)

    assert [ask(model).text for _ in range(5)] == ["one", "two", "one", "two", "one"]
    with pytest.raises(ModelError, match="its script of 0 answers is over"):
        ask(ScriptedModel([], cycle=True))


def test_an_answer_may_be_a_call_an_error_or_made_from_the_request() -> None:
    async def echo(request: Request) -> str:
        return request.turns[-1].text.upper()

    call = ToolCall("1", "add", '{"a": 1}')
    model = ScriptedModel([call, RateLimited("x", "slow down", 3.0), lambda request: "plain", echo])

    first = ask(model)
    assert first.tool_calls == (call,)
    assert first.finish == "tools"
    assert first.usage.output_tokens > 0
    with pytest.raises(RateLimited):
        ask(model)
    assert [ask(model).text, ask(model).text] == ["plain", "HELLO"]


def test_its_tokens_and_their_price_are_counted_the_same_everywhere() -> None:
    usage = ask(ScriptedModel(["Extraordinary bees."], price=Price(Decimal(10), Decimal(30)))).usage

    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 10, 5)
    assert str(usage.cost) == "0.00025"


def test_it_streams_word_by_word() -> None:
    async def main() -> list[object]:
        return [chunk async for chunk in ScriptedModel(["Bees fly home."]).stream(HELLO)]

    assert asyncio.run(main())[:-1] == [TextDelta("Bees"), TextDelta(" fly"), TextDelta(" home"), TextDelta(".")]


def test_a_script_that_breaks_the_form_is_found_out() -> None:
    with pytest.raises(InvalidOutput, match="its answer breaks the schema") as found:
        ask(ScriptedModel(['"yes"']), Request([user("x")], output=Output({"enum": ["bid"]})))
    assert found.value.usage is not None
    assert (found.value.usage.requests, found.value.usage.output_tokens) == (1, 3)


def test_its_latency_is_slept_on_the_loop() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(ScriptedModel(["x"], latency=0.05).complete(HELLO) for _ in range(20)))
        return loop.time() - begun

    assert 0.05 <= asyncio.run(main()) < 0.5


def test_an_answer_later_than_the_timeout_does_not_come() -> None:
    for answer in ("x", ToolCall("1", "add", "{}")):
        with pytest.raises(ModelUnavailable, match="no whole answer"):
            ask(ScriptedModel([answer], latency=5.0), Request([user("x")], settings=Settings(timeout=0.01)))


def test_a_prompt_beyond_its_context_is_too_long() -> None:
    with pytest.raises(ContextTooLong, match=r"\d+ tokens do not fit 100"):
        ask(ScriptedModel(["x"], context=100), Request([user("bees " * 100)]))


def test_what_it_improvises_depends_on_the_question_and_the_seed_alone() -> None:
    questions = [Request([user(f"Question {number}")]) for number in range(8)]

    async def at_once() -> list[str]:
        model = ScriptedModel(latency=(0.0, 0.01), seed=3)
        return [answer.text for answer in await asyncio.gather(*(model.complete(q) for q in questions))]

    model = ScriptedModel(seed=3)
    one_by_one = [ask(model, question).text for question in reversed(questions)][::-1]
    assert asyncio.run(at_once()) == one_by_one
    assert len(set(one_by_one)) == 8
    assert one_by_one != [ask(ScriptedModel(seed=4), question).text for question in questions]


def test_it_improvises_answers_in_the_form_that_is_asked_for() -> None:
    schema = {
        "type": "object",
        "properties": {"to": {"enum": ["anna", "bob"]}, "price": {"type": "number", "minimum": 10, "maximum": 80}},
        "required": ["to", "price"],
        "additionalProperties": False,
    }
    for number in range(20):
        answer = ask(ScriptedModel(), Request([user(str(number))], output=Output(schema)))
        validate(json.loads(answer.text), schema)


def test_it_improvises_calls_and_then_speaks_of_their_results() -> None:
    required = Request([user("x")], tools=TOOLS, tool_choice="required")
    answered = Request([user("x"), assistant("…"), Turn("tool", ())], tools=TOOLS)
    chosen = [improvise(Request([user(str(number))], tools=TOOLS)) for number in range(20)]

    assert isinstance(improvise(required), ToolCall)
    assert isinstance(improvise(answered), str)
    assert {type(line) for line in chosen} == {ToolCall, str}


def test_improvising_may_stand_in_a_script() -> None:
    model = ScriptedModel(["Bees.", improvise])

    assert ask(model).text == "Bees."
    assert ask(model, Request([user("x")], output=Output({"const": 7}))).text == "7"


def test_a_schema_that_no_value_can_be_made_up_for_is_an_error_that_says_so() -> None:
    hard = {"type": "string", "pattern": "^z{9}$"}
    with pytest.raises(ModelError, match=r"the schema 'answer' cannot be used: no value could be made up"):
        ask(ScriptedModel(), Request([user("x")], output=Output(hard)))
    tool = Tool("spell", "", {"type": "object", "properties": {"a": hard}, "required": ["a"]})
    with pytest.raises(ModelError, match="the schema of a tool cannot be used: spell: no value"):
        ask(ScriptedModel(), Request([user("x")], tools=[tool], tool_choice="required"))


def test_texts_that_share_words_are_near_each_other() -> None:
    vectors = asyncio.run(ScriptedModel().embed(["the red bee", "a red bee", "price of copper"])).vectors

    def near(a: int, b: int) -> float:
        return sum(x * y for x, y in zip(vectors[a], vectors[b], strict=True))

    assert near(0, 0) == pytest.approx(1.0)
    assert near(0, 1) > near(0, 2)
