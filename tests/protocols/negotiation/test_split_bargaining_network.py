"""Dividing what shrinks: reasonable parties get Rubinstein's shares, and nobody gets what was not offered."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message, simulation
from llm_net.errors import AgentFailed
from llm_net.protocols.negotiation.alternating import deadline, rubinstein
from llm_net.protocols.negotiation.patient import Patient
from llm_net.protocols.negotiation.split_bargaining import (
    Consider,
    Divide,
    Divided,
    Division,
    Keep,
    Reject,
    SplitBargaining,
    Take,
)


def divided(*parties: GenAgent, rounds: int = 4, discounts: tuple[str, str] = ("0.9", "0.9")) -> Divided:
    async def main() -> Divided:
        patience = {party.id: Decimal(discount) for party, discount in zip(parties, discounts, strict=True)}
        network = SplitBargaining(id="table", agents=parties, rounds=rounds, discounts=patience, patience=60)
        async with network.run(Division(body="the cake")) as run:
            pass
        assert isinstance(run.result, Divided)
        return run.result

    return simulation.run(main())


class Stubborn(GenAgent):
    """Wants three quarters, in the first rounds; then half will do."""

    till: int = 2

    def divide(self, message: Divide) -> Message | None:
        return Keep.reply(message, share=Decimal("0.75"))

    async def aconsider(self, message: Consider) -> Message | None:
        if message.share < Decimal("0.5") and message.round <= self.till:
            return Reject.reply(message)
        return Take.reply(message)


class Silent(Stubborn):
    async def aconsider(self, message: Consider) -> None:
        return None


class Late(Stubborn):
    async def aconsider(self, message: Consider) -> Message:
        await self.delay(100)
        return Take.reply(message)


class Crashes(Stubborn):
    async def aconsider(self, message: Consider) -> Message:
        raise RuntimeError("out of order")


class Greedy(Stubborn):
    def divide(self, message: Divide) -> Message:
        return Take.reply(message)

    async def aconsider(self, message: Consider) -> Message:
        return Keep.reply(message, share=Decimal(1))


def test_two_who_reckon_agree_at_once_on_rubinsteins_shares() -> None:
    outcome = divided(Patient(id="anna"), Patient(id="bob"), rounds=200)

    assert outcome.round == 1
    assert float(outcome.shares["anna"]) == pytest.approx(10 / 19, abs=1e-9)
    assert sum(outcome.shares.values()) == 1


discounts = st.integers(0, 99).map(lambda percent: Decimal(percent) / 100)


@settings(max_examples=30, deadline=None)
@given(discounts, discounts, st.integers(1, 12))
def test_with_an_end_in_sight_the_shares_are_those_of_backward_induction(
    first: Decimal, second: Decimal, rounds: int
) -> None:
    outcome = divided(Patient(id="anna"), Patient(id="bob"), rounds=rounds, discounts=(str(first), str(second)))

    expected, _ = deadline(Fraction(first), Fraction(second), rounds=rounds)
    limit, _ = rubinstein(Fraction(first), Fraction(second))
    kept = Fraction(outcome.shares["anna"])
    assert outcome.round == 1
    assert 0 <= expected - kept < Fraction(1, 10**12)
    assert abs(kept - limit) <= (Fraction(first) * Fraction(second)) ** ((rounds - 1) // 2) + Fraction(1, 10**12)


@given(discounts, discounts, st.integers(1, 8), st.integers(0, 100))
def test_who_reckons_takes_what_waiting_is_not_worth_more_than(
    mine: Decimal, theirs: Decimal, left: int, percent: int
) -> None:
    question = Consider(share=Decimal(percent) / 100, mine=mine, theirs=theirs, round=1, rounds=1 + left)
    later, _ = deadline(Fraction(mine), Fraction(theirs), rounds=left)

    answer = Patient(id="bob").consider(question)

    assert isinstance(answer, Take) == (Fraction(question.share) >= Fraction(mine) * later - Fraction(1, 10**12))


def test_what_is_agreed_on_later_is_worth_less() -> None:
    outcome = divided(Stubborn(id="anna"), Stubborn(id="bob"), discounts=("0.5", "1"))

    assert outcome.shares == {"anna": Decimal("0.75"), "bob": Decimal("0.25")}
    assert outcome.round == 3
    assert outcome.worth == {"anna": Decimal("0.1875"), "bob": Decimal("0.25")}


def test_when_the_rounds_are_over_nobody_gets_anything() -> None:
    outcome = divided(Stubborn(id="anna", till=9), Stubborn(id="bob", till=9))

    assert (outcome.shares, outcome.worth, outcome.round) == ({}, {}, 4)


@pytest.mark.parametrize(
    ("party", "why"),
    [
        (Silent, "nobody will send"),
        (Late, "no answer within 60 s"),
        (Crashes, "out of order"),
        (Greedy, "it may say take, reject"),
    ],
)
def test_without_an_answer_nobody_gets_anything(party: type[Stubborn], why: str) -> None:
    outcome = divided(Stubborn(id="anna"), party(id="bob"))

    assert outcome.shares == {}
    assert why in outcome.absent["bob"]
    if party is not Greedy:
        assert divided(party(id="bob"), Stubborn(id="anna", till=0)).shares["bob"] == Decimal("0.75")


def test_it_takes_two() -> None:
    with pytest.raises(AgentFailed, match="it takes two"):
        SplitBargaining(id="table", agents=[Patient(id="anna")]).result_of(Division())
