"""Bargaining solutions: the axioms that tell them apart, over generated problems."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_net.protocols.negotiation.bargaining import egalitarian, kalai_smorodinsky, nash, utilitarian
from llm_net.protocols.negotiation.problem import Problem

Solution = Callable[[Problem], tuple[str, ...]]
SOLUTIONS: dict[str, Solution] = {
    "nash": nash,
    "kalai-smorodinsky": kalai_smorodinsky,
    "egalitarian": egalitarian,
    "utilitarian": utilitarian,
}


def problem_of(*values: tuple[int, ...], disagreement: tuple[int, ...] = (0, 0)) -> Problem:
    return Problem({f"outcome {index}": value for index, value in enumerate(values)}, disagreement)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    parties = draw(st.integers(1, 3))
    values = st.tuples(*[st.integers(0, 7)] * parties)
    return problem_of(*draw(st.lists(values, max_size=8)), disagreement=draw(st.tuples(*[st.integers(0, 3)] * parties)))


def test_dividing_a_cake_the_solutions_differ_as_in_the_books() -> None:
    """Two divide 90 pieces, and the second has no use for more than 45 of them."""
    cake = Problem({str(mine): (mine, min(90 - mine, 45)) for mine in range(91)}, (0, 0))

    assert nash(cake) == ("45",)
    assert egalitarian(cake) == ("45",)
    assert kalai_smorodinsky(cake) == ("60",)  # two thirds of the most that each could have
    assert utilitarian(cake) == tuple(str(mine) for mine in range(45, 91))


@given(problems())
def test_the_frontier_is_what_nothing_dominates(problem: Problem) -> None:
    for name, values in problem.utilities.items():
        dominated = any(
            all(a >= b for a, b in zip(other, values, strict=True)) and sum(other) > sum(values)
            for other in problem.utilities.values()
        )
        assert (name in problem.frontier) == (not dominated)


@given(problems())
def test_every_solution_is_efficient_and_no_loss_to_anybody(problem: Problem) -> None:
    for name, solution in SOLUTIONS.items():
        chosen = solution(problem)
        assert set(chosen) <= set(problem.frontier) & set(problem.rational), name
        assert bool(chosen) == bool(problem.rational), name


@given(problems(), st.data())
def test_a_party_is_treated_alike_in_every_place(problem: Problem, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(problem.disagreement))))
    seated = Problem(
        {name: [values[place] for place in order] for name, values in problem.utilities.items()},
        tuple(problem.disagreement[place] for place in order),
    )

    for name, solution in SOLUTIONS.items():
        assert solution(seated) == solution(problem), name


@given(problems(), st.lists(st.tuples(st.integers(1, 5), st.integers(-5, 5)), min_size=3, max_size=3))
def test_nash_and_kalai_smorodinsky_do_not_depend_on_units(problem: Problem, units: list[tuple[int, int]]) -> None:
    def measured(values: tuple[int | Fraction, ...]) -> tuple[int | Fraction, ...]:
        return tuple(scale * value + origin for value, (scale, origin) in zip(values, units, strict=False))

    other = Problem(
        {name: measured(tuple(values)) for name, values in problem.utilities.items()}, measured(problem.disagreement)
    )

    assert nash(other) == nash(problem)
    assert kalai_smorodinsky(other) == kalai_smorodinsky(problem)


@given(problems(), st.data())
def test_nash_does_not_depend_on_what_was_not_chosen(problem: Problem, data: st.DataObject) -> None:
    chosen = nash(problem)
    assume(any(all(problem.gains(name)) for name in chosen))
    kept = {*chosen, *data.draw(st.sets(st.sampled_from(list(problem.utilities))))}
    smaller = Problem(
        {name: values for name, values in problem.utilities.items() if name in kept}, problem.disagreement
    )

    assert nash(smaller) == chosen


@given(problems(), st.data())
def test_more_outcomes_never_lower_the_least_gain_of_the_egalitarian_solution(
    problem: Problem, data: st.DataObject
) -> None:
    values = data.draw(st.tuples(*[st.integers(0, 7)] * len(problem.disagreement)))
    larger = Problem({**problem.utilities, "one more": values}, problem.disagreement)

    for before in egalitarian(problem):
        for after in egalitarian(larger):
            assert min(larger.gains(after)) >= min(problem.gains(before))


@given(problems(), st.data())
def test_more_outcomes_never_lower_the_least_part_of_kalai_smorodinsky_unless_somebody_could_gain_more(
    problem: Problem, data: st.DataObject
) -> None:
    """Their axiom of monotonicity, where the most that each could gain stays as it is."""
    values = data.draw(st.tuples(*[st.integers(0, 7)] * len(problem.disagreement)))
    larger = Problem({**problem.utilities, "one more": values}, problem.disagreement)

    def most(of: Problem) -> list[int | Fraction]:
        return [max(gains) for gains in zip(*(of.gains(name) for name in of.rational), strict=True)]

    assume(problem.rational)
    assume(most(larger) == most(problem))

    def least(of: Problem, name: str) -> Fraction:
        parts = [Fraction(gain) / best for gain, best in zip(of.gains(name), most(of), strict=True) if best]
        return min(parts, default=Fraction(0))

    for before in kalai_smorodinsky(problem):
        for after in kalai_smorodinsky(larger):
            assert least(larger, after) >= least(problem, before)


def test_equally_good_outcomes_are_all_named() -> None:
    problem = problem_of((1, 2), (2, 1), (1, 1))

    assert [solution(problem) for solution in SOLUTIONS.values()] == [("outcome 0", "outcome 1")] * 4


def test_where_every_outcome_costs_somebody_nothing_is_agreed_on() -> None:
    problem = problem_of((5, 1), (1, 5), disagreement=(2, 2))

    assert [solution(problem) for solution in SOLUTIONS.values()] == [()] * 4


def test_outcomes_that_not_all_value_are_refused() -> None:
    with pytest.raises(ValueError, match="valued by 1 parties"):
        Problem({"a": (1,)}, (0, 0))
    with pytest.raises(ValueError, match="nobody negotiates"):
        Problem({}, ())
