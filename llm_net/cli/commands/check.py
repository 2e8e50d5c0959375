"""`llm-net check`: what is wrong with a network before its first message. Knows that a network can say so."""

from __future__ import annotations

import json

import click

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import debug
from llm_net.cli.program import argument

EPILOG = """
\b
Examples:
  llm-net check team.py
  llm-net check team.py:network --json
"""


@click.command(epilog=EPILOG)
@argument
@click.option("--json", "as_json", is_flag=True, help="Print an object with the list of problems.")
@debug
@click.pass_context
def command(context: click.Context, program: GenAgent, as_json: bool) -> None:
    """Say what is wrong with a network before its first message, a line each; then the exit code is 1.

    It finds messages nobody handles, links to events nobody emits, agents nobody can reach, replies that nobody reads.
    """
    if not isinstance(program, GenNetwork):
        raise click.UsageError(f"{program.id!r} is one agent; only networks can be checked")
    problems = program.lint()
    if as_json:
        print(json.dumps({"network": program.id, "problems": problems}, ensure_ascii=False))
    else:
        for problem in problems:
            print(problem)
        size = f"{sum(1 for _ in program.walk())} agents, {len(program.links)} links"
        print(f"{len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'} in {program.id} ({size})")
    if problems:
        context.exit(1)
