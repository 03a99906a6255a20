"""Names and units: a run's tree says what every number is, and its kept draws give the summary's numbers again."""

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from sim import cells, history, label, reduce
from sim.axes import DERIVED, INPUTS, OUTPUTS, QUARTERLY
from sim.book.load import priors_folder
from sim.tally import RESOLUTION

PERIODS = {"year": "year", "quarter": "time", "fiscal_year": "fiscal_year"}
KINDS = ("", "_error", "_mean", "_mean_error", "_sd", "_zero")


def group(base_run, period: str) -> xr.Dataset:
    return base_run.tree[f"prior_predictive/{period}"].to_dataset()


def test_summary_tree__has_arviz_groups(base_run):
    tree = base_run.tree
    assert {"prior", "prior_predictive", "observed_data", "draws"} == set(tree.children)
    assert set(tree["prior_predictive"].children) == {*PERIODS, "exceedance"}  # of the default thresholds


def test_summary_tree__every_variable_says_its_unit_and_full_name(base_run):
    for node in base_run.tree.subtree:
        for name, variable in node.data_vars.items():
            assert variable.attrs["units"], f"{node.path}/{name}"
            assert len(variable.attrs["long_name"]) > 4, f"{node.path}/{name}"


def test_summary_tree__every_output_comes_with_mean_sd_and_errors(base_run):
    for output, declared in (OUTPUTS | DERIVED).items():
        period = "fiscal_year" if output == "fiscal_revenue" else "year"
        for kind in KINDS:
            variable = group(base_run, period)[f"{output}{kind}"]
            quantiled = ("quantile",) if kind in ("", "_error") else ()
            assert variable.dims == (*quantiled, declared.dims[0], period)
            assert variable.attrs["units"] == declared.unit
            assert declared.long_name in variable.attrs["long_name"]
    assert set(group(base_run, "quarter")) == {f"{name}{kind}" for name in QUARTERLY for kind in KINDS}


def test_summary_tree__names_of_errors_differ_from_the_quantity(base_run):
    year = group(base_run, "year")
    names = [year[f"revenue{kind}"].attrs["long_name"] for kind in KINDS]
    assert len(set(names)) == len(KINDS)
    assert names[1].startswith("Monte Carlo standard error of the quantile of")


def test_summary_tree__coordinates(base_run):
    axes, year, quarter = base_run.world.book.axes, group(base_run, "year"), group(base_run, "quarter")
    assert year["quantile"].values.tolist() == list(reduce.LEVELS)
    assert year["supplier"].values.tolist() == [*axes["supplier"], "total"]
    assert year["buyer"].values.tolist() == [*axes["buyer"], "total"]
    assert year["capex_buyer"].values.tolist() == [*axes["capex_buyer"], "reported", "total"]
    assert year["pair"].values.tolist() == list(axes["pair"])
    assert year["year"].values.tolist() == [str(number) for number in range(2022, 2031)]
    days = [history.quarter_span(name)[1] for name in axes["time"]]
    assert quarter["time"].values.astype("datetime64[D]").astype(dt.date).tolist() == days
    assert days[16] == dt.date(2026, 3, 31)


@pytest.mark.parametrize("period", PERIODS)
def test_summary_tree__quantiles_are_in_order(base_run, period):
    data = group(base_run, period)
    levels = [name for name in data if "quantile" in data[name].dims and not name.endswith("_error")]
    assert levels
    for name in levels:
        steps = data[name].diff("quantile")
        assert bool(((steps >= 0) | steps.isnull()).all()), name


@pytest.mark.parametrize("period", PERIODS)
def test_summary_tree__only_outputs_of_the_forecast_and_ratios_have_missing_values(base_run, period):
    data = group(base_run, period)
    declared = OUTPUTS | DERIVED
    for name, variable in data.items():
        output = declared[of_kind(name)]
        if output.forecast_only:
            assert variable.attrs["missing_ok"] == 1
            assert bool(variable.sel(year=slice("2022", "2025")).isnull().all()), name
            assert bool(np.isfinite(variable.sel(year=slice("2026", None))).all()), name
        elif of_kind(name) in ("h100e_growth", "revenue_growth"):
            assert variable.attrs["missing_ok"] == 1
            assert bool(variable.sel(year="2022").isnull().all())
            assert bool(variable.sel(supplier=["nvidia", "total"], year=slice("2023", None)).notnull().all())
        elif output.annual == "ratio":  # of nothing, where a supplier ships or a buyer owns nothing yet
            assert variable.attrs["missing_ok"] == 1
            assert bool(variable.sel({output.dims[0]: "total"}).notnull().all()), name
        else:
            assert "missing_ok" not in variable.attrs
            assert bool(np.isfinite(variable).all()), name


