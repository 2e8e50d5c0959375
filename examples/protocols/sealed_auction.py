"""A sealed-bid auction by Vickrey's rule: the highest bid wins and pays the second highest.

Three are asked what they would give for a violin. Carla bids all that she has: a bid beyond a budget is not sent.

    python examples/protocols/sealed_auction.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    house → anna  call_for_bids: A violin rule='The highest bid wins and pays the second highest.', reserve=20, budget=90
    house → bob  call_for_bids: A violin rule='The highest bid wins and pays the second highest.', reserve=20, budget=80
    house → carla  call_for_bids: A violin rule='The highest bid wins and pays the second highest.', reserve=20, budget=60
    carla → house  sealed_bid: amount=60
    anna → house  sealed_bid: amount=70
    bob → house  refuse: I play the drums.
    house → anna  inform: A violin winner='anna', price=60
    house → carla  inform: A violin winner='anna', price=60
    house → ·  sale: A violin absent={'bob': 'it refused'}, winner='anna', price=60
    left: anna 30, bob 80, carla 60
"""

import sys
from decimal import Decimal

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.auctions.sale import Sell
from llm_net.protocols.auctions.sealed_auction import SealedAuction
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot

SCRIPTS = {
    "anna": ['{"act": "sealed_bid"}', '{"amount": 70}'],
    "bob": ['{"act": "refuse"}', "I play the drums."],
    "carla": ['{"act": "sealed_bid"}', '{"amount": 60}'],
}


def network(model: Model | None = None) -> SealedAuction:
    """Three bidders; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(script),
            instructions=f"You are {name}, a collector. Bid what the item is worth to you.",
            stepwise=True,  # one question at a time: small models choose better so
            settings=Settings(max_tokens=20),
        )
        for name, script in SCRIPTS.items()
    ]
    budgets = {"anna": Decimal(90), "bob": Decimal(80), "carla": Decimal(60)}
    return SealedAuction(id="house", agents=voices, reserve=Decimal(20), budgets=budgets, ties=Lot(seed=7))


def main(model: Model | None = None) -> None:
    house = network(model)

    async def play() -> None:
        async for message in house.areceive(Sell(body="A violin")):
            print(message)

    simulation.run(play())  # answers are taken up in the same order each time
    print("left:", ", ".join(f"{name} {amount}" for name, amount in (house.budgets or {}).items()))


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
