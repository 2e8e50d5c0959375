"""Call markets as networks: one price for all, nothing made or lost, whatever some traders do."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.markets.call import clear
from llm_net.protocols.markets.call_market import CallMarket
from llm_net.protocols.markets.order import Order
from llm_net.protocols.markets.trading import OpenMarket, Trading
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Order as First
from tests.protocols.auctions.bidders import troublemakers
from tests.protocols.markets.traders import buys, sells
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash, said_in

APPLES = OpenMarket(body="apples")


def village() -> list[GenAgent]:
    return [
        Speaker(id="ann", says=buys(7)),
        Speaker(id="bob", says=buys(9)),
        Speaker(id="cat", says=sells(3)),
        Speaker(id="dan", says=sells(6)),
        Speaker(id="eve", says=sells(8)),
    ]


def deals_of(trading: Trading) -> list[str]:
    return [f"{deal.seller} → {deal.buyer}: {deal.quantity} at {deal.price}" for deal in trading.deals]


def test_as_many_as_agree_trade_at_one_price_and_each_is_told_what_came_of_its_order() -> None:
    market = CallMarket(id="market", agents=village())

    said = said_in(market, APPLES)

    assert said[10:15] == [
        "market → ann  inform: quantity=1, price=6.5",
        "market → bob  inform: quantity=1, price=6.5",
        "market → cat  inform: quantity=1, price=6.5",
        "market → dan  inform: quantity=1, price=6.5",
        "market → eve  inform: quantity=0, price=None",
    ]
    trading = outcome_of(CallMarket(agents=village()), APPLES, Trading)
    assert (trading.quantity, trading.price) == (2, Decimal("6.5"))
    assert deals_of(trading) == ["cat → bob: 1 at 6.5", "dan → ann: 1 at 6.5"]


def test_between_the_prices_that_clear_the_weight_decides() -> None:
    def price(weight: str) -> Decimal | None:
        return outcome_of(CallMarket(agents=village(), weight=Decimal(weight)), APPLES, Trading).price

    assert (price("0"), price("1")) == (Decimal(6), Decimal(7))


def test_of_equal_orders_a_rule_says_which_is_filled_and_all_are_named() -> None:
    def traders() -> list[GenAgent]:
        return [*(Speaker(id=name, says=buys(5)) for name in ("ann", "bob")), Speaker(id="cat", says=sells(5))]

    first = outcome_of(CallMarket(agents=traders()), APPLES, Trading)
    ruled = outcome_of(CallMarket(agents=traders(), ties=First(("cat", "bob", "ann"))), APPLES, Trading)

    assert (deals_of(first), first.ties) == (["cat → ann: 1 at 5"], ("ann", "bob"))
    assert (deals_of(ruled), ruled.ties) == (["cat → bob: 1 at 5"], ("bob", "ann"))


def test_one_order_that_is_filled_in_part_ties_with_nobody() -> None:
    trading = outcome_of(
        CallMarket(agents=[Speaker(id="ann", says=buys(5, 3)), Speaker(id="bob", says=sells(5))]), APPLES, Trading
    )

    assert (trading.quantity, trading.ties) == (1, ())


def test_nobody_orders_what_it_cannot_pay_or_has_not_got() -> None:
    market = CallMarket(
        agents=village(),
        cash={"ann": Decimal(6), "bob": Decimal(9)},
        goods={"cat": 1, "dan": 1},
    )

    trading = outcome_of(market, APPLES, Trading)

    assert "1 at 7 cost 7, and you have 6" in trading.absent["ann"]
    assert "you have 0 to sell" in trading.absent["eve"]
    assert deals_of(trading) == ["cat → bob: 1 at 4.5"]
    assert market.cash == {"ann": Decimal(6), "bob": Decimal("4.5"), "cat": Decimal("4.5")}
    assert market.goods == {"cat": 0, "dan": 1, "bob": 1}


def test_who_is_silent_late_crashes_or_lies_changes_nothing() -> None:
    greedy = Speaker(id="greedy", says=buys(100, 101))
    spoiled = outcome_of(CallMarket(agents=[*troublemakers(buys(100)), greedy, *village()]), APPLES, Trading)

    assert deals_of(spoiled) == deals_of(outcome_of(CallMarket(agents=village()), APPLES, Trading))
    assert list(spoiled.absent) == ["silent", "late", "crashing", "lying", "greedy"]


def test_a_model_is_offered_what_it_can_pay_and_what_it_has() -> None:
    said = ['{"act": "bid"}', '{"price": 4}', '{"quantity": 2}']
    ann = Voice(id="ann", model=(model := ScriptedModel(said)), stepwise=True)
    market = CallMarket(agents=[ann, Speaker(id="bob", says=sells(4, 2))], cash={"ann": Decimal(9)}, goods={"bob": 2})

    assert deals_of(outcome_of(market, APPLES, Trading)) == ["bob → ann: 2 at 4"]
    assert "'minimum': 0.0, 'maximum': 9.0" in str(model.requests[1].output)


def test_a_recorded_market_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    def market() -> CallMarket:
        return CallMarket(id="market", agents=[*village(), Speaker(id="late", says=buys(99), after=500)])

    assert len(set(outcomes_after_each_crash(market, APPLES))) == 1


orders = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 4)), max_size=6)


@settings(max_examples=40, deadline=None)
@given(orders, st.integers(0, 30), st.integers(0, 6))
def test_the_network_clears_as_the_mechanism_does_and_conserves_cash_and_goods(
    many: list[tuple[bool, int, int]], purse: int, store: int
) -> None:
    names = [f"t{number}" for number in range(len(many))]
    members = [
        Speaker(id=name, says=(buys if buying else sells)(price, quantity))
        for name, (buying, price, quantity) in zip(names, many, strict=True)
    ]
    market = CallMarket(agents=members, cash=dict.fromkeys(names, Decimal(purse)), goods=dict.fromkeys(names, store))

    trading = outcome_of(market, APPLES, Trading)

    made = [
        Order(name, name, "buy" if buying else "sell", Decimal(price), quantity)
        for name, (buying, price, quantity) in zip(names, many, strict=True)
        if (price * quantity <= purse if buying else quantity <= store)
    ]
    clearing = clear(made, weight=Fraction(1, 2))
    assert (trading.quantity, trading.price) == (clearing.quantity, clearing.price)
    assert {order.trader for order in made} == set(names) - set(trading.absent)
    assert market.cash is not None and market.goods is not None
    assert sum(market.cash.values()) == purse * len(names)
    assert sum(market.goods.values()) == store * len(names)
    assert all(left >= 0 for left in market.cash.values())
    assert all(left >= 0 for left in market.goods.values())
