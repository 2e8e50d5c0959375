"""`llm-net show`: the messages of a recorded run, as a run that goes on shows them. Knows facts, not how to draw a line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from time import time

import click

from llm_net.cli.app import debug
from llm_net.cli.commands.runs import summary
from llm_net.cli.journals import find_run, look, option, run_argument
from llm_net.journal.jsonl import json_of
from llm_net.journal.said import Said, said
from llm_net.journal.said import party as named
from llm_net.ports import Journal
from llm_net.record import Effect, Ended, Fact, RunInfo, Select, Sent

EPILOG = """
\b
Examples:
  llm-net show last
  llm-net show 6d24 --agent critic --since 15m
  llm-net show last --text "bees flowers" --limit 20
  llm-net show last --json | jq -r .id
"""

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds since 1970: of a time of day, or of so long ago."""
    if value is None:
        return None
    if ago := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value):
        return time() - float(ago[1]) * UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time; write 90s, 15m, 2h, 3d, or 2026-11-30T12:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command(epilog=EPILOG)
@run_argument
@click.option("--agent", default="", metavar="ADDRESS", help='Only what it sent or got; "team/" with all inside.')
@click.option("--method", default="", metavar="VERB", help="Only messages with this method.")
@click.option("--text", default="", metavar="WORDS", help="Only messages that hold these words.")
@click.option("--since", callback=_moment, metavar="TIME", help="Only from then on: 15m (ago), 2026-11-30T12:00 (UTC).")
@click.option("--limit", type=int, default=200, show_default=True, metavar="N", help="The last so many; 0 for all.")
@option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: each message, as it is recorded.")
@debug
def command(
    run: str, agent: str, method: str, text: str, since: float | None, limit: int, journal: str, as_json: bool
) -> None:
    """Show the messages of a RUN of a journal: its id, the beginning of its id, or "last".

    Without --method and --text it also shows what went wrong, and calls of models.
    """
    messages = Select(facts=(Sent,), agent=agent, method=method, text=text, since=since)
    everything = not (as_json or method or text)

    async def found(opened: Journal) -> tuple[RunInfo, list[Fact]]:
        info = await find_run(opened, run)
        select = replace(messages, newest=True, limit=limit or None)
        last = [fact async for fact in opened.read(info.run, select)]
        last.reverse()
        if everything and last:
            first = 0 if not limit or len(last) < limit else last[0].seq - 1
            select = replace(messages, facts=(Sent, Effect, Ended), after=first)
            last = [fact async for fact in opened.read(info.run, select)]
        return info, last

    info, facts = look(journal, found)
    if as_json:
        for fact in facts:
            print(json.dumps(json_of(fact), ensure_ascii=False))
    else:
        _draw(info, facts, limit)


def _draw(info: RunInfo, facts: list[Fact], limit: int) -> None:
    from rich.console import Console
    from rich.text import Text

    from llm_net.observe.progress import OUTSIDE, TROUBLE, Lines, one_line, party

    console = Console(highlight=False)
    lines = Lines(console)
    receivers: dict[int, Said] = {}

    def name(address: str) -> Text:
        return party(named(address, info.network) if address else OUTSIDE)

    for fact in facts:
        match fact:
            case Sent():
                message = receivers[fact.number] = said(fact, info.network)
                arrow = " ⇢ " if fact.event else " → "
                parties = Text.assemble(name(fact.sender), (arrow, "dim"), name(fact.receiver))
                lines.draw(
                    fact.at - info.began, parties, Text(one_line(message.told), "bold"), Text(one_line(message.text))
                )
            case Effect(kind="model", status="done") | Effect(kind="model", status="failed"):
                words = f"{fact.output_tokens} tokens in {fact.at - fact.began:.1f} s"
                asked = receivers.get(fact.step)
                who = name("" if asked is None else asked.sent.receiver)
                lines.draw(fact.at - info.began, who, Text("model", "dim"), Text(f"{fact.name}: {words}", "dim"))
            case Ended(end=end) if end in TROUBLE:
                colour = TROUBLE[end]
                error = Text(one_line(fact.error), colour)
                lines.draw(fact.at - info.began, name(fact.agent), Text(end, colour), error)
            case _:
                pass
    if limit and sum(isinstance(fact, Sent) for fact in facts) == limit:
        console.print(f"these are the last {limit} messages; --limit 0 shows all", style="dim")
    console.print(f"run {info.run} of {one_line(info.network)}: {summary(info)}", soft_wrap=True)
    if info.error:
        console.print(Text(one_line(info.error), "red"), soft_wrap=True)
