"""How FILE.py[:NAME] is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

HEAD = """
from llm_net import GenAgent, GenNetwork, Message
class Echo(GenAgent):
    def request(self, message: Message):
        return message.reply(body=self.id)
"""


@pytest.mark.parametrize(
    ("program", "name", "result"),
    [
        ("only = GenNetwork(id='only', agents=[Echo(id='a')])", "", "a"),
        ("inner = GenNetwork(id='in', agents=[Echo(id='b')]); outer = GenNetwork(id='out', agents=[inner])", "", "b"),
        ("one = GenNetwork(agents=[Echo(id='a')]); two = GenNetwork(agents=[Echo(id='b')])", ":two", "b"),
        ("def build(): return GenNetwork(agents=[Echo(id='made')])", ":build", "made"),
        ("first = again = Echo(id='a')", "", "a"),
        ("def network(): return GenNetwork(agents=[Echo(id='made')])", "", "made"),
        ("other = Echo(id='x'); net = GenNetwork(agents=[Echo(id='a')])", "", "a"),
    ],
)
def test_a_program_is_found_by_name_or_because_it_is_the_only_one(
    call: Call, tmp_path: Path, program: str, name: str, result: str
) -> None:
    (tmp_path / "agents.py").write_text(f"{HEAD}{program}\n")

    assert call("run", f"agents.py{name}", "who?").out.splitlines()[-1] == result


@pytest.mark.parametrize(
    ("program", "name", "sentence"),
    [
        ("a = GenNetwork(id='1'); b = GenNetwork(id='2')", "", "holds several: a, b; say which: agents.py:a"),
        ("", "", "holds no GenNetwork and no GenAgent; assign one to a name"),
        ("network = GenNetwork(); number = 3", ":number", "has no agent or network 'number'; there is network"),
        ("network = GenNetwork()", ":Echo", "has no agent or network 'Echo'"),
    ],
)
def test_a_program_that_cannot_be_found_is_a_wrong_use(
    call: Call, tmp_path: Path, program: str, name: str, sentence: str
) -> None:
    (tmp_path / "agents.py").write_text(f"{HEAD}{program}\n")

    called = call("check", f"agents.py{name}")

    assert called.code == 2
    assert sentence in " ".join(called.err.split())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nx = = 2", "broken.py:2: SyntaxError: invalid syntax"),
        ("x = 1\n\nimport no_such_module", "broken.py:3: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            f"{HEAD}GenNetwork(id='n', agents=[Echo(id='a'), Echo(id='a')])",
            "broken.py:6: DuplicateAddress: network 'n' already",
        ),
    ],
)
def test_a_broken_program_is_told_with_its_line(call: Call, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "broken.py").write_text(text)

    called = call("check", "broken.py")

    assert called.code == 1
    assert called.err.startswith(f"Error: {sentence}")


def test_a_program_imports_what_lies_beside_it_and_may_have_the_name_of_a_library(call: Call, tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text(HEAD)
    (tmp_path / "queue.py").write_text("from people import *\nnetwork = GenNetwork(agents=[Echo(id='neighbour')])\n")

    assert call("run", "queue.py", "who?").out.splitlines()[-1] == "neighbour"
