"""Elections as networks: the right one is elected whatever some voters do, and nobody learns who voted how before the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llm_net import GenAgent, Message, simulation
from llm_net.errors import AgentFailed
from llm_net.journal import MemoryJournal
from llm_net.protocols.tie import Lot, Order
from llm_net.protocols.voting.ballot import Approval, Ranking, Scores
from llm_net.protocols.voting.election import Elect, Elected, Election
from llm_net.protocols.voting.paper import Mark
from llm_net.protocols.voting.tally import Tally, count
from llm_net.record import Fact, Sent
from llm_net.wire import decode, encode
from tests.protocols.voting.electorates import CAPITAL, TENNESSEE, approvals, elections, graded
from tests.protocols.voting.voters import (
    Crashing,
    Forger,
    Late,
    Puzzled,
    Silent,
    Stranger,
    Twice,
    Voter,
    electorate,
    mark_of,
    voters,
)

DRINKS = Elect(body="What do we drink?", candidates=("tea", "coffee", "water"))


def held(election: Election, root: Message = DRINKS) -> Elected:
    outcome = simulation.run(election.aresult_of(root))
    assert isinstance(outcome, Elected)
    return outcome


# ------------------------------------------------------------------------------------------------ all tallies

RANKED: Mapping[Tally, str] = {
    "borda": "Nashville", "instant-runoff": "Knoxville", "stv": "Knoxville", "copeland": "Nashville",
    "minimax": "Nashville", "schulze": "Nashville", "ranked-pairs": "Nashville",
}  # fmt: skip


@pytest.mark.parametrize(("tally", "capital"), RANKED.items())
def test_tennessee_elects_its_capital_by_each_tally_of_rankings(tally: Tally, capital: str) -> None:
    members, weights = electorate(CAPITAL)

    outcome = held(Election(agents=members, tally=tally, weights=weights), Elect(candidates=TENNESSEE))

    assert outcome.winners == (capital,)
    assert outcome.cast == 4
    assert not outcome.ties


MARKS: Mapping[Tally, tuple[tuple[Mark, ...], str]] = {
    "plurality": (("Memphis", "Nashville", "Chattanooga", "Knoxville"), "Memphis"),
    "approval": (  # the first two of each ranking
        (
            ("Memphis", "Nashville"),
            ("Nashville", "Chattanooga"),
            ("Chattanooga", "Knoxville"),
            ("Knoxville", "Chattanooga"),
        ),
        "Nashville",
    ),
    "score": (
        (
            {"Memphis": 10, "Nashville": 4, "Chattanooga": 2, "Knoxville": 0},
            {"Memphis": 0, "Nashville": 10, "Chattanooga": 4, "Knoxville": 2},
            {"Memphis": 0, "Nashville": 3, "Chattanooga": 10, "Knoxville": 6},
            {"Memphis": 0, "Nashville": 3, "Chattanooga": 6, "Knoxville": 10},
        ),
        "Nashville",
    ),
    "star": (
        (
            {"Memphis": 5, "Nashville": 2, "Chattanooga": 1, "Knoxville": 0},
            {"Memphis": 0, "Nashville": 5, "Chattanooga": 2, "Knoxville": 1},
            {"Memphis": 0, "Nashville": 2, "Chattanooga": 5, "Knoxville": 3},
            {"Memphis": 0, "Nashville": 2, "Chattanooga": 4, "Knoxville": 5},
        ),
        "Nashville",
    ),
    "quadratic": (
        ({"Memphis": 3}, {"Nashville": 3}, {"Chattanooga": 2, "Memphis": -2}, {"Knoxville": 2, "Memphis": -2}),
        "Nashville",
    ),
    "majority-judgement": (
        (
            {"Memphis": "excellent", "Nashville": "poor", "Chattanooga": "reject", "Knoxville": "reject"},
            {"Memphis": "reject", "Nashville": "excellent", "Chattanooga": "good", "Knoxville": "good"},
            {"Memphis": "reject", "Nashville": "good", "Chattanooga": "excellent", "Knoxville": "very good"},
            {"Memphis": "reject", "Nashville": "good", "Chattanooga": "very good", "Knoxville": "excellent"},
        ),
        "Nashville",
    ),
}
"""What the voters near each city write: nearer is better. Wikipedia's articles on approval (of two), score, STAR and majority
judgement elect Nashville as well, on such ballots."""


@pytest.mark.parametrize(("tally", "marks", "capital"), [(tally, *example) for tally, example in MARKS.items()])
def test_tennessee_elects_its_capital_by_each_other_tally(tally: Tally, marks: Sequence[Mark], capital: str) -> None:
    weights = {f"v{number}": int(ballot.weight) for number, ballot in enumerate(CAPITAL)}

    election = Election(agents=voters(marks), tally=tally, weights=weights, highest=10)

    assert held(election, Elect(candidates=TENNESSEE)).winners == (capital,)


def test_no_tally_was_forgotten() -> None:
    assert {*RANKED, *MARKS} == set(get_args(Tally))


def test_several_seats_go_to_groups_by_their_size() -> None:
    foods = ("oranges", "pears", "chocolate", "strawberries", "sweets")
    orders = ["oranges"] * 4 + ["pears > oranges"] * 2 + ["chocolate > strawberries"] * 8 + ["chocolate > sweets"] * 4
    orders += ["strawberries", "sweets"]
    members = voters(tuple(order.split(" > ")) for order in orders)

    outcome = held(Election(agents=members, tally="stv", seats=3), Elect(candidates=foods))

    assert outcome.winners == ("oranges", "chocolate", "strawberries")
    assert outcome.scores == {"oranges": 4, "pears": 2, "chocolate": 12, "strawberries": 1, "sweets": 1}


def test_only_stv_fills_several_seats() -> None:
    with pytest.raises(ValidationError, match="let the tally be 'stv'"):
        Election(tally="borda", seats=2)


@settings(max_examples=25, deadline=None)
@given(elections(strict=True), st.sampled_from(list(RANKED)), st.none() | st.builds(Lot, st.integers(0, 9)))
def test_voters_who_rank_elect_whom_the_tally_elects(
    election: tuple[tuple[str, ...], list[Ranking]], tally: Tally, ties: Lot | None
) -> None:
    names, ballots = election
    members, weights = electorate(ballots)

    outcome = held(
        Election(agents=members, tally=tally, weights=weights, ties=ties, quorum=Fraction(0)), Elect(candidates=names)
    )

    counted = count(tally, names, ballots, ties=ties)
    assert (outcome.winners, outcome.ties, outcome.scores) == (counted.winners, counted.ties, counted.scores)
    assert outcome.cast + outcome.abstained == len(ballots)


@settings(max_examples=15, deadline=None)
@given(approvals(), graded())
def test_voters_who_approve_and_score_elect_whom_the_tally_elects(
    approving: tuple[tuple[str, ...], list[Approval]], scoring: tuple[tuple[str, ...], list[Scores]]
) -> None:
    polls: list[tuple[Tally, tuple[str, ...], list[Approval] | list[Scores]]] = [
        ("approval", *approving),
        ("score", *scoring),
        ("star", *scoring),
    ]
    for tally, names, ballots in polls:
        members, weights = electorate(ballots)

        outcome = held(
            Election(agents=members, tally=tally, weights=weights, quorum=Fraction(0)), Elect(candidates=names)
        )

        assert outcome.winners == count(tally, names, ballots).winners


# ------------------------------------------------------------------------------------------------ ties, quorum, weights


def test_equals_tie_and_none_of_them_is_elected() -> None:
    outcome = held(Election(agents=voters(["tea", "coffee", "coffee", "tea", "water"])))

    assert outcome.winners == ()
    assert outcome.ties == ("tea", "coffee")


@pytest.mark.parametrize("tally", [tally for tally in get_args(Tally) if tally in ("plurality", *RANKED)])
def test_a_declared_rule_chooses_among_equals_and_the_outcome_says_so(tally: Tally) -> None:
    marks: list[Mark] = ["tea", "coffee"] if tally == "plurality" else [("tea",), ("coffee",)]

    outcome = held(Election(agents=voters(marks), tally=tally, ties=Order(("water", "coffee", "tea"))))

    assert outcome.winners == ("coffee",)
    assert outcome.ties == ("tea", "coffee")


def test_groups_that_tie_for_the_last_seat_leave_it_open() -> None:
    members = voters([("tea",), ("tea",), ("coffee",), ("water",)])

    assert held(Election(agents=members, tally="stv", seats=2)).winners == ("tea",)
    assert held(Election(agents=members, tally="stv", seats=2)).ties == ("coffee", "water")
    assert held(Election(agents=members, tally="stv", seats=2, ties=Order(("water", "tea", "coffee")))).winners == (
        "tea",
        "water",
    )


def test_ties_that_branch_without_end_elect_nobody_and_say_why() -> None:
    names = tuple(f"c{number}" for number in range(20))
    outcome = held(Election(agents=voters((name,) for name in names), tally="instant-runoff"), Elect(candidates=names))

    assert (outcome.winners, outcome.ties) == ((), ())
    assert "give a rule for ties" in outcome.body


def test_an_order_that_leaves_a_candidate_out_is_an_error_before_anybody_votes() -> None:
    members = voters(["tea"])

    with pytest.raises(AgentFailed, match="does not name 'coffee'"):
        held(Election(agents=members, ties=Order(("tea",))))
    assert members[0].asked == []


def test_too_few_voters_elect_nobody() -> None:
    members = [*voters(["tea", "tea"]), *(Silent(id=f"s{number}") for number in range(3))]

    outcome = held(Election(agents=members))

    assert (outcome.winners, outcome.quorate, outcome.body) == ((), False, "no quorum")
    assert held(Election(agents=members, quorum=Fraction(2, 5))).winners == ("tea",)


def test_abstentions_make_up_the_quorum_and_elect_nobody() -> None:
    outcome = held(Election(agents=voters(["tea", None, None, None])))

    assert (outcome.winners, outcome.cast, outcome.abstained) == (("tea",), 1, 3)


def test_weights_count() -> None:
    outcome = held(Election(agents=voters(["tea", "coffee", "coffee"]), weights={"v0": 2, "v1": Fraction(1, 2)}))

    assert outcome.winners == ("tea",)
    assert outcome.scores == {"tea": 2, "coffee": Fraction(3, 2), "water": 0}


def test_nobody_elects_nobody() -> None:
    outcome = held(Election(agents=[], tally="stv"))

    assert (outcome.winners, outcome.ties) == ((), DRINKS.candidates)
    drawn = held(Election(agents=[], tally="stv", seats=2, ties=Order(("water", "tea", "coffee"))))
    assert drawn.winners == ("tea", "water")


@pytest.mark.parametrize("names", [(), ("tea", "tea"), ("",)])
def test_a_list_of_candidates_that_cannot_be_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Elect(candidates=names)


# ------------------------------------------------------------------------------------------------ secrecy


def test_no_voter_sees_a_ballot_before_the_end_nor_is_told_of_one() -> None:
    members = voters(["tea", "coffee", "coffee"])

    held(Election(agents=members, secret=True))

    assert [len(member.asked) for member in members] == [1, 1, 1]
    assert not any("ballot" in asked for member in members for asked in member.asked)


def test_a_secret_election_tells_no_ballot_not_even_a_wrong_one() -> None:
    members: list[GenAgent] = [*voters(["tea", "tea", "beer"]), Crashing(id="crashing")]

    open_one = held(Election(agents=members))
    secret = held(Election(agents=members, secret=True))

    assert open_one.ballots == {"v0": "tea", "v1": "tea"}
    assert "beer" in open_one.absent["v2"]
    assert secret.ballots == {}
    assert secret.absent == {"v2": "no valid ballot", "crashing": "no valid ballot"}
    assert secret.scores == open_one.scores


def test_each_voter_gets_the_candidates_in_an_order_of_its_own_where_they_are_shuffled() -> None:
    members = voters(["tea"] * 8)

    outcome = held(Election(agents=members, shuffled=True))

    assert len({asked.partition("candidates=")[2] for member in members for asked in member.asked}) > 1
    assert outcome.winners == ("tea",)
    assert tuple(outcome.scores) == DRINKS.candidates


# ------------------------------------------------------------------------------------------------ bad members


def test_whoever_spoils_its_vote_is_absent_and_the_others_elect() -> None:
    members = [
        *voters(["tea", "tea", "coffee"]),
        Voter(id="wrong", mark="beer"),
        Silent(id="silent"),
        Late(id="late", mark="coffee"),
        Crashing(id="crashing"),
        Stranger(id="stranger"),
        Puzzled(id="puzzled"),
        Forger(id="forger", name="v0", mark="coffee"),
        Voter(id="trusting", trusts="v0"),
    ]

    outcome = held(Election(agents=members, quorum=Fraction(0)))

    assert outcome.winners == ("tea",)
    assert outcome.ballots["v0"] == "tea"
    assert {"wrong", "silent", "late", "crashing", "stranger", "trusting"} <= set(outcome.absent)
    assert "candidates are tea, coffee, water" in outcome.absent["wrong"]
    assert outcome.absent["puzzled"] == "what is tea?"
    assert "no answer within 120 s" in outcome.absent["late"]
    assert "may say choice_ballot, abstain" in outcome.absent["stranger"]


def test_who_votes_twice_is_counted_once() -> None:
    outcome = held(Election(agents=[Twice(id="twice", mark="coffee"), *voters(["tea", "tea"])]))

    assert outcome.scores == {"tea": 2, "coffee": 1, "water": 0}


@pytest.mark.parametrize(
    ("tally", "mark", "problem"),
    [
        ("approval", ("tea", "beer"), "'beer' does not stand"),
        ("borda", ("tea", "beer"), "'beer' does not stand"),
        ("score", {"tea": 6}, "'tea' gets points outside of 0 to 5"),
        ("star", {"tea": -1}, "'tea' gets points outside of 0 to 5"),
        ("quadratic", {"tea": 3, "coffee": -1}, "cost 10 of 9 credits"),
        ("majority-judgement", {"tea": "fine"}, "'fine' is no grade; grades are reject, poor"),
    ],
)
def test_a_wrong_ballot_is_refused_with_the_cure(tally: Tally, mark: Mark, problem: str) -> None:
    outcome = held(Election(agents=voters([mark]), tally=tally, quorum=Fraction(0)))

    assert problem in outcome.absent["v0"]
    assert outcome.cast == 0


def test_a_ranking_names_nobody_twice() -> None:
    outcome = held(Election(agents=voters([("tea", "tea")]), tally="schulze", quorum=Fraction(0)))

    assert "list each once" in outcome.absent["v0"]


# ------------------------------------------------------------------------------------------------ nested, recorded


def test_an_election_votes_in_another_as_its_own_members_decide() -> None:
    states = [
        Election(id="north", agents=voters(["tea", "tea", "coffee"])),
        Election(id="south", agents=voters(["coffee"] * 9)),
        Election(id="east", agents=voters(["tea", "tea", "water"])),
        Election(id="west", agents=voters(["tea", "coffee"])),
    ]

    outcome = held(Election(agents=states))

    assert outcome.winners == ("tea",)  # with fewer votes of people than coffee
    assert outcome.ballots == {"north": "tea", "south": "coffee", "east": "tea"}
    assert outcome.abstained == 1


def panel() -> Election:
    return Election(
        id="panel",
        agents=[*voters(["tea", "coffee", "coffee", "tea"]), Crashing(id="crashing")],
        ties=Lot(seed=7),
        shuffled=True,
    )


def test_an_election_that_was_killed_goes_on_and_replays_to_the_same_outcome() -> None:
    async def facts_of(journal: MemoryJournal, run: str) -> list[Fact]:
        return [fact async for fact in journal.read(run)]

    async def main() -> None:
        journal = MemoryJournal()
        async with panel().run(DRINKS, journal=journal) as run:
            pass
        whole = run.result
        assert isinstance(whole, Elected)
        await panel().replay(journal, run.id)
        facts = await facts_of(journal, run.id)
        *said, _ = [index for index, fact in enumerate(facts) if isinstance(fact, Sent)]
        for cut in said:  # after each word but the last, which is the outcome
            rest = MemoryJournal()
            await rest.write(run.id, facts[: cut + 1])
            async with panel().resume(rest, run.id) as again:
                pass
            outcome = again.result
            assert isinstance(outcome, Elected)
            assert (outcome.winners, outcome.ballots) == (whole.winners, whole.ballots)

    asyncio.run(main())


def test_an_outcome_crosses_a_wire_as_it_is() -> None:
    outcome = held(Election(agents=voters(["tea", "coffee"]), weights={"v0": Fraction(1, 3)}))

    there = decode(encode(outcome))

    assert isinstance(there, Elected)
    assert there.content() == outcome.content()


def test_ballots_of_all_kinds_are_made_of_marks() -> None:
    assert mark_of(Ranking.of("tea", "coffee")) == ("tea", "coffee")
    assert mark_of(Scores({})) is None
