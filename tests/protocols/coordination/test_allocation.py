"""Tasks go to who has least to do, awards to who costs least, and equals are named."""

from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.coordination.allocation import Proposal, best_proposals, longest_first
from llm_net.protocols.tie import Order

tasks = st.dictionaries(st.sampled_from("uvwxyz"), st.integers(0, 9))
crews = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1)


@given(tasks, crews)
def test_every_task_is_done_once_and_loads_add_up(durations: dict[str, int], loads: dict[str, int]) -> None:
    found = longest_first(durations, loads)

    assert list(found.worker) == list(durations)
    for name, before in loads.items():
        assert found.loads[name] == before + sum(durations[task] for task, who in found.worker.items() if who == name)


@given(tasks, st.integers(1, 3))
def test_the_longest_load_is_within_grahams_bound_of_the_best(durations: dict[str, int], crew: int) -> None:
    workers = "abc"[:crew]

    found = longest_first(durations, dict.fromkeys(workers, 0))

    best = min(
        max(
            sum(hours for hours, who in zip(durations.values(), choice, strict=True) if who == name) for name in workers
        )
        for choice in product(workers, repeat=len(durations))
    )
    assert max(found.loads.values()) <= (Fraction(4, 3) - Fraction(1, 3 * crew)) * best


def test_grahams_worst_case_for_two() -> None:
    """Source: Graham 1969: 3, 3, 2, 2, 2 for two take 7, and could take 6."""
    durations = dict(zip("abcde", [3, 3, 2, 2, 2], strict=True))

    assert max(longest_first(durations, {"x": 0, "y": 0}).loads.values()) == 7


def test_equals_get_a_task_by_the_rule() -> None:
    assert longest_first({"t": 1}, {"a": 0, "b": 0}).worker == {"t": "a"}
    assert longest_first({"t": 1}, {"a": 0, "b": 0}, ties=Order(("b", "a"))).worker == {"t": "b"}


def test_tasks_for_nobody_are_refused() -> None:
    assert longest_first({}, {}).worker == {}
    with pytest.raises(ValueError, match="at least one worker"):
        longest_first({"t": 1}, {})


# ------------------------------------------------------------------------------------------------ proposals


def test_the_award_weighs_price_time_and_load() -> None:
    proposals = [
        Proposal("cheap", {"price": Decimal("10.00"), "days": 9, "load": Fraction(1, 2)}),
        Proposal("quick", {"price": Decimal("12.50"), "days": 2, "load": Fraction(1, 2)}),
        Proposal("idle", {"price": Decimal("13.00"), "days": 2, "load": 0}),
    ]

    assert best_proposals(proposals, {"price": 1}) == ("cheap",)
    assert best_proposals(proposals, {"price": 1, "days": 1}) == ("quick",)
    assert best_proposals(proposals, {"price": 1, "days": 1, "load": 1}) == ("quick", "idle")
    assert best_proposals(proposals, {"days": -1}) == ("cheap",)
    assert best_proposals([], {"price": 1}) == ()


def test_a_proposal_that_is_silent_on_what_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="'ann' does not say 'price'"):
        best_proposals([Proposal("ann", {})], {"price": 1})
