"""Arguments and which attacks which. Knows neither what they say nor which of them to accept."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    """An abstract argumentation framework.

    Args:
        arguments: by name.
        attacks: who attacks whom; an argument may attack itself.

    Raises:
        ValueError: an attack names an argument that there is none of.

    Source: Dung 1995, On the acceptability of arguments and its fundamental role in nonmonotonic reasoning, logic
    programming and n-person games, Artificial Intelligence 77.
    """

    arguments: frozenset[str]
    attacks: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        if unknown := sorted({name for attack in self.attacks for name in attack} - self.arguments):
            raise ValueError(
                f"there is no argument {unknown[0]!r} to attack or be attacked; name it among the arguments"
            )

    @classmethod
    def of(cls, arguments: Iterable[str], *attacks: tuple[str, str]) -> Framework:
        """`Framework.of("abc", ("a", "b"), ("b", "c"))`."""
        return cls(frozenset(arguments), frozenset(attacks))

    def attackers(self, name: str) -> frozenset[str]:
        """Who attacks an argument."""
        return frozenset(one for one, other in self.attacks if other == name)

    def attacked(self, by: Collection[str]) -> frozenset[str]:
        """Who is attacked by any of these."""
        return frozenset(other for one, other in self.attacks if one in by)

    def conflict_free(self, group: Collection[str]) -> bool:
        """Whether none of a group attacks another of it, or itself."""
        return self.attacked(group).isdisjoint(group)

    def defended(self, by: Collection[str]) -> frozenset[str]:
        """All arguments whose every attacker is attacked by these: Dung's characteristic function."""
        hit = self.attacked(by)
        exposed = frozenset(other for one, other in self.attacks if one not in hit)
        return self.arguments - exposed

    def admissible(self, group: Collection[str]) -> bool:
        """Whether a group is free of conflicts and defends each of its own."""
        return self.conflict_free(group) and self.defended(group).issuperset(group)
