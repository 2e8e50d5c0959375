"""Every protocol that comes with the library, by the name of its rules. Knows them all, and nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from llm_net.protocols.fipa.contract_net import CONTRACT_NET, ContractNet
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.rules import Rules


@dataclass(frozen=True, slots=True)
class Entry:
    """One protocol.

    Args:
        family: what it belongs to: "fipa", "auctions", "voting" and so on, as the folders are called.
        rules: of the conversation with each member.
        network: the network that begins it; None where its members begin it themselves.
        page: its page in the how-to.
    """

    family: str
    rules: Rules
    network: type[InteractionProtocol] | None
    page: str


def _by_name(*entries: Entry) -> dict[str, Entry]:
    return {entry.rules.name: entry for entry in entries}


CATALOG: Final[Mapping[str, Entry]] = _by_name(
    Entry("fipa", CONTRACT_NET, ContractNet, "contract-net"),
)
"""By name, families together."""
