"""Majority judgement: whom the middle voter grades best. Knows the order of grades, not any distance between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TypeAlias

from llm_net.protocols.voting.ballot import Scores, Weight, cast
from llm_net.protocols.voting.result import Result, elected

Merit: TypeAlias = tuple[tuple[int, int], ...]
"""The grades on both sides of the middle, going outwards: the lower one first."""


def majority_judgement(candidates: Sequence[str], ballots: Iterable[Scores], *, worst: int = 0) -> Result:
    """Elects who has the highest majority grade, the lower middle one; then the highest without that one; and so on.

    Args:
        candidates: who stands.
        ballots: the scores are grades.
        worst: the lowest grade, which who is not graded gets.

    Returns:
        The scores are the majority grades. Several win only where all their grades are the same.

    Source: Balinski and Laraki 2007, A theory of measuring, electing, and ranking, PNAS 104.
    """
    counted = cast(candidates, ballots)
    grades = {name: _weights(name, counted, worst) for name in candidates}
    half = Fraction(sum(ballot.weight for ballot in counted)) / 2
    edges = {half, Fraction(0)}
    for weights in grades.values():
        edges.update(abs(edge - half) for edge in accumulate(weights.values()))
    merits = {name: _merit(weights, half, sorted(edges)) for name, weights in grades.items()}
    best = max(merits.values())
    majority: dict[str, Weight] = {name: merit[0][0] if merit else worst for name, merit in merits.items()}
    return elected(candidates, [name for name in candidates if merits[name] == best], majority)


def _weights(name: str, ballots: Iterable[Scores], worst: int) -> Mapping[int, Weight]:
    """How much of the electorate gave each grade, from the lowest up."""
    weights: dict[int, Weight] = {}
    for ballot in ballots:
        grade = ballot.given.get(name, worst)
        if grade < worst:
            raise ValueError(f"grade {grade} of {name!r} is below the worst, {worst}; say what the worst grade is")
        weights[grade] = weights.get(grade, 0) + ballot.weight
    return dict(sorted(weights.items()))


def _merit(weights: Mapping[int, Weight], half: Fraction, edges: Sequence[Fraction]) -> Merit:
    """The grades at each distance from the middle, one entry for each stretch within which no candidate's change."""
    return tuple(
        (_grade_at(weights, half - (near + far) / 2), _grade_at(weights, half + (near + far) / 2))
        for near, far in pairwise(edges)
    )


def _grade_at(weights: Mapping[int, Weight], place: Fraction) -> int:
    sums = zip(weights, accumulate(weights.values()), strict=True)
    return next(grade for grade, below in sums if place < below)
