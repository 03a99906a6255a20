"""From counts to figures: quantiles within the bins' width, moments as NumPy has them, and errors that are honest."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from sim import cells, reduce, tally
from sim.tally import RESOLUTION
from tests.folding import folded

LEVELS = np.array(reduce.LEVELS)


def found_of(values):
    """Statistics of values [cell, draw] by way of counts."""
    sums, gauge = folded(values)
    return reduce.statistics(sums, gauge), gauge


# --- quantiles -------------------------------------------------------------------------------------------------------


def shapes(n, seed=1):
    """Draws [shape, draw] of what cells may look like, by name."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=n)
    made = {
        "normal": normal,
        "lognormal": np.exp(2 * normal),
        "far from 0": 1e4 + normal,
        "far below 0": -1e6 + 100 * normal,
        "uniform": rng.random(n),
        "small": 1e-6 * np.exp(normal),
        "large": 1e12 * np.exp(normal),
        "pareto": rng.pareto(2, n),
        "cauchy": rng.standard_cauchy(n),
        "rare": np.where(rng.random(n) < 0.06, np.exp(normal), 0),
        "mostly 0": np.where(rng.random(n) < 0.7, 0, rng.random(n)),
        "share": rng.beta(0.05, 0.05, n).astype(np.float32),
        "two values": rng.choice([-3.0, 7.0], n),
        "ten values": rng.integers(10, size=n),
        "constant": np.full(n, 193.737),
        "0": np.zeros(n),
        "two hills": np.where(rng.random(n) < 0.5, normal - 100, normal + 100),
    }
    return {name: each.astype(np.float32) for name, each in made.items()}


SMOOTH = ("normal", "lognormal", "far from 0", "far below 0", "uniform", "small", "large", "pareto", "cauchy")


def near_and_exact(values):
    """Quantiles from counts and from NumPy [level, cell], and the distances of NumPy's from each cell's centre."""
    found, gauge = found_of(values)
    exact = np.quantile(values.astype(np.float64), LEVELS, axis=1)
    return found.quantiles.astype(np.float64), exact, np.abs(exact - gauge.centre)


def gaps(values):
    """Distance between the order statistics one rank below and two above each quantile: what one rank may cost."""
    ordered, n = np.sort(values.astype(np.float64), axis=1), values.shape[1]
    low = np.clip(np.floor(LEVELS * (n - 1)).astype(int) - 1, 0, n - 1)
    high = np.clip(low + 3, 0, n - 1)
    return (ordered[:, high] - ordered[:, low]).T


@pytest.mark.parametrize("n", [2, 3, 50, 256, 257, 1000, 4097, 30_000, 200_000])
def test_quantiles__lie_within_the_resolution_of_numpys(n):
    made = shapes(n)
    values = np.stack(list(made.values()))
    near, exact, distance = near_and_exact(values)
    rounding = 4 * np.finfo(np.float32).eps * np.abs(values).max(axis=1)
    allowed = RESOLUTION * distance + gaps(values) + rounding
    wrong = np.argwhere(np.abs(near - exact) > allowed)
    assert not [(list(made)[cell], reduce.LEVELS[level]) for level, cell in wrong]
    assert (np.diff(near, axis=0) >= 0).all()


@pytest.mark.parametrize("n", [20_000, 200_000])
def test_quantiles__differ_from_numpys_by_a_small_part_of_their_monte_carlo_error(n):
    """A bin is 1/64 of the distance from the centre, and values are taken to lie evenly in it: what is left is small.

    Draws of a bin at P5 are a hundredth of all: where among them a rank is found is uncertain by a fifth of the error.
    """
    values = np.stack([shapes(n)[name] for name in SMOOTH])
    near, exact, _ = near_and_exact(values)
    error = np.array([reduce.of_draws(each).quantile_error for each in values]).T
    assert np.sqrt(np.mean(((near - exact) / error) ** 2)) < 0.2


@pytest.mark.parametrize("name", ["two values", "constant", "0"])
def test_quantiles__of_atoms_are_the_atoms_themselves(name):
    values = shapes(5000)[name][None]
    near, exact, _ = near_and_exact(values)
    np.testing.assert_array_equal(near, exact)


