"""What README.md and the pages of docs/ say works: their programs run, their commands and links exist."""

import re
import shlex
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from llm_net.runtime import engine

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if "_build" not in path.parts)
BLOCK = re.compile(r"^```(?:console|sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def programs() -> dict[Path, list[CodeExample]]:
    """The Python blocks of each page that has some, in order."""
    found: dict[Path, list[CodeExample]] = {}
    for block in find_examples(*map(str, PAGES)):
        if block.prefix == "python":
            found.setdefault(block.path, []).append(block)
    return found


def commands() -> list[str]:
    """The commands of ours that pages tell people to type, each once: prompts, comments and variables taken off."""
    lines = (line for page in PAGES for block in BLOCK.findall(page.read_text()) for line in block.splitlines())
    typed = {re.sub(r"^(\$ )?([A-Z_]+=\S+ )*|\s+#.*$", "", line) for line in lines}
    return sorted(command for command in typed if re.match(r"(make|llm-net)\b", command))


def run(*command: str) -> str:
    """What went wrong with a command, empty where nothing did."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return f"exit code {ran.returncode}: {ran.stderr}" if ran.returncode else ""


def printed(block: CodeExample) -> str:
    """What the page says that a program prints: the text block after it."""
    lines = block.path.read_text().splitlines(keepends=True)
    following = "".join(lines[block.end_line :])
    match = re.match(r"\s*```text\n(.*?)^```", following, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("blocks", [pytest.param(blocks, id=place(path)) for path, blocks in programs().items()])
def test_the_programs_of_a_page_run_from_top_to_bottom(
    blocks: list[CodeExample],
    eval_example: EvalExample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "TURN_SECONDS", inf)  # else a busy machine may give others their turn sooner
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # each block takes its place
    names: dict[str, object] = {}

    for block in blocks:
        wrong = ""
        try:
            names |= eval_example.run(block, module_globals=names)
        except Exception as error:  # noqa: BLE001 - pytest stumbles over its traceback, made by pytest-examples 0.0.18
            wrong = f"{type(error).__name__}: {error}"
        assert not wrong, f"{place(block.path)}:{block.start_line}: {wrong}"
        output = capsys.readouterr().out
        if "README" not in block.path.name:
            assert output == printed(block)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_docs_exists(command: str) -> None:
    words = shlex.split(command)

    if words[0] == "make":
        assert run("make", "--dry-run", *words[1:]) == ""
    else:  # click reads every word before it shows the help
        assert run(sys.executable, "-m", "llm_net.cli", *words[1:], "--help") == ""


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_llms_txt_names_pages_that_are_built() -> None:
    built = re.findall(r"\]\((?!https?:)([^)]+)\.html\)", (ROOT / "llms.txt").read_text())

    assert built
    assert [name for name in built if not (ROOT / "docs" / f"{name}.md").exists()] == []
