"""The embedded model with its real weights."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from llm_net.chat import (
    Completion,
    Image,
    Output,
    Request,
    Settings,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    assistant,
    system,
    user,
)
from llm_net.errors import ContextTooLong, InvalidOutput, ModelError, ModelUnavailable
from llm_net.llm.engine import Engine
from llm_net.llm.local import LocalModel
from llm_net.testing import check_model

pytestmark = pytest.mark.model

WEATHER = Tool(
    "get_weather",
    "Tell the weather of a city",
    {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]},
)
ADD = Tool(
    "add",
    "Add two numbers",
    {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Number"}, "b": {"$ref": "#/$defs/Number"}},
        "required": ["a", "b"],
        "$defs": {"Number": {"type": "integer", "minimum": 0, "maximum": 99}},
    },
)


def ask(model: LocalModel, request: Request) -> Completion:
    return asyncio.run(model.complete(request))


def test_it_is_a_model(gguf: Path) -> None:
    asyncio.run(check_model(LocalModel(gguf)))


def test_it_knows_the_capital_of_france_and_costs_nothing(local: LocalModel) -> None:
    turns = [system("Answer in one short sentence."), user("What is the capital of France?")]
    answer = ask(local, Request(turns, settings=Settings(temperature=0.0, max_tokens=24, stop=("\n",))))

    assert "Paris" in answer.text
    assert answer.model == local.name == "SmolLM2-135M-Instruct.Q4_1"
    assert answer.usage.cost == Decimal(0)
    assert answer.usage.input_tokens > 10


def test_a_decision_is_one_of_the_choices_and_the_right_one(local: LocalModel) -> None:
    """Routing by an enum, without examples: the task that a small model does well."""
    questions = {"My invoice is wrong, I paid twice.": "billing", "The program crashes when I start it.": "technical"}
    for question, right in questions.items():
        turns = [system("Choose the department that handles the message."), user(question)]
        form = Output({"enum": ["billing", "technical"]})
        answer = ask(local, Request(turns, output=form, settings=Settings(temperature=0.0, max_tokens=24)))
        assert json.loads(answer.text) == right


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "number", "exclusiveMinimum": 10, "maximum": 80},
        {"type": ["number", "null"], "minimum": 3, "maximum": 4},
        {"type": "integer", "multipleOf": 5, "minimum": 1, "maximum": 21},
        {"type": "string", "pattern": r"^[A-Z]{3}-\d{2}$"},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 3},
        {
            "type": "object",
            "properties": {"bid": {"$ref": "#/$defs/Bid"}, "why": {"type": "string", "maxLength": 20}},
            "required": ["bid", "why"],
            "additionalProperties": False,
            "$defs": {"Bid": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"const": "none"}]}},
        },
    ],
)
def test_it_is_held_to_rules_that_the_decoder_itself_does_not_know(
    local: LocalModel, schema: dict[str, object]
) -> None:
    settings = Settings(temperature=0.9, max_tokens=64)
    answer = ask(local, Request([user("Make an offer.")], output=Output(schema), settings=settings))

    validate(json.loads(answer.text), schema)


def test_json_costs_no_more_tokens_than_its_words(local: LocalModel) -> None:
    schema = {"type": "object", "properties": {"choice": {"enum": ["repair", "painting"]}}, "required": ["choice"]}
    question = [system("You sort tasks by kind of work."), user("Task: Repair a tyre.\nWhat kind of work is it?")]

    answer = ask(local, Request(question, output=Output(schema), settings=Settings(temperature=0.0)))

    assert answer.text == '{"choice": "repair"}'
    assert answer.usage.output_tokens < 12


def test_json_that_is_cut_off_or_breaks_the_rest_of_the_rules_is_an_error(local: LocalModel) -> None:
    endless = Output({"type": "array", "items": {"type": "integer"}, "minItems": 50})
    impossible = Output({"type": "string", "maxLength": 5, "not": {"type": "string"}})

    with pytest.raises(InvalidOutput, match="cut off at max_tokens=16; raise it") as found:
        ask(local, Request([user("Count.")], output=endless, settings=Settings(max_tokens=16)))
    assert found.value.usage is not None
    assert found.value.usage.output_tokens == 16
    with pytest.raises(InvalidOutput, match=r"its answer breaks the schema: the value is .*, which is ruled out"):
        ask(local, Request([user("Speak.")], output=impossible, settings=Settings(max_tokens=32)))


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "banana"}, "the schema 'answer' cannot be used: .*unrecognized type banana; mend the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/Gone"}}}, "the schema 'answer' cannot be used: .*cannot resolve"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_that_says_why(
    local: LocalModel, schema: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        ask(local, Request([user("x")], output=Output(schema)))


@pytest.mark.parametrize(
    ("question", "right"),
    [("What is the weather in Paris?", "get_weather"), ("What is 17 plus 25?", "add"), ("Thank you!", None)],
)
def test_it_chooses_the_tool_that_fits_or_speaks(local: LocalModel, question: str, right: str | None) -> None:
    request = Request([user(question)], tools=[WEATHER, ADD], settings=Settings(temperature=0.0, max_tokens=40))
    answer = ask(local, request)

    assert [call.name for call in answer.tool_calls] == ([right] if right else [])
    assert bool(answer.text) == (right is None)
    assert answer.finish == ("tools" if right else "stop")
    for call in answer.tool_calls:
        validate(json.loads(call.arguments), (WEATHER if right == "get_weather" else ADD).parameters)


def test_it_speaks_of_the_result_of_a_tool(local: LocalModel) -> None:
    turns = [
        user("What is the weather in Oslo?"),
        Turn("assistant", (ToolCall("1", "get_weather", '{"city": "Oslo"}'),)),
        Turn("tool", (ToolResult("1", "get_weather", "12 degrees, rain"),)),
    ]

    async def main() -> list[object]:
        request = Request(turns, tools=[WEATHER, ADD], settings=Settings(temperature=0.0, max_tokens=40))
        return [chunk async for chunk in local.stream(request)]

    *deltas, answer = asyncio.run(main())
    assert isinstance(answer, Completion)
    assert "12" in answer.text
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == answer.text
    assert len(deltas) > 2  # it is streamed out of the JSON that the model really writes


def test_a_stop_string_ends_what_is_said_beside_tools(local: LocalModel) -> None:
    settings = Settings(temperature=0.0, max_tokens=40)
    whole = ask(local, Request([user("Thank you!")], tools=[WEATHER], settings=settings)).text
    stop = whole[5:8]
    cut = ask(
        local,
        Request([user("Thank you!")], tools=[WEATHER], settings=Settings(temperature=0.0, max_tokens=40, stop=(stop,))),
    )

    assert cut.text == whole[: whole.index(stop)]
    assert cut.finish == "stop"


def test_a_tool_may_be_called_say(local: LocalModel) -> None:
    tool = Tool("say", "Say a colour", {"type": "object", "properties": {"c": {"enum": ["red"]}}, "required": ["c"]})
    answer = ask(local, Request([user("Say red.")], tools=[tool], tool_choice="required"))

    assert answer.tool_calls == (ToolCall("call_1", "say", '{"c": "red"}'),)


def test_the_same_seed_gives_the_same_words_whatever_else_is_decoded(local: LocalModel) -> None:
    request = Request([user("Tell me of a bee.")], settings=Settings(temperature=0.9, seed=11, max_tokens=16))
    others = [Request([user(f"Count to {n}.")], settings=Settings(max_tokens=12)) for n in range(5)]

    async def main() -> set[str]:
        first = await local.complete(request)
        answers = await asyncio.gather(*map(local.complete, [others[0], request, *others[1:], request]))
        return {first.text, answers[1].text, answers[6].text}

    assert len(asyncio.run(main())) == 1


def test_while_one_with_a_seed_is_decoded_nothing_else_is(gguf: Path) -> None:
    engine = Engine(gguf, "chat", slots=4, context=256, threads=1)
    heard: list[int | None] = []

    def decode(seed: int | None) -> None:
        question = {"messages": [{"role": "user", "content": "Tell me of a bee."}], "stream": True, "max_tokens": 8}

        def hear(_: object) -> bool:
            heard.append(seed)
            return False

        engine.chat(question if seed is None else question | {"seed": seed}, hear)

    threads = [threading.Thread(target=decode, args=(seed,)) for seed in (None, 1, None, 2, None)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()

    for seed in (1, 2):
        first = heard.index(seed)
        assert heard[first : first + heard.count(seed)] == [seed] * heard.count(seed)


def test_a_prompt_that_does_not_fit_says_what_to_do(local: LocalModel) -> None:
    with pytest.raises(ContextTooLong, match=r"exceeds the available context size \(2048 tokens\).*; send fewer or"):
        ask(local, Request([user("bees " * 3000)]))
    with pytest.raises(ContextTooLong, match=r"LocalModel\(context=…\)"):
        asyncio.run(local.embed(["bees " * 3000]))


def test_pictures_are_refused(local: LocalModel) -> None:
    with pytest.raises(ModelError, match="cannot see pictures"):
        ask(local, Request([Turn("user", (Image(b"", "image/png"), Text("What is this?")))]))


def test_every_kind_of_turn_reaches_the_template(local: LocalModel) -> None:
    turns = [
        user("One."),
        user("Two \ud800 \0."),
        assistant("Three."),
        Turn("assistant", (Text("Four."), ToolCall("1", "gone", "{}"))),
        Turn("tool", (ToolResult("1", "gone", "no such tool", failed=True),)),
        system("Be brief."),
        user("😀"),
    ]

    assert ask(local, Request(turns, settings=Settings(max_tokens=4))).usage.input_tokens > 40


def test_an_answer_that_does_not_come_in_time_is_given_up(local: LocalModel) -> None:
    with pytest.raises(ModelUnavailable, match=r"no whole answer within 0\.05 s"):
        ask(local, Request([user("bees " * 1000)], settings=Settings(timeout=0.05)))


def test_a_cancelled_call_frees_its_slot_even_while_the_prompt_is_read(gguf: Path) -> None:
    async def main() -> float:
        model = LocalModel(gguf, slots=1)
        short = Request([user("Hi")], settings=Settings(max_tokens=2))
        await model.complete(short)
        begun = time.perf_counter()
        with pytest.raises(ModelUnavailable):
            await model.complete(Request([user("bees " * 1800)], settings=Settings(timeout=0.2)))
        await model.complete(short)
        await model.aclose()
        return time.perf_counter() - begun

    assert asyncio.run(main()) < 8  # reading that prompt takes about 20 s


def test_it_gives_back_its_threads_memory_and_socket(gguf: Path) -> None:
    async def once() -> None:
        model = LocalModel(gguf)
        await model.complete(Request([user("Hi")], settings=Settings(max_tokens=2)))
        await model.embed(["bee"])
        await model.aclose()
        await model.aclose()

    def native() -> int:
        tasks = Path("/proc/self/task")  # on Linux
        return len(list(tasks.iterdir())) if tasks.exists() else 0

    before = threading.active_count()
    asyncio.run(once())  # llama.cpp keeps a thread of its own for its log, once
    first = native()
    asyncio.run(once())
    until = time.monotonic() + 5
    while native() > first and time.monotonic() < until:
        time.sleep(0.01)  # its threads end a little later than it says
    assert native() <= first
    assert threading.active_count() == before


def test_it_can_be_closed_as_soon_as_it_is_loaded(gguf: Path) -> None:
    async def main() -> None:
        for _ in range(4):
            model = LocalModel(gguf, slots=1, context=256)
            asking = asyncio.create_task(model.complete(Request([user("Hi")])))
            await asyncio.sleep(0)  # it has begun to load
            asking.cancel()
            await model.aclose()

    asyncio.run(main())


def test_closing_ends_the_calls_that_run_and_those_that_wait(gguf: Path) -> None:
    async def main() -> list[object]:
        model = LocalModel(gguf, slots=2)
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in model.stream(Request([user("Tell a long story.")], settings=Settings(max_tokens=1000))):
                begun.set()

        calls = [asyncio.create_task(read()) for _ in range(4)]
        await begun.wait()
        await model.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(ModelUnavailable, match="it was closed; make another LocalModel"):
            await model.complete(Request([user("Hi")]))
        return list(outcomes)

    outcomes = asyncio.run(main())
    assert all(isinstance(outcome, ModelUnavailable) for outcome in outcomes), outcomes


def test_one_model_serves_several_event_loops(local: LocalModel) -> None:
    request = Request([user("Hi")], settings=Settings(max_tokens=2))
    answers: list[Completion] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(local, request))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 3


def test_an_engine_without_llguidance_holds_to_the_schema_in_its_own_way(gguf: Path) -> None:
    engine = Engine(gguf, "chat", slots=1, context=256, threads=1)
    engine._guided = False
    said: list[str] = []

    def hear(chunk: dict[str, Any]) -> bool:
        said.extend(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))
        return False

    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"enum": ["bid"]}}}
    question = {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 30}
    engine.chat(question | {"grammar": "not a grammar", "response_format": form}, hear)
    engine.close()

    assert json.loads("".join(said)) == "bid"


def test_it_says_how_it_was_made() -> None:
    given = LocalModel(slots=2, context=512, threads=3, temperature=0.1)

    assert (given.slots, given.context, given.threads, given.temperature) == (2, 512, 3, 0.1)
    assert 1 <= LocalModel().threads <= (os.cpu_count() or 1)


def test_without_weights_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(ModelUnavailable) as raised:
        ask(LocalModel(), Request([user("Hi")]))
    assert str(raised.value).endswith("fetch them with: llm-net models pull smollm2")


def test_a_file_that_is_no_gguf_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"no")

    with pytest.raises(ModelUnavailable, match=r"no\.gguf could not be loaded .*is it a GGUF file\?"):
        ask(LocalModel(tmp_path / "no.gguf"), Request([user("Hi")]))
    with pytest.raises(ModelUnavailable, match=r"there is no file .*gone\.gguf"):
        ask(LocalModel(tmp_path / "gone.gguf"), Request([user("Hi")]))


def test_weights_that_come_later_are_found(gguf: Path, tmp_path: Path) -> None:
    async def main() -> Completion:
        model = LocalModel(cache=tmp_path)
        request = Request([user("Hi")], settings=Settings(max_tokens=2))
        with pytest.raises(ModelUnavailable):
            await model.complete(request)
        (tmp_path / "models").mkdir()
        os.link(gguf, tmp_path / "models" / gguf.name)
        answer = await model.complete(request)
        await model.aclose()
        return answer

    assert asyncio.run(main()).usage.output_tokens == 2


def test_related_texts_have_nearer_vectors(local: LocalModel) -> None:
    result = asyncio.run(
        local.embed(["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Copper fell by 3%.", ""])
    )

    def near(a: int, b: int) -> float:
        return sum(x * y for x, y in zip(result.vectors[a], result.vectors[b], strict=True))

    assert near(0, 1) > near(0, 2)
    assert near(0, 0) == pytest.approx(1.0, abs=1e-3)
    assert asyncio.run(local.embed([])).usage == Usage(cost=Decimal(0))


def test_control_c_still_works_after_loading(local: LocalModel) -> None:
    """llama.cpp's own server takes the signal handlers; inside another program it must not."""
    ask(local, Request([user("Hi")], settings=Settings(max_tokens=1)))

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_program_that_forgets_to_close_still_ends(gguf: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from llm_net.llm.local import LocalModel\n"
        "from llm_net.chat import Request, Settings, user\n"
        "async def main():\n"
        "    stream = LocalModel(sys.argv[1]).stream(Request([user('Hi')], settings=Settings(max_tokens=1000)))\n"
        "    print(type(await anext(stream)).__name__)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(gguf)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "TextDelta\n", "")


def test_where_there_are_no_unix_sockets_its_listener_wants_a_key_and_lets_no_page_in(gguf: Path) -> None:
    engine = Engine(gguf, "chat", slots=1, context=256, threads=1, unix=False)
    try:
        request = urllib.request.Request(
            f"{engine.address}/v1/chat/completions",
            data=b'{"messages": []}',
            headers={"Origin": "https://evil.example", "Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=5)
        assert raised.value.code == 401
        assert raised.value.headers["Access-Control-Allow-Origin"] != "https://evil.example"
        raised.value.close()
    finally:
        engine.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no Unix sockets")
def test_elsewhere_nobody_can_reach_its_listener(gguf: Path) -> None:
    engine = Engine(gguf, "chat", slots=1, context=256, threads=1)
    address = engine.address
    engine.close()

    assert address.startswith("unix://")
    assert not Path(address.removeprefix("unix://")).parent.exists()
