"""A bargaining problem with finitely many outcomes, and which of them are efficient. Knows no rule that picks one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

Utility: TypeAlias = int | Fraction
"""What an outcome is worth to a party. Exact, so that what ties, ties for everybody."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What the parties may agree on, and what they have if they do not.

    Args:
        utilities: of each outcome, what it is worth to each party, in one order of the parties.
        disagreement: what each has without an agreement: its reservation value.

    Raises:
        ValueError: an outcome is not valued by as many parties as the disagreement is, or there are no parties.
    """

    utilities: Mapping[str, Sequence[Utility]] = field(hash=False)
    disagreement: tuple[Utility, ...]

    def __post_init__(self) -> None:
        if not self.disagreement:
            raise ValueError("nobody negotiates; give the disagreement value of each party")
        for name, values in self.utilities.items():
            if len(values) != len(self.disagreement):
                raise ValueError(
                    f"outcome {name!r} is valued by {len(values)} parties, the disagreement by {len(self.disagreement)}; "
                    "give one value for each party"
                )

    @property
    def rational(self) -> tuple[str, ...]:
        """The outcomes that give nobody less than the disagreement does."""
        return tuple(name for name in self.utilities if all(gain >= 0 for gain in self.gains(name)))

    @property
    def frontier(self) -> tuple[str, ...]:
        """The outcomes that are Pareto-efficient: none other is better for one party and worse for none. O(n²)."""
        return tuple(
            name
            for name, values in self.utilities.items()
            if not any(_dominates(other, values) for other in self.utilities.values())
        )

    def gains(self, name: str) -> tuple[Utility, ...]:
        """What an outcome gives each party beyond the disagreement."""
        return tuple(value - least for value, least in zip(self.utilities[name], self.disagreement, strict=True))

    def candidates(self) -> tuple[str, ...]:
        """The outcomes to agree on: efficient, and no loss to anybody."""
        rational = set(self.rational)
        return tuple(name for name in self.frontier if name in rational)


def highest(names: Iterable[str], merit: Mapping[str, tuple[Utility, ...]]) -> tuple[str, ...]:
    """All whose merit, compared item by item, is highest."""
    names = tuple(names)
    best = max((merit[name] for name in names), default=())
    return tuple(name for name in names if merit[name] == best)


def _dominates(one: Sequence[Utility], other: Sequence[Utility]) -> bool:
    return all(mine >= theirs for mine, theirs in zip(one, other, strict=True)) and tuple(one) != tuple(other)
