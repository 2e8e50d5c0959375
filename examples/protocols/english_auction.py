"""An English auction by FIPA's rules: the price is called and raised until nobody bids more.

Anna and Bob both want the lamp. Each time the one who leads is left alone, and the other is called a higher price.

    python examples/protocols/english_auction.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    house → anna  inform: For sale: A lamp
    house → bob  inform: For sale: A lamp
    house → carla  inform: For sale: A lamp
    house → anna  cfp: A lamp price=10
    house → bob  cfp: A lamp price=10
    house → carla  cfp: A lamp price=10
    carla → house  refuse: Too dear.
    anna → house  propose: Mine!
    bob → house  propose: It would suit me.
    house → anna  accept_proposal: You lead
    house → bob  reject_proposal: Another leads
    house → bob  cfp: A lamp price=15
    bob → house  propose: One more.
    house → bob  accept_proposal: You lead
    house → anna  cfp: A lamp price=20
    anna → house  propose: Still mine.
    house → anna  accept_proposal: You lead
    house → bob  cfp: A lamp price=25
    bob → house  refuse: Have it.
    house → anna  inform: A lamp winner='anna', price=20
    house → bob  inform: A lamp winner='anna', price=20
    house → carla  inform: A lamp winner='anna', price=20
    house → ·  sale: A lamp winner='anna', price=20
"""

import sys
from decimal import Decimal

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.auctions.english_auction import EnglishAuction
from llm_net.protocols.auctions.sale import Sell
from llm_net.protocols.participant import Voice

BID, PASS = '{"act": "take_price"}', '{"act": "refuse"}'

SCRIPTS = {
    "anna": [BID, "Mine!", BID, "Still mine."],
    "bob": [BID, "It would suit me.", BID, "One more.", PASS, "Have it."],
    "carla": [PASS, "Too dear."],
}


def network(model: Model | None = None) -> EnglishAuction:
    """Three bidders; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(script),
            instructions=f"You are {name}. You bid for a lamp until it is too dear.",
            stepwise=True,  # one question at a time: small models choose better so
            settings=Settings(max_tokens=20),
            history=3,
        )
        for name, script in SCRIPTS.items()
    ]
    return EnglishAuction(id="house", agents=voices, reserve=Decimal(10), increment=Decimal(5), calls=4)


def main(model: Model | None = None) -> None:
    async def play() -> None:
        async for message in network(model).areceive(Sell(body="A lamp")):
            print(message)

    simulation.run(play())  # answers are taken up in the same order each time


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
