"""Package bids: the best are accepted, by both solvers, and VCG makes truth the best bid."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net.errors import MissingDependency
from llm_net.protocols.auctions.bid import Bid
from llm_net.protocols.auctions.milp import milp
from llm_net.protocols.auctions.package import Accepted, PackageBid, search, worth
from llm_net.protocols.auctions.sealed import vickrey
from llm_net.protocols.auctions.vcg import Allotment, vcg

packages = st.frozensets(st.sampled_from("xyz"), min_size=1)
offers = st.dictionaries(packages, st.integers(0, 9), max_size=3)


def bids_of(bidder: str, values: dict[frozenset[str], int]) -> list[PackageBid]:
    return [PackageBid.of(bidder, items, value) for items, value in values.items()]


auctions = st.lists(offers, max_size=3).map(
    lambda many: [bid for name, values in zip("abc", many, strict=False) for bid in bids_of(name, values)]
)
reserves = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3).map(Decimal))


def feasible(bids: Sequence[PackageBid]) -> bool:
    items = [item for bid in bids for item in bid.items]
    return len(set(items)) == len(items) and len({bid.bidder for bid in bids}) == len(bids)


def brute(bids: list[PackageBid]) -> set[Accepted]:
    """Every set of bids above 0 that can be accepted and has the highest sum."""
    counted = [bid for bid in bids if bid.amount]
    ways = [way for size in range(len(counted) + 1) for way in combinations(counted, size) if feasible(way)]
    best = max(map(worth, ways))
    return {way for way in ways if worth(way) == best}


@given(auctions)
def test_the_search_finds_all_best_ways(bids: list[PackageBid]) -> None:
    assert set(search(bids)) == brute(bids)


@settings(max_examples=40)
@given(auctions)
def test_the_integer_program_finds_one_of_them(bids: list[PackageBid]) -> None:
    [found] = milp(bids)

    assert found in brute(bids)


def test_a_hundred_bids_for_a_dozen_items_are_solved_alike() -> None:
    chance = Random(3)
    items = [f"item {index}" for index in range(12)]
    bids = [
        PackageBid.of(f"bidder {index % 20}", chance.sample(items, chance.randint(1, 4)), chance.randint(1, 99))
        for index in range(100)
    ]

    [found] = milp(bids)

    assert feasible(found)
    assert worth(found) == worth(search(bids)[0])


def test_without_scipy_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)

    with pytest.raises(MissingDependency, match=r"llm_net\[markets\]"):
        milp([])


def test_of_very_many_equal_ways_only_some_are_named() -> None:
    bids = [PackageBid.of(name, [item], 1) for name in "abcdefgh" for item in "xyz"]

    assert len(search(bids)) == 8 * 7 * 6
    assert len(search(bids, most=10)) == 10


# ------------------------------------------------------------------------------------------------ VCG


def test_two_apples_of_wikipedia() -> None:
    """Source: Wikipedia, Vickrey-Clarke-Groves auction, example of two apples and three bidders."""
    bids = [
        *(PackageBid.of("a", [apple], 5) for apple in ("first", "second")),
        *(PackageBid.of("b", [apple], 2) for apple in ("first", "second")),
        PackageBid.of("c", ["first", "second"], 6),
    ]

    for allotment in vcg(bids):
        assert {bid.bidder for bid in allotment.accepted} == {"a", "b"}
        assert allotment.payments == {"a": 4, "b": 1}


def test_vcg_may_bring_nothing_where_packages_compete() -> None:
    """Source: Ausubel and Milgrom 2006, The lovely but lonely Vickrey auction."""
    bids = [
        PackageBid.of("both", ["x", "y"], 2),
        PackageBid.of("one", ["x"], 2),
        PackageBid.of("other", ["y"], 2),
    ]

    [allotment] = vcg(bids)

    assert allotment.payments == {"one": 0, "other": 0}


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(0, 5).map(Decimal))
def test_for_one_item_vcg_is_vickreys_auction(values: list[int], reserve: Decimal) -> None:
    bids = [PackageBid.of(name, ["x"], value) for name, value in zip("abcd", values, strict=False)]
    single = vickrey([Bid(bid.bidder, bid.amount) for bid in bids], reserve=reserve)

    for allotment in vcg(bids, reserves={"x": reserve}):
        for name, price in allotment.payments.items():
            assert name in single.winners
            assert price == single.price


def gain(allotment: Allotment, bidder: str, values: dict[frozenset[str], int]) -> Decimal:
    won = [bid.items for bid in allotment.accepted if bid.bidder == bidder]
    value = max((value for items, value in values.items() for has in won if items <= has), default=0)
    return Decimal(value) - allotment.payments.get(bidder, Decimal(0))


@given(auctions, offers, offers, reserves)
def test_under_vcg_truth_is_best_and_costs_nothing(
    others: list[PackageBid],
    values: dict[frozenset[str], int],
    lie: dict[frozenset[str], int],
    floor: dict[str, Decimal],
) -> None:
    truthful = {gain(end, "me", values) for end in vcg([*others, *bids_of("me", values)], reserves=floor)}
    lying = {gain(end, "me", values) for end in vcg([*others, *bids_of("me", lie)], reserves=floor)}

    assert len(truthful) == 1, "which of equally good ways is taken makes no difference to who is truthful"
    assert min(truthful) >= max(Decimal(0), *lying)


@given(auctions, reserves)
def test_every_payment_lies_between_the_reserve_and_the_bid(bids: list[PackageBid], floor: dict[str, Decimal]) -> None:
    for allotment in vcg(bids, reserves=floor):
        assert feasible(allotment.accepted)
        assert allotment.payments.keys() == {bid.bidder for bid in allotment.accepted}
        for bid in allotment.accepted:
            least = sum(floor.get(item, Decimal(0)) for item in bid.items)
            assert least <= allotment.payments[bid.bidder] <= bid.amount


def test_a_bid_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        PackageBid.of("a", [], 1)
