"""The contract net in rounds: who has offered is called again, until nobody offers better. Knows no contractor from inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from llm_net.message import Message
from llm_net.protocols.acts import AcceptProposal, Cfp, Failure, Inform, Propose, Refuse, RejectProposal
from llm_net.protocols.fipa.contract_net import ContractNet, Offer, Task
from llm_net.protocols.meta import completed
from llm_net.protocols.money import Amount
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema


class BetterOffer(Question, Cfp):
    """Call for a better offer: say at which price you would do it now.

    Args:
        best: the price of the best offer of the last round.
        yours: the price that the receiver offered there.
    """

    method: str = "cfp"
    best: Amount
    yours: Amount

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        if not issubclass(kind, Offer):
            return {}
        return {"price": {"type": "number", "minimum": 0, "maximum": float(self.yours)}}

    def problem_with(self, answer: Message) -> str | None:
        if isinstance(answer, Offer) and answer.price > self.yours:
            return f"its price is above the last one; offer at most {self.yours}"
        return None


ITERATED_CONTRACT_NET = Rules(
    "fipa-iterated-contract-net",
    completed([
        (START, "initiator", Cfp, "called"),
        ("called", "participant", Propose, "proposed"),
        ("called", "participant", Refuse, "refused"),
        ("proposed", "initiator", Cfp, "called"),
        ("proposed", "initiator", RejectProposal, "rejected"),
        ("proposed", "initiator", AcceptProposal, "awarded"),
        ("awarded", "participant", Inform, "done"),
        ("awarded", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00030H",
    initiator="manager",
    participant="contractor",
    sole=frozenset({"awarded", "done"}),
    fallback=(Refuse, Failure),
)  # fmt: skip
"""An offer is void as soon as a better one is called for."""


class IteratedContractNet(ContractNet):
    """A contract net in which contractors hear what the best one asks, and may offer the task for less.

    It goes on until nobody changes its price, one is left, or the last round is over. Then it ends like a `ContractNet`.
    Whoever is silent, late or refuses in a later round is out: its offer is void.

    Args:
        rounds: calls that a contractor gets at most, the first one included.
    """

    rules: ClassVar = (ITERATED_CONTRACT_NET.saying(Offer),)

    rounds: int = Field(default=3, ge=1)

    async def _offers(self, message: Task) -> tuple[dict[str, Offer], dict[str, str]]:
        offers, absent = await super()._offers(message)
        for _ in range(1, self.rounds):
            if len(offers) < 2:
                break
            best = offers[self.ranks(offers)[0][0]].price
            before, (offers, gone) = (
                offers,
                await self._asked(
                    BetterOffer.reply(offer, body=message.body, best=best, yours=offer.price)
                    for offer in offers.values()
                ),
            )
            absent |= gone
            if all(offer.price == before[name].price for name, offer in offers.items()):
                break
        return offers, absent
