"""`llm-net protocols`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from llm_net.protocols.catalog import CATALOG, Entry
from llm_net.protocols.picture import own_moves, sequence_of, states_of
from llm_net.protocols.rules import act_of
from tests.cli.conftest import Call

entries = pytest.mark.parametrize("entry", CATALOG.values(), ids=list(CATALOG))


def test_the_list_has_every_protocol_under_its_family(call: Call) -> None:
    lines = call("protocols").out.splitlines()

    families = [line.rstrip(":") for line in lines if line and not line.startswith(" ")]
    assert families == list(dict.fromkeys(entry.family for entry in CATALOG.values()))
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == list(CATALOG)
    assert max(map(len, lines)) <= 100


@entries
def test_a_protocol_is_told_and_drawn(call: Call, entry: Entry) -> None:
    out = call("protocols", entry.rules.name).out

    assert out.startswith(f"{entry.rules.name}\n{entry.about}\n")
    assert entry.rules.source in out
    assert all(f" {document}\n" in out for document in entry.documents)
    for move in own_moves(entry.spoken):
        assert f"  {act_of(move.kind)} ({move.kind.__name__}): " in out
        assert any(
            line.split("  ")[1].strip() == move.state and line.endswith(f"  {move.then}")
            for line in out.splitlines()
            if line.startswith("  ")
        )
    assert states_of(entry.rules) in out
    assert sequence_of(entry.rules) in out


@entries
def test_a_program_can_read_what_is_told(call: Call, entry: Entry) -> None:
    told = json.loads(call("protocols", entry.rules.name, "--json").out)

    assert (told["name"], told["family"], told["about"]) == (entry.rules.name, entry.family, entry.about)
    assert len(told["moves"]) == len(own_moves(entry.rules))
    assert {move["act"] for move in told["moves"]} == {message["act"] for message in told["messages"]}
    assert set(told["ends"]) <= entry.rules.ends


def test_the_list_can_be_read_by_a_program(call: Call) -> None:
    assert [entry["name"] for entry in json.loads(call("protocols", "--json").out)] == list(CATALOG)


def test_a_diagram_alone_can_be_put_into_a_page(call: Call) -> None:
    rules = CATALOG["fipa-contract-net"].rules

    assert call("protocols", rules.name, "--draw", "states").out == states_of(rules) + "\n"
    assert call("protocols", rules.name, "--draw", "sequence").out == sequence_of(rules) + "\n"
    assert call("protocols", rules.name, "--draw", "all").out == f"{states_of(rules)}\n\n{sequence_of(rules)}\n"


def test_the_whole_has_what_every_conversation_has(call: Call) -> None:
    whole = call("protocols", "fipa-contract-net", "--whole").out

    assert states_of(CATALOG["fipa-contract-net"].rules, whole=True) in whole
    assert "  cancel (Cancel): Take back what was asked for" in whole
    assert "cancel" not in call("protocols", "fipa-contract-net").out


def test_fields_are_told_in_words(call: Call) -> None:
    assert "  propose (Offer): Propose to do the task, for a price.\n      price: number ≥ 0\n" in call(
        "protocols", "fipa-contract-net"
    ).out  # fmt: skip


def test_a_mistyped_name_is_a_wrong_use_and_says_what_was_meant(call: Call) -> None:
    called = call("protocols", "fipa-contract-nett")

    assert called.code == 2
    assert "there is no protocol 'fipa-contract-nett'; did you mean fipa-contract-net" in called.err


def test_nothing_is_drawn_of_all_of_them(call: Call) -> None:
    called = call("protocols", "--draw", "all")

    assert called.code == 2
    assert "say which protocol to draw" in called.err


@pytest.mark.skipif(os.name == "nt", reason="a program of POSIX")
def test_the_picture_is_what_graphviz_makes_of_the_states(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "bin" / "dot"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1], sys.stdin.read())\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))

    called = call("protocols", "fipa-contract-net", "--svg", "out.svg")

    assert (called.code, called.out) == (0, "")
    drawn = Path("out.svg").read_text()
    assert drawn.startswith("-Tsvg digraph {")
    assert '"called" -> "proposed" [label="‹ propose"];' in drawn
    assert '"done" [peripheries=2];' in drawn
