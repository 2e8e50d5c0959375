"""A continuous double auction: orders come round after round, and whatever agrees is traded at once.

Carla asks much at first. Nobody buys, so she withdraws her order and asks less.

    python examples/protocols/continuous_market.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna → market  bid: price=5, quantity=2
    carla → market  ask: price=9, quantity=2
    anna → market  refuse: I wait.
    carla → market  withdraw: order='carla-1'
    anna → market  refuse: I wait.
    carla → market  ask: price=4, quantity=2
    honey is traded: 2 at 5
"""

import sys
from decimal import Decimal

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.markets.continuous_market import ContinuousMarket
from llm_net.protocols.markets.trading import OpenMarket
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "anna": ['{"act": "bid"}', '{"price": 5}', '{"quantity": 2}', *['{"act": "refuse"}', "I wait."] * 2],
    "carla": [
        *('{"act": "ask"}', '{"price": 9}', '{"quantity": 2}'),
        *('{"act": "withdraw"}', '{"order": "carla-1"}'),
        *('{"act": "ask"}', '{"price": 4}', '{"quantity": 2}'),
    ],
}


def network(model: Model | None = None) -> ContinuousMarket:
    """One who has money and one who has honey; without a model each has a script."""
    trades = {"anna": "buy", "carla": "sell"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You {trade} honey.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, trade in trades.items()
    ]
    return ContinuousMarket(
        id="market", agents=voices, rounds=3, cash={"anna": Decimal(20)}, goods={"carla": 5}, most=5
    )


def main(model: Model | None = None) -> None:
    for message in network(model).receive(OpenMarket(body="honey")):
        if message.sender is not None and message.sender.id != "market":
            print(message)
        elif message.receiver is None:
            print(message.body, "is traded:", message.content().get("quantity"), "at", message.content().get("price"))


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
