"""A combinatorial auction: hours of a concert hall are worth more together, and each pays what it keeps the others from.

The orchestra needs the whole evening. The choir and the band want an hour each, and together they would pay more.

    python examples/protocols/combinatorial_auction.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    choir has seven for 20
    band has eight for 10
    unsold: nothing
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.auctions.combinatorial_auction import Allocation, CombinatorialAuction, SellItems
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot

SCRIPTS = {
    "orchestra": '{"packages": [{"items": ["seven", "eight"], "amount": 50}]}',
    "choir": '{"packages": [{"items": ["seven"], "amount": 40}, {"items": ["eight"], "amount": 10}]}',
    "band": '{"packages": [{"items": ["eight"], "amount": 30}]}',
}


def network(model: Model | None = None) -> CombinatorialAuction:
    """Three who make music; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(['{"act": "package_bids"}', script]),
            instructions=f"You are the {name}. You bid for hours of a concert hall.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, script in SCRIPTS.items()
    ]
    return CombinatorialAuction(id="hall", agents=voices, packages=2, ties=Lot(seed=7))


def main(model: Model | None = None) -> None:
    outcome = network(model).result_of(SellItems(body="The hall tonight", items=("seven", "eight")))
    assert isinstance(outcome, Allocation)
    for name, items in outcome.won.items():
        print(f"{name} has {' and '.join(items)} for {outcome.payments[name]}")
    print("unsold:", ", ".join(outcome.unsold) or "nothing")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
