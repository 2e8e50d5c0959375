"""English and Dutch auctions as networks: they end as the sealed auctions that they are equal to, whatever some bidders do."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llm_net import GenAgent, GenNetwork, Message
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import Inform, NotUnderstood, Propose, Refuse
from llm_net.protocols.auctions.bid import Bid
from llm_net.protocols.auctions.dutch_auction import DutchAuction
from llm_net.protocols.auctions.english_auction import EnglishAuction, PriceCall, TakePrice
from llm_net.protocols.auctions.sale import Sale, Sell
from llm_net.protocols.auctions.sealed import first_price, vickrey
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot, Order, TieRule
from tests.protocols.auctions.bidders import bidders, ending, troublemakers, worth
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash, said_in

VASE = Sell(body="a vase")
VALUES = {"ann": 4, "bob": 9, "cat": 7}


def english(members: list[GenAgent], increment: int = 1, reserve: int = 0, ties: TieRule | None = None) -> Sale:
    auction = EnglishAuction(agents=members, increment=Decimal(increment), reserve=Decimal(reserve), ties=ties)
    return outcome_of(auction, VASE, Sale)


def dutch(members: list[GenAgent], start: int = 12, reserve: int = 0, ties: TieRule | None = None) -> Sale:
    return outcome_of(
        DutchAuction(agents=members, start=Decimal(start), reserve=Decimal(reserve), ties=ties), VASE, Sale
    )


# ------------------------------------------------------------------------------------------------ English


def test_an_english_auction_is_raised_until_nobody_bids_more() -> None:
    auction = EnglishAuction(id="house", agents=bidders({"ann": 2, "bob": 9}), increment=Decimal(2))

    assert said_in(auction, VASE) == [
        "house → ann  inform: For sale: a vase",
        "house → bob  inform: For sale: a vase",
        "house → ann  cfp: a vase price=0",
        "house → bob  cfp: a vase price=0",
        "ann → house  propose",
        "bob → house  propose",
        "house → ann  accept_proposal: You lead",
        "house → bob  reject_proposal: Another leads",
        "house → bob  cfp: a vase price=2",
        "bob → house  propose",
        "house → bob  accept_proposal: You lead",
        "house → ann  cfp: a vase price=4",
        "ann → house  refuse",
        "house → ann  inform: a vase winner='bob', price=2",
        "house → bob  inform: a vase winner='bob', price=2",
        "house → ·  sale: a vase winner='bob', price=2",
    ]


def test_who_bid_the_same_as_the_winner_and_no_more_ties_with_it() -> None:
    equal = bidders({"ann": 4, "bob": 4, "cat": 4})

    assert english(equal, ties=Order(("cat", "bob", "ann")), increment=4).ties == ("bob", "ann")
    assert ending(english(equal, increment=4)) == "bob for 4", "ann led at 0 and was not called 4"
    assert english(bidders({"ann": 4, "bob": 9}), increment=4).ties == ()


def test_the_hammer_falls_after_the_last_call() -> None:
    auction = EnglishAuction(agents=bidders({"ann": 99, "bob": 99}), calls=5)

    assert ending(outcome_of(auction, VASE, Sale)) == "ann for 4"


def test_where_nobody_is_or_nobody_bids_nothing_is_sold() -> None:
    assert ending(english([])) == "nobody"
    assert ending(english(bidders(VALUES), reserve=20)) == "nobody"
    assert ending(english(bidders({"ann": 4}))) == "ann for 0"


def test_a_price_that_somebody_cannot_pay_is_not_called_to_them() -> None:
    budgets = {"ann": Decimal(3), "bob": Decimal(8)}
    auction = EnglishAuction(agents=bidders({"ann": 9, "bob": 9, "cat": 9}), budgets=budgets)

    sale = outcome_of(auction, VASE, Sale)

    assert ending(sale) in ("bob for 3", "bob for 4")
    assert auction.budgets == {"ann": Decimal(3), "bob": 8 - (sale.price or Decimal(0))}


# ------------------------------------------------------------------------------------------------ Dutch


def test_a_dutch_auction_is_lowered_until_somebody_takes_the_price() -> None:
    auction = DutchAuction(id="house", agents=bidders({"ann": 2, "bob": 9}), start=Decimal(10))

    assert said_in(auction, VASE) == [
        "house → ann  inform: For sale: a vase",
        "house → bob  inform: For sale: a vase",
        "house → ann  cfp: a vase price=10",
        "house → bob  cfp: a vase price=10",
        "ann → house  refuse",
        "bob → house  refuse",
        "house → ann  cfp: a vase price=9",
        "house → bob  cfp: a vase price=9",
        "ann → house  refuse",
        "bob → house  propose",
        "house → bob  accept_proposal",
        "house → ann  inform: a vase winner='bob', price=9",
        "house → bob  inform: a vase winner='bob', price=9",
        "house → ·  sale: a vase winner='bob', price=9",
    ]


def test_who_takes_the_same_price_ties_and_a_rule_says_who_was_first() -> None:
    equal = bidders({"ann": 4, "bob": 4, "cat": 1})

    assert ending(dutch(equal)) == "ann for 4"
    assert ending(dutch(equal, ties=Order(("bob", "ann")))) == "bob for 4"
    assert set(dutch(equal).ties) == {"ann", "bob"}


def test_a_dutch_auction_ends_at_the_reserve() -> None:
    assert ending(dutch(bidders({"ann": 3}), reserve=4)) == "nobody"
    assert ending(dutch(bidders({"ann": 4}), reserve=4)) == "ann for 4"
    with pytest.raises(ValidationError, match="start above"):
        DutchAuction(agents=[], start=Decimal(1), reserve=Decimal(2))


def test_who_can_pay_little_is_called_late() -> None:
    auction = DutchAuction(agents=bidders({"ann": 9, "bob": 2}), start=Decimal(9), budgets={"ann": Decimal(3)})

    assert ending(outcome_of(auction, VASE, Sale)) == "ann for 3"
    assert auction.budgets == {"ann": Decimal(0)}


# ------------------------------------------------------------------------------------------------ both


def test_who_is_silent_late_crashes_or_lies_changes_nothing() -> None:
    spoilers = troublemakers(worth(100))

    for spoiled, clean in (
        (english([*spoilers, *bidders(VALUES)]), english(bidders(VALUES))),
        (dutch([*spoilers, *bidders(VALUES)], start=12), dutch(bidders(VALUES), start=12)),
    ):
        assert ending(spoiled) == ending(clean)
        assert list(spoiled.absent) == ["silent", "late", "crashing", "lying"]
        assert "cannot say" in spoiled.absent["lying"]


def test_who_bids_unasked_or_after_it_left_is_refused() -> None:
    def says(message: Message) -> Message | None:
        if isinstance(message, PriceCall) and not message.price:
            return TakePrice.reply(message)
        return Propose.reply(message) if isinstance(message, PriceCall) else TakePrice.reply(message)

    sale = english([Speaker(id="eager", says=says), *bidders(VALUES)])

    assert ending(sale) == ending(english(bidders(VALUES)))


def test_who_does_not_understand_the_beginning_or_that_it_leads_ends_nothing() -> None:
    def says(message: Message) -> Message | None:
        return TakePrice.reply(message) if isinstance(message, PriceCall) else NotUnderstood.reply(message)

    slow = Speaker(id="ann", says=worth(3), after=1)

    assert ending(english([Speaker(id="odd", says=says), slow])) == "ann for 0"
    assert ending(dutch([Speaker(id="odd", says=says), slow])) == "ann for 3"


def test_a_network_bids_as_its_own_members_do() -> None:
    class Club(GenNetwork):
        """Takes a price that a member would take."""

        async def acfp(self, message: PriceCall) -> Message:
            answers = await self.gather(Message(body=str(message.price), receiver=member) for member in self)
            return (TakePrice if any(each.body == "yes" for each in answers) else Refuse).reply(message)

        def inform(self, message: Inform) -> None:
            """The club knows."""

        def accept_proposal(self, message: Message) -> None:
            """The club leads."""

        def reject_proposal(self, message: Message) -> None:
            """The club does not."""

    def member(name: str, value: int) -> Speaker:
        return Speaker(id=name, says=lambda message: message.reply(body="yes" if int(message.body) <= value else "no"))

    club = Club(id="club", agents=[member("dan", 6), member("eve", 8)])

    assert ending(english([club, *bidders({"ann": 5})])) == "club for 6"
    assert ending(dutch([club, *bidders({"ann": 5})])) == "club for 8"


def test_models_say_in_one_choice_whether_they_bid() -> None:
    yes, no = '{"act": "take_price"}', '{"act": "refuse"}'
    ann, bob = (
        Voice(id=name, model=ScriptedModel(said), stepwise=True)
        for name, said in {"ann": [yes, "", yes, ""], "bob": [yes, "", yes, "", no, "too much"]}.items()
    )

    assert ending(english([ann, bob])) == "ann for 2"


def test_recorded_auctions_replay_and_after_a_crash_come_to_the_same_end() -> None:
    def members() -> list[GenAgent]:
        return [*bidders({"ann": 2, "bob": 3}), Speaker(id="late", says=worth(100), after=500)]

    for make in (
        lambda: EnglishAuction(id="house", agents=members()),
        lambda: DutchAuction(id="house", agents=members(), start=Decimal(4)),
    ):
        assert len(set(outcomes_after_each_crash(make, VASE))) == 1


# ------------------------------------------------------------------------------------------------ laws

values = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 12))
reserves = st.integers(0, 6)


def sealed(worth: Mapping[str, int]) -> list[Bid]:
    return [Bid(name, Decimal(value)) for name, value in worth.items()]


@settings(max_examples=30, deadline=None)
@given(values, reserves, st.integers(1, 5), st.integers(0, 99))
def test_among_the_truthful_an_english_price_is_within_one_increment_of_the_second_value(
    worth: dict[str, int], reserve: int, increment: int, seed: int
) -> None:
    sale = english(bidders(worth), increment=increment, reserve=reserve, ties=Lot(seed))

    exact = vickrey(sealed(worth), reserve=Decimal(reserve))
    assert (sale.price is None) == (exact.price is None)
    if sale.price is not None and exact.price is not None and sale.winner is not None:
        assert abs(sale.price - exact.price) <= increment
        assert worth[sale.winner] >= sale.price, "nobody who is truthful loses"
        assert worth[sale.winner] > max(worth.values()) - increment, "it goes to the best, up to an increment"


@settings(max_examples=30, deadline=None)
@given(values, reserves, st.integers(0, 99))
def test_a_dutch_auction_ends_as_first_price(worth: dict[str, int], reserve: int, seed: int) -> None:
    sale = dutch(bidders(worth), start=15, reserve=reserve, ties=Lot(seed))

    award = first_price(sealed(worth), reserve=Decimal(reserve))
    assert (sale.winner, sale.price) == (award.winner(Lot(seed)), award.price)
    assert set(sale.ties) == (set(award.winners) if award.tied else set())


@settings(max_examples=20, deadline=None)
@given(st.lists(values, max_size=3), st.dictionaries(st.sampled_from("abcde"), st.integers(0, 20).map(Decimal)))
def test_over_many_sales_no_budget_is_overdrawn_and_no_money_is_lost(
    sales: list[dict[str, int]], budgets: dict[str, Decimal]
) -> None:
    for kind in ("english", "dutch"):
        paid, left = Decimal(0), dict(budgets)
        for values_now in sales:
            members = bidders(values_now)
            auction = (
                EnglishAuction(agents=members, budgets=left)
                if kind == "english"
                else DutchAuction(agents=members, budgets=left, start=Decimal(12))
            )
            paid += outcome_of(auction, VASE, Sale).price or 0
            left = dict(auction.budgets or {})
        assert all(amount >= 0 for amount in left.values())
        assert sum(budgets.values()) == sum(left.values()) + paid
