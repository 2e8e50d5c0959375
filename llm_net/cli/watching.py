"""Watches a run to its end: drawn as it goes on, or as JSON lines, with its limits as options. Knows runs, not programs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from functools import wraps
from typing import TypeAlias

import click

from llm_net.errors import AgentFailed, InDoubt, LimitReached
from llm_net.limits import Limits
from llm_net.ports import Journal, Observation, Observer, Run

Command: TypeAlias = Callable[..., None]

BOUNDS = Limits()


def limit(name: str, kind: type, what: str) -> Callable[[Command], Command]:
    """An option for one of the bounds of a run."""
    default = getattr(BOUNDS, name)
    return click.option(
        f"--limit-{name}", type=kind, default=default, show_default=True, metavar="N", help=f"End after {what}."
    )


def limits(command: Command) -> Command:
    """The options for all of them, which a command gets as `limits`."""

    @wraps(command)
    def limited(
        *,
        limit_messages: int,
        limit_depth: int,
        limit_seconds: float,
        limit_tokens: int,
        limit_money: Decimal,
        **others: object,
    ) -> None:
        command(limits=Limits(limit_messages, limit_depth, limit_seconds, limit_tokens, limit_money), **others)

    wrapped: Command = limited
    for option in (
        limit("money", Decimal, "so many US dollars for models"),
        limit("tokens", int, "so many tokens of models"),
        limit("seconds", float, "so many seconds"),
        limit("depth", int, "so many messages that cause each other"),
        limit("messages", int, "so many messages"),
    ):
        wrapped = option(wrapped)
    return wrapped


def watch(
    prepare: Callable[[list[Observer]], Run], *, as_json: bool, journal: Journal | None = None, where: str | None = None
) -> Run:
    """Run it to its end and show what happens.

    Args:
        prepare: makes the run, which tells these observers.
        journal: what is closed at the end.
        where: that journal is.

    Raises:
        click.ClickException: it came to a limit, or to a call that is in doubt.
        AgentFailed: and all else that ends a run badly.
    """
    with ExitStack() as stack:
        observer: Observer
        if as_json:
            observer = JsonLines()
        else:
            from llm_net.observe.progress import Progress

            observer = stack.enter_context(Progress())
        run = prepare([observer])
        error: BaseException | None = None
        try:
            asyncio.run(_to_its_end(run, journal))
        except LimitReached as reached:
            error = reached
            sentence = (
                f"run stopped at its limit of {reached.allowed} {reached.limit}; raise it with --limit-{reached.limit}"
            )
            raise click.ClickException(sentence) from reached
        except AgentFailed as failed:
            error = failed
            if not isinstance(doubt := failed.__cause__, InDoubt):
                raise
            raise click.ClickException(
                f"{doubt.agent!r} began {doubt.name!r}, which must not happen twice, and was stopped before its result was "
                f"kept; find out whether it happened, and resume with --settle {doubt.key}=RESULT, where RESULT is JSON, or "
                f"with --settle {doubt.key}=repeat if it has not"
            ) from failed
        except BaseException as other:
            error = other
            raise
        finally:
            if as_json:
                _summarise(run, error)
        if where is not None and not as_json:
            click.echo(f"run {run.id} is recorded in {where}", err=True)
            if run.status == "waiting":
                click.echo(
                    f"it waits for an answer: llm-net resume {run.id} FILE.py ANSWER --journal {where}", err=True
                )
    return run


async def _to_its_end(run: Run, journal: Journal | None) -> None:
    try:
        async with run:
            await run.wait()
    finally:
        if journal is not None:
            await journal.aclose()


class JsonLines:
    """Prints each message that is sent as one line of JSON."""

    def observe(self, observation: Observation) -> None:
        message = observation.message
        if observation.kind == "sent" and message is not None:
            line = {
                "type": "message",
                "kind": type(message).__name__,
                "address": observation.address,
                "event": observation.event,
            }
            print(json.dumps(line | message.model_dump(mode="json", fallback=str), ensure_ascii=False), flush=True)


def _summarise(run: Run, error: BaseException | None) -> None:
    statistics = run.statistics()
    usage = statistics.usage
    summary: dict[str, object] = {
        "type": "summary",
        "run": run.id,
        "seed": run.seed,
        "status": run.status,
        "result": run.result.model_dump(mode="json", fallback=str) if run.result is not None else None,
        "error": f"{type(error).__name__}: {error}" if error is not None else None,
        "seconds": round(statistics.seconds, 3),
        "messages": {
            name: getattr(statistics, name)
            for name in ("sent", "handled", "failed", "expired", "cancelled", "rejected", "dead", "pending")
        },
        "usage": {
            "requests": usage.requests,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost": str(usage.cost) if usage.cost is not None else None,
        },
    }
    print(json.dumps(summary, ensure_ascii=False), flush=True)
