import numpy as np
import pytest
import xarray as xr

from sim.errors import BookError
from sim.store import long_table, open_run, period_names


@pytest.fixture(scope="module")
def year() -> xr.Dataset:
    """One output of two suppliers and two years, with what a summary says of it; every number is another."""
    coords = {"quantile": [0.05, 0.5, 0.95], "supplier": ["nvidia", "amd"], "year": ["2026", "2027"]}
    dims, unit = ("quantile", "supplier", "year"), {"units": "bn USD"}
    values = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    told = {"revenue": (dims, values, unit), "revenue_error": (dims, values / 64, unit)}
    told |= {
        f"revenue_{name}": (dims[1:], values[0] + 100 * i, unit) for i, name in enumerate(("mean", "mean_error"), 1)
    }
    return xr.Dataset(told, coords)


def test_long_table__has_a_row_a_label_and_period(year):
    found = long_table(year)
    wanted = ["output", "dim", "label", "kind", "period", "p05", "p50", "p95", "mean"]
    assert list(found) == [*wanted, "p05_error", "p50_error", "p95_error", "mean_error", "unit"]
    assert found["label"].tolist() == ["nvidia", "nvidia", "amd", "amd"]
    assert found["period"].tolist() == ["2026", "2027"] * 2
    assert found["p95"].tolist() == [8, 9, 10, 11]
    assert found["p95_error"].tolist() == [8 / 64, 9 / 64, 10 / 64, 11 / 64]
    assert found["mean_error"].tolist() == [200, 201, 202, 203]
    assert found.iloc[0][["output", "dim", "kind", "unit"]].tolist() == ["revenue", "supplier", "year", "bn USD"]


def test_long_table__does_not_depend_on_the_order_of_dims(year):
    turned = year.transpose("year", "supplier", "quantile")
    assert long_table(turned).equals(long_table(year))


def test_long_table__further_dims_are_columns(year):
    stacked = xr.concat([year, year + 1000], xr.Variable("scenario", ["base", "mine"]), combine_attrs="override")
    found = long_table(stacked.assign(revenue=stacked["revenue"].transpose("quantile", "scenario", "supplier", "year")))
    assert found.query("scenario == 'mine' and label == 'amd' and period == '2026'")["p50"].tolist() == [1006]


def test_long_table__of_a_run_names_groups_and_leaves_out_what_is_no_output(published):
    found = long_table(open_run(published))
    assert set(found["group"]) == {"prior_predictive"}
    assert set(found["output"]) == {"revenue"}
    assert len(found) == 20
    assert found["label"].unique().tolist() == ["nvidia", "amd", "microsoft_maia", "=cmd()|'x'!A1", "Ünïcødé"]


def test_long_table__without_outputs_is_an_error(year):
    with pytest.raises(BookError, match="no outputs by period"):
        long_table(year[["revenue_mean"]])


def test_period_names__quarters_by_their_last_day():
    days = np.array(["2025-12-31", "2026-03-31", "2030-09-30"], dtype="datetime64[ns]")
    assert period_names(xr.DataArray(days)) == ["2025Q4", "2026Q1", "2030Q3"]
    assert period_names(xr.DataArray(["FY2026", "FY2027"])) == ["FY2026", "FY2027"]
