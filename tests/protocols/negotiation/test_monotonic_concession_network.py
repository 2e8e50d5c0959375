"""Claims only come nearer: they meet, pass each other, or stand; and two who weigh their risks settle as Nash says."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message, simulation
from llm_net.errors import AgentFailed
from llm_net.protocols.negotiation.bargaining import nash
from llm_net.protocols.negotiation.monotonic_concession import Claim, Concede, Haggle, MonotonicConcession, Settlement
from llm_net.protocols.negotiation.problem import Problem
from llm_net.protocols.negotiation.zeuthen import Zeuthen
from llm_net.protocols.tie import Order, TieRule

SCALE = ("40", "50", "60", "70")


class Claims(GenAgent):
    """Claims one value after the other; the last one for ever."""

    values: tuple[str, ...]
    said: int = 0

    async def aconcede(self, message: Concede) -> Message | None:
        self.said += 1
        return Claim.reply(message, value=self.values[min(self.said, len(self.values)) - 1])


class Silent(Claims):
    async def aconcede(self, message: Concede) -> Message | None:
        return await super().aconcede(message) if self.said == 0 else None


class Late(Claims):
    async def aconcede(self, message: Concede) -> Message | None:
        if self.said:
            await self.delay(100)
        return await super().aconcede(message)


class Crashes(Claims):
    async def aconcede(self, message: Concede) -> Message | None:
        if self.said:
            raise RuntimeError("out of order")
        return await super().aconcede(message)


def settled(*parties: GenAgent, scale: tuple[str, ...] = SCALE, ties: TieRule | None = None) -> Settlement:
    async def main() -> Settlement:
        network = MonotonicConcession(id="table", agents=parties, patience=60, ties=ties or Order(scale))
        async with network.run(Haggle(body="the rug", scale=scale)) as run:
            pass
        assert isinstance(run.result, Settlement)
        return run.result

    return simulation.run(main())


def test_claims_that_meet_are_the_settlement() -> None:
    outcome = settled(Claims(id="anna", values=("40", "50")), Claims(id="bob", values=("70", "60", "50")))

    assert (outcome.value, outcome.round, outcome.ties) == ("50", 3, ())


def test_of_claims_that_pass_each_other_a_rule_takes_one() -> None:
    parties = [Claims(id="anna", values=("40", "60")), Claims(id="bob", values=("60", "40"))]
    again = [party.model_copy() for party in parties]

    assert settled(*parties).value == "40"
    assert settled(*again, ties=Order(SCALE[::-1])).value == "60"
    assert settled(*[Claims(id="anna", values=("70",)), Claims(id="bob", values=("40",))]).ties == ("70", "40")


def test_where_nobody_comes_nearer_there_is_a_conflict() -> None:
    outcome = settled(Claims(id="anna", values=("40",)), Claims(id="bob", values=("70", "60")))

    assert (outcome.value, outcome.round) == (None, 3)
    assert outcome.claims == {"anna": "40", "bob": "60"}


def test_a_claim_cannot_be_taken_back() -> None:
    outcome = settled(Claims(id="anna", values=("50", "40")), Claims(id="bob", values=("70", "60", "50")))

    assert outcome.value == "50"
    assert "one of 50, 60" in outcome.absent["anna"]


@pytest.mark.parametrize(
    ("party", "why"), [(Silent, "nobody will send"), (Late, "no answer within 60 s"), (Crashes, "out of order")]
)
def test_who_gives_no_answer_stands_by_its_claim(party: type[Claims], why: str) -> None:
    near = settled(Claims(id="anna", values=("40", "60")), party(id="bob", values=("60", "50")))
    far = settled(Claims(id="anna", values=("40", "50")), party(id="bob", values=("70", "60")))

    assert near.value == "60"
    assert far.value is None
    assert why in near.absent["bob"]
    assert why in far.absent["bob"]


def test_without_a_first_claim_there_is_no_settlement() -> None:
    outcome = settled(Claims(id="anna", values=("moon",)), Claims(id="bob", values=("70",)))

    assert outcome.value is None
    assert outcome.claims == {"bob": "70"}
    assert "one of 40, 50, 60, 70" in outcome.absent["anna"]


def test_it_takes_two() -> None:
    with pytest.raises(AgentFailed, match="it takes two"):
        settled(Claims(id="anna", values=("40",)))


steps = st.lists(st.integers(1, 9), min_size=2, max_size=8)


@settings(max_examples=60, deadline=None)
@given(steps, st.data())
def test_two_who_weigh_their_risks_settle_on_the_highest_product(falls: list[int], data: st.DataObject) -> None:
    """Source: Harsanyi 1956; on any scale that one likes less and the other more from value to value."""
    rises = data.draw(st.lists(st.integers(1, 9), min_size=len(falls), max_size=len(falls)))
    scale = tuple(str(index) for index in range(len(falls)))
    mine = {value: Decimal(sum(falls[index:])) for index, value in enumerate(scale)}
    theirs = {value: Decimal(sum(rises[: index + 1])) for index, value in enumerate(scale)}
    anna, bob = Zeuthen(id="anna", worth=mine, theirs=theirs), Zeuthen(id="bob", worth=theirs, theirs=mine)

    outcome = settled(anna, bob, scale=scale)

    problem = Problem({value: (Fraction(mine[value]), Fraction(theirs[value])) for value in scale}, (0, 0))
    assert outcome.value in nash(problem)
