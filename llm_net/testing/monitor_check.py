"""Is this a `Monitor`? Every promise of the port as a check that can fail. Knows no rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from llm_net.errors import BrokenRule
from llm_net.message import Message
from llm_net.ports import Monitor

NOW = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of day while it is checked."""


def check_monitor(make: Callable[[], Monitor], right: Sequence[Message], wrong: Sequence[Message]) -> None:
    """Check that monitors keep the promises of the port `Monitor`.

    Args:
        make: a new monitor, each time.
        right: messages in the order in which they may be said.
        wrong: messages of which none may be said after those.

    Raises:
        AssertionError: a promise is broken; the sentence says which.
    """
    monitor = make()
    for number, message in enumerate(right, 1):
        mine = _may_be_said(monitor, message)
        again = _may_be_said(monitor, message)
        assert again == mine, f"message {number} is judged otherwise when it comes again"
        if mine:
            monitor.retract(message)
            assert _may_be_said(monitor, message), (
                f"message {number} may not be said once more after it could not be sent"
            )
        monitor.retract(Message())  # of which it has never heard
    for number, message in enumerate(wrong, 1):
        for time in ("first", "second"):
            assert _is_refused(monitor, message), f"wrong message {number} is not refused the {time} time"
    for message in right:
        monitor.release(message)
    other = make()
    for number, message in enumerate(right, 1):
        _may_be_said(other, message, f"message {number}, to a monitor of another run")


def _may_be_said(monitor: Monitor, message: Message, what: str = "") -> bool:
    """Whether it belongs to a conversation of the monitor's."""
    what = what or f"{message.method!r}"
    try:
        mine = monitor.admit(message, lambda: NOW)
    except BrokenRule as broken:
        raise AssertionError(f"{what} is refused: {broken}") from broken
    stray = None if mine else monitor.stray(message)
    assert stray is None, f"{what} is a stray: {stray}"
    return mine


def _is_refused(monitor: Monitor, message: Message) -> bool:
    try:
        return not monitor.admit(message, lambda: NOW) and monitor.stray(message) is not None
    except BrokenRule:
        return True
