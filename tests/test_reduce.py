"""Reductions: exact quantiles with honest errors, and everything that is added up is added up in the draw."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import sim
from sim import reduce
from sim.axes import DERIVED, OUTPUTS
from sim.errors import RefusedError
from sim.simulate import Block

KEY = ("year", "x")


@pytest.fixture(scope="module")
def world(base_world):
    return base_world


def summed(values: np.ndarray, *cuts: int) -> reduce.Statistics:
    """Statistics of values [axis, period, draw] given in blocks that end at ``cuts``."""
    blocks = [{KEY: block} for block in np.split(values, cuts, axis=-1)]
    ((key, found),) = reduce.statistics(blocks, values.shape[-1])
    assert key == KEY
    return found


floats = st.floats(-(2.0**99), 2.0**99, width=32)


@given(st.integers(2, 400).flatmap(lambda n: arrays(np.float32, (2, 3, n), elements=floats)))
def test_statistics__quantiles_are_numpys(values):
    expected = np.quantile(values.astype(np.float64), reduce.LEVELS, axis=-1, method="linear")
    tolerance = 4 * np.finfo(np.float32).eps * np.abs(values).max()
    np.testing.assert_allclose(summed(values.copy()).quantiles, expected, rtol=0, atol=max(tolerance, 1e-44))


@pytest.mark.parametrize("n", [2, 3, 99, 100, 101, 4097])
def test_statistics__are_those_of_a_skewed_sample(n):
    values = np.random.default_rng(n).lognormal(size=(3, 2, n)).astype(np.float32)
    found, exact = summed(values.copy()), values.astype(np.float64)
    np.testing.assert_allclose(found.quantiles, np.quantile(exact, reduce.LEVELS, axis=-1), rtol=3e-7)
    np.testing.assert_allclose(found.mean, exact.mean(axis=-1), rtol=2e-7)
    np.testing.assert_allclose(found.sd, exact.std(axis=-1), rtol=2e-7)
    np.testing.assert_allclose(found.mean_error, exact.std(axis=-1) / np.sqrt(n), rtol=2e-7)
    assert {part.dtype for part in found} == {np.dtype(np.float32)}
    assert (np.diff(found.quantiles, axis=0) >= 0).all()


def test_statistics__levels_are_in_order_and_hold_what_the_headline_shows():
    assert list(reduce.LEVELS) == sorted(reduce.LEVELS)
    assert {0.05, 0.25, 0.5, 0.75, 0.95} < set(reduce.LEVELS)
    ranks = np.arange(101, dtype=np.float32)[None, None]
    assert summed(ranks).quantiles.ravel() == pytest.approx([100 * level for level in reduce.LEVELS], rel=1e-6)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 499), max_size=5).map(sorted), st.integers(0, 2**31))
def test_statistics__do_not_depend_on_the_blocks_and_their_order(cuts, seed):
    values = np.random.default_rng(seed).normal(size=(2, 2, 500)).astype(np.float32)
    whole, parts = summed(values.copy()), summed(values.copy(), *cuts)
    assert all((a == b).all() for a, b in zip(whole, parts, strict=True))
    turned = summed(values[..., ::-1].copy())
    assert (whole.quantiles == turned.quantiles).all()
    np.testing.assert_allclose(whole.mean, turned.mean, rtol=1e-6, atol=1e-7)


def test_statistics__errors_are_those_that_replications_show():
    """Normal data, 200 replications of 2,000 draws.

    An sd over 200 has a standard error of 5 % (1 / sqrt(400)), so at alpha = 1e-6 (4.9 of them) 25 % is seen; the
    stated quantile errors are themselves noisy, and are averaged over the replications.
    """
    replications, n = 200, 2000
    values = np.random.default_rng(11).normal(3, 2, size=(replications, 1, n)).astype(np.float32)
    found = summed(values)
    empirical = found.quantiles[:, :, 0].std(axis=1, ddof=1)
    stated = found.quantile_error[:, :, 0].mean(axis=1)
    density = stats.norm.pdf(stats.norm.ppf(reduce.LEVELS)) / 2
    exact = np.sqrt(np.array(reduce.LEVELS) * (1 - np.array(reduce.LEVELS)) / n) / density
    np.testing.assert_allclose(stated, exact, rtol=0.05)
    np.testing.assert_allclose(stated, empirical, rtol=0.25)
    np.testing.assert_allclose(found.mean_error.mean(), 2 / np.sqrt(n), rtol=0.01)
    np.testing.assert_allclose(found.mean_error.mean(), found.mean.std(ddof=1), rtol=0.25)


def test_statistics__a_figure_that_no_draw_varies_has_no_error():
    found = summed(np.full((1, 1, 64), 193.737, np.float32))
    assert (found.quantiles == np.float32(193.737)).all()
    assert (found.quantile_error == 0).all()
    assert found.mean_error.item() == pytest.approx(0, abs=1e-6)


def test_statistics__a_cell_that_some_draws_lack_has_no_quantiles():
    values = np.array([[[1, 2, np.nan, 4], [1, 2, 3, 4]]], np.float32)
    found = summed(values)
    assert np.isnan(found.quantiles[:, 0, 0]).all()
    assert np.isnan(found.mean[0, 0])
    assert np.isfinite(found.quantiles[:, 0, 1]).all()


class Made(NamedTuple):
    """A block of made-up flows, and the cells made of them."""

    flows: dict[str, np.ndarray]
    cells: reduce.Cells


@pytest.fixture(scope="module")
def made(world) -> Made:
    """Draws on widely different scales, so that the sum of quantiles is far from the quantile of the sum."""
    rng, axes = np.random.default_rng(5), world.book.axes
    flows = {
        name: rng.lognormal(sigma=1.5, size=(len(axes["time"]), len(axes[output.dims[0]]), 400)).astype(np.float32)
        for name, output in OUTPUTS.items()
    }
    values = np.array([entry.distribution.quantile(0.5) for entry in world.entries])[:, None]
    block = Block(0, flows, np.broadcast_to(values, (len(values), 400)).astype(np.float32))
    return Made(flows, reduce.block_cells(world, block))


def test_block_cells__has_every_table_in_its_shape(world, made):
    tables = reduce.tables(world)
    assert set(made.cells) == set(tables)
    for key, table in tables.items():
        assert made.cells[key].shape == (len(table.labels), len(table.periods), 400), key
    assert {key[1] for key in tables} == {*OUTPUTS, *DERIVED}
    assert tables["year", "revenue"].labels == (*world.book.axes["supplier"], "total")
    assert tables["year", "capex"].labels[-2:] == ("reported", "total")
    assert tables["year", "revenue"].periods == tuple(str(year) for year in range(2022, 2031))


@pytest.mark.parametrize("output", [name for name, output in OUTPUTS.items() if output.annual == "sum"])
def test_block_cells__years_are_sums_of_their_own_quarters(world, made, output):
    own = len(world.book.axes[OUTPUTS[output].dims[0]])
    for i, year in enumerate(range(2022, 2031)):
        quarters = [t for t, name in enumerate(world.book.axes["time"]) if name.startswith(str(year))]
        assert len(quarters) == 4
        if OUTPUTS[output].forecast_only and year <= 2025:  # beliefs of the book's date say nothing of years before
            assert np.isnan(made.cells["year", output][:, i]).all()
            continue
        expected = made.flows[output][quarters].astype(np.float64).sum(axis=0)
        np.testing.assert_allclose(made.cells["year", output][:own, i], expected, rtol=1e-6)


def first_year(output):
    """Years that an output says something of."""
    return 2026 if OUTPUTS[output].forecast_only else 2022


@pytest.mark.parametrize("output", [name for name, output in OUTPUTS.items() if output.annual == "last"])
def test_block_cells__stocks_of_a_year_are_those_of_its_last_quarter(world, made, output):
    start = first_year(output)
    last = [world.book.axes["time"].index(f"{year}Q4") for year in range(start, 2031)]
    stock = made.cells["year", output]
    assert np.isnan(stock[:, : start - 2022]).all()
    assert (stock[:-1, start - 2022 :] == made.flows[output][last].swapaxes(0, 1)).all()
    np.testing.assert_allclose(stock[-1, start - 2022 :], made.flows[output][last].sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("output", [name for name, output in OUTPUTS.items() if output.annual == "mean"])
def test_block_cells__rates_of_a_year_are_the_mean_of_its_quarters(world, made, output):
    own = len(world.book.axes[OUTPUTS[output].dims[0]])
    for year in range(2026, 2031):
        quarters = [t for t, name in enumerate(world.book.axes["time"]) if name.startswith(str(year))]
        expected = made.flows[output][quarters].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(made.cells["year", output][:own, year - 2022], expected, rtol=1e-6)
    assert np.isnan(made.cells["year", output][:, :4]).all()


def test_block_cells__ratios_are_made_in_the_draw_of_totals_too(world, made):
    cells = {name: values.astype(np.float64) for (period, name), values in made.cells.items() if period == "year"}
    ahead = slice(4, None)
    np.testing.assert_allclose(cells["coverage"], cells["raw_need"] / cells["installed"], rtol=1e-5)
    np.testing.assert_allclose(cells["h100e_price"], cells["revenue"] / cells["h100e"], rtol=1e-5)
    share = cells["depreciation_added"] / cells["net_income"]
    np.testing.assert_allclose(cells["depreciation_share"][:, ahead], share[:, ahead], rtol=1e-5)
    total = cells["raw_need"][-1] / cells["installed"][-1]
    np.testing.assert_allclose(cells["coverage"][-1], total, rtol=1e-5)
    assert (np.abs(total / cells["coverage"][:-1].mean(axis=0) - 1) > 0.01).mean() > 0.5  # no mean of ratios


def test_block_cells__binding_is_the_share_of_shipments_under_each_constraint(world, made):
    bound = made.cells["year", "bound_h100e"].astype(np.float64)[:, 4:]
    binding = made.cells["year", "binding"][:, 4:]
    np.testing.assert_allclose(binding, bound / bound.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(binding.sum(axis=0), 1, rtol=1e-5)


def test_block_cells__a_ratio_of_nothing_is_not_a_number(world, made):
    intel = world.book.axes["supplier"].index("intel_gaudi")
    flows = {name: flow.copy() for name, flow in made.flows.items()}
    flows["h100e"][:4, intel] = flows["revenue"][:4, intel] = 0
    flows["bound_h100e"][16:20] = 0
    flows["net_income"][20:24, 0] = 0
    cells = reduce.block_cells(world, Block(0, flows, np.zeros((len(world.entries), 400), np.float32)))
    assert np.isnan(cells["year", "h100e_price"][intel, 0]).all()
    assert np.isfinite(cells["year", "h100e_price"][intel, 1:]).all()
    assert np.isnan(cells["year", "binding"][:, 4]).all()
    assert np.isfinite(cells["year", "binding"][:, 5:]).all()
    assert np.isnan(cells["year", "depreciation_share"][0, 5]).all()
    assert np.isfinite(cells["year", "depreciation_share"][1:, 5]).all()


def test_statistics__counts_the_draws_that_are_exactly_0():
    values = np.array([[[0, 0, 0, 1e-30], [1, -1, 2, 0], [0, 0, 0, 0], [0, np.nan, 1, 2]]], np.float32)
    found = summed(values)
    np.testing.assert_allclose(found.zero, [[0.75, 0.25, 1, np.nan]])
    np.testing.assert_array_equal(found.quantiles[:, 0, 2], 0)
    assert np.isnan(found.quantiles[:, 0, 3]).all()


def test_block_cells__totals_are_made_in_the_draw(world, made):
    revenue = made.cells["year", "revenue"]
    np.testing.assert_allclose(revenue[-1], revenue[:-1].sum(axis=0), rtol=1e-6)
    found = dict(reduce.statistics([made.cells], 400))["year", "revenue"].quantiles
    p95 = found[reduce.LEVELS.index(0.95)]
    np.testing.assert_allclose(p95[-1], np.quantile(revenue[-1], 0.95, axis=-1), rtol=1e-6)
    assert (p95[:-1].sum(axis=0) > 1.2 * p95[-1]).all()  # adding up suppliers' P95 is another and wrong number


def test_block_cells__reported_capex_is_the_reported_buyers(world, made):
    capex = made.cells["year", "capex"]
    buyers = world.book.axes["capex_buyer"]
    reported = [buyers.index(name) for name in ("microsoft", "alphabet", "amazon", "meta")]
    np.testing.assert_allclose(capex[-2], capex[reported].sum(axis=0), rtol=1e-6)
    np.testing.assert_allclose(capex[-1], capex[: len(buyers)].sum(axis=0), rtol=1e-6)
    assert (capex[-1] > capex[-2]).all()


def test_block_cells__shares_of_a_draw_sum_to_one(made):
    shares = made.cells["year", "revenue_share"]
    np.testing.assert_allclose(shares[:-1].sum(axis=0), 1, rtol=1e-5)
    assert (shares[-1] == 1).all()


def test_block_cells__growth_is_on_the_year_before(made):
    for name in ("h100e", "revenue"):
        flow, growth = made.cells["year", name], made.cells["year", f"{name}_growth"]
        assert np.isnan(growth[:, 0]).all()
        np.testing.assert_allclose(growth[:, 1:], flow[:, 1:] / flow[:, :-1] - 1, rtol=1e-5, atol=1e-5)


def test_block_cells__growth_from_nothing_is_not_a_number(world, made):
    amd = world.book.axes["supplier"].index("amd")
    flows = {name: flow.copy() for name, flow in made.flows.items()}
    flows["revenue"][:8, amd] = 0  # 2022 and 2023
    values = np.zeros((len(world.entries), 400), np.float32)
    growth = reduce.block_cells(world, Block(0, flows, values))["year", "revenue_growth"][amd]
    assert np.isnan(growth[:3]).all()
    assert np.isfinite(growth[3:]).all()


def test_block_cells__fiscal_year_is_what_is_reported_and_its_part_of_the_rest(world, made):
    nvidia, revenue = world.book.axes["supplier"].index("nvidia"), made.flows["revenue"].astype(np.float64)
    found = dict(zip(world.record.fiscal[0].years, made.cells["fiscal_year", "fiscal_revenue"][0], strict=True))
    reported = world.record.line[:, 0]
    time = world.book.axes["time"].index
    np.testing.assert_allclose(found["FY2026"], 193.737, rtol=1e-6)
    expected = revenue[time("2026Q1"), nvidia] - reported[time("2026Q1")]
    expected = expected + revenue[time("2026Q2") : time("2027Q1"), nvidia].sum(axis=0)
    expected = expected + 31 / 90 * revenue[time("2027Q1"), nvidia]
    np.testing.assert_allclose(found["FY2027"], expected, rtol=1e-5)
    whole = sum(found[f"FY{year}"] for year in (2027, 2028, 2029))  # to 28 January 2029
    expected = revenue[time("2026Q1") : time("2029Q1"), nvidia].sum(axis=0) - reported[time("2026Q1")]
    np.testing.assert_allclose(whole, expected + 28 / 90 * revenue[time("2029Q1"), nvidia], rtol=1e-5)


def test_whole_years__leaves_out_a_year_that_the_axis_cuts():
    shorter = sim.load(overrides={"horizon": "2030Q3"})
    assert reduce.whole_years(shorter) == tuple(str(year) for year in range(2022, 2030))
    assert reduce.tables(shorter)["year", "revenue"].periods[-1] == "2029"
    assert reduce.tables(shorter)["quarter", "revenue"].periods[-1] == "2030Q3"


def test_fits__refuses_with_the_largest_number_that_fits(world, monkeypatch):
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1_000_000}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    cells = sum(len(table.labels) * len(table.periods) for table in reduce.tables(world).values())
    most = int(4096e6 * reduce.MEMORY_PART) // (4 * cells)
    reduce.fits(world, most)
    with pytest.raises(RefusedError, match=f"ask for at most {most:,} draws") as caught:
        reduce.fits(world, most + 1)
    assert (caught.value.code, caught.value.exit_code) == ("run-memory", 3)


def test_fits__refuses_a_billion_draws_at_once(world):
    with pytest.raises(RefusedError, match=r"1,000,000,000 draws of [\d,]+ cells need [\d.]+ GB"):
        reduce.fits(world, 10**9)
