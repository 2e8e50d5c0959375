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
        tied: who does something else, or nothing, in another way that is as good.
    """

    task: Mapping[str, str] = field(hash=False)
    cost: Fraction
    tied: tuple[str, ...] = ()


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
    solved = _solved(table)
    chosen = {worker: at for worker, at in zip(workers, solved.columns, strict=True) if at < len(tasks)}
    task = {worker: tasks[column] for worker, column in chosen.items()}
    movable = _movable(table, solved, len(tasks))
    return Assignment(
        task,
        sum((Fraction(costs[worker][done]) for worker, done in task.items()), Fraction(0)),
        tuple(worker for row, worker in enumerate(workers) if row in movable),
    )


@dataclass(frozen=True, slots=True)
class _Solved:
    """A cheapest way, and the prices that prove it: no cell is below those of its row and column, and those chosen are equal
    to them; a column that nobody has costs 0."""

    columns: Sequence[int]
    row_price: Sequence[Fraction]
    column_price: Sequence[Fraction]


def _movable(table: Sequence[Sequence[Fraction]], solved: _Solved, tasks: int) -> set[int]:
    """The rows that have another column in another cheapest way; columns from `tasks` on are all alike.

    Two cheapest ways differ in rings: each row of one takes the column of the next, at no cost. A ring may pass through columns
    that nobody has, and then leaves out one whose price is 0.
    """
    row_at = {column: row for row, column in enumerate(solved.columns)}
    spare = [column for column, price in enumerate(solved.column_price) if column in row_at and not price]
    moves = [
        [
            column
            for column, price in enumerate(solved.column_price)
            if column != at and table[row_at[at]][column] == solved.row_price[row_at[at]] + price
        ]
        if at in row_at
        else spare
        for at in range(len(solved.column_price))
    ]
    reached = [_reached(moves, at) for at in range(len(moves))]
    return {
        row
        for row, at in enumerate(solved.columns)
        if any(at in reached[column] for column in moves[at] if min(at, column) < tasks)
    }


def _reached(moves: Sequence[Sequence[int]], start: int) -> set[int]:
    found, left = {start}, [start]
    while left:
        for column in moves[left.pop()]:
            if column not in found:
                found.add(column)
                left.append(column)
    return found


def _solved(table: Sequence[Sequence[Fraction]]) -> _Solved:
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
    return _Solved([column_of[row] for row in range(len(table))], row_price, column_price)