def test_quantiles__of_more_zeros_than_half_are_zero_where_numpys_are():
    """An atom at the least value, as of a shortfall: P50 of it is exactly 0."""
    values = np.stack([shapes(5000)[name] for name in ("mostly 0", "rare")])
    near, exact, _ = near_and_exact(values)
    assert (exact[:5] == 0).all()
    np.testing.assert_array_equal(near[exact == 0], 0)


def test_quantiles__of_a_share_of_1_are_1_where_numpys_are():
    values = np.where(np.random.default_rng(2).random(4096) < 0.3, 0.25, 1).astype(np.float32)[None]
    near, exact, _ = near_and_exact(values)
    np.testing.assert_array_equal(near, exact)


def test_quantiles__the_whole_range_of_levels_is_from_the_least_to_the_greatest():
    values = np.stack(list(shapes(1000).values()))
    sums, gauge = folded(values)
    ends = reduce.quantiles(sums, gauge, np.array([0.0, 1.0]))
    np.testing.assert_array_equal(ends, [values.min(axis=1), values.max(axis=1)])


finite = st.floats(-(2.0**60), 2.0**60, width=32).map(lambda value: 0 if abs(value) < 2.0**-60 else value)


@settings(max_examples=100)
@given(arrays(np.float32, (3, 256), elements=finite, fill=finite))
def test_quantiles__of_anything_lie_between_the_least_and_the_greatest_and_are_in_order(values):
    sums, gauge = folded(values)
    found = reduce.quantiles(sums, gauge, np.linspace(0, 1, 21))
    assert (found >= values.min(axis=1)).all()
    assert (found <= values.max(axis=1)).all()
    assert (np.diff(found, axis=0) >= 0).all()
    exact = np.quantile(values.astype(np.float64), np.linspace(0, 1, 21), axis=1, method="inverted_cdf")
    spread = np.ptp(values.astype(np.float64), axis=1)
    np.testing.assert_array_equal(found[[0, -1]], exact[[0, -1]])
    assert (np.abs(found - exact) <= spread).all()


def test_quantiles__levels_are_in_order_and_hold_what_the_headline_shows():
    assert list(reduce.LEVELS) == sorted(reduce.LEVELS)
    assert {0.05, 0.25, 0.5, 0.75, 0.95} < set(reduce.LEVELS)
    ranks = np.arange(100_001, dtype=np.float32)[None]
    found, _ = found_of(ranks)
    assert found.quantiles[:, 0] == pytest.approx(1e5 * LEVELS, rel=RESOLUTION / 10)


# --- moments ---------------------------------------------------------------------------------------------------------

HEAVY = ("pareto", "cauchy")


@pytest.mark.parametrize("n", [2, 256, 1001, 100_000])
def test_statistics__mean_and_sd_are_numpys(n):
    made = shapes(n)
    names = [name for name in made if name not in HEAVY]
    values = np.stack([made[name] for name in names])
    found, _ = found_of(values)
    exact = values.astype(np.float64)
    sd, mean = exact.std(axis=1), exact.mean(axis=1)
    rounding = np.finfo(np.float32).eps * np.abs(exact).max(axis=1)
    np.testing.assert_array_less(np.abs(found.mean - mean), rounding + 1e-6 * sd + 1e-9)
    np.testing.assert_array_less(np.abs(found.sd - sd), 1e-5 * sd + rounding + 1e-9)
    np.testing.assert_allclose(found.mean_error, found.sd.astype(np.float64) / np.sqrt(n), rtol=2e-7)
    assert {part.dtype for part in found} == {np.dtype(np.float32)}


def test_statistics__sd_of_what_hardly_varies_far_from_0_does_not_cancel_away():
    values = (1e4 + 0.01 * np.random.default_rng(4).integers(-3, 4, size=(1, 20_000))).astype(np.float32)
    found, _ = found_of(values)
    assert found.sd[0] == pytest.approx(values.astype(np.float64).std(), rel=1e-5)


