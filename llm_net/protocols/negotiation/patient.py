"""A party that divides as reason says: it knows how patient both are, and reckons back from the end. Knows no network."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from llm_net.base import GenAgent
from llm_net.protocols.money import ZERO
from llm_net.protocols.negotiation.alternating import deadline
from llm_net.protocols.negotiation.split_bargaining import Consider, Divide, Keep, Reject, Take

FINEST: Final = 10**12
"""A share that is kept is a whole number of so many parts; what is less than one, the other gets."""


class Patient(GenAgent):
    """Offers the other exactly what waiting would be worth to it, and takes no less than that: backward induction.

    Two of these agree in the first round, on the shares that `alternating.deadline` says.

    Source: Ståhl 1972, Bargaining theory; Rubinstein 1982, Perfect equilibrium in a bargaining model.
    """

    def divide(self, message: Divide) -> Keep:
        return Keep.reply(message, share=_kept(message, message.rounds - message.round + 1))

    def consider(self, message: Consider) -> Take | Reject:
        worth_of_waiting = message.mine * _kept(message, message.rounds - message.round)
        return Take.reply(message) if message.share >= worth_of_waiting else Reject.reply(message)


def _kept(message: Divide | Consider, rounds: int) -> Decimal:
    """The share that who is asked would keep, if it offers with so many rounds to come."""
    if not rounds:
        return ZERO
    share, _ = deadline(Fraction(message.mine), Fraction(message.theirs), rounds=rounds)
    return Decimal(share.numerator * FINEST // share.denominator) / FINEST
