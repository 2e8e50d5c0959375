"""A blackboard: those who know something bid for a part of the problem, and write it where all see it.

A pie was stolen. The vet can say who it was only once the maid has said where the crumbs are.

    python examples/protocols/blackboard.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    maid → house  bid: part='where', worth=8
    cook → house  bid: part='where', worth=3
    vet → house  skip: Not yet.
    house → cook  reject_proposal: another one does it
    maid → house  post: There are crumbs in the kennel.
    maid → house  skip: Not yet.
    cook → house  skip: Not yet.
    vet → house  bid: part='who', worth=9
    vet → house  post: It was the dog.
    {'where': 'There are crumbs in the kennel.', 'who': 'It was the dog.'}
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.blackboard import Blackboard, Board, Riddle
from llm_net.protocols.participant import Voice
from llm_net.protocols.question import Question

SKIP = ['{"act": "skip"}', "Not yet."]
SCRIPTS = {
    "maid": [
        '{"act": "bid"}',
        '{"part": "where"}',
        '{"worth": 8}',
        "There are crumbs in the kennel.",
        *SKIP,
    ],
    "cook": ['{"act": "bid"}', '{"part": "where"}', '{"worth": 3}', *SKIP],
    "vet": [
        *[*SKIP, '{"act": "bid"}', '{"part": "who"}', '{"worth": 9}', "It was the dog."],
    ],
}


def network(model: Model | None = None) -> Blackboard:
    """A maid, a cook and a vet; without a model each has a script."""
    tasks = {
        "maid": "You are a maid. You find out where things are.",
        "cook": "You are a cook. You guess.",
        "vet": "You are a vet. You know what animals do.",
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
    return Blackboard(id="house", agents=voices, rounds=4)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Riddle(body="Somebody stole the pie.", parts=("where", "who"))):
        if isinstance(message, Board):
            print(dict(message.board))
        elif not isinstance(message, Question):
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
