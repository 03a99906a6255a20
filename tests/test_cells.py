"""The cells of a summary: against the same once more in plain NumPy, and against cases worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim import cells, forecast
from sim.axes import DERIVED, OUTPUTS, QUARTERLY
from sim.model.state import Flows
from tests import simulated
from tests.cells import cells as in_numpy

DRAWS = 64
WORLDS = {"base": {}, "2024-09-01": {}, "longer": {"overrides": {"horizon": "2032Q4"}}}
"""The base world, one with another hand-over, and one with more years."""


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    name = "base" if request.param == "longer" else request.param
    return forecast.load(name, **WORLDS[request.param])


def random_path(world, dtype, seed=1):
    """Flows and values without a meaning; some rows are 0 for whole years, and in one year some draws are 0 all over.

    One supplier sells in every quarter, as it does in any draw.
    """
    rng, of_world = np.random.default_rng(seed), world.book.axes
    years = len(of_world["year"])
    nothing = rng.uniform(size=(years, 1, DRAWS)) < 0.1
    flows = {}
    for name, output in OUTPUTS.items():
        size = len(of_world[output.dims[0]])
        none = (rng.uniform(size=(years, size, DRAWS)) < 0.2) | nothing
        if name == "revenue":
            none[:, 0] = False
        made = rng.lognormal(size=(4 * years, size, DRAWS)) * ~np.repeat(none, 4, axis=0)
        flows[name] = made.astype(dtype)
    return flows, rng.uniform(0.5, 1, (len(world.entries), DRAWS)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cells__are_those_made_in_numpy(world, dtype):
    """All tables of any numbers, and nothing to tell in the same places."""
    flows, values = random_path(world, dtype)
    with jax.enable_x64(dtype is np.float64):
        found = simulated.our_cells(world, flows, values)
    expected = in_numpy(world, flows, values)
    assert set(found) == set(expected) == set(cells.tables(world))
    undefined = 0
    for key, each in expected.items():
        assert found[key].dtype == dtype, key
        np.testing.assert_array_equal(np.isnan(found[key]), np.isnan(each), err_msg=str(key))
        rtol = 1e-12 if dtype is np.float64 else 1e-5
        np.testing.assert_allclose(found[key], each, rtol=rtol, atol=rtol, err_msg=str(key))
        undefined += np.isnan(each).sum()
    assert undefined > 1000


def test_tables__lie_one_after_another_period_by_period(world):
    """The place of each cell among all of a draw, which ``sim.address`` counts on."""
    count, listed = cells.cells_per_draw(world), cells.tables(world)
    laid_out, starts = cells.by_table(world, np.arange(count)), cells.starts(world)
    assert list(laid_out) == list(listed) == list(starts)
    for key, table in listed.items():
        rows, columns = np.mgrid[: len(table.labels), : len(table.periods)]
        np.testing.assert_array_equal(laid_out[key], starts[key] + columns * len(table.labels) + rows)
    assert sorted(np.concatenate([each.ravel() for each in laid_out.values()]).tolist()) == list(range(count))


def test_defined__names_the_cells_with_a_value_in_every_draw(world):
    """All but ratios, whatever the flows, and the years of which a forecast says nothing."""
    flat, there = simulated.flat_cells(world, *random_path(world, np.float32)), cells.defined(world)
    assert np.isfinite(flat[there]).all()
    before = world.book.axes["year"].index(world.book.axes["time"][world.record.handover][:4]) + 1
    for (_, name), each in cells.by_table(world, ~there).items():
        declared = (OUTPUTS | DERIVED)[name]
        silent = np.arange(each.shape[1]) < (before if declared.forecast_only else 0)
        np.testing.assert_array_equal(each, np.broadcast_to(silent | (declared.annual == "ratio"), each.shape))


# by hand: three suppliers, of which the second has fiscal years, and three buyers with capex, of which the middle one
# does not report it; the hand-over lies in the first of four years, and one draw is enough

PLAN = cells.Plan(reported_buyers=(0, 2), series=(0, 2), record_years=1, fiscal=((1, 0),))
FISCAL = cells.FiscalYears(
    known=jnp.array([[10.0, 0.0]]),
    weights=jnp.array([[[0.5, 0, 0, 0.25] + 12 * [0], 5 * [0] + 4 * [1] + [0.5] + 6 * [0]]]),
    line=jnp.array([4 * [2.0] + 12 * [0.0]]).T,
)
SHARE = {"reported_share": jnp.array([[0.5]])}


@jax.jit
def made(flows):
    return cells.cells(PLAN, FISCAL, SHARE, jax.vmap(functools.partial(cells.of_year, PLAN))(flows))


def by_hand(**given):
    """Cells [label, period] by output of four years, given what some flows are in each quarter [axis, time]."""
    rows = {name: np.ones((3, 16)) for name in Flows._fields} | {name: np.array(each) for name, each in given.items()}
    flows = Flows(*(jnp.asarray(each.T.reshape(4, 4, -1, 1), jnp.float32) for each in rows.values()))
    return {key: np.asarray(each)[..., 0].T for key, each in made(flows).items()}


def each_year(*values):
    """A row of quarters with these sums by year."""
    return np.repeat(np.array(values) / 4, 4)


def test_growth__by_hand():
    """4, 8, 0 and 12 a year: twice as much, all of it lost, and nothing to grow from; also of the total."""
    revenue = [each_year(4, 8, 0, 12), each_year(1, 1, 1, 1), each_year(5, 1, 3, 7)]
    found = by_hand(revenue=revenue)["year", "revenue_growth"]
    np.testing.assert_allclose(found[0], [np.nan, 1, -1, np.nan], rtol=1e-6)
    np.testing.assert_allclose(found[1], [np.nan, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[3], [np.nan, 0, 4 / 10 - 1, 20 / 4 - 1], rtol=1e-6, atol=1e-6)


def test_totals__by_hand():
    rows = [each_year(1, 2, 3, 4), each_year(10, 20, 30, 40), each_year(100, 200, 300, 400)]
    found = by_hand(capex=rows, revenue=rows, installed=rows, pair_h100e=rows)
    capex, revenue = found["year", "capex"], found["year", "revenue"]
    np.testing.assert_allclose(capex[3:], [[101, 202, 303, 404], [111, 222, 333, 444]], rtol=1e-6)  # those who report
    np.testing.assert_allclose(revenue[3:], [[111, 222, 333, 444]], rtol=1e-6)
    np.testing.assert_allclose(found["year", "revenue_share"][:, 0], np.array([1, 10, 100, 111]) / 111, rtol=1e-6)
    assert found["year", "pair_h100e"].shape == (3, 4)


def test_years__are_the_sum_the_mean_or_the_last_of_their_quarters():
    quarters = [np.tile([1.0, 2, 3, 6], 4)] * 3
    found = by_hand(units=quarters, bound_buyers=quarters, power=quarters)
    how = {name: OUTPUTS[name].annual for name in ("units", "bound_buyers", "power")}
    assert how == {"units": "sum", "bound_buyers": "mean", "power": "last"}
    np.testing.assert_allclose(found["year", "units"][0], 12)
    np.testing.assert_allclose(found["year", "bound_buyers"][0], [np.nan, 3, 3, 3])
    np.testing.assert_allclose(found["year", "power"][0], 6)


def test_quarters__are_of_the_series_kept_and_of_all_together():
    rows = np.arange(48.0).reshape(3, 16)
    found = by_hand(**dict.fromkeys(QUARTERLY, rows))
    for name in QUARTERLY:
        np.testing.assert_array_equal(found["quarter", name], [rows[0], rows[2], rows.sum(axis=0)])


def test_forecast_only_outputs__say_nothing_of_years_of_the_record():
    found = by_hand()
    for name, output in (OUTPUTS | DERIVED).items():
        if name != "fiscal_revenue":
            first, later = found["year", name][:, 0], found["year", name][:, 1:]
            assert np.isnan(first).all() == (output.forecast_only or name.endswith("_growth")), name
            assert np.isfinite(later).all(), name


def test_ratios__by_hand():
    """Of a year's own values, and nothing where there is nothing to compare with."""
    found = by_hand(
        bound_h100e=[each_year(1, 1, 0, 3), each_year(1, 2, 0, 1), each_year(2, 1, 0, 0)],
        raw_need=[np.full(16, 8.0)] * 3,
        installed=[np.repeat([0, 1, 2, 4], 4)] * 3,
        depreciation_added=[each_year(1, 2, 3, 4)] * 3,
        net_income=[each_year(2, 0, 2, 2)] * 3,
        revenue=[each_year(6, 0, 9, 2)] * 3,
        h100e=[each_year(3, 0, 0, 4)] * 3,
    )
    np.testing.assert_allclose(found["year", "binding"][:, 1], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(found["year", "binding"][:, 2], np.nan)
    np.testing.assert_allclose(found["year", "binding"][:, 3], [0.75, 0.25, 0])
    np.testing.assert_allclose(found["year", "coverage"][0], [np.nan, 8, 4, 2])
    np.testing.assert_allclose(found["year", "depreciation_share"][0, 1:], [np.nan, 1.5, 2])
    np.testing.assert_allclose(found["year", "h100e_price"][0], [2, np.nan, np.nan, 0.5])


def test_fiscal_years__are_reported_quarters_and_parts_of_the_others():
    """Of a line of 2 a quarter half is accelerators; 10 of the first year is reported, two quarters in part not."""
    revenue = [np.ones(16), np.array([3, 1, 1, 4, 1, 2, 3, 4, 5, 6] + 6 * [9.0]), np.ones(16)]
    found = by_hand(revenue=revenue)["fiscal_year", "fiscal_revenue"]
    first, second = 10 * 0.5 + 0.5 * (3 - 2 * 0.5) + 0.25 * (4 - 2 * 0.5), 2 + 3 + 4 + 5 + 0.5 * 6
    np.testing.assert_allclose(found, [[first, second]], rtol=1e-6)


def test_plan__of_base_names_what_the_book_names(base_world):
    found, of_world = cells.plan(base_world), base_world.book.axes
    assert [of_world["capex_buyer"][row] for row in found.reported_buyers] == list(of_world["reported_buyer"])
    series = {of_world["supplier"][row] for row in found.series}
    assert series == set(of_world["supplier"]) - set(of_world["backcast_supplier"])
    assert of_world["year"][found.record_years - 1] == "2025"
    assert [of_world["supplier"][row] for row, _ in found.fiscal] == ["nvidia"]
    assert [of_world["reported_supplier"][row] for _, row in found.fiscal] == ["nvidia"]
    assert hash(found) == hash(cells.plan(base_world))
