"""The contract net: a manager calls for proposals, accepts the best, and has it done. Knows no contractor from inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import groupby
from typing import ClassVar

from pydantic import Field

from llm_net.errors import AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered
from llm_net.message import Message
from llm_net.protocols.acts import AcceptProposal, Cfp, Failure, Inform, Propose, Refuse, RejectProposal
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.money import Amount
from llm_net.protocols.outcome import Outcome
from llm_net.protocols.rules import START, Rules
from llm_net.protocols.tie import TieRule


class Offer(Propose):
    """Propose to do the task, for a price."""

    method: str = "propose"
    price: Amount


class Task(Message):
    """Have something done by whoever does it best."""


class Contract(Outcome):
    """Who did a task, for which price, and what came of it.

    Args:
        contractor: None where nobody did it.
        price: what it costs, None likewise.
    """

    contractor: str | None = None
    price: Amount | None = None


Choice = Callable[[Mapping[str, Offer]], list[tuple[str, ...]]]
"""Ranks offers: the best first; those that are equally good together."""


def cheapest(offers: Mapping[str, Offer]) -> list[tuple[str, ...]]:
    """The lowest price first."""
    by_price = sorted(offers, key=lambda name: offers[name].price)
    return [tuple(equals) for _, equals in groupby(by_price, key=lambda name: offers[name].price)]


CONTRACT_NET = Rules(
    "fipa-contract-net",
    completed([
        (START, "initiator", Cfp, "called"),
        ("called", "participant", Refuse, "refused"),
        ("called", "participant", Propose, "proposed"),
        ("proposed", "initiator", RejectProposal, "rejected"),
        ("proposed", "initiator", AcceptProposal, "awarded"),
        ("awarded", "participant", Inform, "done"),
        ("awarded", "participant", Failure, "failed"),
    ]),
    source="FIPA SC00029H; R. G. Smith 1980, The contract net protocol",
    initiator="manager",
    participant="contractor",
    sole=frozenset({"awarded", "done"}),
    fallback=(Refuse, Failure),
)  # fmt: skip


class ContractNet(InteractionProtocol):
    """A contract net whose members are the contractors: a `Task` to the network is done by the best, answered by a `Contract`.

    Contractors get a `Cfp` and answer by `Offer` or `Refuse`; the best offer gets an `AcceptProposal`, to be answered by
    `Inform` or `Failure`; the others a `RejectProposal`. Where the best one fails, the next best gets the task.

    Args:
        ties: who comes first among equally good offers; without a rule, who stands first in the network.
        ranks: which offers are better.
    """

    rules: ClassVar = (CONTRACT_NET.saying(Offer),)

    ties: TieRule | None = None
    ranks: Choice = Field(default=cheapest, exclude=True, repr=False)

    async def atask(self, message: Task) -> AsyncIterator[Message]:
        offers, absent = await self._offers(message)
        tied: tuple[str, ...] = ()
        left = [self._in_order(equals) for equals in self.ranks(offers)]
        contract: Contract | None = None
        while left and contract is None:
            best, *others = left.pop(0)
            tied = (best, *others)
            if others:
                left.insert(0, tuple(others))
            try:
                report = await self.call(AcceptProposal.reply(offers[best], body=message.body), timeout=self.patience)
            except (AgentFailed, CallTimeout, Deadlock, DeliveryError, Unanswered) as error:
                absent[best] = str(error)
                continue
            if isinstance(report, Inform):
                contract = Contract.reply(
                    message,
                    body=report.body,
                    contractor=best,
                    price=offers[best].price,
                    ties=tied if others else (),
                    absent=absent,
                )
            else:
                absent[best] = report.body or "it failed"
        await self.tell(
            RejectProposal.reply(offers[name], body="another one does it") for equals in left for name in equals
        )
        yield contract or Contract.reply(message, body="nobody did it", absent=absent)

    async def _offers(self, message: Task) -> tuple[dict[str, Offer], dict[str, str]]:
        """What is offered for a task, and why the others offer nothing."""
        return await self._asked(Cfp.reply(message, body=message.body, receiver=member) for member in self)

    async def _asked(self, calls: Iterable[Cfp]) -> tuple[dict[str, Offer], dict[str, str]]:
        answers = await self.collect(calls)
        offers = answers.of(Offer)
        absent = dict(answers.absent)
        for name, answer in answers.given.items():
            if name not in offers:
                absent[name] = "it refused" if isinstance(answer, Refuse) else "it did not understand"
        return offers, absent

    def _in_order(self, equals: tuple[str, ...]) -> tuple[str, ...]:
        return self.ties.rank(equals) if self.ties is not None else equals
