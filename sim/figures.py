"""Fan charts: history as a line, the forecast as bands, drawn with plain matplotlib and no global state.

Labels are drawn as they are written: nothing in them is read as mathematics. The same data give the same bytes.
Matplotlib is imported by the first figure: half a second that a run with charts already drawn does not take.
"""

import re
import textwrap
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Panel", "Series", "fan", "headline", "render", "when"]

BLUE, ORANGE, TEAL = "#17559b", "#c4561c", "#157f6b"  # told apart with any colour vision, and in grey
INK, MUTED, GRID = "#1c2733", "#5d6975", "#e4e8ec"
BANDS = ((0.05, 0.95, 0.16), (0.25, 0.75, 0.30))  # lower and upper quantile, opacity
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.hashsalt": "chipcast",
    "svg.fonttype": "path",
    "path.simplify": False,
    "figure.dpi": 160,
    "savefig.dpi": 160,
}


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
) -> "Figure":
    """Draw one quantity: the reported line, bands P5 to P95 and P25 to P75, the median, and a line at ``as_of``."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(7.2, 4.3))
        axes = figure.add_axes((0.075, 0.165, 0.795, 0.655))
        panel = Panel("", unit, as_of, [Series("", history, quantiles)], scale)
        draw_panel(axes, panel)
        head_and_foot(figure, title, key([panel]), sources)
    return figure


def headline(panels: Sequence[Panel], *, title: str, sources: str) -> "Figure":
    """Draw the panels side by side under one title."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(5.4 * len(panels), 4.6))
        each = 1 / len(panels)
        for i, panel in enumerate(panels):
            axes = figure.add_axes((each * (i + 0.07), 0.15, each * 0.68, 0.605))
            draw_panel(axes, panel)
        head_and_foot(figure, title, key(panels), sources)
    return figure


def render(figure: "Figure", format: Literal["png", "svg"], *, source: str = "") -> bytes:
    """Write a figure as PNG or SVG: same figure, same bytes. ``source``, the run and its commit, is metadata."""
    metadata: dict[str, str | None] = {
        "Title": str(figure.get_label() or "chipcast"),
        "Source": one_line(source) or "-",
    }
    metadata |= {"Software": "chipcast"} if format == "png" else {"Creator": "chipcast", "Date": None}
    file = BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box is drawn for it
        figure.savefig(file, format=format, metadata=metadata, facecolor="white")
    return file.getvalue()


def style() -> AbstractContextManager[None]:
    """Set everything that drawing depends on, whatever the user's own settings are."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **STYLE}
    del settings["backend"]
    return mpl.rc_context(settings)


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


def draw_panel(axes: "Axes", panel: Panel) -> None:
    """Draw a panel: grid and axes, the series, the day of the forecast, and what each line is."""
    axes.set_yscale(panel.scale)
    axes.set_title(shorten(panel.title, 70), loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=22)
    labels: list[tuple[float, str, str]] = []
    for series, colour in zip(panel.series, (BLUE, ORANGE, TEAL), strict=False):
        draw_series(axes, series, colour)
        labels += end_labels(series, colour, alone=len(panel.series) == 1)
    frame(axes, panel)
    place_labels(axes, labels, str(panel.series[0].quantiles["time"].values[-1]))
    mark_day(axes, panel.as_of)


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


def end_labels(series: Series, colour: str, *, alone: bool) -> list[tuple[float, str, str]]:
    """Say what stands at the right end: each quantile of a series that is alone, else its name and median."""
    names = {0.95: "P95", 0.75: "P75", 0.5: "median", 0.25: "P25", 0.05: "P5"}
    ends = {level: float(at(series.quantiles, level)[-1]) for level in names}
    if alone:
        return [(ends[level], f"{name} {number(ends[level])}", colour) for level, name in names.items()]
    span = f"({number(ends[0.05])} to {number(ends[0.95])})"
    return [(ends[0.5], f"{shorten(series.name, 18)}\n{number(ends[0.5])} {span}", colour)]


def number(value: float) -> str:
    """Three significant digits, with thousands separated."""
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    return f"{value:,.{min(digits, 6)}f}"


def place_labels(axes: "Axes", labels: list[tuple[float, str, str]], last: str) -> None:
    """Write the labels beside the line ends, lowest first, each above the one before, and on top for when they hold."""
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    floor = -1.0
    common: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "fontsize": 8}
    for y, text, colour in sorted(labels):
        height = 0.048 * (1 + text.count("\n"))
        middle = max(to_axes.transform((x, y))[1], floor + height / 2)
        floor = middle + height / 2
        bold = "bold" if "median" in text or "\n" in text else "normal"
        axes.text(1.012, middle, text, color=colour, fontweight=bold, **common)
    axes.text(1.012, floor + 0.024, f"{last}:", color=MUTED, **common)


def mark_day(axes: "Axes", as_of: str) -> None:
    """Draw the line at the day up to which things were known."""
    x = when(as_of)
    axes.axvline(x, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), gid="as_of")
    day = f"{date.fromisoformat(as_of):%-d %b %Y}"
    middle = np.mean(axes.get_xlim())
    side, shift = ("right", -4) if x > middle else ("left", 4)
    axes.annotate(
        f"as of {day}",
        (x, 1),
        (shift, -2),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        ha=side,
        va="top",
        color=MUTED,
        fontsize=7.5,
    )


def key(panels: Sequence[Panel]) -> str:
    """Say how to read the lines and bands that are there."""
    reported = "Black: reported. " if any(s.history is not None for panel in panels for s in panel.series) else ""
    brackets = ", the latter in brackets" if any(len(panel.series) > 1 for panel in panels) else ""
    return f"{reported}Line: median. Bands: P25 to P75 and P5 to P95{brackets}."


def head_and_foot(figure: "Figure", title: str, reading: str, sources: str) -> None:
    """Write the title, how to read the bands, and the sources."""
    wide = figure.get_figwidth()
    figure.set_label(one_line(title))
    left = figure.axes[0].get_position().x0
    figure.text(left, 0.965, shorten(title, int(11 * wide)), fontsize=12, fontweight="bold", va="top")
    figure.text(left, 0.965 - 0.235 / figure.get_figheight(), reading, fontsize=8, color=MUTED, va="top")
    foot = textwrap.wrap(shorten(f"Sources: {sources}", int(60 * wide)), int(20 * wide))
    figure.text(left, 0.02, "\n".join(foot), fontsize=6.8, color=MUTED, va="bottom", linespacing=1.35)


def one_line(text: str) -> str:
    """Text without line breaks and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, most: int) -> str:
    """One line of at most so many characters."""
    line = one_line(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
