"""How many messages may wait for an agent, and what happens to one too many. Knows the wish, not the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llm_net.message import Message


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The bound of a mailbox.

    Args:
        limit: messages that may wait, at least 1.
        when_full: "wait" (the sender waits for room), "reject" (the sender gets `MailboxFull`), "drop_oldest" (the oldest
            waiting message goes to the dead letters), "keep_latest" (of messages with one key only the newest waits, also
            when there is room; when there is none the sender waits).
        key: for "keep_latest": what makes two messages the same matter; by default sender and method.
    """

    limit: int = 1_000
    when_full: Literal["wait", "reject", "drop_oldest", "keep_latest"] = "wait"
    key: Callable[[Message], object] | None = None

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"a mailbox needs room for at least 1 message, not {self.limit}")
