"""The protocols of coordination on stage."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.coordination.barrier import Barrier, Meeting, Passage
from llm_net.protocols.coordination.bully_election import BullyElection
from llm_net.protocols.coordination.coalition_formation import Alliance, CoalitionFormation, Coalitions
from llm_net.protocols.coordination.election import Elect, Leader
from llm_net.protocols.coordination.gossip import Gossip, Rumour, Spread
from llm_net.protocols.coordination.map_reduce import Job, MapReduce, Reduced
from llm_net.protocols.coordination.pipeline import Batch, Finished, Pipeline
from llm_net.protocols.coordination.publish_subscribe import Opened, Opening, PublishSubscribe
from llm_net.protocols.coordination.ring_election import RingElection
from llm_net.protocols.coordination.task_allocation import Allocated, TaskAllocation, Tasks
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.tie import Lot
from tests.protocols.stage import Stage

PARTS = ("north", "east", "south")


def _check_reduced(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Reduced)
    assert set(outcome.missing) <= {0, 1, 2}
    assert len(outcome.results) <= 3 - len(outcome.missing)
    assert bool(outcome.results) == (len(outcome.missing) < 3)
    assert outcome.body == (outcome.results[0] if len(outcome.results) == 1 else "")


def _check_finished(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Finished)
    assert sorted([*outcome.results, *outcome.lost]) == [0, 1, 2]
    assert bool(outcome.lost) == bool(outcome.absent)


def _check_passage(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Passage)
    assert outcome.phases <= 2
    assert (outcome.phases == 2) == (not outcome.absent)
    assert not set(outcome.waited) & set(outcome.absent)
    assert outcome.phases == 2 or {*outcome.waited, *outcome.absent} == {member.id for member in network}


def _check_leader(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Leader)
    assert outcome.leader is None or outcome.leader in network


def _check_allocated(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Allocated)
    assert sorted([*outcome.worker, *outcome.left]) == ["lift", "mop", "sort"]
    assert set(outcome.worker.values()) == set(outcome.loads)
    assert all(name in network for name in outcome.loads)


def _check_coalitions(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Coalitions)
    members = [name for team in outcome.teams for name in team]
    assert sorted(members) == sorted(outcome.shares)
    assert sum(map(Fraction, outcome.shares.values())) == Fraction(outcome.worth)
    assert not any(name in outcome.absent for team in outcome.teams if len(team) > 1 for name in team)


def _check_opened(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Opened)
    assert [*outcome.subscribers] == ["news/#", "sports"]
    named = [name for names in outcome.subscribers.values() for name in names]
    assert sorted([*named, *outcome.absent]) == sorted(member.id for member in network)


def _check_spread(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Spread)
    assert outcome.rounds <= 3
    assert all(name in network and name not in outcome.absent for name in outcome.informed)


def _starters(random: Random) -> tuple[str, ...]:
    return tuple(f"m{index}" for index in range(4) if random.random() < 0.5)


def _village(members: Sequence[GenAgent]) -> Gossip:
    return Gossip(id="village", agents=members, rounds=3, patience=10)


STAGES = (
    Stage(
        "map-reduce",
        lambda members: MapReduce(id="desk", agents=members, fan=2),
        lambda random: Job(body=f"look {random.choice(['up', 'down'])}", parts=PARTS),
        _check_reduced,
    ),
    Stage(
        "pipeline",
        lambda members: Pipeline(id="line", agents=members),
        lambda random: Batch(body="do your best", items=PARTS),
        _check_finished,
    ),
    Stage(
        "barrier", lambda members: Barrier(id="gate", agents=members), lambda random: Meeting(phases=2), _check_passage
    ),
    Stage(
        "ring-election",
        lambda members: RingElection(id="ring", agents=members),
        lambda random: Elect(starters=_starters(random)),
        _check_leader,
    ),
    Stage(
        "bully-election",
        lambda members: BullyElection(id="crew", agents=members),
        lambda random: Elect(starters=_starters(random)),
        _check_leader,
    ),
    Stage(
        "task-allocation",
        lambda members: TaskAllocation(id="hall", agents=members),
        lambda random: Tasks(hours={task: random.randrange(5) for task in ("mop", "sort", "lift")}),
        _check_allocated,
    ),
    Stage(
        "coalition-formation",
        lambda members: CoalitionFormation(id="agency", agents=members, ties=Lot(seed=7)),
        lambda random: Alliance(body="form bands"),
        _check_coalitions,
        members=3,
    ),
    Stage(
        "publish-subscribe",
        lambda members: PublishSubscribe(id="board", agents=members),
        lambda random: Opening(topics=("news/#", "sports")),
        _check_opened,
    ),
    Stage("gossip", _village, lambda random: Rumour(topic="miller", body="He won", told="m1"), _check_spread),
)
