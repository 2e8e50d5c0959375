"""What a network does when one of its agents fails. Knows the decisions, not who carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from llm_net.address import AbstractObject
from llm_net.message import Message


@dataclass(frozen=True, slots=True)
class Failure:
    """An agent raised while it handled a message. `attempt` counts from 1."""

    agent: AbstractObject
    address: str
    message: Message
    error: BaseException
    attempt: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Handle the same message again, at most `times` more, after `delay` seconds that grow by `factor` each time.

    Args:
        transient_only: try again only where the error says that this can help (`error.transient`).
        then: what to do when it still fails.
    """

    times: int = 3
    delay: float = 0.1
    factor: float = 2.0
    transient_only: bool = False
    then: Literal["restart", "skip", "stop", "escalate"] = "escalate"


Directive: TypeAlias = Literal["restart", "skip", "stop", "escalate"] | Retry
"""What to do about a failure.

- `Retry(…)`: handle the message again.
- "restart": give the agent the state back that it had at the start of the run; the message goes to the dead letters.
- "skip": the agent goes on as it is; the message goes to the dead letters.
- "stop": the run fails.
- "escalate": the network around decides; at the outermost the run fails.
"""
