"""The NumPy contenders tell what the engine tells, and the cells they are judged by are what they say they are."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from benchmarks.base_world_numpy import LEVELS, STATISTICS, idiomatic, tuned
from benchmarks.base_world_numpy.cells import Cells
from benchmarks.base_world_numpy.forecast import Path
from benchmarks.base_world_numpy.tally import PILOT, Tally, statistics
from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.distributions import Fixed
from tests import cells as plain
from tests import oracle

DRAWS = {"engine": 4096, "idiomatic": 1024, "tuned": 9000}
ERRORS = 5
"""Combined standard errors that two runs may be apart."""
HEADLINE = (
    ("year", "h100e"),
    ("year", "revenue"),
    ("year", "capex"),
    ("year", "installed"),
    ("year", "power"),
    ("year", "tier_revenue"),
    ("year", "revenue_growth"),
    ("quarter", "revenue"),
    ("fiscal_year", "fiscal_revenue"),
)
NOISY = 1e-3
"""Least sd over mean of a cell that draws say something of."""
NEAR, BEYOND = 1e-3, 0.01
"""Float32 may be off by more than NEAR in so small a part of a table's cells: near-zero differences and ties."""
FEW = 128


@pytest.fixture(scope="module")
def told(base_world, base_run):
    """By contender and table: mean, sd, quartiles and median [axis, period], each from a seed of its own."""
    jobs = {
        "idiomatic": idiomatic.job(base_world, DRAWS["idiomatic"], 1),
        "tuned": tuned.job(base_world, DRAWS["tuned"], 2),
    }
    found = {
        name: {key: {each: table[STATISTICS.index(each)] for each in STATISTICS} for key, table in job.items()}
        for name, job in jobs.items()
    }
    return found | {"engine": {key: of_tree(base_run.tree, *key) for key in HEADLINE}}


def of_tree(tree, period, output):
    group = tree[f"prior_predictive/{period}"]
    quantiles = {f"p{round(100 * p):02}": group[output].sel(quantile=p).values for p in (0.25, 0.5, 0.75)}
    return quantiles | {name: group[f"{output}_{name}"].values for name in ("mean", "sd")}


@pytest.mark.parametrize(("one", "other"), [("idiomatic", "engine"), ("tuned", "engine"), ("idiomatic", "tuned")])
@pytest.mark.parametrize("key", HEADLINE)
def test_contenders__agree_within_monte_carlo_error(key, one, other, told):
    """A median's standard error is at most about the distance of the quartiles over the square root of the draws."""
    a, b = told[one][key], told[other][key]
    noisy = a["sd"] > NOISY * np.abs(a["mean"])
    width = np.maximum(a["p75"] - a["p25"], b["p75"] - b["p25"])
    for name, spread in (("mean", np.maximum(a["sd"], b["sd"])), ("p50", width)):
        error = spread * np.sqrt(1 / DRAWS[one] + 1 / DRAWS[other])
        assert np.all(np.abs(a[name] - b[name])[noisy] <= ERRORS * error[noisy]), name
    assert np.mean(noisy) > 0.4
    np.testing.assert_allclose(a["mean"][~noisy], b["mean"][~noisy], rtol=ERRORS * NOISY)


def test_contenders__tell_every_cell(told):
    assert {key: table["mean"].shape for key, table in told["tuned"].items()} == {
        key: table["mean"].shape for key, table in told["idiomatic"].items()
    }
    for key, table in told["idiomatic"].items():
        for name in STATISTICS:
            assert np.array_equal(np.isnan(table[name]), np.isnan(told["tuned"][key][name])), (key, name)


# The tuned contender, step by step


@pytest.fixture(scope="module")
def parts(base_world):
    return tuned.parts_of(base_world)


def entries(world, beliefs):
    """Values [entry, draw] of beliefs by name."""
    return np.concatenate([beliefs[name].reshape(-1, beliefs[name].shape[-1]) for name in world.shapes])