def of_kind(name: str) -> str:
    """The output whose statistic a variable is."""
    endings = sorted((kind for kind in KINDS if kind), key=len, reverse=True)
    return next((name.removesuffix(kind) for kind in endings if name.endswith(kind)), name)


@pytest.mark.parametrize("period", PERIODS)
def test_summary_tree__zero_is_the_share_of_draws_that_are_exactly_0(base_run, period):
    data, draws = group(base_run, period), base_run.tree["draws"].to_dataset()
    kinds = {name: of_kind(name) for name in data if name.endswith("_zero")}
    assert kinds
    for name, output in kinds.items():
        kept = draws[f"{output}_quarter" if period == "quarter" else output]
        expected = xr.where(kept.isnull().any("draw"), np.nan, (kept == 0).mean("draw"))
        np.testing.assert_allclose(data[name], expected, rtol=1e-6, atol=1e-9, err_msg=name)


def test_summary_tree__shortfall_and_chips_to_come_have_atoms_at_0(base_run):
    """Some need is met and some is not; a chip not yet launched is never sold, one sold for years always."""
    year = group(base_run, "year")
    short = year["shortfall_zero"].sel(year=slice("2026", None))
    assert bool(((short >= 0) & (short <= 1)).all())
    assert bool(((short.drop_sel(buyer="total") > 0.02) & (short.drop_sel(buyer="total") < 0.98)).any())
    total, parts = short.sel(buyer="total"), short.drop_sel(buyer="total")
    assert bool((total <= parts.min("buyer") + 1e-6).all())  # the total is 0 only where every buyer's is
    units = year["chip_units_zero"]
    assert float(units.sel(chip="nvidia_2030", year="2025")) == 1
    assert float(units.sel(chip="h100", year="2024")) == 0


def test_summary_tree__probabilities_of_constraints_are_means_that_sum_to_one(base_run):
    year = group(base_run, "year").sel(year=slice("2026", None))
    for name in ("binding_mean", "bound_buyers_mean"):
        assert bool(((year[name] >= 0) & (year[name] <= 1)).all())
        np.testing.assert_allclose(year[name].sum("constraint"), 1, rtol=1e-5)


