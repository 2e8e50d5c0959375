"""Deferred acceptance: stable, best for who proposes, and safe to be honest in: against every matching there is."""

from collections.abc import Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.matching.deferred import Preferences, blocking_pairs, deferred_acceptance

STUDENTS, SCHOOLS = "abcd", "XYZ"


def lists(of: str, over: str) -> st.SearchStrategy[dict[str, list[str]]]:
    some = st.permutations(over).flatmap(lambda order: st.integers(0, len(order)).map(lambda size: order[:size]))
    return st.fixed_dictionaries(dict.fromkeys(of, some))


students, schools = lists(STUDENTS, SCHOOLS), lists(SCHOOLS, STUDENTS)
rooms = st.fixed_dictionaries(dict.fromkeys(SCHOOLS, st.integers(0, 3)))


def stable(one: Preferences, other: Preferences, places: Mapping[str, int]) -> list[dict[str, str]]:
    """All stable matchings, found among all there are."""
    found = []
    for choice in product(*(["", *one[name]] for name in one)):
        matching = {name: taken for name, taken in zip(one, choice, strict=True) if taken}
        fits = all(list(matching.values()).count(name) <= places[name] for name in other)
        wanted = all(name in other[taken] for name, taken in matching.items())
        if fits and wanted and not blocking_pairs(matching, one, other, places=places):
            found.append(matching)
    return found


def liking(likes: Preferences, name: str, matching: Mapping[str, str]) -> int:
    """The place of what somebody got in their list: nothing comes after its end, and who is not listed after that."""
    order = [*likes[name], None]
    return order.index(matching.get(name)) if matching.get(name) in order else len(order)


@given(students, schools, rooms)
def test_it_is_stable_and_no_stable_matching_is_better_for_any_proposer(
    one: dict[str, list[str]], other: dict[str, list[str]], places: dict[str, int]
) -> None:
    matching = deferred_acceptance(one, other, places=places)
    every = stable(one, other, places)

    assert matching in every
    assert all(liking(one, name, matching) <= liking(one, name, rival) for name in one for rival in every)
    assert {frozenset(rival) for rival in every} == {frozenset(matching)}, "the same are matched in all (Roth 1986)"


@given(students, schools, rooms, st.data())
def test_no_proposer_gains_by_lying(
    one: dict[str, list[str]], other: dict[str, list[str]], places: dict[str, int], data: st.DataObject
) -> None:
    liar = data.draw(st.sampled_from(STUDENTS))
    lie = data.draw(students)[liar]

    honest = deferred_acceptance(one, other, places=places)
    lying = deferred_acceptance({**one, liar: lie}, other, places=places)

    assert liking(one, liar, honest) <= liking(one, liar, lying)


@given(students, schools, st.permutations(STUDENTS))
def test_who_proposes_first_makes_no_difference(
    one: dict[str, list[str]], other: dict[str, list[str]], order: list[str]
) -> None:
    assert deferred_acceptance({name: one[name] for name in order}, other) == deferred_acceptance(one, other)


def test_gale_and_shapleys_first_example() -> None:
    """Source: Gale and Shapley 1962, example 1: three men and women, every man's first choice is another."""
    men = {"α": "ABC", "β": "BCA", "γ": "CAB"}
    women = {"A": "βγα", "B": "γαβ", "C": "αβγ"}

    assert deferred_acceptance(men, women) == {"α": "A", "β": "B", "γ": "C"}
    assert deferred_acceptance(women, men) == {"A": "β", "B": "γ", "C": "α"}
    assert len(stable(men, women, dict.fromkeys("ABC", 1))) == 3


def test_blocking_pairs_are_named() -> None:
    assert blocking_pairs({"a": "Y", "b": "X"}, {"a": "XY", "b": "YX"}, {"X": "ab", "Y": "ba"}) == (
        ("a", "X"),
        ("b", "Y"),
    )


def test_hundreds_on_each_side_are_matched_at_once() -> None:
    names = [str(index) for index in range(300)]
    one = {name: names[int(name) :] + names[: int(name)] for name in names}
    other = {name: list(reversed(names)) for name in names}

    assert not blocking_pairs(deferred_acceptance(one, other), one, other)


@pytest.mark.parametrize(
    ("one", "other", "problem"), [({"a": "XX"}, {"X": ""}, "twice"), ({"a": "X"}, {}, "'X', who has no list")]
)
def test_lists_that_cannot_be_are_refused(one: Preferences, other: Preferences, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        deferred_acceptance(one, other)
