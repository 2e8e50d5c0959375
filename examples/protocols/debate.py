"""A debate with a judge: three answer, hear each other and think again; a judge decides where they differ.

Ann gives in to a good reason, Bob never does. Samples without a debate, as many as it had calls, stand beside it.

    python examples/protocols/debate.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    ann → hall  solution: answer='fish'
    bob → hall  solution: answer='fish'
    cleo → hall  solution: answer='mammal'
    ann → hall  solution: answer='mammal'
    bob → hall  solution: answer='fish'
    cleo → hall  solution: answer='mammal'
    judge → hall  judgement: answer='mammal'
    judge → hall  judgement: answer='mammal'
    ann → hall  solution: answer='fish'
    bob → hall  solution: answer='fish'
    cleo → hall  solution: answer='mammal'
    ann → hall  solution: answer='fish'
    bob → hall  solution: answer='fish'
    hall → ·  resolution: mammal answer='mammal', counts={'mammal': 1}, calls=8, rounds=2, baseline='fish'
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.debate import Debate
from llm_net.protocols.dialogue.problem import Problem
from llm_net.protocols.participant import Voice
from llm_net.protocols.question import Question

SCRIPTS = {
    "ann": ["fish", "mammal", "fish", "fish", "fish"],
    "bob": ["fish"] * 5,
    "cleo": ["mammal"] * 4,
    "judge": ["mammal", "mammal"],
}


def network(model: Model | None = None) -> Debate:
    """Three debaters and a judge; without a model each has a script."""
    tasks = {
        "ann": "You are Ann. You change your mind for a good reason.",
        "bob": "You are Bob, a fisherman. You never change your mind.",
        "cleo": "You are Cleo, a biologist. You explain well.",
        "judge": "You are a judge. You name the best answer.",
    }
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel([f'{{"answer": "{answer}"}}' for answer in SCRIPTS[name]]),
            instructions=task,
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name, task in tasks.items()
    ]
    return Debate(id="hall", agents=voices, rounds=2, judges=("judge",), baseline=True)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Problem(body="Is a whale a fish?", choices=("fish", "mammal"))):
        if not isinstance(message, Question):
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
