"""Ballot papers bind whoever fills them in: a model can write nothing but a ballot, a person is told what was wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import simulation
from llm_net.chat import Request
from llm_net.llm.schema import problems
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.interaction import answer_fn
from llm_net.protocols.participant import Person, Voice
from llm_net.protocols.voting.election import Elect, Elected, Election
from llm_net.protocols.voting.liquid import LiquidElected, LiquidElection
from llm_net.protocols.voting.paper import (
    Abstain,
    Approve,
    Delegate,
    Grade,
    Mark,
    Paper,
    Pick,
    Rank,
    Score,
    Spend,
)
from llm_net.protocols.voting.tally import Tally
from tests.protocols.voting.voters import filled_in, voters

DRINKS = ("tea", "coffee", "water")
TALLIES: tuple[Tally, ...] = get_args(Tally)


def polled(election: Election, candidates: tuple[str, ...] = DRINKS) -> Elected:
    outcome = simulation.run(election.aresult_of(Elect(body="What do we drink?", candidates=candidates)))
    assert isinstance(outcome, Elected)
    return outcome


def schema_of(paper: Paper) -> object:
    """What a model may write for the mark of a ballot."""
    declared = answer_fn(paper.ballot, voters(["tea"])[0], paper)
    return cast(dict[str, object], declared["parameters"]["properties"])[paper.field]


PAPERS = [
    Pick(candidates=DRINKS),
    Approve(candidates=DRINKS),
    Rank(candidates=DRINKS),
    Score(candidates=DRINKS),
    Spend(candidates=DRINKS, credits=20),
    Grade(candidates=DRINKS, grades=("bad", "good")),
]

GOOD: dict[str, list[object]] = {
    "pick": ["tea"],
    "approve": [["tea"], ["water", "tea"]],
    "rank": ["tea > coffee > water"],
    "score": [{"tea": 0, "coffee": 5, "water": 3}],
    "spend": [{"tea": -4, "coffee": 2, "water": 0}],
    "grade": [{"tea": "bad", "coffee": "good", "water": "bad"}],
}
BAD: dict[str, list[object]] = {
    "pick": ["beer", "", ["tea"]],
    "approve": [[], ["beer"], "tea"],
    "rank": ["tea > tea > water", "tea > beer > water", ["tea"]],
    "score": [{"tea": 6, "coffee": 0, "water": 0}, {"tea": 1}, {"tea": 0, "coffee": 0, "water": 0, "beer": 5}],
    "spend": [{"tea": 5, "coffee": 0, "water": 0}, {"tea": 1}],
    "grade": [{"tea": "fine", "coffee": "good", "water": "bad"}, {}],
}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.method)
def test_a_model_is_bound_to_what_may_stand_on_the_paper(paper: Paper) -> None:
    schema = schema_of(paper)
    assert isinstance(schema, dict)

    for good in GOOD[paper.method]:
        assert problems(schema, good) == []
        assert paper.problem_with(filled_in(paper, good)) is None
    for bad in BAD[paper.method]:
        assert problems(schema, bad)


def test_of_more_than_five_candidates_each_place_of_a_ranking_is_bounded() -> None:
    names = tuple("ABCDEF")

    schema = schema_of(Rank(candidates=names))

    assert isinstance(schema, dict)
    assert problems(schema, ["F", "A"]) == []
    assert problems(schema, ["F", "Z"])


def test_a_vote_can_be_handed_only_to_other_voters() -> None:
    paper = Pick(candidates=DRINKS, trustees=("ann", "bob"))

    assert paper.fields_for(Delegate) == {"to": {"type": "string", "enum": ["ann", "bob"]}}
    assert paper.problem_with(Delegate.reply(paper, to="ann")) is None
    assert "ann, bob would" in str(paper.problem_with(Delegate.reply(paper, to="zoe")))
    assert paper.problem_with(Abstain.reply(paper)) is None


# ------------------------------------------------------------------------------------------------ models and people


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("tally", TALLIES)
def test_models_that_write_whatever_the_schema_allows_cast_valid_ballots(tally: Tally, stepwise: bool) -> None:
    def improviser(seed: int) -> Voice:
        return Voice(id=f"v{seed}", model=ScriptedModel(seed=seed), stepwise=stepwise, tries=9)

    outcome = polled(Election(agents=[improviser(seed) for seed in range(4)], tally=tally))

    assert not outcome.absent
    assert outcome.cast + outcome.abstained == 4
    assert set(outcome.ballots) <= {f"v{seed}" for seed in range(4)}


def test_a_model_is_asked_for_its_ranking_at_once_and_cannot_name_anybody_twice() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> str:
        asked.append(request)
        return json.dumps({"act": "ranked_ballot"} if len(asked) == 1 else {"ranking": "water > tea > coffee"})

    voice = Voice(id="ann", model=ScriptedModel([answer, answer]), stepwise=True)

    outcome = polled(Election(agents=[voice], tally="schulze"))

    assert outcome.ballots == {"ann": ("water", "tea", "coffee")}
    assert "What do we drink?" in asked[0].turns[-1].text


def test_a_model_that_spends_too_much_is_told_the_cost_and_abstains_in_the_end() -> None:
    spends = json.dumps({"act": "credit_ballot", "votes": {"tea": 3, "coffee": 3, "water": 3}})
    told: list[str] = []

    def answer(request: Request) -> str:
        told.append(request.turns[-1].text)
        return spends

    voice = Voice(id="ann", model=ScriptedModel([answer] * 3))

    outcome = polled(Election(agents=[voice, *voters([{"tea": 1}])], tally="quadratic"))

    assert (outcome.winners, outcome.abstained) == (("tea",), 1)
    assert "these votes cost 27 of 9 credits; buy fewer" in told[-1]


@pytest.mark.parametrize(
    ("tally", "typed", "mark"),
    [
        ("plurality", ["choice_ballot", "coffee"], "coffee"),
        ("approval", ["approval_ballot", "tea, water"], ("tea", "water")),
        ("schulze", ["ranked_ballot", "tea > water"], ("tea", "water")),
        ("score", ["score_ballot", '{"tea": 5}'], {"tea": 5}),
        ("plurality", ["choice_ballot", "beer", "choice_ballot", "tea"], "tea"),
    ],
)
def test_a_person_votes_at_a_console_and_may_try_again(tally: Tally, typed: list[str], mark: Mark) -> None:
    lines: Iterator[str] = iter(typed)
    person = Person(id="ann", read=lambda shown: next(lines))

    assert polled(Election(agents=[person], tally=tally)).ballots == {"ann": mark}


def test_a_model_may_hand_on_its_vote() -> None:
    voice = Voice(id="ann", model=ScriptedModel(['{"act": "delegate"}', '{"to": "v0"}']), stepwise=True)

    outcome = polled(LiquidElection(agents=[voice, *voters(["tea"])]))

    assert isinstance(outcome, LiquidElected)
    assert outcome.casters == {"ann": "v0"}


# ------------------------------------------------------------------------------------------------ laws


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*DRINKS, "beer"]), min_size=1, max_size=4), st.sampled_from(PAPERS))
def test_whatever_is_named_a_ballot_is_valid_or_says_why_not(names: list[str], paper: Paper) -> None:
    marks: dict[str, object] = {
        "pick": names[0],
        "approve": tuple(names),
        "rank": tuple(dict.fromkeys(names)),
        "score": dict.fromkeys(names, len(names)),
        "spend": dict.fromkeys(names, len(names)),
        "grade": dict.fromkeys(names, "good"),
    }
    ballot = filled_in(paper, marks[paper.method])
    assert isinstance(ballot, paper.ballot)

    problem = paper.problem_with(ballot)

    if problem is None:
        assert set(paper.read(ballot.mark, 1).named) <= set(DRINKS)
    elif "beer" in ([ballot.mark] if isinstance(ballot.mark, str) else ballot.mark):
        assert "candidates are tea, coffee, water" in problem
    else:
        assert "buy fewer" in problem
