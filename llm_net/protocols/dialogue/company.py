"""Who of a network's members is to be asked, and why others gave no answer. Knows names, not what is asked."""

from __future__ import annotations

from llm_net.base import GenNetwork
from llm_net.errors import DefinitionError
from llm_net.message import Message
from llm_net.protocols.outcome import Answers


def everybody_but(network: GenNetwork, *named: str) -> tuple[str, ...]:
    """The members of a network without those who are named for something else, in their order.

    Raises:
        DefinitionError: one who is named is no member.
    """
    members = [member.id for member in network]
    if strangers := [name for name in named if name not in members]:
        raise DefinitionError(
            f"network {network.id!r}", f"{strangers[0]!r} is no member; name one of {', '.join(members) or 'them'}"
        )
    return tuple(name for name in members if name not in named)


def unanswered(answers: Answers, *kinds: type[Message]) -> dict[str, str]:
    """Why each of those who were asked gave no answer of these classes."""
    others = {name: answer for name, answer in answers.given.items() if not isinstance(answer, kinds)}
    return {**answers.absent, **{name: answer.body or "it refused" for name, answer in others.items()}}
