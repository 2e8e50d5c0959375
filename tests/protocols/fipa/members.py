"""Members for any protocol, good and bad: they do their work, or are silent, late, crash, or say what they must not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

from llm_net import GenAgent, GenNetwork, Message, handles
from llm_net.protocols.acts import AcceptProposal, Agree, Cfp, Failure, Inform, Refuse, RejectProposal, Request
from llm_net.protocols.fipa.contract_net import Offer


class Contractor(GenAgent):
    """Offers its work for prices, one a call (the last one again and again), and does it; careless ones fail."""

    prices: list[Decimal]
    careful: bool = True
    told: list[str] = []

    def cfp(self, message: Cfp) -> Message:
        self.told.append(message.method)
        if not self.prices:
            return Refuse.reply(message)
        return Offer.reply(message, price=self.prices.pop(0) if len(self.prices) > 1 else self.prices[0])

    def accept_proposal(self, message: AcceptProposal) -> Message:
        self.told.append(message.method)
        kind = Inform if self.careful else Failure
        return kind.reply(message, body=f"{self.id} did it" if self.careful else f"{self.id} fell down")

    def reject_proposal(self, message: RejectProposal) -> None:
        self.told.append(message.method)


def contractor(id: str, *prices: float, careful: bool = True) -> Contractor:
    return Contractor(id=id, prices=[Decimal(str(price)) for price in prices], careful=careful)


class Doer(GenAgent):
    """Does what it is asked for, at once or having agreed to it first; some refuse."""

    agrees: bool = False
    willing: bool = True

    def request(self, message: Request) -> list[Message]:
        if not self.willing:
            return [Refuse.reply(message, body="not I")]
        agreed: list[Message] = [Agree.reply(message)] if self.agrees else []
        return [*agreed, Inform.reply(message, body=f"{self.id} did {message.body}")]


class Promising(GenAgent):
    """Agrees to whatever it is asked for, and leaves it at that."""

    def request(self, message: Request) -> Message:
        return Agree.reply(message)


class Silent(GenAgent):
    """Hears everything and says nothing."""

    @handles(Message)
    def hear(self, message: Message) -> None:
        """Nothing comes of it."""


class Late(GenAgent):
    """Has the best answer of all, five minutes after it was asked."""

    @handles(Message)
    async def ahear(self, message: Message) -> Message:
        await self.delay(300)
        return Offer.reply(message, price=1) if isinstance(message, Cfp) else Inform.reply(message, body="at last")


class Crashing(GenAgent):
    """Raises whatever it hears."""

    @handles(Message)
    def hear(self, message: Message) -> Message:
        raise RuntimeError("ouch")


class Lying(GenAgent):
    """Says it is done where it was asked whether it would do it, and proposes where it was asked to do it."""

    @handles(Message)
    def hear(self, message: Message) -> Message:
        return Inform.reply(message, body="done!") if isinstance(message, Cfp) else Offer.reply(message, price=0)


class Firm(GenNetwork):
    """A network that is a member: it passes calls and awards on to the worker inside, and brings its answers back."""

    @handles(Cfp, AcceptProposal, Request)
    async def apass(self, message: Message) -> AsyncIterator[Message]:
        (worker,) = self
        if isinstance(message, AcceptProposal):
            answer = await self.call(Request(body=message.body, receiver=worker, reply_to=message))
            yield Inform.reply(message, body=answer.body)
        else:
            yield Offer.reply(message, price=Decimal(5))

    def reject_proposal(self, message: RejectProposal) -> None:
        """Somebody else got it."""
