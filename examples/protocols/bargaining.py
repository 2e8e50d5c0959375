"""A bargaining table: three who want to travel together say what they wish, and the fair journey is worked out.

Anna loves the sea, Bob the hills; Carla only wants to be home soon. Nash's solution gives each of them something.

    python examples/protocols/bargaining.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    anna: sea 60, hills 20, 3 0, 7 40
    bob: sea 30, hills 80, 3 10, 7 20
    carla: sea 10, hills 10, 3 80, 7 10
    kitchen → ·  agreement: where sea, days 3 deal={'where': 'sea', 'days': '3'}, round=1
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.negotiation.bargaining_table import BargainingTable, Wishes
from llm_net.protocols.negotiation.deal import Agreement, Negotiation
from llm_net.protocols.participant import Voice

ISSUES = {"where": ("sea", "hills"), "days": ("3", "7")}

VOICES = {
    "anna": ("You love the sea and long journeys.", '{"sea": 60, "hills": 20}', '{"3": 0, "7": 40}'),
    "bob": ("You love the hills.", '{"sea": 30, "hills": 80}', '{"3": 10, "7": 20}'),
    "carla": ("You want to be home soon.", '{"sea": 10, "hills": 10}', '{"3": 80, "7": 10}'),
}


def network(model: Model | None = None) -> BargainingTable:
    """Three friends; without a model each has a script."""
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel([f'{{"worth": {{"where": {where}, "days": {days}}}}}', '{"reservation": 0}']),
            instructions=instructions,
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, (instructions, where, days) in VOICES.items()
    ]
    return BargainingTable(id="kitchen", agents=voices)


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Negotiation(body="Our journey", issues=ISSUES)):
        if isinstance(message, Wishes):
            told = ", ".join(f"{value} {points}" for each in message.worth.values() for value, points in each.items())
            print(message.sender.id if message.sender else "", told, sep=": ")
        elif isinstance(message, Agreement):
            print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
