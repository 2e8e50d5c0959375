"""Items go through all stages in order, several at once; what a stage fails at is lost, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.pipeline import Batch, Finished, Item, Passed, Pipeline
from tests.protocols.coordination.hearing import outcome, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Stage(GenAgent):
    """Puts its name to an item."""

    seconds: float = 0.0
    refuses: str = ""
    had: list[str] = []
    times: list[float] = []

    async def aitem(self, message: Item) -> Message:
        self.had.append(message.item)
        self.times.append(self.now().timestamp())
        if self.seconds:
            await self.delay(self.seconds)
        if self.refuses and message.item.startswith(self.refuses):
            return Refuse.reply(message, body="not good enough")
        return Passed.reply(message, body=message.item + self.id)


def finished(network: Pipeline, *items: str) -> Finished:
    end = outcome(network, Batch(body="make", items=items))
    assert isinstance(end, Finished)
    return end


def test_each_item_goes_through_all_stages_in_their_order() -> None:
    end = finished(Pipeline(id="line", agents=[Stage(id=name) for name in "abc"]), "1", "2")

    assert end.results == {0: "1abc", 1: "2abc"}
    assert (end.lost, end.absent) == ({}, {})


def test_stages_work_at_the_same_time_and_the_slowest_sets_the_pace() -> None:
    stages = [Stage(id="a", seconds=1), Stage(id="b", seconds=3), Stage(id="c", seconds=1)]

    finished(Pipeline(id="line", agents=stages), "1", "2", "3", "4")

    begun = [stage.times[-1] - stages[0].times[0] for stage in stages]
    assert begun == [3, 10, 13]  # and not 4 × 5 less one


def test_what_a_stage_refuses_goes_no_further_and_holds_up_nobody() -> None:
    stages = [Stage(id="a"), Stage(id="b", refuses="2"), Stage(id="c")]

    end = finished(Pipeline(id="line", agents=stages), "1", "2", "3")

    assert end.results == {0: "1abc", 2: "3abc"}
    assert end.lost == {1: "b: not good enough"}
    assert stages[2].had == ["1ab", "3ab"]


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_behind_a_stage_that_is_no_use_nothing_comes_and_the_run_ends(kind: type[GenAgent]) -> None:
    last = Stage(id="c")

    end = finished(Pipeline(id="line", agents=[Stage(id="a"), kind(id="b"), last], patience=10), "1", "2", "3")

    assert (end.results, list(end.lost), list(end.absent), last.had) == ({}, [0, 1, 2], ["b"], [])


def test_a_late_stage_loses_what_it_was_late_with_alone() -> None:
    class Slow(Stage):
        async def aitem(self, message: Item) -> Message:
            if message.item == "2":
                await self.delay(15)
            return Passed.reply(message, body=message.item + self.id)

    end = finished(Pipeline(id="line", agents=[Slow(id="a"), Stage(id="b")], patience=10), "1", "2", "3")

    assert end.results == {0: "1ab", 2: "3ab"}
    assert list(end.lost) == [1]


def test_without_stages_items_stay_as_they_are() -> None:
    assert finished(Pipeline(id="line"), "1", "2").results == {0: "1", 1: "2"}


def test_a_line_is_a_stage_of_another_line() -> None:
    class Hall(Pipeline):
        async def aitem(self, message: Item) -> Message:
            done = await self.call(Batch(items=(message.item,), receiver="inner"))
            assert isinstance(done, Finished)
            return Passed.reply(message, body=done.results[0])

    hall = Hall(id="hall", agents=[Pipeline(id="inner", agents=[Stage(id="x"), Stage(id="y")])])

    assert finished(Pipeline(id="line", agents=[Stage(id="a"), hall]), "1").results == {0: "1axy"}


def test_a_batch_that_was_interrupted_anywhere_goes_on_to_the_same_end() -> None:
    check_it_goes_on(
        lambda: Pipeline(id="line", agents=[Stage(id="a"), Stage(id="b", refuses="2")]),
        partial(Batch, body="make", items=("1", "2", "3")),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(1, 6))
def test_each_stage_has_one_item_at_a_time_in_the_order_in_which_they_entered(paces: list[int], items: int) -> None:
    stages = [Stage(id=f"s{index}", seconds=pace) for index, pace in enumerate(paces)]

    messages = said(Pipeline(id="line", agents=stages), Batch(items=tuple(str(index) for index in range(items))))

    for stage in stages:
        assert [item[0] for item in stage.had] == [str(index) for index in range(items)]
        under_way = 0
        for message in messages:
            under_way += isinstance(message, Item) and message.receiver == stage
            under_way -= isinstance(message, Passed) and message.sender == stage
            assert under_way in (0, 1)
    end = messages[-1]
    assert isinstance(end, Finished)
    assert len(end.results) == items
