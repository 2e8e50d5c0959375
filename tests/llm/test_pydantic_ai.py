"""Models of providers: a real OpenAI-compatible server, and one that does what goes wrong in the world."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from decimal import Decimal

import pytest
from pydantic_ai.models.test import TestModel

from llm_net.chat import (
    Chunk,
    Completion,
    Embeddings,
    Image,
    Output,
    Price,
    Request,
    Settings,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    assistant,
    system,
    user,
)
from llm_net.errors import ContextTooLong, InvalidOutput, ModelError, ModelUnavailable, RateLimited
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.testing import check_model
from tests.llm.servers import Endpoint, FaultServer

WEATHER = Tool("get_weather", "Tell the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
pytestmark = pytest.mark.server

HELLO = Request([user("Hello")], settings=Settings(timeout=5.0))
CALLING = Request([user("Weather?")], tools=[WEATHER], settings=Settings(timeout=5.0))


def complete(model: ProviderModel, request: Request = HELLO) -> Completion:
    async def main() -> Completion:
        try:
            return await model.complete(request)
        finally:
            await model.aclose()

    return asyncio.run(main())


def stream(model: ProviderModel, request: Request = HELLO) -> list[Chunk]:
    async def main() -> list[Chunk]:
        try:
            return [chunk async for chunk in model.stream(request)]
        finally:
            await model.aclose()

    return asyncio.run(main())


def embed(model: ProviderModel, texts: list[str]) -> Embeddings:
    async def main() -> Embeddings:
        try:
            return await model.embed(texts)
        finally:
            await model.aclose()

    return asyncio.run(main())


def at(faults: FaultServer, fate: str, **kwargs: object) -> ProviderModel:
    faults.asked.clear()
    return ProviderModel("fate", base_url=faults.url(fate), **kwargs)  # type: ignore[arg-type]  # its own arguments


# ---------------------------------------------------------------------------------------------- a real server


@pytest.mark.model
def test_a_model_behind_a_real_server_is_a_model(llama: Endpoint) -> None:
    """SmolLM2's template ignores tools, and the server was not started for embeddings."""
    model = ProviderModel("smollm2", base_url=llama.base_url, api_key=llama.key)
    asyncio.run(check_model(model, without={"tools", "embeddings"}))


@pytest.mark.model
def test_a_wrong_key_is_refused_with_a_sentence_that_does_not_show_it(llama: Endpoint) -> None:
    with pytest.raises(
        ModelError, match=r"the provider refuses the key: Invalid API Key \(401\); give another"
    ) as raised:
        complete(ProviderModel("smollm2", base_url=llama.base_url, api_key="sk-wrong"))
    assert not raised.value.transient
    assert "sk-wrong" not in str(raised.value)


@pytest.mark.model
def test_what_a_server_cannot_do_is_not_worth_another_try(llama: Endpoint) -> None:
    model = ProviderModel("smollm2", base_url=llama.base_url, api_key=llama.key)
    with pytest.raises(ModelError, match=r"the provider cannot do this: .*does not support embeddings") as raised:
        embed(model, ["bee"])
    assert not raised.value.transient


@pytest.mark.model
def test_one_model_serves_one_event_loop_after_another_and_two_at_once(llama: Endpoint) -> None:
    model = ProviderModel("smollm2", base_url=llama.base_url, api_key=llama.key)
    request = Request([system("Be brief."), user("Hi")], settings=Settings(max_tokens=2))
    answers: list[Completion] = []

    def ask() -> None:
        answers.append(complete(model, request))

    for _ in range(2):
        ask()
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4


