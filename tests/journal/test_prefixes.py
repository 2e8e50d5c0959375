"""Every prefix of a record is a state from which the run can go on, and it goes on to the same end."""

from __future__ import annotations

import pytest

from llm_net import simulation
from llm_net.errors import InDoubt
from llm_net.journal import MemoryJournal
from tests.journal.crashes import Crash, check_order, check_record, crash, doubts, gone_on, recorded, replayed
from tests.journal.plays import PLAYS, Play, World

each_play = pytest.mark.parametrize("play", PLAYS.values(), ids=PLAYS)


@each_play
def test_a_run_that_was_killed_anywhere_goes_on_to_the_same_end(play: Play) -> None:
    facts, whole, run = recorded(play)

    assert whole.status == play.status
    for upto in range(1, len(facts) + 1):
        for happened in (False, True) if doubts(facts[:upto]) else (False,):
            after, outcome = gone_on(play, crash(facts, upto, happened=happened), run)
            where = f"killed after fact {upto} of {len(facts)}"
            check_record(after)
            assert (outcome.status, outcome.error, outcome.done) == (whole.status, whole.error, whole.done), where
            if not play.timed:
                assert outcome.states == whole.states, where
                assert outcome.deliveries == whole.deliveries, where
            replayed(play, after, run)


@each_play
def test_what_is_recorded_is_replayed_also_of_a_run_that_was_killed(play: Play) -> None:
    facts, _, run = recorded(play)

    check_record(facts)
    check_order(facts, play.build(World()))
    for upto in range(1, len(facts) + 1):
        replayed(play, facts[:upto], run)


@each_play
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_end(play: Play) -> None:
    facts, whole, run = recorded(play)
    told: list[Crash] = []
    upto = 2

    while upto < len(facts) and len(told) < 40:  # each life ends two facts further than the one before
        told.append(crash(facts, upto, happened=len(told) % 2 == 0))
        facts, outcome = gone_on(play, told[-1], run)
        upto += 3

    check_record(facts)
    assert (outcome.status, outcome.done) == (whole.status, whole.done)
    if not play.timed:
        assert outcome.states == whole.states
        assert outcome.deliveries == whole.deliveries
    replayed(play, facts, run)


def test_what_is_in_doubt_is_told_and_not_done_again() -> None:
    play = PLAYS["effects"]
    facts, _, run = recorded(play)
    for upto in range(1, len(facts) + 1):
        in_doubt = [fact for fact in doubts(facts[:upto]) if fact.kind == "effect" and fact.repeats == "once"]
        if not in_doubt:
            continue
        world = World()

        async def main() -> BaseException | None:
            journal = MemoryJournal()
            await journal.write(run, facts[:upto])  # noqa: B023 - it is run at once
            with pytest.raises(Exception, match="find out whether it happened") as raised:
                async with play.build(world).resume(journal, run, limits=play.limits):  # noqa: B023
                    pass
            return raised.value.__cause__

        cause = simulation.run(main())
        assert isinstance(cause, InDoubt)
        assert cause.key == in_doubt[0].key
        assert not world.done[in_doubt[0].name]
