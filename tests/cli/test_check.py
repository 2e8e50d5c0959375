"""`llm-net check`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import TEAM, Call


def test_a_sound_network_passes(call: Call, team: str) -> None:
    called = call("check", team)

    assert (called.code, called.out) == (0, "no problems in team (3 agents, 1 links)\n")


def test_a_problem_is_printed_and_fails(call: Call, tmp_path: Path) -> None:
    (tmp_path / "team.py").write_text(TEAM + 'network.link("writer", "drafft", "archive")\n')

    called = call("check", "team.py")

    assert called.code == 1
    assert "drafft" in called.out
    assert "problem" in called.out.splitlines()[-1]


def test_json_lists_the_problems(call: Call, tmp_path: Path) -> None:
    (tmp_path / "team.py").write_text(TEAM + 'network.link("writer", "drafft", "archive")\n')

    called = call("check", "team.py", "--json")

    assert called.code == 1
    assert json.loads(called.out)["network"] == "team"
    assert any("drafft" in problem for problem in json.loads(called.out)["problems"])
