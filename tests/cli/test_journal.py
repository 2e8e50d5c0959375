"""The commands about recorded runs: runs, show, why, export, resume, fork, replay; and `run --journal`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llm_net.journal import SqliteJournal
from llm_net.record import Effect, Select
from tests.cli.conftest import ROOT, TEAM, Call, in_a_process, process

OFFICE = """
import asyncio, os, time
from pathlib import Path
from llm_net import GenAgent, GenNetwork, Message

class Clerk(GenAgent):
    granted: list[str] = []

    async def arequest(self, message: Message):
        price = await self.effect("look up", self._look_up, repeats="pure")
        checked = await self.call(Message(method="check", body=f"{message.body} for {price}", receiver="critic"))
        if "gift" in message.body:
            answer = "no need"
        else:
            answer = (await self.call(Message(method="ask", body=f"Shall I buy {message.body}?"))).body
        self.granted.append(answer)
        await self.effect("pay", lambda: self._done("pay"), repeats="once")
        yield message.reply(body=f"{message.body}: {answer}, {checked.body}")

    async def _look_up(self):
        self._done("look up")
        if os.environ.get("STOP") == "look up":
            await asyncio.sleep(60)
        return 12

    def _done(self, what: str) -> None:
        with Path("ledger").open("a") as ledger:
            ledger.write(what + "\\n")
        if os.environ.get("STOP") == what == "pay":
            time.sleep(60)

class Critic(GenAgent):
    def check(self, message: Message):
        return message.reply(body="FINE")

