"""`llm-net node` and `llm-net cluster`, and `python FILE.py` with its agents on nodes that have loaded the same file."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.carriers.servers import NatsServer, free_ports
from tests.cli.conftest import TEAM, Call
from tests.places.programs import Program, llm_net, node

GAME = """
import asyncio, os, sys
from llm_net import GenAgent, GenNetwork, Message
from llm_net.places import Cluster

class Move(Message):
    field: int

class Moved(Message):
    by: int

class Player(GenAgent):
    async def arequest(self, message: Message):
        self.network.add(Judge(id="judge"))  # made on the node, known at home
        moved = await self.call(Move(field=7, receiver="board"))
        verdict = await self.call(Moved(by=moved.by, receiver="judge"))
        yield message.reply(body=f"{moved.by} {os.getpid()} {verdict.body}")

class Board(GenAgent):
    fields: list[int] = []

    def move(self, message: Move):
        self.fields.append(message.field)
        return Moved.reply(message, by=os.getpid())

class Judge(GenAgent):
    def moved(self, message: Moved):
        return message.reply(body="fair")

network = GenNetwork(id="checkers", agents=[Player(id="player"), Board(id="board")])

async def main():
    place = Cluster(sys.argv[1])
    print(await network.aresult_of(Message(receiver="player"), runtime=place), network["board"].fields, "at home", os.getpid())

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


@pytest.fixture
def game(tmp_path: Path) -> Path:
    path = tmp_path / "checkers.py"
    path.write_text(GAME)
    return path


@pytest.mark.server
def test_a_script_is_at_home_and_its_agents_live_where_the_same_file_was_loaded(
    server: NatsServer, game: Path, tmp_path: Path
) -> None:
    with node(game, server.url, "n1", tmp_path) as there:
        pid = str(there.pid)
        with Program(str(game), server.url, log=tmp_path / "home.log") as home:
            line = home.says("at home")
            assert home.ends() == 0
        where, _, rest = line.partition(" [7] at home ")
        assert where.endswith(f"{pid} {pid} fair")
        assert rest != pid
        there.says("is over here")


@pytest.mark.server
def test_the_command_runs_it_there_too_and_status_says_who_is_there(
    server: NatsServer, game: Path, tmp_path: Path, call: Call
) -> None:
    with node(game, server.url, "n1", tmp_path) as there:
        called = call("run", str(game), "go", "--to", "player", "--runtime", server.url, "--json")
        assert called.code == 0, called.err
        assert json.loads(called.out.splitlines()[-1])["result"]["body"] == f"{there.pid} {there.pid} fair"

        called = call("cluster", "status", "--at", server.url, "--json")
        (member,) = json.loads(called.out)
        assert (member["name"], member["role"], member["file"], member["pid"]) == (
            "n1",
            "node",
            "checkers.py",
            str(there.pid),
        )
        called = call("cluster", "status", "--at", server.url)
        assert called.out.startswith(f"n1  node with checkers.py, process {there.pid} on ")

        there.send(signal.SIGTERM)
        assert there.ends() == 0
        assert there.said.splitlines()[-1] == "n1 left"
    called = call("cluster", "status", "--at", server.url)
    assert called.out == f"no node is there; start one: llm-net node FILE.py --at {server.url}\n"


@pytest.mark.server
def test_a_node_with_another_file_is_told_apart_in_a_sentence(
    server: NatsServer, game: Path, tmp_path: Path, call: Call
) -> None:
    other = tmp_path / "other.py"
    other.write_text(TEAM)
    with node(other, server.url, "n2", tmp_path, "--space", "mixed"):
        called = call(
            "run", str(game), "go", "--to", "player", "--runtime", server.url, "--space", "mixed"
        )  # fmt: skip
    assert called.code == 1
    assert "class checkers:Player is not defined there; " in called.err
    assert "Traceback" not in called.err


@pytest.mark.server
def test_two_nodes_of_one_name_do_not_pass_for_each_other(server: NatsServer, game: Path, tmp_path: Path) -> None:
    with node(game, server.url, "n3", tmp_path):
        second = llm_net("node", str(game), "--at", server.url, "--name", "n3", log=tmp_path / "second.log")
        with second:
            assert second.ends() == 1
            assert "somebody else is there as 'n3'; join under another name" in second.said


def test_a_run_in_worker_processes(call: Call, team: str) -> None:
    called = call("run", team, "bees", "--runtime", "processes", "--workers", "1")

    assert called.code == 0, called.err
    assert called.out.splitlines()[-1] == "done: bees"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "team.py", "go", "--runtime", "procesess"], "'procesess' is no place; did you mean processes?"),
        (["run", "team.py", "go", "--workers", "2"], "--workers is for --runtime processes"),
        (["node", "none.py", "--at", "nats://127.0.0.1:1"], "there is no file 'none.py'; there is team.py"),
        (["node", "team.py", "--at", "here"], "'here' is no cluster; give nats://HOST:4222"),
        (["node", "team.py"], "Missing option '--at'"),
        (["cluster", "status", "--at", "ftp://me:hidden@here"], "'ftp://here' is no cluster"),
    ],
)
def test_what_was_not_understood_is_told_with_the_cure(call: Call, team: str, words: list[str], sentence: str) -> None:
    called = call(*words)

    assert called.code == 2
    assert sentence in called.err.replace("\n", " ")
    assert "hidden" not in called.err


@pytest.mark.parametrize("words", [["node", "team.py"], ["cluster", "status"]])
def test_servers_that_are_not_there_are_told_in_a_sentence(call: Call, team: str, words: list[str]) -> None:
    called = call(*words, "--at", f"nats://me:hidden@127.0.0.1:{free_ports(1)[0]}")

    assert called.code == 1
    assert "no server answers" in called.err
    assert "hidden" not in called.err
