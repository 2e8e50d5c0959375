"""The protocols of argumentation on stage."""

from __future__ import annotations

from random import Random

from llm_net import Message
from llm_net.protocols.argumentation.dispute import CLAIM, Claim, Dispute, Verdict
from llm_net.protocols.argumentation.framework import Framework
from llm_net.protocols.interaction import InteractionProtocol
from tests.protocols.stage import Stage


def _claim(random: Random) -> Message:
    return Claim(body=f"bridge {random.randrange(10)} is safe")


def _check_verdict(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Verdict)
    framework = Framework.of(outcome.arguments, *outcome.attacks)
    assert set(outcome.speakers.values()) <= {member.id for member in network}
    assert outcome.arguments.keys() - outcome.speakers.keys() == {CLAIM}
    assert all(framework.admissible(position) for position in outcome.positions)
    assert (outcome.claim == "stands") == (CLAIM in outcome.standing)


STAGES = (
    Stage(
        "dispute",
        lambda members: Dispute(id="hall", agents=members, rounds=2, semantics="preferred"),
        _claim,
        _check_verdict,
        members=3,
    ),
)
