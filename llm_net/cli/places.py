"""Where the agents of a command live, as options. Knows which places there are, not what happens in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias, TypeVar

import click

from llm_net.cli.app import did_you_mean
from llm_net.ports import Runtime
from llm_net.runtime.local import LocalRuntime

Command: TypeAlias = Callable[..., None]
F = TypeVar("F", bound=Callable[..., Any])

VARIABLE = "LLM_NET_CLUSTER"
URLS = ("nats://", "tls://", "postgresql://", "postgres://")


def at(command: F) -> F:
    """The option --at."""
    return click.option(
        "--at",
        required=True,
        envvar=VARIABLE,
        show_envvar=True,
        metavar="URL",
        callback=_checked,
        help="The servers: nats://HOST:4222 (commas between several), or postgresql://HOST/DATABASE.",
    )(command)


def space(command: F) -> F:
    """The option --space."""
    return click.option(
        "--space", default="default", show_default=True, metavar="NAME", help="Nodes of one space see each other."
    )(command)


def runtime(command: Command) -> Command:
    """The options that say where the agents of a run live, which a command gets as `place`: what makes a runtime of a seed."""

    @wraps(command)
    def placed(*, runtime: str, workers: int | None, space: str, name: str | None, **others: object) -> None:
        command(place=_place(runtime, workers, space, name), **others)

    wrapped: Command = space(placed)
    wrapped = click.option(
        "--name", metavar="NAME", help="Of this process in a cluster.  [default: the user in the URL, or one by chance]"
    )(wrapped)
    wrapped = click.option(
        "--workers", type=click.IntRange(1), metavar="N", help="How many processes.  [default: one for each core]"
    )(wrapped)
    return click.option(
        "--runtime",
        default="local",
        show_default=True,
        metavar="PLACE",
        help='Where agents live: "local", "processes", or the URL of a cluster.',
    )(wrapped)


Place: TypeAlias = Callable[[int | None], Runtime]


def _place(where: str, workers: int | None, space: str, name: str | None) -> Place:
    if workers is not None and where != "processes":
        raise click.UsageError("--workers is for --runtime processes; nodes of a cluster are started by `llm-net node`")
    if where == "local":
        return lambda seed: LocalRuntime(seed=seed)
    if where == "processes":
        from llm_net.places import Processes

        return lambda seed: Processes(workers, seed=seed)
    if _is_cluster(where):
        from llm_net.places import Cluster

        return lambda seed: Cluster(where, space=space, name=name, seed=seed)
    known = ("local", "processes", *(f"{url}…" for url in URLS))
    raise click.BadParameter(f"{where!r} is no place{did_you_mean(where, known)}", param_hint="--runtime")


def _checked(context: click.Context, option: click.Parameter, value: str) -> str:
    if not _is_cluster(value):
        raise click.BadParameter(
            f"{without_secrets(value)!r} is no cluster; give nats://HOST:4222, or postgresql://HOST/DATABASE"
        )
    return value


def _is_cluster(where: str) -> bool:
    return where.startswith(URLS) or "dbname=" in where


def without_secrets(url: str) -> str:
    """A URL, or several, without users and passwords."""
    return re.sub(r"password=\S+ ?", "", re.sub(r"//[^/@,]*@", "//", url))
