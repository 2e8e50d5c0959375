"""A discussion that is led: a host names who speaks, and can name nobody who is not there.

Three neighbours plan a feast. It is over once somebody says that it is settled, or after four turns.

    python examples/protocols/discussion.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    host → square  next: name='bob'
    bob → square  say: I bake forty pies.
    host → square  next: name='anna'
    anna → square  say: We have no oven for that.
    host → square  next: name='bob'
    bob → square  skip: Hm.
    host → square  next: name='anna'
    anna → square  say: Then it is settled: soup.
    'settled' was said
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.discussion import Discussion, Next
from llm_net.protocols.dialogue.ending import Turns, Words
from llm_net.protocols.dialogue.selection import BySelector
from llm_net.protocols.dialogue.turn import Minutes, Say, Skip, Topic
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "host": ['{"name": "bob"}', '{"name": "anna"}'] * 2,
    "anna": ['{"act": "say"}', "We have no oven for that.", '{"act": "say"}', "Then it is settled: soup."],
    "bob": ['{"act": "say"}', "I bake forty pies.", '{"act": "skip"}', "Hm."],
    "carla": [],
}


def network(model: Model | None = None) -> Discussion:
    """A host and three neighbours; without a model each has a script."""
    tasks = {
        "host": "You lead a meeting of neighbours. You name who speaks next.",
        "anna": "You are Anna. You plan a village feast, and worry about the oven.",
        "bob": "You are Bob, a baker. You plan a village feast.",
        "carla": "You are Carla. You plan a village feast, and love music.",
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
    return Discussion(id="square", agents=voices, selection=BySelector("host"), ending=Words("settled") | Turns(4))


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Topic(body="What do we eat at the feast?")):
        if isinstance(message, Next | Say | Skip):
            print(message)
        elif isinstance(message, Minutes):
            print(message.reason)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
