"""Map-reduce by its rules: letters to a newspaper are dealt to whoever is free, and put together in pairs.

Ada has a cold and refuses her first letter; so Cleo gets it when she is done with her own.

    python examples/protocols/map_reduce.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    desk → ada  part: job='What is wrong?', part='The bus is always late.'
    desk → ben  part: job='What is wrong?', part='Our park needs benches.'
    desk → cleo  part: job='What is wrong?', part='Dogs bark all night.'
    cleo → desk  mapped: loud dogs
    ada → desk  refuse: I have a cold.
    ben → desk  mapped: few benches
    desk → cleo  part: job='What is wrong?', part='The bus is always late.'
    cleo → desk  mapped: late buses
    desk → ada  combine: job='What is wrong?', results=('late buses', 'few benches')
    ada → desk  combined: late buses, few benches
    desk → ada  combine: job='What is wrong?', results=('late buses, few benches', 'loud dogs')
    ada → desk  combined: buses, benches, dogs
    desk → ·  reduced: buses, benches, dogs absent={'ada': 'I have a cold.'}, results=('buses, benches, dogs',), missing=()
"""

import sys

from llm_net import simulation
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
    "ben": ['{"act": "mapped"}', "few benches"],
    "cleo": ['{"act": "mapped"}', "loud dogs", '{"act": "mapped"}', "late buses"],
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


async def amain(model: Model | None) -> None:
    async for message in network(model).areceive(Job(body="What is wrong?", parts=LETTERS)):
        if message.sender != message.receiver:  # the desk tells itself what to deal to whom
            print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
