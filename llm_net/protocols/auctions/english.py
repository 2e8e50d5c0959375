"""The rising clock: the price goes up until one bidder is left. Knows who stands, not how they say so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from llm_net.protocols.auctions.bid import Award
from llm_net.protocols.money import ZERO, check_amount


@dataclass(frozen=True, slots=True)
class EnglishClock:
    """An English auction between two calls.

    Who is left pays the last price at which somebody else stood too, or the reserve where nobody ever did. So where
    all values are on the clock, and everybody stays up to theirs, it ends as a Vickrey auction. Where the last ones
    leave together, they tie.

    Args:
        price: what is called now.
        increment: by how much it goes up.
        standing: who accepted every price before this one.
        contested: the last price that somebody would have paid, had the winner left; at first the reserve.
        award: how it ended; None while it goes on.

    Source: Milgrom and Weber 1982, A theory of auctions and competitive bidding, Econometrica 50.
    """

    price: Decimal
    increment: Decimal
    standing: tuple[str, ...]
    contested: Decimal
    award: Award | None = None

    @classmethod
    def start(cls, bidders: Sequence[str], *, increment: Decimal, reserve: Decimal = ZERO) -> EnglishClock:
        """Before the first call, which is of the reserve.

        Raises:
            ValueError: a bidder is named twice, the reserve is no amount of money, or the increment is not above 0.
        """
        check_amount(reserve, "a reserve of")
        check_amount(increment, "an increment of")
        if not increment:
            raise ValueError("a clock that goes up by 0 never ends; give an increment above 0")
        if len(set(bidders)) < len(bidders):
            raise ValueError("a bidder is named twice; name each once")
        return cls(reserve, increment, tuple(bidders), reserve)

    def hear(self, staying: Collection[str]) -> EnglishClock:
        """The clock after a call, from those who accept its price.

        Raises:
            ValueError: the auction is over, or somebody comes back who had left.
        """
        if self.award is not None:
            raise ValueError("this auction is over; start another one")
        if absent := sorted(set(staying) - set(self.standing)):
            raise ValueError(f"{absent[0]!r} does not stand any more; who has left an auction cannot come back")
        still = tuple(name for name in self.standing if name in staying)
        if len(still) > 1:
            return replace(self, price=self.price + self.increment, standing=still, contested=self.price)
        opened = self.price > self.contested
        winners = still or (self.standing if opened else ())
        return replace(self, standing=still, award=Award(winners, self.contested) if winners else Award())
