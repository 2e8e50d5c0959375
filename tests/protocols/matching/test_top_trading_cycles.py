"""Swaps as networks: nobody gets less than they brought, whatever some owners do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_net.protocols.matching.top_trading_cycles import Swap, Swapped, TopTradingCycles
from llm_net.protocols.matching.trading_cycles import top_trading_cycles
from tests.protocols.auctions.bidders import troublemakers
from tests.protocols.matching.choosers import choosers, likes
from tests.protocols.speakers import Speaker, outcome_of, outcomes_after_each_crash

ROOMS = {"ann": "attic", "bob": "balcony", "cat": "cellar"}
WISHES = {"ann": ["balcony"], "bob": ["cellar", "attic"], "cat": ["cellar"]}


def swapped(wishes: Mapping[str, Sequence[str]], owned: Mapping[str, str] = ROOMS) -> Swapped:
    return outcome_of(TopTradingCycles(agents=choosers(wishes), owned=owned), Swap(), Swapped)


def test_those_in_a_ring_swap() -> None:
    network = TopTradingCycles(agents=choosers(WISHES), owned=ROOMS)

    swap = outcome_of(network, Swap(), Swapped)

    assert swap.has == network.owned == {"ann": "balcony", "bob": "attic", "cat": "cellar"}
    assert swap.moved == ("ann", "bob")


def test_who_is_silent_late_crashes_or_lies_keeps_what_it_brought() -> None:
    spoilers = troublemakers(likes("attic"))
    owned = {**ROOMS, **{spoiler.id: f"tent of {spoiler.id}" for spoiler in spoilers}}
    greedy = Speaker(id="greedy", says=likes("palace"))

    swap = outcome_of(
        TopTradingCycles(agents=[*spoilers, greedy, *choosers(WISHES)], owned={**owned, "greedy": "hut"}),
        Swap(),
        Swapped,
    )

    assert swap.moved == ("ann", "bob")
    assert all(swap.has[spoiler.id] == f"tent of {spoiler.id}" for spoiler in spoilers)
    assert list(swap.absent) == ["silent", "late", "crashing", "lying", "greedy"]


def test_who_brings_nothing_is_not_asked() -> None:
    assert swapped({**WISHES, "dan": ["attic"]}).has == swapped(WISHES).has


def test_a_recorded_swap_replays_and_after_a_crash_comes_to_the_same_end() -> None:
    def make() -> TopTradingCycles:
        return TopTradingCycles(id="swap", agents=choosers(WISHES), owned=ROOMS)

    assert len(set(outcomes_after_each_crash(make, Swap()))) == 1


things = st.permutations("ABCD").flatmap(lambda order: st.integers(0, 4).map(lambda size: order[:size]))
everybody = st.fixed_dictionaries(dict.fromkeys("abcd", things))


@settings(max_examples=30, deadline=None)
@given(everybody, everybody)
def test_the_network_swaps_as_the_mechanism_does_and_nobody_gains_by_lying(
    wishes: dict[str, list[str]], lies: dict[str, list[str]]
) -> None:
    owned = dict(zip("abcd", "ABCD", strict=True))

    honest, lying = swapped(wishes, owned), swapped({**wishes, "a": lies["a"]}, owned)

    assert honest.has == top_trading_cycles(wishes, owned)
    order = [*wishes["a"], "A"]
    assert order.index(honest.has["a"]) <= (order.index(lying.has["a"]) if lying.has["a"] in order else len(order))
