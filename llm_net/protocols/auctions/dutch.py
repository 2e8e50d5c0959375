"""The falling clock: the price goes down until somebody takes it. Knows prices, not why anybody waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from llm_net.protocols.auctions.bid import Award
from llm_net.protocols.money import ZERO, check_amount


@dataclass(frozen=True, slots=True)
class DutchClock:
    """A Dutch auction between two calls.

    Args:
        price: what is called now.
        decrement: by how much it goes down.
        reserve: the last price; the clock ends there, however far the step before was.
        award: how it ended; None while it goes on.

    Source: Vickrey 1961, Counterspeculation, auctions, and competitive sealed tenders (as strategy: first price).
    """

    price: Decimal
    decrement: Decimal
    reserve: Decimal = ZERO
    award: Award | None = None

    def __post_init__(self) -> None:
        check_amount(self.reserve, "a reserve of")
        check_amount(self.decrement, "a decrement of")
        if not self.decrement:
            raise ValueError("a clock that goes down by 0 never ends; give a decrement above 0")
        if self.price < self.reserve:
            raise ValueError(f"a price of {self.price} is below the reserve of {self.reserve}; start above it")

    def hear(self, takers: Sequence[str]) -> DutchClock:
        """The clock after a call, from those who take its price: they tie.

        Raises:
            ValueError: the auction is over.
        """
        if self.award is not None:
            raise ValueError("this auction is over; start another one")
        if takers:
            return replace(self, award=Award(tuple(dict.fromkeys(takers)), self.price))
        if self.price == self.reserve:
            return replace(self, award=Award())
        return replace(self, price=max(self.price - self.decrement, self.reserve))
