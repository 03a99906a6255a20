"""The charts of a report, drawn by ``sim.figures`` without title and sources, which the page says beside them."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from markupsafe import Markup

from sim import figures
from sim.axes import CONSTRAINTS
from sim.report.contents import Contents, Shown
from sim.report.naming import WRITTEN, Naming
from sim.report.words import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.compare import Waterfall
    from sim.consensus import Standing

__all__ = ["Picture", "Pictures"]

SWINGS = 10
"""Inputs that a tornado shows."""
SEASONS = 4


class Picture(NamedTuple):
    """An inline SVG, its title, and how to read it."""

    svg: Markup
    title: str
    reading: str


class Pictures:
    """The charts of one report in one language."""

    def __init__(self, contents: Contents, words: Words, naming: Naming) -> None:
        self._contents, self._words, self._naming = contents, words, naming
        self._said = figures.Words(*(words.raw(f"figures.{name}") for name in figures.Words._fields))

    def _drawn(self, key: str, draw: Callable[..., "Figure"], *data: Any, title: str, **given: Any) -> Picture:
        """One figure; ``key`` tells its ids from those of the others."""
        figure = draw(*data, title=title, sources="", bare=True, words=self._said, **given)
        svg = figures.render(figure, "svg", themed=True, prefix=f"{key}-").decode()
        return Picture(Markup(svg), title, figures.reading(figure))

    @property
    def _as_of(self) -> str:
        return self._contents.first.as_of

    def revenue(self) -> Picture:
        """Quarters of the lead's revenue, with what is reported."""
        lead, first = self._contents.lead, self._contents.first
        quantiles = figures.by_quarter(
            first.tree["prior_predictive/quarter"].to_dataset()["revenue"].sel(supplier=lead)
        )
        reported = first.tree["observed_data"].to_dataset()["reported_line"]
        history = None
        if lead in reported["reported_supplier"].values:
            history = figures.by_quarter(reported.sel(reported_supplier=lead))
            quantiles = figures.after(quantiles, history)
        title = self._words.plain("charts.revenue", what=self._naming.what("revenue", lead))
        unit = self._naming.unit("bn USD")
        return self._drawn("revenue", figures.fan, history, quantiles, title=title, unit=unit, as_of=self._as_of)

    def shipments(self) -> Picture:
        """Quarters of all shipments."""
        quarter = self._contents.first.tree["prior_predictive/quarter"].to_dataset()
        quantiles = figures.by_quarter(quarter["h100e"].sel(supplier="total"))
        title, unit = self._words.plain("charts.shipments"), self._naming.unit("M H100e")
        return self._drawn("shipments", figures.fan, None, quantiles, title=title, unit=unit, as_of=self._as_of)

    def capex(self) -> Picture:
        """Years of the reporting companies' capital expenditure, with what is reported."""
        first = self._contents.first
        quantiles = first.quantiles("capex", capex_buyer="reported").rename(year="time")
        years = [str(year) for year in quantiles["time"].values]
        known = _whole_years(first.tree["observed_data"].to_dataset()["capex"])
        history = xr.DataArray(list(known.values()), {"time": np.array(list(known), dtype=object)}, ["time"])
        quantiles = quantiles.assign_coords(time=np.array(years, dtype=object))
        quantiles = quantiles.sel(time=[year for year in years if year not in known])
        title = self._words.plain("charts.capex", buyers=self._naming.label("reported"))
        unit = self._naming.unit("bn USD")
        return self._drawn("capex", figures.fan, history, quantiles, title=title, unit=unit, as_of=self._as_of)

    def binding(self) -> Picture:
        """Probability of each constraint by year."""
        rows = [row for row in self._contents.first.rows if row.output == "binding"]
        years = sorted({row.period for row in rows})
        shares = [[_mean(self._contents.first, label, year) for year in years] for label in CONSTRAINTS]
        data = _shares(shares, [self._naming.label(label) for label in CONSTRAINTS], years)
        return self._drawn("binding", figures.stacked, data, title=self._words.plain("charts.binding"), unit="%")

    def effects(self) -> Picture | None:
        """Shares of variance of the first figure by year."""
        found = self._contents.sensitivities[0]
        if len(found.years) < 2:
            return None
        names = [self._words.of("topics_short", topic) for topic in found.over_time]
        data = _shares(list(found.over_time.values()), names, list(found.years))
        title = self._words.plain("charts.effects", what=self._naming.what(*_parts(found.cell)[:2]))
        return self._drawn("effects", figures.stacked, data, title=title, unit="%")

    def tornado(self) -> Picture | None:
        """What single inputs move of the first figure."""
        found = self._contents.sensitivities[0]
        middle = found.figures["p50"].value
        bars = [figures.Bar(each.entry, each.low.value, middle, each.high.value) for each in found.swings[:SWINGS]]
        if not bars:
            return None
        title = self._words.plain("charts.tornado", what=self._naming.cell(found.cell))
        return self._drawn("tornado", figures.tornado, bars, title=title, unit=self._naming.unit(found.unit))

    def scenarios(self) -> list[Picture]:
        """The lead's revenue and all shipments by year, in each scenario."""
        told = (("revenue", {"supplier": self._contents.lead}), ("h100e", {"supplier": "total"}))
        return [self._side_by_side(output, labels) for output, labels in told]

    def _side_by_side(self, output: str, labels: dict[str, str]) -> Picture:
        series = []
        for run in self._contents.shown:
            quantiles = run.quantiles(output, **labels).rename(year="time")
            ahead = [str(year) for year in quantiles["time"].values if str(year) >= run.as_of[:4]]
            chosen = quantiles.sel(time=ahead).assign_coords(time=np.array(ahead, dtype=object))
            series.append(figures.Series(run.name, None, chosen))
        title = self._words.plain("charts.scenarios", what=self._naming.what(output, labels["supplier"]))
        unit = self._naming.unit(str(series[0].quantiles.attrs["units"]))
        return self._drawn(f"scenarios-{output}", figures.scenarios, series, title=title, unit=unit)

    def waterfalls(self) -> list[Picture]:
        """For each scenario, what each prior that it changes adds to the mean of the lead's revenue."""
        comparison = self._contents.comparison
        found = [each for each in comparison.waterfalls if each.steps and each.mean] if comparison else []
        return [self._waterfall(number, each) for number, each in enumerate(found)]

    def _waterfall(self, number: int, found: "Waterfall") -> Picture:
        steps = [(step.name, step.mean) for step in found.steps]
        what = self._naming.cell(found.cell)
        title = self._words.plain("charts.waterfall", first=found.first, second=found.second, what=what)
        assert found.mean is not None
        start, end = (found.first, found.mean[0]), (found.second, found.mean[1])
        unit = self._naming.unit(found.unit)
        key = f"waterfall-{number}"
        return self._drawn(key, figures.waterfall, steps, start=start, end=end, title=title, unit=unit)

    def others(self) -> list[Picture]:
        """Published points of periods to come on our percentiles, a chart for each quantity."""
        groups: dict[tuple[str, str], dict[str, list[Standing]]] = {}
        for each in self._contents.standings:
            if not each.over:
                output, label, period = _parts(each.point.quantity)
                groups.setdefault((output, label), {}).setdefault(period, []).append(each)
        return [self._on_intervals(number, *group) for number, group in enumerate(groups.items())]

    def _on_intervals(self, number: int, of: tuple[str, str], found: dict[str, list["Standing"]]) -> Picture:
        rows = []
        for period, (first, *more) in found.items():
            p25, p75 = self._quartiles(first.point.quantity)
            markers = [(each.point.who, each.point.value) for each in (first, *more)]
            rows.append(figures.Row(period, first.p05, p25, first.p50, p75, first.p95, markers))
        title = self._words.plain("charts.others", what=self._naming.what(*of))
        unit = self._naming.unit(first.point.unit)
        return self._drawn(f"others-{number}", figures.intervals, rows, title=title, unit=unit)

    def _quartiles(self, cell: str) -> tuple[float, float]:
        """P25 and P75 of a cell of the summary; not a number of what is no cell of a year."""
        output, label, period = _parts(cell)
        group = self._contents.first.tree["prior_predictive/year"].to_dataset()
        if output not in group or period not in group["year"].values:
            return math.nan, math.nan
        data = group[output]
        (dim,) = (str(name) for name in data.dims if name not in ("quantile", "year"))
        if label not in data[dim].values:
            return math.nan, math.nan
        low, high = data.sel({dim: label, "year": period}).sel(quantile=[0.25, 0.75]).values
        return float(low), float(high)


def _whole_years(capex: xr.DataArray) -> dict[str, float]:
    """Reported capital expenditure of all companies together, by year of which every quarter is reported."""
    together = figures.by_quarter(capex.sum("reported_buyer", skipna=False))
    years: dict[str, list[float]] = {}
    for quarter, value in zip(together["time"].values, together.values, strict=True):
        years.setdefault(str(quarter)[:4], []).append(float(value))
    return {year: sum(values) for year, values in years.items() if len(values) == SEASONS and np.isfinite(values).all()}


def _mean(run: Shown, label: str, year: str) -> float:
    row = run.row("binding", label, year)
    mean = row.figures["mean"] if row else None
    return math.nan if mean is None else mean


def _shares(values: list[Any], groups: list[str], times: list[str]) -> xr.DataArray:
    return xr.DataArray(np.array(values), {"group": groups, "time": np.array(times, dtype=object)}, ["group", "time"])


def _parts(cell: str) -> tuple[str, str, str]:
    """Output, label and period of a cell."""
    match = WRITTEN.fullmatch(cell)
    assert match is not None
    return match[1], match[2], match[3]
