"""Each protocol can be recorded and gone through again, and may be a member of another network. Knows none in particular."""

from __future__ import annotations

from random import Random

import pytest

from llm_net import GenAgent, GenNetwork, Message, simulation
from llm_net.journal import MemoryJournal
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.outcome import Outcome
from tests.protocols.strangers import Stranger
from tests.protocols.test_random_conversations import LIMITS, STAGES

every_stage = pytest.mark.parametrize("name", STAGES)


def network_of(name: str) -> InteractionProtocol:
    """A protocol with members who answer by the rules."""
    members: list[GenAgent] = [Stranger(id=f"m{number}") for number in range(STAGES[name].members)]
    return STAGES[name].make(members)


@every_stage
def test_it_goes_the_same_way_by_its_record(name: str) -> None:
    async def main() -> tuple[int, int]:
        journal, network = MemoryJournal(), network_of(name)
        async with network.run(STAGES[name].root(Random(name)), limits=LIMITS, journal=journal) as run:
            pass
        assert isinstance(run.result, Outcome)
        again = await network_of(name).replay(journal, run.id)
        return run.statistics().sent, again.sent

    sent, again = simulation.run(main(), seed=1)

    assert sent == again > 1


@every_stage
def test_it_may_be_a_member_of_another_network(name: str) -> None:
    async def main() -> tuple[Message | None, InteractionProtocol]:
        inner = network_of(name)
        root = STAGES[name].root(Random(name))
        fields = {field: getattr(root, field) for field in type(root).model_fields if field not in Message.model_fields}
        asked = type(root)(body=root.body, method=root.method, receiver=inner, **fields)
        outer = GenNetwork(id="outer", agents=[GenNetwork(id="between", agents=[inner])])
        async with outer.run(asked, limits=LIMITS) as run:
            pass
        return run.result, inner

    outcome, inner = simulation.run(main(), seed=1)

    assert isinstance(outcome, Outcome)
    STAGES[name].check(inner, outcome)
