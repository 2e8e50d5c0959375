"""The English auction in FIPA's acts: the price is called and raised as long as somebody bids. Knows no bidder from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import AcceptProposal, Cfp, Inform, Propose, Refuse, RejectProposal
from llm_net.protocols.auctions.english import Outcry
from llm_net.protocols.auctions.sale import Sale, Sell, closings, left_after, sale_of
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import ZERO, Amount
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import Order, TieRule


class PriceCall(Cfp):
    """Call a price for what the body names: who bids it?"""

    method: str = "cfp"
    price: Amount


class TakePrice(Propose):
    """Bid the price that is called."""

    method: str = "propose"


ENGLISH_AUCTION = Rules(
    "fipa-english-auction",
    completed([
        (START, "initiator", Inform, "opened"),
        ("opened", "initiator", Cfp, "called"),
        ("called", "participant", Propose, "bid"),
        ("called", "participant", Refuse, "passed"),
        ("bid", "initiator", AcceptProposal, "leading"),
        ("bid", "initiator", RejectProposal, "outbid"),
        ("leading", "initiator", Cfp, "called"),
        ("outbid", "initiator", Cfp, "called"),
        ("opened", "initiator", Inform, "closed"),
        ("passed", "initiator", Inform, "closed"),
        ("leading", "initiator", Inform, "closed"),
        ("outbid", "initiator", Inform, "closed"),
    ]),
    source="FIPA XC00031F, English Auction Interaction Protocol (experimental)",
    initiator="auctioneer",
    participant="bidder",
    fallback=(Refuse,),
)  # fmt: skip


class EnglishAuction(InteractionProtocol):
    """An English auction whose members are the bidders: a `Sell` to the network is answered by a `Sale`.

    Bidders are told of the beginning, then get a `PriceCall` and answer by `TakePrice` or `Refuse`. Of those who bid the price one
    leads and is told by `AcceptProposal`, the others by `RejectProposal`; then all but the leader are called a higher one. Who
    does not bid is not called again. When nobody bids more the leader has the item for what it bid, and all are told.

    Args:
        increment: by how much the price goes up.
        reserve: the first price.
        budgets: what each can still spend, less after each sale: a price above it is not called to them, and who is not
            named has nothing. None: whatever they bid.
        ties: who leads of those who bid the same price; without a rule, who stands first in the network.
        calls: the hammer falls after so many at the latest.
    """

    rules: ClassVar = (ENGLISH_AUCTION.saying(PriceCall, TakePrice),)

    increment: Amount = Field(default=ZERO + 1, gt=0)
    reserve: Amount = ZERO
    budgets: Mapping[str, Amount] | None = None
    ties: TieRule | None = None
    calls: int = Field(default=1_000, ge=1)

    async def asell(self, message: Sell) -> Sale:
        members = {member.id: member for member in self}
        said: dict[str, Message] = {  # the last word with each
            name: Inform(body=f"For sale: {message.body}", sender=self, receiver=member, reply_to=message)
            for name, member in members.items()
        }
        await self.tell(said.values())
        absent: dict[str, str] = {}
        outcry = Outcry.start(list(said), increment=self.increment, reserve=self.reserve)
        for _ in range(self.calls):
            if outcry.award is not None:
                break
            answers = await self.collect(
                PriceCall(
                    body=message.body, price=outcry.price, sender=self, receiver=members[name], reply_to=said[name]
                )
                for name in outcry.called
                if self.budgets is None or self.budgets.get(name, ZERO) >= outcry.price
            )
            absent.update(answers.absent)
            said.update(answers.given)
            bids = answers.of(TakePrice)
            outcry = outcry.hear(bids, self.ties)
            for name, bid in bids.items():
                kind, told = (
                    (AcceptProposal, "You lead") if name == outcry.leader else (RejectProposal, "Another leads")
                )
                said[name] = kind(body=told, sender=self, receiver=members[name], reply_to=bid)
            await self.tell(said[name] for name in bids)
        award = outcry.award or outcry.end().award
        assert award is not None
        sale = sale_of(message, award, Order(award.winners), absent)
        self.budgets = left_after(sale, self.budgets)
        await self.tell(closings(sale, [last for name, last in said.items() if name not in absent], self))
        return sale
