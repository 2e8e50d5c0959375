"""Motions as networks: carried by enough votes of enough voters, whatever some of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llm_net import GenAgent, Message, simulation
from llm_net.errors import AgentFailed
from llm_net.protocols.acts import Refuse
from llm_net.protocols.tie import Order
from llm_net.protocols.voting.motion import Decide, Decision, Motion, Resolution, Resolve, Side
from llm_net.protocols.voting.paper import Abstain
from llm_net.protocols.voting.quorum import Verdict, motion


class Member(GenAgent):
    """Votes, abstains, or does something else."""

    does: str

    async def adecide(self, message: Decide) -> Message | None:
        match self.does:
            case "yes" | "no":
                return Decision.reply(message, vote=self.does)
            case "abstain":
                return Abstain.reply(message)
            case "late":
                await asyncio.sleep(300)
                return Decision.reply(message, vote="yes")
            case "lie":
                return Refuse.reply(message)
            case "crash":
                raise ZeroDivisionError("I am for it")
            case _:
                return None


def members(does: Iterable[str]) -> list[Member]:
    return [Member(id=f"m{number}", does=each) for number, each in enumerate(does)]


def resolved(assembly: Motion) -> Resolution:
    outcome = simulation.run(assembly.aresult_of(Resolve(body="Buy a boat?")))
    assert isinstance(outcome, Resolution)
    return outcome


def test_more_votes_for_it_carry_a_motion() -> None:
    outcome = resolved(Motion(agents=members(["yes", "no", "yes", "abstain"])))

    assert (outcome.verdict, outcome.yes, outcome.no, outcome.abstain) == ("carried", 2, 1, 1)
    assert outcome.votes == {"m0": "yes", "m1": "no", "m2": "yes"}


@pytest.mark.parametrize(("favoured", "verdict"), [("yes", "carried"), ("no", "rejected")])
def test_a_tie_is_a_result_unless_a_rule_was_declared(favoured: Side, verdict: Verdict) -> None:
    other = "no" if favoured == "yes" else "yes"

    unruled = resolved(Motion(agents=members(["yes", "no"])))
    ruled = resolved(Motion(agents=members(["yes", "no"]), ties=Order((favoured, other))))

    assert (unruled.verdict, ruled.verdict) == ("tied", verdict)
    assert unruled.ties == ruled.ties == ("yes", "no")


def test_a_rule_for_ties_that_leaves_a_side_out_is_an_error_before_anybody_is_asked() -> None:
    with pytest.raises(AgentFailed, match="does not name 'yes'"):
        resolved(Motion(agents=members(["yes"]), ties=Order(("no",))))


def test_without_a_quorum_nothing_is_resolved() -> None:
    assert resolved(Motion(agents=members(["yes", "silent", "silent"]))).verdict == "no quorum"
    assert resolved(Motion(agents=members(["yes", "abstain", "silent"]))).verdict == "carried"


def test_two_thirds_by_weight_are_more_than_half() -> None:
    assembly = Motion(agents=members(["yes", "no"]), majority=Fraction(2, 3), weights={"m0": 3, "m1": 2})

    assert resolved(assembly).verdict == "rejected"
    assert resolved(Motion(agents=members(["yes", "no"]), weights={"m0": 3, "m1": 2})).verdict == "carried"


def test_whoever_spoils_its_vote_is_absent_and_the_others_resolve() -> None:
    outcome = resolved(
        Motion(agents=members(["no", "no", "yes", "silent", "late", "lie", "crash"]), quorum=Fraction(0))
    )

    assert (outcome.verdict, outcome.yes, outcome.no) == ("rejected", 1, 2)
    assert set(outcome.absent) == {"m3", "m4", "m5", "m6"}
    assert "no answer within 120 s" in outcome.absent["m4"]


def test_a_secret_vote_tells_counts_alone() -> None:
    outcome = resolved(Motion(agents=members(["yes", "yes", "crash"]), secret=True))

    assert (outcome.yes, outcome.votes, outcome.absent) == (2, {}, {"m2": "no valid ballot"})


def test_a_committee_votes_as_it_resolves_and_abstains_where_it_resolves_nothing() -> None:
    committees = [
        Motion(id="fleet", agents=members(["yes", "yes", "no"])),
        Motion(id="purse", agents=members(["no"])),
        Motion(id="torn", agents=members(["yes", "no"])),
        Motion(id="asleep", agents=members(["silent"])),
    ]

    outcome = resolved(Motion(agents=committees))

    assert outcome.votes == {"fleet": "yes", "purse": "no"}
    assert (outcome.verdict, outcome.abstain) == ("tied", 2)


@pytest.mark.parametrize("field", [{"majority": Fraction(1, 3)}, {"quorum": Fraction(2)}, {"weights": {"m0": -1}}])
def test_what_cannot_be_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Motion.model_validate({"agents": [], **field})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["yes", "no", "abstain", "silent", "lie", "crash"]), max_size=7), st.integers(1, 3))
def test_the_verdict_is_that_of_the_votes_that_came(does: list[str], weight: int) -> None:
    weights = {"m0": weight}
    by = {side: sum(weights.get(f"m{n}", 1) for n, each in enumerate(does) if each == side) for side in (*does, "yes")}
    eligible = sum(weights.get(f"m{n}", 1) for n in range(len(does)))

    outcome = resolved(Motion(agents=members(does), weights=weights))

    assert outcome.verdict == motion(by["yes"], by.get("no", 0), by.get("abstain", 0), eligible=eligible)
