"""The teams that stand are worth most of those that were agreed to, and each gets its Shapley value of its team."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.protocols.acts import Agree, Refuse
from llm_net.protocols.coordination.coalition import best_partitions
from llm_net.protocols.coordination.coalition_formation import (
    Alliance,
    Appraisal,
    Appraise,
    CoalitionFormation,
    Coalitions,
    TeamOffer,
)
from llm_net.protocols.coordination.shapley import shapley
from llm_net.protocols.tie import Order
from tests.protocols.coordination.hearing import outcome
from tests.protocols.coordination.members import Crashing, Late, Lying, Silent
from tests.protocols.coordination.records import check_it_goes_on


class Member(GenAgent):
    """Brings something to each team, and shuns some people."""

    brings: Mapping[str, int] = {}
    shuns: str = ""
    offers: list[str] = []

    def appraise(self, message: Appraise) -> Message:
        return Appraisal.reply(message, brings={team: self.brings.get(team, 0) for team in message.teams})

    def team_offer(self, message: TeamOffer) -> Message:
        self.offers.append("+".join(message.team))
        if set(message.team) & set(self.shuns.split()):
            return Refuse.reply(message, body="not with them")
        return Agree.reply(message)


def shop(team: frozenset[str]) -> int:
    """A game of gloves: one who has a right one, and two who have a left one, of which one fits better."""
    pairs = 6 * ("right" in team and len(team) > 1) + ("right" in team and "left" in team)
    return len(team) ** 2 + (6 if len(team) == 3 else pairs)


def formed(network: CoalitionFormation) -> Coalitions:
    end = outcome(network, Alliance(body="a common shop"))
    assert isinstance(end, Coalitions)
    return end


def test_each_gets_what_it_adds_on_average() -> None:
    members = [Member(id=name) for name in ("left", "lefty", "right")]

    end = formed(CoalitionFormation(id="fair", agents=members, earns=shop))

    assert end.teams == (("left", "lefty", "right"),)
    assert end.worth == "15"
    assert end.shares == {"left": "25/6", "lefty": "11/3", "right": "43/6"}


def test_teams_are_worth_what_their_members_say_they_bring() -> None:
    anna = Member(id="anna", brings={"anna": 1, "anna+bob": 5})
    bob = Member(id="bob", brings={"bob": 2, "anna+bob": 3, "bob+carl": 4})
    carl = Member(id="carl", brings={"carl": 3, "bob+carl": 3})

    end = formed(CoalitionFormation(id="fair", agents=[anna, bob, carl]))

    assert end.teams == (("anna", "bob"), ("carl",))
    assert (end.worth, end.shares) == ("11", {"anna": "7/2", "bob": "9/2", "carl": "3"})
    assert carl.offers == []  # nobody has to agree to be alone


def test_a_team_that_one_refuses_is_not_formed_and_the_next_best_is() -> None:
    members = [Member(id="left"), Member(id="lefty", shuns="left"), Member(id="right")]

    end = formed(CoalitionFormation(id="fair", agents=members, earns=shop))

    assert end.teams == (("left", "right"), ("lefty",))
    assert end.shares == {"left": "11/2", "lefty": "1", "right": "11/2"}


def test_who_refuses_everything_is_alone() -> None:
    members = [Member(id="left"), Member(id="lefty"), Member(id="right", shuns="left lefty")]

    end = formed(CoalitionFormation(id="fair", agents=members, earns=shop))

    assert ("right",) in end.teams
    assert end.shares["right"] == "1"


def test_where_divisions_are_equally_good_a_rule_decides_or_nobody_does() -> None:
    def end(ties: Order | None) -> Coalitions:
        members = [Member(id="left"), Member(id="right")]
        return formed(CoalitionFormation(id="fair", agents=members, earns=len, ties=ties))

    named = end(None)
    assert (named.teams, set(named.ties)) == ((), {"left+right", "left | right"})
    assert end(Order(("left+right", "left | right"))).teams == (("left", "right"),)
    assert end(Order(("left | right", "left+right"))).teams == (("left",), ("right",))


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_who_says_nothing_of_use_is_in_no_team(kind: type[GenAgent]) -> None:
    members = [
        Member(id="anna", brings={"anna+bob": 5, "anna+no use": 50}),
        Member(id="bob", brings={"anna+bob": 5}),
        kind(id="no use"),
    ]

    end = formed(CoalitionFormation(id="fair", agents=members, patience=10))

    assert end.teams == (("anna", "bob"),)
    assert list(end.absent) == ["no use"]


@pytest.mark.parametrize("kind", [Silent, Late, Crashing, Lying])
def test_who_does_not_agree_in_time_is_alone(kind: type[GenAgent]) -> None:
    members = [Member(id="left"), Member(id="lefty"), kind(id="right")]

    end = formed(CoalitionFormation(id="fair", agents=members, earns=shop, patience=10))

    assert end.teams == (("left", "lefty"), ("right",))
    assert list(end.absent) == ["right"]


@pytest.mark.parametrize(
    ("brings", "problem"),
    [
        ({"anna": 1}, "nothing of anna\\+bob"),
        ({"anna": 1, "anna+bob": 101}, "too much"),
        ({"anna": 1, "anna+bob": 1, "x": 1}, "not asked for"),
    ],
)
def test_an_appraisal_that_says_something_else_is_refused_with_the_cure(brings: dict[str, int], problem: str) -> None:
    question = Appraise(teams=("anna", "anna+bob"), most=100, sender="fair", receiver="anna")

    assert question.problem_with(Appraisal.reply(question, brings={"anna": 1, "anna+bob": 1})) is None
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(question.problem_with(Appraisal.reply(question, brings=brings)))


def test_too_many_members_are_refused_with_the_cure() -> None:
    members = [Member(id=f"m{index}") for index in range(11)]

    with pytest.raises(Exception, match="at most 10"):
        formed(CoalitionFormation(id="fair", agents=members))


def test_nobody_forms_nothing() -> None:
    assert formed(CoalitionFormation(id="fair")).teams == ()


def test_coalitions_that_were_interrupted_anywhere_go_on_to_the_same_end() -> None:
    check_it_goes_on(
        lambda: CoalitionFormation(
            id="fair", agents=[Member(id="a", brings={"a+b": 2}), Member(id="b"), Member(id="c", shuns="a")]
        ),
        partial(Alliance, body="a common shop"),
    )


NAMES = ("m0", "m1", "m2")
TEAMS = ["m0", "m1", "m2", "m0+m1", "m0+m2", "m1+m2", "m0+m1+m2"]


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(TEAMS, st.integers(0, 9))), st.lists(st.sampled_from(TEAMS[3:]), max_size=4))
def test_of_what_is_agreed_to_the_best_stands_and_all_that_is_earned_is_shared_out(
    worths: dict[str, int], refused: list[str]
) -> None:
    class Choosy(Member):
        def team_offer(self, message: TeamOffer) -> Message:
            team = "+".join(message.team)
            return Refuse.reply(message, body="no") if team in refused else Agree.reply(message)

    def earns(team: frozenset[str]) -> int:
        return worths["+".join(sorted(team))]

    def possible(team: frozenset[str]) -> int:
        return -1_000 if "+".join(sorted(team)) in refused else earns(team)

    best = best_partitions(NAMES, possible)
    first = [" | ".join("+".join(sorted(team)) for team in partition) for partition in best.partitions]
    every = Order(tuple(dict.fromkeys([*first, *_partitions()])))
    end = formed(CoalitionFormation(id="fair", agents=[Choosy(id=name) for name in NAMES], earns=earns, ties=every))

    assert end.worth == str(best.worth)
    assert not {"+".join(team) for team in end.teams} & set(refused)
    assert sum(map(Fraction, end.shares.values())) == best.worth
    for team in end.teams:
        expected = shapley(team, lambda group: earns(group) if group else 0)
        assert {name: Fraction(end.shares[name]) for name in team} == expected


def _partitions() -> list[str]:
    return ["m0+m1+m2", "m0 | m1+m2", "m0+m1 | m2", "m0+m2 | m1", "m0 | m1 | m2"]
