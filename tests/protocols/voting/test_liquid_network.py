"""Liquid elections: a vote goes to whom its voter trusts, and what becomes of it is told."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, simulation
from llm_net.protocols.voting.delegation import delegate
from llm_net.protocols.voting.liquid import LiquidElected, LiquidElection
from tests.protocols.voting.test_election_network import DRINKS
from tests.protocols.voting.voters import Crashing, Late, Silent, Voter, voters


def held(election: LiquidElection) -> LiquidElected:
    outcome = simulation.run(election.aresult_of(DRINKS))
    assert isinstance(outcome, LiquidElected)
    return outcome


def trusting(**trusts: str) -> list[Voter]:
    """A voter for each name, who trusts another."""
    return [Voter(id=name, trusts=other) for name, other in trusts.items()]


def test_a_vote_goes_on_until_somebody_votes() -> None:
    members = [*voters(["tea", "coffee", "coffee"]), *trusting(ann="bob", bob="v0", cat="v0")]

    outcome = held(LiquidElection(agents=members))

    assert outcome.winners == ("tea",)
    assert outcome.scores == {"tea": 4, "coffee": 2, "water": 0}
    assert outcome.casters == {"ann": "v0", "bob": "v0", "cat": "v0"}
    assert outcome.ballots == {"v0": "tea", "v1": "coffee", "v2": "coffee"}
    assert not outcome.lost


def test_votes_that_go_in_a_circle_are_lost_and_the_circle_is_told() -> None:
    members = [*voters(["tea", "coffee", "coffee"]), *trusting(ann="bob", bob="cat", cat="ann", dan="ann")]

    outcome = held(LiquidElection(agents=members, quorum=Fraction(0)))

    assert outcome.winners == ("coffee",)
    assert outcome.cycles == (("ann", "bob", "cat"),)
    assert outcome.lost == ("ann", "bob", "cat", "dan")


def test_lost_votes_make_up_no_quorum() -> None:
    members = [*voters(["tea"]), *trusting(ann="bob", bob="ann")]

    assert held(LiquidElection(agents=members)).quorate is False


def test_who_abstains_does_so_with_all_votes_that_came_to_it() -> None:
    members = [*voters(["tea", None]), *trusting(ann="v1", bob="v1")]

    outcome = held(LiquidElection(agents=members, quorum=Fraction(1)))

    assert outcome.winners == ("tea",)
    assert outcome.casters == {"ann": "v1", "bob": "v1"}


def test_nobody_trusts_itself_or_who_has_no_vote() -> None:
    members = [*voters(["tea", "tea"]), *trusting(ann="ann", bob="zoe")]

    outcome = held(LiquidElection(agents=members))

    assert "'ann' takes no votes; v0, v1, bob would" in outcome.absent["ann"]
    assert "'zoe' takes no votes" in outcome.absent["bob"]


def test_votes_handed_to_who_spoils_them_are_lost_and_the_others_elect() -> None:
    members: list[GenAgent] = [
        *voters(["tea", "tea", "coffee"]),
        Silent(id="silent"),
        Crashing(id="crashing"),
        Late(id="late", mark="coffee"),
        Voter(id="wrong", mark="beer"),
        *trusting(ann="silent", bob="crashing", cat="late", dan="wrong"),
    ]

    outcome = held(LiquidElection(agents=members, quorum=Fraction(0)))

    assert outcome.winners == ("tea",)
    assert outcome.lost == ("ann", "bob", "cat", "dan")
    assert set(outcome.absent) == {"silent", "crashing", "late", "wrong"}


def test_a_secret_election_tells_neither_ballots_nor_who_cast_whose_vote() -> None:
    outcome = held(LiquidElection(agents=[*voters(["tea"]), *trusting(ann="v0")], secret=True))

    assert outcome.scores == {"tea": 2, "coffee": 0, "water": 0}
    assert (outcome.ballots, outcome.casters) == ({}, {})


def test_a_tie_is_a_result() -> None:
    outcome = held(LiquidElection(agents=[*voters(["tea", "coffee"]), *trusting(ann="v0", bob="v1")]))

    assert (outcome.winners, outcome.ties) == ((), ("tea", "coffee"))


names = [f"v{number}" for number in range(6)]
wishes = st.sampled_from([*DRINKS.candidates, *names]) | st.none()


@settings(max_examples=40, deadline=None)
@given(st.lists(wishes, min_size=6, max_size=6), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_every_vote_is_counted_abstained_with_lost_or_absent(wanted: list[str | None], weights: list[int]) -> None:
    weight = dict(zip(names, weights, strict=True))
    wish = dict(zip(names, wanted, strict=True))
    members = [
        Voter(id=name, trusts=wish[name]) if wish[name] in names else Voter(id=name, mark=wish[name]) for name in names
    ]

    outcome = held(LiquidElection(agents=members, weights=weight, quorum=Fraction(0)))

    trust = {name: other for name, other in wish.items() if other is not None and other in names and other != name}
    ended = delegate(trust, [name for name in names if wish[name] not in names], weights=weight)
    ballots = [name for name in names if wish[name] in DRINKS.candidates]
    assert sum(outcome.scores.values()) == sum(ended.weights[name] for name in ballots)
    assert outcome.cycles == ended.cycles
    assert {*outcome.lost, *outcome.absent} == {name for name in names if name not in ended.voter}