def sampled(name, world, parts):
    rng = np.random.Generator(np.random.SFC64(5))
    if name == "idiomatic":
        return idiomatic.sample(world, 4096, rng)
    return entries(world, parts.sampler(rng, parts.sampler.buffer(16_384)))


@pytest.mark.parametrize("name", ["idiomatic", "tuned"])
def test_sampler__draws_the_book(name, base_world, parts):
    """At 7,200 checks of a normal score the largest has a chance of 1e-5 to pass 6; wrong by 5 % of an sd shows."""
    values, levels = sampled(name, base_world, parts), np.array([0.02, 0.05, 0.5, 0.95, 0.98])
    count, quantiles = values.shape[1], cache(lambda distribution: distribution.ppf(levels))
    for entry, row in zip(base_world.entries, values, strict=True):
        if isinstance(entry.distribution, Fixed):
            assert np.ptp(row) == 0
            assert row[0] == pytest.approx(entry.distribution.value, rel=1e-6)
        else:
            below = np.mean(row[:, None] <= quantiles(entry.distribution), axis=0)
            assert np.all(np.abs(below - levels) < 6 * np.sqrt(levels * (1 - levels) / count)), entry
    streams, rank = base_world.book.correlation
    place = {entry.stream: i for i, entry in enumerate(base_world.entries)}
    found = stats.spearmanr(values[[place[stream] for stream in streams]], axis=1)[0]
    assert np.abs(found - rank).max() < 6 / np.sqrt(count)


def test_model__is_the_oracles_in_float32(base_world, parts):
    beliefs = parts.sampler(np.random.Generator(np.random.SFC64(3)), parts.sampler.buffer(FEW))
    exact = {name: rows.astype(np.float64) for name, rows in beliefs.items()}
    expected = plain.cells(base_world, oracle.simulate(base_world, exact), entries(base_world, exact))
    cells = Cells(parts.places, np.full((parts.places.count, FEW), 1e30, np.float32))
    Path(parts.model, beliefs, cells).run()
    assert cells.of.keys() == expected.keys()
    for key, values in expected.items():
        assert np.array_equal(np.isnan(values), np.isnan(cells.of[key])), key
        usual = np.nanmean(np.abs(values), axis=(1, 2))[:, None, None]
        off = np.abs(cells.of[key] - values) / np.maximum(np.abs(values), usual)
        assert np.mean(off[~np.isnan(off)] > NEAR) < BEYOND, key


def test_tally__is_near_exact_statistics():
    """Bins are 0.8 % wide; a quantile within one is off by at most that, and by far less where many draws share it."""
    rng, count = np.random.default_rng(1), 16 * PILOT
    heavy = rng.lognormal(sigma=2, size=count)
    rows = np.array([heavy, heavy * (heavy > 0.5), rng.standard_normal(count), np.full(count, 193.7), heavy * np.nan])
    blocks = rows.astype(np.float32).reshape(5, 8, -1).swapaxes(0, 1)
    tallies = [Tally(half[0][:, :PILOT]) for half in np.split(blocks, 2)]
    for tally, half in zip(tallies, np.split(blocks, 2), strict=True):
        tally.add(half[:1].copy())
        tally.add(half[1:].copy())
    found = statistics(tallies)
    expected = np.concatenate([[rows.mean(axis=1)], [rows.std(axis=1)], np.quantile(rows, LEVELS, axis=1)])
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=1e-4)


# The cells


@pytest.fixture(scope="module")
def made(base_world):
    """Made-up flows, one of them 0 for a year, and the cells of them."""
    axes, rng = base_world.book.axes, np.random.default_rng(5)
    flows = {
        name: rng.lognormal(sigma=1.5, size=(len(axes["time"]), len(axes[output.dims[0]]), 3))
        for name, output in OUTPUTS.items()
    }
    flows["h100e"][4:8, 0] = 0
    values = np.array([entry.distribution.quantile(0.5) for entry in base_world.entries])[:, None] * np.ones(3)
    return SimpleNamespace(flows=flows, values=values, cells=plain.cells(base_world, flows, values))


