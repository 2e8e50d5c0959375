"""What an agent says to whoever listens. Knows no listener."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from llm_net.message import Message


@dataclass(frozen=True, slots=True)
class Event:
    """A message that was emitted. `path` is the address of who emitted it, seen from where it is heard."""

    name: str
    message: Message
    path: str


Callback: TypeAlias = Callable[[Event], Awaitable[None] | None]
"""A function that hears events; an async one runs beside the speaker and belongs to the run."""
