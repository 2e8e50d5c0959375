"""Map-reduce by its rules: letters to a newspaper are dealt to whoever is free, and put together in pairs.

Ada has a cold and refuses her first letter; so Ben gets it when he is done with his own.

    python examples/protocols/map_reduce.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    desk → ada  part: job='What is wrong?', part='The bus is always late.'
    desk → ben  part: job='What is wrong?', part='Our park needs benches.'
    desk → cleo  part: job='What is wrong?', part='Dogs bark all night.'
    ben → desk  mapped: few benches
    cleo → desk  mapped: loud dogs
    ada → desk  refuse: I have a cold.
    desk → ben  part: job='What is wrong?', part='The bus is always late.'
    ben → desk  mapped: late buses
    desk → ada  combine: job='What is wrong?', results=('late buses', 'few benches')
    ada → desk  combined: late buses, few benches
    desk → ada  combine: job='What is wrong?', results=('late buses, few benches', 'loud dogs')
    ada → desk  combined: buses, benches, dogs
    desk → ·  reduced: buses, benches, dogs absent={'ada': 'I have a cold.'}, results=('buses, benches, dogs',), missing=()
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.map_reduce import Job, MapReduce
from llm_net.protocols.participant import Voice

LETTERS = ("The bus is always late.", "Our park needs benches.", "Dogs bark all night.")
SCRIPTS = {
    "ada": [
        *('{"act": "refuse"}', "I have a cold."),
        *('{"act": "combined"}', "late buses, few benches", '{"act": "combined"}', "buses, benches, dogs"),
    ],
    "ben": ['{"act": "mapped"}', "few benches", '{"act": "mapped"}', "late buses"],
    "cleo": ['{"act": "mapped"}', "loud dogs"],
}


def network(model: Model | None = None) -> MapReduce:
    """Three readers; without a model each has a script."""
    readers = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions="You read letters to a newspaper. You answer in a few words.",
            settings=Settings(max_tokens=12),
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name in SCRIPTS
    ]
    return MapReduce(id="desk", agents=readers, fan=2)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Job(body="What is wrong?", parts=LETTERS)):
        if message.sender != message.receiver:  # the desk tells itself what to deal to whom
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
