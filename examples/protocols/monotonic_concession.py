"""Monotonic concession: a rug, a merchant who speaks, and a traveller who weighs what a conflict would cost each of them.

No claim is taken back. Who has more to lose by going home without the rug comes nearer; in the end both say the same.

    python examples/protocols/monotonic_concession.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    ali: 90
    zoe: 40
    ali: 80
    zoe: 50
    ali: 70
    zoe: 60
    ali: 70
    zoe: 70
    70 in round 4
"""

import sys
from decimal import Decimal

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.negotiation.monotonic_concession import Claim, Haggle, MonotonicConcession, Settlement
from llm_net.protocols.negotiation.zeuthen import Zeuthen
from llm_net.protocols.participant import Voice

SCALE = ("90", "80", "70", "60", "50", "40")
SCRIPT = ['{"value": "90"}', '{"value": "80"}', '{"value": "70"}', '{"value": "70"}']


def network(model: Model | None = None) -> MonotonicConcession:
    """A merchant, and a traveller who would pay up to 100 and thinks that the rug cost 30."""
    ali = Voice(
        id="ali",
        model=model or ScriptedModel(SCRIPT),
        instructions="You sell a rug. You want a high price, but you want to sell.",
        stepwise=True,  # one question at a time: small models choose better so
    )
    worth = {price: 100 - Decimal(price) for price in SCALE}
    zoe = Zeuthen(id="zoe", worth=worth, theirs={price: Decimal(price) - 30 for price in SCALE})
    return MonotonicConcession(id="bazaar", agents=[ali, zoe])


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Haggle(body="The rug", scale=SCALE)):
        if isinstance(message, Claim) and message.sender is not None:
            print(f"{message.sender.id}: {message.value}")
        elif isinstance(message, Settlement):
            print(message.value, "in round", message.round)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
