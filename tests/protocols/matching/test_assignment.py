"""Assignment: as many as can be, as cheap as can be: against every way there is."""

from decimal import Decimal
from fractions import Fraction
from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.matching.assignment import assignment

Costs = dict[str, dict[str, Decimal]]
cells = st.integers(-6, 9).map(lambda halves: Decimal(halves) / 2)
tables = st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("wxyz"), cells))


def best(costs: Costs) -> list[dict[str, str]]:
    """Every way in which as many as can have a task, and that costs least."""
    ways = []
    for choice in product(*(["", *row] for row in costs.values())):
        given_out = {worker: task for worker, task in zip(costs, choice, strict=True) if task}
        if len(set(given_out.values())) == len(given_out):
            ways.append(given_out)
    return [way for way in ways if worth(costs, way) == min(worth(costs, each) for each in ways)]


def worth(costs: Costs, way: dict[str, str]) -> tuple[int, Decimal]:
    return -len(way), sum((costs[who][what] for who, what in way.items()), Decimal(0))


@given(tables)
def test_no_way_gives_out_more_or_costs_less(costs: Costs) -> None:
    found = assignment(costs)

    assert found.task in best(costs)
    assert found.cost == Fraction(worth(costs, dict(found.task))[1])


@given(tables)
def test_who_may_as_well_do_something_else_is_named(costs: Costs) -> None:
    found = assignment(costs)

    ways = best(costs)
    assert found.tied == tuple(who for who in costs if len({way.get(who) for way in ways}) > 1)


def test_a_table_of_a_textbook() -> None:
    """Source: Munkres 1957, as in Wikipedia, Hungarian algorithm: cleaning, sweeping and washing windows."""
    costs = {
        "Alice": {"bathroom": 8, "floors": 4, "windows": 7},
        "Bob": {"bathroom": 5, "floors": 2, "windows": 3},
        "Carol": {"bathroom": 9, "floors": 4, "windows": 8},
    }

    found = assignment(costs)

    assert found.cost == 15
    assert found.task == {"Alice": "bathroom", "Bob": "windows", "Carol": "floors"}


def test_sixty_workers_are_assigned_as_scipy_does() -> None:
    from scipy.optimize import linear_sum_assignment

    chance = Random(2)
    table = [[chance.randint(0, 99) for _ in range(40)] for _ in range(40)]
    rows, columns = linear_sum_assignment(table)

    found = assignment(
        {str(row): {str(column): cost for column, cost in enumerate(cells)} for row, cells in enumerate(table)}
    )

    assert found.cost == sum(table[row][column] for row, column in zip(rows, columns, strict=True))
