"""What one voter wants, or several of one mind: a ranking, an approval or scores. Knows no rule that counts it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol, TypeAlias, TypeVar

Weight: TypeAlias = int | Fraction
"""How much a ballot counts: 1 for one voter. Exact: what is counted twice gives the same both times."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Candidates from best to worst.

    Args:
        ranks: those of one rank are equal. Who is not named comes last, below all who are; an empty ballot abstains.
        weight: at least 0.

    Raises:
        ValueError: a rank is empty, a candidate is named twice, or the weight is negative or not exact.
    """

    ranks: tuple[frozenset[str], ...]
    weight: Weight = 1

    def __post_init__(self) -> None:
        _check_weight(self.weight)
        if not all(self.ranks):
            raise ValueError("a rank without candidates says nothing; leave it out")
        if sum(map(len, self.ranks)) != len(self.named):
            raise ValueError("a candidate is ranked twice; name each at most once")

    @classmethod
    def of(cls, *ranks: str | Collection[str], weight: Weight = 1) -> Ranking:
        """`Ranking.of("ann", {"bob", "cat"}, weight=3)`: ann first, then bob and cat as equals."""
        return cls(tuple(frozenset([rank] if isinstance(rank, str) else rank) for rank in ranks), weight)

    @property
    def named(self) -> frozenset[str]:
        """All who are ranked."""
        return frozenset().union(*self.ranks)

    def best(self, among: Collection[str]) -> frozenset[str]:
        """The highest ranked of some candidates; none where the ballot names none of them."""
        return next((best for rank in self.ranks if (best := rank.intersection(among))), frozenset())


@dataclass(frozen=True, slots=True)
class Approval:
    """The candidates that are good enough.

    Args:
        named: an empty ballot abstains.
        weight: at least 0.

    Raises:
        ValueError: the weight is negative or not exact.
    """

    named: frozenset[str]
    weight: Weight = 1

    def __post_init__(self) -> None:
        _check_weight(self.weight)

    @classmethod
    def of(cls, *named: str, weight: Weight = 1) -> Approval:
        """`Approval.of("ann", "bob")`."""
        return cls(frozenset(named), weight)


@dataclass(frozen=True, slots=True)
class Scores:
    """A whole number for each candidate: points, a grade, or how many votes of a budget.

    Args:
        given: more is better. What a candidate gets who is not named, the rule says; an empty ballot abstains.
        weight: at least 0.

    Raises:
        ValueError: the weight is negative or not exact.
    """

    given: Mapping[str, int] = field(hash=False)
    weight: Weight = 1

    def __post_init__(self) -> None:
        _check_weight(self.weight)

    @property
    def named(self) -> frozenset[str]:
        """All who are scored."""
        return frozenset(self.given)


class Ballot(Protocol):
    """What every ballot has."""

    @property
    def named(self) -> frozenset[str]:
        """The candidates that it names."""
        ...

    @property
    def weight(self) -> Weight:
        """How much it counts."""
        ...


AnyBallot = TypeVar("AnyBallot", bound=Ballot)


def cast(candidates: Sequence[str], ballots: Iterable[AnyBallot]) -> tuple[AnyBallot, ...]:
    """The ballots that count: all but abstentions.

    Raises:
        ValueError: nobody stands, a candidate is listed twice, or a ballot names somebody who does not stand.
    """
    standing = frozenset(candidates)
    if not candidates or len(standing) != len(candidates):
        raise ValueError("an election needs candidates, each listed once")
    counted = tuple(ballot for ballot in ballots if ballot.named)
    for ballot in counted:
        if unknown := sorted(ballot.named - standing):
            raise ValueError(
                f"a ballot names {unknown[0]!r}, who does not stand; candidates are {', '.join(candidates)}"
            )
    return counted


def share(weight: Weight, among: int) -> Weight:
    """An equal part of a weight; a whole number where it is one."""
    part = Fraction(weight, among)
    return part.numerator if part.denominator == 1 else part


def _check_weight(weight: Weight) -> None:
    if not isinstance(weight, int | Fraction) or weight < 0:
        raise ValueError(f"weight {weight!r} of a ballot must be a whole number or a Fraction, and not negative")
