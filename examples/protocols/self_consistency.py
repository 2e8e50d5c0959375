"""Self-consistency: one model is asked several times, and what it says most often is the answer.

Slips differ, and the truth does not: that is why it helps. It stops once nobody could catch up.

    python examples/protocols/self_consistency.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    counter → urn  solution: answer='22'
    counter → urn  solution: answer='24'
    counter → urn  solution: answer='22'
    counter → urn  solution: answer='20'
    counter → urn  solution: answer='22'
    counter → urn  solution: answer='22'
    urn → ·  common_answer: 22 answer='22', counts={'22': 4, '24': 1, '20': 1}, calls=6
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.problem import Problem
from llm_net.protocols.dialogue.self_consistency import SelfConsistency
from llm_net.protocols.participant import Voice
from llm_net.protocols.question import Question

SCRIPTS = ["22", "24", "22", "20", "22", "22"]


def network(model: Model | None = None) -> SelfConsistency:
    """One who counts; without a model it has a script."""
    counter = Voice(
        id="counter",
        model=model or ScriptedModel([f'{{"answer": "{answer}"}}' for answer in SCRIPTS]),
        instructions="You are careful with numbers. You answer the question.",
        settings=Settings(max_tokens=30),
        stepwise=True,
    )
    return SelfConsistency(id="urn", agents=[counter], samples=7)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(
        Problem(body="How many legs have two spiders and a bee?", choices=("20", "22", "24"))
    ):
        if not isinstance(message, Question):
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
