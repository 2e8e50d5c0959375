"""The sealed-bid auction: everybody names one amount that nobody else sees. Knows no bidder from inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import Inform, Refuse
from llm_net.protocols.auctions.bid import Award, Bid
from llm_net.protocols.auctions.sale import Sale, Sell, closings, left_after, sale_of
from llm_net.protocols.auctions.sealed import all_pay, first_price, kth_price, vickrey
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import ZERO, Amount, between, problem_between
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema

PriceRule: TypeAlias = Literal["first-price", "vickrey", "all-pay"] | Annotated[int, Field(ge=1)]
"""What the highest bid pays: itself, the second, itself as all others do, or the k-th."""


class SealedBid(Message):
    """Bid an amount of money for the item."""

    amount: Amount


class CallForBids(Question):
    """Ask for one sealed bid for what the body names.

    Args:
        rule: who pays what, in a sentence.
        reserve: the least that the seller takes.
        budget: the most that the bidder can pay; None for any.
    """

    rule: str
    reserve: Amount = ZERO
    budget: Amount | None = None

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"amount": between(self.reserve, self.budget)} if kind is SealedBid else {}

    def problem_with(self, answer: Message) -> str | None:
        return problem_between(answer.amount, self.reserve, self.budget) if isinstance(answer, SealedBid) else None


SEALED_AUCTION = Rules(
    "sealed-auction",
    completed([
        (START, "initiator", CallForBids, "called"),
        ("called", "participant", SealedBid, "bid"),
        ("called", "participant", Refuse, "refused"),
        ("bid", "initiator", Inform, "closed"),
    ]),
    source="W. Vickrey 1961, Counterspeculation, auctions, and competitive sealed tenders",
    initiator="auctioneer",
    participant="bidder",
    fallback=(Refuse,),
)  # fmt: skip


class SealedAuction(InteractionProtocol):
    """A sealed-bid auction whose members are the bidders: a `Sell` to the network is answered by a `Sale`.

    Bidders get a `CallForBids` and answer by `SealedBid` or `Refuse`. Who bid is told the end in a `Closing`, but not what
    others bid.

    Args:
        rule: who pays what.
        reserve: the least that the seller takes; a lower bid is not sent.
        budgets: what each can still spend, less after each sale; a higher bid is not sent, and who is not named has
            nothing. None: whatever they bid.
        ties: who comes first among equal bids; without a rule nobody wins.
    """

    rules: ClassVar = (SEALED_AUCTION,)

    rule: PriceRule = "vickrey"
    reserve: Amount = ZERO
    budgets: Mapping[str, Amount] | None = None
    ties: TieRule | None = None

    async def asell(self, message: Sell) -> Sale:
        purses = {member.id: None if self.budgets is None else self.budgets.get(member.id, ZERO) for member in self}
        answers = await self.collect(
            CallForBids(
                body=message.body,
                rule=in_a_sentence(self.rule),
                reserve=self.reserve,
                budget=purse,
                receiver=self[name],
                reply_to=message,
            )
            for name, purse in purses.items()
            if purse is None or purse >= self.reserve
        )
        bids = answers.of(SealedBid)
        award = award_by(self.rule, [Bid(name, bid.amount) for name, bid in bids.items()], self.reserve)
        absent = {**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")}
        sale = sale_of(message, award, self.ties, absent)
        self.budgets = left_after(sale, self.budgets)
        await self.tell(closings(sale, bids.values(), self))
        return sale


def award_by(rule: PriceRule, bids: Iterable[Bid], reserve: Decimal) -> Award:
    """Who has the item, by a rule that is data."""
    match rule:
        case "first-price":
            return first_price(bids, reserve=reserve)
        case "vickrey":
            return vickrey(bids, reserve=reserve)
        case "all-pay":
            return all_pay(bids, reserve=reserve)
        case k:
            return kth_price(bids, k=k, reserve=reserve)


def in_a_sentence(rule: PriceRule) -> str:
    """The rule as bidders are told it."""
    match rule:
        case "first-price":
            return "The highest bid wins and pays what it says."
        case "vickrey":
            return "The highest bid wins and pays the second highest."
        case "all-pay":
            return "The highest bid wins, and everybody pays their own bid."
        case k:
            return f"The highest bid wins and pays bid no. {k} from above."
