"""What all rules on rankings have in common, and the Condorcet family against the definitions."""

from fractions import Fraction
from itertools import combinations, permutations
from itertools import pairwise as steps

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_net.protocols.tie import Lot, Order
from llm_net.protocols.voting.ballot import Ranking
from llm_net.protocols.voting.copeland import copeland
from llm_net.protocols.voting.minimax import minimax
from llm_net.protocols.voting.pairwise import Pairwise, Strength, pairwise
from llm_net.protocols.voting.positional import borda, plurality
from llm_net.protocols.voting.ranked_pairs import ranked_pairs
from llm_net.protocols.voting.schulze import schulze, strongest_paths
from tests.protocols.voting.electorates import CAPITAL, CONDORCET, RANKED, TENNESSEE, ballots, elections, rankings

Election = tuple[tuple[str, ...], list[Ranking]]
MEASURES: list[Strength] = ["margins", "winning votes"]
MONOTONE = {name: rule for name, rule in RANKED.items() if name != "instant run-off"}


# ------------------------------------------------------------------------------------------------ published examples


def test_tennessee_elects_memphis_by_plurality_nashville_by_borda_and_by_every_condorcet_method() -> None:
    assert plurality(TENNESSEE, CAPITAL).winners == ("Memphis",)
    assert borda(TENNESSEE, CAPITAL).scores == {"Memphis": 126, "Nashville": 194, "Chattanooga": 173, "Knoxville": 107}
    assert pairwise(TENNESSEE, CAPITAL).winner == "Nashville"
    assert {rule(TENNESSEE, CAPITAL).winners for rule in CONDORCET.values()} == {("Nashville",)}


def test_schulzes_example_of_45_voters_has_the_published_paths_and_winner() -> None:
    profile = ballots("5 ACBED, 5 ADECB, 8 BEDAC, 3 CABED, 7 CAEBD, 2 CBADE, 7 DCEBA, 8 EBADC")
    duels = pairwise("ABCDE", profile)

    paths = strongest_paths(duels)

    assert [[paths[one, other] for other in "ABCDE" if other != one] for one in "ABCDE"] == [
        [28, 28, 30, 24],
        [25, 28, 33, 24],
        [25, 29, 29, 24],
        [25, 28, 28, 24],
        [25, 28, 28, 31],
    ]
    assert schulze(duels).winners == ("E",)
    assert sorted("ABCDE", key=schulze(duels).scores.__getitem__, reverse=True) == list("EACBD")


def test_condorcets_paradox_ties_all_three_by_every_condorcet_method() -> None:
    profile = ballots("1 ABC, 1 BCA, 1 CAB")

    assert pairwise("ABC", profile).winner is None
    assert pairwise("ABC", profile).smith_set == ("A", "B", "C")
    assert {rule("ABC", profile).winners for rule in CONDORCET.values()} == {("A", "B", "C")}


def test_a_cycle_is_cut_at_its_weakest_victory() -> None:
    profile = ballots("4 ABC, 3 BCA, 2 CAB")  # A beats B by 3, B beats C by 5, C beats A by 1

    assert ranked_pairs(pairwise("ABC", profile)).scores == {"A": 1, "B": 0, "C": 0}
    assert minimax(pairwise("ABC", profile)).scores == {"A": -1, "B": -3, "C": -5}
    assert copeland(pairwise("ABC", profile)).winners == ("A", "B", "C")


# ------------------------------------------------------------------------------------------------ all rules


@given(elections(), st.data())
def test_neither_the_order_of_ballots_nor_of_candidates_matters(election: Election, data: st.DataObject) -> None:
    names, cast = election
    others, shuffled = data.draw(st.permutations(names)), data.draw(st.permutations(cast))

    for name, rule in RANKED.items():
        winners = rule(others, shuffled).winners
        assert set(winners) == set(rule(names, cast).winners), name
        assert list(winners) == [other for other in others if other in winners], name


@given(elections(), st.data())
def test_candidates_who_swap_names_swap_fates(election: Election, data: st.DataObject) -> None:
    names, cast = election
    new = dict(zip(names, data.draw(st.permutations(names)), strict=True))
    renamed = [Ranking.of(*([new[one] for one in rank] for rank in voter.ranks), weight=voter.weight) for voter in cast]

    for name, rule in RANKED.items():
        assert set(rule(names, renamed).winners) == {new[one] for one in rule(names, cast).winners}, name


