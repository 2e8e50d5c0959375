"""`llm-net new`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call


def test_the_test_of_a_new_project_passes(call: Call) -> None:
    called = call("new", "bees")

    assert called.code == 0
    assert {path.name for path in Path("bees").iterdir()} == {"agents.py", "test_agents.py", "README.md"}
    assert Path("bees/README.md").read_text().startswith("# bees\n")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd="bees",
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout


def test_the_program_of_a_new_project_is_sound(call: Call) -> None:
    call("new", "bees")

    assert call("check", "bees/agents.py").out.startswith("no problems in team (2 agents")


@pytest.mark.parametrize("name", ["there", "file"])
def test_what_is_there_already_is_left_alone(call: Call, name: str) -> None:
    Path("there").mkdir()
    Path("file").write_text("mine")

    called = call("new", name)

    assert called.code == 2
    assert f"{name} is there already; choose another name" in called.err
    assert list(Path("there").iterdir()) == []
    assert Path("file").read_text() == "mine"
