"""A continuous double auction: orders come round after round, and whatever agrees is traded at once.

Carla asks much at first. Nobody buys, so she withdraws her order and asks less.

    python examples/protocols/continuous_market.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna → market  bid: price=5, quantity=2
    carla → market  ask: price=9, quantity=2
    carla → market  withdraw: order='carla-1'
    anna → market  refuse: I wait.
    anna → market  refuse: I wait.
    carla → market  ask: price=4, quantity=2
    market → ·  trading: honey quantity=2, price=5, deals=(Deal(buyer='anna', seller='carla', price=Decimal('5'), quantity=2),)
"""

import sys
from decimal import Decimal

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.markets.continuous_market import ContinuousMarket, MarketNews
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
            settings=Settings(max_tokens=20),
        )
        for name, trade in trades.items()
    ]
    return ContinuousMarket(
        id="market", agents=voices, rounds=3, cash={"anna": Decimal(20)}, goods={"carla": 5}, most=5
    )


def main(model: Model | None = None) -> None:
    async def play() -> None:
        async for message in network(model).areceive(OpenMarket(body="honey")):
            if not isinstance(message, MarketNews):
                print(message)

    simulation.run(play())  # answers are taken up in the same order each time


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
