"""What is the same for all commands: help, versions, errors, exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import click
import pytest

import llm_net
from llm_net.cli.app import COMMANDS, app, did_you_mean
from tests.cli.conftest import TEAM, Call, in_a_process, process


def test_the_help_lists_every_command_and_imports_none_of_them() -> None:
    called = in_a_process("--help", before="import atexit; atexit.register(lambda: print(sorted(sys.modules)))")

    assert called.code == 0
    help, modules = called.out.rsplit("\n[", 1)
    assert all(f"  {name} " in help for name in COMMANDS)
    for heavy in ("rich", "asyncio", "llm_net.runtime", "llm_net.cli.commands", "xllamacpp", "pydantic_ai"):
        assert f"'{heavy}" not in modules


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(call: Call, name: str) -> None:
    called = call(name, "--help")

    assert called.code == 0
    assert f"Examples:\n    llm-net {name}" in called.out or f"llm-net {name}" in called.out.partition("Examples:")[2]
    assert max(map(len, called.out.splitlines())) <= 80


def test_each_command_in_the_list_is_a_command() -> None:
    context = click.Context(app)

    assert all(isinstance(app.get_command(context, name), click.Command) for name in COMMANDS)


def test_the_version_is_that_of_the_library(call: Call) -> None:
    assert call("--version").out == f"llm-net {llm_net.__version__}\n"


def test_a_mistyped_command_is_a_wrong_use_and_says_what_was_meant(call: Call) -> None:
    called = call("rnu", "team.py")

    assert called.code == 2
    assert "there is no command 'rnu'; did you mean run?" in called.err


def test_a_mistyped_option_is_a_wrong_use_and_says_what_was_meant(call: Call, team: str) -> None:
    called = call("run", team, "go", "--limit-message", "3")

    assert called.code == 2
    assert "--limit-messages" in called.err


def test_an_error_of_ours_is_one_sentence_and_no_traceback(call: Call, team: str) -> None:
    called = call("run", team, "nonsense")

    assert called.code == 1
    assert called.err.startswith("Error: 'critic' failed at 'review'")
    assert len(called.err.splitlines()) == 1


def test_a_warning_is_one_sentence_too(tmp_path: Path) -> None:
    path = tmp_path / "held.py"
    path.write_text("import warnings\n" + TEAM + 'warnings.warn("this is slow", RuntimeWarning)\n')

    called = in_a_process("run", str(path), "go")

    assert (called.code, called.err) == (0, "Warning: this is slow\n")


def test_a_terminal_that_cannot_write_arrows_is_no_error(team: str) -> None:
    asked = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}

    ran = subprocess.run(process("run", team, "é"), env=asked, capture_output=True, text=True, check=False, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("done: ?\n")


def test_an_error_lists_a_dozen_names_at_most() -> None:
    assert did_you_mean("zzz", [f"name{n}" for n in range(20)]).endswith("name10, name11, …")
    assert did_you_mean("name7", [f"name{n}" for n in range(20)]).startswith("; did you mean name7")


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback_wherever_it_stands(call: Call, team: str, place: str) -> None:
    called = call("--debug", "run", team, "nonsense") if place == "before" else call("run", team, "nonsense", "--debug")

    assert called.code == 1
    assert "Traceback" in called.err
    assert "ValueError: makes no sense" in called.err


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_its_libraries_it_says_how_to_get_them(library: str) -> None:
    absent = (
        "import importlib.util as u; find = u.find_spec; "
        f"u.find_spec = lambda name, package=None: None if name == {library!r} else find(name, package)"
    )
    called = in_a_process("--help", before=absent)

    assert called.code == 1
    assert called.err == f"Error: the command llm-net needs {library}; install it with: pip install 'llm_net[cli]'\n"


WAITING = """
import asyncio
from llm_net import GenAgent, GenNetwork, Message

class Patient(GenAgent):
    async def arequest(self, message: Message):
        print("waiting", flush=True)
        await asyncio.Event().wait()

network = GenNetwork(agents=[Patient(id="patient")])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_run_cleanly_with_130(tmp_path: Path) -> None:
    path = tmp_path / "waiting.py"
    path.write_text(WAITING)
    with subprocess.Popen(
        process("run", str(path), "go"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        while "waiting" not in running.stdout.readline():
            pass
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "cancelled" in out
    assert err.strip() == "stopped"


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_who_goes_away_is_no_error_to_speak_of(team: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running = subprocess.run(
        process("run", team, "go", "--json"), stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    os.close(writing)

    assert running.returncode == 1
    assert running.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_on_a_terminal_the_run_is_drawn_live(tmp_path: Path) -> None:
    import pty

    path = tmp_path / "slow.py"
    path.write_text(WAITING.replace("asyncio.Event().wait()", "asyncio.to_thread(input)") + "\n")
    controller, terminal = pty.openpty()
    running = subprocess.Popen(
        process("run", str(path), "take \x1b[31mcare"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    shown = b""
    while b"at work" not in shown:  # the line that lives
        shown += os.read(controller, 4096)
    os.write(controller, b"\n")
    try:
        while more := os.read(controller, 4096):
            shown += more
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    os.close(controller)

    assert running.wait(timeout=60) == 0
    assert b"done" in shown
    assert b"take" in shown
    assert b"\x1b[31mcare" not in shown
