"""An assistant with a model that says what each test wrote for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest

from llm_net import GenAgent, GenNetwork, Limits, Message, simulation
from llm_net.agents.assistant import Assistant
from llm_net.chat import Chunk, Completion, Embeddings, Request, Settings, Text, TextDelta, ToolCall, ToolResult, Usage
from llm_net.errors import AgentFailed, InvalidOutput, LimitReached


class Script:
    """A model that gives prepared answers in order, and keeps the requests."""

    name = "script"
    price = None

    def __init__(self, *answers: str | list[ToolCall] | Callable[[Request], str]) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, list):
            return Completion(tuple(answer), Usage(1, 10, 5), self.name, "tools")
        return Completion((Text(answer if isinstance(answer, str) else answer(request)),), Usage(1, 10, 5), self.name)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk]:
        whole = await self.complete(request)
        for word in whole.text.split(" "):
            yield TextDelta(word)
        yield whole

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        return Embeddings((), Usage(), self.name)

    async def aclose(self) -> None: ...


class Review(Message):
    "Ask for a review of a text"

    text: str


class Critic(GenAgent):
    """Says what is wrong with a text."""

    def review(self, message: Review) -> Message:
        return message.reply(body=f"{message.text!r} is too long")


def call(function: str, **arguments: object) -> list[ToolCall]:
    return [ToolCall("1", function, json.dumps(arguments))]


def answer(agent: GenAgent, body: str = "Go", *, method: str = "request", others: Sequence[GenAgent] = ()) -> Message:
    """What an agent among others answers to the outside."""
    network = GenNetwork(agents=[agent, *(others or [Critic(id="critic")])])

    async def main() -> Message:
        async with network.run(Message(body=body, method=method, receiver=agent)) as run:
            result = await run.wait()
        assert result is not None
        return result

    return asyncio.run(main())


def said(request: Request) -> list[str]:
    """The turns of a request after its instructions."""
    return [turn.text for turn in request.turns[1:]]


# ---------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("method", ["ask", "chat", "query", "request"])
def test_the_answer_is_the_model_s_words(method: str) -> None:
    script = Script("Hello to you")

    reply = answer(Assistant(id="anna", model=script), "Hello", method=method)

    assert (reply.method, reply.body, reply.reply_to and reply.reply_to.body) == ("response", "Hello to you", "Hello")
    assert script.requests[0].turns[0].role == "system"
    assert said(script.requests[0]) == ["Hello"]


def test_it_works_without_a_network() -> None:
    [reply] = Assistant(model=Script("Hello")).receive(Message(body="Hi"))

    assert reply.body == "Hello"


def test_it_remembers_a_conversation_and_mixes_no_two() -> None:
    script = Script("one", "two", "three")
    anna = Assistant(model=script)

    for conversation, body in [("a", "1"), ("b", "2"), ("a", "3")]:
        list(anna.receive(Message(body=body, conversation=conversation)))

    assert [said(request) for request in script.requests] == [["1"], ["2"], ["1", "one", "3"]]


def test_what_it_is_told_it_remembers_without_an_answer() -> None:
    script = Script("Blue")
    anna = Assistant(model=script)
    told = Message(method="inform", body="The sky is blue.")

    assert list(anna.receive(told)) == []
    list(anna.receive(told.reply(body="What colour is it?", method="ask", receiver=anna)))

    assert said(script.requests[0]) == ["The sky is blue.", "What colour is it?"]


def test_what_it_is_told_is_bounded_too() -> None:
    anna = Assistant(model=Script(), history=3)

    for n in range(10):
        list(anna.receive(Message(method="tell", body=str(n), conversation="c")))

    assert [turn.text for turn in anna.chats["c"]] == ["7", "8", "9"]


def test_a_long_conversation_is_shown_from_a_question_on() -> None:
    script = Script(*(f"answer {n}" for n in range(5)))
    anna = Assistant(model=script, history=4)

    for n in range(5):
        list(anna.receive(Message(body=f"question {n}", conversation="c")))

    assert said(script.requests[-1]) == ["question 3", "answer 3", "question 4"]
    assert len(anna.chats["c"]) == 4


def test_the_conversation_that_was_quiet_longest_is_forgotten() -> None:
    anna = Assistant(model=Script(*"1234"), conversations=2)

    for conversation in "abac":
        list(anna.receive(Message(body="?", conversation=conversation)))

    assert list(anna.chats) == ["a", "c"]


def test_its_state_is_saved_and_restored_without_the_model() -> None:
    anna = Assistant(id="anna", model=Script(call("add", a=1, b=2), "3"), tools=[add], settings=Settings(stop=(".",)))
    list(anna.receive(Message(body="1 + 2?", conversation="c")))

    saved = anna.model_dump_json()
    restored = Assistant.model_validate({**json.loads(saved), "model": Script("4")})

    assert [turn.role for turn in restored.chats["c"]] == ["user", "assistant", "tool", "assistant"]
    assert restored.chats == anna.chats
    assert restored.settings == anna.settings


def test_a_failed_model_leaves_the_conversation_as_it_was() -> None:
    def fail(request: Request) -> str:
        raise RuntimeError("out of order")

    anna = Assistant(model=Script("one", fail))
    list(anna.receive(Message(body="1", conversation="c")))

    with pytest.raises(AgentFailed, match="out of order"):
        list(anna.receive(Message(body="2", conversation="c")))

    assert [turn.text for turn in anna.chats["c"]] == ["1", "one"]


def test_a_typed_message_is_shown_with_its_fields() -> None:
    class Editor(Assistant):
        async def areview(self, message: Review) -> object:
            return await self.areply(message)

    script = Script("Shorter")

    list(Editor(model=script).receive(Review(text="On bees")))

    assert said(script.requests[0]) == ['{"text":"On bees"}']


# ---------------------------------------------------------------------------------------------- pieces


def test_each_piece_is_an_event_while_the_answer_is_written() -> None:
    heard: list[str] = []
    anna = Assistant(model=Script("Bees fly far"))
    anna.on("delta", lambda event: heard.append(event.message.body))

    [reply] = anna.receive(Message(body="Bees?"))

    assert heard == ["Bees", "fly", "far"]
    assert reply.body == "Bees fly far"


def test_a_linked_agent_hears_the_pieces_too() -> None:
    class Screen(GenAgent):
        shown: list[str] = []

        def delta(self, message: Message) -> None:
            self.shown.append(message.body)

    anna, screen = Assistant(model=Script("Bees fly")), Screen()
    network = GenNetwork(agents=[anna, screen], links=[(anna, "delta", screen)])

    list(network.receive(Message(body="Bees?", receiver=anna)))

    assert screen.shown == ["Bees", "fly"]


# ---------------------------------------------------------------------------------------------- by function call


def test_the_model_writes_to_another_agent_and_goes_on_with_the_reply() -> None:
    script = Script(call("review", receiver="critic", text="On bees"), "It is too long")

    reply = answer(Assistant(id="anna", model=script))

    assert reply.body == "It is too long"
    first, second = script.requests
    assert [tool.name for tool in first.tools] == ["review"]
    assert "critic (Says what is wrong with a text)" in first.turns[0].text
    assert second.turns[-1].parts == (ToolResult("1", "review", "'On bees' is too long"),)


def test_the_model_may_be_kept_from_writing() -> None:
    script = Script(call("review", receiver="critic", text="On bees"), "I cannot")

    answer(Assistant(model=script, writes=()))

    assert script.requests[0].tools == []
    assert script.requests[0].turns[0].text == "You are a helpful assistant."
    assert "There is no such function; there are none" in str(script.requests[1].turns[-1])


def test_wrong_arguments_are_told_to_the_model() -> None:
    script = Script(
        call("review", receiver="nobody", text="On bees"),
        call("view", receiver="critic"),
        call("review", receiver="critic", text="On bees"),
        "Done",
    )

    assert answer(Assistant(model=script)).body == "Done"
    results = [turn.parts[0] for turn in script.requests[-1].turns if turn.role == "tool"]
    assert [isinstance(part, ToolResult) and part.failed for part in results] == [True, True, False]
    assert "receiver must be one of critic" in str(results[0])
    assert "There is no such function; there are review" in str(results[1])


def test_what_the_model_asks_of_others_in_one_turn_is_asked_at_once() -> None:
    class Slow(GenAgent):
        seconds: float

        async def areview(self, message: Review) -> Message:
            await asyncio.sleep(self.seconds)
            if message.text == "nonsense":
                raise ValueError("makes no sense")
            return message.reply(body=f"{self.id} has read {message.text}")

    def review(number: int, receiver: str, text: str) -> ToolCall:
        return ToolCall(str(number), "review", json.dumps({"receiver": receiver, "text": text}))

    async def main() -> tuple[float, list[ToolResult]]:
        script = Script([review(1, "anna", "one"), review(2, "bob", "nonsense"), *call("add", a=1, b=2),
                         review(4, "carla", "three")], "Done")  # fmt: skip
        network = GenNetwork(
            agents=[
                Assistant(id="editor", model=script, tools=[add]),
                *(Slow(id=name, seconds=seconds) for name, seconds in (("anna", 3), ("bob", 1), ("carla", 2))),
            ]
        )
        assert (await network.aresult_of(Message(receiver="editor"))).body == "Done"
        parts = [turn.parts[0] for turn in script.requests[-1].turns if turn.role == "tool"]
        return asyncio.get_running_loop().time(), [part for part in parts if isinstance(part, ToolResult)]

    seconds, results = simulation.run(main(), seed=1)

    assert seconds == 3
    assert [(part.content[:16], part.failed) for part in results] == [
        ("anna has read on", False),
        ("'bob' failed at ", True),
        ("3", False),
        ("carla has read t", False),
    ]


def test_who_does_not_answer_in_time_is_told_to_the_model() -> None:
    class Sleepy(GenAgent):
        async def areview(self, message: Review) -> Message:
            await asyncio.sleep(10)
            return message.reply()

    async def main() -> str:
        script = Script(call("review", receiver="bob", text="x"), "Done")
        network = GenNetwork(agents=[Assistant(id="editor", model=script, patience=5.0), Sleepy(id="bob")])
        await network.aresult_of(Message(receiver="editor"))
        return str(script.requests[-1].turns[-1].parts[0])

    assert "'bob' did not answer 'review' within 5 s" in simulation.run(main())


def test_a_model_that_never_gets_it_right_is_a_clear_error() -> None:
    script = Script(*[call("review", receiver="nobody", text="")] * 3)

    with pytest.raises(AgentFailed, match=r"no answer after 3 calls: .*receiver must be one of critic") as failed:
        answer(Assistant(model=script, rounds=3))

    assert isinstance(failed.value.__cause__, InvalidOutput)


def test_a_message_to_whoever_asked_is_the_answer() -> None:
    class Chief(GenAgent):
        got: list[Message] = []

        async def arequest(self, message: Message) -> None:
            self.got.append(await self.call(Message(body="Write", receiver=self.network["anna"])))

        def review(self, message: Review) -> None:
            raise AssertionError("it is an answer, not a new message")

    chief = Chief(id="chief")
    anna = Assistant(id="anna", model=Script(call("review", receiver="chief", text="On bees")))
    network = GenNetwork(agents=[chief, anna])

    list(network.receive(Message(receiver=chief)))

    assert [(type(message), message.sender) for message in chief.got] == [(Review, anna)]
    assert [turn.role for turn in anna.chats[chief.got[0].conversation]] == ["user", "assistant", "tool"]


def test_the_failure_of_another_agent_is_told_to_the_model() -> None:
    class Broken(GenAgent):
        def check(self, message: Message) -> None:
            raise RuntimeError("out of order")

    script = Script(call("check", receiver="broken", body="?"), "It cannot be checked")
    reply = answer(Assistant(model=script), others=[Broken(id="broken")])

    assert reply.body == "It cannot be checked"
    assert "out of order" in str(script.requests[1].turns[-1])


def test_nobody_waits_for_an_answer_to_what_is_only_told() -> None:
    class Diary(GenAgent):
        lines: list[str] = []

        def log(self, message: Message) -> None:
            self.lines.append(message.body)

    diary = Diary(id="diary")
    script = Script(call("log", receiver="diary", body="A request came"), "Noted")
    reply = answer(Assistant(model=script), others=[diary])

    assert (reply.body, diary.lines) == ("Noted", ["A request came"])


def test_assistants_that_ask_each_other_in_a_ring_are_told_so() -> None:
    one = Script(call("ask", receiver="two", body="?"), "one is done", "one again")
    two = Script(call("ask", receiver="three", body="?"), "two is done")
    three = Script(call("ask", receiver="one", body="?"), "three is done")
    assistants = [Assistant(id=id, model=model) for id, model in {"one": one, "two": two, "three": three}.items()]

    reply = answer(assistants[0], others=assistants[1:])

    assert reply.body == "one is done"
    assert "deadlock: " in str([*one.requests, *two.requests, *three.requests])


# ---------------------------------------------------------------------------------------------- tools


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def divide(a: int, b: int) -> float:
    if b == 0:
        raise ValueError("b must not be 0")
    return a / b


def test_the_model_calls_functions() -> None:
    script = Script([*call("add", a=1, b=2), ToolCall("2", "divide", '{"a": 1, "b": 2}')], "3 and 0.5")

    [reply] = Assistant(model=script, tools=[add, divide]).receive(Message(body="1 + 2? 1 / 2?"))

    assert reply.body == "3 and 0.5"
    assert [(tool.name, tool.description, tool.strict) for tool in script.requests[0].tools] == [
        ("add", "Add two numbers.", True),
        ("divide", "divide", True),
    ]
    assert [turn.parts for turn in script.requests[1].turns[-2:]] == [
        (ToolResult("1", "add", "3"),),
        (ToolResult("2", "divide", "0.5"),),
    ]


def test_what_a_function_says_is_wrong_is_told_to_the_model() -> None:
    script = Script(call("add", a="one"), call("divide", a=1, b=0), call("subtract"), "I cannot")

    list(Assistant(model=script, tools=[add, divide]).receive(Message(body="?")))

    results = [turn.parts[0] for turn in script.requests[-1].turns if turn.role == "tool"]
    assert [part.content for part in results if isinstance(part, ToolResult) and part.failed] == [
        "a: Input should be a valid integer, unable to parse string as an integer. b: Missing required argument.",
        "b must not be 0",
        "Arguments of subtract are wrong. There is no such function; there are add, divide.",
    ]


def test_another_error_of_a_function_fails_the_agent() -> None:
    def crash() -> None:
        raise RuntimeError("out of order")

    with pytest.raises(AgentFailed, match="out of order"):
        list(Assistant(model=Script(call("crash")), tools=[crash]).receive(Message(body="?")))


def test_the_limits_of_the_run_hold() -> None:
    script = Script(*[call("add", a=1, b=2)] * 8)
    anna = Assistant(model=script, tools=[add], settings=Settings(max_tokens=10))

    with pytest.raises(LimitReached, match="tokens"):
        list(anna.receive(Message(body="?"), limits=Limits(tokens=200)))

    assert len(script.requests) < 8
