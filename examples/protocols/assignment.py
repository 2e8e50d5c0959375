"""An assignment: each cook says how many minutes a dish takes, and all together shall be done soonest.

Carla is the fastest at everything. She gets the roast, where the others are slowest.

    python examples/protocols/assignment.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna: soup
    bob: cake
    carla: roast
    100 minutes of work
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.matching.task_assignment import Assign, Assigned, TaskAssignment
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "anna": '{"amounts": {"soup": 20, "roast": 90, "cake": 40}}',
    "bob": '{"amounts": {"soup": 30, "roast": 80, "cake": 35}}',
    "carla": '{"amounts": {"soup": 15, "roast": 45, "cake": 30}}',
}


def network(model: Model | None = None) -> TaskAssignment:
    """Three cooks; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(['{"act": "estimate"}', script]),
            instructions=f"You are {name}, a cook. You say how many minutes dishes take.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, script in SCRIPTS.items()
    ]
    return TaskAssignment(id="kitchen", agents=voices)


def main(model: Model | None = None) -> None:
    outcome = network(model).result_of(Assign(body="Dinner for ten", tasks=("soup", "roast", "cake")))
    assert isinstance(outcome, Assigned)
    for name, dish in outcome.tasks.items():
        print(f"{name}: {dish}")
    print(f"{outcome.total} minutes of work")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
