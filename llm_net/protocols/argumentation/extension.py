"""Which sets of arguments can be accepted together: grounded, complete, preferred, stable. Knows attacks, no debate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from llm_net.protocols.argumentation.framework import Framework

Extension: TypeAlias = frozenset[str]


def grounded(framework: Framework) -> Extension:
    """What nobody can reasonably doubt: the least set that contains all it defends. There is always exactly one."""
    found: Extension = frozenset()
    while (more := framework.defended(found)) != found:
        found = more
    return found


def complete(framework: Framework) -> tuple[Extension, ...]:
    """Every admissible set that contains all it defends, in the order of size and names.

    There may be exponentially many: for dozens of arguments that attack each other, not for thousands.

    Source: Dung 1995; the search, as Nofal, Atkinson and Dunne 2014, Algorithms for decision problems in argument systems
    under preferred semantics.
    """
    attackers = {name: framework.attackers(name) for name in framework.arguments}
    attacked = {name: framework.attacked([name]) for name in framework.arguments}
    sure = grounded(framework)
    unsure = framework.arguments - sure - framework.attacked(sure)
    possible = frozenset(name for name in unsure if name not in attackers[name])
    found: list[Extension] = []
    waiting = [(sure, possible)]
    while waiting:
        chosen, open_ = waiting.pop()
        hit = framework.attacked(chosen)
        threats = {foe for name in chosen for foe in attackers[name]} - hit
        if any(attackers[foe].isdisjoint(open_) for foe in threats):
            continue  # nothing that is still open can answer this threat
        if not open_:
            if framework.defended(chosen) == chosen:
                found.append(chosen)
            continue
        answers = (min(attackers[foe] & open_) for foe in sorted(threats))
        name = next(answers, None) or min(open_)
        waiting.append((chosen, open_ - {name}))
        waiting.append((chosen | {name}, open_ - {name} - attacked[name] - attackers[name]))
    return _ordered(found)


def preferred(framework: Framework) -> tuple[Extension, ...]:
    """The largest admissible sets: positions that can be held and extended no further. At least one; see `complete`."""
    every = complete(framework)
    return tuple(one for one in every if not any(one < other for other in every))


def stable(framework: Framework) -> tuple[Extension, ...]:
    """Positions that attack all they leave out; there may be none. See `complete`."""
    return tuple(one for one in complete(framework) if one | framework.attacked(one) == framework.arguments)


def credulous(extensions: Iterable[Extension]) -> Extension:
    """What stands in at least one of these."""
    return frozenset().union(*extensions)


def sceptical(extensions: Iterable[Extension]) -> Extension:
    """What stands in all of these; nothing where there is none of them."""
    first, *others = [*extensions] or [frozenset[str]()]
    return first.intersection(*others)


def _ordered(extensions: Iterable[Extension]) -> tuple[Extension, ...]:
    return tuple(sorted(extensions, key=lambda one: (len(one), sorted(one))))
