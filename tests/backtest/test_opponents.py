"""The simple forecasts against textbook predictive distributions: Student's t of a next observation.

KS at 1e-6 of 2e5 draws sees a shift of 1 % in probability; a wrong degree of freedom of 8 shows at 2 %.
"""

import numpy as np
import pytest
from scipy import stats

from sim.backtest.opponents import (
    LAST_GROWTH,
    LAST_VALUE,
    METHODS,
    RANDOM_WALK,
    Growth,
    dressed,
    growths,
    recalibrated,
    walks,
)

SEEN = np.array([0.05, 0.40, 0.22, -0.10, 0.31, 0.18, 0.27, 0.09])
LAST = 0.35
DRAWS = 200_000
ALPHA = 1e-6


def agrees(draws, expected):
    return stats.kstest(draws, expected.cdf).pvalue > ALPHA


def test_growths__drift_and_spread_by_hand():
    found = growths(SEEN, LAST)
    assert tuple(found) == METHODS
    mean = sum(SEEN) / 8
    sd = (sum((each - mean) ** 2 for each in SEEN) / 7) ** 0.5
    assert found[RANDOM_WALK][:2] == pytest.approx((mean, sd))
    assert found[LAST_VALUE][:2] == pytest.approx((0, (sum(each**2 for each in SEEN) / 8) ** 0.5))
    assert found[LAST_GROWTH][:2] == pytest.approx((LAST, 2**0.5 * sd))


def test_growths__of_quarters_are_told_by_year():
    yearly, quarterly = growths(SEEN, LAST), growths(SEEN, LAST, 4)
    for method in (RANDOM_WALK, LAST_VALUE):
        assert quarterly[method].drift == pytest.approx(4 * yearly[method].drift)
    assert quarterly[LAST_GROWTH].drift == LAST  # is that of a year already
    for method in METHODS:
        assert quarterly[method].sd == pytest.approx(2 * yearly[method].sd)


NEXT = {
    RANDOM_WALK: stats.t(7, loc=SEEN.mean(), scale=SEEN.std(ddof=1) * np.sqrt(1 + 1 / 8)),
    LAST_VALUE: stats.t(8, loc=0, scale=np.sqrt((SEEN**2).mean())),
    LAST_GROWTH: stats.t(7, loc=LAST, scale=np.sqrt(2) * SEEN.std(ddof=1)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("per_year", [1, 4])
def test_walks__of_annual_growth_forecast_the_next_year_as_a_textbook_does(method, per_year):
    made = walks(growths(SEEN, LAST)[method], per_year, DRAWS, [1], per_year=per_year)
    assert agrees(made[-1], NEXT[method])


@pytest.mark.parametrize("method", [RANDOM_WALK, LAST_VALUE])
def test_walks__of_quarterly_growth_forecast_the_next_quarter_as_a_textbook_does(method):
    made = walks(growths(SEEN, LAST, 4)[method], 1, DRAWS, [2])
    assert agrees(made[0], NEXT[method])


@pytest.mark.parametrize("per_year", [1, 4])
def test_walks__drift_known_from_few_growths_is_wrong_for_all_steps_alike(per_year):
    """h growths ahead: Student's t with scale s sqrt(h + h^2 / n)."""
    made = walks(growths(SEEN, LAST, per_year)[RANDOM_WALK], 6, DRAWS, [3], per_year=per_year)
    for h in (1, 3, 6):
        scale = SEEN.std(ddof=1) * np.sqrt(h + h * h / 8)
        assert agrees(made[h - 1], stats.t(7, loc=h * SEEN.mean(), scale=scale))


def test_walks__grow_by_independent_steps():
    made = walks(Growth(0.4, 0.2, 10**9, np.inf), 5, DRAWS, [4])
    steps = np.diff(np.concatenate([np.zeros((1, DRAWS)), made]), axis=0)
    assert np.abs(np.corrcoef(steps) - np.eye(5)).max() < 5 / np.sqrt(DRAWS)
    assert steps.mean(axis=1) == pytest.approx(0.1, abs=5 * 0.1 / np.sqrt(DRAWS))
    assert steps.std(axis=1) == pytest.approx(0.1, rel=0.01)


def test_walks__are_of_their_seed():
    growth = growths(SEEN, LAST)[RANDOM_WALK]
    assert (walks(growth, 3, 50, [5, 1]) == walks(growth, 3, 50, [5, 1])).all()
    assert (walks(growth, 3, 50, [5, 1]) != walks(growth, 3, 50, [5, 2])).all()


def test_recalibrated__multiplies_the_log_distance_from_the_median():
    rng = np.random.default_rng(6)
    draws = np.exp(rng.normal(3, 0.4, (2, 1001))) * np.array([[1.0], [50.0]])
    made = recalibrated(draws, 0.6)
    middle = np.median(draws, axis=-1, keepdims=True)
    np.testing.assert_allclose(np.median(made, axis=-1, keepdims=True), middle)
    np.testing.assert_allclose(np.log(made / middle), 0.6 * np.log(draws / middle), atol=1e-12)
    np.testing.assert_allclose(recalibrated(draws, 1.0), draws)


def test_dressed__the_point_is_the_median_and_errors_are_as_given():
    errors = np.random.default_rng(7).gamma(2, 0.1, 1001)
    made = dressed(310.0, errors)
    assert np.median(made) == pytest.approx(310)
    np.testing.assert_allclose(np.log(made), np.log(310) + errors - np.median(errors))


def test_growths__of_sums_are_those_of_the_walk_under_them():
    """Year sums of a walk by quarters, made here: their growth moves less than the walk does in a year."""
    steps = 0.005 * np.random.default_rng(9).standard_normal((400, 4_000))
    sums = np.exp(np.cumsum(steps, axis=0)).reshape(100, 4, -1).sum(axis=1)
    seen = np.diff(np.log(sums), axis=0).ravel()
    for method in (RANDOM_WALK, LAST_VALUE):
        found = growths(seen, 0.0, of_sums=True)[method]
        assert found.sd == pytest.approx(0.01, rel=0.01)
        assert growths(seen, 0.0)[method].sd < 0.0085
