"""The rising price: a clock at which all stay or leave, and an outcry in which one leads. Knows who bids, not how."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from llm_net.protocols.auctions.bid import Award
from llm_net.protocols.money import ZERO, check_amount
from llm_net.protocols.tie import TieRule


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
        _check(bidders, increment, reserve)
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


@dataclass(frozen=True, slots=True)
class Outcry:
    """An English auction in which one bid leads: the leader is not called again before somebody bids more.

    Who does not take a price is not called any more. Where everybody bids as long as the price is not above what the item is
    worth to them, it ends within one increment of what a Vickrey auction ends at.

    Args:
        price: what is called now.
        increment: by how much it goes up.
        standing: who has taken every price that they were called.
        leader: whose bid is the highest; None before the first.
        equals: who bid as much as the leader, the leader first.
        bid: what the leader bid, None likewise.
        award: how it ended; None while it goes on. The leader is the first of its winners, the others tied for the bid.

    Source: Cassady 1967, Auctions and auctioneering; FIPA XC00031F.
    """

    price: Decimal
    increment: Decimal
    standing: tuple[str, ...]
    leader: str | None = None
    equals: tuple[str, ...] = ()
    bid: Decimal | None = None
    award: Award | None = None

    @classmethod
    def start(cls, bidders: Sequence[str], *, increment: Decimal, reserve: Decimal = ZERO) -> Outcry:
        """Before the first call, which is of the reserve.

        Raises:
            ValueError: as for `EnglishClock.start`.
        """
        _check(bidders, increment, reserve)
        return cls(reserve, increment, tuple(bidders), award=None if bidders else Award())

    @property
    def called(self) -> tuple[str, ...]:
        """Who may bid now."""
        return tuple(name for name in self.standing if name != self.leader)

    def hear(self, bidders: Collection[str], rule: TieRule | None = None) -> Outcry:
        """The auction after a call, from those who bid its price.

        Args:
            rule: who leads of several; None for who stands first.

        Raises:
            ValueError: the auction is over, or somebody bids who was not called.
        """
        if self.award is not None:
            raise ValueError("this auction is over; start another one")
        if wrong := sorted(set(bidders) - set(self.called)):
            raise ValueError(f"{wrong[0]!r} was not called; who leads, or has left, cannot bid")
        if not bidders:
            return self.end()
        equals = tuple(name for name in self.called if name in bidders)
        equals = equals if rule is None else rule.rank(equals)
        standing = tuple(name for name in self.standing if name in bidders or name == self.leader)
        heard = replace(
            self, price=self.price + self.increment, standing=standing, leader=equals[0], equals=equals, bid=self.price
        )
        return heard if heard.called else heard.end()

    def end(self) -> Outcry:
        """The hammer falls: the leader has it."""
        return replace(self, award=Award(self.equals, self.bid))


def _check(bidders: Sequence[str], increment: Decimal, reserve: Decimal) -> None:
    check_amount(reserve, "a reserve of")
    check_amount(increment, "an increment of")
    if not increment:
        raise ValueError("a clock that goes up by 0 never ends; give an increment above 0")
    if len(set(bidders)) < len(bidders):
        raise ValueError("a bidder is named twice; name each once")
