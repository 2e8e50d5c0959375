"""Planners as networks: as much as can be is done, as cheaply as can be, whatever some workers do."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from llm_net import GenAgent, Message
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import Refuse
from llm_net.protocols.matching.assignment import assignment
from llm_net.protocols.matching.task_assignment import Assign, Assigned, CallForEstimates, Estimate, TaskAssignment
from llm_net.protocols.participant import Voice
from tests.protocols.auctions.bidders import troublemakers
from tests.protocols.matching.test_assignment import tables
from tests.protocols.speakers import Says, Speaker, outcome_of, outcomes_after_each_crash

HOUSE = Assign(body="The house", tasks=("bathroom", "floors", "windows"))
MUNKRES = {
    "alice": {"bathroom": 8, "floors": 4, "windows": 7},
    "bob": {"bathroom": 5, "floors": 2, "windows": 3},
    "carol": {"bathroom": 9, "floors": 4, "windows": 8},
}


def asks(amounts: Mapping[str, int | Decimal]) -> Says:
    def says(message: Message) -> Message | None:
        return Estimate.reply(message, amounts=amounts) if isinstance(message, CallForEstimates) else None

    return says


def workers(costs: Mapping[str, Mapping[str, int | Decimal]]) -> list[GenAgent]:
    return [Speaker(id=name, says=asks(amounts)) for name, amounts in costs.items()]


def test_each_worker_gets_the_task_by_which_all_cost_least() -> None:
    """Source: Munkres 1957, as in Wikipedia, Hungarian algorithm: cleaning, sweeping and washing windows."""
    assigned = outcome_of(TaskAssignment(agents=workers(MUNKRES)), HOUSE, Assigned)

    assert assigned.tasks == {"alice": "bathroom", "bob": "windows", "carol": "floors"}
    assert (assigned.total, assigned.left) == (Decimal(15), ())


def test_or_are_worth_most() -> None:
    assigned = outcome_of(TaskAssignment(agents=workers(MUNKRES), seeks="most value"), HOUSE, Assigned)

    assert assigned.total == 18
    assert assigned.tasks["bob"] == "floors"


def test_what_nobody_can_do_or_nobody_is_left_for_is_named() -> None:
    costs = {"alice": {"floors": 9}, "bob": {"floors": 1}}

    assigned = outcome_of(TaskAssignment(agents=workers(costs)), HOUSE, Assigned)

    assert (assigned.tasks, assigned.left) == ({"bob": "floors"}, ("bathroom", "windows"))


def test_who_might_as_well_do_something_else_ties() -> None:
    equal = {"alice": {"floors": 1, "windows": 2}, "bob": {"floors": 1, "windows": 2}, "carol": {"bathroom": 1}}

    assigned = outcome_of(TaskAssignment(agents=workers(equal)), HOUSE, Assigned)

    assert assigned.ties == ("alice", "bob")
    assert len(assigned.tasks) == 3


def test_who_is_silent_late_crashes_or_lies_changes_nothing() -> None:
    handy = Speaker(id="handy", says=asks({"garden": 0}))
    idle = Speaker(id="idle", says=Refuse.reply)
    spoilers = troublemakers(asks(dict.fromkeys(HOUSE.tasks, 0)))

    assigned = outcome_of(TaskAssignment(agents=[*spoilers, handy, idle, *workers(MUNKRES)]), HOUSE, Assigned)

    assert assigned.tasks == {"alice": "bathroom", "bob": "windows", "carol": "floors"}
    assert list(assigned.absent) == ["silent", "late", "crashing", "lying", "handy", "idle"]
    assert "'garden' is none of the tasks" in assigned.absent["handy"]
    assert assigned.absent["idle"] == "it refused"


def test_a_task_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="name each once"):
        Assign(tasks=("floors", "floors"))


def test_a_model_is_asked_for_each_task() -> None:
    model = ScriptedModel(['{"act": "estimate"}', '{"amounts": {"bathroom": 3, "floors": 2, "windows": 9}}'])

    assigned = outcome_of(TaskAssignment(agents=[Voice(id="ann", model=model, stepwise=True)]), HOUSE, Assigned)

    assert assigned.tasks == {"ann": "floors"}


def test_a_recorded_assignment_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    assert len(set(outcomes_after_each_crash(lambda: TaskAssignment(id="plan", agents=workers(MUNKRES)), HOUSE))) == 1


@settings(max_examples=30, deadline=None)
@given(tables)
def test_the_network_assigns_as_the_mechanism_does(costs: dict[str, dict[str, Decimal]]) -> None:
    shifted = {name: {task: cost + 3 for task, cost in row.items()} for name, row in costs.items()}
    way: Literal["least cost"] = "least cost"

    assigned = outcome_of(TaskAssignment(agents=workers(shifted), seeks=way), Assign(tasks=tuple("wxyz")), Assigned)

    found = assignment(shifted)
    assert (assigned.tasks, assigned.ties) == (found.task, found.tied)
    assert Fraction(assigned.total) == found.cost
