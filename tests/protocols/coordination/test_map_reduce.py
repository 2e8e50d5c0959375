"""Each part is mapped and reduced once, in order, whoever fails at it, is late, lies or says nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Message, simulation
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.map_reduce import (
    Combine,
    Combined,
    Deal,
    Dealt,
    Job,
    Mapped,
    MapReduce,
    Part,
    Reduced,
)
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Worker(GenAgent):
    """Gives its part back, and puts results side by side. Some parts are too much for it."""

    refuses: str = ""
    fails_at: str = ""
    seconds: float = 0.0
    had: list[str] = []

    async def apart(self, message: Part) -> Message:
        self.had.append(message.part)
        if self.seconds:
            await self.delay(self.seconds)
        if message.part in self.fails_at.split():
            raise RuntimeError("too heavy")
        if message.part in self.refuses.split():
            return Refuse.reply(message, body="not mine")
        return Mapped.reply(message, body=message.part)

    def combine(self, message: Combine) -> Message:
        self.had.append("+".join(message.results))
        return Combined.reply(message, body=" ".join(message.results))


def reduced(network: MapReduce, *parts: str) -> Reduced:
    async def main() -> Message:
        return await network.aresult_of(Job(body="carry", parts=parts))

    outcome = simulation.run(main())
    assert isinstance(outcome, Reduced)
    return outcome


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"p{index}" for index in range(count))


def test_parts_are_dealt_to_all_and_put_together_in_order() -> None:
    workers = [Worker(id=name) for name in "abc"]

    outcome = reduced(MapReduce(id="crew", agents=workers), *numbered(7))

    assert outcome.body == " ".join(numbered(7))
    assert (outcome.missing, outcome.absent) == ((), {})
    assert all(worker.had for worker in workers)


@pytest.mark.parametrize(("parts", "fan", "combined"), [(8, 2, 7), (9, 3, 4), (5, None, 1), (1, 2, 0)])
def test_results_are_put_together_in_a_tree(parts: int, fan: int | None, combined: int) -> None:
    workers = [Worker(id=name) for name in "ab"]

    outcome = reduced(MapReduce(id="crew", agents=workers, fan=fan), *numbered(parts))

    assert outcome.results == (" ".join(numbered(parts)),)
    assert sum(len(worker.had) for worker in workers) == parts + combined


def test_who_is_faster_gets_more_of_the_parts() -> None:
    quick, slow = Worker(id="quick", seconds=1), Worker(id="slow", seconds=5)

    reduced(MapReduce(id="crew", agents=[slow, quick]), *numbered(6))

    assert [name for name in slow.had if "+" not in name] == ["p0"]
    assert len([name for name in quick.had if "+" not in name]) == 5


def test_what_one_refuses_or_fails_at_goes_to_another_who_has_not_had_it() -> None:
    dainty, weak, strong = (
        Worker(id="dainty", refuses="p0 p1"),
        Worker(id="weak", fails_at="p0 p1"),
        Worker(id="strong", seconds=1),
    )

    outcome = reduced(MapReduce(id="crew", agents=[dainty, weak, strong]), *numbered(3))

    assert outcome.body == "p0 p1 p2"
    assert outcome.absent["dainty"] == "not mine"
    assert "too heavy" in outcome.absent["weak"]
    for worker in (dainty, weak, strong):
        assert len(set(worker.had)) == len(worker.had)


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_a_member_that_is_no_use_costs_nobody_a_part(kind: type[GenAgent]) -> None:
    agents = [kind(id="no use"), Worker(id="good"), Worker(id="better")]

    outcome = reduced(MapReduce(id="crew", agents=agents, patience=10, fan=2), *numbered(5))

    assert outcome.body == " ".join(numbered(5))
    assert list(outcome.absent) == ["no use"]


def test_a_late_worker_gets_nothing_more_and_its_late_result_does_not_count_twice() -> None:
    slow, quick = Worker(id="slow", seconds=30), Worker(id="quick", seconds=1)

    outcome = reduced(MapReduce(id="crew", agents=[slow, quick], patience=10), *numbered(20))

    assert outcome.body == " ".join(numbered(20))
    assert [name for name in slow.had if "+" not in name and " " not in name] == ["p0"]
    assert "slow" in outcome.absent


def test_a_part_that_nobody_can_do_is_missing_and_spares_who_has_not_tried_it() -> None:
    workers = [Worker(id=name, fails_at="p1") for name in "abcd"]

    outcome = reduced(MapReduce(id="crew", agents=workers, tries=2), *numbered(3))

    assert outcome.missing == (1,)
    assert outcome.body == "p0 p2"
    assert sum("p1" in worker.had for worker in workers) == 2


def test_results_that_nobody_puts_together_are_given_as_they_are() -> None:
    class Mapper(GenAgent):
        def part(self, message: Part) -> Message:
            return Mapped.reply(message, body=message.part)

        def combine(self, message: Combine) -> Message:
            return Refuse.reply(message, body="I only map")

    outcome = reduced(MapReduce(id="crew", agents=[Mapper(id="a"), Mapper(id="b")], fan=2), *numbered(3))

    assert (outcome.body, outcome.results, outcome.missing) == ("", numbered(3), ())


def test_nobody_else_says_what_came_of_a_piece() -> None:
    class Forger(Worker):
        async def apart(self, message: Part) -> Message:
            job = message.root
            for piece, worker in [(0, "good"), (1, "forger")]:
                await self.send(
                    Dealt(job=job.id, piece=piece, worker=worker, result="lie", receiver="crew", reply_to=job)
                )
                await self.send(
                    Deal(
                        job=job.id,
                        piece=piece,
                        inputs=("lie",),
                        combines=False,
                        worker=worker,
                        receiver="crew",
                        reply_to=job,
                    )
                )
            return Mapped.reply(message, body=message.part)

    outcome = reduced(MapReduce(id="crew", agents=[Worker(id="good", seconds=5), Forger(id="forger")]), *numbered(3))

    assert outcome.body == "p0 p1 p2"


def test_without_members_everything_is_missing() -> None:
    assert reduced(MapReduce(id="crew"), *numbered(2)).missing == (0, 1)


def test_two_jobs_at_once_do_not_mix() -> None:
    class Boss(GenAgent):
        async def arequest(self, message: Message) -> Message:
            jobs = [Job(parts=tuple(parts), receiver="crew") for parts in ("uvw", "xy")]
            return message.reply(body=", ".join(done.body for done in await self.gather(jobs)))

    crew = MapReduce(id="crew", agents=[Worker(id=name, seconds=1) for name in "ab"])
    firm = GenNetwork(id="firm", agents=[crew, Boss(id="boss")])

    async def main() -> Message:
        return await firm.aresult_of(Message(receiver="boss"))

    assert simulation.run(main()).body == "u v w, x y"


def test_a_crew_is_a_worker_of_another_crew() -> None:
    class Gang(MapReduce):
        async def apart(self, message: Part) -> Message:
            done = await self.call(Job(body=message.job, parts=tuple(message.part), receiver="inner"))
            return Mapped.reply(message, body=done.body)

        def combine(self, message: Combine) -> Message:
            return Combined.reply(message, body=" ".join(message.results))

    inner = MapReduce(id="inner", agents=[Worker(id="a"), Worker(id="b")])
    gang = Gang(id="gang", agents=[inner])

    assert reduced(MapReduce(id="crew", agents=[gang]), "uv", "xy").body == "u v x y"


# ---------------------------------------------------------------------------------------------- laws


KINDS: dict[str, Callable[[str], GenAgent]] = {
    "works": lambda name: Worker(id=name),
    "is slow": lambda name: Worker(id=name, seconds=3),
    "is picky": lambda name: Worker(id=name, refuses="p0 p2", fails_at="p1"),
    "is silent": lambda name: Silent(id=name),
    "is late": lambda name: Late(id=name),
    "crashes": lambda name: Crashing(id=name),
    "lies": lambda name: Lying(id=name),
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(KINDS)), max_size=5),
    st.integers(1, 7),
    st.sampled_from([None, 2, 3]),
    st.integers(1, 4),
)
def test_each_part_is_in_the_result_once_or_missing(crew: list[str], parts: int, fan: int | None, tries: int) -> None:
    agents = [KINDS[kind](f"m{index}") for index, kind in enumerate(crew)]
    network = MapReduce(id="crew", agents=agents, fan=fan, tries=tries, patience=10)

    outcome = reduced(network, *numbered(parts))

    there = [name for result in outcome.results for name in result.split()]
    assert there == [name for index, name in enumerate(numbered(parts)) if index not in outcome.missing]
    if any(kind in ("works", "is slow") for kind in crew) and tries > len(crew):
        assert (outcome.missing, len(outcome.results)) == ((), 1)
    assert network.jobs == {}


# ---------------------------------------------------------------------------------------------- on record


def test_a_job_that_was_interrupted_anywhere_goes_on_to_the_same_result() -> None:
    check_it_goes_on(
        lambda: MapReduce(id="crew", agents=[Worker(id="a", fails_at="p1"), Worker(id="b")], fan=2),
        partial(Job, body="carry", parts=numbered(3)),
    )