@given(elections(), st.fractions(min_value=Fraction(1, 9), max_value=9))
def test_only_the_proportions_of_weights_matter(election: Election, factor: Fraction) -> None:
    names, cast = election
    scaled = [Ranking(ballot.ranks, ballot.weight * factor) for ballot in cast]

    for name, rule in RANKED.items():
        assert rule(names, scaled).winners == rule(names, cast).winners, name


@given(elections(strict=True, whole=True))
def test_whom_all_rank_first_wins_alone(election: Election) -> None:
    names, cast = election
    assume(cast)
    first = names[-1]
    agreed = [Ranking.of(first, *(rank for rank in ballot.ranks if rank != {first})) for ballot in cast]

    for name, rule in RANKED.items():
        assert rule(names, agreed).winners == (first,), name


def test_where_all_abstain_all_tie() -> None:
    assert {rule("ABC", [Ranking(())]).winners for rule in RANKED.values()} == {("A", "B", "C")}


@given(elections(strict=True, whole=True), st.data())
def test_a_winner_who_rises_still_wins(election: Election, data: st.DataObject) -> None:
    names, cast = election
    assume(cast)
    index = data.draw(st.integers(0, len(cast) - 1))
    raised = cast[index]

    for name, rule in MONOTONE.items():
        winner = rule(names, cast).winners[0]
        others = [rank for rank in raised.ranks if rank != {winner}]
        place = data.draw(st.integers(0, raised.ranks.index(frozenset([winner]))))
        risen = Ranking.of(*others[:place], winner, *others[place:], weight=raised.weight)
        assert winner in rule(names, [*cast[:index], risen, *cast[index + 1 :]]).winners, name


def test_by_instant_run_off_a_winner_can_lose_by_rising() -> None:
    """Source: Felsenthal 2012, Review of paradoxes afflicting procedures for electing a single candidate."""
    rule = RANKED["instant run-off"]

    assert rule("ABC", ballots("6 ABC, 5 CAB, 4 BCA, 2 BAC")).winners == ("A",)
    assert rule("ABC", ballots("6 ABC, 5 CAB, 4 BCA, 2 ABC")).winners == ("C",)


@given(elections())
def test_borda_agrees_with_the_sum_of_all_duels(election: Election) -> None:
    """Each ballot gives (votes for, and half of the ties) of its duels: Borda's score is a sum over pairs."""
    names, cast = election
    duels = pairwise(names, cast)
    total = sum(ballot.weight for ballot in cast if ballot.ranks)

    for one in names:
        wins = sum(Fraction(total + duels.margin(one, other), 2) for other in names if other != one)
        assert borda(names, cast).scores[one] == wins


# ------------------------------------------------------------------------------------------------ Condorcet methods


@given(elections())
def test_a_condorcet_winner_is_elected_alone_by_every_condorcet_method(election: Election) -> None:
    names, cast = election
    winner = pairwise(names, cast).winner
    assume(winner is not None)

    for name, rule in CONDORCET.items():
        assert rule(names, cast).winners == (winner,), name


@given(elections())
def test_the_smith_set_is_the_smallest_that_beats_all_others(election: Election) -> None:
    duels = pairwise(*election)

    dominating = [
        group
        for size in range(1, len(duels.candidates) + 1)
        for group in combinations(duels.candidates, size)
        if all(duels.margin(one, other) > 0 for one in group for other in set(duels.candidates) - set(group))
    ]

    assert duels.smith_set == dominating[0]


@given(elections())
def test_all_but_minimax_elect_members_of_the_smith_set(election: Election) -> None:
    smith = set(pairwise(*election).smith_set)

    for name, rule in CONDORCET.items():
        assert "minimax" in name or smith.issuperset(rule(*election).winners), name


def naive_margin(one: str, other: str, cast: list[Ranking]) -> int:
    """Ballots that rank one above the other, less those the other way, place by place."""

    def place(name: str, ballot: Ranking) -> int:
        return next((index for index, rank in enumerate(ballot.ranks) if name in rank), len(ballot.ranks))

    lead = [place(other, ballot) - place(one, ballot) for ballot in cast]
    return sum(int(ballot.weight) * ((ahead > 0) - (ahead < 0)) for ballot, ahead in zip(cast, lead, strict=True))


