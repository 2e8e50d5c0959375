"""Dung's semantics against brute force over all sets of arguments, and on the examples of the books."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.argumentation.extension import complete, credulous, grounded, preferred, sceptical, stable
from llm_net.protocols.argumentation.framework import Framework

names = st.sampled_from("abcdef")
frameworks = st.builds(Framework, st.just(frozenset("abcdef")), st.frozensets(st.tuples(names, names), max_size=14))


def subsets(framework: Framework) -> list[frozenset[str]]:
    members = sorted(framework.arguments)
    return [frozenset(group) for size in range(len(members) + 1) for group in combinations(members, size)]


def free(framework: Framework, group: frozenset[str]) -> bool:
    return not any((one, other) in framework.attacks for one in group for other in group)


def defends(framework: Framework, group: frozenset[str], name: str) -> bool:
    foes = [one for one, other in framework.attacks if other == name]
    return all(any((friend, foe) in framework.attacks for friend in group) for foe in foes)


def brute(framework: Framework) -> list[frozenset[str]]:
    """The complete extensions by their definition."""
    return [
        group
        for group in subsets(framework)
        if free(framework, group) and group == {name for name in framework.arguments if defends(framework, group, name)}
    ]


@given(frameworks)
def test_complete_extensions_are_those_of_the_definition(framework: Framework) -> None:
    assert list(complete(framework)) == brute(framework)


@given(frameworks)
def test_the_grounded_extension_is_what_all_complete_ones_share(framework: Framework) -> None:
    assert grounded(framework) == sceptical(brute(framework))
    assert grounded(framework) in brute(framework)


@given(frameworks)
def test_preferred_extensions_are_the_largest_admissible_sets(framework: Framework) -> None:
    admissible = [
        group
        for group in subsets(framework)
        if free(framework, group) and all(defends(framework, group, name) for name in group)
    ]

    assert all(framework.admissible(group) == (group in admissible) for group in subsets(framework))
    assert list(preferred(framework)) == [one for one in admissible if not any(one < other for other in admissible)]


@given(frameworks)
def test_stable_extensions_attack_all_others_and_are_preferred(framework: Framework) -> None:
    expected = [
        group
        for group in subsets(framework)
        if free(framework, group)
        and all(any((one, other) in framework.attacks for one in group) for other in framework.arguments - group)
    ]

    assert list(stable(framework)) == expected
    assert set(expected) <= set(preferred(framework))


def test_nixons_diamond_has_two_positions_and_nothing_is_sure() -> None:
    diamond = Framework.of(["pacifist", "hawk"], ("pacifist", "hawk"), ("hawk", "pacifist"))

    assert grounded(diamond) == frozenset()
    assert preferred(diamond) == stable(diamond) == (frozenset({"hawk"}), frozenset({"pacifist"}))


def test_an_argument_whose_attacker_falls_either_way_floats() -> None:
    floating = Framework.of("abcd", ("a", "b"), ("b", "a"), ("a", "c"), ("b", "c"), ("c", "d"))

    assert grounded(floating) == frozenset()
    assert sceptical(preferred(floating)) == {"d"}
    assert credulous(preferred(floating)) == {"a", "b", "d"}


def test_a_defended_argument_stands_again() -> None:
    assert grounded(Framework.of("abc", ("a", "b"), ("b", "c"))) == {"a", "c"}


def test_a_ring_of_three_has_no_stable_position() -> None:
    ring = Framework.of("abc", ("a", "b"), ("b", "c"), ("c", "a"))

    assert preferred(ring) == (frozenset(),)
    assert stable(ring) == ()
    assert sceptical(stable(ring)) == frozenset()


def test_eight_independent_quarrels_have_all_positions_of_one_side_each() -> None:
    pairs = [(f"a{index}", f"b{index}") for index in range(8)]
    framework = Framework.of([name for pair in pairs for name in pair], *pairs, *((other, one) for one, other in pairs))

    assert len(stable(framework)) == 2**8
    assert len(complete(framework)) == 3**8


def test_a_chain_of_two_hundred_is_decided_at_once() -> None:
    names = [f"{index:03}" for index in range(200)]
    chain = Framework.of(names, *pairwise(names))

    assert grounded(chain) == set(names[::2])
    assert complete(chain) == (grounded(chain),)


def test_an_attack_on_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no argument 'b'"):
        Framework.of("a", ("a", "b"))
