"""`llm-net run`: a message into a program's network, watched to its end. Knows runs and observers, not how to draw."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import TypeVar

import click

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import debug, did_you_mean
from llm_net.cli.program import argument
from llm_net.errors import DeliveryError, InvalidArguments, LimitReached
from llm_net.limits import Limits
from llm_net.message import Message
from llm_net.ports import Observation, Observer, Run
from llm_net.runtime.local import LocalRuntime

EPILOG = """
\b
Examples:
  llm-net run agents.py "What do bees do?"
  llm-net run team.py:network "Review this" --to critic --method review
  llm-net run team.py "Go" --limit-seconds 30 --limit-tokens 5000
  llm-net run team.py "Go" --json | jq -r 'select(.type == "message") | .body'
  git diff | llm-net run team.py - --to reviewer
"""

F = TypeVar("F", bound=Callable[..., object])

BOUNDS = Limits()


def limit(name: str, kind: type, what: str) -> Callable[[F], F]:
    """An option for one of the bounds of a run."""
    default = getattr(BOUNDS, name)
    return click.option(
        f"--limit-{name}", type=kind, default=default, show_default=True, metavar="N", help=f"End after {what}."
    )


@click.command(epilog=EPILOG)
@argument
@click.argument("message")
@click.option(
    "--to", metavar="ID", help="Who gets the message: an id or a path.  [default: the network, or who alone can]"
)
@click.option(
    "--method", metavar="VERB", help="What the receiver shall do with it.  [default: request, or the only one]"
)
@limit("messages", int, "so many messages")
@limit("depth", int, "so many messages that cause each other")
@limit("seconds", float, "so many seconds")
@limit("tokens", int, "so many tokens of models")
@limit("money", Decimal, "so many US dollars for models")
@click.option("--seed", type=int, help="Makes random numbers and ids of the run the same again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: each message, then a summary.")
@debug
def command(
    program: GenAgent,
    message: str,
    to: str | None,
    method: str | None,
    limit_messages: int,
    limit_depth: int,
    limit_seconds: float,
    limit_tokens: int,
    limit_money: Decimal,
    seed: int | None,
    as_json: bool,
) -> None:
    """Send MESSAGE into the network (or the agent) of a Python file, and watch what it causes until it ends.

    MESSAGE is text, or "-" for what comes on standard input. A handler that takes a message class of its own gets it
    from that message's JSON, such as '{"text": "…"}'.
    """
    text = sys.stdin.read() if message == "-" else message
    receiver, verb = _receiver(program, to, method)
    root = _message(receiver, verb, text, receiver=None if receiver is program else receiver)
    limits = Limits(limit_messages, limit_depth, limit_seconds, limit_tokens, limit_money)
    with ExitStack() as stack:
        observer: Observer
        if as_json:
            observer = JsonLines()
        else:
            from llm_net.observe.progress import Progress

            observer = stack.enter_context(Progress())
        run = program.run(root, limits=limits, runtime=LocalRuntime(seed=seed), observers=[observer])
        error: BaseException | None = None
        try:
            asyncio.run(_to_its_end(run))
        except LimitReached as reached:
            error = reached
            sentence = f"run stopped at its limit of {reached.bound}; raise it with --limit-{reached.limit}"
            raise click.ClickException(sentence) from reached
        except BaseException as other:
            error = other
            raise
        finally:
            if as_json:
                _summarise(run, error)


async def _to_its_end(run: Run) -> None:
    async with run:
        await run.wait()


def _receiver(program: GenAgent, to: str | None, method: str | None) -> tuple[GenAgent, str]:
    """Who gets the message, and what it is asked to do.

    Who was asked for, else the program itself, else who alone understands it of those inside and nearest. What was asked
    for, else "request", else the one thing that the receiver understands.
    """
    verb = method or "request"
    if to is not None:
        receiver = _member(program, to)
    elif _understands(program, verb) or not isinstance(program, GenNetwork):
        receiver = program
    else:
        able = {path: agent for path, agent in program.walk() if _understands(agent, verb)}
        nearest = min((path.count("/") for path in able), default=0)
        able = {path: agent for path, agent in able.items() if path.count("/") == nearest}
        if len(able) > 1:
            raise click.UsageError(f"several understand {verb!r}; say who gets it: --to {' or --to '.join(able)}")
        receiver = next(iter(able.values()), program)
    verbs = receiver.receivable_messages
    if not _understands(receiver, verb):
        if method is None and len(verbs) == 1:
            return receiver, next(iter(verbs))
        if receiver is program and isinstance(program, GenNetwork):
            verbs = {known: kinds for _, agent in program.walk() for known, kinds in agent.receivable_messages.items()}
        sentence = f"{receiver.id!r} does not understand {verb!r}{did_you_mean(verb, verbs)}"
        raise click.BadParameter(sentence, param_hint="--method")
    return receiver, verb


def _member(program: GenAgent, to: str) -> GenAgent:
    if isinstance(program, GenNetwork):
        try:
            return program[to]
        except DeliveryError as unknown:
            raise click.BadParameter(str(unknown), param_hint="--to") from None
    if to != program.id:
        raise click.BadParameter(f"the program is one agent, {program.id!r}; leave out --to", param_hint="--to")
    return program


def _understands(agent: GenAgent, method: str) -> bool:
    return agent.can_receive(method) or type(agent).missing is not GenAgent.missing


def _message(agent: GenAgent, method: str, text: str, *, receiver: GenAgent | None) -> Message:
    kinds = agent.receivable_messages.get(method, (Message,))
    kind = Message if Message in kinds else kinds[0]
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    is_object = kind is not Message and text.lstrip().startswith("{")
    try:
        return kind.from_fn(text if is_object else {"body": text}, method=method, receiver=receiver)
    except InvalidArguments as invalid:
        problem = str(invalid) if is_object else f"It needs {', '.join(needed)}, as in '{{\"{needed[0]}\": …}}'"
        raise click.BadParameter(
            f"{method!r} takes the JSON of a {kind.__name__}. {problem}", param_hint="MESSAGE"
        ) from None


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
