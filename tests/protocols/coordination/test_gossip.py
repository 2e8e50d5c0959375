"""What one knows all come to know, in rounds that grow with the logarithm of their number; nobody makes anything up."""

from __future__ import annotations

from functools import partial
from math import log, log2
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent
from llm_net.protocols.coordination.gossip import Exchange, Gossip, Gossiper, News, Rumour, Spread, Way
from tests.protocols.coordination.hearing import count, said
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


def spread(network: Gossip, root: Rumour, *, seed: int = 0) -> Spread:
    (end,) = [message for message in said(network, root, seed=seed) if isinstance(message, Spread)]
    return end


def gossipers(number: int) -> list[Gossiper]:
    return [Gossiper(id=f"g{index}") for index in range(number)]


def test_all_come_to_know_what_one_was_told() -> None:
    members = gossipers(8)

    end = spread(Gossip(id="town", agents=members), Rumour(topic="mayor", body="resigned", told="g3"))

    assert end.informed == tuple(member.id for member in members)
    assert end.latest == {"mayor": 1}
    assert all(member.known == {"mayor": (1, "resigned")} for member in members)


def test_news_of_a_topic_is_a_new_version_and_takes_the_place_of_the_old() -> None:
    members = gossipers(4)
    town = Gossip(id="town", agents=members)

    spread(town, Rumour(topic="mayor", body="resigned"))
    end = spread(town, Rumour(topic="mayor", body="stays", told="g2"))

    assert end.latest == {"mayor": 2}
    assert {member.known["mayor"] for member in members} == {(2, "stays")}


def test_what_they_know_differently_becomes_the_same() -> None:
    one = Gossiper(id="one", known={"a": (3, "new"), "b": (1, "x")})
    other = Gossiper(id="other", known={"a": (2, "old"), "b": (1, "y"), "c": (1, "z")})

    end = spread(Gossip(id="town", agents=[one, other]), Rumour())

    assert one.known == other.known == {"a": (3, "new"), "b": (1, "y"), "c": (1, "z")}
    assert end.informed == ("one", "other")


@pytest.mark.parametrize("way", ["push", "pull", "push-pull"])
def test_rounds_grow_with_the_logarithm_of_the_number(way: Way) -> None:
    """Source: Frieze and Grimmett 1985: by pushing alone it takes log2 n + ln n + O(1) rounds; both ways it takes fewer."""
    for number in (8, 32):
        rounds: list[int] = []
        for seed in range(4):
            town = Gossip(id="town", agents=gossipers(number), way=way, rounds=60)
            end = spread(town, Rumour(topic="t", body="b"), seed=seed)
            assert len(end.informed) == number
            rounds.append(end.rounds)

        assert mean(rounds) <= log2(number) + log(number) + 5


def test_the_same_seed_spreads_it_the_same_way() -> None:
    def partners(seed: int) -> list[str]:
        messages = said(Gossip(id="town", agents=gossipers(8)), Rumour(topic="t", body="b"), seed=seed)
        return [str(message.receiver) for message in messages if isinstance(message, Exchange)]

    assert partners(1) == partners(1)
    assert partners(1) != partners(2)


def test_rounds_are_bounded() -> None:
    end = spread(Gossip(id="town", agents=gossipers(16), rounds=1), Rumour(topic="t", body="b"))

    assert end.rounds == 1
    assert 1 <= len(end.informed) < 16


def test_a_round_costs_two_messages_between_members_for_each_of_them() -> None:
    messages = said(Gossip(id="town", agents=gossipers(10), rounds=2), Rumour(topic="t", body="b"))

    assert count(messages, Exchange) == count(messages, News) == 2 * 10


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_members_do_without_one_that_is_no_use(kind: type[GenAgent]) -> None:
    members = gossipers(4)

    end = spread(
        Gossip(id="town", agents=[kind(id="no use"), *members], patience=10), Rumour(topic="t", body="b", told="g1")
    )

    assert end.informed == ("g0", "g1", "g2", "g3")
    assert list(end.absent) == ["no use"]


def test_who_was_to_be_told_and_is_not_there_tells_nobody() -> None:
    end = spread(Gossip(id="town", agents=gossipers(2)), Rumour(topic="t", body="b", told="zoe"))

    assert (end.latest, list(end.absent)) == ({}, ["zoe"])


def test_nobody_has_nothing_to_tell() -> None:
    assert spread(Gossip(id="town"), Rumour(topic="t", body="b")).informed == ()


def test_a_rumour_that_was_interrupted_anywhere_goes_on_until_all_know() -> None:
    check_it_goes_on(
        lambda: Gossip(id="town", agents=gossipers(3)), partial(Rumour, topic="t", body="b"), every=3, again=False
    )


versions = st.dictionaries(st.sampled_from("xyz"), st.tuples(st.integers(1, 3), st.sampled_from("pqr")))


@settings(max_examples=30, deadline=None)
@given(st.lists(versions, min_size=1, max_size=5), st.sampled_from(["push", "pull", "push-pull"]), st.integers(0, 99))
def test_what_is_known_only_ever_comes_from_a_member(
    known: list[dict[str, tuple[int, str]]], way: Way, seed: int
) -> None:
    members = [Gossiper(id=f"g{index}", known=dict(each)) for index, each in enumerate(known)]
    there = {(topic, told) for each in known for topic, told in each.items()}

    messages = said(Gossip(id="town", agents=members, way=way, rounds=60), Rumour(), seed=seed)

    for message in messages:
        if isinstance(message, (Exchange, News)):
            assert set(message.news.items()) <= there
    for member, before in zip(members, known, strict=True):
        assert set(member.known.items()) <= there
        assert all(member.known[topic] >= told for topic, told in before.items())
    end = messages[-1]
    assert isinstance(end, Spread)
    assert {topic: number for topic, (number, _) in members[0].known.items()} == dict(end.latest)


@given(versions, versions, versions)
def test_the_order_in_which_news_comes_makes_no_difference(
    one: dict[str, tuple[int, str]], two: dict[str, tuple[int, str]], three: dict[str, tuple[int, str]]
) -> None:
    def after(*news: dict[str, tuple[int, str]]) -> dict[str, tuple[int, str]]:
        member = Gossiper(id="g")
        for each in news:
            member.exchange(Exchange(news=each, sender="h", receiver="g"))
        return member.known

    assert after(one, two, three) == after(three, one, two) == after(two, one, three, one)