# ---------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("fate", "kind", "sentence"),
    [
        ("rate-limited", RateLimited, r"rate limited: Slow down \(429\); try again after 7 s"),
        ("broke", ModelUnavailable, r"It broke \(500\); try again"),
        ("out-of-money", ModelError, "quota is used up: .*; top it up"),
        ("too-long", ContextTooLong, "maximum context length is 8 tokens .*; send fewer or shorter turns"),
        ("refused", ModelError, r"refuses the request: Unknown parameter \(400\)"),
        ("missing", ModelError, r"does not have it: No such model \(404\); look at the name"),
        ("no-json", ModelUnavailable, "try again"),
    ],
)
def test_what_goes_wrong_is_an_error_of_ours_after_one_request(
    faults: FaultServer, fate: str, kind: type[ModelError], sentence: str
) -> None:
    for way in (complete, stream):
        with pytest.raises(kind, match=sentence) as raised:
            way(at(faults, fate))
        assert type(raised.value) is kind
        assert raised.value.transient == (kind in (RateLimited, ModelUnavailable))
        assert len(faults.asked) == 1
        if isinstance(raised.value, RateLimited):
            assert raised.value.retry_after == 7.0


def test_a_connection_that_breaks_in_the_middle_is_an_error(faults: FaultServer) -> None:
    with pytest.raises(ModelUnavailable, match="try again"):
        stream(at(faults, "reset"))


@pytest.mark.parametrize("fate", ["hang", "halt"])
def test_a_server_that_stops_talking_is_not_waited_for_beyond_the_timeout(faults: FaultServer, fate: str) -> None:
    impatient = Request([user("Hello")], settings=Settings(timeout=0.2))
    for way in (complete, stream):
        with pytest.raises(ModelUnavailable, match=r"no whole answer within 0\.2 s"):
            way(at(faults, fate), impatient)


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModelUnavailable, match="Connection error"):
        complete(ProviderModel("x", base_url="http://127.0.0.1:9/v1"))


def test_a_reader_may_stop_in_the_middle(faults: FaultServer) -> None:
    async def main() -> Completion:
        model = at(faults, "halt")
        chunks = model.stream(HELLO)
        assert await anext(chunks) == TextDelta("The beginning")
        assert isinstance(chunks, AsyncGenerator)
        await chunks.aclose()
        await model.aclose()
        other = at(faults, "chatter")
        answer = await other.complete(HELLO)
        await other.aclose()
        return answer

    assert asyncio.run(main()).text == "One, two, three, four."


# ---------------------------------------------------------------------------------------------- the question


