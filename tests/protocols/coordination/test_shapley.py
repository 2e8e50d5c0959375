"""Shapley's value: its axioms, published games, and that a sample comes as near as it says."""

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net.protocols.coordination.coalition import best_partitions
from llm_net.protocols.coordination.shapley import sampled_shapley, shapley

PLAYERS = "abcd"
GROUPS = [frozenset(group) for size in range(1, 5) for group in combinations(PLAYERS, size)]
Game = Mapping[frozenset[str], int]
games: st.SearchStrategy[Game] = st.fixed_dictionaries(dict.fromkeys(GROUPS, st.integers(-9, 9)))


def worth(game: Game, group: frozenset[str]) -> int:
    return game.get(group, 0)


@given(games)
def test_the_shares_are_means_over_all_orders_and_sum_up_to_what_all_earn(game: Game) -> None:
    shares = shapley(PLAYERS, partial(worth, game))

    sums = dict.fromkeys(PLAYERS, 0)
    for order in permutations(PLAYERS):
        for place, name in enumerate(order):
            sums[name] += worth(game, frozenset(order[: place + 1])) - worth(game, frozenset(order[:place]))
    assert shares == {name: Fraction(total, 24) for name, total in sums.items()}
    assert sum(shares.values()) == worth(game, frozenset(PLAYERS))


@given(games, st.permutations(PLAYERS))
def test_who_change_places_change_shares(game: Game, order: list[str]) -> None:
    new = dict(zip(PLAYERS, order, strict=True))
    old = {there: here for here, there in new.items()}

    renamed = shapley(PLAYERS, lambda group: worth(game, frozenset(old[name] for name in group)))

    assert renamed == {new[name]: share for name, share in shapley(PLAYERS, partial(worth, game)).items()}


@given(games, st.integers(-5, 5))
def test_who_always_adds_the_same_gets_just_that(game: Game, added: int) -> None:
    def dummy(group: frozenset[str]) -> int:
        return worth(game, group - {"d"}) + added * ("d" in group)

    assert shapley(PLAYERS, dummy)["d"] == added


@given(games, games)
def test_the_shares_of_two_games_add_up(one: Game, other: Game) -> None:
    both = shapley(PLAYERS, lambda group: worth(one, group) + worth(other, group))

    first, second = (shapley(PLAYERS, partial(worth, game)) for game in (one, other))
    assert both == {name: first[name] + second[name] for name in PLAYERS}


def test_the_glove_game() -> None:
    """Source: Wikipedia, Shapley value: two with left gloves, one with a right one; a pair is worth 1."""
    shares = shapley(["left", "left too", "right"], lambda group: int("right" in group and len(group) > 1))

    assert shares == {"left": Fraction(1, 6), "left too": Fraction(1, 6), "right": Fraction(2, 3)}


def test_the_power_in_a_council_with_vetoes() -> None:
    """Source: Shapley and Shubik 1954, A method for evaluating the distribution of power in a committee system: the
    Security Council of five permanent and six other members, where seven votes pass a motion that no permanent one
    opposes. The permanent ones have 76/77 of the power together."""
    permanent = ["p1", "p2", "p3", "p4", "p5"]
    others = ["o1", "o2", "o3", "o4", "o5", "o6"]

    shares = shapley([*permanent, *others], lambda group: int(group.issuperset(permanent) and len(group) >= 7))

    assert shares["o1"] == Fraction(1, 462)
    assert sum(shares[name] for name in permanent) == Fraction(76, 77)


@settings(max_examples=20)
@given(games, st.integers())
def test_a_sample_is_as_near_as_it_says_and_loses_nothing(game: Game, seed: int) -> None:
    exact = shapley(PLAYERS, partial(worth, game))

    estimate = sampled_shapley(PLAYERS, partial(worth, game), samples=400, seed=seed, spread=36, confidence=0.999999)

    assert sum(estimate.shares.values()) == sum(exact.values())
    assert all(abs(estimate.shares[name] - exact[name]) <= estimate.within for name in PLAYERS)


def test_the_same_seed_gives_the_same_sample_for_fifty_players() -> None:
    players = [f"player {index}" for index in range(50)]

    def estimate(samples: int) -> float:
        found = sampled_shapley(players, lambda group: len(group) ** 2, samples=samples, seed=4, spread=100)
        assert found == sampled_shapley(players, lambda group: len(group) ** 2, samples=samples, seed=4, spread=100)
        assert sum(found.shares.values()) == 2500
        return found.within

    assert estimate(160) == pytest.approx(estimate(10) / 4)


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        sampled_shapley("ab", len, samples=0, seed=1, spread=1)


# ------------------------------------------------------------------------------------------------ coalitions


def every_partition(players: str) -> list[list[frozenset[str]]]:
    if not players:
        return [[]]
    first, rest = players[0], players[1:]
    return [
        [frozenset([first, *mates]), *others]
        for size in range(len(rest) + 1)
        for mates in combinations(rest, size)
        for others in every_partition("".join(name for name in rest if name not in mates))
    ]


@given(games)
def test_no_teams_are_worth_more_than_the_best(game: Game) -> None:
    every = {tuple(teams): sum(worth(game, team) for team in teams) for teams in every_partition(PLAYERS)}
    assert len(every) == 15

    found = best_partitions(PLAYERS, partial(worth, game))

    assert found.worth == max(every.values())
    assert len(set(found.partitions)) == len(found.partitions)
    assert set(found.partitions) == {teams for teams, value in every.items() if value == found.worth}


def test_of_all_partitions_of_ten_equals_only_so_many_are_named() -> None:
    found = best_partitions("abcdefghij", len, most=50)

    assert len(found.partitions) == 50
    assert found.worth == 10


def test_nobody_makes_no_team() -> None:
    assert best_partitions("", len).partitions == ((),)
