"""Matching on stage."""

from __future__ import annotations

from random import Random

from llm_net import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.matching.stable_matching import Match, Matching, StableMatching
from llm_net.protocols.matching.task_assignment import Assign, Assigned, TaskAssignment
from llm_net.protocols.matching.top_trading_cycles import Swap, Swapped, TopTradingCycles
from tests.protocols.stage import Stage

TASKS = ("x", "y", "z")


def _match(random: Random) -> Message:
    return Match(body=f"ball {random.randrange(10)}")


def _check_matching(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Matching)
    assert len(set(outcome.pairs.values())) == len(outcome.pairs)
    assert {*outcome.pairs, *outcome.unmatched} == {"m0", "m1", "m2"}
    assert not {*outcome.pairs, *outcome.pairs.values()} & outcome.absent.keys()


def _check_assigned(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Assigned)
    assert sorted([*outcome.tasks.values(), *outcome.left]) == list(TASKS)
    assert not outcome.tasks.keys() & outcome.absent.keys()


def _check_swapped(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Swapped)
    assert isinstance(network, TopTradingCycles)
    assert outcome.has == network.owned
    assert sorted(outcome.has.values()) == [f"hat of m{number}" for number in range(4)]
    assert not outcome.absent.keys() & set(outcome.moved)


STAGES = (
    Stage(
        "stable-matching",
        lambda members: StableMatching(id="ball", agents=members, proposers=("m0", "m1", "m2"), stepwise=True),
        _match,
        _check_matching,
        members=6,
    ),
    Stage(
        "assignment",
        lambda members: TaskAssignment(id="plan", agents=members),
        lambda random: Assign(body=f"house {random.randrange(10)}", tasks=TASKS),
        _check_assigned,
    ),
    Stage(
        "top-trading-cycles",
        lambda members: TopTradingCycles(
            id="swap", agents=members, owned={member.id: f"hat of {member.id}" for member in members}
        ),
        lambda random: Swap(body=f"hats {random.randrange(10)}"),
        _check_swapped,
    ),
)
