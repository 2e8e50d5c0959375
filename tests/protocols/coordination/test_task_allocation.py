"""Each task is done by one who agreed to it, or is left; who has much to do gets less; what one refuses the others get."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.allocation import longest_first
from llm_net.protocols.coordination.task_allocation import Allocated, Allotment, Load, LoadQuery, TaskAllocation, Tasks
from llm_net.protocols.tie import Order
from tests.protocols.coordination.hearing import outcome, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Worker(GenAgent):
    """Has something to do, and takes what it has the hours for."""

    hours: int = 0
    most: int = 1_000
    seconds: float = 0.0
    got: list[str] = []

    def load_query(self, message: LoadQuery) -> Message:
        return Load.reply(message, hours=self.hours)

    async def aallotment(self, message: Allotment) -> Message:
        if self.seconds:
            await self.delay(self.seconds)
        if self.hours + sum(message.tasks.values()) > self.most:
            return Refuse.reply(message, body="too much")
        self.hours += sum(message.tasks.values())
        self.got += message.tasks
        return Agree.reply(message)


def allocated(network: TaskAllocation, **hours: int) -> Allocated:
    end = outcome(network, Tasks(body="clear up", hours=hours))
    assert isinstance(end, Allocated)
    return end


def test_tasks_go_to_who_has_least_to_do() -> None:
    end = allocated(TaskAllocation(id="crew", agents=[Worker(id="busy", hours=5), Worker(id="idle")]), u=3, v=2, w=4)

    assert end.worker == {"u": "idle", "v": "busy", "w": "idle"}
    assert end.loads == {"busy": 7, "idle": 7}
    assert (end.left, end.absent) == ((), {})


def test_what_one_refuses_is_shared_out_among_the_others() -> None:
    lazy, keen = Worker(id="lazy", most=2), Worker(id="keen", hours=1)

    end = allocated(TaskAllocation(id="crew", agents=[lazy, keen]), u=3, v=2, w=1)

    assert end.worker == dict.fromkeys("uvw", "keen")
    assert end.absent == {"lazy": "it refused"}
    assert (lazy.got, end.loads) == ([], {"keen": 7})


def test_what_everybody_refuses_is_left() -> None:
    end = allocated(TaskAllocation(id="crew", agents=[Worker(id="a", most=2), Worker(id="b", most=2)]), big=9, small=1)

    assert end.left == ("big",)
    assert end.worker == {"small": "b"}


def test_equals_get_a_task_by_the_rule() -> None:
    def first(ties: Order | None) -> str:
        crew = TaskAllocation(id="crew", agents=[Worker(id="a"), Worker(id="b")], ties=ties)
        return allocated(crew, u=1).worker["u"]

    assert first(None) == "a"
    assert first(Order(("b", "a"))) == "b"


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_tasks_are_done_by_those_who_are_some_use(kind: type[GenAgent]) -> None:
    agents = [kind(id="no use"), Worker(id="a"), Worker(id="b")]

    end = allocated(TaskAllocation(id="crew", agents=agents, patience=10), u=1, v=1, w=1)

    assert set(end.worker.values()) == {"a", "b"}
    assert list(end.absent) == ["no use"]


def test_who_agrees_too_late_has_not_agreed() -> None:
    slow = Worker(id="slow", seconds=20)

    end = allocated(TaskAllocation(id="crew", agents=[slow, Worker(id="quick", hours=9)], patience=10), u=1)

    assert end.worker == {"u": "quick"}
    assert list(end.absent) == ["slow"]


def test_a_load_that_is_none_is_refused_at_its_sender() -> None:
    class Boaster(Worker):
        def load_query(self, message: LoadQuery) -> Message:
            return Load.reply(message, hours=-5)

    end = allocated(TaskAllocation(id="crew", agents=[Boaster(id="boaster"), Worker(id="a")]), u=1)

    assert end.worker == {"u": "a"}
    assert "greater than or equal to 0" in end.absent["boaster"]


def test_nobody_does_what_nobody_is_there_for_and_nothing_is_soon_done() -> None:
    assert allocated(TaskAllocation(id="crew"), u=1).left == ("u",)
    assert allocated(TaskAllocation(id="crew", agents=[Worker(id="a")])).worker == {}


def test_a_crew_is_a_worker_of_another_crew() -> None:
    class Gang(TaskAllocation):
        """Agrees to what its own members agree to."""

        def load_query(self, message: LoadQuery) -> Message:
            return Load.reply(message, hours=0)

        async def aallotment(self, message: Allotment) -> Message:
            done = await self.call(Tasks(hours=message.tasks, receiver="inner"))
            assert isinstance(done, Allocated)
            return Refuse.reply(message, body="too much") if done.left else Agree.reply(message)

    inner = TaskAllocation(id="inner", agents=[Worker(id="x"), Worker(id="y")])
    gang = Gang(id="gang", agents=[inner])

    assert allocated(TaskAllocation(id="crew", agents=[gang, Worker(id="a", hours=99)]), u=1).worker == {"u": "gang"}


def test_an_allocation_that_was_interrupted_anywhere_goes_on_to_the_same_end() -> None:
    check_it_goes_on(
        lambda: TaskAllocation(id="crew", agents=[Worker(id="a", most=1), Worker(id="b"), Crashing(id="c")]),
        partial(Tasks, body="clear up", hours={"u": 2, "v": 1}),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=4),
    st.dictionaries(st.sampled_from("uvwxyz"), st.integers(0, 9)),
)
def test_each_task_is_done_once_by_one_who_agreed_or_left(crew: list[tuple[int, int]], tasks: dict[str, int]) -> None:
    workers = [Worker(id=f"m{index}", hours=hours, most=most) for index, (hours, most) in enumerate(crew)]

    end = said(TaskAllocation(id="crew", agents=workers), Tasks(hours=tasks))[-1]

    assert isinstance(end, Allocated)
    assert sorted([*end.worker, *end.left]) == sorted(tasks)
    for worker in workers:
        assert sorted(worker.got) == sorted(task for task, name in end.worker.items() if name == worker.id)
        assert worker.hours <= max(worker.most, dict(zip((w.id for w in workers), crew, strict=True))[worker.id][0])
        assert end.loads.get(worker.id, worker.hours) == worker.hours
    if not end.absent and workers:
        before = {worker.id: hours for worker, (hours, _) in zip(workers, crew, strict=True)}
        assert end.worker == longest_first(tasks, before).worker
