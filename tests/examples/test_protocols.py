"""Each example of a protocol prints what its docstring says, and nothing is wrong with its network. Knows none in particular.

A few are played by the embedded model; all of them by

    pytest tests/examples/test_protocols.py -m model --every-example
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import runpy
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from llm_net.llm import weights
from llm_net.llm.local import LocalModel
from llm_net.runtime import engine
from tests.examples.test_examples import stated

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "protocols").glob("*.py"))
FEW = ("elections", "gossip", "propose")
"""Those in which a model has little to say."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_it_prints_what_its_docstring_says(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else a busy machine may give others their turn sooner, and what is said at once is printed in another order.
    monkeypatch.setattr(engine, "TURN_SECONDS", inf)
    names = runpy.run_path(str(example))
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        names["main"]()

    assert stated(example)
    assert printed.getvalue() == stated(example)
    assert names["network"]().lint() == []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "played" in metafunc.fixturenames:
        every = metafunc.config.getoption("--every-example")
        metafunc.parametrize(
            "played", [each for each in EXAMPLES if every or each.stem in FEW], ids=lambda example: example.stem
        )


@pytest.fixture(scope="module")
def local() -> Iterator[LocalModel]:
    model = LocalModel(weights.pull())
    yield model
    asyncio.run(model.aclose())


@pytest.mark.model
def test_the_embedded_model_takes_part(played: Path, local: LocalModel) -> None:
    names = runpy.run_path(str(played))
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        names["main"](local)

    assert printed.getvalue()
