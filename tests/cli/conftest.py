"""What the tests of the command line share: a way to call it, and a program to call it on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_net.cli import main

ROOT = Path(__file__).parents[2]

TEAM = """
from llm_net import GenAgent, GenNetwork, Message

class Review(Message):
    text: str

class Writer(GenAgent):
    def request(self, message: Message):
        yield Review(text=message.body, receiver=self.network["critic"])
        self.emit("draft", message.reply(body="a draft"))
        yield message.reply(body="done: " + message.body)

class Critic(GenAgent):
    def review(self, message: Review):
        if message.text == "nonsense":
            raise ValueError("makes no sense")

class Archive(GenAgent):
    def draft(self, message: Message):
        pass

network = GenNetwork(
    id="team",
    agents=[Writer(id="writer"), Critic(id="critic"), Archive(id="archive")],
    links=[("writer", "draft", "archive")],
)
"""


@dataclass
class Called:
    """What a call of the command gave."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Call]:
    """Call llm-net in this process, in a directory of its own; what it loads is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def called(*arguments: str) -> Called:
        code = main(arguments)
        captured = capsys.readouterr()
        return Called(code, captured.out, captured.err)

    yield called
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def team(tmp_path: Path) -> str:
    """The path of a program with a network of three agents."""
    path = tmp_path / "team.py"
    path.write_text(TEAM)
    return str(path)


def process(*arguments: str, before: str = "") -> list[str]:
    """The command line of llm-net in a process of its own, after the statements `before`."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {before}\nfrom llm_net.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, *arguments]


def in_a_process(*arguments: str, before: str = "", given: str = "") -> Called:
    """Call llm-net in a process of its own; `given` is its standard input."""
    command = process(*arguments, before=before)
    ended = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=100)
    return Called(ended.returncode, ended.stdout, ended.stderr)
