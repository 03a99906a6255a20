import numpy as np
import pytest
import xarray as xr

from sim.figures import after, by_quarter, by_year, when

NAMES = ["2024Q3", "2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1"]


@pytest.fixture
def quarters() -> xr.DataArray:
    days = np.array(["2024-09-30", "2024-12-31", "2025-03-31", "2025-06-30", "2025-09-30", "2025-12-31", "2026-03-31"])
    return xr.DataArray(np.arange(1.0, 8.0), {"time": days.astype("datetime64[ns]")}, ["time"])


def test_when__puts_quarters_and_years_at_their_middle():
    assert [when(label) for label in ("2026Q1", "2026Q4", "2026", "2026-01-01")] == [2026.125, 2026.875, 2026.5, 2026.0]
    assert when("2026-02-28") == pytest.approx(2026 + 58 / 365)


def test_by_quarter__names_quarters_by_their_last_day(quarters):
    assert by_quarter(quarters)["time"].values.tolist() == NAMES


def test_by_year__sums_whole_years_only(quarters):
    years = by_year(by_quarter(quarters))
    assert years["time"].values.tolist() == ["2025"]
    assert years.values.tolist() == [3.0 + 4 + 5 + 6]


def test_by_year__leaves_out_a_year_with_a_quarter_unknown(quarters):
    assert by_year(by_quarter(quarters[:3])).size == by_year(by_quarter(quarters[2:5])).size == 0
    quarters[4] = np.nan
    assert by_year(by_quarter(quarters)).size == 0


def test_after__begins_with_the_first_period_that_is_not_known(quarters):
    all_ = by_quarter(quarters)
    assert after(all_, all_[:3])["time"].values.tolist() == NAMES[3:]
    assert after(all_, all_.where(all_ != 2)[:3])["time"].values.tolist() == NAMES[3:]  # a gap is not an end
    assert after(all_, None).equals(all_)
    assert after(all_, all_.where(all_ < 0)).equals(all_)
