"""A single text: Mira drafts the rules of a shared kitchen until the two who share it accept one and the same text.

Nobody defends a text of their own; there is only one, and it gets better.

    python examples/protocols/single_text.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    mira → kitchen  text: Who cooks washes up.
    anna → kitchen  criticise: Not at night.
    bob → kitchen  accept: Fine.
    mira → kitchen  text: Who cooks washes up before ten.
    anna → kitchen  accept: Good night.
    bob → kitchen  accept: Fine too.
    kitchen → ·  adoption: Who cooks washes up before ten. adopted=True, accepted=('anna', 'bob'), criticism={}, round=2
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.negotiation.single_text import Matter, SingleText
from llm_net.protocols.participant import Voice

VOICES = {
    "mira": ("You write one short rule for a kitchen, in one sentence.", [
        "Who cooks washes up.",
        "Who cooks washes up before ten.",
    ]),
    "anna": ("You go to bed at ten.", ['{"act": "criticise"}', "Not at night.", '{"act": "accept"}', "Good night."]),
    "bob": ("You cook late, and you are easily content.", ['{"act": "accept"}', "Fine.", '{"act": "accept"}', "Fine too."]),
}  # fmt: skip


def network(model: Model | None = None) -> SingleText:
    """A mediator and two parties; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(script),
            instructions=instructions,
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, (instructions, script) in VOICES.items()
    ]
    return SingleText(id="kitchen", agents=voices, mediator="mira", rounds=3)


def main(model: Model | None = None) -> None:
    kitchen = network(model)
    for message in kitchen.receive(Matter(body="The kitchen")):
        if message.sender != kitchen or message.receiver is None:  # what the members say, and the outcome
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
