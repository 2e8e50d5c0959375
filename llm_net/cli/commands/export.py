"""`llm-net export`: a recorded run as text for other programs. Knows the names of formats, not what they are like."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import click

from llm_net.cli.app import debug
from llm_net.cli.journals import find_run, look, option, run_argument
from llm_net.journal.history import DRAWN, History
from llm_net.ports import Journal

EPILOG = """
\b
Examples:
  llm-net export last --format jsonl -o run.jsonl
  llm-net export last --format mermaid
  llm-net export last --format otel --contents -o trace.json
"""


@click.command(epilog=EPILOG)
@run_argument
@click.option("--format", "form", type=click.Choice(["jsonl", "mermaid", "otel"]), default="jsonl", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it there.")
@click.option("--contents", is_flag=True, help="otel: what models were asked and answered goes along.")
@click.option("--limit", type=int, default=DRAWN, show_default=True, metavar="N", help="mermaid: the first messages.")
@option()
@debug
def command(run: str, form: str, output: Path | None, contents: bool, limit: int, journal: str) -> None:
    """Write a RUN of a journal: each fact as a line of JSON, its messages as a Mermaid sequence diagram, or spans as
    OpenTelemetry collectors take them.
    """

    async def written(opened: Journal) -> None:
        history = History(opened, (await find_run(opened, run)).run)
        with nullcontext() if output is None else output.open("w", encoding="utf-8") as out:
            await _write(history, out)

    async def _write(history: History, out: TextIO | None) -> None:
        match form:
            case "jsonl":
                async for line in history.jsonl():
                    print(line, file=out)
            case "mermaid":
                print(await history.sequence(limit=limit), file=out)
            case _:
                print(await history.otel(contents=contents), file=out)

    look(journal, written)
    if output is not None:
        click.echo(f"wrote {output}", err=True)
