"""Who comes first among equals, once somebody asks. Knows names and a declared rule, not what they tie for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Order:
    """Who is named earlier comes first: seniority, order of arrival, the chair's choice.

    Args:
        names: all that may ever tie.
    """

    names: tuple[str, ...]

    def rank(self, tied: Iterable[str]) -> tuple[str, ...]:
        """Those who tie, first to last.

        Raises:
            ValueError: one of them has no place in the order.
        """
        place = {name: index for index, name in enumerate(self.names)}
        tied = set(tied)
        if missing := sorted(tied - place.keys()):
            raise ValueError(f"the order that breaks ties does not name {missing[0]!r}; name all that may tie")
        return tuple(sorted(tied, key=place.__getitem__))


@dataclass(frozen=True, slots=True)
class Lot:
    """By lot, from a seed that all may know: everybody can draw again and see that it was fair.

    The lot of a name is a hash of seed and name alone, so it does not change with the order of those who tie, nor with
    who else does. Source: RFC 3797, publicly verifiable random selection.

    Args:
        seed: any whole number that nobody could choose to their liking.
    """

    seed: int

    def rank(self, tied: Iterable[str]) -> tuple[str, ...]:
        """Those who tie, first to last."""
        return tuple(sorted(set(tied), key=self._drawn))

    def _drawn(self, name: str) -> bytes:
        return hashlib.sha256(f"{self.seed}/{name}".encode()).digest()


TieRule: TypeAlias = Order | Lot
"""How equals are told apart: by a declared order, or by lot."""
