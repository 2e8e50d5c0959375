"""Negotiators of negmas play our alternating offers as they play those of negmas: the same deal, in the same round."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from llm_net import GenAgent, simulation
from llm_net.journal import MemoryJournal
from llm_net.protocols.negotiation.alternating_offers import AlternatingOffers
from llm_net.protocols.negotiation.bargaining import nash
from llm_net.protocols.negotiation.deal import Agreement, Negotiation, deals
from llm_net.protocols.negotiation.negmas import NegmasParty, issues_of
from llm_net.protocols.negotiation.negotiator import Negotiator
from llm_net.protocols.negotiation.problem import Problem

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it imports is deprecated here and there
    negmas = pytest.importorskip("negmas")

pytestmark = pytest.mark.filterwarnings("ignore")

SPACE = negmas.make_os([
    negmas.make_issue(["400", "500", "600"], "price"),
    negmas.make_issue(4, "month"),
    negmas.make_issue(["red", "blue"], "paint"),
])  # fmt: skip

KINDS = [
    "BoulwareTBNegotiator",
    "LinearTBNegotiator",
    "ConcederTBNegotiator",
    "AspirationNegotiator",
    "NaiveTitForTatNegotiator",
]


def ufun(seed: int, reservation: float) -> Any:
    random = Random(seed)
    tables = [{value: random.random() for value in issue.all} for issue in SPACE.issues]
    functions = [negmas.preferences.TableFun(table) for table in tables]
    weights = [1 / len(tables)] * len(tables)
    return negmas.LinearAdditiveUtilityFunction(
        functions, weights=weights, outcome_space=SPACE, reserved_value=reservation
    )


def makers(seed: int, parties: int) -> list[Callable[[], Any]]:
    random = Random(seed)
    chosen = [(random.choice(KINDS), random.random() / 2) for _ in range(parties)]

    def maker(index: int) -> Callable[[], Any]:
        kind, reservation = chosen[index]
        return lambda: getattr(negmas.sao.negotiators, kind)(ufun=ufun(100 * seed + index, reservation))

    return [maker(index) for index in range(parties)]


def ours(parties: Sequence[GenAgent], rounds: int) -> Agreement:
    async def main() -> Agreement:
        network = AlternatingOffers(id="table", agents=parties, rounds=rounds)
        async with network.run(Negotiation(issues=issues_of(SPACE))) as run:
            pass
        assert isinstance(run.result, Agreement)
        return run.result

    return simulation.run(main())


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_the_same_negotiators_come_to_the_same_deal_in_the_same_round(seed: int, parties: int) -> None:
    made = makers(seed, parties)
    mechanism = negmas.SAOMechanism(outcome_space=SPACE, n_steps=30)
    for make in made:
        mechanism.add(make())
    mechanism.run()

    agreement = ours([NegmasParty(id=f"m{index}", make=make) for index, make in enumerate(made)], rounds=30)

    theirs = mechanism.agreement
    assert agreement.absent == {}
    if theirs is None:
        assert agreement.deal is None
    else:
        assert agreement.deal == {issue.name: str(value) for issue, value in zip(SPACE.issues, theirs, strict=True)}
        assert agreement.round == mechanism.state.step


def test_one_meets_a_negotiator_of_ours() -> None:
    worth = {issue: {value: index for index, value in enumerate(values)} for issue, values in issues_of(SPACE).items()}
    bob = Negotiator.model_validate({"id": "bob", "worth": worth})

    agreement = ours([NegmasParty(id="anna", make=makers(3, 1)[0]), bob], rounds=30)

    assert agreement.deal in deals(issues_of(SPACE))


def test_in_a_recorded_run_its_answers_are_kept() -> None:
    made: list[int] = []

    def make(index: int) -> Callable[[], Any]:
        def counted() -> Any:
            made.append(index)
            return makers(5, 2)[index]()

        return counted

    def table() -> AlternatingOffers:
        return AlternatingOffers(id="table", agents=[NegmasParty(id=f"m{index}", make=make(index)) for index in (0, 1)])

    async def main() -> None:
        journal = MemoryJournal()
        async with table().run(Negotiation(issues=issues_of(SPACE)), journal=journal) as run:
            pass
        await table().replay(journal, run.id)

    simulation.run(main())
    assert sorted(made) == [0, 1]


def test_who_knows_other_issues_does_not_take_part() -> None:
    party = NegmasParty(id="anna", make=makers(1, 1)[0])

    async def main() -> Agreement:
        network = AlternatingOffers(id="table", agents=[party, NegmasParty(id="bob", make=makers(1, 1)[0])])
        async with network.run(Negotiation(issues={"price": ("400", "500")})) as run:
            pass
        assert isinstance(run.result, Agreement)
        return run.result

    assert "take them from its space by issues_of" in simulation.run(main()).absent["anna"]


def test_an_issue_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no end of values"):
        issues_of(negmas.make_os([negmas.make_issue((0.0, 1.0), "share")]))


@pytest.mark.parametrize("seed", range(30))
def test_nash_points_and_frontiers_are_those_of_negmas(seed: int) -> None:
    functions = [ufun(seed, 0.3), ufun(seed + 1_000, 0.3)]
    outcomes = list(SPACE.enumerate())
    worth = {str(outcome): [Fraction(function(outcome)) for function in functions] for outcome in outcomes}
    problem = Problem(worth, tuple(Fraction(max(0.3, min(map(function, outcomes)))) for function in functions))

    frontier, _ = negmas.preferences.ops.pareto_frontier(functions, outcomes)
    points = negmas.preferences.ops.nash_points(functions, frontier, outcomes=outcomes)

    assert sorted({tuple(map(float, worth[name])) for name in problem.candidates()}) == sorted(
        set(map(tuple, frontier))
    )
    if found := nash(problem):
        assert tuple(map(float, worth[found[0]])) == pytest.approx(points[0][0])
