"""`llm-net resume`: a recorded run goes on. Knows what a run waits for, not how it is made what it was."""

from __future__ import annotations

import json
import sys

import click

from llm_net.address import AbstractObject, Border, Reference
from llm_net.base import GenAgent, GenNetwork
from llm_net.cli.app import debug
from llm_net.cli.journals import find_run, look, option, run_argument, to_write
from llm_net.cli.places import Place, runtime
from llm_net.cli.program import argument
from llm_net.cli.sending import message_of, receiver_of
from llm_net.cli.watching import limits as limit_options
from llm_net.cli.watching import watch
from llm_net.errors import DeliveryError
from llm_net.journal.said import said
from llm_net.limits import Limits
from llm_net.message import Message
from llm_net.ports import REPEAT, Journal
from llm_net.record import Sent
from llm_net.wire import LONG_AGO, Elsewhere, decode_alone

EPILOG = """
\b
Examples:
  llm-net resume last team.py
  llm-net resume last team.py "yes, pay it"
  llm-net resume 6d24 team.py --settle 6d24c777a4ab-2-7-1='{"paid": true}'
  llm-net resume 6d24 team.py --settle 6d24c777a4ab-2-7-1=repeat
"""


@click.command(epilog=EPILOG)
@run_argument
@argument
@click.argument("message", required=False)
@click.option("--answers", metavar="ID", help="The question that MESSAGE answers.  [default: the only open one]")
@click.option("--to", metavar="ID", help="Who gets MESSAGE, if it is no answer: an id or a path.")
@click.option("--method", metavar="VERB", help="What the receiver shall do with it, if it is no answer.")
@click.option(
    "--settle",
    multiple=True,
    metavar="KEY=JSON",
    help="What came of a call that was in doubt; KEY=repeat: make it again.",
)
@limit_options
@runtime
@option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: each message, then a summary.")
@debug
def command(
    run: str,
    program: GenAgent,
    message: str | None,
    answers: str | None,
    to: str | None,
    method: str | None,
    settle: tuple[str, ...],
    journal: str,
    limits: Limits,
    place: Place,
    as_json: bool,
) -> None:
    """Go on with a RUN of a journal that was stopped, or that waits for an answer from outside: MESSAGE.

    The program is the one that was recorded. What was being handled when it stopped is handled again, with what it had
    learned from models and from outside: nothing is asked or done twice. MESSAGE is text, or "-" for standard input.
    """
    text = sys.stdin.read() if message == "-" else message
    name, questions = look(journal, lambda opened: _open_questions(opened, run))
    root = None if text is None else _message(program, text, questions, answers, to, method)
    settled = dict(_settled(each) for each in settle)
    kept = to_write(journal)
    watch(
        lambda observers: program.resume(
            kept, name, root, settle=settled, limits=limits, runtime=place(None), observers=observers
        ),
        as_json=as_json,
        journal=kept,
        where=journal,
    )


async def _open_questions(journal: Journal, run: str) -> tuple[str, dict[str, Sent]]:
    """The run, and the last that each step which is not over has said to the outside and got no reply to, by id."""
    info = await find_run(journal, run)
    opened = await journal.open(info.run)
    questions: dict[str, Sent] = {}
    for facts in opened.past.values():
        asked = [fact for fact in facts if isinstance(fact, Sent) and not fact.receiver]
        if asked and asked[-1].id not in opened.replies and asked[-1].id not in opened.abandoned:
            questions[asked[-1].id] = asked[-1]
    return info.run, questions


def _message(
    program: GenAgent, text: str, questions: dict[str, Sent], answers: str | None, to: str | None, method: str | None
) -> Message:
    if answers is None and (to is not None or method is not None or not questions):
        receiver, verb = receiver_of(program, to, method)
        return message_of(receiver, verb, text, receiver=None if receiver is program else receiver)
    listed = "".join(f"\n  --answers {id}  {said(sent).text}" for id, sent in questions.items())
    if answers is None and len(questions) > 1:
        raise click.UsageError(f"several questions are open; say which one this answers:{listed}")
    if answers is not None and answers not in questions:
        raise click.BadParameter(
            f"no question {answers!r} is open{f'; these are:{listed}' if listed else ''}", param_hint="--answers"
        )
    sent = questions[answers] if answers is not None else next(iter(questions.values()))
    return _question(program, sent).reply(body=text)


def _question(program: GenAgent, sent: Sent) -> Message:
    """The message itself, with its sender as it lives in this program."""

    def agent(address: str) -> AbstractObject:
        if isinstance(program, GenNetwork):
            try:
                return program[address]
            except DeliveryError:
                return Reference(address.removeprefix("/"))
        return program

    border = Border(agent=agent, message=lambda id: Elsewhere(id=id, created_at=LONG_AGO))
    return decode_alone(sent.message, border)


def _settled(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=JSON", param_hint="--settle")
    if value == "repeat":
        return key, REPEAT
    try:
        return key, json.loads(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no JSON; a text stands in quotes: {key}='{json.dumps(value)}'", param_hint="--settle"
        ) from None
