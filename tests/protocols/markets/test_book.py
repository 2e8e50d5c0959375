"""The order book: price before time, never crossed, nothing made or lost; and a crowd without wit trades well in it."""

from decimal import Decimal
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.markets.book import OrderBook
from llm_net.protocols.markets.order import Order, Trade

Side = Literal["buy", "sell"]
sides: st.SearchStrategy[Side] = st.sampled_from(("buy", "sell"))


def order(name: str, side: Side, price: int, quantity: int = 1) -> Order:
    return Order(name, f"trader of {name}", side, Decimal(price), quantity)


def test_price_goes_before_time_and_time_before_nothing() -> None:
    book = OrderBook()
    for waiting in (order("late", "sell", 5), order("later", "sell", 5), order("cheap", "sell", 4, 2)):
        book, trades = book.place(waiting)
        assert not trades

    book, trades = book.place(order("buyer", "buy", 5, 5))

    assert trades == (
        Trade("buyer", "cheap", Decimal(4), 2),
        Trade("buyer", "late", Decimal(5), 1),
        Trade("buyer", "later", Decimal(5), 1),
    )
    assert book == OrderBook(buys=(order("buyer", "buy", 5, 1),))


def test_what_is_left_of_an_order_keeps_its_place() -> None:
    book, _ = OrderBook().place(order("first", "buy", 5, 3))
    book, _ = book.place(order("second", "buy", 5))

    book, trades = book.place(order("seller", "sell", 5, 1))

    assert trades == (Trade("first", "seller", Decimal(5), 1),)
    assert [waiting.id for waiting in book.buys] == ["first", "second"]
    assert book.spread is None


@given(st.lists(st.tuples(sides, st.integers(0, 6), st.integers(1, 4)), max_size=15))
def test_the_book_is_never_crossed_and_every_unit_is_traded_or_waits(many: list[tuple[Side, int, int]]) -> None:
    book, traded = OrderBook(), dict[str, int]()
    placed = {str(index): order(str(index), *what) for index, what in enumerate(many)}

    for incoming in placed.values():
        book, trades = book.place(incoming)
        assert book.spread is None or book.spread > 0
        for trade in trades:
            assert placed[trade.sell].price <= trade.price <= placed[trade.buy].price
            for name in (trade.buy, trade.sell):
                traded[name] = traded.get(name, 0) + trade.quantity

    waiting = {left.id: left.quantity for left in (*book.buys, *book.sells)}
    assert all(traded.get(name, 0) + waiting.get(name, 0) == whole.quantity for name, whole in placed.items())
    assert list(book.buys) == sorted(book.buys, key=lambda left: (-left.price, int(left.id)))
    assert list(book.sells) == sorted(book.sells, key=lambda left: (left.price, int(left.id)))


def test_a_cancelled_order_no_longer_trades_and_to_cancel_again_changes_nothing() -> None:
    book, _ = OrderBook().place(order("1", "sell", 3))

    assert book.cancel("1") == book.cancel("1").cancel("1") == OrderBook()


def test_the_spread_is_what_the_best_of_both_sides_are_apart() -> None:
    book, _ = OrderBook().place(order("1", "sell", 7))
    book, _ = book.place(order("2", "buy", 4))

    assert book.spread == 3


def test_two_waiting_orders_of_one_id_are_refused() -> None:
    book, _ = OrderBook().place(order("1", "sell", 3))

    with pytest.raises(ValueError, match="another id"):
        book.place(order("1", "buy", 1))


def test_traders_without_wit_reach_most_of_what_can_be_gained() -> None:
    """Orders at random prices, but never at a loss, earn more than 95 % of the gains from trade.

    Source: Gode and Sunder 1993, Allocative efficiency of markets with zero-intelligence traders.
    """
    chance = Random(11)
    worth = {f"buyer {index}": 100 - 4 * index for index in range(20)}
    costs = {f"seller {index}": 10 + 4 * index for index in range(20)}
    possible = sum(max(value - cost, 0) for value, cost in zip(worth.values(), costs.values(), strict=True))
    gained = 0

    for _ in range(20):
        book, active = OrderBook(), [*worth, *costs]
        for _ in range(2000):
            name = chance.choice(active)
            side: Side = "buy" if name in worth else "sell"
            price = chance.randint(0, worth[name]) if name in worth else chance.randint(costs[name], 100)
            book, trades = book.cancel(name).place(order(name, side, price))
            for trade in trades:
                gained += worth[trade.buy] - costs[trade.sell]
                active.remove(trade.buy)
                active.remove(trade.sell)

    assert gained > 0.95 * 20 * possible
