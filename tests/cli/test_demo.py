"""`llm-net demo` and its agents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_net import Message
from llm_net.chat import Request, Settings
from llm_net.cli.demo import CHOOSE, HIGHEST, LOWEST, SORT, TASK, TRADES, Propose, Voice, market, script
from llm_net.llm.function import FunctionModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.llm.weights import find
from llm_net.ports import Model
from llm_net.runtime.local import LocalRuntime
from tests.cli.conftest import Call


def messages_of(model: Model, task: str = TASK, seed: int = 1) -> list[Message]:
    """What the agents of the demo say to each other."""
    network = market(lambda id: Voice(model, Settings(max_tokens=48)))
    return list(network.receive(Message(body=task, receiver=network["manager"]), runtime=LocalRuntime(seed=seed)))


def by_method(messages: list[Message], method: str) -> dict[str, Message]:
    return {
        message.sender.id: message for message in messages if message.method == method and message.sender is not None
    }


def test_whoever_takes_the_task_for_its_trade_bids_and_the_others_refuse() -> None:
    messages = messages_of(ScriptedModel([script], cycle=True))

    assert by_method(messages, "propose").keys() == {"anna", "bob"}
    assert by_method(messages, "refuse").keys() == {"carla", "dora"}
    for offer in by_method(messages, "propose").values():
        assert isinstance(offer, Propose)
        assert LOWEST <= offer.price <= HIGHEST


def test_one_is_awarded_the_task_and_reports_and_the_other_is_rejected() -> None:
    messages = messages_of(ScriptedModel([script], cycle=True))

    (accepted,) = [message for message in messages if message.method == "accept"]
    (rejected,) = [message for message in messages if message.method == "reject"]
    (report,) = by_method(messages, "inform").values()
    assert accepted.receiver is not None
    assert rejected.receiver is not None
    assert {accepted.receiver.id, rejected.receiver.id} == {"anna", "bob"}
    assert report.sender == accepted.receiver
    assert messages[-1].body.startswith(f"{accepted.receiver.id} did it for ")
    assert messages[-1].body.endswith(report.body)


def test_every_decision_is_the_models() -> None:
    def insist(request: Request) -> str:
        question = request.turns[0].text
        if question == SORT:
            return json.dumps({"choice": "painting" if "gate" in request.turns[-1].text else "cooking"})
        if request.output is not None and question != CHOOSE:
            return json.dumps({"price": 77})
        return "I said so."

    painted = messages_of(FunctionModel(insist), "Mend the gate.")
    assert painted[-1].body == "carla did it for 77 euros: I said so."
    assert by_method(painted, "propose")["carla"].body == "I said so."


def test_if_nobody_bids_the_manager_says_so() -> None:
    messages = messages_of(ScriptedModel([json.dumps({"choice": "cooking"})], cycle=True))

    assert (messages[-1].method, messages[-1].body) == ("failure", "Nobody wants to do it.")


@pytest.mark.parametrize("trade", TRADES)
def test_the_script_knows_each_trade_by_its_name(trade: str) -> None:
    bids = by_method(messages_of(ScriptedModel([script], cycle=True), f"Some {trade}, please."), "propose")

    assert len(bids) == {"repair": 2, "painting": 1, "translation": 1}.get(trade, 0)


def test_the_same_seed_gives_the_same_words_and_another_seed_others() -> None:
    def words(seed: int) -> set[tuple[str, str]]:
        return {
            (message.method, str(message.content()))
            for message in messages_of(ScriptedModel([script], cycle=True), seed=seed)
        }

    assert words(3) == words(3)
    assert len({frozenset(words(seed)) for seed in range(5)}) > 1


def test_a_model_that_talks_on_is_cut_after_a_sentence() -> None:
    def talk(request: Request) -> str:
        if request.output is not None:
            return str(script(request))
        return "I can do it. I can also sing. And"

    assert messages_of(FunctionModel(talk))[-1].body.endswith(": I can do it.")


def test_the_command_says_who_speaks_and_ends_with_the_award(call: Call) -> None:
    called = call("demo", "--model", "scripted", "--seed", "4")

    assert called.code == 0
    lines = called.out.splitlines()
    assert lines[0] == "A contract net in the words of scripted (no model: lines of a script), seed 4"
    assert lines[1] == f"Task: {TASK}"
    assert any(" model " in line and " tokens in " in line for line in lines)
    assert any(line.startswith("done in ") and "10 model calls" in line and "tokens/s" in line for line in lines)
    assert any(" did it for " in line and not line.startswith(" ") for line in lines)
    assert "--seed 4" in called.out


def test_a_key_in_the_environment_is_offered_and_not_taken(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    called = call("demo", "--model", "scripted")

    assert "OPENAI_API_KEY is set: --model openai:NAME" in called.out
    assert "sk-secret" not in called.out + called.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("smolm2", "there is no model 'smolm2'; did you mean smollm2?"),
        ("other", "there is no model 'other'; there is smollm2, PATH.gguf, PROVIDER:NAME, NAME@URL"),
        ("bes.gguf", "there is no file 'bes.gguf'; did you mean bees.gguf?"),
    ],
)
def test_an_unknown_model_is_a_wrong_use(call: Call, words: str, sentence: str) -> None:
    Path("bees.gguf").touch()

    called = call("demo", "--model", words)

    assert called.code == 2
    assert sentence in called.err


@pytest.mark.filterwarnings("ignore:.*held the event loop")  # on a busy machine, while it connects
@pytest.mark.parametrize("words", ["broken.gguf", "some-model@http://127.0.0.1:9/v1"])
def test_an_error_of_the_model_is_told_as_the_models(call: Call, words: str) -> None:
    Path("broken.gguf").write_bytes(b"not weights")

    called = call("demo", "--model", words)

    assert called.code == 1
    assert called.err.startswith(f"Error: model '{words.partition('@')[0].removesuffix('.gguf')}'")
    assert len(called.err.splitlines()) == 1
    assert "the same seed" not in called.out


@pytest.mark.model
@pytest.mark.filterwarnings("ignore:.*held the event loop")  # on a busy machine
@pytest.mark.skipif(find() is None, reason="the weights are not here: llm-net models pull smollm2")
def test_the_embedded_model_plays_all_parts(call: Call) -> None:
    called = call("demo")

    assert called.code == 0
    assert called.out.startswith("A contract net in the words of SmolLM2-135M-Instruct")
    assert " did it for " in called.out
    assert " tokens/s" in called.out