@given(elections())
def test_copeland_and_minimax_agree_with_duels_held_one_by_one(election: Election) -> None:
    names, cast = election
    margins = {one: [naive_margin(one, other, cast) for other in names if other != one] for one in names}
    wins = {one: sum(2 * (margin > 0) + (margin == 0) for margin in margins[one]) for one in names}
    defeats = {one: max((-margin for margin in margins[one] if margin < 0), default=0) for one in names}

    assert set(copeland(pairwise(names, cast)).winners) == {one for one in names if wins[one] == max(wins.values())}
    assert set(minimax(pairwise(names, cast)).winners) == {
        one for one in names if defeats[one] == min(defeats.values())
    }


@given(elections(), st.sampled_from(MEASURES))
def test_schulze_agrees_with_the_strength_of_all_paths(election: Election, by: Strength) -> None:
    duels = pairwise(*election)
    names = duels.candidates

    def strongest(start: str, end: str) -> Fraction | int:
        inner = [name for name in names if name not in (start, end)]
        paths = [(start, *path, end) for size in range(len(inner) + 1) for path in permutations(inner, size)]
        return max(min(duels.strength(*step, by) for step in steps(path)) for path in paths)

    winners = tuple(
        one for one in names if all(strongest(one, other) >= strongest(other, one) for other in names if other != one)
    )
    assert schulze(duels, by=by).winners == winners


def naive_ranked_pairs(duels: Pairwise) -> set[str]:
    """Every order of the victories that goes from strong to weak, one by one."""
    victories = [pair for pair in permutations(duels.candidates, 2) if duels.margin(*pair) > 0]
    winners: set[str] = set()
    for order in permutations(victories):
        margins = [duels.margin(*pair) for pair in order]
        if margins != sorted(margins, reverse=True):
            continue
        kept: list[tuple[str, str]] = []
        for one, other in order:
            reached = {other}
            while more := {loser for winner, loser in kept if winner in reached} - reached:
                reached |= more
            if one not in reached:
                kept.append((one, other))
        winners |= set(duels.candidates) - {loser for _, loser in kept}
    return winners


@given(st.lists(rankings("ABCD"), max_size=6))
def test_ranked_pairs_agrees_with_every_order_of_equal_victories(cast: list[Ranking]) -> None:
    duels = pairwise("ABCD", cast)

    assert set(ranked_pairs(duels).winners) == naive_ranked_pairs(duels)


@given(elections(), st.integers())
def test_one_order_of_equal_victories_elects_one_of_the_tied(election: Election, seed: int) -> None:
    duels = pairwise(*election)

    ruled = ranked_pairs(duels, ties=Lot(seed))

    assert len(ruled.winners) == 1
    assert set(ruled.winners) <= set(ranked_pairs(duels).winners)


def test_ties_without_end_are_an_error_that_asks_for_a_rule() -> None:
    names = [chr(65 + index) for index in range(9)]
    ring = [Ranking.of(*names[index:], *names[:index]) for index in range(9)]

    with pytest.raises(ValueError, match="more than 5 sets of them; give a rule for ties"):
        ranked_pairs(pairwise(names, ring), most=5)
    assert ranked_pairs(pairwise(names, ring), ties=Order(tuple(names))).winners == ("A",)


# ------------------------------------------------------------------------------------------------ ballots


@pytest.mark.parametrize(
    ("ranks", "weight", "problem"),
    [
        (("A", "B", "A"), 1, "ranked twice"),
        (("A", set[str]()), 1, "without candidates"),
        (("A",), -1, "not negative"),
        (("A",), 0.5, "whole number or a Fraction"),
    ],
)
def test_a_ballot_that_says_nothing_clear_is_refused(ranks: tuple[str, ...], weight: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Ranking.of(*ranks, weight=weight)


def test_a_ballot_without_weight_counts_nothing() -> None:
    assert plurality("AB", [Ranking.of("A", weight=0), Ranking.of("B")]).scores == {"A": 0, "B": 1}


@pytest.mark.parametrize(
    ("names", "problem"), [("", "needs candidates"), ("AA", "each listed once"), ("BC", "'A', who does not stand")]
)
def test_a_list_of_candidates_that_does_not_fit_is_refused(names: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        plurality(names, [Ranking.of("A")])


def test_a_tie_is_broken_only_when_asked() -> None:
    result = plurality("AB", ballots("1 A, 1 B"))

    assert result.tied
    assert result.winner(Order(("B", "A"))) == "B"
