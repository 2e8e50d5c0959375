"""Delphi: a panel estimates a number, is told its quartiles, and estimates again, until it settles.

A jar of sweets stands on the table. Nobody knows whose estimates they are told of, so nobody has to save face.

    python examples/protocols/delphi.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    ann → panel  estimate: value=100
    bob → panel  estimate: value=300
    cleo → panel  estimate: value=700
    panel → ann  half of you said at most 300
    panel → bob  half of you said at most 300
    panel → cleo  half of you said at most 300
    ann → panel  estimate: value=250
    bob → panel  estimate: value=300
    cleo → panel  estimate: value=350
    panel → ann  half of you said at most 300
    panel → bob  half of you said at most 300
    panel → cleo  half of you said at most 300
    ann → panel  estimate: value=290
    bob → panel  estimate: value=300
    cleo → panel  estimate: value=310
    panel → ·  panel: 300 median=300, lower=295, upper=305, rounds=3, settled=True
"""

import sys
from decimal import Decimal

from llm_net import Message
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.delphi import Consult, Delphi, Forecast
from llm_net.protocols.participant import Voice
from llm_net.protocols.question import Question

SCRIPTS = {"ann": [100, 250, 290], "bob": [300, 300, 300], "cleo": [700, 350, 310]}


def network(model: Model | None = None) -> Delphi:
    """A panel of three; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel([f'{{"value": {value}}}' for value in values]),
            instructions=f"You are {name}. You estimate how many sweets are in a jar.",
            settings=Settings(max_tokens=30),
            stepwise=True,
        )
        for name, values in SCRIPTS.items()
    ]
    return Delphi(id="panel", agents=voices, rounds=3, within=20)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(
        Forecast(body="How many sweets are in the jar?", lowest=Decimal(0), highest=Decimal(1000))
    ):
        if isinstance(message, Consult) and message.median is not None:
            print(f"panel → {_receiver(message)}  half of you said at most {message.median}")
        elif not isinstance(message, Question):
            print(message)


def _receiver(message: Message) -> str:
    return message.receiver.id if message.receiver is not None else "nobody"


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
