"""What charts are drawn from: small tables one below the other on a sheet of their own."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from sim import figures
from sim.axes import CONSTRAINTS, TIERS
from sim.backtest.scored import OURS
from sim.report.contents import Contents, Shown
from sim.report.workbook.voice import Voice
from sim.report.workbook.writing import PERCENT, Book, Cell, Column, form

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

    from sim.compare import Waterfall
    from sim.sensitivity import Sensitivity

__all__ = ["Block", "Drawn", "Range", "Shape", "binding", "chain", "fans", "medians", "shares", "spans", "steps"]

TOPICS = 7
"""Topics that are told apart by colour."""
BANDS = ("P5", "P25", "P75", "P95")
BANDED = (0.05, 0.25, 0.75, 0.95)
FIGURES = form(2)

Range = list[str | int]
"""A sheet, first row and column, last row and column: how a chart is told its cells."""


class Shape(NamedTuple):
    """A table that a chart is drawn from: its title, unit, headings, rows, and how its numbers are shown."""

    title: str
    unit: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    form: str = FIGURES


class Block(NamedTuple):
    """A shape as it stands on the sheet."""

    shape: Shape
    sheet: str
    row: int
    """Of the headings."""

    def values(self, column: int) -> Range:
        """The cells of a column."""
        return [self.sheet, self.row + 1, column, self.row + len(self.shape.rows), column]

    def name(self, column: int) -> Range:
        """The cell of a heading."""
        return [self.sheet, self.row, column]


class Drawn:
    """The sheet of what is drawn; it stands last."""

    def __init__(self, book: Book) -> None:
        self._book, self._next = book, 0
        self._sheet: Worksheet = book.sheet("drawn")
        self._sheet.set_column(0, 0, 44)
        self._sheet.set_column(1, 40, 13)

    def put(self, shape: Shape) -> Block:
        """Write a shape below the others."""
        book, sheet, row = self._book, self._sheet, self._next
        book.text(sheet, row, 0, f"{shape.title} · {shape.unit}", bold=True)
        for column, heading in enumerate(shape.headings):
            book.text(sheet, row + 1, column, heading, bold=True, text_wrap=True, bottom=1)
        columns = [Column(heading, form=shape.form) for heading in shape.headings]
        self._next = book.rows(sheet, row + 2, columns, shape.rows) + 1
        return Block(shape, book.names["drawn"], row + 1)


def fans(contents: Contents, voice: Voice) -> list[Shape]:
    """History and forecast of the lead's revenue and of all shipments by quarter, of capital expenditure by year."""
    tree, lead = contents.first.tree, contents.lead
    quarter, observed = tree["prior_predictive/quarter"].to_dataset(), tree["observed_data"].to_dataset()
    lines, capex = observed["reported_line"], figures.by_quarter(observed["capex"].sum("reported_buyer", skipna=False))
    known = figures.by_quarter(lines.sel(reported_supplier=lead)) if lead in lines["reported_supplier"].values else None
    shipped = _ahead(figures.by_quarter(quarter["h100e"].sel(supplier="total")))
    spent = _named(contents.first.quantiles("capex", capex_buyer="reported"))
    return [
        _fan("quarter", ("revenue", lead), figures.by_quarter(quarter["revenue"].sel(supplier=lead)), known, voice),
        _fan("quarter", ("h100e", "total"), shipped, None, voice),
        _fan("year", ("capex", "reported"), spent, figures.by_year(capex.dropna("time")), voice),
    ]


def _named(quantiles: xr.DataArray) -> xr.DataArray:
    """Years as times."""
    years = [str(year) for year in quantiles["year"].values]
    return quantiles.rename(year="time").assign_coords(time=np.array(years, dtype=object))


def _ahead(quantiles: xr.DataArray) -> xr.DataArray:
    return quantiles.load().dropna("time")


def _fan(kind: str, of: tuple[str, str], quantiles: xr.DataArray, known: xr.DataArray | None, voice: Voice) -> Shape:
    """Bands as widths upon P5; they open at the last figure reported."""
    own, past = voice.own, None if known is None else known.dropna("time")
    rows: list[tuple[Cell, ...]] = []
    if past is not None and past.size:
        told = zip(past["time"].values.tolist(), past.values.tolist(), strict=True)
        rows = [(str(time), value, value, 0.0, 0.0, 0.0, None) for time, value in told]
        rows[-1] = (*rows[-1][:-1], rows[-1][1])
    ahead = figures.after(quantiles, past)
    levels = ahead.sel(quantile=[*BANDED, 0.5]).transpose("time", "quantile").values.astype(np.float64)
    for time, (p05, p25, p75, p95, p50) in zip(ahead["time"].values.tolist(), levels.tolist(), strict=True):
        rows.append((str(time), None, p05, p25 - p05, p75 - p25, p95 - p75, p50))
    bands = [own.plain("charts.band", low=low, high=high) for low, high in pairwise(BANDS)]
    headings = [own.raw("columns.period"), own.raw("charts.reported"), own.raw("charts.base"), *bands, "P50"]
    unit = voice.naming.unit(str(quantiles.attrs["units"]))
    title = own.plain(f"charts.by_{kind}", what=voice.naming.what(*of))
    return Shape(title, unit, headings, rows)


def binding(contents: Contents, voice: Voice) -> Shape:
    """Probability of each constraint by year."""
    names = [voice.naming.label(label) for label in CONSTRAINTS]
    rows = list(_by_year(contents.first, "binding", CONSTRAINTS, "mean"))
    return Shape(voice.own.raw("charts.binding"), "%", [voice.own.raw("columns.year"), *names], rows, PERCENT)


