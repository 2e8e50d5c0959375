"""Liquid democracy: every vote ends at one voter, or is said to be lost."""

from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.voting.delegation import delegate

names = st.sampled_from("abcdefgh")


def test_a_vote_goes_on_until_somebody_votes() -> None:
    end = delegate({"ann": "bob", "bob": "cat", "dan": "cat"}, ["cat", "eve"], weights={"ann": 5})

    assert end.weights == {"cat": 8, "eve": 1}
    assert end.voter["ann"] == "cat"
    assert not end.lost


def test_who_votes_keeps_its_vote_and_what_came_to_it() -> None:
    assert delegate({"ann": "bob", "bob": "cat"}, ["bob", "cat"]).weights == {"bob": 2, "cat": 1}


def test_votes_in_a_circle_are_lost_and_the_circle_is_named() -> None:
    end = delegate({"cat": "ann", "ann": "bob", "bob": "cat", "dan": "ann", "eve": "fay"}, ["gus"])

    assert end.cycles == (("ann", "bob", "cat"),)
    assert end.lost == {"ann", "bob", "cat", "dan", "eve", "fay"}
    assert end.weights == {"gus": 1}


def test_a_voter_in_a_circle_breaks_it() -> None:
    assert delegate({"ann": "bob", "bob": "ann"}, ["bob"]).weights == {"bob": 2}


@given(st.dictionaries(names, names), st.frozensets(names), st.dictionaries(names, st.integers(0, 9)))
def test_each_vote_is_cast_once_or_lost(trust: dict[str, str], voting: frozenset[str], weights: dict[str, int]) -> None:
    everybody = {*trust, *trust.values(), *voting}

    end = delegate(trust, voting, weights=weights)

    assert set(end.voter) | end.lost == everybody
    assert not set(end.voter) & end.lost
    assert sum(end.weights.values()) == sum(weights.get(name, 1) for name in end.voter)
    for name in everybody:
        here, steps = name, 0
        while here not in voting and here in trust and steps < 9:
            here, steps = trust[here], steps + 1
        assert end.voter.get(name) == (here if here in voting else None)
    assert all(trust[one] == other for ring in end.cycles for one, other in zip(ring, ring[1:] + ring[:1], strict=True))
