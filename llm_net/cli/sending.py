"""Who gets a message that is typed, and what message that is. Knows what agents understand, not how they run."""

from __future__ import annotations

import click

from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import did_you_mean
from llm_net.errors import DeliveryError, InvalidArguments
from llm_net.message import Message


def receiver_of(program: GenAgent, to: str | None, method: str | None) -> tuple[GenAgent, str]:
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


def message_of(agent: GenAgent, method: str, text: str, *, receiver: GenAgent | None) -> Message:
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
