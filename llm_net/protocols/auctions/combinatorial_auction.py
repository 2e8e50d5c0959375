"""The combinatorial auction: bids for packages, and payments that make truth the best bid. Knows no bidder from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from llm_net.message import Message
from llm_net.protocols.acts import Inform, Refuse
from llm_net.protocols.auctions.budget import Budgets
from llm_net.protocols.auctions.milp import milp
from llm_net.protocols.auctions.package import PackageBid, search
from llm_net.protocols.auctions.vcg import one_of, tied, vcg
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import ZERO, Amount, between, problem_between
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule
from llm_net.schema import JsonSchema

SEARCHED = 14
"""Items for which `search` looks at all ways: 2^14 sets of what is left."""


def _each_once(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) < len(items):
        raise ValueError("an item is named twice; name each once")
    return items


class SellItems(Message):
    """Sell several items, alone or together, to those who pay most for them."""

    items: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_each_once)]


class Package(BaseModel):
    """Items wanted together, and what they are worth together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[str, ...] = Field(min_length=1)
    amount: Amount


class PackageBids(Message):
    """Bid for packages of items: at most one of them is accepted."""

    packages: tuple[Package, ...]


class CallForPackages(Question):
    """Ask for bids for packages of these items, of which one may be accepted; each winner pays what that costs the others.

    Args:
        items: what is for sale.
        reserves: the least that the seller takes for an item; 0 for those not named.
        most: how many packages a bidder may name.
        budget: the most that the bidder can pay; None for any.
    """

    items: tuple[str, ...]
    reserves: Mapping[str, Amount] = {}
    most: int
    budget: Amount | None = None

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if kind is not PackageBids:
            return {}
        package: JsonSchema = {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(self.items)},
                    "minItems": 1,
                    "maxItems": len(self.items),
                },
                "amount": between(ZERO, self.budget),
            },
            "required": ["items", "amount"],
            "additionalProperties": False,
        }
        return {"packages": {"type": "array", "items": package, "minItems": 1, "maxItems": self.most}}

    def problem_with(self, answer: Message) -> str | None:
        if not isinstance(answer, PackageBids):
            return None
        if len(answer.packages) > self.most:
            return f"these are {len(answer.packages)} packages; name at most {self.most}"
        for package in answer.packages:
            if unknown := [item for item in package.items if item not in self.items]:
                return f"{unknown[0]!r} is not for sale; there are {', '.join(self.items)}"
            if problem := problem_between(package.amount, ZERO, self.budget):
                return problem
        return None


class PackageWon(Inform):
    """Say which items the bidder has, if any, and what it pays for them together."""

    method: str = "inform"
    items: tuple[str, ...] = ()
    price: Amount = ZERO


class Allocation(Outcome):
    """Who has which items, and pays what.

    Args:
        won: the items of each winner.
        payments: of each winner.
        unsold: what nobody has.
    """

    won: Mapping[str, tuple[str, ...]] = {}
    payments: Mapping[str, Amount] = {}
    unsold: tuple[str, ...] = ()


COMBINATORIAL_AUCTION = Rules(
    "combinatorial-auction",
    completed([
        (START, "initiator", CallForPackages, "called"),
        ("called", "participant", PackageBids, "bid"),
        ("called", "participant", Refuse, "refused"),
        ("bid", "initiator", Inform, "closed"),
    ]),
    source="P. Cramton, Y. Shoham and R. Steinberg 2006, Combinatorial auctions; payments by Vickrey, Clarke and Groves",
    initiator="auctioneer",
    participant="bidder",
    fallback=(Refuse,),
)  # fmt: skip


class CombinatorialAuction(InteractionProtocol):
    """An auction of several items at once: `SellItems` to the network is answered by an `Allocation`.

    Members are the bidders. They get a `CallForPackages` and answer by `PackageBids` or `Refuse`. The bids with the highest sum are
    accepted, of each bidder at most one, and each winner pays what its winning costs the others: to bid what things are worth
    is best, whatever others do. Who bid is told what it has.

    Args:
        reserves: the least that the seller takes for an item; 0 for those not named.
        budgets: what each can still spend, less after each auction; a higher bid is not sent, and who is not named has
            nothing. None: whatever they bid.
        packages: how many a bidder may name.
        solver: "search" looks at all ways, for up to 14 items; "milp" is for more, needs SciPy, and sees no ties.
        ties: who comes first where several ways are equally good; without a rule nothing is sold where they differ in who wins.
    """

    rules: ClassVar = (COMBINATORIAL_AUCTION,)

    reserves: Mapping[str, Amount] = {}
    budgets: Mapping[str, Amount] | None = None
    packages: int = Field(default=5, ge=1)
    solver: Literal["search", "milp"] = "search"
    ties: TieRule | None = None

    async def asell_items(self, message: SellItems) -> Allocation:
        if self.solver == "search" and len(message.items) > SEARCHED:
            raise ValueError(
                f"{len(message.items)} items are too many to look at all ways to sell them; give solver='milp'"
            )
        answers = await self.collect(
            CallForPackages(
                body=message.body,
                items=message.items,
                reserves={item: least for item, least in self.reserves.items() if item in message.items},
                most=self.packages,
                budget=None if self.budgets is None else self.budgets.get(member.id, ZERO),
                receiver=member,
                reply_to=message,
            )
            for member in self
        )
        made = answers.of(PackageBids)
        ways = vcg(
            [PackageBid.of(name, bid.items, bid.amount) for name, bids in made.items() for bid in bids.packages],
            reserves=self.reserves,
            solve=milp if self.solver == "milp" else search,
        )
        best = one_of(ways, self.ties)
        if self.budgets is not None:
            self.budgets = Budgets(self.budgets).pay(best.payments).left
        won = {bid.bidder: tuple(item for item in message.items if item in bid.items) for bid in best.accepted}
        await self.tell(
            PackageWon.reply(bids, items=won.get(name, ()), price=best.payments.get(name, ZERO))
            for name, bids in made.items()
        )
        return Allocation.reply(
            message,
            body=message.body,
            won=won,
            payments=best.payments,
            unsold=tuple(item for item in message.items if not any(item in items for items in won.values())),
            ties=tied(ways),
            absent={**answers.absent, **dict.fromkeys(answers.of(Refuse), "it refused")},
        )
