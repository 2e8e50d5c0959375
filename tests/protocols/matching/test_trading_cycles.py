"""Top trading cycles: the one outcome of the core, and honest: against every swap there is."""

from collections.abc import Mapping
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.matching.trading_cycles import top_trading_cycles

OWNED = {"a": "1", "b": "2", "c": "3", "d": "4"}
preferences = st.fixed_dictionaries(dict.fromkeys(OWNED, st.permutations("1234")))
Likes = dict[str, list[str]]


def in_core(outcome: Mapping[str, str], likes: Likes) -> bool:
    """Whether no group can swap what it brought so that nobody in it loses and somebody gains."""

    def place(name: str, thing: str) -> int:
        return likes[name].index(thing)

    for size in range(1, len(OWNED) + 1):
        for group in combinations(OWNED, size):
            for things in permutations([OWNED[name] for name in group]):
                changes = [
                    place(name, outcome[name]) - place(name, has) for name, has in zip(group, things, strict=True)
                ]
                if min(changes) >= 0 and max(changes) > 0:
                    return False
    return True


@given(preferences)
def test_it_is_the_only_outcome_that_no_group_can_better(likes: Likes) -> None:
    outcome = top_trading_cycles(likes, OWNED)

    every = [dict(zip(OWNED, things, strict=True)) for things in permutations("1234")]
    assert [rival for rival in every if in_core(rival, likes)] == [outcome]


@given(preferences, st.data())
def test_nobody_gains_by_lying(likes: Likes, data: st.DataObject) -> None:
    liar = data.draw(st.sampled_from("abcd"))
    honest = top_trading_cycles(likes, OWNED)[liar]
    lying = top_trading_cycles({**likes, liar: data.draw(st.permutations("1234"))}, OWNED)[liar]

    assert likes[liar].index(honest) <= likes[liar].index(lying)


def test_who_lists_nothing_keeps_what_it_has() -> None:
    assert top_trading_cycles({"a": "2", "b": ""}, {"a": "1", "b": "2"}) == {"a": "1", "b": "2"}
    assert top_trading_cycles({"a": "2", "b": "1"}, {"a": "1", "b": "2"}) == {"a": "2", "b": "1"}


@pytest.mark.parametrize(
    ("likes", "owned", "problem"),
    [
        ({"a": "1"}, {}, "one thing of their own"),
        ({"a": "1", "b": "1"}, {"a": "1", "b": "1"}, "one thing of their own"),
        ({"a": "9"}, {"a": "1"}, "'9', which nobody brings"),
    ],
)
def test_what_cannot_be_swapped_is_refused(likes: Mapping[str, str], owned: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        top_trading_cycles(likes, owned)
