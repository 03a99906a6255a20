"""Spending against cases worked by hand and properties that hold for any numbers."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.nn import sigmoid

from sim.model import capex
from tests.model.tiny import number

jitted_guided_growth = jax.jit(capex.guided_growth)


def test_logit__by_hand():
    np.testing.assert_allclose(capex.logit(number([0.5, 0.8, 0.2])), [0, math.log(4), -math.log(4)], rtol=1e-6)


def test_logit__keeps_off_0_and_1_and_beyond():
    ends = capex.logit(number([0, -3, 1, 7]))
    np.testing.assert_allclose(ends, math.log(1e-4 / (1 - 1e-4)) * np.array([1, 1, -1, -1]), rtol=1e-3)


@given(st.floats(1e-3, 0.999))
@settings(max_examples=25)
def test_logit__undoes_the_sigmoid(share):
    assert sigmoid(capex.logit(number(share))) == pytest.approx(share, rel=1e-5)


def test_quarter_growth__by_hand():
    # (0.27 + 0.05) / 4 + (0.1 * 2 + 0.3 * -1 + 0.04) * 0.5 = 0.08 - 0.03; then (0.27 + 0.13) / 4 + 0.24 * 0.5
    growth = capex.quarter_growth(
        drift=number(0.27),
        own_drift=number([0.05, 0.13]),
        common_sd=number(0.1),
        common_shock=number(2),
        own_sd=number([0.3, 0.7]),
        own_shock=number([-1, 0]),
        wave=number(0.04),
        timing=number(0.5),
    )
    np.testing.assert_allclose(growth, [0.05, 0.22], rtol=1e-5)


def test_quarter_growth__of_a_year_is_its_drift_shocks_and_wave():
    def of_quarter(timing):
        given = (0.27, [0.05], 0.1, 2, [0.3], [-1], -0.5, timing)
        return capex.quarter_growth(*(number(each) for each in given))

    year = sum(of_quarter(timing) for timing in (0.5, 0.3, 0.15, 0.05))
    np.testing.assert_allclose(year, [0.27 + 0.05 + 0.1 * 2 - 0.3 - 0.5], rtol=1e-5)


def test_response__by_hand():
    # need of a third over, of exp(-1/2) below, far above and far below what is installed, at 0.4 a year
    found = capex.response(number(0.4), number([4, math.exp(-0.5), 100, 0]), number([3, 1, 1, 5]))
    np.testing.assert_allclose(found, [0.1 * math.log(4 / 3), -0.05, 0.1, -0.1], rtol=1e-5)


@given(st.floats(0, 3), st.floats(0, 1e4), st.floats(0, 1e4))
@settings(max_examples=40)
def test_response__is_bounded_and_takes_the_side_of_need(strength, need, installed):
    found = float(capex.response(number(strength), number([need]), number([installed]))[0])
    assert abs(found) <= strength / 4 * (1 + 1e-6)
    assert found == 0 or (found > 0) == (need > installed)


def test_cash_growth__by_hand():
    # (0.2 / 4, 0.4 / 4) + (0.1 + 0.3 * (1, -1)) * 0.5
    found = capex.cash_growth(number([0.2, 0.4]), number(0.1), number(0.3), number([1, -1]), number(0.5))
    np.testing.assert_allclose(found, [0.25, 0.0], atol=1e-7)


def borne(intended, cash, ceiling, reach=1.0):
    return capex.affordable(*(number(np.atleast_1d(each)) for each in (intended, cash, ceiling, reach)))


def test_affordable__takes_what_the_page_says():
    """docs/model.md: at a quarter of the ceiling 0.1 %, at half 1.5 %, at all of it 16 %."""
    spent = borne([25, 50, 100], [50, 50, 50], [2, 2, 2])
    np.testing.assert_allclose(1 - np.asarray(spent) / [25, 50, 100], [0.001, 0.015, 0.159], atol=5e-4)
    np.testing.assert_allclose(spent[2], 100 * 2 ** (-1 / 4), rtol=1e-6)


def test_affordable__comes_into_force_with_its_reach():
    spent = borne([100] * 5, [50] * 5, [2] * 5, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(spent, 100 * 2 ** (-np.arange(5) / 16), rtol=1e-6)


@pytest.mark.parametrize(("intended", "reach", "spent"), [(0, 1, 0), (0, 0, 0), (40, 0, 40), (40, 1, 0)])
def test_affordable__of_no_cash_is_nothing_but_always_a_number(intended, reach, spent):
    assert float(borne(intended, 0, 2, reach)[0]) == pytest.approx(spent, abs=1e-6)


money = st.floats(1e-3, 1e4)


@given(money, money, money, st.floats(0.1, 10), st.floats(0, 1))
@settings(max_examples=60)
def test_affordable__increases_and_stays_below_the_intended_and_the_ceiling(one, other, cash, ceiling, reach):
    low, high = (float(borne(intended, cash, ceiling, reach)[0]) for intended in sorted((one, other)))
    assert low <= high * (1 + 1e-5)
    assert high <= max(one, other) * (1 + 1e-6)
    assert float(borne(one, cash, ceiling)[0]) <= ceiling * cash * (1 + 1e-5)


@given(money, st.floats(0.1, 10), st.floats(1e-6, 0.1))
@settings(max_examples=40)
def test_affordable__is_the_intended_far_below_the_ceiling(cash, ceiling, part):
    intended = part * ceiling * cash
    assert float(borne(intended, cash, ceiling)[0]) == pytest.approx(intended, rel=part**4 / 4 + 1e-6)


def guided(last, target, count):
    is_open = np.arange(4)[:, None] < count
    return jitted_guided_growth(number([last]), number([target]), is_open)[0]


def test_guided_growth__of_one_quarter_is_the_log_ratio():
    assert guided(10, 25, 1) == pytest.approx(math.log(2.5), rel=1e-5)


def test_guided_growth__of_two_quarters_solves_the_quadratic():
    # x + x^2 = 3 with x = exp(growth): x = (sqrt(13) - 1) / 2
    assert guided(10, 30, 2) == pytest.approx(math.log((math.sqrt(13) - 1) / 2), rel=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_guided_growth__is_zero_where_the_year_goes_on_as_it_was(count):
    assert guided(10, 10 * count, count) == pytest.approx(0, abs=1e-6)


def test_guided_growth__is_zero_where_no_quarter_is_open():
    assert guided(10, 30, 0) == 0
    assert guided(10, 0, 0) == 0
    assert guided(10, -30, 0) == 0


@given(count=st.integers(1, 4), last=st.floats(0.5, 100), factor=st.floats(math.log(1 / 50), math.log(50)))
@settings(max_examples=100)
def test_guided_growth__reproduces_the_years_sum_or_its_least(count, last, factor):
    target = last * count * math.exp(factor)
    growth = float(guided(last, target, count))
    expected = max(target, last * count / 4)
    assert sum(last * math.exp(i * growth) for i in range(1, count + 1)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize("target", [2.4, 0, -30])
def test_guided_growth__leaves_a_quarter_of_the_last_spending_in_each_open_quarter(target):
    # of 10 in one quarter 2.5; in two of them 5: x + x^2 = 1/2
    assert guided(10, target, 1) == pytest.approx(-math.log(4), rel=1e-5)
    assert guided(10, 2 * target, 2) == pytest.approx(math.log((math.sqrt(3) - 1) / 2), rel=1e-5)


def test_guided_growth__solves_each_buyer_and_draw_alone():
    is_open = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], dtype=bool)[..., None]
    last, target = number([[10, 20], [5, 5]]), number([[40, 30], [5, 10]])
    growth = np.asarray(jitted_guided_growth(last, target, is_open))
    assert growth.shape == (2, 2)
    for draw in range(2):
        assert growth[0, draw] == pytest.approx(float(guided(last[0, draw], target[0, draw], 3)), rel=1e-5)
    np.testing.assert_allclose(growth[1], [0, math.log(2)], atol=1e-6)


@pytest.mark.parametrize(
    ("lead", "expected"), [(0, 40), (0.25, 35), (0.5, 30), (1, 20), (1.5, 15), (1.75, 12.5), (2, 10)]
)
def test_led__looks_back_by_the_lead(lead, expected):
    assert capex.led(number([40]), number([20]), number([10]), number(lead))[0] == pytest.approx(expected, rel=1e-6)


@given(st.floats(0, 2), st.floats(0, 2), st.lists(st.floats(1, 100), min_size=3, max_size=3))
@settings(max_examples=40)
def test_led__is_monotone_and_between_the_quarters(one, other, levels):
    now, before, earlier = sorted(levels, reverse=True)
    short, long = (
        float(capex.led(number([now]), number([before]), number([earlier]), number(lead))[0])
        for lead in sorted((one, other))
    )
    assert earlier * (1 - 1e-6) <= long <= short * (1 + 1e-6)
    assert short <= now * (1 + 1e-6)


def test_share_step__by_hand():
    # from odds 1 to odds 4 in 20 quarters, and a walk of 0.4 * 0.5 a year
    step = capex.share_step(number([0.5]), number([0.8]), number(20), number(0.4), number([0.5]))
    np.testing.assert_allclose(step, [math.log(4) / 20 + 0.05], rtol=1e-5)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 40))
@settings(max_examples=25)
def test_share_step__arrives_after_all_its_quarters(now, later, quarters):
    step = capex.share_step(number([now]), number([later]), number(quarters), number(0), number([3]))
    assert capex.accelerator_share(capex.logit(number([now])), quarters * step)[0] == pytest.approx(later, rel=1e-4)


def test_accelerator_share__by_hand():
    # odds of 1 to 3, doubled: 2 / 5
    share = capex.accelerator_share(number([math.log(1 / 3)]), number([math.log(2)]))
    np.testing.assert_allclose(share, [0.4], rtol=1e-6)


def test_accelerator_share__stays_within_0_and_1():
    share = np.asarray(capex.accelerator_share(number([-9, 0, 9]), number([-80, 80, 80])))
    assert np.all((share >= 0) & (share <= 1))
    assert np.isfinite(share).all()
