"""Times by name (``2026``, ``2026Q1``), on an axis and as a summary's periods are read."""

import re
from datetime import date

import numpy as np
import xarray as xr

__all__ = ["after", "by_quarter", "by_year", "times", "when"]


def when(label: str) -> float:
    """Middle of a quarter (``2026Q1``) or year (``2026``), or a day (``2026-02-28``), in years."""
    quarter = re.fullmatch(r"(\d{4})Q([1-4])", label)
    if quarter:
        return int(quarter[1]) + int(quarter[2]) / 4 - 0.125
    if re.fullmatch(r"\d{4}", label):
        return int(label) + 0.5
    day = date.fromisoformat(label)
    start = date(day.year, 1, 1)
    return day.year + (day - start).days / (date(day.year + 1, 1, 1) - start).days


def times(data: xr.DataArray) -> np.ndarray:
    """Positions on the time axis."""
    return np.array([when(str(label)) for label in data["time"].values])


def by_quarter(data: xr.DataArray) -> xr.DataArray:
    """The same data with quarters named ``2026Q1`` instead of dated by their last day."""
    days = data["time"].values.astype("datetime64[M]")
    names = [f"{str(day)[:4]}Q{(int(str(day)[5:7]) + 2) // 3}" for day in days]
    return data.load().assign_coords(time=np.array(names, dtype=object))


def by_year(data: xr.DataArray) -> xr.DataArray:
    """Sums of the years of which all four quarters are known; quarters are named ``2026Q1``."""
    year = np.array([str(label)[:4] for label in data["time"].values], dtype=object)
    whole = [each for each in dict.fromkeys(year) if np.count_nonzero(year == each) == 4]
    sums = [data.isel(time=np.flatnonzero(year == each)).sum("time", skipna=False) for each in whole]
    if not sums:
        return data.isel(time=slice(0))
    return xr.concat(sums, xr.Variable("time", np.array(whole, dtype=object))).dropna("time")


def after(quantiles: xr.DataArray, history: xr.DataArray | None) -> xr.DataArray:
    """Quantiles of the periods after the last one known; all where nothing is."""
    known = None if history is None else history.dropna("time")
    if known is None or not known.size:
        return quantiles
    return quantiles.isel(time=np.flatnonzero(times(quantiles) > times(known)[-1]))