def test_statistics__count_the_draws_that_are_exactly_0():
    values = np.array([[0, 0, 0, 1e-30], [1, -1, 2, 0], [0, 0, 0, -0.0], [0, np.nan, 1, 2]], np.float32)
    found, _ = found_of(values)
    np.testing.assert_array_equal(found.zero, np.array([0.75, 0.25, 1, np.nan], np.float32))
    np.testing.assert_array_equal(found.quantiles[:, 2], 0)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_statistics__a_cell_that_a_draw_lacks_has_no_figure_and_its_neighbours_have(missing):
    values = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    values[1, 999] = missing
    found, _ = found_of(values)
    for part in found:
        assert np.isnan(part[..., 1]).all()
        assert np.isfinite(part[..., [0, 2]]).all()


def test_statistics__a_cell_without_any_value_has_no_figure():
    found, _ = found_of(np.full((1, 300), np.nan, np.float32))
    assert all(np.isnan(part).all() for part in found)


def test_statistics__a_figure_that_no_draw_varies_has_no_error():
    found, _ = found_of(np.full((1, 64), 193.737, np.float32))
    assert (found.quantiles == np.float32(193.737)).all()
    assert (found.quantile_error == 0).all()
    assert found.mean[0] == np.float32(193.737)
    assert found.sd[0] == found.mean_error[0] == 0


def test_of_draws__is_numpy():
    values = shapes(999)["lognormal"]
    found = reduce.of_draws(values)
    np.testing.assert_array_equal(found.quantiles, np.quantile(values.astype(np.float64), LEVELS).astype(np.float32))
    assert found.mean == np.float32(values.mean(dtype=np.float64))
    assert found.sd == np.float32(values.std(dtype=np.float64))
    n = len(values)
    spread = np.sqrt(LEVELS * (1 - LEVELS) / n)
    above, below = np.quantile(values.astype(np.float64), [LEVELS + spread, LEVELS - spread])
    np.testing.assert_allclose(found.quantile_error, (above - below) / 2, rtol=1e-6)
    assert found.mean_error == pytest.approx(values.std(dtype=np.float64) / np.sqrt(n), rel=1e-6)
    assert of_zero() == 0.25


def of_zero():
    return reduce.of_draws(np.array([0, 1, -1, 2], np.float32)).zero


# --- Monte Carlo errors ----------------------------------------------------------------------------------------------

REPLICATIONS = 200
ONE_ERROR = stats.norm.cdf(1) - stats.norm.cdf(-1)
TWO_ERRORS = stats.norm.cdf(2) - stats.norm.cdf(-2)
ALPHA = 1e-6


def covered(hits, nominal):
    """Whether so many of the replications may lie within their stated errors: binomial, alpha = 1e-6."""
    low, high = stats.binom.ppf([ALPHA / 2, 1 - ALPHA / 2], REPLICATIONS, nominal)
    return low <= hits <= high


POPULATIONS = {
    "normal": stats.norm(3, 2),
    "lognormal": stats.lognorm(0.5, scale=10),
    "uniform": stats.uniform(-1, 4),
    "far from 0": stats.norm(1e4, 3),
}


@pytest.fixture(scope="module")
def replicated():
    """Statistics of 200 replications of 4,096 draws of each population [population, figure, replication]."""
    found = {}
    for seed, (name, population) in enumerate(POPULATIONS.items()):
        values = population.rvs(size=(REPLICATIONS, 4096), random_state=seed).astype(np.float32)
        found[name], _ = found_of(values)
    return found


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("figure", ["mean", 0.05, 0.5, 0.95])
def test_errors__cover_the_truth_at_their_nominal_rate(replicated, name, figure):
    """68 % of 200 lie within one stated error and 95 % within two; seen: errors 1.4 times too wide or too narrow."""
    found, population = replicated[name], POPULATIONS[name]
    if figure == "mean":
        off, error = found.mean - population.mean(), found.mean_error
    else:
        level = reduce.LEVELS.index(figure)
        off, error = found.quantiles[level] - population.ppf(figure), found.quantile_error[level]
    assert covered(np.sum(np.abs(off) <= error), ONE_ERROR)
    assert covered(np.sum(np.abs(off) <= 2 * error), TWO_ERRORS)


