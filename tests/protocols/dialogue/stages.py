"""The protocols of dialogue on stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.dialogue.blackboard import Blackboard, Board, Riddle
from llm_net.protocols.dialogue.consensus import Agreement, Consensus, Motion
from llm_net.protocols.dialogue.debate import Debate, Resolution
from llm_net.protocols.dialogue.delphi import Delphi, Forecast, Panel
from llm_net.protocols.dialogue.discussion import Discussion
from llm_net.protocols.dialogue.ending import Turns
from llm_net.protocols.dialogue.floor import Floor
from llm_net.protocols.dialogue.hidden_roles import GameOver, HiddenRoles, Play
from llm_net.protocols.dialogue.mixture_of_agents import MixtureOfAgents, Synthesis
from llm_net.protocols.dialogue.problem import Problem
from llm_net.protocols.dialogue.selection import ByHands, BySelector, RoundRobin, Selection
from llm_net.protocols.dialogue.self_consistency import CommonAnswer, SelfConsistency
from llm_net.protocols.dialogue.socratic import Examination, Socratic, Thesis
from llm_net.protocols.dialogue.stigmergy import Release, Stigmergy, Trails
from llm_net.protocols.dialogue.turn import Minutes, Topic
from llm_net.protocols.interaction import InteractionProtocol
from tests.protocols.stage import Stage

RING = {"a": ("b", "d"), "b": ("c", "a"), "c": ("d", "b"), "d": ("a", "c")}


def _check_minutes(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Minutes)
    assert outcome.reason
    assert len(outcome.said) <= 6
    assert all(line.speaker in network for line in outcome.said)


def _discussion(selection: Selection) -> Callable[[Sequence[GenAgent]], InteractionProtocol]:
    return lambda members: Discussion(id="room", agents=members, selection=selection, ending=Turns(6))


def _topic(random: Random) -> Message:
    return Topic(body=f"topic {random.randrange(10)}")


def _problem(random: Random) -> Message:
    return Problem(body="which?", choices=("tea", "coffee", "water")[: random.randint(2, 3)])


def _check_verdict(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, CommonAnswer)
    assert sum(outcome.counts.values()) <= outcome.calls
    assert outcome.answer is None or outcome.answer in outcome.counts
    assert (outcome.answer is None) == (not outcome.counts or bool(outcome.ties))
    assert set(outcome.ties) <= set(outcome.counts)
    assert not isinstance(outcome, Resolution) or outcome.rounds <= 3


def _check_synthesis(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Synthesis)
    assert outcome.calls <= 5
    assert (outcome.answer is None) == ("m3" in outcome.absent)


def _check_panel(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Panel)
    if outcome.median is None:
        assert len(outcome.absent) == len(network)
    else:
        assert outcome.lower is not None and outcome.upper is not None
        assert 0 <= outcome.lower <= outcome.median <= outcome.upper <= 100


def _check_agreement(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Agreement)
    assert outcome.agreed == (len(outcome.agree) >= 2)
    assert not set(outcome.agree) & {*outcome.objections, *outcome.absent}
    assert 1 <= outcome.rounds <= 4


def _check_examination(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Examination)
    assert [line.speaker for line in outcome.said] == ["m0", "m1"] * (len(outcome.said) // 2) + ["m0"] * (
        len(outcome.said) % 2
    )


def _check_board(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Board)
    assert outcome.solved == (set(outcome.board) == {"who", "where", "how"})
    assert outcome.board.keys() == outcome.by.keys()


def _check_trails(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Trails)
    assert all(mark >= 0 for mark in outcome.marks.values())
    assert sum(outcome.marks.values()) <= 4 * outcome.ticks
    assert outcome.places.keys() == {member.id for member in network}


def _check_game(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, GameOver)
    wolves = sum(outcome.parts[name] == "werewolf" for name in outcome.alive)
    assert {"villagers": wolves == 0, "werewolves": 0 < len(outcome.alive) <= 2 * wolves, None: True}[outcome.winner]
    assert outcome.winner is not None or len(outcome.news) == 16


STAGES = (
    Stage("round-robin", _discussion(RoundRobin()), _topic, _check_minutes),
    Stage("selector", _discussion(BySelector("m0")), _topic, _check_minutes),
    Stage("raised-hands", _discussion(ByHands()), _topic, _check_minutes),
    Stage(
        "floor",
        lambda members: Floor(id="room", agents=members, ending=Turns(6), words=20),
        _topic,
        _check_minutes,
    ),
    Stage("debate", lambda members: Debate(id="hall", agents=members, baseline=True), _problem, _check_verdict),
    Stage(
        "judged-debate",
        lambda members: Debate(id="hall", agents=members, judges=("m2", "m3"), rounds=2),
        _problem,
        _check_verdict,
    ),
    Stage("self-consistency", lambda members: SelfConsistency(id="urn", agents=members), _problem, _check_verdict),
    Stage(
        "mixture-of-agents",
        lambda members: MixtureOfAgents(id="mix", agents=members, layers=(("m0", "m1"), ("m1", "m2")), aggregator="m3"),
        _problem,
        _check_synthesis,
    ),
    Stage(
        "delphi",
        lambda members: Delphi(id="panel", agents=members),
        lambda random: Forecast(body="how many?", lowest=Decimal(0), highest=Decimal(100)),
        _check_panel,
    ),
    Stage(
        "consensus",
        lambda members: Consensus(id="house", agents=members, editor="m0"),
        lambda random: Motion(body=f"We meet at {random.randrange(24)}."),
        _check_agreement,
    ),
    Stage(
        "socratic",
        lambda members: Socratic(id="agora", agents=members, questioner="m0", answerer="m1"),
        lambda random: Thesis(body="Courage is knowledge."),
        _check_examination,
    ),
    Stage(
        "blackboard",
        lambda members: Blackboard(id="case", agents=members),
        lambda random: Riddle(body="a murder", parts=("who", "where", "how")),
        _check_board,
    ),
    Stage(
        "stigmergy",
        lambda members: Stigmergy(id="ground", agents=members, ways=RING, start="a"),
        lambda random: Release(body="find food"),
        _check_trails,
    ),
    Stage(
        "hidden-roles",
        lambda members: HiddenRoles(id="village", agents=members),
        lambda random: Play(body="who is the werewolf?"),
        _check_game,
    ),
)
