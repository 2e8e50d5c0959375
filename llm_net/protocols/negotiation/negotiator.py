"""A party that negotiates by rule: what deals are worth to it, and how it gives way in time. Knows nothing of the others."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from llm_net.base import GenAgent
from llm_net.protocols.money import ZERO
from llm_net.protocols.negotiation.alternating_offers import Accept, FirstTurn, Leave, NextTurn, Offer, YourTurn
from llm_net.protocols.negotiation.bargaining_table import Reveal, Wishes
from llm_net.protocols.negotiation.concession import aspiration
from llm_net.protocols.negotiation.deal import Deal, Points, Valuation, deals


class Negotiator(GenAgent):
    """Negotiates for what is worth most to it, and gives way as time runs out, but never below its reservation.

    In alternating offers it accepts what is worth as much as it aspires to at that time. Else it offers the deal that is
    worth as little more than that as can be; of several, the one that has most in common with the offer that stands. At a
    bargaining table it says the truth.

    Args:
        worth: of each issue, what each of its values is worth; a deal is worth the sum. Where that is not
            so, override `utility`.
        reservation: what no agreement is worth.
        exponent: how it gives way: 1 evenly, above 1 late, below 1 early; see `concession.aspiration`.
    """

    worth: Valuation
    reservation: Points = ZERO
    exponent: float = Field(default=1.0, gt=0)

    def utility(self, deal: Deal) -> Decimal:
        """What a deal is worth."""
        return sum((self.worth[issue][value] for issue, value in deal.items()), ZERO)

    def first_turn(self, message: FirstTurn) -> Offer | Leave:
        return self._offer(message, {})

    def next_turn(self, message: NextTurn) -> Accept | Offer | Leave:
        offer = self._offer(message, message.offer)
        if isinstance(offer, Offer) and self.utility(message.offer) >= self._level(message):
            return Accept.reply(message)
        return offer

    def reveal(self, message: Reveal) -> Wishes:
        worth = {
            issue: {value: self.worth[issue][value] for value in values} for issue, values in message.issues.items()
        }
        return Wishes.reply(message, worth=worth, reservation=self.reservation)

    def _offer(self, message: YourTurn, standing: Deal) -> Offer | Leave:
        level = self._level(message)
        acceptable = [deal for deal in deals(message.issues) if self.utility(deal) >= level]
        if not acceptable:
            return Leave.reply(message, body="nothing here is worth more to me than no agreement")
        return Offer.reply(message, deal=min(acceptable, key=lambda deal: self._distance(deal, standing)))

    def _distance(self, deal: Deal, standing: Deal) -> tuple[Decimal, int]:
        return self.utility(deal), -sum(standing.get(issue) == value for issue, value in deal.items())

    def _level(self, message: YourTurn) -> Decimal:
        """What it aspires to now; its reservation, where nothing is worth that."""
        best = max(map(self.utility, deals(message.issues)))
        if best < self.reservation:
            return self.reservation
        level = aspiration(message.time, exponent=self.exponent, best=float(best), reservation=float(self.reservation))
        return min(max(Decimal(level), self.reservation), best)
