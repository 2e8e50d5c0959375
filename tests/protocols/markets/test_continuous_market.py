"""Continuous markets as networks: price before time, nothing made or lost, and an end, whatever some traders do."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net import GenAgent, Message
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.acts import Refuse
from llm_net.protocols.markets.continuous_market import ContinuousMarket, MarketNews, Withdraw
from llm_net.protocols.markets.trading import Ask, Bid, OpenMarket, Trading
from llm_net.protocols.participant import Voice
from tests.protocols.auctions.bidders import troublemakers
from tests.protocols.markets.test_call_market import deals_of
from tests.protocols.markets.traders import buys, sells
from tests.protocols.speakers import Says, Speaker, outcome_of, outcomes_after_each_crash

APPLES = OpenMarket(body="apples")


def by_turn(*turns: type[Message] | tuple[type[Message], dict[str, object]]) -> Says:
    """Says something else in each round, and nothing more after the last."""

    def says(message: Message) -> Message | None:
        if not isinstance(message, MarketNews) or message.turn > len(turns):
            return Refuse.reply(message)
        said = turns[message.turn - 1]
        kind, fields = said if isinstance(said, tuple) else (said, {})
        return kind.reply(message, **fields)

    return says


def test_an_order_waits_until_another_one_agrees_and_trades_at_its_price() -> None:
    ann = Speaker(id="ann", says=by_turn((Bid, {"price": 5, "quantity": 3})))
    bob = Speaker(id="bob", says=by_turn(Refuse, (Ask, {"price": 4, "quantity": 2})))
    cat = Speaker(id="cat", says=by_turn(Refuse, Refuse, (Ask, {"price": 5})))

    trading = outcome_of(ContinuousMarket(agents=[ann, bob, cat]), APPLES, Trading)

    assert deals_of(trading) == ["bob → ann: 2 at 5", "cat → ann: 1 at 5"]
    assert (trading.quantity, trading.price) == (3, Decimal(5))


def test_an_order_that_is_withdrawn_no_longer_trades() -> None:
    ann = Speaker(id="ann", says=by_turn((Bid, {"price": 5}), (Withdraw, {"order": "ann-1"})))
    bob = Speaker(id="bob", says=by_turn(Refuse, Refuse, (Ask, {"price": 1})))

    assert not outcome_of(ContinuousMarket(agents=[ann, bob]), APPLES, Trading).deals


def test_nobody_withdraws_what_is_another_ones() -> None:
    ann = Speaker(id="ann", says=by_turn((Bid, {"price": 5})))
    bob = Speaker(id="bob", says=by_turn(Refuse, (Withdraw, {"order": "ann-1"})))

    trading = outcome_of(ContinuousMarket(agents=[ann, bob]), APPLES, Trading)

    assert "no order 'ann-1' of yours waits; there is none" in trading.absent["bob"]


def test_traders_are_told_how_the_market_stands() -> None:
    heard: list[MarketNews] = []

    def listens(message: Message) -> Message:
        assert isinstance(message, MarketNews)
        heard.append(message)
        return Refuse.reply(message)

    traders = [Speaker(id="ann", says=buys(3)), Speaker(id="bob", says=sells(6)), Speaker(id="cat", says=listens)]
    market = ContinuousMarket(agents=traders, cash={"ann": Decimal(9)}, goods={"bob": 4}, rounds=5)

    outcome_of(market, APPLES, Trading)

    assert [(news.turn, news.best_bid, news.best_ask) for news in heard] == [
        (1, None, None),
        (2, Decimal(3), Decimal(6)),
    ]


def test_what_waits_is_bound_until_it_is_withdrawn() -> None:
    ann = Speaker(id="ann", says=by_turn((Bid, {"price": 5}), (Bid, {"price": 5})))
    market = ContinuousMarket(agents=[ann], cash={"ann": Decimal(8)})

    assert "1 at 5 cost 5, and you have 3" in outcome_of(market, APPLES, Trading).absent["ann"]


def test_it_ends_when_nobody_does_anything_or_time_is_up() -> None:
    rounds: list[int] = []

    def busy(message: Message) -> Message:
        assert isinstance(message, MarketNews)
        rounds.append(message.turn)
        return Bid.reply(message, price=1)

    def lasts(seconds: float | None) -> int:
        rounds.clear()
        slow = Speaker(id="ann", says=busy, after=10)
        outcome_of(ContinuousMarket(agents=[slow], rounds=6, seconds=seconds), APPLES, Trading)
        return len(rounds)

    assert (lasts(None), lasts(25)) == (6, 3)
    assert not outcome_of(ContinuousMarket(agents=[]), APPLES, Trading).deals


def test_who_is_silent_late_crashes_or_lies_changes_nothing_and_is_asked_once() -> None:
    def village() -> list[GenAgent]:
        return [
            Speaker(id="ann", says=by_turn((Bid, {"price": 5, "quantity": 3}))),
            Speaker(id="bob", says=by_turn(Refuse, (Ask, {"price": 4, "quantity": 2}))),
        ]

    spoiled = outcome_of(ContinuousMarket(agents=[*troublemakers(sells(0, 9)), *village()]), APPLES, Trading)

    assert deals_of(spoiled) == deals_of(outcome_of(ContinuousMarket(agents=village()), APPLES, Trading))
    assert list(spoiled.absent) == ["silent", "late", "crashing", "lying"]


def test_a_model_chooses_among_its_own_orders() -> None:
    said = ['{"act": "bid"}', '{"price": 4}', '{"quantity": 1}', '{"act": "withdraw"}', '{"order": "ann-1"}']
    ann = Voice(id="ann", model=(model := ScriptedModel(said)), stepwise=True)

    outcome_of(ContinuousMarket(agents=[ann], rounds=2), APPLES, Trading)

    assert "'enum': ['ann-1']" in str(model.requests[-1].output)


def test_a_market_in_a_market_orders_for_its_members() -> None:
    class Stall(ContinuousMarket):
        """Sells outside for what its own traders last paid."""

        async def amarket_news(self, message: MarketNews) -> Message:
            trading = await self.aopen_market(OpenMarket(body=message.body, sender=self, receiver=self))
            return Refuse.reply(message) if trading.price is None else Ask.reply(message, price=trading.price)

    stall = Stall(id="stall", agents=[Speaker(id="cat", says=buys(3)), Speaker(id="dan", says=sells(3))])
    market = ContinuousMarket(agents=[stall, Speaker(id="ann", says=buys(9))], rounds=1)

    trading = outcome_of(market, APPLES, Trading)

    assert trading.quantity == 1
    assert [(deal.seller, deal.buyer) for deal in trading.deals] == [("stall", "ann")]


def test_a_recorded_market_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    def market() -> ContinuousMarket:
        traders = [Speaker(id=f"b{price}", says=buys(price)) for price in (3, 5)]
        return ContinuousMarket(
            id="market",
            agents=[*traders, Speaker(id="s", says=sells(3, 2)), Speaker(id="late", says=buys(9), after=500)],
        )

    assert len(set(outcomes_after_each_crash(market, APPLES))) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 20), st.integers(0, 4))
def test_whatever_is_said_the_book_is_not_crossed_and_cash_and_goods_are_conserved(
    seed: int, purse: int, store: int
) -> None:
    chance, crossed = Random(seed), False

    def says(message: Message) -> Message:
        nonlocal crossed
        assert isinstance(message, MarketNews)
        best_bid, best_ask = message.best_bid, message.best_ask
        crossed = crossed or (best_bid is not None and best_ask is not None and best_bid >= best_ask)
        price, quantity = chance.randrange(9), chance.randrange(1, 4)
        match chance.randrange(4):
            case 0:
                return Bid.reply(message, price=price, quantity=quantity)
            case 1:
                return Ask.reply(message, price=price, quantity=quantity)
            case 2 if message.waiting:
                return Withdraw.reply(message, order=chance.choice([*message.waiting]))
            case _:
                return Refuse.reply(message)

    names = ["ann", "bob", "cat", "dan"]
    market = ContinuousMarket(
        agents=[Speaker(id=name, says=says) for name in names],
        cash=dict.fromkeys(names, Decimal(purse)),
        goods=dict.fromkeys(names, store),
    )

    trading = outcome_of(market, APPLES, Trading)

    assert not crossed
    assert market.cash is not None and market.goods is not None
    assert sum(market.cash.values()) == 4 * purse
    assert sum(market.goods.values()) == 4 * store
    assert min(market.cash.values()) >= 0
    assert min(market.goods.values()) >= 0
    assert trading.quantity == sum(deal.quantity for deal in trading.deals)
