"""One task for each worker at the least cost in all: the Hungarian method. Knows costs, not preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

Cost: TypeAlias = int | Decimal | Fraction


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who does what.

    Args:
        task: of each worker who has one.
        cost: the sum, exactly.
    """

    task: Mapping[str, str] = field(hash=False)
    cost: Fraction


def assignment(costs: Mapping[str, Mapping[str, Cost]]) -> Assignment:
    """Gives out as many tasks as can be, each worker at most one, at the least cost; of several ways one. O(n³).

    Args:
        costs: for each worker, of each task that it can do; negative for a gain.

    Source: Kuhn 1955, The Hungarian method for the assignment problem; Jonker and Volgenant 1987, A shortest augmenting
    path algorithm for dense and sparse linear assignment problems.
    """
    workers = list(costs)
    tasks = list(dict.fromkeys(task for row in costs.values() for task in row))
    # To leave a worker idle costs more than any way to give out all other tasks, so it is done only where it must be.
    idle = 1 + 2 * sum((abs(Fraction(cost)) for row in costs.values() for cost in row.values()), Fraction(0))
    table = [
        [Fraction(costs[worker][task]) if task in costs[worker] else 2 * idle for task in tasks] + [idle] * len(workers)
        for worker in workers
    ]
    chosen = {worker: column for worker, column in zip(workers, _columns(table), strict=True) if column < len(tasks)}
    task = {worker: tasks[column] for worker, column in chosen.items()}
    return Assignment(task, sum((Fraction(costs[worker][done]) for worker, done in task.items()), Fraction(0)))


def _columns(table: Sequence[Sequence[Fraction]]) -> list[int]:
    """For each row a column of its own, so that the sum of their cells is least. No more rows than columns."""
    width = len(table[0]) if table else 0
    row_price = [Fraction(0)] * len(table)
    column_price = [Fraction(0)] * width
    owner: list[int | None] = [None] * width
    for row in range(len(table)):
        slack: list[Fraction | None] = [None] * width
        before: list[int | None] = [None] * width
        visited: set[int] = set()
        current, here = row, None
        while True:  # Dijkstra's search for the cheapest way to a column without an owner
            for column in range(width):
                reduced = table[current][column] - row_price[current] - column_price[column]
                known = slack[column]
                if column not in visited and (known is None or reduced < known):
                    slack[column], before[column] = reduced, here
            step, nearest = min((cost, at) for at, cost in enumerate(slack) if cost is not None and at not in visited)
            row_price[row] += step
            for column in visited:
                holder = owner[column]
                assert holder is not None  # only columns with an owner are visited
                row_price[holder] += step
                column_price[column] -= step
            slack = [None if cost is None else cost if at in visited else cost - step for at, cost in enumerate(slack)]
            here = nearest
            holder = owner[nearest]
            if holder is None:
                break
            visited.add(nearest)
            current = holder
        at: int | None = here
        while at is not None:  # everybody on the way moves one column on
            previous = before[at]
            owner[at] = row if previous is None else owner[previous]
            at = previous
    column_of = {holder: column for column, holder in enumerate(owner) if holder is not None}
    return [column_of[row] for row in range(len(table))]
