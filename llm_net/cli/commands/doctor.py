"""`llm-net doctor`: what is here, what is missing, what adds it. Knows optional libraries by name, and imports none."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from time import perf_counter
from typing import Literal

import click

from llm_net import __version__
from llm_net.chat import Request, Settings, system, user
from llm_net.cli.app import debug, did_you_mean
from llm_net.errors import LlmNetError
from llm_net.llm.local import LocalModel
from llm_net.llm.weights import KNOWN, find

EPILOG = """
\b
Examples:
  llm-net doctor
  llm-net doctor local ai          # exit code 1 unless both work
  llm-net doctor --measure         # tokens a second, on this machine, now
"""


@dataclass(frozen=True, slots=True)
class Library:
    """An optional library: the module that is imported, the package it comes in, the extra of ours that adds it."""

    module: str
    package: str
    extra: str
    purpose: str


LIBRARIES = (
    Library("pydantic", "pydantic", "", "messages and agents"),
    Library("networkx", "networkx", "", "networks as graphs"),
    Library("msgpack", "msgpack", "", "messages as bytes"),
    Library("click", "click", "cli", "this command"),
    Library("rich", "rich", "cli", "drawing runs"),
    Library("xllamacpp", "xllamacpp", "local", "models on this machine"),
    Library("pydantic_ai", "pydantic-ai-slim", "ai", "models of all providers"),
    Library("psycopg", "psycopg", "postgres", "runs kept in PostgreSQL"),
    Library("nats", "nats-py", "nats", "agents on a cluster, over NATS"),
    Library("ray", "ray", "ray", "agents in Ray actors"),
    Library("scipy", "scipy", "markets", "auctions of many packages"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `about` are words under which it can be asked for; `cure` mends what is not ok."""

    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    cure: str = ""
    about: tuple[str, ...] = ()
    needed: bool = False


@click.command(epilog=EPILOG)
@click.argument("wanted", nargs=-1, metavar="[WHAT]...")
@click.option("--measure", is_flag=True, help="Let the local model speak for a moment, and say how fast.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of findings.")
@debug
@click.pass_context
def command(context: click.Context, wanted: tuple[str, ...], measure: bool, as_json: bool) -> None:
    """Say what is installed, what is missing, and what adds it.

    WHAT are things you need: extras such as local and ai, or names from the list. The exit code is 1 if one of them, or
    something that everybody needs, is missing or broken.
    """
    findings = [*_python(), *_libraries(), *_programs(), *_weights()]
    known = dict.fromkeys(word for finding in findings for word in (finding.name, *finding.about))
    for word in wanted:
        if word not in known:
            raise click.BadParameter(f"nothing here is called {word!r}{did_you_mean(word, known)}", param_hint="WHAT")
    if measure:
        findings.append(asyncio.run(_speed()))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _draw(findings)
    asked = [finding for finding in findings if finding.needed or {finding.name, *finding.about} & {*wanted}]
    if any(finding.state != "ok" for finding in asked) or any(finding.state == "broken" for finding in findings):
        context.exit(1)


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} in {sys.prefix}")
    yield Finding("platform", "ok", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    yield Finding("llm_net", "ok", __version__)


def _libraries() -> Iterator[Finding]:
    """Each library is imported in a process of its own, all at once: one that crashes takes nothing with it."""
    importing = {
        library: subprocess.Popen(
            [sys.executable, "-c", f"import {library.module}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for library in LIBRARIES
        if find_spec(library.module) is not None
    }
    for library in LIBRARIES:
        about = (library.extra,) if library.extra else ()
        needed = not library.extra
        if library not in importing:
            cure = f"pip install 'llm_net[{library.extra}]'" if library.extra else "pip install llm_net"
            yield Finding(library.package, "missing", library.purpose, cure, about, needed)
            continue
        _, complaint = importing[library].communicate()
        if code := importing[library].returncode:
            reason = complaint.strip().rpartition("\n")[2] or f"importing it ends with {code}"
            yield Finding(
                library.package, "broken", reason, f"pip install --force-reinstall {library.package}", about, needed
            )
        else:
            yield Finding(library.package, "ok", f"{version(library.package)}, {library.purpose}", "", about, needed)


def _programs() -> Iterator[Finding]:
    dot = shutil.which("dot")
    cure = "" if dot else "https://graphviz.org/download"
    yield Finding("graphviz", "ok" if dot else "missing", dot or "networks as pictures", cure, ("dot",))


def _weights() -> Iterator[Finding]:
    for name in KNOWN:
        path = find(name)
        size = f"{KNOWN[name].size / 1e6:.0f} MB"
        if path is None:
            yield Finding(name, "missing", f"{size} of weights", f"llm-net models pull {name}", ("weights",))
        else:
            yield Finding(name, "ok", f"{size} in {path}", about=("weights",))


async def _speed() -> Finding:
    """Let the local model speak: two answers, because the first one also loads it."""
    model = LocalModel()
    request = Request(
        [system("You tell stories."), user("Tell me about bees.")], settings=Settings(max_tokens=64, seed=1)
    )
    try:
        began = perf_counter()
        await model.complete(replace(request, settings=replace(request.settings, max_tokens=1)))
        loaded = perf_counter()
        answer = await model.complete(request)
        spoken = perf_counter() - loaded
    except LlmNetError as error:
        return Finding("speed", "broken", str(error), about=("local",), needed=True)
    finally:
        await model.aclose()
    rate = answer.usage.output_tokens / spoken
    return Finding("speed", "ok", f"{rate:.1f} tokens/s by {model.name}, loaded in {loaded - began:.1f} s", needed=True)


def _draw(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "missing": ("–", "yellow"), "broken": ("✗", "red")}
    console = Console(highlight=False)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, colour = marks[finding.state]
        line = Text.assemble((mark, colour), f"  {finding.name:{width}}  ")
        if finding.state == "ok":
            line.append(finding.detail)
        else:
            line.append(finding.state, colour).append(f": {finding.detail}")
            line.append(f"; {finding.cure}" if finding.cure else "", "bold")
        console.print(line, soft_wrap=True)
