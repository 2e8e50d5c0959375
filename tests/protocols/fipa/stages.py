"""The protocols of FIPA on stage."""

from __future__ import annotations

from llm_net import Message
from llm_net.protocols.fipa.contract_net import Contract, ContractNet, Task
from llm_net.protocols.interaction import InteractionProtocol
from tests.protocols.stage import Stage


def _check_contract(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Contract)
    assert (outcome.contractor is None) == (outcome.price is None)
    assert outcome.contractor is None or outcome.contractor in network
    assert outcome.contractor not in outcome.absent


STAGES = (
    Stage(
        "fipa-contract-net",
        lambda members: ContractNet(id="town", agents=members),
        lambda random: Task(body=f"task {random.randrange(10)}"),
        _check_contract,
    ),
)
