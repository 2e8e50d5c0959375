"""Combinatorial auctions as networks: packages go where they are worth most, and truth is the best bid."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llm_net import GenAgent
from llm_net.errors import AgentFailed
from llm_net.llm.scripted import ScriptedModel
from llm_net.protocols.auctions.combinatorial_auction import Allocation, CombinatorialAuction, SellItems
from llm_net.protocols.auctions.package import PackageBid
from llm_net.protocols.auctions.vcg import vcg
from llm_net.protocols.participant import Voice
from llm_net.protocols.tie import Lot, Order, TieRule
from tests.protocols.auctions.bidders import troublemakers, worth_together
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash, said_in

FRUIT = SellItems(body="fruit", items=("x", "y", "z"))
Values = dict[str, dict[str, int]]


def members(values: Mapping[str, Mapping[str, int]]) -> list[GenAgent]:
    return [Speaker(id=name, says=worth_together(packages)) for name, packages in values.items()]


def sold(values: Mapping[str, Mapping[str, int]], ties: TieRule | None = None) -> Allocation:
    return outcome_of(CombinatorialAuction(agents=members(values), ties=ties), FRUIT, Allocation)


APPLES: Values = {"ann": {"x": 5, "y": 5}, "bob": {"x": 2, "y": 2}, "cat": {"xy": 6}}


def test_two_apples_of_wikipedia_go_to_the_two_who_want_one_each() -> None:
    """Source: Wikipedia, Vickrey-Clarke-Groves auction, example of two apples and three bidders."""
    allocation = sold(APPLES, Order(("ann", "bob", "cat")))

    assert set(allocation.won) == {"ann", "bob"}
    assert allocation.payments == {"ann": Decimal(4), "bob": Decimal(1)}
    assert allocation.unsold == ("z",)


def test_each_is_told_its_own_part_alone() -> None:
    auction = CombinatorialAuction(id="house", agents=members({"ann": {"xy": 9}, "bob": {"x": 2, "y": 3}}))

    *_, ann, bob, end = said_in(auction, FRUIT)

    assert ann == "house → ann  inform: items=('x', 'y'), price=3"
    assert bob == "house → bob  inform: items=(), price=0"
    assert end.startswith("house → ·  allocation: fruit won={'ann': ('x', 'y')}")


def test_a_tie_is_the_result_until_a_rule_is_declared() -> None:
    equal: Values = {"ann": {"x": 5}, "bob": {"x": 5}, "cat": {"y": 1}}

    assert (sold(equal).won, set(sold(equal).ties)) == ({}, {"ann", "bob"})
    ruled = sold(equal, Order(("bob", "ann")))
    assert (ruled.won, set(ruled.ties)) == ({"bob": ("x",), "cat": ("y",)}, {"ann", "bob"})
    assert ruled.payments == {"bob": Decimal(5), "cat": Decimal(0)}


def test_where_only_the_items_differ_the_first_way_is_taken() -> None:
    assert sold({"ann": {"x": 5, "y": 5}}).ties == ()
    assert set(sold({"ann": {"x": 5, "y": 5}}).won) == {"ann"}


def test_who_is_silent_late_crashes_or_lies_changes_nothing() -> None:
    best = worth_together({"xyz": 100})
    cheat = Speaker(id="cheat", says=worth_together({"w": 100}))
    greedy = Speaker(id="greedy", says=worth_together({"x": 100, "y": 99, "z": 98, "xy": 97, "xz": 96, "yz": 95}))
    spoiled = CombinatorialAuction(agents=[*troublemakers(best), cheat, greedy, *members(APPLES)], ties=Lot(1))

    allocation = outcome_of(spoiled, FRUIT, Allocation)

    clean = sold(APPLES, Lot(1))
    assert (allocation.won, allocation.payments) == (clean.won, clean.payments)
    assert list(allocation.absent) == ["silent", "late", "crashing", "lying", "cheat", "greedy"]
    assert "'w' is not for sale; there are x, y, z" in allocation.absent["cheat"]
    assert "these are 6 packages; name at most 5" in allocation.absent["greedy"]


def test_a_bid_beyond_a_budget_is_refused_at_its_sender() -> None:
    budgets = {"ann": Decimal(8), "bob": Decimal(8)}
    auction = CombinatorialAuction(agents=members({"ann": {"x": 9}, "bob": {"x": 8}, "cat": {"x": 7}}), budgets=budgets)

    allocation = outcome_of(auction, FRUIT, Allocation)

    assert allocation.won == {"bob": ("x",)}
    assert "9 is more than you can pay" in allocation.absent["ann"]
    assert "7 is more than you can pay; say at most 0" in allocation.absent["cat"]
    assert auction.budgets == budgets


def test_below_the_reserves_nothing_is_sold() -> None:
    reserves = {"x": Decimal(4), "y": Decimal(4)}
    auction = CombinatorialAuction(agents=members({"ann": {"xy": 7}, "bob": {"y": 5}}), reserves=reserves)

    allocation = outcome_of(auction, FRUIT, Allocation)

    assert (allocation.won, allocation.payments) == ({"bob": ("y",)}, {"bob": Decimal(4)})


def test_many_items_need_the_solver_and_it_finds_the_same() -> None:
    many = SellItems(items=tuple(f"i{number}" for number in range(20)))
    with pytest.raises(AgentFailed, match="give solver='milp'"):
        outcome_of(CombinatorialAuction(agents=[]), many, Allocation)

    solved = CombinatorialAuction(agents=members({"ann": {"xy": 9}, "bob": {"x": 2, "y": 3}}), solver="milp")

    allocation = outcome_of(solved, FRUIT, Allocation)
    assert (allocation.won, allocation.payments) == ({"ann": ("x", "y")}, {"ann": Decimal(3)})


def test_an_item_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="name each once"):
        SellItems(items=("x", "x"))


def test_a_model_may_bid_for_what_is_on_sale_alone() -> None:
    model = ScriptedModel(['{"act": "package_bids"}', '{"packages": [{"items": ["x", "z"], "amount": 4}]}'])
    auction = CombinatorialAuction(agents=[Voice(id="ann", model=model, stepwise=True)], budgets={"ann": Decimal(5)})

    allocation = outcome_of(auction, FRUIT, Allocation)

    assert allocation.won == {"ann": ("x", "z")}
    assert "'enum': ['x', 'y', 'z']" in str(model.requests[1].output)


def test_a_recorded_auction_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    def house() -> CombinatorialAuction:
        late = Speaker(id="late", says=worth_together({"xyz": 99}), after=500)
        return CombinatorialAuction(id="house", agents=[*members(APPLES), late], ties=Lot(2))

    assert len(set(outcomes_after_each_crash(house, FRUIT))) == 1


# ------------------------------------------------------------------------------------------------ laws

packages = st.dictionaries(st.sampled_from(["x", "y", "z", "xy", "yz", "xyz"]), st.integers(0, 9), max_size=3)
auctions = st.dictionaries(st.sampled_from("abc"), packages, max_size=3)


@settings(max_examples=30, deadline=None)
@given(auctions, st.integers(0, 99))
def test_the_network_allots_as_the_mechanism_does(values: Values, seed: int) -> None:
    allocation = sold(values, Lot(seed))

    bids = [PackageBid.of(name, items, value) for name, row in values.items() for items, value in row.items()]
    ways = [({bid.bidder: set(bid.items) for bid in way.accepted}, dict(way.payments)) for way in vcg(bids)]
    assert ({name: set(items) for name, items in allocation.won.items()}, allocation.payments) in ways


@settings(max_examples=30, deadline=None)
@given(auctions, packages, packages)
def test_to_bid_what_packages_are_worth_is_best_and_costs_nothing(
    others: Values, values: dict[str, int], lie: dict[str, int]
) -> None:
    def gain(bids: dict[str, int]) -> Decimal:
        allocation = sold({**others, "me": bids}, Lot(0))
        has = set(allocation.won.get("me", ()))
        value = max((value for items, value in values.items() if set(items) <= has), default=0)
        return value - allocation.payments.get("me", Decimal(0))

    assert gain(values) >= max(Decimal(0), gain(lie))
