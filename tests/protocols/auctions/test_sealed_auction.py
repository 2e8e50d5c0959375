"""Sealed-bid auctions as networks: the rule decides, whatever some bidders do, and nobody pays what they have not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import Message
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import Inform, NotUnderstood
from llm_net.protocols.auctions.bid import Bid
from llm_net.protocols.auctions.sale import Closing, Sale, Sell
from llm_net.protocols.auctions.sealed_auction import (
    CallForBids,
    PriceRule,
    SealedAuction,
    SealedBid,
    award_by,
    in_a_sentence,
)
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot, Order, TieRule
from tests.protocols.auctions.bidders import bidders, ending, troublemakers, worth
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash, said_in

VASE = Sell(body="a vase")
VALUES = {"ann": 4, "bob": 9, "cat": 7, "dan": 1}
RULES: tuple[PriceRule, ...] = ("first-price", "vickrey", "all-pay", 3)


def sold(values: Mapping[str, int], rule: PriceRule = "vickrey", ties: TieRule | None = None, reserve: int = 0) -> Sale:
    auction = SealedAuction(agents=bidders(values), rule=rule, ties=ties, reserve=Decimal(reserve))
    return outcome_of(auction, VASE, Sale)


@pytest.mark.parametrize(("rule", "price"), [("first-price", 9), ("vickrey", 7), (3, 4), ("all-pay", 0)])
def test_the_highest_bid_wins_and_pays_by_the_rule(rule: PriceRule, price: int) -> None:
    sale = sold(VALUES, rule)

    assert (sale.body, ending(sale)) == ("a vase", f"bob for {price}")
    assert sale.fees == (VALUES if rule == "all-pay" else {})


def test_bids_are_seen_by_the_auctioneer_alone_and_who_bid_is_told_the_end() -> None:
    said = said_in(SealedAuction(id="house", agents=bidders({"ann": 4, "bob": 9})), VASE)

    rule = "rule='The highest bid wins and pays the second highest.', reserve=0, budget=None"
    assert said == [
        f"house → ann  call_for_bids: a vase {rule}",
        f"house → bob  call_for_bids: a vase {rule}",
        "ann → house  sealed_bid: amount=4",
        "bob → house  sealed_bid: amount=9",
        "house → ann  inform: a vase winner='bob', price=4",
        "house → bob  inform: a vase winner='bob', price=4",
        "house → ·  sale: a vase winner='bob', price=4",
    ]


@pytest.mark.parametrize("rule", RULES)
def test_bidders_are_told_the_rule_in_a_sentence(rule: PriceRule) -> None:
    assert in_a_sentence(rule).startswith("The highest bid wins")
    assert len({in_a_sentence(each) for each in RULES}) == len(RULES)


def test_below_the_reserve_nobody_bids_and_nothing_is_sold() -> None:
    sale = sold({"ann": 4, "bob": 3}, reserve=5)

    assert ending(sale) == "nobody"
    assert sale.absent == {"ann": "it refused", "bob": "it refused"}


def test_a_tie_is_the_result_until_a_rule_is_declared() -> None:
    equal = {"ann": 5, "bob": 5, "cat": 1}

    assert (ending(sold(equal)), sold(equal).ties) == ("nobody", ("ann", "bob"))
    for rule, winner in ((Order(("bob", "ann")), "bob"), (Lot(1), Lot(1).rank(("ann", "bob"))[0])):
        sale = sold(equal, ties=rule)
        assert (ending(sale), sale.ties) == (f"{winner} for 5", ("ann", "bob"))


@pytest.mark.parametrize("rule", RULES)
def test_who_is_silent_late_crashes_or_lies_changes_nothing(rule: PriceRule) -> None:
    spoiled = SealedAuction(agents=[*troublemakers(worth(100)), *bidders(VALUES)], rule=rule)

    sale = outcome_of(spoiled, VASE, Sale)

    clean = sold(VALUES, rule)
    assert (sale.winner, sale.price, sale.fees) == (clean.winner, clean.price, clean.fees)
    assert list(sale.absent) == ["silent", "late", "crashing", "lying"]
    assert sale.absent["late"] == "no answer within 120 s"


def test_a_bid_that_is_no_amount_or_out_of_bounds_is_refused_at_its_sender() -> None:
    def says(amount: int) -> Speaker:
        return Speaker(id=f"bids {amount}", says=lambda message: SealedBid.reply(message, amount=amount))

    auction = SealedAuction(
        agents=[says(-1), says(1), says(5), says(50)],
        reserve=Decimal(2),
        budgets={"bids 5": Decimal(9), "bids 50": Decimal(9)},
    )

    sale = outcome_of(auction, VASE, Sale)

    assert ending(sale) == "bids 5 for 2"
    assert "50 is more than you can pay; say at most 9" in sale.absent["bids 50"]
    assert "bids 1" not in sale.absent, "who has no budget is not even asked"
    unbound = outcome_of(SealedAuction(agents=[says(-1), says(1)], reserve=Decimal(2)), VASE, Sale)
    assert "1 is too little; say at least 2" in unbound.absent["bids 1"]
    assert "greater than or equal to 0" in unbound.absent["bids -1"]


def test_who_leaves_after_its_bid_is_not_told_and_ends_nothing() -> None:
    class Leaver(Speaker):
        def call_for_bids(self, message: CallForBids) -> list[Message]:
            return [SealedBid.reply(message, amount=9), NotUnderstood.reply(message)]

    slow = Speaker(id="ann", says=worth(4), after=1)
    auction = SealedAuction(agents=[Leaver(id="bob", says=lambda message: None), slow])

    assert outcome_of(auction, VASE, Sale).winner == "bob"


def test_a_model_is_offered_amounts_that_it_can_pay_and_that_the_seller_takes() -> None:
    model = ScriptedModel(['{"act": "sealed_bid", "amount": 8, "body": null}'])
    budgets = {"ann": Decimal(8)}
    auction = SealedAuction(agents=[Voice(id="ann", model=model)], budgets=budgets, reserve=Decimal(3))

    sale = outcome_of(auction, VASE, Sale)

    assert ending(sale) == "ann for 3"
    [request] = model.requests
    assert request.output is not None
    assert "'amount': {'type': 'number', 'minimum': 3.0, 'maximum': 8.0}" in str(request.output.schema)


def test_a_network_bids_what_its_own_members_would_pay() -> None:
    class Club(SealedAuction):
        """Bids the highest price at which it could sell the item to a member."""

        async def acall_for_bids(self, message: CallForBids) -> Message:
            sale = await self.asell(Sell(body=message.body, sender=self, receiver=self))
            return SealedBid.reply(message, amount=sale.price)

        def inform(self, message: Inform) -> None:
            """The club knows."""

    club = Club(id="club", agents=bidders({"ann": 8, "bob": 6}), rule="first-price")
    auction = SealedAuction(agents=[club, *bidders({"cat": 7})])

    sale = outcome_of(auction, VASE, Sale)

    assert ending(sale) == "club for 7"


def test_a_recorded_auction_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    def house() -> SealedAuction:
        members = [*bidders(VALUES), Speaker(id="late", says=worth(100), after=500)]
        return SealedAuction(id="house", agents=members, budgets=dict.fromkeys(VALUES, Decimal(9)), rule="all-pay")

    assert len(set(outcomes_after_each_crash(house, VASE))) == 1


def test_who_hears_the_end_knows_who_won() -> None:
    heard: list[Message] = []

    def says(message: Message) -> Message | None:
        heard.append(message)
        return worth(3)(message)

    outcome_of(SealedAuction(agents=[Speaker(id="ann", says=says), *bidders({"bob": 5})]), VASE, Sale)

    assert isinstance(heard[-1], Closing)
    assert (heard[-1].winner, heard[-1].price) == ("bob", Decimal(3))


# ------------------------------------------------------------------------------------------------ laws

values = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 12))
rules = st.sampled_from(RULES)


@settings(max_examples=30, deadline=None)
@given(values, rules, st.integers(0, 5).map(Decimal), st.integers(0, 99))
def test_the_network_awards_as_the_mechanism_does(
    bids: dict[str, int], rule: PriceRule, reserve: Decimal, seed: int
) -> None:
    sale = outcome_of(SealedAuction(agents=bidders(bids), rule=rule, reserve=reserve, ties=Lot(seed)), VASE, Sale)

    made = [Bid(name, Decimal(value)) for name, value in bids.items() if value >= reserve]
    award = award_by(rule, made, reserve)
    assert sale.winner == award.winner(Lot(seed))
    assert sale.payments == award.payments(Lot(seed))


@settings(max_examples=30, deadline=None)
@given(values, st.integers(0, 12), st.integers(0, 12), st.integers(0, 5).map(Decimal))
def test_to_bid_what_it_is_worth_is_best_under_vickreys_rule(
    others: dict[str, int], value: int, lie: int, reserve: Decimal
) -> None:
    def gain(bid: int) -> Decimal:
        auction = SealedAuction(agents=bidders({**others, "me": bid}), reserve=reserve, ties=Lot(0))
        sale = outcome_of(auction, VASE, Sale)
        return value - (sale.price or Decimal(0)) if sale.winner == "me" else Decimal(0)

    assert gain(value) >= max(Decimal(0), gain(lie))


@settings(max_examples=20, deadline=None)
@given(st.lists(values, max_size=3), st.dictionaries(st.sampled_from("abcde"), st.integers(0, 20).map(Decimal)), rules)
def test_over_many_sales_no_budget_is_overdrawn_and_no_money_is_lost(
    sales: list[dict[str, int]], budgets: dict[str, Decimal], rule: PriceRule
) -> None:
    paid = Decimal(0)
    left: Mapping[str, Decimal] = budgets
    for bids in sales:
        auction = SealedAuction(agents=bidders(bids), rule=rule, budgets=left, ties=Lot(3))
        paid += sum(outcome_of(auction, VASE, Sale).payments.values())
        assert auction.budgets is not None
        left = auction.budgets

    assert all(amount >= 0 for amount in left.values())
    assert sum(budgets.values()) == sum(left.values()) + paid