def test_cells__has_every_table(base_world, made):
    yearly = {("year", name) for name in OUTPUTS.keys() | DERIVED.keys() - {"fiscal_revenue"}}
    assert set(made.cells) == yearly | {("quarter", name) for name in QUARTERLY} | {("fiscal_year", "fiscal_revenue")}
    assert sum(table[..., 0].size for table in made.cells.values()) == 3302
    assert made.cells["year", "capex"].shape == (len(base_world.book.axes["capex_buyer"]) + 2, 9, 3)


@pytest.mark.parametrize("name", OUTPUTS)
def test_cells__years_are_made_of_their_quarters(name, base_world, made):
    table, output = made.cells["year", name], OUTPUTS[name]
    for y, year in enumerate(base_world.book.axes["year"]):
        quarters = [made.flows[name][4 * y + i] for i in range(4)]
        total = quarters[0] + quarters[1] + quarters[2] + quarters[3]
        expected = {"sum": total, "mean": total / 4, "last": quarters[3]}[output.annual]
        if output.forecast_only and year <= "2025":
            expected = expected * np.nan
        np.testing.assert_allclose(table[: len(expected), y], expected, rtol=1e-12)


def test_cells__totals_are_sums_in_the_draw(made):
    for name, rows in (("revenue", 9), ("need", 8), ("capex", 5)):
        table = made.cells["year", name]
        np.testing.assert_allclose(table[-1], table[:rows].sum(axis=0), rtol=1e-12)
    capex = made.cells["year", "capex"]
    np.testing.assert_allclose(capex[-2], capex[0] + capex[1] + capex[2] + capex[3], rtol=1e-12)
    np.testing.assert_allclose(made.cells["quarter", "units"][-1], made.flows["units"].sum(axis=1), rtol=1e-12)
    assert np.array_equal(made.cells["quarter", "units"][3], made.flows["units"][:, 3])


def test_cells__ratios_are_of_the_draws_own_years(made):
    year = {name: table for (period, name), table in made.cells.items() if period == "year"}
    assert np.isnan(year["revenue_growth"][:, 0]).all()
    np.testing.assert_allclose(year["revenue_growth"][:, 3], year["revenue"][:, 3] / year["revenue"][:, 2] - 1)
    np.testing.assert_allclose(year["revenue_share"][:-1].sum(axis=0), 1)
    np.testing.assert_allclose(year["binding"][:, 4:].sum(axis=0), 1)
    np.testing.assert_allclose(year["coverage"][2, 5], year["raw_need"][2, 5] / year["installed"][2, 5])
    spread = made.flows["depreciation_added"][32:, 0].sum(axis=0) / made.flows["net_income"][32:, 0].sum(axis=0)
    np.testing.assert_allclose(year["depreciation_share"][0, 8], spread)


def test_cells__tell_nothing_where_there_was_nothing(made):
    growth, price = made.cells["year", "h100e_growth"][0], made.cells["year", "h100e_price"][0]
    assert np.isnan(growth[2]).all()  # on a year of nothing
    assert (growth[1] == -1).all()
    assert np.isnan(price[1]).all()
    assert np.isfinite(np.delete(price, 1, axis=0)).all()


def test_cells__fiscal_years_keep_what_is_reported(base_world, made):
    """Where the model's quarters are what was reported, so is the fiscal year; what they add comes in by its days."""
    (fiscal,), axes = base_world.record.fiscal, base_world.book.axes
    place = [entry.stream for entry in base_world.entries].index(f"reported_share[{fiscal.supplier}]")
    flows = {name: flow.copy() for name, flow in made.flows.items()}
    line = base_world.record.line[:, axes["reported_supplier"].index(fiscal.supplier), None]
    flows["revenue"][:, axes["supplier"].index(fiscal.supplier)] = line * made.values[place] + 7
    found = plain.cells(base_world, flows, made.values)["fiscal_year", "fiscal_revenue"][0]
    added = 7 * fiscal.weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, fiscal.known[:, None] * made.values[place] + added, rtol=1e-12)
