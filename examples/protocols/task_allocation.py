"""Tasks shared out by their rules: whoever has least to do gets the longest task, and may refuse.

Ivo says that he is idle, and then will not do the dishes; so Ed does them.

    python examples/protocols/task_allocation.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    flat → gus  load_query: Clean up
    flat → ed  load_query: Clean up
    flat → ivo  load_query: Clean up
    ivo → flat  load: hours=0
    gus → flat  load: hours=3
    ed → flat  load: hours=3
    flat → gus  allotment: Clean up tasks={'beds': 1}
    flat → ivo  allotment: Clean up tasks={'dishes': 3}
    ivo → flat  refuse: Not the dishes!
    gus → flat  agree: With music!
    flat → ed  allotment: Clean up tasks={'dishes': 3}
    ed → flat  agree: If I must.
    flat → ·  allocated: absent={'ivo': 'it refused'}, worker={'dishes': 'ed', 'beds': 'gus'}, loads={'gus': 4, 'ed': 6}, left=()
"""

import sys

from llm_net import simulation
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.task_allocation import TaskAllocation, Tasks
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "gus": ['{"act": "load"}', '{"hours": 3}', '{"act": "agree"}', "With music!"],
    "ed": ['{"act": "load"}', '{"hours": 3}', '{"act": "agree"}', "If I must."],
    "ivo": ['{"act": "load"}', '{"hours": 0}', '{"act": "refuse"}', "Not the dishes!"],
}


def network(model: Model | None = None) -> TaskAllocation:
    """Three who share a flat; without a model each has a script."""
    mates = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You share a flat, and have some hours of work.",
            settings=Settings(max_tokens=20),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return TaskAllocation(id="flat", agents=mates)


async def amain(model: Model | None) -> None:
    chores = Tasks(body="Clean up", hours={"dishes": 3, "beds": 1})
    async for message in network(model).areceive(chores):
        print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
