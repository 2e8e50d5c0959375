"""`llm-net doctor`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from llm_net.cli.commands.doctor import LIBRARIES
from llm_net.llm.weights import find
from tests.cli.conftest import ROOT, Call, in_a_process


def test_what_is_installed_is_said_with_its_version(call: Call) -> None:
    called = call("doctor", "--json")

    assert called.code == 0
    findings = {finding["name"]: finding for finding in json.loads(called.out)}
    assert findings["pydantic"]["state"] == "ok"
    assert findings["pydantic"]["needed"]
    assert "2." in findings["pydantic"]["detail"]
    assert {"python", "platform", "llm_net", "smollm2", "graphviz"} <= findings.keys()


HIDE = (
    "import importlib.util as u; find = u.find_spec; "
    "u.find_spec = lambda name, package=None: None if name == 'xllamacpp' else find(name, package)"
)


@pytest.mark.parametrize(("asked", "code"), [([], 0), (["cli"], 0), (["local"], 1), (["xllamacpp"], 1)])
def test_what_is_missing_matters_only_if_it_is_asked_for(asked: list[str], code: int) -> None:
    called = in_a_process("doctor", *asked, before=HIDE)

    assert called.code == code
    assert "missing: models on this machine; pip install 'llm_net[local]'" in called.out


def test_a_library_that_breaks_on_import_is_told_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise RuntimeError('an illegal instruction')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    called = in_a_process("doctor")

    assert called.code == 1
    assert "broken: RuntimeError: an illegal instruction; pip install --force-reinstall xllamacpp" in called.out


def test_a_mistyped_wish_is_a_wrong_use(call: Call) -> None:
    called = call("doctor", "loca")

    assert called.code == 2
    assert "did you mean local?" in called.err


def test_every_extra_of_the_project_is_looked_at() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert {library.extra for library in LIBRARIES} - {""} == extras.keys() - {"all"}


@pytest.mark.model
@pytest.mark.skipif(find() is None, reason="the weights are not here: llm-net models pull smollm2")
def test_measuring_lets_the_model_speak(call: Call) -> None:
    called = call("doctor", "--measure")

    assert called.code == 0
    assert "tokens/s" in called.out
