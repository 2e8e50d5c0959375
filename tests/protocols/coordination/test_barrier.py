"""Nobody is released before all have arrived; where one does not come, nobody is, and all who came hear of whom they miss."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Refuse
from llm_net.protocols.coordination.barrier import Arrived, Assemble, Barrier, Broken, Meeting, Passage, Release
from tests.protocols.coordination.hearing import count, outcome, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Walker(GenAgent):
    """Arrives when its way is done, and refuses to go further than it can."""

    seconds: float = 0.0
    phases: int = 99
    notes: list[str] = []

    async def aassemble(self, message: Assemble) -> Message:
        if message.phase > self.phases:
            return Refuse.reply(message, body="too far")
        if self.seconds:
            await self.delay(self.seconds)
        self.notes.append(f"arrived {message.phase}")
        return Arrived.reply(message)

    def release(self, message: Release) -> None:
        self.notes.append(f"on {message.phase}")

    def broken(self, message: Broken) -> None:
        self.notes.append(f"no {' '.join(message.missing)}")


def passage(network: Barrier, phases: int = 1) -> Passage:
    end = outcome(network, Meeting(phases=phases))
    assert isinstance(end, Passage)
    return end


def test_all_go_on_together_phase_by_phase() -> None:
    walkers = [Walker(id="a", seconds=1), Walker(id="b", seconds=9)]

    end = passage(Barrier(id="gate", agents=walkers), phases=3)

    assert (end.phases, end.waited, end.absent) == (3, (), {})
    for walker in walkers:
        assert walker.notes == ["arrived 1", "on 1", "arrived 2", "on 2", "arrived 3", "on 3"]


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_where_one_never_comes_all_who_came_are_told_and_nobody_goes_on(kind: type[GenAgent]) -> None:
    walkers = [Walker(id="a"), Walker(id="b", seconds=5)]

    end = passage(Barrier(id="gate", agents=[*walkers, kind(id="c")], patience=10), phases=3)

    assert (end.phases, end.waited, list(end.absent)) == (0, ("a", "b"), ["c"])
    for walker in walkers:
        assert walker.notes == ["arrived 1", "no c"]


def test_it_may_break_in_a_later_phase() -> None:
    walkers = [Walker(id="a"), Walker(id="b", phases=2)]

    end = passage(Barrier(id="gate", agents=walkers), phases=5)

    assert (end.phases, end.waited, end.absent) == (2, ("a",), {"b": "it refused"})
    assert walkers[0].notes[-2:] == ["arrived 3", "no b"]


def test_a_member_that_fails_when_it_is_released_is_no_harm_to_the_others() -> None:
    class Stumbler(Walker):
        def release(self, message: Release) -> None:
            raise RuntimeError("tripped")

    walker = Walker(id="a")

    assert passage(Barrier(id="gate", agents=[Stumbler(id="s"), walker])).phases == 1
    assert walker.notes == ["arrived 1", "on 1"]


def test_nobody_waits_where_nobody_is() -> None:
    assert passage(Barrier(id="gate"), phases=2).phases == 2


def test_a_gate_is_a_member_of_another_gate() -> None:
    class Group(Barrier):
        async def aassemble(self, message: Assemble) -> Message:
            inside = await self.call(Meeting(receiver="inner"))
            assert isinstance(inside, Passage)
            return Arrived.reply(message) if inside.phases else Refuse.reply(message, body="some are lost")

        def broken(self, message: Broken) -> None: ...

    def meet(*inside: GenAgent) -> Passage:
        group = Group(id="group", agents=[Barrier(id="inner", agents=inside)])
        return passage(Barrier(id="gate", agents=[Walker(id="a"), group]))

    assert meet(Walker(id="x"), Walker(id="y")).phases == 1
    assert meet(Walker(id="x"), Crashing(id="y")).absent == {"group": "it refused"}


def test_a_meeting_that_was_interrupted_anywhere_goes_on_to_the_same_end() -> None:
    check_it_goes_on(
        lambda: Barrier(id="gate", agents=[Walker(id="a"), Walker(id="b"), Walker(id="c", phases=1)]),
        partial(Meeting, phases=3),
    )


KINDS = {"crashes": Crashing, "is late": Late, "is silent": Silent, "lies": Lying}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 20), st.sampled_from(sorted(KINDS))), max_size=5), st.integers(1, 3))
def test_nobody_is_released_before_all_have_arrived(members: list[int | str], phases: int) -> None:
    agents = [
        Walker(id=f"m{index}", seconds=each) if isinstance(each, int) else KINDS[each](id=f"m{index}")
        for index, each in enumerate(members)
    ]

    messages = said(Barrier(id="gate", agents=agents, patience=15), Meeting(phases=phases))

    for index, message in enumerate(messages):
        if isinstance(message, Release):
            assert count(messages[:index], Arrived) >= message.phase * len(members)
    there = all(isinstance(each, int) and each < 15 for each in members)
    assert count(messages, Release) == (phases * len(members) if there else 0)
