"""What came after a book's date: the figures that a later record holds and the book's own does not."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from sim import history
from sim.history import Row
from sim.world import World

__all__ = ["Outcome", "People", "outcomes", "people", "reported"]

QUARTERS = 4
EPOCH = {"nvidia": "NVIDIA", "google_tpu": "Google TPU", "amd": "AMD"}
"""Suppliers whose H100e Epoch AI estimates from other inputs than units: Trainium's would be no test."""
LINES = {"nvidia": "NVIDIA data centre", "google_tpu": "Broadcom AI"}
NORMAL_90 = 2 * 1.6448536269514722
"""Width of the central 90 % interval of a standard normal."""
INSTINCT, PEOPLE = "revenue_instinct", ("meta_family", "daily_people")


class Outcome(NamedTuple):
    """A figure that came, in the unit and by the name of a quantity of the run."""

    metric: str
    quantity: str
    end: dt.date
    value: float
    error: float
    """Standard error of its logarithm [1]; 0 for what a company reported."""


class People(NamedTuple):
    """Daily users of Meta's apps: the last count known then, and one that came."""

    then: float
    came: float
    years: float
    end: dt.date


def outcomes(book: World, later: World, folder: Path) -> list[Outcome]:
    """Figures that the later world's record holds and the book's does not; ``folder`` holds Epoch AI's estimates.

    Reported ones stand on the model's own definition and calendar, as the record has them: quarters scaled to their
    year, fiscal quarters spread over calendar quarters by days.
    """
    return [*_capex(book, later), *_lines(book, later), *_estimates(book, folder)]


def _capex(book: World, later: World) -> Iterator[Outcome]:
    """Capital expenditure of each company and of all, by quarter and by year."""
    columns = dict(zip(later.book.axes["reported_buyer"], later.record.capex.T, strict=True))
    whole = {"reported": later.record.capex.sum(axis=1)}
    then, now = (np.arange(len(whole["reported"])) <= world.record.handover for world in (book, later))
    for what, series in (("company", columns), ("total", whole)):
        for label, values in series.items():
            yield from _periods(f"capex, {what}", f"capex[{label},", later, values, then, now)


def _lines(book: World, later: World) -> Iterator[Outcome]:
    """Suppliers' reported lines, where all days of a period are reported later and not all were before."""
    for supplier, values in zip(later.book.axes["reported_supplier"], later.record.line.T, strict=True):
        then, now = reported(book, supplier), reported(later, supplier)
        yield from _periods(LINES.get(supplier, supplier), f"line[{supplier},", later, values, then, now)


def reported(world: World, supplier: str) -> Bool[np.ndarray, " time"]:
    """Quarters of which a supplier has reported every day, in its own line."""
    record, axes = world.record, world.book.axes
    line = record.line[:, axes["reported_supplier"].index(supplier)]
    return np.asarray((record.reported[:, axes["supplier"].index(supplier)] >= 1) & (line > 0))


def _periods(
    metric: str,
    text: str,
    later: World,
    values: Float64[np.ndarray, " time"],
    then: Bool[np.ndarray, " time"],
    now: Bool[np.ndarray, " time"],
) -> Iterator[Outcome]:
    """Quarters known now and not then, and years of which every quarter is known now and one was not then."""
    time = later.book.axes["time"]
    for t in np.flatnonzero(now & ~then):
        yield Outcome(f"{metric}, quarters", f"{text}{time[t]}]", _last_day(time[t]), float(values[t]), 0.0)
    for year in later.book.axes["year"]:
        of_year = np.array([quarter[:4] == year for quarter in time])
        if now[of_year].all() and not then[of_year].all():
            value = float(values[of_year].sum())
            yield Outcome(f"{metric}, years", f"{text}{year}]", _last_day(f"{year}Q4"), value, 0.0)


def _last_day(quarter: str) -> dt.date:
    return history.quarter_span(quarter)[1]


def _estimates(book: World, folder: Path) -> Iterator[Outcome]:
    """Epoch AI's estimates by year: H100 equivalents by 8-bit operations, and AMD's accelerator revenue."""
    shipped = {row.key: row for row in history.read(folder / "shipments.csv")}
    for supplier, name in EPOCH.items():
        for year in _years(book):
            at, before = (_cumulated(shipped, supplier, f"{each}Q4") for each in (year, year - 1))
            if at is not None:
                value = at[0] - (before[0] if before else 0)
                end = _last_day(f"{year}Q4")
                yield Outcome(f"H100e, {name} (Epoch AI)", f"h100e8[{supplier},{year}]", end, value, at[1])
    bands = [row for row in history.read(folder / "peer_inputs.csv") if row.metric.startswith(INSTINCT)]
    for year in _years(book):
        low, high = (
            [row.value for row in bands if row.metric == f"{INSTINCT}_{end}" and row.period[:4] == str(year)]
            for end in ("p5", "p95")
        )
        if len(low) == len(high) == QUARTERS:
            value, error = float(np.sqrt(np.multiply(low, high)).sum()), np.log(sum(high) / sum(low)) / NORMAL_90
            yield Outcome("AMD Instinct (Epoch AI)", f"revenue[amd,{year}]", _last_day(f"{year}Q4"), value, error)


def _years(book: World) -> list[int]:
    """Years of which the book's record does not hold every quarter."""
    known = book.book.axes["time"][book.record.handover]
    first = int(known[:4]) + known.endswith("Q4")
    return [int(year) for year in book.book.axes["year"] if int(year) >= first]


def _cumulated(rows: dict[str, Row], supplier: str, quarter: str) -> tuple[float, float] | None:
    """Median of shipments up to a quarter, and the standard error of its logarithm."""
    found = [rows.get(f"{supplier}.cum_h100e_{which}.{quarter}") for which in ("median", "p5", "p95")]
    if any(row is None for row in found):
        return None
    middle, low, high = (row.value for row in found if row)
    return middle, float(np.log(high / low) / NORMAL_90)


def people(book: World, folder: Path, until: dt.date) -> list[People]:
    """Counts of Meta's daily users published after a book's date and by ``until``, with the last one known before."""
    rows = [row for row in history.read(folder / "usage.csv") if (row.entity, row.metric) == PEOPLE]
    dated = sorted((_end(row.period), row) for row in rows if row.published <= until)
    known = [(end, row) for end, row in dated if row.published <= book.book.as_of]
    if not known:
        return []
    since, last = known[-1]
    return [
        People(last.value, row.value, (end - since).days / 365.25, end)
        for end, row in dated
        if row.published > book.book.as_of and end > since
    ]


def _end(period: str) -> dt.date:
    """Last day of a quarter or of a month written ``2025-06``."""
    if "Q" in period:
        return _last_day(period)
    year, month = map(int, period.split("-"))
    return dt.date(year + month // 12, month % 12 + 1, 1) - history.ONE_DAY
