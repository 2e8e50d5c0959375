"""Whom an election elects: everybody who ties is named. Knows neither ballots nor rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from llm_net.protocols.tie import TieRule
from llm_net.protocols.voting.ballot import Weight


@dataclass(frozen=True, slots=True)
class Result:
    """What a rule for one winner says.

    Args:
        winners: all who may call themselves elected, in the order of the list of candidates; several where they tie.
        scores: what the rule gave to each candidate; the rule says what it means.
    """

    winners: tuple[str, ...]
    scores: Mapping[str, Weight] = field(hash=False)

    @property
    def tied(self) -> bool:
        """Whether several won."""
        return len(self.winners) > 1

    def winner(self, rule: TieRule) -> str:
        """The one winner, by this rule where several tie."""
        return rule.rank(self.winners)[0]


def highest(candidates: Sequence[str], scores: Mapping[str, Weight]) -> Result:
    """Elects whoever has most."""
    most = max(scores[name] for name in candidates)
    return Result(tuple(name for name in candidates if scores[name] == most), scores)


def elected(candidates: Sequence[str], winners: Collection[str], scores: Mapping[str, Weight]) -> Result:
    """Elects these, in the order of the candidates."""
    return Result(tuple(name for name in candidates if name in winners), scores)
