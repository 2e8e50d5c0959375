"""Leaders, quorums and panels: one leader whoever asks, no two agreements, and an end to asking."""

from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.coordination.consensus import quorum_size, standing
from llm_net.protocols.coordination.delphi import Spread, settled, spread
from llm_net.protocols.coordination.leader import leader, superiors
from llm_net.protocols.tie import Lot, Order

members = st.sets(st.sampled_from("abcdef"), min_size=1)


def test_the_first_who_is_alive_leads() -> None:
    rank = Order(("ann", "bob", "cat"))

    assert leader(["cat", "bob"], rank) == "bob"
    assert leader([], rank) is None
    assert superiors("cat", ["ann", "bob", "cat"], rank) == ("ann", "bob")
    with pytest.raises(ValueError, match="'dan' is not a member"):
        superiors("dan", ["ann"], rank)


@given(members, st.data(), st.integers())
def test_exactly_one_of_those_alive_hears_of_no_superior(everybody: set[str], data: st.DataObject, seed: int) -> None:
    alive = data.draw(st.sets(st.sampled_from(sorted(everybody)), min_size=1))

    unchallenged = [name for name in alive if alive.isdisjoint(superiors(name, everybody, Lot(seed)))]

    assert unchallenged == [leader(alive, Lot(seed))]


# ------------------------------------------------------------------------------------------------ quorums


@pytest.mark.parametrize(("count", "faulty"), [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (5, 1), (6, 1), (7, 2)])
def test_two_quorums_share_an_honest_member_and_one_less_is_too_few(count: int, faulty: int) -> None:
    everybody = range(count)

    def shared(size: int) -> int:
        groups = [set(group) for group in combinations(everybody, size)]
        return min(len(one & other) for one in groups for other in groups)

    assert shared(quorum_size(count, faulty=faulty)) > faulty
    assert shared(quorum_size(count, faulty=faulty) - 1) <= faulty


def test_three_cannot_agree_where_one_may_lie() -> None:
    with pytest.raises(ValueError, match="more than three times as many"):
        quorum_size(3, faulty=1)


def test_a_position_is_agreed_on_when_a_quorum_holds_it() -> None:
    positions = {"ann": "go", "bob": "go", "cat": "stay", "dan": None}

    assert standing(positions, quorum=3).agreed is None
    assert standing({**positions, "dan": "go"}, quorum=3).agreed == "go"
    assert standing(positions, quorum=3).support == {"go": 2, "stay": 1}
    assert standing(positions, quorum=3).silent == 1
    with pytest.raises(ValueError, match="more than half"):
        standing(positions, quorum=2)


# ------------------------------------------------------------------------------------------------ Delphi


def test_the_quartiles_of_a_textbook() -> None:
    """Source: Hyndman and Fan 1996, type 7, as R's `quantile(c(1, 2, 4, 8, 16, 32))` gives 2.5, 6 and 14."""
    assert spread([32, 1, 16, 2, 8, 4]) == Spread(Fraction(5, 2), Fraction(6), Fraction(14))
    assert spread([Decimal("0.5")]).width == 0


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9), st.integers(1, 5), st.integers(-9, 9))
def test_the_quartiles_move_and_stretch_with_the_estimates(estimates: list[int], scale: int, shift: int) -> None:
    before, after = spread(estimates), spread([scale * estimate + shift for estimate in estimates])

    assert min(estimates) <= before.lower <= before.median <= before.upper <= max(estimates)
    assert (after.lower, after.median, after.upper) == (
        scale * before.lower + shift,
        scale * before.median + shift,
        scale * before.upper + shift,
    )
    assert after.width == scale * before.width


def test_a_panel_stops_when_it_agrees_or_no_longer_moves() -> None:
    apart, closer, same = [0, 10, 20, 30], [5, 10, 20, 25], [5, 10, 20, 25]

    assert not settled([], within=1)
    assert not settled([apart], within=5, drift=1)
    assert not settled([apart, closer], within=5, drift=1)
    assert settled([apart, closer, same], within=5, drift=1)
    assert not settled([apart, closer, same], within=5)
    assert settled([apart, closer], within=Decimal("12.5"))


@given(st.lists(st.integers(0, 99), min_size=2, max_size=9))
def test_estimates_that_move_half_way_to_the_median_settle(estimates: list[int]) -> None:
    rounds = [[Fraction(estimate) for estimate in estimates]]
    while not settled(rounds, within=1) and len(rounds) < 9:
        middle = spread(rounds[-1]).median
        rounds.append([(estimate + middle) / 2 for estimate in rounds[-1]])

    widths = [spread(given).width for given in rounds]
    assert widths == sorted(widths, reverse=True)
    assert settled(rounds, within=1)


def test_a_panel_of_nobody_has_no_middle() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread([])
