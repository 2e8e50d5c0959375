"""At a bargaining table the deal is fair to those who spoke, whatever the others did."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llm_net import GenAgent, Message, simulation
from llm_net.protocols.negotiation.bargaining import egalitarian, kalai_smorodinsky, nash, utilitarian
from llm_net.protocols.negotiation.bargaining_table import BargainingTable, Reveal, Solution, Wishes
from llm_net.protocols.negotiation.deal import Agreement, Negotiation, as_words, deals
from llm_net.protocols.negotiation.negotiator import Negotiator
from llm_net.protocols.negotiation.problem import Problem
from llm_net.protocols.tie import Order

CAR = Negotiation(body="the car", issues={"price": ("5", "6", "7"), "paint": ("red", "blue")})
SOLUTIONS = [nash, kalai_smorodinsky, egalitarian, utilitarian]
Points = Mapping[str, Mapping[str, int]]

BUYER: Points = {"price": {"5": 6, "6": 3, "7": 0}, "paint": {"red": 2, "blue": 0}}
SELLER: Points = {"price": {"5": 0, "6": 3, "7": 6}, "paint": {"red": 0, "blue": 1}}


def party(name: str, worth: Points, reservation: int = 0) -> Negotiator:
    exact = {issue: {value: Decimal(points) for value, points in values.items()} for issue, values in worth.items()}
    return Negotiator(id=name, worth=exact, reservation=Decimal(reservation))


def settled(
    *parties: GenAgent, solution: Solution = nash, ties: Order | None = None, ex_parte: bool = False
) -> Agreement:
    async def main() -> Agreement:
        table = BargainingTable(
            id="table", agents=parties, solution=solution, ties=ties, ex_parte=ex_parte, patience=60
        )
        async with table.run(CAR) as run:
            pass
        assert isinstance(run.result, Agreement)
        return run.result

    return simulation.run(main())


class Silent(GenAgent):
    async def areveal(self, message: Reveal) -> Message | None:
        return None


class Late(Silent):
    async def areveal(self, message: Reveal) -> Message | None:
        await self.delay(100)
        return Wishes.reply(message, worth={})


class Crashes(Silent):
    async def areveal(self, message: Reveal) -> Message | None:
        raise RuntimeError("out of order")


class Vague(Silent):
    async def areveal(self, message: Reveal) -> Message | None:
        return Wishes.reply(message, worth={"price": {"5": Decimal(9)}})


def test_who_cares_more_about_the_paint_gets_it_and_the_price_is_split() -> None:
    agreement = settled(party("anna", BUYER), party("bob", SELLER))

    assert agreement.deal == {"price": "6", "paint": "red"}
    assert agreement.body == "price 6, paint red"
    assert agreement.ties == ()


def test_equally_fair_deals_are_named_and_none_is_chosen_without_a_rule() -> None:
    red = {"price": {"5": 0, "6": 0, "7": 0}, "paint": {"red": 1, "blue": 0}}
    blue = {"price": {"5": 0, "6": 0, "7": 0}, "paint": {"red": 0, "blue": 1}}
    words = [as_words(deal) for deal in deals(CAR.issues)]

    open_ = settled(party("anna", red), party("bob", blue), solution=utilitarian)
    decided = settled(party("anna", red), party("bob", blue), solution=utilitarian, ties=Order(tuple(reversed(words))))

    assert open_.deal is None
    assert open_.ties == tuple(words)
    assert decided.deal == {"price": "7", "paint": "blue"}
    assert decided.ties == tuple(words)


def test_where_every_deal_is_somebodys_loss_there_is_none() -> None:
    agreement = settled(party("anna", BUYER, reservation=6), party("bob", SELLER, reservation=6))

    assert agreement.deal is None
    assert agreement.body == "no agreement"


@pytest.mark.parametrize(
    ("absent", "why"),
    [
        (Silent, "nobody will send"),
        (Late, "no answer within 60 s"),
        (Crashes, "out of order"),
        (Vague, "points to each value of each issue"),
    ],
)
def test_without_all_wishes_there_is_no_deal_unless_it_is_made_without_the_absent(
    absent: type[Silent], why: str
) -> None:
    members = party("anna", BUYER), party("bob", SELLER), absent(id="carla")

    together, without = settled(*members), settled(*members, ex_parte=True)

    assert together.deal is None
    assert without.deal == {"price": "6", "paint": "red"}
    assert why in together.absent["carla"]
    assert why in without.absent["carla"]


@pytest.mark.parametrize("points", ["1E+999999999", "1E-999999999", "NaN", "-Infinity"])
def test_points_that_would_take_up_all_memory_are_none(points: str) -> None:
    with pytest.raises(ValidationError):
        Wishes(worth={"price": {"5": Decimal(points)}})


points = st.integers(0, 9)
wishes = st.fixed_dictionaries({
    "price": st.fixed_dictionaries({"5": points, "6": points, "7": points}),
    "paint": st.fixed_dictionaries({"red": points, "blue": points}),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(wishes, st.integers(0, 9)), min_size=1, max_size=3), st.sampled_from(SOLUTIONS))
def test_what_is_agreed_on_is_efficient_and_nobodys_loss(parties: list[tuple[Points, int]], solution: Solution) -> None:
    members = [party(f"m{index}", worth, reservation) for index, (worth, reservation) in enumerate(parties)]
    every = deals(CAR.issues)
    rule = Order(tuple(map(as_words, every)))

    agreement = settled(*members, solution=solution, ties=rule)

    worth = {as_words(deal): [Fraction(member.utility(deal)) for member in members] for deal in every}
    problem = Problem(worth, tuple(Fraction(member.reservation) for member in members))
    assert (agreement.deal is None) == (problem.candidates() == ())
    if agreement.deal is not None:
        assert as_words(agreement.deal) in problem.candidates()
        assert as_words(agreement.deal) == rule.rank(solution(problem))[0]