def test_every_part_of_a_conversation_reaches_the_provider(faults: FaultServer) -> None:
    turns = [
        system("Be brief."),
        Turn("user", (Text("What is this?"), Image(b"png", "image/png"))),
        Turn("assistant", (Text("I look."), ToolCall("c1", "look", '{"at": 1}'))),
        Turn("tool", (ToolResult("c1", "look", "a bee"),)),
        assistant("A bee."),
        user("Thanks"),
    ]
    settings = Settings(temperature=0.5, max_tokens=9, seed=4, stop=("\n",), timeout=5.0)
    complete(at(faults, "chatter"), Request(turns, tools=[WEATHER], tool_choice="none", settings=settings))

    (body,) = faults.asked
    assert body["model"] == "fate"
    messages = body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    picture = messages[1]["content"][1]["image_url"]["url"]
    assert picture == f"data:image/png;base64,{base64.b64encode(b'png').decode()}"
    assert messages[2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert (messages[3]["tool_call_id"], messages[3]["content"]) == ("c1", "a bee")
    assert (body["temperature"], body["seed"], body["stop"], body["tool_choice"]) == (0.5, 4, ["\n"], "none")
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_a_server_is_asked_for_its_own_name_of_the_model(faults: FaultServer) -> None:
    faults.asked.clear()
    complete(ProviderModel("openai:llama3.2:1b", base_url=faults.url("chatter")))

    assert faults.asked[0]["model"] == "llama3.2:1b"


def test_what_no_encoding_carries_is_neither_sent_nor_received(faults: FaultServer) -> None:
    answer = complete(at(faults, "odd"), Request([user("lone \ud83d, nul \0, pair \ud83d\ude00")]))

    assert faults.asked[0]["messages"][0]["content"] == "lone \ufffd, nul \ufffd, pair 😀"
    assert answer.text == "a\ufffdb\ufffdc😀"
    *deltas, last = stream(at(faults, "odd"))
    assert isinstance(last, Completion)
    assert last.text == answer.text
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == last.text


def test_a_form_is_asked_for_natively_and_wrapped_where_it_is_no_object(faults: FaultServer) -> None:
    request = Request([user("Choose")], output=Output({"enum": ["bid", "refuse"]}, name="choice"))

    assert complete(at(faults, "wrapped"), request).text == '"bid"'
    asked = faults.asked[0]["response_format"]["json_schema"]
    assert asked["name"] == "choice"
    assert asked["schema"]["properties"]["answer"] == {"enum": ["bid", "refuse"]}
    assert stream(at(faults, "wrapped"), request)[0] == TextDelta('"bid"')


def test_where_a_provider_has_no_forms_the_answer_is_asked_for_as_a_call() -> None:
    """TestModel has no native structured output; it calls what it is given."""
    schema = {"type": "object", "properties": {"price": {"type": "integer", "minimum": 3}}, "required": ["price"]}
    model = ProviderModel(TestModel(profile={"supports_json_schema_output": False}))
    request = Request([user("Offer")], output=Output(schema))

    assert json.loads(complete(model, request).text) == {"price": 3}
    *deltas, last = stream(model, request)
    assert isinstance(last, Completion)
    assert json.loads(last.text) == {"price": 3}
    assert last.finish == "stop"
    assert len(deltas) == 1


# ---------------------------------------------------------------------------------------------- the answer


def test_a_call_of_a_tool_comes_back_with_its_id(faults: FaultServer) -> None:
    call = ToolCall("call_9", "get_weather", '{"city":"Oslo"}')

    answer = complete(at(faults, "call"), CALLING)
    assert (answer.parts, answer.finish) == ((call,), "tools")
    (streamed,) = stream(at(faults, "call"), CALLING)
    assert isinstance(streamed, Completion)
    assert streamed.parts == (call,)
    assert streamed.finish == "tools"


def test_an_answer_without_the_tool_that_was_required_is_an_error(faults: FaultServer) -> None:
    required = Request([user("Weather?")], tools=[WEATHER], tool_choice="required")
    for way in (complete, stream):
        with pytest.raises(InvalidOutput, match="without calling a tool"):
            way(at(faults, "chatter"), required)
    assert faults.asked[0]["tool_choice"] == "required"


def test_an_answer_in_another_form_is_an_error(faults: FaultServer) -> None:
    for way in (complete, stream):
        with pytest.raises(InvalidOutput, match="its answer breaks the schema: it is not JSON") as found:
            way(at(faults, "chatter"), Request([user("x")], output=Output({"type": "object"})))
        assert found.value.usage is not None
        assert found.value.usage.requests == 1
        assert found.value.usage.tokens > 0


def test_a_refusal_is_told_as_one(faults: FaultServer) -> None:
    answer = complete(at(faults, "refusal"))

    assert (answer.text, answer.finish) == ("I will not.", "refusal")
    assert stream(at(faults, "refusal"))[0] == TextDelta("I will not.")


def test_stop_strings_are_kept_also_by_servers_that_ignore_them(faults: FaultServer) -> None:
    request = Request([user("Count")], settings=Settings(stop=(", th", "fifth")))

    assert (complete(at(faults, "chatter"), request).text, stream(at(faults, "chatter"), request)[-1]) == (
        "One, two",
        complete(at(faults, "chatter"), request),
    )


def test_usage_is_estimated_where_a_server_does_not_count(faults: FaultServer) -> None:
    for answer in (complete(at(faults, "uncounted")), stream(at(faults, "uncounted"))[-1]):
        assert isinstance(answer, Completion)
        usage = answer.usage
        assert usage.requests == 1
        assert usage.input_tokens > 0
        assert usage.output_tokens > 0
        assert usage.cost is None


def test_the_cost_is_that_of_the_price_that_was_given(faults: FaultServer) -> None:
    model = at(faults, "chatter", price=Price(Decimal(2), Decimal(10)))

    assert model.price == Price(Decimal(2), Decimal(10))
    assert complete(model).usage.cost == Decimal("0.000072")  # 11 tokens in, 5 out


def test_the_price_of_a_known_model_is_known() -> None:
    model = ProviderModel("openai:gpt-4o-mini", api_key="none")

    assert model.name == "openai:gpt-4o-mini"
    assert model.price == Price(Decimal("0.15"), Decimal("0.6"))
    assert ProviderModel("anything", base_url="http://127.0.0.1:9/v1").price is None


def test_embeddings_come_in_the_order_of_the_texts(faults: FaultServer) -> None:
    result = embed(at(faults, "vectors"), ["a", "bb", "ccc"])

    assert result.vectors == ((1.0, 0.0), (2.0, 0.0), (3.0, 0.0))
    assert result.usage.input_tokens == 7
    assert len(faults.asked) == 1
    with pytest.raises(RateLimited):
        embed(at(faults, "rate-limited"), ["a"])
    assert len(faults.asked) == 1  # the client's own retries are off
    with pytest.raises(ModelError, match="it has no embeddings; name a model that has"):
        embed(ProviderModel("openai:gpt-4o-mini", api_key="none"), ["a"])


# ---------------------------------------------------------------------------------------------- before a request


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("openai:gpt-5", "it has no key; set OPENAI_API_KEY in the environment, or give api_key=…"),
        ("ollama:qwen3", "it has no address; set OLLAMA_BASE_URL in the environment, or give base_url=…"),
        ("opnai:gpt-5", "there is no such model; write provider:name, such as openai:gpt-5"),
        ("gpt-5", "there is no such model; write provider:name, such as"),
    ],
)
def test_what_is_missing_is_said_before_the_first_request(
    name: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OPENAI_API_KEY", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(ModelError, match=sentence) as raised:
        ProviderModel(name)
    assert "\n" not in str(raised.value)


def test_a_provider_whose_library_is_missing_says_which() -> None:
    program = (
        "import sys; sys.modules['anthropic'] = None\n"
        "from llm_net.llm.pydantic_ai import ProviderModel\n"
        "ProviderModel('anthropic:claude-sonnet-4-5', api_key='x')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "ModelUnavailable" in done.stderr
    assert "pydantic-ai-slim[anthropic]" in done.stderr


@pytest.mark.parametrize(
    ("module", "use", "sentence"),
    [
        (
            "pydantic_ai",
            "from llm_net.llm.pydantic_ai import ProviderModel; ProviderModel('openai:gpt-5')",
            "a model of a provider needs pydantic-ai-slim; install it with: pip install 'llm_net[ai]'",
        ),
        (
            "xllamacpp",
            """
import asyncio
from llm_net.chat import Request, user
from llm_net.llm.local import LocalModel
asyncio.run(LocalModel(sys.executable).complete(Request([user('x')])))
""",
            "the embedded model needs xllamacpp; install it with: pip install 'llm_net[local]'",
        ),
    ],
)
def test_a_missing_library_is_named_with_the_command_that_adds_it(module: str, use: str, sentence: str) -> None:
    program = f"import sys\nsys.modules[{module!r}] = None\n{use}\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert sentence in done.stderr


def test_importing_the_models_imports_no_optional_library() -> None:
    program = (
        "import sys, llm_net.llm, llm_net.llm.local, llm_net.llm.scripted, llm_net.llm.function, llm_net.llm.weights\n"
        "import llm_net.testing, llm_net.llm.pydantic_ai\n"
        "print([name for name in ('xllamacpp', 'pydantic_ai', 'openai', 'httpx2', 'networkx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
