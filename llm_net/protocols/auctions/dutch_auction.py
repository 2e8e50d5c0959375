"""The Dutch auction in FIPA's acts: the price is called and lowered until somebody takes it. Knows no bidder from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from llm_net.message import Message
from llm_net.protocols.acts import AcceptProposal, Cfp, Inform, Propose, Refuse, RejectProposal
from llm_net.protocols.auctions.dutch import DutchClock
from llm_net.protocols.auctions.english_auction import PriceCall, TakePrice
from llm_net.protocols.auctions.sale import Sale, Sell, closings, left_after, sale_of
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import ZERO, Amount
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import Order, TieRule

DUTCH_AUCTION = Rules(
    "fipa-dutch-auction",
    completed([
        (START, "initiator", Inform, "opened"),
        ("opened", "initiator", Cfp, "called"),
        ("called", "participant", Refuse, "waiting"),
        ("waiting", "initiator", Inform, "closed"),
        ("waiting", "initiator", Cfp, "called"),
        ("called", "participant", Propose, "bid"),
        ("bid", "initiator", AcceptProposal, "won"),
        ("bid", "initiator", RejectProposal, "lost"),
        ("opened", "initiator", Inform, "closed"),
        ("won", "initiator", Inform, "closed"),
        ("lost", "initiator", Inform, "closed"),
    ]),
    source="FIPA XC00032F, Dutch Auction Interaction Protocol (experimental)",
    initiator="auctioneer",
    participant="bidder",
    sole=frozenset({"won"}),
    fallback=(Refuse,),
)  # fmt: skip


class DutchAuction(InteractionProtocol):
    """A Dutch auction whose members are the bidders: a `Sell` to the network is answered by a `Sale`.

    Bidders are told of the beginning, then get a `PriceCall` and answer by `TakePrice`, or by `Refuse` to wait for a lower one.
    Who takes the price first has the item for it; all are told. Who gives no answer is not called again.

    Args:
        start: the first price.
        decrement: by how much it goes down.
        reserve: the last price.
        budgets: what each can still spend, less after each sale: a price above it is not called to them, and who is not
            named has nothing. None: whatever they take.
        ties: who is first of those who take the same price; without a rule, who stands first in the network.
    """

    rules: ClassVar = (DUTCH_AUCTION.saying(PriceCall, TakePrice),)

    start: Amount
    decrement: Amount = Field(default=ZERO + 1, gt=0)
    reserve: Amount = ZERO
    budgets: Mapping[str, Amount] | None = None
    ties: TieRule | None = None

    @model_validator(mode="after")
    def _starts_above_the_reserve(self) -> Self:
        DutchClock(self.start, self.decrement, self.reserve)
        return self

    async def asell(self, message: Sell) -> Sale:
        members = {member.id: member for member in self}
        said: dict[str, Message] = {  # the last word with each
            name: Inform(body=f"For sale: {message.body}", sender=self, receiver=member, reply_to=message)
            for name, member in members.items()
        }
        await self.tell(said.values())
        absent: dict[str, str] = {}
        clock = DutchClock(self.start, self.decrement, self.reserve)
        while clock.award is None:
            answers = await self.collect(
                PriceCall(body=message.body, price=clock.price, sender=self, receiver=members[name], reply_to=last)
                for name, last in said.items()
                if name not in absent and (self.budgets is None or self.budgets.get(name, ZERO) >= clock.price)
            )
            absent.update(answers.absent)
            said.update(answers.given)
            takers = answers.of(TakePrice)
            clock = clock.hear(self.ties.rank(takers) if self.ties is not None else tuple(takers))
        sale = sale_of(message, clock.award, Order(clock.award.winners), absent)
        self.budgets = left_after(sale, self.budgets)
        for name in clock.award.winners:
            kind = AcceptProposal if name == sale.winner else RejectProposal
            said[name] = kind(sender=self, receiver=members[name], reply_to=said[name])
        await self.tell(said[name] for name in clock.award.winners)
        await self.tell(closings(sale, [last for name, last in said.items() if name not in absent], self))
        return sale
