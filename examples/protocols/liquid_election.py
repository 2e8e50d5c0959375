"""A liquid election: who knows no mushrooms lets somebody vote who does. Voters speak in a model's words.

Otto was in the wood and Nell trusts him; Pia trusts Nell, so Otto casts three votes. Quinn and Ruth each think that the other
knows best, and so nobody votes for them: the outcome names the circle.

    python examples/protocols/liquid_election.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    inn → nell  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('otto', 'pia', 'quinn', 'ruth', 'sam')
    inn → otto  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('nell', 'pia', 'quinn', 'ruth', 'sam')
    inn → pia  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('nell', 'otto', 'quinn', 'ruth', 'sam')
    inn → quinn  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('nell', 'otto', 'pia', 'ruth', 'sam')
    inn → ruth  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('nell', 'otto', 'pia', 'quinn', 'sam')
    inn → sam  pick: Which mushroom? candidates=('bolete', 'russula'), trustees=('nell', 'otto', 'pia', 'quinn', 'ruth')
    nell → inn  delegate: to='otto'
    otto → inn  choice_ballot: choice='bolete'
    pia → inn  delegate: to='nell'
    quinn → inn  delegate: to='ruth'
    ruth → inn  delegate: to='quinn'
    sam → inn  choice_ballot: choice='russula'
      winners: ('bolete',)
      scores: {'bolete': 3, 'russula': 1}
      quorate: True
      cast: 2
      abstained: 0
      ballots: {'otto': 'bolete', 'sam': 'russula'}
      casters: {'nell': 'otto', 'pia': 'otto'}
      cycles: (('quinn', 'ruth'),)
      lost: ('quinn', 'ruth')
"""

import sys

from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.participant import Voice
from llm_net.protocols.voting.election import Elect
from llm_net.protocols.voting.liquid import LiquidElection

SCRIPTS = {
    "nell": ['{"act": "delegate"}', '{"to": "otto"}'],
    "otto": ['{"act": "choice_ballot"}', '{"choice": "bolete"}'],
    "pia": ['{"act": "delegate"}', '{"to": "nell"}'],
    "quinn": ['{"act": "delegate"}', '{"to": "ruth"}'],
    "ruth": ['{"act": "delegate"}', '{"to": "quinn"}'],
    "sam": ['{"act": "choice_ballot"}', '{"choice": "russula"}'],
}


def network(model: Model | None = None) -> LiquidElection:
    """Six who are hungry; without a model each has a script."""
    knows = {
        "nell": "trusts otto", "otto": "knows mushrooms", "pia": "trusts nell", "quinn": "trusts ruth",
        "ruth": "trusts quinn", "sam": "likes red things",
    }  # fmt: skip
    voices = [
        Voice(
            id=name,
            model=model or ScriptedModel(SCRIPTS[name]),
            instructions=f"You are {name}, who {what}.",
            stepwise=True,  # one question at a time: small models choose better so
        )
        for name, what in knows.items()
    ]
    return LiquidElection(id="inn", agents=voices)


def main(model: Model | None = None) -> None:
    *said, elected = network(model).receive(Elect(body="Which mushroom?", candidates=("bolete", "russula")))
    for message in said:
        print(message)
    for name, value in elected.content().items():
        print(f"  {name}: {value}")


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
