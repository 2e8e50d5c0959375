"""Matchmakers as networks: stable, best for who proposes, the same by lists and step by step, whatever some members do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from llm_net import GenNetwork, Message
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.matching.deferred import blocking_pairs, deferred_acceptance
from llm_net.protocols.matching.ranking import CallForRanking, RankedWishes
from llm_net.protocols.matching.stable_matching import Match, Matching, StableMatching
from llm_net.protocols.participant import Voice
from tests.protocols.auctions.bidders import troublemakers
from tests.protocols.matching.choosers import choosers, likes
from tests.protocols.matching.test_deferred import rooms, schools, students
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash, said_in

DANCE = Match(body="Dance.")
GALE_SHAPLEY = (
    {"ann": "ABC", "bob": "BCA", "cat": "CAB"},
    {
        "A": ("bob", "cat", "ann"),
        "B": ("cat", "ann", "bob"),
        "C": ("ann", "bob", "cat"),
    },
)
both_ways = pytest.mark.parametrize("stepwise", [False, True], ids=["lists", "proposals"])


def ball(stepwise: bool) -> StableMatching:
    one, other = GALE_SHAPLEY
    return StableMatching(id="ball", agents=choosers({**one, **other}), proposers=tuple(one), stepwise=stepwise)


@both_ways
def test_those_who_propose_get_the_best_that_they_can(stepwise: bool) -> None:
    """Source: Gale and Shapley 1962, example 1."""
    matching = outcome_of(ball(stepwise), DANCE, Matching)

    assert matching.pairs == {"ann": "A", "bob": "B", "cat": "C"}
    assert (matching.unmatched, matching.absent) == ((), {})


def test_step_by_step_each_sees_only_who_may_be_had() -> None:
    members = choosers({"ann": "AB", "bob": "AB", "A": ["bob", "ann"], "B": ["ann"]})

    said = said_in(StableMatching(id="ball", agents=members, proposers=("ann", "bob"), stepwise=True), DANCE)

    assert said == [
        "ball → ann  call_for_choice: Dance. Whom do you propose to? candidates=('A', 'B'), most=1",
        "ball → bob  call_for_choice: Dance. Whom do you propose to? candidates=('A', 'B'), most=1",
        "ann → ball  chosen: names=('A',)",
        "bob → ball  chosen: names=('A',)",
        "ball → A  call_for_choice: Dance. Whom of those who propose do you keep? candidates=('ann', 'bob'), most=1",
        "A → ball  chosen: names=('bob',)",
        "ball → ann  call_for_choice: Dance. Whom do you propose to? candidates=('B',), most=1",
        "ann → ball  chosen: names=('B',)",
        "ball → B  call_for_choice: Dance. Whom of those who propose do you keep? candidates=('ann',), most=1",
        "B → ball  chosen: names=('ann',)",
        "ball → ·  matching: Dance. pairs={'ann': 'B', 'bob': 'A'}, unmatched=()",
    ]


@both_ways
def test_whom_nobody_would_have_is_left(stepwise: bool) -> None:
    members = choosers({"ann": "A", "bob": "A", "A": ["ann"]})

    matching = outcome_of(StableMatching(agents=members, proposers=("ann", "bob"), stepwise=stepwise), DANCE, Matching)

    assert (matching.pairs, matching.unmatched) == ({"ann": "A"}, ("bob",))


@both_ways
def test_members_of_one_side_alone_are_not_asked(stepwise: bool) -> None:
    members = choosers({"ann": "A", "bob": "A"})

    matching = outcome_of(StableMatching(agents=members, proposers=("ann", "bob"), stepwise=stepwise), DANCE, Matching)

    assert (matching.pairs, matching.unmatched, matching.absent) == ({}, ("ann", "bob"), {})


@both_ways
@pytest.mark.parametrize("side", ["proposers", "receivers"])
def test_who_is_silent_late_crashes_or_lies_goes_with_nobody_and_the_others_are_matched(
    stepwise: bool, side: str
) -> None:
    one, other = GALE_SHAPLEY
    spoilers = troublemakers(likes("A", "B", "C") if side == "proposers" else likes("ann", "bob", "cat"))
    stranger = Speaker(id="stranger", says=likes("nobody"))
    named = tuple(spoiler.id for spoiler in spoilers)
    wooed = other if side == "proposers" else one
    everybody = {**one, **other, **{name: (*named, *wants) for name, wants in wooed.items()}}
    proposers = (*one, *named) if side == "proposers" else tuple(one)

    matching = outcome_of(
        StableMatching(agents=[*choosers(everybody), *spoilers, stranger], proposers=proposers, stepwise=stepwise),
        DANCE,
        Matching,
    )

    assert matching.pairs == {"ann": "A", "bob": "B", "cat": "C"}
    assert set(named) <= set(matching.absent)


def test_a_list_that_names_a_stranger_or_somebody_twice_is_refused_at_its_sender() -> None:
    members = [*choosers({"A": ["ann", "bob"]}), *choosers({"ann": "AX", "bob": "AA"})]

    matching = outcome_of(StableMatching(agents=members, proposers=("ann", "bob")), DANCE, Matching)

    assert "'X' is not to be had; list some of A" in matching.absent["ann"]
    assert "'A' is listed twice" in matching.absent["bob"]


def test_models_choose_among_who_is_there() -> None:
    model = ScriptedModel(['{"act": "chosen"}', '{"names": ["A"]}'])
    ann = Voice(id="ann", model=model, stepwise=True)

    matching = outcome_of(
        StableMatching(agents=[ann, *choosers({"A": ["ann"], "B": []})], proposers=("ann",), stepwise=True),
        DANCE,
        Matching,
    )

    assert matching.pairs == {"ann": "A"}
    assert "'enum': ['A', 'B']" in str(model.requests[1].output)


def test_a_network_lists_what_its_own_members_would() -> None:
    class Family(GenNetwork):
        """Lists whom its head would have."""

        async def acall_for_ranking(self, message: CallForRanking) -> Message:
            said = await self.call(Message(body=" ".join(message.candidates), receiver="head"))
            return RankedWishes.reply(message, ranking=said.body.split())

    head = Speaker(id="head", says=lambda message: message.reply(body=" ".join(sorted(message.body.split()))))
    members = [Family(id="smiths", agents=[head]), *choosers({"B": ["smiths"], "A": ["smiths"]})]

    assert outcome_of(StableMatching(agents=members, proposers=("smiths",)), DANCE, Matching).pairs == {"smiths": "A"}


@both_ways
def test_a_recorded_matching_replays_and_after_a_crash_comes_to_the_same_end(stepwise: bool) -> None:
    assert len(set(outcomes_after_each_crash(lambda: ball(stepwise), DANCE))) == 1


@settings(max_examples=40, deadline=None)
@given(students, schools, rooms)
def test_both_ways_end_as_the_mechanism_does_and_stably(
    one: dict[str, list[str]], other: dict[str, list[str]], places: dict[str, int]
) -> None:
    best = deferred_acceptance(one, other, places=places)

    for stepwise in (False, True):
        network = StableMatching(
            agents=choosers({**one, **other}), proposers=tuple(one), places=places, stepwise=stepwise
        )
        matching = outcome_of(network, DANCE, Matching)
        assert matching.pairs == best
        assert not blocking_pairs(matching.pairs, one, other, places=places)
