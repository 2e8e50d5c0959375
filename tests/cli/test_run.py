"""`llm-net run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import TEAM, Call, in_a_process


def test_a_run_shows_each_message_who_got_it_and_the_result(call: Call, team: str) -> None:
    called = call("run", team, "bees")

    assert called.code == 0
    lines = called.out.splitlines()
    parts = [line.split() for line in lines[:4]]
    assert [part[1:5] for part in parts] == [
        ["you", "→", "writer", "request"],
        ["writer", "→", "critic", "review"],
        ["writer", "⇢", "archive", "draft"],
        ["writer", "→", "you", "response"],
    ]
    assert lines[4].startswith("done in ")
    assert "4 messages" in lines[4]
    assert lines[-1] == "done: bees"


def test_json_gives_a_line_for_each_message_and_a_summary(call: Call, team: str) -> None:
    called = call("run", team, "bees", "--json")

    *messages, summary = map(json.loads, called.out.splitlines())
    assert [message["address"] for message in messages] == ["writer", "critic", "archive", ""]
    assert [message["kind"] for message in messages] == ["Message", "Review", "Message", "Message"]
    assert messages[1]["text"] == "bees"
    assert messages[3]["reply_to"] == messages[0]["id"]
    assert summary["type"] == "summary"
    assert summary["status"] == "done"
    assert summary["result"]["body"] == "done: bees"
    assert summary["messages"]["sent"] == summary["messages"]["handled"] == 4
    assert summary["usage"]["requests"] == 0


def test_json_tells_a_failure_in_its_summary_too(call: Call, team: str) -> None:
    called = call("run", team, "nonsense", "--json")

    assert called.code == 1
    summary = json.loads(called.out.splitlines()[-1])
    assert summary["status"] == "failed"
    assert "makes no sense" in summary["error"]
    assert "makes no sense" in called.err


def test_the_same_seed_gives_the_same_ids(call: Call, team: str) -> None:
    first, second = (call("run", team, "bees", "--json", "--seed", "7").out.splitlines() for _ in range(2))

    assert [json.loads(line).get("id") for line in first[1:]] == [json.loads(line).get("id") for line in second[1:]]


def test_the_summary_says_which_seed_gives_the_run_again(call: Call, team: str) -> None:
    first = json.loads(call("run", team, "bees", "--json").out.splitlines()[-1])
    again = json.loads(call("run", team, "bees", "--json", "--seed", str(first["seed"])).out.splitlines()[-1])

    assert again["seed"] == first["seed"]


def test_who_alone_understands_the_verb_gets_the_message(call: Call, team: str) -> None:
    called = call("run", team, '{"text": "fine"}', "--method", "review", "--json")

    assert called.code == 0
    assert json.loads(called.out.splitlines()[0])["address"] == "critic"


def test_of_those_who_understand_it_the_nearest_gets_the_message(call: Call, tmp_path: Path) -> None:
    nested = (
        "inner = GenNetwork(id='inner', agents=[Writer(id='deep')])\n"
        "outer = GenNetwork(id='outer', agents=[inner, Writer(id='near'), *TWIN])\n"
    )
    (tmp_path / "one.py").write_text(TEAM.replace("network =", "team =") + nested.replace("*TWIN", ""))
    (tmp_path / "two.py").write_text(TEAM.replace("network =", "team =") + nested.replace("*TWIN", "Writer(id='twin')"))

    assert json.loads(call("run", "one.py:outer", "go", "--json").out.splitlines()[0])["address"] == "near"
    called = call("run", "two.py:outer", "go")
    assert called.code == 2
    assert "several understand 'request'; say who gets it: --to near or --to twin" in called.err


def test_the_one_verb_that_a_receiver_understands_need_not_be_said(call: Call, team: str) -> None:
    called = call("run", team, "a draft", "--to", "archive", "--json")

    assert called.code == 0
    assert json.loads(called.out.splitlines()[0])["method"] == "draft"


def test_a_typed_message_says_what_it_needs(call: Call, team: str) -> None:
    called = call("run", team, "fine", "--to", "critic", "--method", "review")

    assert called.code == 2
    assert "'review' takes the JSON of a Review. It needs text" in called.err


def test_a_typed_message_that_is_wrong_says_why(call: Call, team: str) -> None:
    called = call("run", team, '{"text": 3}', "--to", "critic", "--method", "review")

    assert called.code == 2
    assert "text: Input should be a valid string" in called.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tem.py", "go"], "there is no file 'tem.py'; did you mean team.py?"),
        (["team.py:nework", "go"], "team.py has no agent or network 'nework'; did you mean network?"),
        (["team.py", "go", "--to", "wrter"], "did you mean 'writer'?"),
        (["team.py", "go", "--method", "requst"], "'team' does not understand 'requst'; did you mean request?"),
        (
            ["team.py", "go", "--to", "archive", "--method", "request"],
            "'archive' does not understand 'request'; there is draft",
        ),
    ],
)
def test_a_wrong_name_is_a_wrong_use_and_says_what_was_meant(
    call: Call, team: str, arguments: list[str], sentence: str
) -> None:
    called = call("run", *arguments)

    assert called.code == 2
    assert sentence in called.err


def test_a_limit_ends_the_run_and_says_how_to_raise_it(call: Call, team: str) -> None:
    called = call("run", team, "bees", "--limit-messages", "2")

    assert called.code == 1
    assert "stopped at its limit of 2 messages" in called.out
    assert called.err == "Error: run stopped at its limit of 2 messages; raise it with --limit-messages\n"


def test_a_message_may_come_on_standard_input(team: str) -> None:
    called = in_a_process("run", team, "-", given="bees and\nflowers")

    assert called.out.endswith("done: bees and\nflowers\n")


def test_a_single_agent_runs_too(call: Call, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(
        "from llm_net import GenAgent, Message\n"
        "class Echo(GenAgent):\n"
        "    def request(self, message: Message):\n"
        "        return message.reply(body=message.body * 2)\n"
        "echo = Echo(id='echo')\n"
    )

    assert call("run", "echo.py", "ha").out.endswith("haha\n")
    assert call("run", "echo.py", "ha", "--to", "somebody").code == 2
