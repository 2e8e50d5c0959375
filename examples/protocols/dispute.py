"""A dispute: shall the village build a bridge? Arguments attack arguments, and what is left standing decides.

Anna is against it, and Bob has an answer; Carla finds what is wrong with it. So Anna's argument stands, and the claim falls.

    python examples/protocols/dispute.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna → village  undercut: against=('claim',), because='we cannot pay for it'
    bob → village  undercut: against=('anna-1',), because='the county pays'
    carla → village  undercut: against=('bob-1',), because='the county is bankrupt'
    anna → village  pass: That is all.
    bob → village  pass: That is all.
    carla → village  pass: That is all.
    We build the bridge: falls
      anna-1 stands: we cannot pay for it
      carla-1 stands: the county is bankrupt
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.argumentation.dispute import Claim, Dispute, Verdict
from llm_net.protocols.participant import Voice

VOICES = {
    "anna": ("You are against the bridge: attack the claim.", [
        '{"act": "undercut"}', '{"against": ["claim"]}', '{"because": "we cannot pay for it"}', '{"act": "pass"}', "That is all.",
    ]),
    "bob": ("You are for the bridge: attack who is against it.", [
        '{"act": "undercut"}', '{"against": ["anna-1"]}', '{"because": "the county pays"}', '{"act": "pass"}', "That is all.",
    ]),
    "carla": ("You doubt what others say of the county.", [
        '{"act": "undercut"}', '{"against": ["bob-1"]}', '{"because": "the county is bankrupt"}', '{"act": "pass"}', "That is all.",
    ]),
}  # fmt: skip


def network(model: Model | None = None) -> Dispute:
    """Three villagers; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(script),
            instructions=instructions,
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, (instructions, script) in VOICES.items()
    ]
    return Dispute(id="village", agents=voices, rounds=2)


def main(model: Model | None = None) -> None:
    village = network(model)
    for message in village.receive(Claim(body="We build the bridge")):
        if message.sender != village:
            print(message)
        elif isinstance(message, Verdict):
            print(message.body)
            for name in message.standing:
                print(f"  {name} stands: {message.arguments[name]}")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
