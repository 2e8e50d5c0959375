"""The contract net by its rules: contractors speak in a model's words, and none of them can break the rules.

Anna paints, so she refuses. Bob is cheaper than Carla, and falls off the ladder; so Carla gets the task.

    python examples/protocols/contract_net.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    town → anna  cfp: Mend the roof
    town → bob  cfp: Mend the roof
    town → carla  cfp: Mend the roof
    anna → town  refuse: I only paint.
    bob → town  propose: price=40
    carla → town  propose: price=70
    town → bob  accept_proposal: Mend the roof
    bob → town  failure: I fell down.
    town → carla  accept_proposal: Mend the roof
    carla → town  inform: The roof is tight.
    town → ·  contract: The roof is tight. absent={'anna': 'it refused', 'bob': 'I fell down.'}, contractor='carla', price=70
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.fipa.contract_net import ContractNet, Task
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "anna": ['{"act": "refuse"}', "I only paint."],
    "bob": ['{"act": "offer"}', '{"price": 40}', '{"act": "failure"}', "I fell down."],
    "carla": ['{"act": "offer"}', '{"price": 70}', '{"act": "inform"}', "The roof is tight."],
}


def network(model: Model | None = None) -> ContractNet:
    """Three contractors; without a model each has a script."""
    trades = {"anna": "a painter", "bob": "a hasty roofer", "carla": "a careful roofer"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, {trade}. You offer your work for a price in euros.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, trade in trades.items()
    ]
    return ContractNet(id="town", agents=voices)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Task(body="Mend the roof")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
