"""Tasks for workers who each have a load already, and the choice among proposals. Knows durations, not what is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from llm_net.protocols.tie import Order, TieRule

Amount: TypeAlias = int | Decimal | Fraction


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who does which task.

    Args:
        worker: of each task.
        loads: what each worker has to do in all.
    """

    worker: Mapping[str, str] = field(hash=False)
    loads: Mapping[str, Fraction] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a contractor offers.

    Args:
        contractor: whose it is.
        terms: an amount for each thing that counts: price, days, load, faults …
    """

    contractor: str
    terms: Mapping[str, Amount] = field(hash=False)


def longest_first(
    durations: Mapping[str, Amount], loads: Mapping[str, Amount], *, ties: TieRule | None = None
) -> Allocation:
    """Gives the longest task that is left to whoever has least to do.

    The longest load is at most 4/3 of the least that is possible, where all begin without a load.

    Args:
        durations: of each task, at least 0; equally long ones go in the order in which they are listed.
        loads: what each worker has to do already.
        ties: who of several with the least load is given the task; by default who is listed first.

    Raises:
        ValueError: there are tasks and no workers.

    Source: Graham 1969, Bounds on multiprocessing timing anomalies.
    """
    if durations and not loads:
        raise ValueError("there is nobody to do the tasks; give at least one worker")
    rule = Order(tuple(loads)) if ties is None else ties
    total = {name: Fraction(load) for name, load in loads.items()}
    worker: dict[str, str] = {}
    for task in sorted(durations, key=lambda task: -Fraction(durations[task])):
        least = min(total.values())
        worker[task] = rule.rank(name for name in total if total[name] == least)[0]
        total[worker[task]] += Fraction(durations[task])
    return Allocation({task: worker[task] for task in durations}, total)


def best_proposals(proposals: Sequence[Proposal], weights: Mapping[str, Amount]) -> tuple[str, ...]:
    """The contractors whose terms cost least in all: the award of a contract net. All who tie; nobody without proposals.

    Args:
        proposals: those that came in time and were no refusals.
        weights: what one unit of each term costs; below 0 for what is good. Terms without a weight do not count.

    Raises:
        ValueError: a proposal says nothing on a term that counts.

    Source: Smith 1980, The contract net protocol (bids are ranked by the manager's own evaluation).
    """
    costs: dict[str, Fraction] = {}
    for proposal in proposals:
        if missing := [term for term in weights if term not in proposal.terms]:
            raise ValueError(f"the proposal of {proposal.contractor!r} does not say {missing[0]!r}; ask for it")
        terms = (Fraction(weight) * Fraction(proposal.terms[term]) for term, weight in weights.items())
        costs[proposal.contractor] = sum(terms, Fraction(0))
    return tuple(name for name, cost in costs.items() if cost == min(costs.values()))
