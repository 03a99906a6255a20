"""Fan charts: history as a line, the forecast as bands."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from sim.figures.layout import WIDTH, box, head_and_foot, sheet, spread
from sim.figures.style import BLUE, GRID, INK, MUTED, ORANGE, TEAL, style
from sim.figures.text import ENGLISH, Words, number, one_line, shorten
from sim.figures.times import times, when

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BANDS", "Panel", "Series", "at", "fan", "headline"]

BANDS = ((0.05, 0.95, 0.16), (0.25, 0.75, 0.30))  # lower and upper quantile, opacity
LINE = 0.145
"""Height of a line of labels [inch]."""


class Series(NamedTuple):
    """One quantity over time: what was reported, if anything, and the quantiles with dims ``quantile, time``."""

    name: str
    history: xr.DataArray | None
    quantiles: xr.DataArray


class Panel(NamedTuple):
    """One pair of axes: its title, the unit on the axis, the date of the forecast and one to three series."""

    title: str
    unit: str
    as_of: str
    series: Sequence[Series]
    scale: Literal["linear", "log"] = "linear"


def fan(
    history: xr.DataArray | None,
    quantiles: xr.DataArray,
    *,
    title: str,
    unit: str,
    as_of: str,
    sources: str,
    scale: Literal["linear", "log"] = "linear",
    bare: bool = False,
    words: Words = ENGLISH,
) -> "Figure":
    """Draw one quantity: the reported line, bands P5 to P95 and P25 to P75, the median, the day ``as_of`` if any."""
    panel = Panel("", unit, as_of, [Series("", history, quantiles)], scale)
    with style():
        figure = sheet(2.82, top=0.22, bottom=0.26, bare=bare)
        axes = box(figure, 0.54, WIDTH - 1.48, 2.82, bottom=0.26, bare=bare)
        draw_panel(axes, panel, words)
        head_and_foot(figure, title, key([panel], words), sources, bare=bare, words=words)
    return figure


def headline(
    panels: Sequence[Panel], *, title: str, sources: str, bare: bool = False, words: Words = ENGLISH
) -> "Figure":
    """Draw the panels side by side under one title."""
    with style():
        wide = 5.4
        figure = sheet(2.78, top=0.52, bottom=0.26, bare=bare, wide=wide * len(panels))
        for i, panel in enumerate(panels):
            draw_panel(box(figure, wide * (i + 0.07), wide * 0.68, 2.78, bottom=0.26, bare=bare), panel, words)
        head_and_foot(figure, title, key(panels, words), sources, bare=bare, words=words)
    return figure


def draw_panel(axes: "Axes", panel: Panel, words: Words) -> None:
    """Draw a panel: grid and axes, the series, the day of the forecast, and what each line is."""
    axes.set_yscale(panel.scale)
    axes.set_title(shorten(panel.title, 58), loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=22)
    labels: list[tuple[float, str, str]] = []
    for series, colour in zip(panel.series, (BLUE, ORANGE, TEAL), strict=False):
        draw_series(axes, series, colour)
        labels += end_labels(series, colour, words, alone=len(panel.series) == 1)
    frame(axes, panel)
    place_labels(axes, labels, str(panel.series[0].quantiles["time"].values[-1]), words)
    if panel.as_of:
        mark_day(axes, panel.as_of, words)


def draw_series(axes: "Axes", series: Series, colour: str) -> None:
    """Draw the bands, the median and the reported line of one series."""
    name, history, quantiles = series
    known = None if history is None else history.dropna("time")
    x, values = times(quantiles), quantiles
    for low, high, opacity in BANDS:
        span, lower, upper = joined(known, x, at(values, low), at(values, high))
        axes.fill_between(span, lower, upper, color=colour, alpha=opacity, linewidth=0, gid=f"{one_line(name)} band")
    axes.plot(*joined(known, x, at(values, 0.5)), color=colour, linewidth=1.8, solid_capstyle="round", gid="median")
    if known is not None and known.size:
        axes.plot(times(known), known.values, color=INK, linewidth=1.8, solid_capstyle="round", gid="history")


def at(quantiles: xr.DataArray, level: float) -> np.ndarray:
    """Values of one quantile over time."""
    return quantiles.sel(quantile=level, method="nearest", tolerance=1e-6).transpose("time").values


def joined(known: xr.DataArray | None, x: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
    """Start the forecast at the last reported point, where there is one before it."""
    if known is None or not known.size or times(known)[-1] >= x[0]:
        return [x, *values]
    return [np.append(times(known)[-1], x), *(np.append(known.values[-1], value) for value in values)]


def frame(axes: "Axes", panel: Panel) -> None:
    """Draw the grid and the axes: a tick where a year starts, its number in the middle, the unit above."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    spans = [times(data) for series in panel.series for data in (series.history, series.quantiles) if data is not None]
    first, last = np.floor(min(span.min() for span in spans)), np.ceil(max(span.max() for span in spans))
    years = np.arange(first, last)
    axes.set_xlim(first, last)
    axes.xaxis.set_major_locator(FixedLocator([*years, last]))
    axes.xaxis.set_major_formatter(NullFormatter())
    every = 1 if len(years) <= 12 else int(np.ceil(len(years) / 12))
    axes.xaxis.set_minor_locator(FixedLocator([year + 0.5 for year in years[::every]]))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: f"{np.floor(x):.0f}"))
    axes.tick_params(axis="x", which="minor", length=0, pad=4)
    axes.tick_params(axis="x", which="major", length=4, color=MUTED)
    axes.tick_params(axis="y", which="both", length=0)
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5)) if panel.scale == "log" else MaxNLocator(6, steps=[1, 2, 5, 10])
    )
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
    axes.grid(axis="y", which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    if panel.scale == "linear" and axes.dataLim.y0 >= 0:
        axes.set_ylim(bottom=0)
    axes.set_ylabel(shorten(panel.unit, 60), rotation=0, ha="left", va="bottom", color=MUTED)
    axes.yaxis.set_label_coords(0, 1.025)


def end_labels(series: Series, colour: str, words: Words, *, alone: bool) -> list[tuple[float, str, str]]:
    """Say what stands at the right end: each quantile of a series that is alone, else its name and median."""
    names = {0.95: "P95", 0.75: "P75", 0.5: words.median, 0.25: "P25", 0.05: "P5"}
    ends = {level: float(at(series.quantiles, level)[-1]) for level in names}
    if alone:
        return [(ends[level], f"{name} {number(ends[level])}", colour) for level, name in names.items()]
    span = f"({number(ends[0.05])}–{number(ends[0.95])})"
    return [(ends[0.5], f"{shorten(series.name, 18)}\n{number(ends[0.5])} {span}", colour)]


def place_labels(axes: "Axes", labels: list[tuple[float, str, str]], last: str, words: Words) -> None:
    """Write the labels beside the line ends, lowest first, each above the one before, and on top for when they hold."""
    figure: Any = axes.get_figure()
    line = LINE / (axes.get_position().height * figure.get_size_inches()[1])
    to_axes = axes.transData + axes.transAxes.inverted()
    ordered = sorted((to_axes.transform((axes.get_xlim()[1], y))[1], text, colour) for y, text, colour in labels)
    heights = [line * (1 + text.count("\n")) for _, text, _ in ordered]
    middles = spread([middle for middle, _, _ in ordered], heights, 0.0, 1.05)
    common: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "fontsize": 8}
    for middle, (_, text, colour) in zip(middles, ordered, strict=True):
        bold = "bold" if text.startswith(f"{words.median} ") or "\n" in text else "normal"
        axes.text(1.012, middle, text, color=colour, fontweight=bold, **common)
    axes.text(1.012, middles[-1] + (heights[-1] + line) / 2, f"{last}:", color=MUTED, **common)


def mark_day(axes: "Axes", as_of: str, words: Words) -> None:
    """Draw the line at the day up to which things were known."""
    x = when(as_of)
    axes.axvline(x, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), gid="as_of")
    day = f"{date.fromisoformat(as_of):{words.day}}"
    middle = np.mean(axes.get_xlim())
    side, shift = ("right", -4) if x > middle else ("left", 4)
    axes.annotate(
        words.as_of.format(day=day),
        (x, 1),
        (shift, -2),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha=side,
        va="top",
        color=MUTED,
        fontsize=7.5,
    )


def key(panels: Sequence[Panel], words: Words) -> str:
    """Say how to read the lines and bands that are there."""
    reported = words.reported if any(s.history is not None for panel in panels for s in panel.series) else ""
    brackets = words.brackets if any(len(panel.series) > 1 for panel in panels) else ""
    return reported + words.fan.format(brackets=brackets)
