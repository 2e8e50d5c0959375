"""`llm-net runs`: the runs of a journal, a line each. Knows what a journal tells of a run without looking into it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import click

from llm_net.cli.app import debug
from llm_net.cli.journals import look, option
from llm_net.journal.jsonl import plain
from llm_net.ports import Journal
from llm_net.record import RunInfo

EPILOG = """
\b
Examples:
  llm-net runs
  llm-net runs --journal run.db
  llm-net runs --json | jq -r 'select(.status == "waiting") | .run'
"""


@click.command(epilog=EPILOG)
@option()
@click.option("--json", "as_json", is_flag=True, help="Print an object for each run, a line each.")
@debug
def command(journal: str, as_json: bool) -> None:
    """List the runs of a journal, the latest last.

    A run without an end is going on at this moment, or its process was killed.
    """
    runs = look(journal, _runs)
    for info in runs:
        print(json.dumps(plain(info), ensure_ascii=False) if as_json else _line(info))
    if not runs and not as_json:
        print(f"no runs in {journal}")


def _runs(journal: Journal) -> Awaitable[Sequence[RunInfo]]:
    return journal.runs()


def _line(info: RunInfo) -> str:
    began = datetime.fromtimestamp(info.began, UTC).isoformat(" ", "seconds").replace("+00:00", "Z")
    fork = f", a fork of {info.parent}" if info.parent else ""
    error = f": {info.error}" if info.error else ""
    return f"{info.run}  {began}  {info.network}  {summary(info)}{fork}{error}"


def summary(info: RunInfo) -> str:
    """What a run came to, and what it took, in words."""
    parts = [info.status or "no end", f"{info.messages:,} message{'' if info.messages == 1 else 's'}"]
    if info.usage.requests:
        calls = f"{info.usage.requests:,} model call{'' if info.usage.requests == 1 else 's'}"
        parts += [calls, f"{info.usage.input_tokens} + {info.usage.output_tokens} tokens"]
    if info.usage.cost:
        parts.append(f"{info.usage.cost:.4f} USD")
    return ", ".join(parts)