def chain(contents: Contents, voice: Voice) -> Shape:
    """Median revenue of each tier by year."""
    headings = [voice.own.raw("columns.year"), *map(voice.naming.label, TIERS)]
    rows = list(_by_year(contents.first, "tier_revenue", TIERS, "p50"))
    return Shape(voice.own.raw("charts.chain"), voice.naming.unit("bn USD"), headings, rows)


def _by_year(run: Shown, output: str, labels: Iterable[str], figure: str) -> Iterator[tuple[Cell, ...]]:
    listed = list(labels)
    for year in sorted({row.period for row in run.rows if row.output == output}):
        found = [run.row(output, label, year) for label in listed]
        yield year, *(None if row is None else row.figures[figure] for row in found)


def shares(found: "Sensitivity", voice: Voice) -> Shape:
    """Shares of variance by year, the largest topics and all others."""
    ranked = sorted(found.over_time.items(), key=lambda each: -sum(each[1]))
    told, rest = ranked[:TOPICS], ranked[TOPICS:]
    names = [voice.report.of("topics", topic) for topic, _ in told]
    headings = [voice.own.raw("columns.year"), *names, voice.own.raw("charts.other")]
    rows = [
        (year, *(values[place] for _, values in told), sum(values[place] for _, values in rest))
        for place, year in enumerate(found.years)
    ]
    return Shape(voice.own.plain("charts.over_time", what=voice.what(found.cell)), "%", headings, rows, PERCENT)


def medians(contents: Contents, voice: Voice) -> list[Shape]:
    """The answers by year in each run: medians, then how far P5 and P95 lie from each."""
    return [_side_by_side(contents, row.output, row.label, voice) for row in contents.answers]


def _side_by_side(contents: Contents, output: str, label: str, voice: Voice) -> Shape:
    every = sorted({row.period for row in contents.first.rows if (row.output, row.label) == (output, label)})
    years = [year for year in every if year >= contents.first.as_of[:4]]
    names = [run.name for run in contents.shown]
    ends = [f"{name}, {end}" for end in ("P50 − P5", "P95 − P50") for name in names]
    headings = [voice.own.raw("columns.year"), *names, *ends]
    rows: list[tuple[Cell, ...]] = []
    for year in years:
        found = [row.figures if (row := run.row(output, label, year)) else {} for run in contents.shown]
        between = (_less(each, *ends) for ends in (("p50", "p05"), ("p95", "p50")) for each in found)
        rows.append((year, *(each.get("p50") for each in found), *between))
    title = voice.own.plain("charts.medians", what=voice.naming.what(output, label))
    unit = next(row.unit for row in contents.answers if row.output == output)
    return Shape(title, voice.naming.unit(unit), headings, rows)


def _less(figures: dict[str, float | None], high: str, low: str) -> float | None:
    above, below = figures.get(high), figures.get(low)
    return None if above is None or below is None else above - below


def steps(found: "Waterfall", voice: Voice) -> Shape:
    """From the first world's mean to the second's: levels, and between them rises and falls upon what is hidden."""
    assert found.mean is not None
    own, unit = voice.own, voice.naming.unit(found.unit)
    title = own.plain(
        "charts.waterfall", what=voice.naming.cell(found.cell), unit=unit, first=found.first, second=found.second
    )
    rows: list[tuple[Cell, ...]] = [(found.first, found.mean[0], None, None, None)]
    level = found.mean[0]
    for step in found.steps:
        after = level + step.mean
        rows.append((step.name, None, min(level, after), max(step.mean, 0.0), max(-step.mean, 0.0)))
        level = after
    rows.append((found.second, found.mean[1], None, None, None))
    headings = [own.raw("columns.step"), *(own.raw(f"charts.{key}") for key in ("level", "hidden", "up", "down"))]
    return Shape(title, unit, headings, rows)


def spans(contents: Contents, voice: Voice) -> Iterator[Shape]:
    """Ranges of each quantity and what came or was published: P5, the width up to P95, P50 and the point."""
    own = voice.own
    past = [
        (each.quantity, f"{_year(each.quantity)} ({each.made})", each.p05, each.p95, each.p50, each.truth)
        for each in contents.past.headline
        if each.method == OURS
    ]
    yield from _spans(past, "charts.past", own.raw("columns.came"), voice)
    others = [
        (
            each.point.quantity,
            f"{_year(each.point.quantity)}, {each.point.who}",
            each.p05,
            each.p95,
            each.p50,
            each.point.value,
        )
        for each in contents.standings
        if not each.over
    ]
    yield from _spans(others, "charts.others", own.raw("columns.point"), voice)


def _spans(
    found: list[tuple[str, str, float, float, float, float]], title: str, point: str, voice: Voice
) -> Iterator[Shape]:
    groups: dict[str, list[tuple[Cell, ...]]] = {}
    for quantity, name, p05, p95, p50, value in found:
        groups.setdefault(voice.what(quantity), []).append((name, p05, p95 - p05, p50, value))
    own = voice.own
    headings = [own.raw("columns.item"), own.raw("charts.base"), own.plain("charts.band", low="P5", high="P95")]
    for what, rows in groups.items():
        if len(rows) > 1:
            yield Shape(own.plain(title, what=what), "", [*headings, "P50", point], rows)


def _year(cell: str) -> str:
    return cell.rstrip("]").rpartition(",")[2]
