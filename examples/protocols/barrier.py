"""A barrier by its rules: three climbers meet at each camp, and nobody goes on before all are there.

At the second camp Otto has had enough.

    python examples/protocols/barrier.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    guide → mia  assemble: Climb to the next camp phase=1
    guide → noor  assemble: Climb to the next camp phase=1
    guide → otto  assemble: Climb to the next camp phase=1
    otto → guide  arrived: My feet hurt.
    mia → guide  arrived: What a view!
    noor → guide  arrived: The tea is on.
    guide → mia  release: phase=1
    guide → noor  release: phase=1
    guide → otto  release: phase=1
    guide → mia  assemble: Climb to the next camp phase=2
    guide → noor  assemble: Climb to the next camp phase=2
    guide → otto  assemble: Climb to the next camp phase=2
    noor → guide  arrived: Who has the rope?
    mia → guide  arrived: Cold up here.
    otto → guide  refuse: I go home.
    guide → mia  broken: phase=2, missing=('otto',)
    guide → noor  broken: phase=2, missing=('otto',)
    guide → ·  passage: absent={'otto': 'it refused'}, phases=1, waited=('mia', 'noor')
"""

import sys

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.barrier import Barrier, Meeting
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "mia": ['{"act": "arrived"}', "What a view!", '{"act": "arrived"}', "Cold up here."],
    "noor": ['{"act": "arrived"}', "The tea is on.", '{"act": "arrived"}', "Who has the rope?"],
    "otto": ['{"act": "arrived"}', "My feet hurt.", '{"act": "refuse"}', "I go home."],
}


def network(model: Model | None = None) -> Barrier:
    """Three climbers; without a model each has a script."""
    climbers = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, who climbs a mountain. You speak in five words.",
            settings=Settings(max_tokens=20),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return Barrier(id="guide", agents=climbers)


async def amain(model: Model | None) -> None:
    async for message in network(model).areceive(Meeting(body="Climb to the next camp", phases=3)):
        print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
