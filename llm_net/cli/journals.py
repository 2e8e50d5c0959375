"""Finds the journal, the run and the message that a command means. Knows where journals are, and which variables hold keys."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from llm_net.cli.app import did_you_mean
from llm_net.ports import Journal
from llm_net.record import RunInfo, Select, Sent

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT = "llm_net.db"
VARIABLE = "LLM_NET_JOURNAL"
LAST = "last"
"""What the latest run is called."""

_SECRET = re.compile(r"(?i)(^|_)(api_?key|access_key|token|secret|password|passphrase)$")
"""Names of variables that hold secrets."""

_SHORTEST = 8
"""Characters of what is taken for one."""


def option(default: str | None = DEFAULT, help: str = "An SQLite file, or a postgresql:// URL.") -> Callable[[F], F]:
    """The option --journal."""
    return click.option(
        "--journal",
        default=default,
        envvar=VARIABLE,
        show_default=default is not None,
        show_envvar=True,
        metavar="FILE|URL",
        help=help,
    )


run_argument = click.argument("run", metavar="RUN")
"""The argument RUN of a command."""


def journal_at(where: str) -> Journal:
    """The journal at a path or a URL, for reading. Raises click.BadParameter if there is none."""
    if "://" in where:
        from llm_net.journal import PostgresJournal

        return PostgresJournal(where)
    from llm_net.journal import SqliteJournal

    if not Path(where).is_file():
        near = sorted(str(path) for path in Path(where).parent.glob("*.db"))
        raise click.BadParameter(
            f"there is no journal {where!r}{did_you_mean(where, near)}; record a run: "
            f"llm-net run FILE.py MESSAGE --journal {where}",
            param_hint="--journal",
        )
    return SqliteJournal(where)


def to_write(where: str) -> Journal:
    """The journal at a path or a URL, for writing: what this environment holds of keys is not let in."""
    from llm_net.journal import SqliteJournal

    return protected(journal_at(where) if "://" in where else SqliteJournal(where))


def protected(journal: Journal) -> Journal:
    """The journal without the keys that are in the environment."""
    from llm_net.journal import Redacting

    secrets = [value for name, value in os.environ.items() if _SECRET.search(name) and len(value) >= _SHORTEST]
    return Redacting(journal, secrets=secrets)


def look(where: str, work: Callable[[Journal], Awaitable[T]]) -> T:
    """Do something with a journal."""

    async def looked() -> T:
        journal = journal_at(where)
        try:
            return await work(journal)
        finally:
            await journal.aclose()

    return asyncio.run(looked())


async def find_run(journal: Journal, name: str) -> RunInfo:
    """The run of that name, or the only one that begins so. Raises click.BadParameter."""
    runs = await journal.runs()
    if name == LAST and runs:
        return runs[-1]
    found = [info for info in runs if info.run == name] or [info for info in runs if info.run.startswith(name)]
    if len(found) == 1:
        return found[0]
    names = [info.run for info in found or reversed(runs)]
    if found:
        sentence = f"several runs begin with {name!r}: {_listed(names)}"
    else:
        sentence = f"there is no run {name!r}{did_you_mean(name, names)}"
    raise click.BadParameter(sentence if names else "there is no run in this journal", param_hint="RUN")


async def find_message(journal: Journal, id: str, run: str | None) -> str:
    """The run that has a message. Raises click.BadParameter if none has it, or several have different ones of that id."""
    infos = list(reversed(await journal.runs())) if run is None else [await find_run(journal, run)]
    found: dict[bytes, str] = {}
    for info in infos:
        async for fact in journal.read(info.run, Select(facts=(Sent,), ids=(id,))):
            if isinstance(fact, Sent):
                found.setdefault(fact.message, info.run)
    if not found:
        where = "no run" if run is None else f"run {infos[0].run}"
        raise click.BadParameter(
            f"{where} has a message {id!r}; `llm-net show RUN --json` has the ids", param_hint="MESSAGE"
        )
    if len(runs := list(dict.fromkeys(found.values()))) > 1:
        raise click.UsageError(f"several runs have a message {id!r}; say which: --run {' or --run '.join(runs)}")
    return runs[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:12], "…"] if len(names) > 12 else names)
