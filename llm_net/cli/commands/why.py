"""`llm-net why`: what led to a message. Knows which run has it, not how causes are found."""

from __future__ import annotations

import json

import click

from llm_net.cli.app import debug
from llm_net.cli.journals import find_message, look, option
from llm_net.journal.history import STEPS, History
from llm_net.journal.jsonl import plain
from llm_net.ports import Journal

EPILOG = """
\b
Examples:
  llm-net why 7-12.1
  llm-net why 7-12.1 --run last --steps 5
"""


@click.command(epilog=EPILOG)
@click.argument("message")
@click.option("--run", metavar="RUN", help="The run that has it.  [default: the one that alone has it]")
@click.option("--steps", type=int, default=STEPS, show_default=True, metavar="N", help="Look at so many at most.")
@option()
@click.option("--json", "as_json", is_flag=True, help="Print it as one object.")
@debug
def command(message: str, run: str | None, steps: int, journal: str, as_json: bool) -> None:
    """Say why a MESSAGE, given by its id, was sent.

    Who sent it, while it handled what, after it had learned what from models, from other agents and from outside; then
    the same of the message that it handled, and so on, back to the one that came from outside.
    """

    async def found(opened: Journal) -> None:
        name = await find_message(opened, message, run)
        why = await History(opened, name).why(message, steps=steps)
        print(json.dumps({"run": name, **_object(why)}, ensure_ascii=False) if as_json else why)

    look(journal, found)


def _object(why: object) -> dict[str, object]:
    written = plain(why)
    assert isinstance(written, dict)  # of a record
    return {**written}
