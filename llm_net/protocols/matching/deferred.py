"""Deferred acceptance: two sides that choose each other, one to one or many to one. Knows preferences, not costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import takewhile
from operator import ne
from typing import TypeAlias

Preferences: TypeAlias = Mapping[str, Sequence[str]]
"""Of each, whom it accepts, best first. Who is not listed is never accepted."""


def deferred_acceptance(
    proposers: Preferences, receivers: Preferences, *, places: Mapping[str, int] | None = None
) -> Mapping[str, str]:
    """Proposers ask one after the other down their lists; receivers keep the best that asked so far.

    The end does not depend on who asks when. No pair would rather have each other, every proposer gets the best that any
    such matching gives it, and no proposer gains by lying.

    Args:
        proposers: e.g. students.
        receivers: e.g. schools.
        places: how many each receiver takes; 1 for those not named.

    Returns:
        For each proposer who is matched, to whom.

    Raises:
        ValueError: somebody is listed twice in a list, or is listed and does not exist.

    Source: Gale and Shapley 1962, College admissions and the stability of marriage; Dubins and Freedman 1981 (lying);
    Roth 1985, The college admissions problem is not equivalent to the marriage problem.
    """
    _check(proposers, receivers)
    _check(receivers, proposers)
    rank = {name: {other: index for index, other in enumerate(likes)} for name, likes in receivers.items()}
    kept: dict[str, list[str]] = {name: [] for name in receivers}
    asked = dict.fromkeys(proposers, 0)
    free = list(proposers)
    while free:
        name = free.pop()
        if asked[name] == len(proposers[name]):
            continue
        receiver = proposers[name][asked[name]]
        asked[name] += 1
        held = kept[receiver]
        if name in rank[receiver]:
            held.append(name)
            held.sort(key=rank[receiver].__getitem__)
        else:
            free.append(name)
        if len(held) > (places or {}).get(receiver, 1):
            free.append(held.pop())
    partner = {name: receiver for receiver, held in kept.items() for name in held}
    return {name: partner[name] for name in proposers if name in partner}


def blocking_pairs(
    matching: Mapping[str, str],
    proposers: Preferences,
    receivers: Preferences,
    *,
    places: Mapping[str, int] | None = None,
) -> tuple[tuple[str, str], ...]:
    """The proposers and receivers who would both rather have each other than what they have. None: it is stable."""
    found: list[tuple[str, str]] = []
    for name, likes in proposers.items():
        current = matching.get(name)
        for receiver in takewhile(partial(ne, current), likes):
            theirs = receivers[receiver]
            held = [other for other, taken in matching.items() if taken == receiver]
            room = len(held) < (places or {}).get(receiver, 1)
            if name in theirs and (room or any(theirs.index(name) < theirs.index(other) for other in held)):
                found.append((name, receiver))
    return tuple(found)


def _check(these: Preferences, those: Preferences) -> None:
    for name, likes in these.items():
        if len(set(likes)) < len(likes):
            raise ValueError(f"{name!r} lists somebody twice; preferences are strict")
        if unknown := [other for other in likes if other not in those]:
            raise ValueError(f"{name!r} lists {unknown[0]!r}, who has no list; give one, which may be empty")
