"""Instant run-off and STV: against the definitions, against each other, and proportional."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.tie import Lot, Order
from llm_net.protocols.voting.ballot import Ranking
from llm_net.protocols.voting.runoff import instant_runoff
from llm_net.protocols.voting.stv import droop, stv
from tests.protocols.voting.electorates import CAPITAL, TENNESSEE, ballots, elections

Election = tuple[tuple[str, ...], list[Ranking]]


def naive_runoff(left: frozenset[str], cast: list[Ranking]) -> frozenset[str]:
    """One after the other drops out, in every possible way."""
    votes = dict.fromkeys(left, Fraction(0))
    for ballot in cast:
        best = ballot.best(left)
        for name in best:
            votes[name] += Fraction(ballot.weight, len(best))
    if len(left) == 1:
        return left
    fewest = [name for name in left if votes[name] == min(votes.values())]
    return frozenset().union(*(naive_runoff(left - {name}, cast) for name in fewest))


def test_tennessee_elects_knoxville_by_instant_run_off() -> None:
    result = instant_runoff(TENNESSEE, CAPITAL)

    assert result.winners == ("Knoxville",)
    assert result.scores == {"Memphis": 2, "Nashville": 1, "Chattanooga": 0, "Knoxville": 3}


@given(elections())
def test_instant_run_off_elects_who_survives_some_order_of_ties(election: Election) -> None:
    names, cast = election

    assert set(instant_runoff(names, cast).winners) == naive_runoff(frozenset(names), cast)


@given(elections())
def test_one_seat_by_stv_is_instant_run_off(election: Election) -> None:
    names, cast = election

    assert {name for (name,) in stv(names, cast, seats=1).committees} == set(instant_runoff(names, cast).winners)


@given(elections(), st.integers(), st.integers(1, 3))
def test_a_rule_for_ties_leaves_one_of_the_tied(election: Election, seed: int, seats: int) -> None:
    names, cast = election

    assert set(instant_runoff(names, cast, ties=Lot(seed)).winners) <= set(instant_runoff(names, cast).winners)
    [ruled] = stv(names, cast, seats=seats, ties=Lot(seed)).committees
    assert ruled in stv(names, cast, seats=seats).committees


def test_many_without_a_vote_drop_out_at_once() -> None:
    names = [f"candidate {index}" for index in range(200)]

    assert instant_runoff(names, [Ranking.of(names[7]), Ranking.of(names[9])], most=4).winners == (names[7], names[9])
    assert stv(names, [Ranking.of(names[7])], seats=1, most=4).committees == ((names[7],),)


def test_ties_without_end_are_an_error_that_asks_for_a_rule() -> None:
    names = [chr(65 + index) for index in range(14)]
    cast = [Ranking.of(name) for name in names]

    with pytest.raises(ValueError, match="more than 100 sets of candidates; give a rule for ties"):
        instant_runoff(names, cast, most=100)
    with pytest.raises(ValueError, match="more than 100 states of the count; give a rule for ties"):
        stv(names, cast, seats=2, most=100)
    assert instant_runoff(names, cast, ties=Order(tuple(names))).winners == ("A",)


# ------------------------------------------------------------------------------------------------ STV


def test_the_party_food_of_wikipedia() -> None:
    """Source: Wikipedia, Single transferable vote, the example of three foods for a party of twenty guests."""
    foods = ("oranges", "pears", "chocolate", "strawberries", "sweets")
    guests = [
        Ranking.of("oranges", weight=4),
        Ranking.of("pears", "oranges", weight=2),
        Ranking.of("chocolate", "strawberries", weight=8),
        Ranking.of("chocolate", "sweets", weight=4),
        Ranking.of("strawberries", weight=1),
        Ranking.of("sweets", weight=1),
    ]

    count = stv(foods, guests, seats=3)

    assert count.quota == 6
    assert count.committees == (("oranges", "chocolate", "strawberries"),)
    assert count.stages[0].surplus == "chocolate"
    assert count.stages[1].votes["strawberries"] == 5
    assert count.stages[1].votes["sweets"] == 3
    assert count.stages[1].excluded == ("pears",)
    assert count.stages[2].elected == ("oranges",)
    assert count.stages[2].excluded == ("sweets",)
    assert count.stages[3].elected == ("strawberries",)


@pytest.mark.parametrize(("votes", "seats", "quota"), [(20, 3, 6), (100, 1, 51), (99, 1, 50), (0, 2, 1)])
def test_only_so_many_can_reach_droops_quota(votes: int, seats: int, quota: int) -> None:
    assert droop(votes, seats) == quota
    assert (seats + 1) * quota > votes


@given(elections(strict=True), st.integers(1, 4))
def test_a_group_with_k_quotas_gets_k_seats(election: Election, seats: int) -> None:
    names, cast = election
    count = stv(names, cast, seats=seats)

    for size in range(1, len(names) + 1):
        for group in map(set, combinations(names, size)):
            solid = sum(ballot.weight for ballot in cast if frozenset().union(*ballot.ranks[:size]) == group)
            deserved = min(solid // count.quota, size)
            assert all(len(group.intersection(committee)) >= deserved for committee in count.committees)


@given(elections(), st.integers(1, 6))
def test_as_many_are_elected_as_there_are_seats_or_candidates(election: Election, seats: int) -> None:
    names, cast = election

    count = stv(names, cast, seats=seats)

    assert {len(committee) for committee in count.committees} == {min(seats, len(names))}
    assert all(sum(stage.votes.values()) <= sum(ballot.weight for ballot in cast) for stage in count.stages)
    assert sorted(name for stage in count.stages for name in stage.elected) == sorted(count.committees[0])


def test_equal_groups_tie_for_the_last_seat() -> None:
    count = stv("ABC", ballots("2 A, 1 B, 1 C"), seats=2)

    assert count.committees == (("A", "B"), ("A", "C"))
    assert count.tied


def test_no_seats_are_refused() -> None:
    with pytest.raises(ValueError, match="fill at least 1"):
        stv("AB", [], seats=0)