def test_draws_dataset__ratios_are_those_of_a_draws_own_years(base_run):
    draws = base_run.tree["draws"].to_dataset().sel(year=slice("2026", None)).astype(np.float64)
    for name, part, whole in (
        ("coverage", "raw_need", "installed"),
        ("h100e_price", "revenue", "h100e"),
        ("depreciation_share", "depreciation_added", "net_income"),
    ):
        expected = (draws[part] / draws[whole].where(draws[whole] > 0)).values
        np.testing.assert_allclose(draws[name].values, expected, rtol=1e-5, err_msg=name)
    bound = draws["bound_h100e"]
    np.testing.assert_allclose(draws["binding"], bound / bound.sum("constraint"), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(bound.sum("constraint"), draws["buyer_h100e"].sel(buyer="total"), rtol=1e-4)


def test_summary_tree__prior_is_the_books_in_the_models_unit(base_run):
    prior, book = base_run.tree["prior"].to_dataset(), base_run.world.book
    assert set(prior) == set(INPUTS) == set(book.priors)
    for name, declared in INPUTS.items():
        assert prior[name].dims == ("quantile", *declared.dims)
        assert prior[name].attrs["units"] == declared.unit
        assert prior[name].attrs["source"]
        assert prior[name].attrs["reasoning"]
        assert dt.date.fromisoformat(prior[name].attrs["as_of"]) <= book.as_of
    # capex.yaml, chips.yaml (kUSD / unit are bn USD / M unit) and supply.yaml as they are written there
    drift = prior["capex_drift"].sel(quantile=[0.05, 0.5, 0.95])
    assert drift.values == pytest.approx([0.173, 0.2725, 0.372], rel=1e-6)
    price = prior["price"].sel(catalogue_chip="b200", quantile=[0.1, 0.9])
    assert price.values == pytest.approx([33, 43], rel=1e-6)
    capacity = prior["capacity_growth"].sel(supplier="nvidia", year="2027", quantile=[0.05, 0.95])
    assert capacity.values == pytest.approx([0.05, 0.55], rel=1e-6)
    assert prior["price"].attrs["source"].count("judgement") == 1


def test_summary_tree__observed_data_ends_where_reports_end(base_run):
    observed = base_run.tree["observed_data"].to_dataset()
    figures = {row.key: row.value for row in history.read(priors_folder() / "history" / "capex.csv")}
    capex = observed["capex"]
    assert float(capex.sel(reported_buyer="meta", time="2025-12-31")) == pytest.approx(
        figures["meta.capex_quarter.2025Q4"], rel=1e-3
    )
    assert bool(capex.sel(time=slice(None, "2025-12-31")).notnull().all())
    assert bool(capex.sel(time=slice("2026-01-01", None)).isnull().all())
    line = observed["reported_line"]
    assert int(line.sel(reported_supplier="nvidia").notnull().sum()) == 16  # 2026Q1 is reported in part only
    assert int(line.sel(reported_supplier="google_tpu").notnull().sum()) == 15


def test_summary_tree__root_says_where_the_numbers_come_from(base_run):
    attrs = base_run.tree.attrs
    assert (attrs["scenario"], attrs["as_of"], attrs["draws"], attrs["seed"]) == ("base", "2026-02-28", 4096, "7")
    assert attrs["book_sha256"] == attrs["book"] == base_run.world.book.digest
    assert attrs["config_sha256"].startswith(attrs["run"])
    assert "not investment advice" in attrs["notice"]
    assert "Epoch AI, CC BY" in attrs["notice"]
    assert attrs["Conventions"].startswith("CF-")


def test_draws_dataset__gives_the_summary_again(base_run):
    draws = base_run.tree["draws"].to_dataset()
    for period, dim in PERIODS.items():
        data = group(base_run, period)
        names = [name for name in data if f"{name}_sd" in data]
        assert names
        for name in names:
            kept = draws[f"{name}_quarter" if period == "quarter" else name].load().astype(np.float64)
            assert kept.dims[-1] == "draw"
            assert kept.sizes["draw"] == 4096
            assert kept.dims[-2] == dim
            expected = np.quantile(kept.values, data["quantile"].values, axis=-1)  # no value where a draw has none
            width = np.nan_to_num(np.ptp(kept.values, axis=-1))
            near = RESOLUTION * width + one_rank(kept.values, data["quantile"].values) + 1e-6 * np.abs(expected)
            there = np.isfinite(expected)
            np.testing.assert_array_equal(np.isfinite(data[name].values), there, err_msg=name)
            assert (np.abs(data[name].values - expected) <= near + 1e-12)[there].all(), name
            mean = kept.mean("draw", skipna=False)
            np.testing.assert_allclose(data[f"{name}_mean"], mean, rtol=2e-6, atol=1e-8, err_msg=name)


def one_rank(kept: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """What a rank more or less changes in the quantiles of draws [..., draw]."""
    n = kept.shape[-1]
    low = np.clip(np.floor(levels * (n - 1)).astype(int) - 1, 0, n - 1)
    ordered = np.sort(kept, axis=-1)
    return np.moveaxis(ordered[..., np.clip(low + 3, 0, n - 1)] - ordered[..., low], -1, 0)


def test_draws_dataset__totals_and_years_hold_in_every_draw(base_run):
    draws = base_run.tree["draws"].to_dataset()
    revenue = draws["revenue"].load().astype(np.float64)
    parts = revenue.drop_sel(supplier="total").sum("supplier")
    np.testing.assert_allclose(parts, revenue.sel(supplier="total"), rtol=1e-5)
    quarters = draws["revenue_quarter"].load().astype(np.float64).groupby("time.year").sum()
    own = revenue.sel(supplier=quarters["quarterly_supplier"].values)
    quarters = quarters.transpose("quarterly_supplier", "year", "draw")
    assert quarters.sizes["quarterly_supplier"] > 1
    np.testing.assert_allclose(quarters.values, own.values, rtol=1e-5)


def test_draws_dataset__numbers_its_draws(base_run):
    values = np.zeros((cells.cells_per_draw(base_run.world), 3), np.float32)
    start = cells.starts(base_run.world)["year", "revenue"]
    values[start : start + 9 * 10] = np.arange(9 * 10 * 3).reshape(9 * 10, 3)  # by year, then by supplier
    found = label.draws_dataset(base_run.world, 2048, values)
    assert found["draw"].values.tolist() == [2048, 2049, 2050]
    assert found["revenue"].dims == ("supplier", "year", "draw")
    assert float(found["revenue"].sel(supplier="amd", year="2023", draw=2049)) == (10 + 1) * 3 + 1
