"""Werewolf: hidden roles, nights in private and days in public. Nobody is told more than its role allows.

Wim is the werewolf, and Sara, the seer, finds out in time.

    python examples/protocols/hidden_roles.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    wim knows {'wim': 'werewolf'}
    sara knows {'sara': 'seer'}
    wim → village  point: player='ann'
    sara → village  point: player='wim'
    wim → village  say: It was Bob!
    sara → village  say: I saw Wim.
    bob → village  say: I was asleep.
    wim knows {'wim': 'werewolf'}
    sara knows {'wim': 'werewolf', 'sara': 'seer'}
    bob knows {'bob': 'villager'}
    wim → village  point: player='bob'
    sara → village  point: player='wim'
    bob → village  point: player='wim'
    ann was killed · wim was sent away · the villagers win
"""

import sys

from llm_net import Message
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.hidden_roles import GameOver, HiddenRoles, Pick, Play, Point
from llm_net.protocols.dialogue.turn import Say
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "wim": [
        '{"player": "ann"}',
        "It was Bob!",
        '{"player": "bob"}',
    ],
    "sara": [
        '{"player": "wim"}',
        "I saw Wim.",
        '{"player": "wim"}',
    ],
    "ann": [],
    "bob": ["I was asleep.", '{"player": "wim"}'],
}


def network(model: Model | None = None) -> HiddenRoles:
    """Four villagers, two of whom are more than that; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}. You play the game of werewolves.",
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name in SCRIPTS
    ]
    return HiddenRoles(id="village", agents=voices, parts={"wim": "werewolf", "sara": "seer"}, days=2)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Play(body="Somebody here is a werewolf.")):
        if isinstance(message, Pick):
            print(f"{_receiver(message)} knows {dict(message.known)}")
        elif isinstance(message, Point | Say):
            print(message)
        elif isinstance(message, GameOver):
            print(" · ".join([*message.news, message.body]))


def _receiver(message: Message) -> str:
    return message.receiver.id if message.receiver is not None else "nobody"


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
