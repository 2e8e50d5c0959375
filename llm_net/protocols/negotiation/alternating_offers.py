"""Alternating offers: who rejects an offer makes the next one, until all others accept. Knows no party's wishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.message import Message
from llm_net.protocols.interaction import InteractionProtocol
from llm_net.protocols.meta import completed
from llm_net.protocols.negotiation.deal import (
    NONE,
    Agreement,
    Deal,
    Issues,
    Negotiation,
    as_words,
    problem_of,
    schema_of,
)
from llm_net.protocols.question import Question
from llm_net.protocols.rules import START, Rules
from llm_net.schema import JsonSchema


class Offer(Message):
    """Offer a deal: a value for each issue."""

    deal: Deal


class Accept(Message):
    """Accept the offer that stands."""


class Leave(Message):
    """Leave without an agreement, which ends the negotiation for all."""


class YourTurn(Question):
    """It is somebody's turn.

    Args:
        issues: what has to be agreed on.
        round: the number of this round, from 1.
        rounds: how many there are; after the last there is no agreement.
    """

    issues: Issues
    round: int = Field(ge=1)
    rounds: int = Field(ge=1)

    @property
    def time(self) -> float:
        """The part of the negotiation that is over: above 0, below 1."""
        return self.round / (self.rounds + 1)

    def fields_for(self, kind: type[Message]) -> Mapping[str, JsonSchema]:
        return {"deal": schema_of(self.issues)} if issubclass(kind, Offer) else {}

    def problem_with(self, answer: Message) -> str | None:
        return problem_of(answer.deal, self.issues) if isinstance(answer, Offer) else None


class FirstTurn(YourTurn):
    """Make the first offer."""


class NextTurn(YourTurn):
    """Accept the offer that stands, or make another one.

    Args:
        offer: what stands.
        by: whose offer it is.
        accepted: who has accepted it.
    """

    offer: Deal
    by: str
    accepted: tuple[str, ...] = ()


class Settled(Message):
    """Say how the negotiation ended."""

    deal: Deal | None


ALTERNATING_OFFERS = Rules(
    "alternating-offers",
    completed([
        (START, "initiator", FirstTurn, "beginning"),
        ("beginning", "participant", Offer, "in"),
        ("beginning", "participant", Leave, "left"),
        (START, "initiator", NextTurn, "answering"),
        ("answering", "participant", Offer, "in"),
        ("answering", "participant", Accept, "in"),
        ("answering", "participant", Leave, "left"),
        ("in", "initiator", NextTurn, "answering"),
        ("in", "initiator", Settled, "over"),
    ]),
    source="Rubinstein 1982, Perfect equilibrium in a bargaining model; Aydoğan, Festen, Hindriks and Jonker 2017, Alternating "
    "offers protocols for multilateral negotiation (the stacked protocol)",
    initiator="table",
    participant="party",
    fallback=(Leave,),
)  # fmt: skip


class AlternatingOffers(InteractionProtocol):
    """Alternating offers, stacked: a `Negotiation` of two or more members, answered by an `Agreement`.

    Members have their turns in the order in which they stand in the network. Each accepts the offer that stands, or makes
    another one, which then stands in its place. An offer that all others accept one after the other is the agreement.
    Whoever leaves ends it for all, and so does who gives no answer: nobody is bound by silence.

    Args:
        rounds: how many turns each member has at most.
    """

    rules: ClassVar = (ALTERNATING_OFFERS,)

    rounds: int = Field(default=20, ge=1)

    async def anegotiation(self, message: Negotiation) -> Agreement:
        parties = list(self)
        if len(parties) < 2:
            raise ValueError(f"nobody negotiates alone, as in {self.id!r}; give it two members")
        said: dict[str, Message] = {}
        agreement = await self._negotiated(message, parties, said)
        await self.tell(
            Settled.reply(said[party.id], body=agreement.body, deal=agreement.deal)
            for party in parties
            if party.id in said and party.can_receive(Settled)
        )
        return agreement

    async def _negotiated(
        self, message: Negotiation, parties: Sequence[GenAgent], said: dict[str, Message]
    ) -> Agreement:
        """How it ends. The last words of those who are still in are left in `said`."""
        offer: Offer | None = None
        accepted: tuple[str, ...] = ()
        for number in range(1, self.rounds + 1):
            for party in parties:
                turn = self._turn(
                    message, number, offer, accepted, reply_to=said.pop(party.id, message), receiver=party
                )
                answers = await self.collect([turn])
                answer = answers.given.get(party.id)
                if isinstance(answer, Offer):
                    offer, accepted = answer, ()
                elif isinstance(answer, Accept):
                    accepted = (*accepted, party.id)
                else:
                    left = answers.absent or {party.id: "it left"}
                    return Agreement.reply(message, body=NONE, round=number, absent=left)
                said[party.id] = answer
                if offer is not None and len(accepted) == len(parties) - 1:
                    return Agreement.reply(message, body=as_words(offer.deal), deal=offer.deal, round=number)
        return Agreement.reply(message, body=NONE, round=self.rounds)

    def _turn(
        self, message: Negotiation, number: int, offer: Offer | None, accepted: tuple[str, ...], **fields: Any
    ) -> YourTurn:
        fields = {"issues": message.issues, "body": message.body, "round": number, "rounds": self.rounds, **fields}
        if offer is None:
            return FirstTurn(**fields)
        assert offer.sender is not None
        return NextTurn(offer=offer.deal, by=offer.sender.id, accepted=accepted, **fields)