network = GenNetwork(id="office", agents=[Clerk(id="clerk"), Critic(id="critic")])
"""


@pytest.fixture
def office(tmp_path: Path) -> str:
    """The path of a program in which a clerk asks somebody outside, does something outside, and has it checked."""
    path = tmp_path / "office.py"
    path.write_text(OFFICE)
    return str(path)


def ledger(folder: Path) -> list[str]:
    """What was done outside."""
    return (folder / "ledger").read_text().splitlines()


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def ids(call: Call, run: str = "last") -> list[str]:
    return [each["id"] for each in objects(call("show", run, "--json").out)]


def test_a_run_is_recorded_only_if_that_was_asked_for(call: Call, team: str, tmp_path: Path) -> None:
    call("run", team, "bees")
    assert not list(tmp_path.glob("*.db"))

    called = call("run", team, "bees", "--journal", "run.db")

    assert called.code == 0
    assert (tmp_path / "run.db").is_file()
    assert called.err.startswith("run ")
    assert called.err.endswith(" is recorded in run.db\n")


def test_runs_lists_them_the_latest_last(call: Call, team: str) -> None:
    call("run", team, "bees", "--journal", "run.db")
    call("run", team, "nonsense", "--journal", "run.db")

    called = call("runs", "--journal", "run.db")

    first, second = called.out.splitlines()
    assert "team  done, 4 messages" in first
    assert "team  failed, 4 messages" in second
    assert "makes no sense" in second
    listed = objects(call("runs", "--journal", "run.db", "--json").out)
    assert [each["status"] for each in listed] == ["done", "failed"]
    assert first.startswith(listed[0]["run"])


def test_the_journal_may_be_named_once_in_the_environment(
    call: Call, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_NET_JOURNAL", "mine.db")

    call("run", team, "bees")

    assert len(call("runs").out.splitlines()) == 1


def test_a_journal_that_is_not_there_is_a_wrong_use_and_says_what_was_meant(call: Call, team: str) -> None:
    call("run", team, "bees", "--journal", "run.db")

    called = call("runs", "--journal", "rnu.db")

    assert called.code == 2
    assert "there is no journal 'rnu.db'; did you mean run.db?" in called.err


def test_a_file_that_is_no_journal_is_a_clear_error(call: Call, team: str) -> None:
    called = call("runs", "--journal", team)

    assert called.code == 1
    assert called.err.startswith("Error: the journal failed: ")
    assert "Traceback" not in called.err


def test_show_looks_like_the_run_did(call: Call, team: str) -> None:
    live = call("run", team, "bees", "--journal", "llm_net.db").out.splitlines()

    shown = call("show", "last").out.splitlines()

    assert [line.split()[1:] for line in shown[:4]] == [line.split()[1:] for line in live[:4]]
    assert shown[4].endswith("of team: done, 4 messages")


def test_show_tells_what_went_wrong(call: Call, team: str) -> None:
    call("run", team, "nonsense", "--journal", "llm_net.db")

    shown = call("show", "last").out

    assert "critic" in shown
    assert "failed" in shown
    assert "ValueError: makes no sense" in shown


def test_show_takes_filters(call: Call, team: str) -> None:
    call("run", team, "bees and flowers", "--journal", "llm_net.db")

    assert [each["method"] for each in objects(call("show", "last", "--agent", "critic", "--json").out)] == ["review"]
    assert [each["method"] for each in objects(call("show", "last", "--method", "review", "--json").out)] == ["review"]
    assert len(objects(call("show", "last", "--text", "FLOW", "--json").out)) == 3
    assert len(objects(call("show", "last", "--since", "1h", "--json").out)) == 4
    assert objects(call("show", "last", "--since", "2999-01-01", "--json").out) == []
    assert len(call("show", "last", "--text", "flowers").out.splitlines()) == 4
    last = call("show", "last", "--limit", "1")
    assert "done: bees and flowers" in last.out
    assert "these are the last 1 messages" in last.out
    assert call("show", "last", "--since", "soon").code == 2


def test_a_run_is_named_by_the_beginning_of_its_id(call: Call, team: str) -> None:
    for _ in range(2):
        call("run", team, "bees", "--journal", "llm_net.db")
    first, second = (each["run"] for each in objects(call("runs", "--json").out))

    assert call("show", first).code == 0
    ambiguous = call("show", first[:3])
    assert ambiguous.code == 2
    assert f"several runs begin with {first[:3]!r}: {first}, {second}" in ambiguous.err
    unknown = call("show", second + "0")
    assert unknown.code == 2
    assert f"there is no run '{second}0'; did you mean {second}" in unknown.err


def test_why_goes_back_to_the_outside(call: Call, office: str) -> None:
    call("run", office, "gift", "--journal", "llm_net.db")
    result = ids(call)[-1]

    called = call("why", result)

    assert called.code == 0
    lines = [line.strip() for line in called.out.splitlines()]
    assert lines[0].startswith("clerk → outside response: gift: no need, FINE")
    assert "it did look up (pure) → 12" in lines
    assert "it did pay (once) → null" in lines
    assert lines[-1] == "which came from outside"
    why = objects(call("why", result, "--json").out)[0]
    assert why["steps"][0]["handled"]["sender"] == ""
    assert call("why", result + "0").code == 2


def test_a_message_that_two_runs_have_otherwise_needs_the_run(call: Call, office: str) -> None:
    call("run", office, "gift", "--journal", "llm_net.db", "--seed", "7")
    at = ids(call)[1]
    call("fork", "last", office, "--at", at, "--edit", "body=nothing")
    first, second = (each["run"] for each in objects(call("runs", "--json").out))

    called = call("why", ids(call)[-1])

    assert called.code == 2
    assert f"--run {second} or --run {first}" in called.err
    assert call("why", ids(call)[-1], "--run", "last").code == 0


@pytest.mark.parametrize(
    ("form", "begins"), [("jsonl", '{"fact":"begun"'), ("mermaid", "sequenceDiagram"), ("otel", "{")]
)
def test_a_run_is_exported(call: Call, team: str, tmp_path: Path, form: str, begins: str) -> None:
    call("run", team, "bees", "--journal", "llm_net.db")

    printed = call("export", "last", "--format", form)
    written = call("export", "last", "--format", form, "-o", "out")

    assert printed.code == written.code == 0
    assert printed.out.startswith(begins)
    assert (tmp_path / "out").read_text() == printed.out
    assert written.err == "wrote out\n"


def test_a_run_that_waits_is_resumed_with_the_answer(call: Call, office: str, tmp_path: Path) -> None:
    asked = call("run", office, "bread", "--journal", "llm_net.db")
    assert "it waits for an answer: llm-net resume " in asked.err
    assert objects(call("runs", "--json").out)[0]["status"] == "waiting"
    (tmp_path / "office.py").write_text(OFFICE)

    called = call("resume", "last", office, "yes")

    assert called.code == 0
    assert called.out.splitlines()[-1] == "bread: yes, FINE"
    assert ledger(tmp_path) == ["look up", "pay"]
    assert call("replay", "last", office).out.endswith("goes the same way: 6 messages\n")


def test_resume_says_which_questions_are_open(call: Call, office: str) -> None:
    call("run", office, "bread", "--journal", "llm_net.db")
    question = ids(call)[-1]

    wrong = call("resume", "last", office, "yes", "--answers", "nothing")
    right = call("resume", "last", office, "yes", "--answers", question, "--json")

    assert wrong.code == 2
    assert f"--answers {question}  Shall I buy bread?" in wrong.err
    assert objects(right.out)[-1]["result"]["body"] == "bread: yes, FINE"


def test_a_run_whose_process_was_killed_goes_on_and_does_nothing_twice(office: str, tmp_path: Path, call: Call) -> None:
    killed(office, tmp_path, "look up")

    called = call("resume", "last", office, "--json")

    assert called.code == 0
    assert objects(called.out)[-1]["result"]["body"] == "gift: no need, FINE"
    assert ledger(tmp_path) == ["look up", "look up", "pay"]  # pure: may be repeated


def test_a_call_in_doubt_is_settled(office: str, tmp_path: Path, call: Call) -> None:
    killed(office, tmp_path, "pay")

    doubt = call("resume", "last", office)
    assert doubt.code == 1
    key = doubt.err.partition("--settle ")[2].partition("=")[0]
    assert call("resume", "last", office, "--settle", key).code == 2
    assert call("resume", "last", office, "--settle", f"{key}=done").code == 2
    settled = call("resume", "last", office, "--settle", f'{key}="paid"', "--json")

    assert settled.code == 0
    assert ledger(tmp_path) == ["look up", "pay"]


def killed(office: str, folder: Path, at: str) -> None:
    """Run the program in a process that is killed while it does this outside."""
    before = f"import os; os.chdir({str(folder)!r}); os.environ['STOP'] = {at!r}"
    command = process("run", office, "gift", "--journal", "llm_net.db", before=before)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while not (is_done(folder, at) and is_recorded(folder)):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)


def is_done(folder: Path, what: str) -> bool:
    return (folder / "ledger").is_file() and what in ledger(folder)


def is_recorded(folder: Path) -> bool:
    """Whether something of a run is in the journal."""

    async def runs() -> int:
        journal = SqliteJournal(folder / "llm_net.db")
        count = len(await journal.runs())
        await journal.aclose()
        return count

    return asyncio.run(runs()) > 0


def test_a_fork_shows_how_it_differs(call: Call, office: str) -> None:
    call("run", office, "gift", "--journal", "llm_net.db")
    at = ids(call)[1]

    called = call("fork", "last", office, "--at", at, "--edit", "body=something else")

    assert called.code == 0
    assert "- clerk → critic  check: gift for 12" in called.out.splitlines()
    assert "+ clerk → critic  check (edited): something else" in called.out.splitlines()
    parent, fork = objects(call("runs", "--json").out)
    assert fork["parent"] == parent["run"]
    assert f"a fork of {parent['run']}" in call("runs").out
    as_json = objects(call("fork", parent["run"], office, "--at", at, "--json").out)
    assert as_json[-1]["type"] == "difference"
    assert as_json[-1]["pairs"] == []


def test_a_fork_at_a_message_that_is_not_there_is_a_wrong_use(call: Call, office: str) -> None:
    call("run", office, "gift", "--journal", "llm_net.db")

    called = call("fork", "last", office, "--at", "7-1")

    assert called.code == 2
    assert "has no message '7-1'" in called.err
    assert call("fork", "last", office, "--at", ids(call)[1], "--edit", "body").code == 2


def test_replay_shows_the_first_difference(call: Call, office: str, tmp_path: Path) -> None:
    call("run", office, "gift", "--journal", "llm_net.db")
    (tmp_path / "office.py").write_text(OFFICE.replace("FINE", "AWFUL"))

    called = call("replay", "last", office)

    assert called.code == 1
    assert "goes another way: 'critic' at step 2, message 1" in called.out
    assert '-    "body": "FINE",' in called.out
    assert '+    "body": "AWFUL",' in called.out
    found = objects(call("replay", "last", office, "--json").out)[0]
    assert (found["same"], found["agent"], found["number"]) == (False, "critic", 2)
    assert ledger(tmp_path) == ["look up", "pay"]  # once, when it was recorded


def test_a_record_goes_the_same_way_with_the_same_program(team: str, tmp_path: Path) -> None:
    journal = str(tmp_path / "run.db")
    recorded = in_a_process("run", team, "bees", "--journal", journal, "--json")

    replayed = in_a_process("replay", "last", team, "--journal", journal, "--json")

    run = objects(recorded.out)[-1]["run"]
    assert objects(replayed.out) == [{"run": run, "same": True, "messages": 4}]


def test_keys_of_the_environment_do_not_get_into_the_record(
    call: Call, team: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "correct horse battery")

    call("run", team, "it is correct horse battery", "--journal", "run.db")

    assert b"correct horse" not in b"".join(path.read_bytes() for path in tmp_path.glob("run.db*"))
    assert "it is *redacted*" in call("show", "last", "--journal", "run.db").out


def test_what_is_shown_cannot_write_to_the_terminal(call: Call, team: str) -> None:
    call("run", team, "bees\x1b[31m", "--journal", "llm_net.db")

    for command in (["show", "last"], ["why", ids(call)[-1]], ["export", "last", "--format", "mermaid"]):
        assert "\x1b" not in call(*command).out


def test_an_agent_that_was_recorded_outside_of_a_network_is_shown_too(call: Call, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(
        TEAM.partition("class Writer")[0]
        + "class Echo(GenAgent):\n"
        + "    def request(self, message: Message):\n"
        + "        return message.reply(body=message.body * 2)\n"
        + "echo = Echo(id='echo')\n"
    )

    call("run", "echo.py", "ha", "--journal", "llm_net.db")

    assert "you → echo" in call("show", "last").out
    assert "echo → you" in call("show", "last").out
    assert "because echo handled" in call("why", ids(call)[-1]).out
    assert call("replay", "last", "echo.py").code == 0


def test_effects_are_in_the_file(call: Call, office: str, tmp_path: Path) -> None:
    call("run", office, "gift", "--journal", "llm_net.db")

    async def effects() -> list[str]:
        journal = SqliteJournal(tmp_path / "llm_net.db")
        (info,) = await journal.runs()
        names = [
            fact.name async for fact in journal.read(info.run, Select(facts=(Effect,))) if isinstance(fact, Effect)
        ]
        await journal.aclose()
        return names

    assert asyncio.run(effects()) == ["look up", "pay", "pay"]


def test_a_database_needs_its_library(call: Call) -> None:
    called = in_a_process("runs", "--journal", "postgresql://localhost/x", before="sys.modules['psycopg'] = None")

    assert called.code == 1
    assert "psycopg" in called.err


# ---------------------------------------------------------------------------------------------- recorded by a script

GAME = """
import asyncio, sys
from llm_net import GenAgent, GenNetwork, Message
from llm_net.journal import History, SqliteJournal

