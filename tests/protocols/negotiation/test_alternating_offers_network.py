"""Alternating offers among rules, silence, lies and delays: what is agreed on is what all said yes to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, GenNetwork, Limits, Message, simulation
from llm_net.errors import AgentFailed, LimitReached
from llm_net.journal import MemoryJournal
from llm_net.protocols.negotiation.alternating_offers import (
    Accept,
    AlternatingOffers,
    FirstTurn,
    Leave,
    NextTurn,
    Offer,
    Settled,
)
from llm_net.protocols.negotiation.deal import Agreement, Deal, Negotiation, deals
from llm_net.protocols.negotiation.negotiator import Negotiator

CAR = Negotiation(body="the car", issues={"price": ("5", "6", "7"), "paint": ("red", "blue")})
BUYER = {"price": {"5": 4, "6": 2, "7": 0}, "paint": {"red": 1, "blue": 0}}
SELLER = {"price": {"5": 0, "6": 2, "7": 4}, "paint": {"red": 0, "blue": 1}}


def negotiator(
    name: str, worth: Mapping[str, Mapping[str, int]], reservation: int = 0, exponent: float = 1
) -> Negotiator:
    exact = {issue: {value: Decimal(points) for value, points in values.items()} for issue, values in worth.items()}
    return Negotiator(id=name, worth=exact, reservation=Decimal(reservation), exponent=exponent)


def played(*parties: GenAgent, root: Negotiation = CAR, rounds: int = 10, patience: float = 60) -> Agreement:
    async def main() -> Agreement:
        network = AlternatingOffers(id="table", agents=parties, rounds=rounds, patience=patience)
        async with network.run(root) as run:
            pass
        assert isinstance(run.result, Agreement)
        return run.result

    return simulation.run(main())


class Says(GenAgent):
    """Says the same at each turn, and keeps what it was told at the end."""

    answer: type[Message] = Accept
    deal: Deal = {"price": "5", "paint": "red"}
    told: list[Deal | None] = []
    turns: list[NextTurn] = []

    def first_turn(self, message: FirstTurn) -> Message:
        return Offer.reply(message, deal=self.deal)

    async def anext_turn(self, message: NextTurn) -> Message | None:
        self.turns.append(message)
        return Offer.reply(message, deal=self.deal) if self.answer is Offer else self.answer.reply(message)

    def settled(self, message: Settled) -> None:
        self.told.append(message.deal)


class Silent(Says):
    async def anext_turn(self, message: NextTurn) -> None:
        return None


class Late(Says):
    async def anext_turn(self, message: NextTurn) -> Message:
        await self.delay(100)
        return Accept.reply(message)


class Crashes(Says):
    async def anext_turn(self, message: NextTurn) -> Message:
        raise RuntimeError("out of order")


class AcceptsTooSoon(Says):
    def first_turn(self, message: FirstTurn) -> Message:
        return Accept.reply(message)


def test_an_offer_that_the_other_accepts_is_the_agreement_and_both_are_told() -> None:
    anna, bob = Says(id="anna"), Says(id="bob")

    agreement = played(anna, bob)

    assert agreement.deal == {"price": "5", "paint": "red"}
    assert agreement.body == "price 5, paint red"
    assert agreement.round == 1
    assert anna.told == bob.told == [agreement.deal]


def test_all_others_have_to_accept_one_after_the_other() -> None:
    anna, carla = Says(id="anna", answer=Offer), Says(id="carla")
    bob = Says(id="bob", answer=Offer, deal={"price": "6", "paint": "blue"})

    agreement = played(anna, bob, carla, rounds=3)

    assert agreement.deal is None
    assert agreement.round == 3
    assert {(turn.by, turn.accepted) for turn in carla.turns} == {("bob", ())}
    assert {(turn.by, turn.accepted) for turn in anna.turns} == {("bob", ("carla",))}


def test_an_offer_may_be_accepted_across_two_rounds() -> None:
    bob = Says(id="bob", answer=Offer, deal={"price": "6", "paint": "blue"})

    agreement = played(Says(id="anna"), bob, Says(id="carla"))

    assert agreement.deal == bob.deal
    assert agreement.round == 2


def test_who_leaves_ends_it_for_all() -> None:
    anna, bob = Says(id="anna"), Says(id="bob", answer=Leave)

    agreement = played(anna, bob, Says(id="carla"))

    assert agreement.deal is None
    assert agreement.absent == {"bob": "it left"}
    assert anna.told == [None]
    assert bob.told == []


@pytest.mark.parametrize(
    ("party", "why"),
    [(Silent, "nobody will send"), (Late, "no answer within 60 s"), (Crashes, "out of order")],
)
def test_nobody_is_bound_by_silence(party: type[Says], why: str) -> None:
    agreement = played(Says(id="anna"), party(id="bob"))

    assert agreement.deal is None
    assert why in agreement.absent["bob"]


@pytest.mark.parametrize(
    "deal", [{"price": "5"}, {"price": "4", "paint": "red"}, {"price": "5", "paint": "red", "tip": "1"}]
)
def test_a_deal_that_is_none_is_not_offered(deal: Deal) -> None:
    agreement = played(Says(id="anna", deal=deal), Says(id="bob"))

    assert agreement.deal is None
    assert "alternating-offers" in agreement.absent["anna"]


def test_what_was_not_offered_cannot_be_accepted() -> None:
    agreement = played(AcceptsTooSoon(id="anna"), Says(id="bob"))

    assert agreement.deal is None
    assert "it may say offer, leave" in agreement.absent["anna"]


def test_an_answer_that_comes_twice_counts_once() -> None:
    class Twice(Says):
        async def anext_turn(self, message: NextTurn) -> Message | None:
            await self.send(Accept.reply(message))
            return Offer.reply(message, deal={"price": "7", "paint": "blue"})

    agreement = played(Says(id="anna"), Twice(id="bob"))

    assert agreement.deal == {"price": "5", "paint": "red"}


def test_nobody_negotiates_alone() -> None:
    network = AlternatingOffers(id="table", agents=[Says(id="anna")])

    with pytest.raises(AgentFailed, match="give it two members"):
        network.result_of(CAR)
    with pytest.raises(ValueError, match="leave out what is there twice"):
        Negotiation(issues={"price": ("5", "5")})


def test_a_model_chooses_among_the_values_that_there_are() -> None:
    turn = FirstTurn(issues=CAR.issues, round=1, rounds=1)

    deal = turn.fields_for(Offer)["deal"]

    assert deal["properties"] == {
        "price": {"type": "string", "enum": ["5", "6", "7"]},
        "paint": {"type": "string", "enum": ["red", "blue"]},
    }
    assert turn.fields_for(Leave) == {}


# ------------------------------------------------------------------------------------------------ by rule


@pytest.mark.parametrize(("exponent", "time"), [(4.0, 0.841), (1.0, 0.5), (0.25, 0.0625)])
def test_two_alike_agree_within_a_round_of_the_time_at_which_they_meet(exponent: float, time: float) -> None:
    """Negmas 0.16 ends at .845, .5025 and .065 of 200 rounds."""
    pieces = tuple(str(piece) for piece in range(101))
    mine = {"pieces": {piece: int(piece) for piece in pieces}}
    theirs = {"pieces": {piece: 100 - int(piece) for piece in pieces}}
    parties = negotiator("anna", mine, exponent=exponent), negotiator("bob", theirs, exponent=exponent)

    agreement = played(*parties, root=Negotiation(issues={"pieces": pieces}), rounds=200)

    assert agreement.deal is not None
    assert abs(agreement.round / 201 - time) <= 1 / 200
    assert abs(int(agreement.deal["pieces"]) - 50) <= 1


def test_where_nothing_suits_both_there_is_no_deal_at_the_deadline() -> None:
    agreement = played(negotiator("anna", BUYER, reservation=4), negotiator("bob", SELLER, reservation=4))

    assert agreement.deal is None
    assert agreement.round == 10


def test_who_can_gain_nothing_leaves_at_once() -> None:
    agreement = played(negotiator("anna", BUYER, reservation=6), negotiator("bob", SELLER))

    assert agreement.round == 1
    assert agreement.absent == {"anna": "it left"}


points = st.integers(0, 9)
wishes = st.fixed_dictionaries({
    "price": st.fixed_dictionaries({"5": points, "6": points, "7": points}),
    "paint": st.fixed_dictionaries({"red": points, "blue": points}),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(wishes, st.integers(0, 12), st.sampled_from([0.3, 1.0, 3.0])), min_size=2, max_size=3))
def test_an_agreement_is_a_deal_and_nobodys_loss(parties: list[tuple[dict[str, dict[str, int]], int, float]]) -> None:
    members = [
        negotiator(f"m{index}", worth, reservation, exponent)
        for index, (worth, reservation, exponent) in enumerate(parties)
    ]

    agreement = played(*members, rounds=5)

    if agreement.deal is not None:
        assert agreement.deal in deals(CAR.issues)
        assert all(member.utility(agreement.deal) >= member.reservation for member in members)


@given(wishes, st.integers(0, 12), st.integers(2, 8))
def test_a_negotiator_never_offers_less_than_before_to_itself_in_vain(
    worth: dict[str, dict[str, int]], reservation: int, rounds: int
) -> None:
    """What it aspires to falls, and what it offers is the least that is worth that."""
    party = negotiator("anna", worth, reservation)
    turns = [FirstTurn(issues=CAR.issues, round=number, rounds=rounds) for number in range(1, rounds + 1)]

    offered = [party.utility(offer.deal) for turn in turns if isinstance(offer := party.first_turn(turn), Offer)]

    assert all(early >= late >= reservation for early, late in pairwise(offered))
    assert len(offered) in (0, rounds)


# ------------------------------------------------------------------------------------------------ with the rest of the house


class Delegation(GenNetwork):
    """A party that is several: whoever speaks for it is asked."""

    async def afirst_turn(self, message: FirstTurn) -> Message:
        return await self._asked(message)

    async def anext_turn(self, message: NextTurn) -> Message:
        return await self._asked(message)

    async def _asked(self, message: Message) -> Message:
        answer = await self.call(message.forward("speaker"))
        return answer.forward(self.network, reply_to=message, sender=self)


def test_a_network_may_be_a_party() -> None:
    delegation = Delegation(id="bob", agents=[negotiator("speaker", SELLER)])

    nested = played(negotiator("anna", BUYER), delegation)

    alone = played(negotiator("anna", BUYER), negotiator("bob", SELLER))
    assert nested.deal == alone.deal
    assert nested.deal is not None


def test_a_recorded_negotiation_is_resumed_and_replayed() -> None:
    def table() -> AlternatingOffers:
        return AlternatingOffers(id="table", agents=[negotiator("anna", BUYER), negotiator("bob", SELLER)])

    whole = played(negotiator("anna", BUYER), negotiator("bob", SELLER))

    async def main() -> None:
        journal = MemoryJournal()
        with pytest.raises(LimitReached):
            async with table().run(CAR, journal=journal, limits=Limits(messages=6)) as run:
                pass
        async with table().resume(journal, run.id, limits=Limits()) as again:
            pass
        assert isinstance(again.result, Agreement)
        assert again.result.deal == whole.deal
        await table().replay(journal, run.id)

    simulation.run(main())
