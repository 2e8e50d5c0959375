"""A decision-making agent: it decides on the content of a message, and sends its decision.

The dispatcher lets a model choose the desk that a customer needs. The answer has to be one of the desks that are in the
network just now, so nobody can be chosen who does not exist.

    python examples/decision_making.py

prints, with a script in place of a model (`--model local` and `--model openai:gpt-5` take real ones),

    dispatcher → billing  ticket: I was charged twice
    billing → ·  inform: billing takes ticket 1
    dispatcher → repairs  ticket: My lamp does not light up
    repairs → ·  inform: repairs takes ticket 1
    dispatcher → billing  ticket: Where is my refund?
    billing → ·  inform: billing takes ticket 2
"""

import json
import sys
from collections.abc import AsyncIterator

from pydantic import Field

from llm_net import GenAgent, GenNetwork, Message
from llm_net.chat import Output, Request, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.pydantic_ai import ProviderModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model

SCRIPT = ['"billing"', '"repairs"', '"billing"']
PROBLEMS = ["I was charged twice", "My lamp does not light up", "Where is my refund?"]


class Ticket(Message):
    """Take care of a customer's problem."""


class Desk(GenAgent):
    """Takes care of problems of one kind."""

    tickets: int = 0

    def ticket(self, message: Ticket) -> Message:
        """A typed message goes to the method named after its class."""
        self.tickets += 1
        return Message(method="inform", body=f"{self.id} takes ticket {self.tickets}")


class Dispatcher(GenAgent):
    """Decides which desk a customer needs."""

    model: Model = Field(exclude=True)

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        """What a handler yields is sent."""
        desks = [desk.id for desk in self.network.receivers(Ticket)]
        turns = [system("Which desk does the customer need?"), user(message.body)]
        completion = await self.complete(self.model, Request(turns, output=Output({"enum": desks})))
        yield Ticket(body=message.body, receiver=json.loads(completion.text), reply_to=message)


def network(model: Model | None = None) -> GenNetwork:
    """The dispatcher and two desks; without a model the script decides."""
    dispatcher = Dispatcher(id="dispatcher", model=model or ScriptedModel(SCRIPT))
    return GenNetwork(agents=[dispatcher, Desk(id="billing"), Desk(id="repairs")])


def main(model: Model | None = None) -> None:
    office = network(model)

    for problem in PROBLEMS:
        for message in office.receive(Message(body=problem, receiver="dispatcher")):
            print(message)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--model", "local"]:
            main(LocalModel())
        case ["--model", name]:
            main(ProviderModel(name))
        case _:
            main()
