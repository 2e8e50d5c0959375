"""`llm-net replay`: a program against a record. Knows how to show a difference, not how it is found."""

from __future__ import annotations

import json
import re
from difflib import unified_diff

import click

from llm_net.base import GenAgent
from llm_net.cli.app import debug
from llm_net.cli.journals import find_run, look, option, protected, run_argument
from llm_net.cli.program import argument
from llm_net.errors import Diverged
from llm_net.ports import Journal, Statistics

EPILOG = """
\b
Examples:
  llm-net replay last team.py
  llm-net replay 6d24 team.py:network --json
"""


@click.command(epilog=EPILOG)
@run_argument
@argument
@option()
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
@debug
@click.pass_context
def command(context: click.Context, run: str, program: GenAgent, journal: str, as_json: bool) -> None:
    """Run a program against the record of a RUN, and show where it first does something else; then the exit code is 1.

    No model is asked, nothing outside is done, and nothing is written.
    """

    async def replayed(opened: Journal) -> tuple[str, Statistics | Diverged]:
        name = (await find_run(opened, run)).run
        try:
            return name, await program.replay(protected(opened), name)
        except Diverged as diverged:
            return name, diverged

    name, result = look(journal, replayed)
    if isinstance(result, Diverged):
        if as_json:
            print(json.dumps({"run": name, "same": False, **result.facts()}, ensure_ascii=False))
        else:
            print(f"run {name} goes another way: {result.agent!r} at step {result.number}, {result.what}")
            print("\n".join(_difference(result.recorded, result.found)))
        context.exit(1)
    if as_json:
        print(json.dumps({"run": name, "same": True, "messages": result.sent}))
    else:
        print(f"run {name} goes the same way: {result.sent} message{'' if result.sent == 1 else 's'}")


def _difference(recorded: str, found: str) -> list[str]:
    return list(unified_diff(_spread(recorded), _spread(found), "recorded", "now", lineterm=""))


def _spread(text: str) -> list[str]:
    """A text in lines: the JSON at its end as it is easiest to compare."""
    if start := re.search(r'[{\["]', text):
        try:
            value = json.loads(text[start.start() :])
        except ValueError:
            return text.splitlines()
        head = text[: start.start()].rstrip(": ")
        return [*([head] if head else []), *json.dumps(value, indent=2, ensure_ascii=False).splitlines()]
    return text.splitlines()