class Move(Message):
    to: str

class Pawn(GenAgent):
    moves: list[Move] = []

    def move(self, message: Move):
        self.moves.append(message)
        return message.reply(body="moved")

class Player(GenAgent):
    async def arequest(self, message: Message):
        self.network.add(Pawn(id=message.body))
        for square in ("e3", "e4"):
            await self.call(Move(to=square, receiver=message.body))
            answer = await self.call(Message(method="ask", body=f"Stay on {square}?"))
            yield Move(to=answer.body, receiver=message.body)
        yield message.reply(body="mate")

    def response(self, message: Message):
        pass

def network():
    return GenNetwork(id="game", agents=[Player(id="player")])

async def main():
    journal = SqliteJournal("llm_net.db")
    if sys.argv[1:]:
        (run,) = await journal.runs()
        asked = [message async for message in History(journal, run.run).messages(method="ask")][-1]
        answer = Message(id=asked.id, sender="player", receiver="you").reply(body=sys.argv[1])
        going = network().resume(journal, run.run, answer)
    else:
        going = network().run(Message(body="pawn", sender="you", receiver="player"), journal=journal)
    async with going as run:
        pass
    print(run.status)
    await journal.aclose()

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_run_that_a_script_recorded_is_known_at_the_command_line_and_by_the_script_again(
    call: Call, tmp_path: Path
) -> None:
    path = tmp_path / "game.py"
    path.write_text(GAME)

    def script(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, path.name, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    assert script() == "waiting\n"
    assert "__main__:Move" in call("show", "last", "--json").out
    shown = objects(call("show", "last", "--json").out)
    asked = next(each["id"] for each in shown if each["method"] == "ask")
    moved = next(each["id"] for each in shown if each["method"] == "move")
    assert "player handled" in call("why", asked).out

    replayed = call("replay", "last", path.name)
    assert replayed.code == 0, replayed.err
    forked = call("fork", "last", path.name, "--at", moved, "--edit", "to=d3", "--json")
    assert forked.code == 0, forked.err
    assert any("d3" in line for line in call("show", "last").out.splitlines())
    (tmp_path / "llm_net.db").unlink()

    assert script() == "waiting\n"
    resumed = in_a_process("resume", "last", path.name, "no")
    assert resumed.code == 0, resumed.err
    assert {each["kind"] for each in objects(call("show", "last", "--json").out)} >= {"__main__:Move", "game:Move"}
    assert in_a_process("replay", "last", path.name).code == 0
    assert script("yes") == "done\n"
    replayed = in_a_process("replay", "last", path.name)
    assert replayed.code == 0, replayed.err
