"""A proposal: who would do something asks first whether it is wanted.

A cat makes two proposals to the family, one after the other.

    python examples/protocols/propose.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    cat → family  propose: I sleep on your keyboard
    family → cat  reject_proposal: Not while I am working.
    cat → family  propose: I sleep on your lap
    family → cat  accept_proposal: Come here.
    cat → ·  purr: on your lap
"""

import sys

from llm_net import GenAgent, Message
from llm_net.chat import Settings
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.acts import AcceptProposal, Propose, RejectProposal
from llm_net.protocols.fipa.fipa import Fipa
from llm_net.protocols.participant import Voice

SCRIPT = ['{"act": "reject_proposal"}', "Not while I am working.", '{"act": "accept_proposal"}', "Come here."]


class Cat(GenAgent):
    """Proposes one place after the other, until one is accepted."""

    places: list[str] = ["on your keyboard", "on your lap", "in the sink"]

    def wake(self, message: Message) -> Message:
        return self._proposal(message)

    def accept_proposal(self, message: AcceptProposal) -> Message:
        return Message(method="purr", body=self.places[0])

    def reject_proposal(self, message: RejectProposal) -> Message:
        self.places.pop(0)
        return self._proposal(message) if self.places else Message(method="sulk")

    def _proposal(self, message: Message) -> Message:
        return Propose(body=f"I sleep {self.places[0]}", receiver="family", reply_to=message)


def network(model: Model | None = None) -> Fipa:
    """A cat and who feeds it; without a model the latter has a script."""
    family = Voice(
        id="family",
        model=model or ScriptedModel(SCRIPT),
        instructions="You work at home. You like your cat. Answer in one short sentence.",
        stepwise=True,
        settings=Settings(max_tokens=40),
    )
    return Fipa(id="home", agents=[Cat(id="cat"), family])


def main(model: Model | None = None) -> None:
    for message in network(model).receive(Message(method="wake", receiver="cat")):
        print(message)


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
