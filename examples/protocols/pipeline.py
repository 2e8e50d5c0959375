"""A pipeline by its rules: dishes go through a kitchen, one stage tastes while the one before cooks the next.

The soup and the stew get onto the menu; the boot does not.

    python examples/protocols/pipeline.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    kitchen → cook  item: For the menu item='peas'
    cook → kitchen  passed: soup of green peas
    kitchen → cook  item: For the menu item='a boot'
    kitchen → poet  item: For the menu item='soup of green peas'
    cook → kitchen  refuse: No!
    poet → kitchen  passed: Spring
    kitchen → cook  item: For the menu item='beans'
    kitchen → clerk  item: For the menu item='Spring'
    clerk → kitchen  passed: Spring, 6 euros
    cook → kitchen  passed: stew of beans
    kitchen → poet  item: For the menu item='stew of beans'
    poet → kitchen  passed: Beans
    kitchen → clerk  item: For the menu item='Beans'
    clerk → kitchen  passed: Beans, 9 euros
    kitchen → ·  finished: absent={'cook': 'No!'}, results={0: 'Spring, 6 euros', 2: 'Beans, 9 euros'}, lost={1: 'cook: No!'}
"""

import sys

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.pipeline import Batch, Pipeline
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "cook": [
        *('{"act": "passed"}', "soup of green peas", '{"act": "refuse"}', "No!"),
        *('{"act": "passed"}', "stew of beans"),
    ],
    "poet": ['{"act": "passed"}', "Spring", '{"act": "passed"}', "Beans"],
    "clerk": ['{"act": "passed"}', "Spring, 6 euros", '{"act": "passed"}', "Beans, 9 euros"],
}
TRADES = {
    "cook": "You are a cook. You say in a few words what you make of it.",
    "poet": "You are a poet. You give a dish a short, pretty name.",
    "clerk": "You write menus. You add a price in euros.",
}


def network(model: Model | None = None) -> Pipeline:
    """Three stages; without a model each has a script."""
    stages = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=TRADES[name],
            settings=Settings(max_tokens=12),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return Pipeline(id="kitchen", agents=stages)


async def amain(model: Model | None) -> None:
    async for message in network(model).areceive(Batch(body="For the menu", items=("peas", "a boot", "beans"))):
        if message.sender != message.receiver:  # the kitchen tells itself who is free
            print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