def test_errors__wrong_by_a_factor_would_be_seen(replicated):
    """The bound has power: errors half again as wide or two thirds as wide do not pass it."""
    found, population = replicated["normal"], POPULATIONS["normal"]
    off = np.abs(found.mean - population.mean())
    for factor in (1.6, 0.6):
        assert not covered(np.sum(off <= factor * found.mean_error), ONE_ERROR)


def test_errors__are_those_of_the_closed_form(replicated):
    """Averaged over 200 replications, a stated error is the binomial one over the density."""
    exact = np.sqrt(LEVELS * (1 - LEVELS) / 4096) / POPULATIONS["normal"].pdf(POPULATIONS["normal"].ppf(LEVELS))
    np.testing.assert_allclose(replicated["normal"].quantile_error.mean(axis=1), exact, rtol=0.05)
    np.testing.assert_allclose(replicated["normal"].mean_error.mean(), 2 / np.sqrt(4096), rtol=0.01)


def test_of_randomisations__errors_are_the_spread_of_the_parts():
    values = np.random.default_rng(8).normal(5, 2, size=(REPLICATIONS, 16, 512)).astype(np.float32)
    pooled, _ = found_of(values.reshape(REPLICATIONS, -1))
    parts = [found_of(values[:, i])[0] for i in range(16)]
    found = reduce.of_randomisations(pooled, parts)
    np.testing.assert_array_equal(found.mean, pooled.mean)
    np.testing.assert_array_equal(found.quantiles, pooled.quantiles)
    means = np.array([part.mean for part in parts], np.float64)
    np.testing.assert_allclose(found.mean_error, means.std(axis=0, ddof=1) / 4, rtol=1e-5)
    t = stats.t(15)
    within = np.sum(np.abs(found.mean - 5) <= 2 * found.mean_error)
    assert covered(within, t.cdf(2) - t.cdf(-2))
    np.testing.assert_allclose(found.quantile_error[4].mean(), 2 * 1.2533 / np.sqrt(16 * 512), rtol=0.1)


# --- Monte Carlo errors on the base world ----------------------------------------------------------------------------

LOT = 512
YEARS = ("2026", "2028", "2030")
FIGURES = ("mean", 0.05, 0.5, 0.95)
FEW_FACTORS = 0.9
"""Least part of cells where errors half or twice as wide are seen."""
SHORTFALL = 0.03
"""How far average coverage may be off: from one lot the error of P5 is known to a fifth only."""


class Lots(NamedTuple):
    """What each of 200 disjoint lots of draws says of some cells, and what all of them say together."""

    draws: np.ndarray  # [cell, lot, draw]
    outputs: list[str]
    value: np.ndarray  # [cell, figure, lot]
    error: np.ndarray
    truth: np.ndarray  # [cell, figure, 1]
    normal: np.ndarray  # [cell, figure] a lot's figure is nearly so; a mean's if the third moment of a draw allows it


