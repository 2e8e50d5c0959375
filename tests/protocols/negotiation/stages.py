"""The protocols of negotiation on stage."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from llm_net import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.negotiation.alternating_offers import AlternatingOffers
from llm_net.protocols.negotiation.bargaining_table import BargainingTable
from llm_net.protocols.negotiation.deal import Agreement, Negotiation, problem_of
from llm_net.protocols.negotiation.monotonic_concession import Haggle, MonotonicConcession, Settlement
from llm_net.protocols.negotiation.single_text import Adoption, Matter, SingleText
from llm_net.protocols.negotiation.split_bargaining import Divided, Division, SplitBargaining
from tests.protocols.stage import Stage

SCALE = ("40", "50", "60", "70")
ISSUES = {"price": ("5", "6", "7"), "paint": ("red", "blue")}


def _negotiation(random: Random) -> Message:
    return Negotiation(body=f"car {random.randrange(10)}", issues=ISSUES)


def _check_agreement(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Agreement)
    assert set(outcome.absent) <= {member.id for member in network}
    if outcome.deal is not None:
        assert problem_of(outcome.deal, ISSUES) is None
        assert not outcome.absent, "somebody is bound who said nothing"


def _check_division(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Divided)
    if outcome.shares:
        assert set(outcome.shares) == {member.id for member in network}
        assert sum(outcome.shares.values()) == 1
        assert all(Decimal(0) <= outcome.worth[name] <= share for name, share in outcome.shares.items())
        assert not outcome.absent


def _check_settlement(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Settlement)
    assert outcome.value in (None, *outcome.claims.values())
    assert outcome.value is None or outcome.claims.keys() == {member.id for member in network}
    assert outcome.round <= len(SCALE)


def _check_adoption(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Adoption)
    parties = {member.id for member in network} - {"m0"}
    assert outcome.adopted == (set(outcome.accepted) == parties)
    assert not set(outcome.accepted) & (outcome.criticism.keys() | outcome.absent.keys())


STAGES = (
    Stage(
        "alternating-offers",
        lambda members: AlternatingOffers(id="table", agents=members, rounds=3),
        _negotiation,
        _check_agreement,
        members=3,
    ),
    Stage(
        "split-bargaining",
        lambda members: SplitBargaining(id="table", agents=members, rounds=4),
        lambda random: Division(body=f"cake {random.randrange(10)}"),
        _check_division,
        members=2,
    ),
    Stage(
        "monotonic-concession",
        lambda members: MonotonicConcession(id="table", agents=members),
        lambda random: Haggle(body=f"rug {random.randrange(10)}", scale=SCALE),
        _check_settlement,
        members=2,
    ),
    Stage(
        "bargaining",
        lambda members: BargainingTable(id="table", agents=members),
        _negotiation,
        _check_agreement,
        members=3,
    ),
    Stage(
        "single-text",
        lambda members: SingleText(id="table", agents=members, mediator="m0", rounds=3),
        lambda random: Matter(body=f"garden {random.randrange(10)}"),
        _check_adoption,
    ),
)
