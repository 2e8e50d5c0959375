"""Accounts: nothing is made or lost, and nobody gives what they have not."""

from decimal import Decimal

import pytest

from llm_net.protocols.markets.account import Accounts
from llm_net.protocols.markets.order import Order, Trade

ORDERS = {
    "1": Order("1", "ann", "buy", Decimal(3), 2),
    "2": Order("2", "bob", "sell", Decimal(2), 5),
}


def test_what_waits_is_bound() -> None:
    accounts = Accounts({"ann": Decimal(10)}, {"bob": 7})

    assert accounts.free_cash("ann", ORDERS.values()) == 4
    assert accounts.free_goods("bob", ORDERS.values()) == 2
    assert (accounts.free_cash("cat"), accounts.free_goods("cat")) == (Decimal(0), 0)


def test_a_trade_moves_money_one_way_and_goods_the_other() -> None:
    after = Accounts({"ann": Decimal(10)}, {"bob": 7}).settle(ORDERS, [Trade("1", "2", Decimal(3), 2)])

    assert after == Accounts({"ann": Decimal(4), "bob": Decimal(6)}, {"bob": 5, "ann": 2})


def test_what_nobody_counts_has_no_bounds() -> None:
    accounts = Accounts()

    assert accounts.free_cash("ann") is None
    assert accounts.free_goods("ann") is None
    assert accounts.settle(ORDERS, [Trade("1", "2", Decimal(3), 2)]) == accounts


def test_who_cannot_pay_or_deliver_is_named() -> None:
    with pytest.raises(ValueError, match="'ann' has 5 and cannot pay 6"):
        Accounts({"ann": Decimal(5)}).settle(ORDERS, [Trade("1", "2", Decimal(3), 2)])
    with pytest.raises(ValueError, match="'bob' has 1 and cannot deliver 2"):
        Accounts(None, {"bob": 1}).settle(ORDERS, [Trade("1", "2", Decimal(3), 2)])


def test_nobody_begins_with_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        Accounts({"ann": Decimal(-1)})
    with pytest.raises(ValueError, match="less than 0"):
        Accounts(None, {"bob": -1})
