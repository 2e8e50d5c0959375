"""Markets on stage."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from llm_net import GenAgent, Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.markets.call_market import CallMarket
from llm_net.protocols.markets.continuous_market import ContinuousMarket
from llm_net.protocols.markets.trading import OpenMarket, Trading
from tests.protocols.stage import Stage

PURSE, STORE = Decimal(20), 5


def _purses(members: Sequence[GenAgent]) -> dict[str, Decimal]:
    return {member.id: PURSE for member in members}


def _stores(members: Sequence[GenAgent]) -> dict[str, int]:
    return {member.id: STORE for member in members}


def _open(random: Random) -> Message:
    return OpenMarket(body=f"good {random.randrange(10)}")


def _check_trading(network: InteractionProtocol, outcome: Message) -> None:
    assert isinstance(outcome, Trading)
    assert isinstance(network, (CallMarket, ContinuousMarket))
    assert outcome.quantity == sum(deal.quantity for deal in outcome.deals)
    assert (outcome.price is None) == (not outcome.deals)
    assert network.cash is not None
    assert network.goods is not None
    assert sum(network.cash.values()) == PURSE * len(network)
    assert sum(network.goods.values()) == STORE * len(network)
    assert all(left >= 0 for left in network.cash.values())
    assert all(left >= 0 for left in network.goods.values())


STAGES = (
    Stage(
        "call-market",
        lambda members: CallMarket(id="market", agents=members, cash=_purses(members), goods=_stores(members)),
        _open,
        _check_trading,
    ),
    Stage(
        "continuous-market",
        lambda members: ContinuousMarket(
            id="market", agents=members, rounds=4, cash=_purses(members), goods=_stores(members)
        ),
        _open,
        _check_trading,
    ),
)
