"""Negotiators of negmas as parties in alternating offers. The only file that knows negmas, which users install themselves.

negmas comes under AGPL-3: nothing of ours needs it, and no extra of ours installs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

from pydantic import Field, PrivateAttr

from llm_net.base import GenAgent
from llm_net.errors import MissingDependency
from llm_net.message import Message
from llm_net.protocols.negotiation.alternating_offers import Accept, FirstTurn, Leave, NextTurn, Offer, YourTurn
from llm_net.protocols.negotiation.deal import Issues


def issues_of(space: object) -> Issues:
    """The issues of an outcome space of negmas, each value by its text.

    Raises:
        ValueError: an issue has no finite number of values, or two values have one text.
    """
    return {issue: tuple(values) for issue, values in _values_of(space).items()}


class NegmasParty(GenAgent):
    """A negotiator of negmas 0.16 or later as a party in `AlternatingOffers`.

    It sees what it would see in a mechanism of negmas with as many steps as there are rounds: the standing offer, who made it,
    how many accepted it, the time. It does not see seconds, nor who accepted. To end the negotiation, to leave it, and to
    make no offer are `Leave`. In a recorded run its answers are kept; what it remembers is not, so one that is resumed in
    another process begins anew with its memory.

    Args:
        make: makes an `SAONegotiator` with its utility function, whose outcome space has the issues that are negotiated;
            called once for each negotiation, one at a time.
    """

    make: Callable[[], object] = Field(exclude=True, repr=False)
    _seat: tuple[str, _Seat] | None = PrivateAttr(default=None)  # with the conversation in which it sits there

    async def afirst_turn(self, message: FirstTurn) -> Message:
        return await self._answer(message, None)

    async def anext_turn(self, message: NextTurn) -> Message:
        return await self._answer(message, message)

    async def _answer(self, message: YourTurn, standing: NextTurn | None) -> Message:
        parties = [member.id for member in self.network]

        def answer() -> dict[str, str] | str:
            if self._seat is None or self._seat[0] != message.conversation:
                self._seat = message.conversation, _Seat(self.make(), message, parties, self.id)
            return self._seat[1].answer(message, standing)

        said = await self.effect("negmas", answer, repeats="pure")
        if isinstance(said, dict):
            return Offer.reply(message, deal=cast(dict[str, str], said))
        return Accept.reply(message) if said == "accept" else Leave.reply(message)


class _Seat:
    """A negotiator in a mechanism of negmas of its own, which is told where things stand and never runs."""

    def __init__(self, negotiator: object, message: YourTurn, parties: Sequence[str], own: str) -> None:
        negmas = _negmas()
        self._negotiator = cast(Any, negotiator)
        space = self._negotiator.ufun.outcome_space
        self._values = _values_of(space)
        if {issue: set(values) for issue, values in message.issues.items()} != {
            issue: set(values) for issue, values in self._values.items()
        }:
            raise ValueError(f"{own!r} knows other issues than are negotiated; take them from its space by issues_of")
        self._mechanism = negmas.SAOMechanism(outcome_space=space, n_steps=message.rounds)
        self._ids: dict[str, str] = {}
        for party in parties:
            seated = self._negotiator if party == own else negmas.RandomNegotiator(name=party)
            self._ids[party] = seated.id
            if not self._mechanism.add(seated):
                raise ValueError(f"the negotiator of {party!r} does not take part; let `make` make a new one each time")
        # The mechanism tells all that it begins, and then waits for who is first: it is never asked to go on.
        wait = negmas.sao.SAOResponse(negmas.sao.ResponseType.WAIT, None)
        self._mechanism.step(action={self._mechanism.negotiators[0].id: wait})

    def answer(self, message: YourTurn, standing: NextTurn | None) -> dict[str, str] | str:
        """The deal that it offers, "accept", or "leave"."""
        types = _negmas().sao.ResponseType
        state = self._mechanism.state
        state.step = message.round - 1
        state.waiting = False
        if standing is not None:
            state.current_offer = tuple(values[standing.offer[issue]] for issue, values in self._values.items())
            state.current_proposer = self._ids.get(standing.by)
            state.n_acceptances = 1 + len(standing.accepted)
        response = self._negotiator(self._mechanism.state_for(self._negotiator))
        if response.response == types.ACCEPT_OFFER:
            return "accept"
        if response.response != types.REJECT_OFFER or response.outcome is None:
            return "leave"
        return {issue: str(value) for issue, value in zip(self._values, response.outcome, strict=True)}


def _values_of(space: object) -> dict[str, dict[str, object]]:
    """Of each issue, its values by their text."""
    found: dict[str, dict[str, object]] = {}
    for issue in cast(Any, space).issues:
        if not issue.is_discrete():
            raise ValueError(f"issue {issue.name!r} has no end of values; give the space by to_discrete()")
        values = list(issue.all)
        found[issue.name] = {str(value): value for value in values}
        if len(found[issue.name]) < len(values):
            raise ValueError(f"two values of issue {issue.name!r} read alike; rename one of them")
    return found


def _negmas() -> ModuleType:
    try:
        import negmas
    except ImportError as error:
        raise MissingDependency("negmas", "", "a negotiator of negmas") from error
    return cast(ModuleType, negmas)
