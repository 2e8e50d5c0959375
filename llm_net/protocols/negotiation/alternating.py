"""Alternating offers: how two who lose by waiting divide what is one. Knows their patience, not what it is."""

from __future__ import annotations

from fractions import Fraction


def rubinstein(first: Fraction, second: Fraction) -> tuple[Fraction, Fraction]:
    """The shares in the only subgame-perfect equilibrium, of who offers first and of the other; agreed on at once.

    Args:
        first: what a share in the next round is worth to who offers first, of one in this round: from 0 to below 1.
        second: the same of the other.

    Raises:
        ValueError: a discount is below 0, or 1 or more.

    Source: Rubinstein 1982, Perfect equilibrium in a bargaining model, Econometrica 50.
    """
    _check(first, second)
    share = (1 - second) / (1 - first * second)
    return share, 1 - share


def deadline(first: Fraction, second: Fraction, *, rounds: int) -> tuple[Fraction, Fraction]:
    """The shares where only so many offers can be made and nobody gets anything after the last: backward induction.

    With ever more rounds they come to those of `rubinstein`.

    Args:
        first: discount of who offers first; see `rubinstein`.
        second: the same of the other, who makes the second offer.
        rounds: how many offers there can be, at least 1.

    Raises:
        ValueError: a discount is below 0, or 1 or more, or there is no round.

    Source: Ståhl 1972, Bargaining theory.
    """
    _check(first, second)
    if rounds < 1:
        raise ValueError("without a round nobody offers anything; give at least 1")
    share = Fraction(1)  # of who makes the last offer
    for number in reversed(range(1, rounds)):  # at offer `number`, the other waits for the next one
        share = 1 - (second if number % 2 else first) * share
    return share, 1 - share


def _check(*discounts: Fraction) -> None:
    for discount in discounts:
        if not 0 <= discount < 1:
            raise ValueError(f"with a discount of {discount} waiting costs nothing; give one from 0 to below 1")
