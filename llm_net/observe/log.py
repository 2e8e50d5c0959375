"""An observer that writes a run to the standard library's logging, as structured records. Knows no format."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import NoneType

from llm_net.errors import RunCancelled
from llm_net.ports import Observation

_LEVELS: Mapping[str, int] = {
    "model": logging.INFO,
    "cancelled": logging.INFO,
    "ended": logging.INFO,
    "retried": logging.WARNING,
    "expired": logging.WARNING,
    "rejected": logging.WARNING,
    "refused": logging.WARNING,
    "dead": logging.WARNING,
    "failed": logging.ERROR,
}
"""Whatever is not here is the daily traffic: DEBUG."""


class Log:
    """Writes what happens in a run as log records, each with its facts as attributes.

    Traffic is DEBUG, calls of models and the end INFO, what needs a look WARNING, failures ERROR with their traceback.
    The facts are `run`, `kind`, `address`, and where they say something `event`, `method`, `message_id`,
    `conversation`, `sender`, `reply_to`, `body`, `input_tokens`, `output_tokens`, `cost`, `error`, `seconds` and `status`:
    what a JSON formatter finds on the record.

    Args:
        logger: where to write; None for the logger "llm_net".
        bodies: whether to write what messages say; they may be private, or long.
    """

    def __init__(self, logger: logging.Logger | None = None, *, bodies: bool = False) -> None:
        self._logger = logger or logging.getLogger("llm_net")
        self._bodies = bodies

    def observe(self, observation: Observation) -> None:
        """Write one record, if the logger wants its level."""
        level = _LEVELS.get(observation.kind, logging.DEBUG)
        if observation.kind == "ended" and not isinstance(observation.error, (NoneType, RunCancelled)):
            level = logging.ERROR
        if self._logger.isEnabledFor(level):
            # A run that ended badly names the error of the message that failed: its traceback was written with that.
            cause = observation.error if observation.kind == "failed" else None
            self._logger.log(level, "%s", _sentence(observation), exc_info=cause, extra=self._facts(observation))

    def _facts(self, observation: Observation) -> dict[str, object]:
        facts: dict[str, object] = {
            "run": observation.run,
            "kind": observation.kind,
            "address": observation.address,
            "event": observation.event,
            "seconds": observation.seconds or None,
            "status": observation.status,
            "error": str(observation.error) if observation.error is not None else None,
        }
        if (message := observation.message) is not None:
            facts |= {
                "method": message.method,
                "message_id": message.id,
                "conversation": message.conversation,
                "sender": message.sender and message.sender.id,
                "reply_to": message.reply_to and message.reply_to.id,
                "body": message.body if self._bodies else None,
            }
        if (usage := observation.usage) is not None:
            facts |= {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cost": usage.cost}
        return {name: fact for name, fact in facts.items() if fact is not None}


def _sentence(observation: Observation) -> str:
    who = observation.address or "outside"
    what = ""
    if (message := observation.message) is not None:
        sender = message.sender.id if message.sender is not None else "outside"
        what = f" {message.method!r}"
        if observation.kind == "sent":  # the address is the receiver's
            who, what = sender, f"{what} to {who}"
        elif observation.kind != "emitted":
            what += f" from {sender}"
    if observation.event is not None:
        what += f" as event {observation.event!r}"
    if observation.status == "waiting":
        what += " waiting for an answer"
    if (usage := observation.usage) is not None:
        what += f" ({usage.input_tokens} + {usage.output_tokens} tokens)"
    if observation.seconds:
        what += f" in {observation.seconds:.3f} s"
    if observation.error is not None:
        what += f": {type(observation.error).__name__}: {observation.error}"
    return f"{who} {observation.kind}{what}"
