"""A contract net in rounds: who has offered hears the best price so far, and may go below its own.

Two bands would play at a wedding. The cheaper one stays at its price; the other comes down, and gets it.

    python examples/protocols/iterated_contract_net.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    wedding → brass  cfp: Play at our wedding
    wedding → strings  cfp: Play at our wedding
    brass → wedding  propose: price=500
    strings → wedding  propose: price=700
    wedding → brass  cfp: Play at our wedding best=500, yours=500
    wedding → strings  cfp: Play at our wedding best=500, yours=700
    brass → wedding  propose: price=500
    strings → wedding  propose: price=450
    wedding → brass  cfp: Play at our wedding best=450, yours=500
    wedding → strings  cfp: Play at our wedding best=450, yours=450
    brass → wedding  refuse: We would play for nothing.
    strings → wedding  propose: price=450
    wedding → strings  accept_proposal: Play at our wedding
    strings → wedding  inform: They danced until five.
    wedding → ·  contract: They danced until five. absent={'brass': 'it refused'}, contractor='strings', price=450
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.fipa.contract_net import Task
from llm_net.protocols.fipa.iterated_contract_net import IteratedContractNet
from llm_net.protocols.participant import Voice

OFFER, REFUSE, INFORM = '{"act": "offer"}', '{"act": "refuse"}', '{"act": "inform"}'
SCRIPTS = {
    "brass": [OFFER, '{"price": 500}', OFFER, '{"price": 500}', REFUSE, "We would play for nothing."],
    "strings": [
        *(OFFER, '{"price": 700}', OFFER, '{"price": 450}', OFFER, '{"price": 450}'),
        *(INFORM, "They danced until five."),
    ],
}


def network(model: Model | None = None) -> IteratedContractNet:
    """Two bands; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You lead a {name} band. You offer to play, for a price in euros.",
            stepwise=True,
            settings=Settings(max_tokens=40),
        )
        for name in SCRIPTS
    ]
    return IteratedContractNet(id="wedding", agents=voices, rounds=3)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Task(body="Play at our wedding")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
