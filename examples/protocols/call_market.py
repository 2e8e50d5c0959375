"""A call market: orders for apples are collected, then all trade at one price.

Two eat apples, two grow them. Dan's are too dear for anybody, and go home with him.

    python examples/protocols/call_market.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    carla sells 3 to anna at 4
    carla sells 1 to bob at 4
    4 apples change hands
    cash: anna 8, bob 16, carla 16
    apples: carla 1, dan 5, anna 3, bob 1
"""

import sys
from decimal import Decimal

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.markets.call_market import CallMarket
from llm_net.protocols.markets.trading import OpenMarket, Trading
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "anna": ['{"act": "bid"}', '{"price": 6}', '{"quantity": 3}'],
    "bob": ['{"act": "bid"}', '{"price": 4}', '{"quantity": 2}'],
    "carla": ['{"act": "ask"}', '{"price": 2}', '{"quantity": 4}'],
    "dan": ['{"act": "ask"}', '{"price": 7}', '{"quantity": 5}'],
}


def network(model: Model | None = None) -> CallMarket:
    """Two who have money and two who have apples; without a model each has a script."""
    trades = {"anna": "buy", "bob": "buy", "carla": "sell", "dan": "sell"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You {trade} apples.",
            stepwise=True,  # one question at a time: small models choose better so
            settings=Settings(max_tokens=20),
        )
        for name, trade in trades.items()
    ]
    return CallMarket(
        id="market",
        agents=voices,
        cash={"anna": Decimal(20), "bob": Decimal(20)},
        goods={"carla": 5, "dan": 5},
        most=5,
    )


def main(model: Model | None = None) -> None:
    market = network(model)
    outcome = market.result_of(OpenMarket(body="apples"))
    assert isinstance(outcome, Trading)
    for deal in outcome.deals:
        print(f"{deal.seller} sells {deal.quantity} to {deal.buyer} at {deal.price}")
    print(f"{outcome.quantity} apples change hands")
    print("cash:", ", ".join(f"{name} {amount}" for name, amount in (market.cash or {}).items()))
    print("apples:", ", ".join(f"{name} {units}" for name, units in (market.goods or {}).items()))


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
