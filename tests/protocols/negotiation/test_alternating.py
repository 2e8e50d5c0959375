"""Alternating offers and concessions: the published shares, and that no party can do better by waiting."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_net.protocols.negotiation.alternating import deadline, rubinstein
from llm_net.protocols.negotiation.bargaining import nash
from llm_net.protocols.negotiation.concession import aspiration, concedes, risk
from llm_net.protocols.negotiation.problem import Problem

discounts = st.fractions(min_value=0, max_value=Fraction(99, 100), max_denominator=100)
NINE_TENTHS = Fraction(9, 10)


def test_equal_patience_of_nine_tenths_gives_ten_nineteenths_to_who_begins() -> None:
    assert rubinstein(NINE_TENTHS, NINE_TENTHS) == (Fraction(10, 19), Fraction(9, 19))


def test_with_few_rounds_the_last_word_counts_most() -> None:
    shares = [deadline(NINE_TENTHS, NINE_TENTHS, rounds=rounds)[0] for rounds in (1, 2, 3)]

    assert shares == [1, Fraction(1, 10), Fraction(91, 100)]
    assert float(deadline(NINE_TENTHS, NINE_TENTHS, rounds=200)[0]) == pytest.approx(10 / 19)


@given(discounts, discounts)
def test_each_is_offered_exactly_what_waiting_would_be_worth(first: Fraction, second: Fraction) -> None:
    mine, theirs = rubinstein(first, second)
    as_second = rubinstein(second, first)  # one round later the other one offers

    assert mine + theirs == 1
    assert theirs == second * as_second[0]
    assert mine >= first * as_second[1]


@given(discounts, discounts, st.integers(1, 12))
def test_backward_induction_comes_to_rubinsteins_shares(first: Fraction, second: Fraction, rounds: int) -> None:
    gap = abs(deadline(first, second, rounds=rounds)[0] - rubinstein(first, second)[0])

    # Each round more multiplies the error by the discount of who waits.
    assert gap <= (first * second) ** ((rounds - 1) // 2)


@given(discounts, discounts, discounts)
def test_patience_pays(first: Fraction, second: Fraction, other: Fraction) -> None:
    low, high = sorted([first, other])

    assert rubinstein(low, second)[0] <= rubinstein(high, second)[0]


@pytest.mark.parametrize("discount", [Fraction(-1), Fraction(1), Fraction(2)])
def test_who_loses_nothing_by_waiting_is_refused(discount: Fraction) -> None:
    with pytest.raises(ValueError, match="from 0 to below 1"):
        rubinstein(discount, Fraction(0))
    with pytest.raises(ValueError, match="at least 1"):
        deadline(Fraction(0), Fraction(0), rounds=0)


# ------------------------------------------------------------------------------------------------ concession


@pytest.mark.parametrize(("exponent", "time"), [(4.0, 0.841), (1.0, 0.5), (0.25, 0.0625)])
def test_two_alike_meet_half_way_when_the_time_to_the_power_is_one_half(exponent: float, time: float) -> None:
    """Firm, straight and soft: the times at which two who want all of one cake agree on half of it."""
    assert aspiration(0.5 ** (1 / exponent), exponent=exponent) == pytest.approx(0.5)
    assert 0.5 ** (1 / exponent) == pytest.approx(time, abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 20))
def test_aspirations_fall_from_best_to_reservation(one: float, other: float, exponent: float) -> None:
    early, late = sorted([one, other])

    def level(time: float) -> float:
        return aspiration(time, exponent=exponent, best=8, reservation=2)

    assert 8 == level(0) >= level(early) >= level(late) >= level(1) == 2


@pytest.mark.parametrize(("time", "exponent"), [(-0.1, 1.0), (1.1, 1.0), (0.5, 0.0)])
def test_times_and_exponents_that_mean_nothing_are_refused(time: float, exponent: float) -> None:
    with pytest.raises(ValueError, match="give the part|needs an exponent"):
        aspiration(time, exponent=exponent)


gains = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(gains, gains)
def test_who_must_concede_has_the_offer_of_the_lower_nash_product(
    mine: tuple[int, int], theirs: tuple[int, int]
) -> None:
    """Source: Harsanyi 1956, Approaches to the bargaining problem before and after the theory of games."""
    if mine[0] >= theirs[0] and theirs[1] >= mine[1]:  # each prefers its own offer
        [*best] = nash(Problem({"first": mine, "second": theirs}, (0, 0)))
        keeps = {"first": ["second"], "second": ["first"], "both": ["first", "second"]}
        assert keeps[concedes(mine, theirs)] == best or mine == theirs


def test_who_gains_nothing_by_its_own_offer_has_nothing_to_lose() -> None:
    assert risk(0, -3) == 1
    assert risk(4, 3) == Fraction(1, 4)
    assert risk(4, 9) == 0
