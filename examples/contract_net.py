"""The contract net: a manager has a task, calls for proposals, accepts the best, and hands back the result.

Of three contractors one refuses and two propose. The cheaper one gets the task and fails, so the other gets it: a firm.
It is a network with a manager of its own, who finds somebody inside by the same rules.

    python examples/contract_net.py

prints

    manager → anna  call_for_proposals: mend the roof
    manager → bob  call_for_proposals: mend the roof
    manager → firm  call_for_proposals: mend the roof
    anna → manager  refuse: I only paint
    bob → manager  proposal: price=40
    firm → manager  proposal: price=70
    manager → bob  accept: mend the roof
    manager → firm  accept: mend the roof
    firm → chief  request: mend the roof
    chief → carla  call_for_proposals: mend the roof
    chief → dora  call_for_proposals: mend the roof
    carla → chief  proposal: price=55
    dora → chief  proposal: price=50
    chief → dora  accept: mend the roof
    dora → chief  inform: dora is done
    chief → firm  response: dora is done, for 50
    chief → carla  reject: another one is cheaper
    firm → manager  inform: firm is done
    manager → ·  response: firm is done, for 70

Source: R. G. Smith, "The Contract Net Protocol", 1980; the verbs are those of FIPA SC00029.
"""

from collections.abc import AsyncIterator

from llm_net import GenAgent, GenNetwork, Message
from llm_net.errors import AgentFailed


class CallForProposals(Message):
    """Announce a task and ask what it would cost."""


class Proposal(Message):
    """Offer to do a task."""

    price: int


class Contractor(GenAgent):
    """Does one kind of work, at its price."""

    trade: str
    price: int
    careful: bool = True

    def call_for_proposals(self, message: CallForProposals) -> Message:
        if not message.body.startswith(self.trade):
            return message.reply(method="refuse", body=f"I only {self.trade}")
        return Proposal.reply(message, price=self.price)

    def accept(self, message: Message) -> Message:
        if not self.careful:
            raise RuntimeError("fell off the ladder")
        return message.reply(method="inform", body=f"{self.id} is done")

    def reject(self, message: Message) -> None:
        """Somebody else got it."""


class Manager(GenAgent):
    """Finds the cheapest contractor who gets a task done."""

    async def arequest(self, message: Message) -> AsyncIterator[Message]:
        contractors = self.network.receivers(CallForProposals)
        answers = await self.gather(
            CallForProposals(body=message.body, receiver=contractor, reply_to=message) for contractor in contractors
        )
        offers = [answer for answer in answers if isinstance(answer, Proposal)]
        offers.sort(key=lambda offer: offer.price)
        while offers:
            best = offers.pop(0)
            try:
                report = await self.call(best.reply(method="accept", body=message.body))
            except AgentFailed:
                continue  # a failure is told to whoever called: the task goes to the next one
            yield message.reply(body=f"{report.body}, for {best.price}")
            for other in offers:
                yield other.reply(method="reject", body="another one is cheaper")
            return
        raise LookupError(f"nobody can {message.body}")


class Firm(GenNetwork):
    """A contractor that is a network: its own manager finds somebody inside."""

    price: int

    def call_for_proposals(self, message: CallForProposals) -> Message:
        return Proposal.reply(message, price=self.price)

    async def aaccept(self, message: Message) -> Message:
        await self.call(Message(body=message.body, receiver=self["chief"], reply_to=message))
        return message.reply(method="inform", body=f"{self.id} is done")


firm = Firm(
    id="firm",
    price=70,
    agents=[
        Manager(id="chief"),
        Contractor(id="carla", trade="mend", price=55),
        Contractor(id="dora", trade="mend", price=50),
    ],
)
town = GenNetwork(
    agents=[
        Manager(id="manager"),
        Contractor(id="anna", trade="paint", price=20),
        Contractor(id="bob", trade="mend", price=40, careful=False),
        firm,
    ]
)


def main() -> None:
    for message in town.receive(Message(body="mend the roof", receiver="manager")):
        print(message)


if __name__ == "__main__":
    main()
