"""Watches conversations that it has no part in, and says what broke their rules. Knows messages and rules, not who speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from llm_net.errors import BrokenRule, WireError
from llm_net.message import Message
from llm_net.ports import Observation
from llm_net.protocols.monitor import Monitor, Session
from llm_net.protocols.rules import Rules


@dataclass(frozen=True, slots=True)
class Breach:
    """A message, and the rule that it breaks."""

    message: Message
    broken: BrokenRule


class Watch:
    """An observer that notes what breaks the rules, and stops nobody: `network.run(root, observers=[watch])`.

    Messages of any other origin are shown to it one by one, in the order in which they were said; a deadline is kept by who
    wrote its message in time.

    Args:
        rules: of the conversations that it knows; what else is said is no matter to it.
    """

    def __init__(self, rules: Sequence[Rules]) -> None:
        self._monitor = Monitor(rules)
        self.breaches: list[Breach] = []

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The conversations that have begun and not come to an end."""
        return self._monitor.sessions

    def observe(self, observation: Observation) -> None:
        """See `ports.Observer.observe`."""
        if observation.kind == "sent" and observation.message is not None:
            self.show(observation.message)

    def show(self, message: Message) -> BrokenRule | None:
        """Take note of a message. Gives the rule that it breaks, if it does; the conversation is then as it was."""
        try:
            broken = None
            if not self._monitor.admit(message, lambda: message.created_at):
                broken = self._monitor.stray(message)
        except BrokenRule as found:
            broken = found
        if broken is not None:
            self.breaches.append(Breach(message, broken))
        return broken


def transcript(lines: Iterable[str], rules: Sequence[Rules]) -> Iterator[Message]:
    """The messages of a transcript: JSON objects, a line each, with the fields of a message.

    The verb is their `method` (a FIPA performative such as "accept-proposal" will do), and `reply_to` the id of an earlier one.
    Those with a verb of the rules are of its class; empty lines are left out.

    Raises:
        WireError: a line is no message; it says which one, and why.
    """
    kinds = {act: kind for each in reversed(rules) for act, kind in each.kinds.items()}
    told: dict[str, Message] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields: dict[str, Any] = from_json(line)
            fields["method"] = str(fields.get("method", "request")).replace("-", "_")
            if (answered := fields.pop("reply_to", None)) is not None:
                fields["reply_to"] = told[answered]
            message = kinds.get(fields["method"], Message)(**fields)
        except KeyError as unknown:
            raise WireError(f"line {number} answers {unknown}, which is on no line before it") from None
        except ValidationError as invalid:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in invalid.errors())
            raise WireError(f"line {number}: {wrong}") from None
        except (TypeError, ValueError, AttributeError) as invalid:
            raise WireError(f"line {number} is no JSON object: {invalid}") from None
        told[message.id] = message
        yield message
