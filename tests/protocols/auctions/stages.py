"""Auctions on stage."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.auctions.combinatorial_auction import Allocation, CombinatorialAuction, SellItems
from llm_net.protocols.auctions.dutch_auction import DutchAuction
from llm_net.protocols.auctions.english_auction import EnglishAuction
from llm_net.protocols.auctions.sale import Sale, Sell
from llm_net.protocols.auctions.sealed_auction import SealedAuction
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.tie import Lot
from tests.protocols.stage import Stage

PURSE, RESERVE = Decimal(20), Decimal(2)


def _purses(members: Sequence[GenAgent]) -> dict[str, Decimal]:
    return {member.id: PURSE for member in members}


def _sell(random: Random) -> Message:
    return Sell(body=f"lot {random.randrange(10)}")


def _check_sale(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Sale)
    assert isinstance(network, (SealedAuction, EnglishAuction, DutchAuction))
    assert (outcome.winner is None) == (outcome.price is None)
    assert outcome.winner not in outcome.absent
    assert set(outcome.payments) <= {member.id for member in network}
    if outcome.price is not None and not outcome.fees:
        assert RESERVE <= outcome.price <= PURSE
    assert network.budgets is not None
    assert all(left >= 0 for left in network.budgets.values())
    assert sum(network.budgets.values()) + sum(outcome.payments.values()) == PURSE * len(network)


def _check_allocation(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Allocation)
    assert isinstance(network, CombinatorialAuction)
    given = [item for items in outcome.won.values() for item in items]
    assert sorted([*given, *outcome.unsold]) == ["x", "y", "z"]
    assert outcome.won.keys() == outcome.payments.keys()
    assert not outcome.won.keys() & outcome.absent.keys()
    assert network.budgets is not None
    assert all(left >= 0 for left in network.budgets.values())
    assert sum(network.budgets.values()) + sum(outcome.payments.values()) == PURSE * len(network)


STAGES = (
    Stage(
        "sealed-auction",
        lambda members: SealedAuction(
            id="house", agents=members, rule="all-pay", reserve=RESERVE, budgets=_purses(members), ties=Lot(1)
        ),
        _sell,
        _check_sale,
    ),
    Stage(
        "fipa-english-auction",
        lambda members: EnglishAuction(
            id="house", agents=members, increment=Decimal(4), reserve=RESERVE, budgets=_purses(members)
        ),
        _sell,
        _check_sale,
    ),
    Stage(
        "fipa-dutch-auction",
        lambda members: DutchAuction(
            id="house", agents=members, start=PURSE, decrement=Decimal(4), reserve=RESERVE, budgets=_purses(members)
        ),
        _sell,
        _check_sale,
    ),
    Stage(
        "combinatorial-auction",
        lambda members: CombinatorialAuction(id="house", agents=members, budgets=_purses(members), ties=Lot(1)),
        lambda random: SellItems(body=f"lot {random.randrange(10)}", items=("x", "y", "z")),
        _check_allocation,
    ),
)
