"""Top trading cycles: everybody owns something and may swap it. Knows owners and preferences, no money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def top_trading_cycles(preferences: Mapping[str, Sequence[str]], owned: Mapping[str, str]) -> Mapping[str, str]:
    """Everybody points at the owner of what they like best of what is left; whoever is in a ring swaps and goes.

    The only outcome that no group could better by swapping among themselves; nobody gets less than they brought, and
    nobody gains by lying.

    Args:
        preferences: of each owner, the things it would have, best first. What is not listed comes after its own.
        owned: what each brings.

    Returns:
        What each has at the end.

    Raises:
        ValueError: owners and preferences are not of the same people, a thing has two owners, or is nobody's.

    Source: Shapley and Scarf 1974, On cores and indivisibility (by Gale); Roth 1982 (lying); Roth and Postlewaite 1977
    (uniqueness).
    """
    owner = {thing: name for name, thing in owned.items()}
    if preferences.keys() != owned.keys() or len(owner) < len(owned):
        raise ValueError("everybody who swaps needs preferences and one thing of their own")
    for name, likes in preferences.items():
        if unknown := [thing for thing in likes if thing not in owner]:
            raise ValueError(f"{name!r} would like {unknown[0]!r}, which nobody brings; list only what is owned")
    left = dict.fromkeys(owned)
    has: dict[str, str] = {}
    while left:
        best = {
            name: next((thing for thing in preferences[name] if owner[thing] in left), owned[name]) for name in left
        }
        here, path = next(iter(left)), dict[str, None]()
        while here not in path:
            path[here] = None
            here = owner[best[here]]
        names = list(path)
        for name in names[names.index(here) :]:
            has[name] = best[name]
            del left[name]
    return {name: has[name] for name in owned}
