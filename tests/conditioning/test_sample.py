"""Statistics of weighted draws against repeated draws in NumPy."""

import numpy as np
import pytest

from sim.conditioning.sample import ROWS, Sample, moments, moved, statistics
from sim.reduce import LEVELS


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return (1e3 + rng.standard_normal((ROWS + 3, 500)) * np.arange(1, ROWS + 4)[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(1).integers(0, 4, 500)


def test_statistics__are_those_of_draws_repeated_as_often_as_they_weigh(rows, counts):
    """Quantiles by the spacing of the draws, moments exactly."""
    seen = counts > 0
    found = statistics(rows[:, seen], counts[seen] / counts.sum(), 100.0)
    repeated = np.repeat(rows.astype(np.float64), counts, axis=1)
    np.testing.assert_allclose(found.mean, repeated.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.sd, repeated.std(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.mean_error, repeated.std(axis=1) / 10, rtol=1e-5)
    around = [np.clip(np.array(LEVELS) + away, 0, 1) for away in (-0.005, 0.005)]
    for row, at in zip(repeated, found.quantiles.T, strict=True):
        low, high = (np.quantile(row, levels).astype(np.float32) for levels in around)
        assert (low <= at).all()
        assert (at <= high).all()


def test_statistics__error_of_a_quantile_falls_with_the_effective_draws(rows):
    flat = np.full(rows.shape[1], 1 / rows.shape[1])
    few, many = (statistics(rows, flat, effective).quantile_error[4] for effective in (50.0, 450.0))
    np.testing.assert_allclose(few / many, 3, rtol=0.5)
    expected = np.sqrt(np.pi / 2 / 450) * np.arange(1, ROWS + 4)
    np.testing.assert_allclose(np.median(many / expected), 1, rtol=0.1)


def test_statistics__have_none_where_a_draw_has_none(rows):
    holed = rows.copy()
    holed[5, 7] = np.nan
    holed[6, :50] = 0
    flat = np.full(500, 1 / 500)
    found = statistics(holed, flat, 500.0)
    assert np.isnan(found.mean[5])
    assert np.isnan(found.quantiles[:, 5]).all()
    assert np.isfinite(np.delete(found.quantiles, 5, axis=1)).all()
    assert found.zero[6] == pytest.approx(0.1)


def test_moments__of_large_numbers_keep_a_small_spread():
    values = (1e6 + np.arange(8) % 2).astype(np.float32)[None]
    mean, sd = moments(values, np.full(8, 1 / 8))
    assert mean[0] == 1e6 + 0.5
    assert sd[0] == 0.5


def test_moved__is_told_in_standard_deviations_from_before(rows):
    flat = np.full(500, 1 / 500)
    fixed = np.full((1, 500), 7, np.float32)
    before = Sample(np.concatenate([rows[:3], fixed]), rows[:0], flat, 500.0)
    after = before._replace(values=np.concatenate([rows[:1] + 2, rows[1:3] * 3 - 2000, fixed]))
    found = moved(before, after)
    sd = rows[:3].astype(np.float64).std(axis=1)
    mean = rows[:3].astype(np.float64).mean(axis=1)
    np.testing.assert_allclose(found.shift[:3], [2 / sd[0], *((2 * mean - 2000) / sd)[1:]], rtol=1e-4)
    np.testing.assert_allclose(found.ratio[:3], [1, 3, 3], rtol=1e-4)
    assert (found.shift[3], found.ratio[3]) == (0, 1)
