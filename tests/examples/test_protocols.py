"""Each example of a protocol prints what its docstring says, and nothing is wrong with its network. Knows none in particular."""

from __future__ import annotations

import contextlib
import io
import runpy
from pathlib import Path

import pytest

from tests.examples.test_examples import stated

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "protocols").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_it_prints_what_its_docstring_says(example: Path) -> None:
    names = runpy.run_path(str(example))
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        names["main"]()

    assert stated(example)
    assert printed.getvalue() == stated(example)
    assert names["network"]().lint() == []
