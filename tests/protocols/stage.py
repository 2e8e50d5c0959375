"""What it takes to play a protocol with any members: how the network is made, what begins it, what its outcome must never be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.interaction import InteractionProtocol


@dataclass(frozen=True, slots=True)
class Stage:
    """One protocol, ready to be played by members who answer by the rules, lie, are silent, are late or crash.

    Args:
        rules: the name of its rules in the catalog.
        make: the network of these members.
        root: what begins it; addressed to the network itself, which answers with the outcome.
        check: raises AssertionError where an outcome is not what the protocol promises, whatever its members did.
        members: how many there are, "m0", "m1" and so on.
    """

    rules: str
    make: Callable[[Sequence[GenAgent]], InteractionProtocol]
    root: Callable[[Random], Message]
    check: Callable[[InteractionProtocol, Message], None]
    members: int = 4
