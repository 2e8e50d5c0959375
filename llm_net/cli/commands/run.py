"""`llm-net run`: a message into a program's network, watched to its end. Knows what is asked of a run, not how it goes."""

from __future__ import annotations

import sys

import click

from llm_net.base import GenAgent
from llm_net.cli.app import debug
from llm_net.cli.journals import option, to_write
from llm_net.cli.places import Place, runtime
from llm_net.cli.program import argument
from llm_net.cli.sending import message_of, receiver_of
from llm_net.cli.watching import limits as limit_options
from llm_net.cli.watching import watch
from llm_net.limits import Limits

EPILOG = """
\b
Examples:
  llm-net run agents.py "What do bees do?"
  llm-net run team.py:network "Review this" --to critic --method review
  llm-net run team.py "Go" --limit-seconds 30 --limit-tokens 5000
  llm-net run team.py "Go" --journal run.db
  llm-net run team.py "Go" --runtime processes --workers 2
  llm-net run team.py "Go" --runtime nats://127.0.0.1:4222   # see: node
  llm-net run team.py "Go" --json | jq -r 'select(.type == "message") | .body'
  git diff | llm-net run team.py - --to reviewer
"""


@click.command(epilog=EPILOG)
@argument
@click.argument("message")
@click.option(
    "--to", metavar="ID", help="Who gets the message: an id or a path.  [default: the network, or who alone can]"
)
@click.option(
    "--method", metavar="VERB", help="What the receiver shall do with it.  [default: request, or the only one]"
)
@limit_options
@runtime
@click.option("--seed", type=int, help="Makes random numbers and ids of the run the same again.")
@option(None, "Keep a record in this file, or database.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: each message, then a summary.")
@debug
def command(
    program: GenAgent,
    message: str,
    to: str | None,
    method: str | None,
    seed: int | None,
    journal: str | None,
    limits: Limits,
    place: Place,
    as_json: bool,
) -> None:
    """Send MESSAGE into the network (or the agent) of a Python file, and watch what it causes until it ends.

    MESSAGE is text, or "-" for what comes on standard input. A handler that takes a message class of its own gets it
    from that message's JSON, such as '{"text": "…"}'.
    """
    text = sys.stdin.read() if message == "-" else message
    receiver, verb = receiver_of(program, to, method)
    root = message_of(receiver, verb, text, receiver=None if receiver is program else receiver)
    kept = None if journal is None else to_write(journal)
    watch(
        lambda observers: program.run(root, limits=limits, runtime=place(seed), observers=observers, journal=kept),
        as_json=as_json,
        journal=kept,
        where=journal,
    )
