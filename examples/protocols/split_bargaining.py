"""Dividing what shrinks: a greedy model and a party that reckons share a sorbet in the sun, which melts by a third each round.

Anna wants nearly all of it. Bob knows what waiting is worth: nothing less than that will do.

    python examples/protocols/split_bargaining.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna → bench  keep: share=0.9
    bob → bench  reject
    bob → bench  keep: share=0.7789
    anna → bench  take: Better little than soup.
    bob has 0.7789 of it, worth 0.52
    anna has 0.2211 of it, worth 0.15
"""

import sys
from decimal import Decimal

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.negotiation.patient import Patient
from llm_net.protocols.negotiation.split_bargaining import Divided, Division, SplitBargaining
from llm_net.protocols.participant import Voice

SCRIPT = ['{"share": 0.9}', '{"act": "take"}', "Better little than soup."]


def network(model: Model | None = None) -> SplitBargaining:
    """One who speaks, and one who reckons."""
    anna = Voice(
        id="anna",
        model=model or ScriptedModel(SCRIPT),
        instructions="You share a sorbet that melts. You want much of it, soon.",
        stepwise=True,  # one question at a time: small models choose better so
    )
    melting = Decimal("0.67")
    return SplitBargaining(
        id="bench", agents=[anna, Patient(id="bob")], rounds=4, discounts={"anna": melting, "bob": melting}
    )


def main(model: Model | None = None) -> None:
    bench = network(model)
    for message in bench.receive(Division(body="The sorbet")):
        if isinstance(message, Divided):
            for name, share in message.shares.items():
                print(f"{name} has {share} of it, worth {message.worth[name]:.2f}")
        elif message.sender != bench:
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
