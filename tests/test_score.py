"""Scores against closed forms, scoringrules and plain integrals."""

import itertools

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim import score

GRID = (np.arange(1 << 20) + 0.5) / (1 << 20)
"""Points of even probability: a quantile function at these stands for its distribution."""


@pytest.mark.parametrize("truth", [-3.0, -0.2, 0.0, 1.1, 6.0])
def test_crps__of_a_normal_is_its_closed_form(truth):
    found = score.crps(stats.norm(0.3, 1.7).ppf(GRID), np.float64(truth))
    assert found == pytest.approx(scoringrules.crps_normal(truth, 0.3, 1.7), abs=1e-6)


def test_crps__of_a_lognormal_is_its_closed_form():
    found = score.crps(np.exp(stats.norm(1.0, 0.4).ppf(GRID)), np.float64(4.0))
    assert found == pytest.approx(scoringrules.crps_lognormal(4.0, 1.0, 0.4), abs=1e-5)  # the last 5e-7 are cut off


def test_crps__of_small_ensembles_is_that_of_scoringrules():
    rng = np.random.default_rng(1)
    draws, truth = rng.normal(size=(50, 7)), rng.normal(size=50)
    expected = scoringrules.crps_ensemble(truth, draws, estimator="nrg")
    np.testing.assert_allclose(score.crps(draws, truth), expected, atol=1e-12)


def test_crps__is_the_integral_of_its_definition():
    draws, weights, truth = np.array([3.0, -1, 2, 2, 7]), np.array([1.0, 2, 0.5, 1, 3]), 2.5

    def integrand(x):
        return (weights[draws <= x].sum() / weights.sum() - (x >= truth)) ** 2

    ends = np.unique([-1, 2, 2.5, 3, 7])
    expected = sum((b - a) * integrand((a + b) / 2) for a, b in itertools.pairwise(ends))
    assert score.crps(draws, np.float64(truth), weights) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(1, 4), min_size=3, max_size=8))
def test_weights__are_as_good_as_copies(counts):
    rng = np.random.default_rng(len(counts))
    draws, truth = rng.lognormal(size=len(counts)), np.float64(1.3)
    weights, copied = np.array(counts, dtype=float), np.repeat(draws, counts)
    assert score.crps(draws, truth, weights) == pytest.approx(score.crps(copied, truth), abs=1e-12)
    assert score.pit(draws, truth, weights) == pytest.approx(score.pit(copied, truth), abs=1e-12)


@pytest.mark.parametrize("truth", [1.5, 2.7, 5.0])
def test_log_score__is_near_the_density_of_a_lognormal(truth):
    draws = np.exp(stats.norm(1.0, 0.4).ppf((np.arange(20_000) + 0.5) / 20_000))
    assert score.log_score(draws, np.float64(truth)) == pytest.approx(
        -stats.lognorm(0.4, scale=np.e).logpdf(truth), abs=0.03
    )


def test_log_score__stays_finite_far_out_and_has_no_value_without_spread():
    draws = np.exp(np.random.default_rng(2).normal(size=500))
    assert np.isfinite(score.log_score(draws, np.float64(1e6)))
    assert score.log_score(draws, np.float64(1e6)) > score.log_score(draws, np.float64(1e2)) > 5
    assert np.isnan(score.log_score(np.ones(5), np.float64(1.0)))


def test_pit_and_coverage__of_a_forecast_of_itself_are_uniform_and_nominal():
    rng = np.random.default_rng(3)
    centre = rng.normal(size=(4_000, 1))
    draws, truth = centre + rng.normal(size=(4_000, 199)), (centre + rng.normal(size=(4_000, 1)))[:, 0]
    assert stats.kstest(score.pit(draws, truth), "uniform").pvalue > 1e-6
    for level in (0.5, 0.8, 0.9):
        hits = score.covered(draws, truth, level).sum()
        assert stats.binomtest(int(hits), 4_000, level).pvalue > 1e-6


def test_pit__tells_a_forecast_that_is_too_narrow():
    rng = np.random.default_rng(4)
    draws, truth = 0.8 * rng.normal(size=(4_000, 199)), rng.normal(size=4_000)
    assert stats.kstest(score.pit(draws, truth), "uniform").pvalue < 1e-6


def test_quantiles__with_equal_weights_are_those_of_numpy():
    draws = np.random.default_rng(5).normal(size=(3, 1_001))
    found = score.quantiles(draws, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(found, np.quantile(draws, [0.1, 0.5, 0.9], axis=-1, method="hazen"), atol=1e-12)


def test_skill__of_equal_scores_is_zero_and_of_half_of_them_one_half():
    scores, years = np.random.default_rng(6).exponential(size=30), np.repeat(np.arange(10), 3)
    assert score.skill(scores, scores, years, block=3)[:3] == (0, 0, 0)
    assert score.skill(scores / 2, scores, years, block=3)[:3] == pytest.approx((0.5, 0.5, 0.5))


def test_skill__interval_is_that_of_a_ratio_of_means():
    """The delta method for independent cases; one time alone tells nothing of its error."""
    rng = np.random.default_rng(7)
    own, other, years = rng.gamma(9, size=400), rng.gamma(9, size=400), np.arange(400)
    ratio = own.mean() / other.mean()
    sd = np.std(own - ratio * other, ddof=1) / other.mean() / 20
    found = score.skill(own, other, years, block=1)
    assert found.skill == pytest.approx(1 - ratio)
    assert (found.high - found.low) / (2 * 1.645 * sd) == pytest.approx(1, abs=0.06)
    assert np.isnan(score.skill(own, other, np.zeros(400, int), block=1).low)


def test_skill__of_years_that_hang_together_is_less_certain_in_blocks():
    rng = np.random.default_rng(8)
    walk = np.repeat(rng.normal(size=40), 5)  # five years alike
    own, other = np.exp(0.3 * walk), np.ones(200)
    alone, together = (score.skill(own, other, np.arange(200), block=block) for block in (1, 5))
    assert together.high - together.low > 1.6 * (alone.high - alone.low)
