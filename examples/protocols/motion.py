"""A motion in a council: yes, no or abstain, and a rule for ties. Councillors speak in a model's words.

The bridge is to be painted yellow. Four councillors are torn, one is colour-blind; the town's rule for ties is to leave things
as they are, so the bridge stays grey, and the outcome says that it was as close as that.

    python examples/protocols/motion.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    council → hal  decide: Shall the bridge be yellow?
    council → iris  decide: Shall the bridge be yellow?
    council → jon  decide: Shall the bridge be yellow?
    council → lou  decide: Shall the bridge be yellow?
    council → max  decide: Shall the bridge be yellow?
    hal → council  abstain: I see no difference.
    iris → council  decision: vote='yes'
    jon → council  decision: vote='no'
    lou → council  decision: vote='yes'
    max → council  decision: vote='no'
      ties: ('yes', 'no')
      verdict: rejected
      yes: 2
      no: 2
      abstain: 1
      votes: {'iris': 'yes', 'jon': 'no', 'lou': 'yes', 'max': 'no'}
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Order
from llm_net.protocols.voting.motion import Motion, Resolve

SCRIPTS = {
    "hal": ['{"act": "abstain"}', "I see no difference."],
    "iris": ['{"act": "decision"}', '{"vote": "yes"}'],
    "jon": ['{"act": "decision"}', '{"vote": "no"}'],
    "lou": ['{"act": "decision"}', '{"vote": "yes"}'],
    "max": ['{"act": "decision"}', '{"vote": "no"}'],
}


def network(model: Model | None = None) -> Motion:
    """A council of five; without a model each has a script."""
    trades = {"hal": "colour-blind", "iris": "a painter", "jon": "a miser", "lou": "a beekeeper", "max": "a historian"}
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, {trade}, in the council of a town.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, trade in trades.items()
    ]
    return Motion(id="council", agents=voices, ties=Order(("no", "yes")))


def main(model: Model | None = None) -> None:
    *said, resolution = network(model).receive(Resolve(body="Shall the bridge be yellow?"))
    for message in said:
        print(message)
    for name, value in resolution.content().items():
        print(f"  {name}: {value}")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
