"""Alternating offers: a model sells a boat to a party that negotiates by rule.

Anna would rather sell dear and late; Bob gives way evenly as time runs out, but never below what a walk ashore is worth.

    python examples/protocols/alternating_offers.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna → quay  offer: deal={'price': '600', 'handover': 'July'}
    bob → quay  offer: deal={'price': '400', 'handover': 'June'}
    anna → quay  offer: deal={'price': '600', 'handover': 'June'}
    bob → quay  offer: deal={'price': '500', 'handover': 'May'}
    anna → quay  offer: deal={'price': '500', 'handover': 'June'}
    bob → quay  accept
    quay → ·  agreement: price 500, handover June deal={'price': '500', 'handover': 'June'}, round=3
"""

import sys
from decimal import Decimal

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.negotiation.alternating_offers import AlternatingOffers
from llm_net.protocols.negotiation.deal import Negotiation
from llm_net.protocols.negotiation.negotiator import Negotiator
from llm_net.protocols.participant import Voice

ISSUES = {"price": ("400", "500", "600"), "handover": ("May", "June", "July")}
WORTH = {"price": {"400": 6, "500": 4, "600": 0}, "handover": {"May": 3, "June": 2, "July": 0}}

SCRIPT = [
    '{"act": "offer"}',
    '{"deal": {"price": "600", "handover": "July"}}',
    '{"act": "offer"}',
    '{"deal": {"price": "600", "handover": "June"}}',
    '{"act": "offer"}',
    '{"deal": {"price": "500", "handover": "June"}}',
    '{"act": "accept"}',
]


def network(model: Model | None = None) -> AlternatingOffers:
    """A seller who speaks, and a buyer who reckons."""
    anna = Voice(
        id="anna",
        model=model or ScriptedModel(SCRIPT),
        instructions="You sell a boat. You want a high price, and to keep it till July.",
        stepwise=True,  # one question at a time: small models choose better so
    )
    worth = {issue: {value: Decimal(points) for value, points in values.items()} for issue, values in WORTH.items()}
    bob = Negotiator(id="bob", worth=worth, reservation=Decimal(3))
    return AlternatingOffers(id="quay", agents=[anna, bob], rounds=4)


def main(model: Model | None = None) -> None:
    quay = network(model)
    for message in quay.receive(Negotiation(body="The boat", issues=ISSUES)):
        if message.sender != quay or message.receiver is None:  # what the parties say, and the outcome
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
