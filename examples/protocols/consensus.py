"""Consensus: a proposal is put to everybody, and revised by an editor until a quorum agrees.

Three flatmates plan dinner. The editor hears why somebody objects, and not who.

    python examples/protocols/consensus.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    flat → ann  consider: We eat beef stew at eight. objections=()
    flat → bob  consider: We eat beef stew at eight. objections=()
    flat → cleo  consider: We eat beef stew at eight. objections=()
    ann → flat  objection: reason='I eat no meat.'
    bob → flat  agree: Fine.
    cleo → flat  objection: reason='Eight is too late.'
    flat → editor  revise: We eat beef stew at eight. objections=('I eat no meat.', 'Eight is too late.')
    editor → flat  revision: text='We eat mushroom stew at seven.'
    flat → ann  consider: We eat mushroom stew at seven. objections=('I eat no meat.', 'Eight is too late.')
    flat → bob  consider: We eat mushroom stew at seven. objections=('I eat no meat.', 'Eight is too late.')
    flat → cleo  consider: We eat mushroom stew at seven. objections=('I eat no meat.', 'Eight is too late.')
    ann → flat  agree: Lovely.
    bob → flat  agree: Fine.
    cleo → flat  agree: Good.
    flat → ·  agreement: We eat mushroom stew at seven. agreed=True, agree=('ann', 'bob', 'cleo'), objections={}, rounds=2
"""

import sys

from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.dialogue.consensus import Consensus, Motion
from llm_net.protocols.participant import Voice

SCRIPTS = {
    "ann": ['{"act": "objection"}', '{"reason": "I eat no meat."}', '{"act": "agree"}', "Lovely."],
    "bob": ['{"act": "agree"}', "Fine.", '{"act": "agree"}', "Fine."],
    "cleo": ['{"act": "objection"}', '{"reason": "Eight is too late."}', '{"act": "agree"}', "Good."],
    "editor": ['{"text": "We eat mushroom stew at seven."}'],
}


def network(model: Model | None = None) -> Consensus:
    """Three flatmates and an editor; without a model each has a script."""
    tasks = {
        "ann": "You are Ann. You eat no meat.",
        "bob": "You are Bob. You eat everything.",
        "cleo": "You are Cleo. You go to bed early.",
        "editor": "You revise a plan for dinner, so that everybody can agree.",
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
    return Consensus(id="flat", agents=voices, editor="editor", quorum=3, rounds=3)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Motion(body="We eat beef stew at eight.")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
