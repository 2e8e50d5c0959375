"""`llm-net cluster`: who is there. Knows what members say about themselves, not whether it is so."""

from __future__ import annotations

import asyncio
import json

import click

from llm_net.cli.app import debug
from llm_net.cli.places import at as at_option
from llm_net.cli.places import space as space_option
from llm_net.cli.places import without_secrets
from llm_net.message import unique_id
from llm_net.places.cluster import Member, carrier_at, members, user_in

EPILOG = """
\b
Examples:
  llm-net cluster status --at nats://127.0.0.1:4222
  llm-net cluster status --at postgresql://localhost/agents --json
"""


@click.group(epilog=EPILOG)
@debug
def command() -> None:
    """Look at a cluster: the nodes that `llm-net node` started, and the homes of runs."""


@command.command("status", epilog=EPILOG)
@at_option
@space_option
@click.option("--name", metavar="NAME", help="Under which to look.  [default: the user in the URL, or one by chance]")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@debug
def status(at: str, space: str, name: str | None, as_json: bool) -> None:
    """Say who is there: nodes with what they have loaded, and homes with their runs.

    Whoever was killed is seen for some seconds more.
    """
    there = asyncio.run(members(carrier_at(at, space=space), name or user_in(at) or f"status-{unique_id()}"))
    if as_json:
        print(json.dumps([{"name": member.name, **member.said} for member in there], indent=2, ensure_ascii=False))
        return
    width = max((len(member.name) for member in there), default=0)
    for member in there:
        print(f"{member.name:{width}}  {_line(member)}")
    nodes = sum(member.said.get("role") == "node" for member in there)
    if not nodes:
        print(f"no node is there; start one: llm-net node FILE.py --at {without_secrets(at)}")


def _line(member: Member) -> str:
    said = member.said
    if said.get("role") == "home":
        what = f"home of run {said.get('run', '?')} of {said.get('network', '?')}"
    else:
        what = f"node with {said.get('file', '?')}"
    since = said.get("since", "?").replace("T", " ").replace("+00:00", "Z")
    return f"{what}, process {said.get('pid', '?')} on {said.get('host', '?')}, since {since}"
