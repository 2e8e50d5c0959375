"""`llm-net fork`: a new run with the past of another, and how the two differ. Knows runs and their messages."""

from __future__ import annotations

import json

import click

from llm_net.base import GenAgent
from llm_net.cli.app import debug
from llm_net.cli.journals import find_run, look, option, run_argument, to_write
from llm_net.cli.program import argument
from llm_net.cli.watching import limits as limit_options
from llm_net.cli.watching import watch
from llm_net.journal.difference import Difference
from llm_net.journal.history import History
from llm_net.journal.jsonl import plain
from llm_net.limits import Limits
from llm_net.ports import Journal
from llm_net.record import Select, Sent

EPILOG = """
\b
Examples:
  llm-net fork last team.py --at 7-3.1
  llm-net fork last team.py --at 7-3.1 --edit body="Ask for less"
  llm-net fork last team.py --at 7-3.1 --edit n=1 --edit 'items=["a"]'
"""

SHOWN = 20
"""Differences that are shown, unless as JSON."""


@click.command(epilog=EPILOG)
@run_argument
@argument
@click.option("--at", required=True, metavar="MESSAGE", help="The id of the last message that both runs have.")
@click.option("--edit", multiple=True, metavar="FIELD=JSON", help="What this field of it is in the new run; or text.")
@limit_options
@option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: messages, a summary, the difference.")
@debug
def command(
    run: str,
    program: GenAgent,
    at: str,
    edit: tuple[str, ...],
    journal: str,
    limits: Limits,
    as_json: bool,
) -> None:
    """Begin a new run that has all of a RUN's past up to a message, and show how it differs from that run.

    What was learned until then from models and from outside is taken from the record; all after it happens anew. The
    record of the past is shared, not copied.
    """
    name = look(journal, lambda opened: _run_with(opened, run, at))
    edited = dict(_edited(each) for each in edit)
    kept = to_write(journal)
    forked = watch(
        lambda observers: program.fork(kept, name, at, edit=edited, limits=limits, observers=observers),
        as_json=as_json,
        journal=kept,
        where=journal,
    )
    difference = look(journal, lambda opened: History(opened, name).compare(forked.id))
    print(json.dumps(_object(difference), ensure_ascii=False) if as_json else "\n".join(_lines(difference)))


async def _run_with(journal: Journal, run: str, message: str) -> str:
    name = (await find_run(journal, run)).run
    async for _ in journal.read(name, Select(facts=(Sent,), ids=(message,), limit=1)):
        return name
    raise click.BadParameter(
        f"run {name} has no message {message!r}; `llm-net show {run} --json` has the ids", param_hint="--at"
    )


def _edited(text: str) -> tuple[str, object]:
    field, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="--edit")
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value


def _lines(difference: Difference) -> list[str]:
    head, *lines = str(difference).splitlines()
    shown = [head.replace("messages are", f"messages of {difference.left} (-) and {difference.right} (+) are"), *lines]
    if len(difference.pairs) > SHOWN:
        shown[1 + 2 * SHOWN :] = [f"… and {len(difference.pairs) - SHOWN} more"]
    return shown


def _object(difference: Difference) -> dict[str, object]:
    written = plain(difference)
    assert isinstance(written, dict)  # of a record
    return {"type": "difference", **written}
