"""`llm-net graph`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.commands.graph import dot_of
from tests.cli.conftest import Call


def test_a_graph_is_printed_as_mermaid(call: Call, team: str) -> None:
    called = call("graph", team)

    assert called.code == 0
    assert called.out.startswith(("flowchart", "graph"))
    assert all(name in called.out for name in ("writer", "critic", "archive", "draft"))


def test_nested_networks_are_boxes_and_names_are_quoted() -> None:
    sellers = GenNetwork(id="sellers", agents=[GenAgent(id='an"na')])
    market = GenNetwork(id="market", agents=[sellers, GenAgent(id="bob")])
    market.link('sellers/an"na', "sold", "bob")
    market.link("sellers", "*", market)

    lines = [line.strip() for line in dot_of(market).splitlines()]

    assert 'subgraph "cluster_sellers" {' in lines
    assert '"sellers/an\\"na" [label="an\\"na"];' in lines
    assert '"sellers/an\\"na" -> "bob" [label="sold"];' in lines
    assert '"sellers" -> "." [label="*"];' in lines
    assert '"." [label="market" shape=oval];' in lines
    assert '"sellers" [label="sellers" shape=oval];' in lines
    assert sum("{" in line for line in lines) == sum("}" in line for line in lines)


def test_a_network_that_nobody_is_linked_to_is_a_box_with_one_title() -> None:
    market = GenNetwork(id="market", agents=[GenNetwork(id="sellers", agents=[GenAgent(id="anna")])])

    assert dot_of(market).count("label") == 2


def test_without_graphviz_a_picture_is_refused_with_the_cure(
    call: Call, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    called = call("graph", team, "--svg", "out.svg")

    assert called.code == 1
    assert "install it (https://graphviz.org/download)" in called.err
    assert not Path("out.svg").exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_graphviz_draws_it(call: Call, team: str) -> None:
    assert call("graph", team, "--svg", "out.svg", "--png", "out.png").code == 0
    assert "<svg" in Path("out.svg").read_text()
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(os.name == "nt", reason="a program of POSIX")
def test_the_picture_is_what_the_program_dot_makes_of_it(
    call: Call, team: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "bin" / "dot"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1], sys.stdin.read())\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))

    called = call("graph", team, "--svg", "out.svg")

    assert (called.code, called.out) == (0, "")
    assert Path("out.svg").read_text().startswith("-Tsvg digraph {")


@pytest.mark.skipif(os.name == "nt", reason="a program of POSIX")
def test_what_graphviz_complains_of_is_told(
    call: Call, team: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "dot"
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no fonts')\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    called = call("graph", team, "--png", "out.png")

    assert (called.code, called.err) == (1, "Error: Graphviz could not draw it: no fonts\n")
