"""A network whose members speak by the rules of FIPA, all of them at once. Knows none of what they speak about."""

from __future__ import annotations

from typing import ClassVar

from llm_net.protocols.fipa.brokering import BROKERING
from llm_net.protocols.fipa.contract_net import CONTRACT_NET
from llm_net.protocols.fipa.iterated_contract_net import ITERATED_CONTRACT_NET
from llm_net.protocols.fipa.propose import PROPOSE
from llm_net.protocols.fipa.query import QUERY
from llm_net.protocols.fipa.recruiting import RECRUITING
from llm_net.protocols.fipa.request import REQUEST
from llm_net.protocols.fipa.request_when import REQUEST_WHEN
from llm_net.protocols.fipa.subscribe import SUBSCRIBE
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.rules import Rules

FIPA: tuple[Rules, ...] = (
    REQUEST,
    QUERY,
    REQUEST_WHEN,
    SUBSCRIBE,
    PROPOSE,
    CONTRACT_NET,
    ITERATED_CONTRACT_NET,
    BROKERING,
    RECRUITING,
)
"""The rules that a `Fipa` holds its members to."""


class Fipa(InteractionProtocol):
    """A network whose members begin conversations themselves, with the acts of `llm_net.protocols.acts`.

    The first word says by which rules a conversation goes. Where two begin alike, the message's `protocol` does:
    `Cfp(protocol="fipa-iterated-contract-net", …)`, `Proxy(protocol="fipa-recruiting", …)`; without it, it is
    "fipa-contract-net" or "fipa-brokering".
    """

    rules: ClassVar = FIPA
