"""The floor with interruption: one speaks at a time, for so many words, and may be interrupted.

A professor explains bees. A pupil knows better, interrupts, and is out of words before he has done.

    python examples/protocols/floor.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    professor has the floor, for 20 words
    professor → school  say: Bees dance to show where flowers are.
    professor → school  say: All bees make honey.
    tim → school  interrupt: They do not!
    school → professor  interrupted: by='tim'
    tim has the floor, for 20 words
    tim → school  say: Mason bees make none, and there are thousands of kinds like them.
    tim → school  say: My grandmother has some in her garden wall, and she says
    school → tim  time_up: 20 words are over
    professor has the floor, for 20 words
    professor → school  say: Thank you, Tim.
    3 turns are over
"""

import sys

from llm_net import Message
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.ending import Turns
from llm_net.protocols.dialogue.floor import Floor, Grant, Interrupt, Interrupted
from llm_net.protocols.dialogue.turn import Minutes, Say, TimeUp, Topic
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "professor": [
        *['{"act": "say"}', "Bees dance to show where flowers are.", '{"act": "say"}', "All bees make honey."],
        *['{"act": "listen"}', "Oh?", '{"act": "listen"}', "Hm.", '{"act": "say"}', "Thank you, Tim."],
        *['{"act": "done"}', "Any questions?"],
    ],
    "tim": [
        *['{"act": "listen"}', "Yes.", '{"act": "interrupt"}', "They do not!"],
        *['{"act": "say"}', "Mason bees make none, and there are thousands of kinds like them.", '{"act": "say"}'],
        *["My grandmother has some in her garden wall, and she says", '{"act": "listen"}', "Yes."],
    ],
}


def network(model: Model | None = None) -> Floor:
    """A professor and a pupil; without a model each has a script."""
    tasks = {
        "professor": "You are a professor of bees. You speak in short sentences.",
        "tim": "You are Tim, a pupil who knows better.",
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
    return Floor(id="school", agents=voices, words=20, ending=Turns(3))


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Topic(body="Bees")):
        if isinstance(message, Grant):
            print(f"{_receiver(message)} has the floor, for {message.words} words")
        elif isinstance(message, Say | Interrupt | Interrupted | TimeUp):
            print(message)
        elif isinstance(message, Minutes):
            print(message.reason)


def _receiver(message: Message) -> str:
    return message.receiver.id if message.receiver is not None else "nobody"


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
