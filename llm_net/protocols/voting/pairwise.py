"""How many prefer one candidate to another, for every pair, and what follows at once. Knows no method that uses it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Literal, TypeAlias

from llm_net.protocols.voting.ballot import Ranking, Weight, cast

Strength: TypeAlias = Literal["margins", "winning votes"]
"""How strong a victory is: votes for less votes against, or votes for."""


@dataclass(frozen=True, slots=True)
class Pairwise:
    """The outcome of every duel.

    Args:
        candidates: as they were listed.
        votes: for each ordered pair, the weight of the ballots that rank the first above the second.
    """

    candidates: tuple[str, ...]
    votes: Mapping[tuple[str, str], Weight] = field(hash=False)

    def margin(self, one: str, other: str) -> Weight:
        """Votes for `one` against `other`, less those the other way; negative where it loses."""
        return self.votes[one, other] - self.votes[other, one]

    def strength(self, one: str, other: str, by: Strength) -> Weight:
        """How strongly `one` beats `other`; 0 where it does not."""
        margin = max(self.margin(one, other), 0)
        return self.votes[one, other] if margin and by == "winning votes" else margin

    @property
    def winner(self) -> str | None:
        """The Condorcet winner, who beats every other; None where there is none."""
        return next((one for one in self.candidates if self._dominates({one})), None)

    @property
    def smith_set(self) -> tuple[str, ...]:
        """The smallest group whose members each beat everybody outside of it.

        Source: Smith 1973, Aggregation of preferences with variable electorate.
        """
        wins = {one: sum(self.margin(one, other) > 0 for other in self.candidates) for one in self.candidates}
        losses = {one: sum(self.margin(one, other) < 0 for other in self.candidates) for one in self.candidates}
        by_record = sorted(self.candidates, key=lambda one: losses[one] - wins[one])
        groups = (set(by_record[:size]) for size in range(1, len(by_record) + 1))
        smallest = next(group for group in groups if self._dominates(group))
        return tuple(one for one in self.candidates if one in smallest)

    def _dominates(self, group: set[str]) -> bool:
        outside = [one for one in self.candidates if one not in group]
        return all(self.margin(one, other) > 0 for one in group for other in outside)


def pairwise(candidates: Sequence[str], ballots: Iterable[Ranking]) -> Pairwise:
    """Counts every duel; a ballot says nothing on those it ranks as equals, or does not rank."""
    votes: dict[tuple[str, str], Weight] = dict.fromkeys(permutations(candidates, 2), 0)
    votes |= {(one, one): 0 for one in candidates}  # so that nobody has to ask whether a pair is one
    for ballot in cast(candidates, ballots):
        below = set(candidates)
        for rank in ballot.ranks:
            below -= rank
            for one in rank:
                for other in below:
                    votes[one, other] += ballot.weight
    return Pairwise(tuple(candidates), votes)
