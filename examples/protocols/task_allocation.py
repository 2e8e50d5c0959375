"""Tasks shared out by their rules: whoever has least to do gets the longest task, and may refuse.

Ivo says that he is idle, and then will not do the dishes; so Eva does them.

    python examples/protocols/task_allocation.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    flat → gus  load_query: Clean the flat
    flat → eva  load_query: Clean the flat
    flat → ivo  load_query: Clean the flat
    gus → flat  load: hours=3
    eva → flat  load: hours=3
    ivo → flat  load: hours=0
    flat → gus  allotment: Clean the flat tasks={'windows': 1}
    flat → ivo  allotment: Clean the flat tasks={'dishes': 3}
    gus → flat  agree: With music!
    ivo → flat  refuse: Not the dishes!
    flat → eva  allotment: Clean the flat tasks={'dishes': 3}
    eva → flat  agree: If I must.
    flat → ·  allocated: absent={'ivo': 'it refused'}, worker={'dishes': 'eva', 'windows': 'gus'}, loads={'gus': 4, 'eva': 6}, left=()
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.task_allocation import TaskAllocation, Tasks
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "gus": ['{"act": "load"}', '{"hours": 3}', '{"act": "agree"}', "With music!"],
    "eva": ['{"act": "load"}', '{"hours": 3}', '{"act": "agree"}', "If I must."],
    "ivo": ['{"act": "load"}', '{"hours": 0}', '{"act": "refuse"}', "Not the dishes!"],
}


def network(model: Model | None = None) -> TaskAllocation:
    """Three who share a flat; without a model each has a script."""
    mates = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You share a flat, and have some hours of work.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return TaskAllocation(id="flat", agents=mates)


def main(model: Model | None = None) -> None:
    chores = Tasks(body="Clean the flat", hours={"dishes": 3, "windows": 1})
    for message in network(model).receive(chores):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
