"""The list of commands, and what is the same for all: options, errors, exit codes. Knows each command by name only."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import TextIO, cast

import click

from llm_net import __version__
from llm_net.errors import LlmNetError

COMMANDS: Mapping[str, str] = {
    "demo": "See agents agree on a contract, in a model's own words.",
    "run": "Send a message into the network of a program and watch.",
    "check": "Say what is wrong with a network before its first message.",
    "graph": "Draw a network: Mermaid, PNG or SVG.",
    "protocols": "List the conversations with rules, and draw them.",
    "runs": "List the runs of a journal.",
    "show": "Show the messages of a recorded run.",
    "why": "Say why a message was sent: what led to it, back to the first.",
    "export": "Write a recorded run as JSON lines, a diagram or spans.",
    "resume": "Go on with a run that was stopped, or waits for an answer.",
    "fork": "Begin a new run with the past of another, and compare.",
    "replay": "Run a program against a record: where does it differ?",
    "node": "Run agents for the runs of others: a node of a cluster.",
    "cluster": "Say who is in a cluster: nodes, and homes of runs.",
    "new": "Begin a small project of your own, with a test that passes.",
    "models": "List and fetch the models that run on this machine.",
    "doctor": "Say what is installed, what is missing, and what adds it.",
    "completion": "Print the script that completes commands in your shell.",
}
"""Each command, a module of `llm_net.cli.commands`, with its line in the help: nothing is imported to print that."""


LISTED = 12
"""Names that an error lists, at most."""


@dataclass
class Session:
    """What a command is told beside its own options."""

    debug: bool = False


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return cast(click.Command, import_module(f"llm_net.cli.commands.{cmd_name}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"there is no command {name!r}{did_you_mean(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def did_you_mean(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """The end of a sentence about an unknown name: what was probably meant, else what there is."""
    if near := get_close_matches(name, list(known), n=2):
        return f"; did you mean {' or '.join(near)}?"
    listed = [*known][:LISTED] + ["…"] * (len(known) > LISTED)
    return f"; there is {', '.join(listed)}" if known else ""


def _debug(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.ensure_object(Session).debug |= value


debug = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_debug, help="Show where an error comes from, as a traceback."
)
"""The option that every command has, before its name and after it."""


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: llm-net demo",
)
@click.version_option(__version__, message="llm-net %(version)s")
@debug
def app() -> None:
    """Create, run and simulate systems of many generative agents."""


def run(arguments: Sequence[str] | None) -> int:
    """Run a command; whatever goes wrong becomes a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without arrows gets question marks, not a traceback
    with warnings.catch_warnings():
        warnings.showwarning = _warn
        return _run(Session(), arguments)


def _run(session: Session, arguments: Sequence[str] | None) -> int:
    try:
        code = app.main(arguments, prog_name="llm-net", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except click.ClickException as error:
        _trace(session)
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LlmNetError as error:
        _trace(session)
        click.echo(f"Error: {error}", err=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the last place where it can become a sentence
        _trace(session)
        hint = "" if session.debug else " (--debug shows where)"
        click.echo(f"Error: {type(error).__name__}: {error}{hint}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _trace(session: Session) -> None:
    if session.debug:
        traceback.print_exc()


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one sentence, like an error."""
    click.echo(f"Warning: {message}", err=True)
