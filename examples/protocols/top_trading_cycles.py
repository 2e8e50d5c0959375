"""A swap by top trading cycles: everybody brings a hat, and those swap who make a ring.

Anna and Bob like each other's hats. Carla likes Bob's as well, but has nothing that Bob likes better; she keeps her own.

    python examples/protocols/top_trading_cycles.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna goes home with the beret
    bob goes home with the top hat
    carla goes home with the bowler, as before
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.matching.top_trading_cycles import Swap, Swapped, TopTradingCycles
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "anna": '{"ranking": ["beret", "bowler"]}',
    "bob": '{"ranking": ["top hat", "bowler", "beret"]}',
    "carla": '{"ranking": ["beret", "bowler"]}',
}


def network(model: Model | None = None) -> TopTradingCycles:
    """Three who bring a hat; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(['{"act": "ranked_wishes"}', script]),
            instructions=f"You are {name}. You say which hats you like, best first.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, script in SCRIPTS.items()
    ]
    return TopTradingCycles(id="party", agents=voices, owned={"anna": "top hat", "bob": "beret", "carla": "bowler"})


def main(model: Model | None = None) -> None:
    outcome = network(model).result_of(Swap(body="Which hat would you have?"))
    assert isinstance(outcome, Swapped)
    for name, hat in outcome.has.items():
        print(f"{name} goes home with the {hat}{'' if name in outcome.moved else ', as before'}")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
