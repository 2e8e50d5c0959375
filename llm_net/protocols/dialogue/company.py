"""Who of a network's members is to be asked. Knows names, not what is asked."""

from __future__ import annotations

from llm_net.base import GenNetwork
from llm_net.errors import DefinitionError


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
