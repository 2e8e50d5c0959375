"""Marks that fade: what ants leave on the ground. Knows places and amounts, exactly, and nothing of who walks there."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

Field: TypeAlias = Mapping[str, Fraction]
"""How much of a mark is at each place; 0 where none is named. Below 0 it deters."""


def evaporated(field: Field, rate: Fraction) -> dict[str, Fraction]:
    """The marks a tick later: of each, the same share is gone. None changes its sign.

    Args:
        rate: the share that is gone, from 0 to 1.

    Raises:
        ValueError: the rate is not from 0 to 1.

    Source: Dorigo, Maniezzo and Colorni 1996, Ant System: optimization by a colony of cooperating agents.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"a share of {rate} cannot evaporate; give one from 0 to 1")
    return {place: amount * (1 - rate) for place, amount in field.items()}


def deposited(field: Field, place: str, amount: Fraction) -> dict[str, Fraction]:
    """The marks after somebody left some more at a place: all others are as they were."""
    return {**field, place: field.get(place, Fraction(0)) + amount}
