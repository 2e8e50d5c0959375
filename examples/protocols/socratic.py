"""Socratic questioning: one asks and the other answers, until who asks is satisfied.

Meno holds that virtue can be taught.

    python examples/protocols/socratic.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    socrates → agora  ask: Who teaches it?
    meno → agora  explanation: Good men do.
    socrates → agora  ask: And did their sons become good?
    meno → agora  explanation: Not all of them, by Zeus.
    socrates → agora  satisfied: Then we do not know yet that it can be taught.
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.socratic import Ask, Explanation, Satisfied, Socratic, Thesis
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "socrates": [
        *['{"act": "ask"}', "Who teaches it?", '{"act": "ask"}', "And did their sons become good?"],
        *['{"act": "satisfied"}', "Then we do not know yet that it can be taught."],
    ],
    "meno": ["Good men do.", "Not all of them, by Zeus."],
}


def network(model: Model | None = None) -> Socratic:
    """Socrates and Meno; without a model each has a script."""
    tasks = {
        "socrates": "You are Socrates. You ask short questions.",
        "meno": "You are Meno. You hold that virtue can be taught.",
    }
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=task,
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name, task in tasks.items()
    ]
    return Socratic(id="agora", agents=voices, questioner="socrates", answerer="meno", questions=4)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Thesis(body="Virtue can be taught.")):
        if isinstance(message, Ask | Explanation | Satisfied):
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
