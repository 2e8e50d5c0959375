"""A party that concedes when it has more to lose by a conflict than the other. Knows both sides' values, not the network."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from llm_net.base import GenAgent
from llm_net.protocols.negotiation.concession import concedes
from llm_net.protocols.negotiation.deal import Points
from llm_net.protocols.negotiation.monotonic_concession import Claim, Concede


class Zeuthen(GenAgent):
    """Begins with what it likes best. Then it concedes if it has less risk to take than the other, just as much as makes it
    the other's turn to concede; else it stands.

    Two of these, each of which knows what values are worth to both, settle on the highest product of gains: Nash's solution.

    Args:
        worth: what each value is worth to it, beyond no settlement.
        theirs: what it is worth to the other.

    Source: Zeuthen 1930; Harsanyi 1956, Approaches to the bargaining problem before and after the theory of games;
    Rosenschein and Zlotkin 1994, Rules of encounter (the least sufficient concession).
    """

    worth: Mapping[str, Points]
    theirs: Mapping[str, Points]

    def concede(self, message: Concede) -> Claim:
        mine, theirs = message.mine, message.theirs
        if mine is None or theirs is None:
            return Claim.reply(message, value=max(message.open, key=self.worth.__getitem__))
        if self._has_to(mine, theirs):
            nearer = sorted(message.open, key=self.worth.__getitem__, reverse=True)
            mine = next((value for value in nearer if not self._has_to(value, theirs)), theirs)
        return Claim.reply(message, value=mine)

    def _has_to(self, mine: str, theirs: str) -> bool:
        return concedes(self._gains(mine), self._gains(theirs)) != "second"

    def _gains(self, value: str) -> tuple[Fraction, Fraction]:
        return Fraction(self.worth[value]), Fraction(self.theirs[value])
