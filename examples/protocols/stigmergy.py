"""Stigmergy: ants find the short way without a word, by marks on the ground that fade.

Ann has found food and marks her way. Bob smells her marks.

    python examples/protocols/stigmergy.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    ann at hive smells hive 0, grass 0, stones 0
    bob at hive smells hive 0, grass 0, stones 0
    ann at stones smells stones 0, hive 0, flowers 0
    bob at grass smells grass 0, hive 0
    ann at flowers smells flowers 0, stones 1.5
    bob at hive smells hive 0, grass 0.5, stones 1.5
    {'hive': 0.5, 'grass': 0.25, 'stones': 0.75, 'flowers': 1.5} and {'ann': 'stones', 'bob': 'stones'}
"""

import sys

from llm_net import Message
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.stigmergy import Release, Sense, Stigmergy, Trails
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "ann": [("stones", 0), ("flowers", 3), ("stones", 3)],
    "bob": [("grass", 0), ("hive", 1), ("stones", 1)],
}


def network(model: Model | None = None) -> Stigmergy:
    """Two ants; without a model each has a script."""
    ways = {
        "hive": ("grass", "stones"),
        "grass": ("hive",),
        "stones": ("hive", "flowers"),
        "flowers": ("stones",),
    }
    voices = [
        Voice(
            id=name,
            model=model
            or ScriptedModel([line for to, mark in steps for line in (f'{{"to": "{to}"}}', f'{{"mark": {mark}}}')]),
            instructions="You are an ant. You go where the marks are strongest.",
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name, steps in SCRIPTS.items()
    ]
    return Stigmergy(id="meadow", agents=voices, ways=ways, start="hive", evaporation=0.5, most=3, ticks=3)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Release(body="Find food.")):
        if isinstance(message, Sense):
            smelt = ", ".join(f"{place} {mark:g}" for place, mark in message.marks.items())
            print(f"{_receiver(message)} at {message.place} smells {smelt}")
        elif isinstance(message, Trails):
            print(f"{dict(message.marks)} and {dict(message.places)}")


def _receiver(message: Message) -> str:
    return message.receiver.id if message.receiver is not None else "nobody"


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
