"""Who speaks next is always somebody who is there, and nobody waits longer than promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.dialogue.line import Line
from llm_net.protocols.dialogue.selection import (
    URGENT,
    ByHands,
    ByLot,
    ByRule,
    BySelector,
    Following,
    RoundRobin,
    Selection,
    most_urgent,
    silence,
)

names = st.lists(st.sampled_from("abcdefg"), min_size=1, unique=True)
talks = st.lists(st.builds(Line, speaker=st.sampled_from("abcdefgh"), text=st.sampled_from(["", "so", "no"])))
graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4))
rules = st.sampled_from([None, "a", "TERMINATE", ""])
selections: st.SearchStrategy[Selection] = st.one_of(
    st.sampled_from([RoundRobin(), ByLot(), ByHands(), BySelector("h")]),
    st.builds(Following, graphs),
    st.builds(lambda named: ByRule(lambda members, said: named), rules),
)


def spoken(selection: Selection, members: Sequence[str], turns: int, seed: int = 0) -> list[str]:
    said: list[Line] = []
    chance = Random(seed)
    for _ in range(turns):
        said.append(Line(speaker=selection.pick(members, said, chance), text="so"))
    return [line.speaker for line in said]


@given(selections, names, talks, st.integers())
def test_it_is_always_somebody_who_is_there(
    selection: Selection, members: list[str], said: list[Line], seed: int
) -> None:
    assert selection.pick(members, said, Random(seed)) in members


def test_they_speak_in_turn_also_once_somebody_has_left() -> None:
    assert spoken(RoundRobin(), ["ann", "bob", "cat"], 5) == ["ann", "bob", "cat", "ann", "bob"]

    said = [Line(speaker=name, text="so") for name in ("ann", "bob")]
    assert RoundRobin().pick(["ann", "cat"], said, Random(0)) == "cat"


@given(names, st.integers())
def test_in_turn_and_by_lot_everybody_speaks_before_anybody_speaks_again(members: list[str], seed: int) -> None:
    for selection in (RoundRobin(), ByLot()):
        order = spoken(selection, members, 3 * len(members), seed)
        for first in range(0, len(order), len(members)):
            assert sorted(order[first : first + len(members)]) == sorted(members)


def test_the_same_seed_draws_the_same_lots() -> None:
    assert spoken(ByLot(), "abcde", 20, seed=7) == spoken(ByLot(), "abcde", 20, seed=7)
    assert spoken(ByLot(), "abcde", 20, seed=7) != spoken(ByLot(), "abcde", 20, seed=8)


def test_a_rule_says_who_is_next_and_where_it_does_not_another_one_does() -> None:
    def addressed(members: Sequence[str], said: Sequence[Line]) -> str | None:
        return next((name for name in members if said and f"@{name}" in said[-1].text), None)

    selection = ByRule(addressed)
    assert selection.pick(["ann", "bob", "cat"], [Line(speaker="ann", text="@cat?")], Random(0)) == "cat"
    assert selection.pick(["ann", "bob", "cat"], [Line(speaker="ann", text="@dan?")], Random(0)) == "bob"


@given(st.tuples(*[st.sets(st.sampled_from("abcde"), min_size=1).map(sorted)] * 5))
def test_who_may_not_follow_does_not(followers: Sequence[Sequence[str]]) -> None:
    graph = dict(zip("abcde", followers, strict=True))

    order = spoken(Following(graph), "abcde", 20)

    assert order[0] == "a"
    assert all(then in graph[name] for name, then in pairwise(order))


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), min_size=5), st.integers(2, 6))
def test_where_followers_follow_each_other_nobody_waits_longer_than_twice_pairs_times_way(
    drawn: set[tuple[str, str]], count: int
) -> None:
    members = "abcdef"[:count]
    path = set(pairwise(members))  # so that it is connected
    pairs = {(min(a, b), max(a, b)) for a, b in drawn if a != b and {a, b} <= set(members)} | path
    graph: Mapping[str, list[str]] = {
        name: sorted(b if a == name else a for a, b in pairs if name in (a, b)) for name in members
    }
    bound = 2 * len(pairs) * (count - 1)

    order = spoken(Following(graph), members, bound + 1)

    assert set(order) == set(members)


@given(st.integers(2, 6), st.integers(1, URGENT), st.integers())
def test_a_hand_that_stays_up_is_seen_within_the_bound(others: int, mine: int, seed: int) -> None:
    """However urgently all others want to speak, and however they change their minds."""
    members, chance = [f"m{index}" for index in range(others)], Random(seed)
    said: list[Line] = []
    for _ in range(URGENT + len(members)):
        hands = {name: chance.randint(1, URGENT) for name in members} | {"me": mine}
        speaker = most_urgent(hands, said)
        said.append(Line(speaker=speaker, text="so"))

    assert "me" in {line.speaker for line in said}
    assert silence("me", said) < URGENT + len(members)


def test_who_wants_it_most_speaks_and_among_equals_who_waited_longest() -> None:
    said = [Line(speaker="ann", text="so"), Line(speaker="bob", text="no")]

    assert most_urgent({"ann": 5, "bob": 9}, said) == "bob"
    assert most_urgent({"ann": 5, "bob": 5}, said) == "ann"
