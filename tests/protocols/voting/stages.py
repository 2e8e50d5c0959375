"""The protocols of voting on stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.tie import Lot
from llm_net.protocols.voting.election import Elect, Elected, Election
from llm_net.protocols.voting.liquid import LiquidElected, LiquidElection
from llm_net.protocols.voting.motion import Motion, Resolution, Resolve
from llm_net.protocols.voting.quorum import motion
from llm_net.protocols.voting.tally import Tally
from tests.protocols.stage import Stage


def _elect(random: Random) -> Message:
    return Elect(body="Who shall speak for us?", candidates=("ann", "bob", "cat", "dan")[: random.randint(1, 4)])


def _check_elected(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(network, Election)
    assert isinstance(outcome, Elected)
    assert isinstance(outcome.reply_to, Elect)
    candidates = outcome.reply_to.candidates
    members = {member.id for member in network}
    assert {*outcome.winners, *outcome.ties, *outcome.scores} <= set(candidates)
    assert len(outcome.winners) <= network.seats
    assert network.ties is not None or not {*outcome.winners} & {*outcome.ties}
    assert outcome.quorate or not outcome.winners
    assert {*outcome.ballots, *outcome.absent} <= members
    assert not outcome.ballots.keys() & outcome.absent.keys()
    assert outcome.cast == len(outcome.ballots)
    if not isinstance(outcome, LiquidElected):
        assert outcome.cast + outcome.abstained + len(outcome.absent) == len(members)
    if network.tally == "plurality" and outcome.quorate and not isinstance(outcome, LiquidElected):
        votes = [*outcome.ballots.values()]
        assert outcome.scores == {name: votes.count(name) for name in candidates}


def _check_liquid(network: InteractionProtocol, outcome: Message) -> None:
    _check_elected(network, outcome)
    assert isinstance(outcome, LiquidElected)
    assert not {*outcome.lost} & {*outcome.casters, *outcome.ballots, *outcome.absent}
    assert all(caster not in outcome.absent for caster in outcome.casters.values())
    assert all(name in outcome.lost for ring in outcome.cycles for name in ring)
    if outcome.quorate:
        carried = sum(caster in outcome.ballots for caster in outcome.casters.values())
        assert sum(outcome.scores.values()) == outcome.cast + carried


def _check_resolution(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Resolution)
    votes = [*outcome.votes.values()]
    assert (votes.count("yes"), votes.count("no")) == (outcome.yes, outcome.no)
    assert not outcome.votes.keys() & outcome.absent.keys()
    assert outcome.yes + outcome.no + outcome.abstain + len(outcome.absent) == len(network)
    assert outcome.verdict == motion(outcome.yes, outcome.no, outcome.abstain, eligible=len(network))


def _election(tally: Tally) -> Callable[[Sequence[GenAgent]], InteractionProtocol]:
    return lambda members: Election(id="hall", agents=members, tally=tally, quorum=Fraction(0), shuffled=True)


TALLIES: tuple[Tally, ...] = ("plurality", "approval", "schulze", "star", "quadratic", "majority-judgement")
"""One for each kind of ballot paper."""

STAGES = (
    *(Stage("election", _election(tally), _elect, _check_elected) for tally in TALLIES),
    Stage(
        "election",
        lambda members: Election(id="hall", agents=members, tally="stv", seats=2, ties=Lot(seed=1)),
        _elect,
        _check_elected,
        members=6,
    ),
    Stage(
        "liquid-election",
        lambda members: LiquidElection(id="hall", agents=members, quorum=Fraction(0)),
        _elect,
        _check_liquid,
        members=6,
    ),
    Stage(
        "motion",
        lambda members: Motion(id="hall", agents=members),
        lambda random: Resolve(body=f"Buy boat {random.randrange(10)}?"),
        _check_resolution,
    ),
)
