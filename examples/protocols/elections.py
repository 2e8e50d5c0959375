"""Leaders elected by two rules: sailors in a ring, and by the bully's way when the captain has gone overboard.

    python examples/protocols/elections.py

prints, with a script in place of a model (`--model local` takes the small one of this machine),

    in the ring goes the name of the cook
    in the ring goes the name of the captain
    in the ring goes the name of the boy
    in the ring goes the name of the captain
    in the ring goes the name of the mate
    in the ring goes the name of the captain
    in the ring goes the name of the mate
    in the ring goes the name of the captain
    the captain leads
    the mate leads, without the captain
    mate → ·  response: Drop the sails, and turn around!
"""

import sys

from llm_net import GenAgent, Message, handles, simulation
from llm_net.chat import Request, Settings, system, user
from llm_net.llm.local import LocalModel
from llm_net.llm.scripted import ScriptedModel
from llm_net.ports import Model
from llm_net.protocols.coordination.bully_election import BullyElection, BullyElector
from llm_net.protocols.coordination.election import Elect, Leader
from llm_net.protocols.coordination.ring_election import Nominate, RingElection, RingElector
from llm_net.protocols.tie import Order

RANKS = Order(("captain", "mate", "cook", "boy"))
SETTINGS = Settings(max_tokens=20, stop=("\n",), seed=1)


class Overboard(GenAgent):
    """Can do nothing any more."""

    @handles(Message)
    def drift(self, message: Message) -> None:
        raise RuntimeError("overboard")


class Sailor(BullyElector):
    """Obeys whoever leads, and has an order where it leads itself."""

    model: Model

    async def aask(self, message: Message) -> Message:
        turns = [system(f"You are the {self.id} of a ship, and lead it now."), user(message.body)]
        return message.reply(body=(await self.complete(self.model, Request(turns, settings=SETTINGS))).text.strip())


def network(model: Model | None = None) -> BullyElection:
    """Three sailors and one who was; without a model the mate has a script."""
    model = model or ScriptedModel(["Drop the sails, and turn around!"])
    sailors = [Sailor(id=name, model=model) for name in ("boy", "cook", "mate")]
    return BullyElection(id="ship", agents=[*sailors, Overboard(id="captain")], ranks=RANKS)


def ring() -> RingElection:
    """The same in good times, and in a circle."""
    return RingElection(
        id="ring", agents=[RingElector(id=name) for name in ("cook", "captain", "boy", "mate")], ranks=RANKS
    )


async def amain(model: Model | None) -> None:
    async for message in ring().areceive(Elect()):
        if isinstance(message, Nominate):
            print(f"in the ring goes the name of the {message.candidate}")
        if isinstance(message, Leader):
            print(f"the {message.leader} leads")
    ship = network(model)
    end = await ship.aresult_of(Elect(starters=("boy",)))
    assert isinstance(end, Leader)
    print(f"the {end.leader} leads, without the {', '.join(end.absent)}")
    async for message in ship.areceive(Message(method="ask", body="What now?", receiver=end.leader)):
        print(message)


def main(model: Model | None = None) -> None:
    simulation.run(amain(model))  # the same order each time, however busy the machine is


if __name__ == "__main__":
    main(LocalModel() if sys.argv[1:] == ["--model", "local"] else None)
