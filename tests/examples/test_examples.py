"""Each example prints what its docstring says. Knows of no example what it is about."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
from inspect import isfunction
from itertools import takewhile
from pathlib import Path

import pytest

from llm_net import GenNetwork
from tests.cli.conftest import in_a_process

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
TYPED = {"human": ["tea", "huge", "large"]}
ASKED = {
    "contract_net": ["mend the roof", "--to", "manager"],
    "debate": ["A city should keep bees", "--to", "chair"],
    "dialogue": ["Talk about the bees", "--to", "anna"],
    "listening": ["31", "--to", "thermometer"],
    "all_cores": ["1000", "--to", "professor"],
    "stateful": ["bees", "--method", "inform"],
}
"""What an example is asked at the command line, where "Bees" does not do."""
WAITS = {"human_approval"}
"""Those that wait for an answer from outside, which only a run in a journal can."""


def stated(example: Path) -> str:
    """The output that an example's docstring states: the indented lines after the one that begins with "prints"."""
    docstring = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""
    after = docstring.partition("\nprints")[2].partition("\n\n")[2]
    return "".join(line[4:] + "\n" for line in takewhile(lambda line: line.startswith("    "), after.splitlines()))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_it_prints_what_its_docstring_says(example: Path) -> None:
    typed = TYPED.get(example.stem, [])
    expected = stated(example)
    for line in typed:  # what is typed at a console is not printed
        expected = expected.replace(f" {line}\n", " ", 1)

    done = subprocess.run(
        [sys.executable, str(example)],
        input="".join(f"{line}\n" for line in typed),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert expected
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_nothing_is_wrong_with_its_networks(example: Path) -> None:
    names = runpy.run_path(str(example))
    made = [value() for name, value in names.items() if name == "network" and isfunction(value)]

    networks = [value for value in [*names.values(), *made] if isinstance(value, GenNetwork)]
    assert [network.lint() for network in networks if network.lint()] == []


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if each.stem not in WAITS], ids=lambda example: example.stem
)
def test_the_command_line_runs_it(example: Path) -> None:
    arguments = ASKED.get(example.stem, ["Bees"])

    run = in_a_process(
        "run", str(example), *arguments, given="".join(f"{line}\n" for line in TYPED.get(example.stem, []))
    )

    assert (run.err, run.code) == ("", 0)
    assert "done in " in run.out


def test_the_list_of_examples_is_complete() -> None:
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")

    assert sorted(line.split("](")[1].split(")")[0] for line in readme.splitlines() if line.startswith("| [")) == [
        example.name for example in EXAMPLES
    ]