@pytest.fixture(scope="module")
def lots(base_engine):
    """All yearly cells of three years, without those that are constant, discrete or the same in many draws."""
    world, rows, outputs = base_engine.world, [], []
    for (period, output), table in cells.tables(world).items():
        if period == "year":
            width, start = len(table.labels), cells.starts(world)[period, output]
            rows += [start + table.periods.index(year) * width + row for year in YEARS for row in range(width)]
            outputs += [output] * width * len(YEARS)
    found = np.empty((len(rows), REPLICATIONS * LOT), np.float32)
    for first, each in base_engine.cells_of(range(REPLICATIONS * LOT // 256), REPLICATIONS * LOT):
        found[:, first : first + 256] = each[rows]
    differing = np.array([len(np.unique(each[:LOT])) for each in found])
    smooth = np.flatnonzero((differing > 0.99 * LOT) & np.isfinite(found).all(axis=1))
    draws = found.reshape(-1, REPLICATIONS, LOT)[smooth]
    figures = map(np.stack, zip(*map(figures_of, draws), strict=True))
    return Lots(draws, [outputs[cell] for cell in smooth], *figures)


def figures_of(draws):
    """Value and stated error of each figure [figure, lot], the pooled one, and whether a lot's is nearly normal."""
    ordered = np.sort(draws.astype(np.float64), axis=-1)

    def quantiles_at(levels):
        rank = levels * (LOT - 1)
        low, high = (ordered[:, end(rank).astype(int)] for end in (np.floor, np.ceil))
        return (low + (high - low) * (rank - np.floor(rank))).T

    rows = [reduce.LEVELS.index(level) for level in FIGURES[1:]]
    at, error = (each[rows] for each in reduce._with_errors(quantiles_at, LOT))
    mean, mean_error = ordered.mean(axis=1), ordered.std(axis=1) / np.sqrt(LOT)
    truth = np.array([ordered.mean(), *np.quantile(ordered, FIGURES[1:])])
    third = np.mean(np.abs(ordered - ordered.mean()) ** 3) / ordered.std() ** 3
    return np.vstack([mean, at]), np.vstack([mean_error, error]), truth[:, None], [third < np.sqrt(LOT), *3 * [True]]


def hits(lots, figure, factor=1):
    """Whether the pooled figure lies within the stated error of each lot's, times a factor [cell, lot]."""
    row = FIGURES.index(figure)
    inside = np.abs(lots.value - lots.truth) <= factor * lots.error
    return inside[lots.normal[:, row], row]


def bounds(count):
    """Least and most of the replications that may lie within one error, in every one of many cells: alpha = 1e-6."""
    alpha = ALPHA / count
    return stats.binom.ppf([alpha / 2, 1 - alpha / 2], REPLICATIONS, ONE_ERROR)


@pytest.mark.parametrize("figure", FIGURES)
def test_errors__on_the_base_world_cover_what_many_draws_say(lots, figure):
    """200 disjoint lots against all draws, whose own error is 14 times smaller; seen: errors half or twice as wide."""
    found = hits(lots, figure).sum(axis=1)
    low, high = bounds(found.size)
    assert (low <= found.min(), found.max() <= high) == (True, True), (found.min(), found.max(), low, high)
    for factor in (0.5, 2):
        wrong = hits(lots, figure, factor).sum(axis=1)
        assert np.mean((wrong < low) | (wrong > high)) > FEW_FACTORS


@pytest.mark.parametrize("figure", FIGURES)
def test_errors__on_the_base_world_cover_at_their_rate_on_average(lots, figure):
    """Over all cells, by lot: lots are independent where cells are not; errors a fifth too wide or narrow are seen."""

    def is_nominal(factor):
        by_lot = hits(lots, figure, factor).mean(axis=0)
        error = by_lot.std(ddof=1) / np.sqrt(REPLICATIONS)
        return np.abs(by_lot.mean() - ONE_ERROR) <= SHORTFALL + stats.norm.isf(ALPHA / 2) * error

    assert [is_nominal(factor) for factor in (0.8, 1, 1.25)] == [False, True, False]


def test_lots__are_of_all_outputs_but_counts_and_what_is_mostly_0_or_1(base_engine, lots):
    yearly = {output for period, output in cells.tables(base_engine.world) if period == "year"}
    assert yearly - set(lots.outputs) == {"binding", "bound_buyers", "shortfall"}
    assert len(lots.outputs) > 600
    assert np.mean(lots.normal[:, 0]) > 0.9


def test_errors__read_off_counts_on_the_base_world_cover_what_many_draws_say(lots):
    """One cell of each output, the lots' figures by way of counts."""
    few = [lots.outputs.index(output) for output in dict.fromkeys(lots.outputs)]
    low, high = bounds(len(few) * len(FIGURES))
    rows = [reduce.LEVELS.index(level) for level in FIGURES[1:]]
    for cell in few:
        found, _ = found_of(lots.draws[cell])
        value, error = (
            np.vstack([found.mean, found.quantiles[rows]]),
            np.vstack([found.mean_error, found.quantile_error[rows]]),
        )
        inside = np.sum(np.abs(value - lots.truth[cell]) <= error, axis=1)[lots.normal[cell]]
        assert ((low <= inside) & (inside <= high)).all(), (lots.outputs[cell], inside)


def test_resolution__is_the_bins():
    edges = tally.edges().astype(np.float64)[tally.SIDE + 1 :]
    assert (np.diff(edges) / edges[:-1]).max() == pytest.approx(RESOLUTION)
