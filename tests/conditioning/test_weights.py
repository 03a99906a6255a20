"""Weights against closed forms, exact Pareto tails and NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from sim import score
from sim.conditioning.observations import log_likelihood
from sim.conditioning.sample import quantiles
from sim.conditioning.weights import FEW, TOO_FEW, Weighing, effective_size, fitted, smoothed, thinned, weigh


def normal(draws, seed=0):
    return np.random.default_rng(seed).standard_normal(draws)


def weighed(theta, *observed):
    """Weights of draws of a standard normal, observed as (value, error)."""
    return weigh(log_likelihood(np.array([(value - theta) / error for value, error in observed])))


def moments(theta, weights):
    mean = theta @ weights
    return mean, np.sqrt(((theta - mean) ** 2) @ weights)


@pytest.mark.parametrize(("value", "error"), [(0.7, 0.8), (-1.5, 0.5), (2.0, 2.0)])
def test_weigh__is_the_normal_posterior(value, error):
    """Five Monte Carlo errors of mean and sd, 1e-6; a likelihood an eighth too wide lies beyond them."""
    theta = normal(400_000)
    found = weighed(theta, (value, error))
    variance = 1 / (1 + error**-2)
    mean, sd = moments(theta, found.weights)
    allowed = 5 * np.sqrt(variance / found.effective)
    assert mean == pytest.approx(variance * value / error**2, abs=allowed)
    assert sd == pytest.approx(np.sqrt(variance), abs=allowed)
    levels = [0.05, 0.5, 0.95]
    at = score.quantiles(theta[None], levels, found.weights)[:, 0]
    expected = np.array([-1.6448536, 0, 1.6448536]) * np.sqrt(variance) + variance * value / error**2
    np.testing.assert_allclose(at, expected, atol=3 * allowed)


def test_weigh__effective_size_is_that_of_the_normal_posterior():
    """1 / E[w^2] of a centred normal likelihood: sqrt(1 + 2 / e^2) / (1 + 1 / e^2) of the draws."""
    error = 0.5
    expected = np.sqrt(1 + 2 / error**2) / (1 + 1 / error**2)
    found = weighed(normal(200_000), (0.0, error))
    assert found.effective / 200_000 == pytest.approx(expected, rel=0.01)


def test_weigh__same_twice_is_half_the_variance():
    theta = normal(10_000)
    twice, halved = weighed(theta, (0.6, 0.9), (0.6, 0.9)), weighed(theta, (0.6, 0.9 / np.sqrt(2)))
    np.testing.assert_allclose(twice.weights, halved.weights, rtol=1e-9)
    assert twice.shape == pytest.approx(halved.shape, abs=1e-9)


def test_weigh__flat_likelihood_is_the_prior():
    found = weigh(np.full(5_000, -123.4))
    assert np.array_equal(found.weights, np.full(5_000, 1 / 5_000))
    assert found.effective == pytest.approx(5_000, rel=1e-12)
    assert found.shape == 0
    assert found.usable


def test_weigh__does_not_know_a_constant():
    found = log_likelihood(normal(3_000)[None])
    np.testing.assert_allclose(weigh(found).weights, weigh(found - 1e4).weights, rtol=1e-9)


def test_weigh__order_of_draws_is_that_of_weights():
    found = log_likelihood(2 * normal(2_000)[None])
    order = np.random.default_rng(1).permutation(2_000)
    np.testing.assert_allclose(weigh(found[order]).weights, weigh(found).weights[order], rtol=1e-12)


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.5, 0.9, 1.4])
def test_fitted__is_the_shape_of_an_exact_tail(shape):
    """Five standard deviations (1 + k) / sqrt(n) of the estimate, and the pull of ten weights at a half."""
    size = 20_000
    over = np.sort(genpareto.rvs(shape, scale=3.0, size=size, random_state=np.random.default_rng(5)))
    found, scale = fitted(over)
    assert found == pytest.approx(shape, abs=5 * (1 + abs(shape)) / np.sqrt(size) + 10 / size)
    assert scale == pytest.approx(3.0, rel=10 / np.sqrt(size))


@pytest.mark.parametrize("shape", [0.3, 0.8, 1.2])
def test_weigh__tells_the_tail_of_ratios_that_are_pareto(shape):
    """Weights U^-k have a Pareto tail of shape k; the tail fitted has 3 sqrt(n) of them."""
    uniform = np.random.default_rng(2).random(100_000)
    found = weigh(-shape * np.log(uniform))
    assert found.shape == pytest.approx(shape, abs=5 * (1 + shape) / np.sqrt(3 * np.sqrt(100_000)))
    assert found.usable == (shape < 1)


def test_smoothed__tail_is_quantiles_of_the_fit():
    raw = np.random.default_rng(4).random(2_500) ** -0.6
    found, shape = smoothed(raw)
    size = 150  # three times the root
    order = np.argsort(raw)
    top, rest = order[-size:], order[:-size]
    np.testing.assert_array_equal(found[rest], raw[rest])
    assert (np.diff(found[top]) >= 0).all()
    assert found.max() <= raw.max()
    cutoff = raw[order[-size - 1]]
    _, scale = fitted(np.sort(raw[top] - cutoff))
    expected = cutoff + genpareto.ppf((np.arange(size) + 0.5) / size, shape, scale=scale)
    np.testing.assert_allclose(found[top], np.minimum(expected, raw.max()), rtol=1e-9)


def test_weigh__one_draw_that_carries_all_is_no_posterior():
    found = weigh(np.concatenate([[0.0], np.full(999, -800.0)]))
    assert found.effective == pytest.approx(1)
    assert not found.usable
    assert not np.isnan(found.weights).any()


def test_weigh__refuses_what_is_no_number():
    with pytest.raises(ValueError, match="not finite"):
        weigh(np.array([0.0, np.nan]))


def test_usable__ends_at_fifty_effective_draws():
    wide, narrow = (weighed(normal(20_000), (0.0, error)) for error in (0.01, 0.001))
    assert TOO_FEW < wide.effective < FEW
    assert wide.usable
    assert narrow.effective < TOO_FEW
    assert not narrow.usable


def test_usable__ends_where_weights_have_no_mean():
    many = Weighing(np.full(10_000, 1e-4), 5_000.0, 1.0)
    assert many.usable
    assert not many._replace(shape=1.01).usable
    assert not many._replace(shape=np.inf).usable
    assert many.fair == pytest.approx(0.7)
    assert Weighing(np.full(1_000, 1e-3), 500.0, 0.0).fair == pytest.approx(2 / 3)


@given(st.integers(5, 400), st.integers(0, 2**32 - 1))
def test_quantiles__of_equal_weights_are_numpys_within_the_spacing(size, seed):
    rng = np.random.default_rng(seed)
    values, levels = rng.standard_cauchy(size), [0.01, 0.05, 0.3, 0.5, 0.77, 0.95]
    found = quantiles(values[None], np.array(levels), np.full(size, 1 / size))[:, 0]
    np.testing.assert_allclose(found, np.quantile(values, levels, method="hazen"), rtol=1e-9)
    ordered = np.sort(values)
    for level, each in zip(levels, found, strict=True):
        place = np.clip(level * (size - 1), 1, size - 2)
        assert ordered[max(int(place) - 1, 0)] <= each <= ordered[min(int(np.ceil(place)) + 1, size - 1)]


@given(st.integers(1, 60), st.floats(0.1, 4), st.integers(0, 2**32 - 1))
def test_thinned__keeps_large_weights_and_their_sum(most, spread, seed):
    weights = np.exp(spread * np.random.default_rng(seed).standard_normal(100))
    weights /= weights.sum()
    found = thinned(weights, most)
    assert len(found.places) <= most
    assert found.weights.sum() == pytest.approx(1)
    assert (np.diff(found.places) > 0).all()
    large = weights > weights.sum() / most
    assert set(np.flatnonzero(large)) <= set(found.places)
    assert effective_size(found.weights) <= most + 1e-6


def test_thinned__changes_nothing_where_all_fit():
    weights = np.array([0.5, 0.0, 0.25, 0.25])
    found = thinned(weights, 3)
    np.testing.assert_array_equal(found.places, [0, 2, 3])
    np.testing.assert_array_equal(found.weights, weights[[0, 2, 3]])


def test_thinned__says_the_same_as_all_draws():
    """Mean, sd and quantiles of a tenth of the draws, by five errors of that tenth."""
    theta = normal(200_000)
    full = weighed(theta, (1.0, 0.5))
    part = thinned(full.weights, 20_000)
    assert len(part.places) > 19_990
    allowed = 5 / np.sqrt(effective_size(part.weights))
    for expected, found in zip(moments(theta, full.weights), moments(theta[part.places], part.weights), strict=True):
        assert found == pytest.approx(expected, abs=allowed)
    levels = [0.05, 0.5, 0.95]
    expected = score.quantiles(theta[None], levels, full.weights)
    np.testing.assert_allclose(
        score.quantiles(theta[None, part.places], levels, part.weights), expected, atol=2 * allowed
    )
