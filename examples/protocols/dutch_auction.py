"""A Dutch auction by FIPA's rules: the price is called and lowered until somebody takes it.

Tulips are sold in the morning. Bob waits for a bargain; Anna needs them today, and does not.

    python examples/protocols/dutch_auction.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    clock → anna  inform: For sale: A hundred tulips
    clock → bob  inform: For sale: A hundred tulips
    clock → anna  cfp: A hundred tulips price=30
    clock → bob  cfp: A hundred tulips price=30
    anna → clock  refuse: Not yet.
    bob → clock  refuse: Too dear.
    clock → anna  cfp: A hundred tulips price=20
    clock → bob  cfp: A hundred tulips price=20
    bob → clock  refuse: A little less, please.
    anna → clock  propose: I take them.
    clock → anna  accept_proposal
    clock → anna  inform: A hundred tulips winner='anna', price=20
    clock → bob  inform: A hundred tulips winner='anna', price=20
    clock → ·  sale: A hundred tulips winner='anna', price=20
"""

import sys
from decimal import Decimal

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.auctions.dutch_auction import DutchAuction
from llm_net.protocols.auctions.sale import Sell
from llm_net.protocols.participant import Voice

BID, WAIT = '{"act": "take_price"}', '{"act": "refuse"}'

SCRIPTS = {
    "anna": [WAIT, "Not yet.", BID, "I take them."],
    "bob": [WAIT, "Too dear.", WAIT, "A little less, please."],
}


def network(model: Model | None = None) -> DutchAuction:
    """Two florists; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(script),
            instructions=f"You are {name}, a florist. You wait for a good price.",
            stepwise=True,  # one question at a time: small models choose better so
            settings=Settings(max_tokens=20),
            history=3,
        )
        for name, script in SCRIPTS.items()
    ]
    return DutchAuction(id="clock", agents=voices, start=Decimal(30), decrement=Decimal(10), reserve=Decimal(20))


def main(model: Model | None = None) -> None:
    async def play() -> None:
        async for message in network(model).areceive(Sell(body="A hundred tulips")):
            print(message)

    simulation.run(play())  # answers are taken up in the same order each time


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
