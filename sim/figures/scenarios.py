"""Scenarios side by side: a panel each, all on one axis, with the first one's median in all of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.figures.fans import BANDS, Series, at
from sim.figures.layout import WIDTH, box, head_and_foot, sheet
from sim.figures.style import BLUE, GRID, INK, MUTED, style
from sim.figures.text import ENGLISH, Words, number, one_line, shorten, wrap
from sim.figures.times import times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["scenarios"]

MOST = 6
PLOT, LEFT, GAP, LINE = 2.5, 0.54, 0.14, 0.132
LETTER = 0.082
"""Width of a bold character [inch]."""


def scenarios(
    series: Sequence[Series], *, title: str, unit: str, sources: str, bare: bool = False, words: Words = ENGLISH
) -> "Figure":
    """Draw bars P5 to P95 and P25 to P75 with medians by year, one panel a scenario, at most six.

    ValueError: none, or more than six.
    """
    if not 1 <= len(series) <= MOST:
        raise ValueError(f"{len(series)} scenarios; from one to {MOST} stand side by side")
    across = (WIDTH - LEFT - 0.1 - GAP * (len(series) - 1)) / len(series)
    names = [wrap(each.name, int(across / LETTER), 3, after=" _-/") for each in series]
    with style():
        figure = sheet(PLOT, top=0.24 + LINE * (2 + max(map(len, names))), bottom=0.26, bare=bare)
        high = 1.04 * max(float(np.nanmax(at(each.quantiles, 0.95))) for each in series)
        low = min(0.0, 1.04 * min(float(np.nanmin(at(each.quantiles, 0.05))) for each in series))
        for i, (each, name) in enumerate(zip(series, names, strict=True)):
            axes = box(figure, LEFT + i * (across + GAP), across, PLOT, bottom=0.26, bare=bare)
            draw_scenario(axes, each, None if i == 0 else series[0], across)
            axes.set_ylim(low, high)
            axes.tick_params(axis="y", labelleft=i == 0)
            name_scenario(axes, each, name)
        write(figure.axes[0], 0.1, shorten(unit, 60), MUTED)
        how = words.scenarios.format(first=shorten(series[0].name, 30))
        head_and_foot(figure, title, how, sources, bare=bare, words=words)
    return figure


def draw_scenario(axes: "Axes", series: Series, base: Series | None, across: float) -> None:
    """Draw one scenario's bars by year, and the first one's medians as dashes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    years = np.floor(times(series.quantiles))
    for low, high, opacity in BANDS:
        bottom, top = at(series.quantiles, low), at(series.quantiles, high)
        axes.bar(years, top - bottom, 0.56, bottom=bottom, color=BLUE, alpha=opacity + 0.08, linewidth=0)
    if base is not None:
        middles = at(base.quantiles, 0.5)
        axes.hlines(middles, np.floor(times(base.quantiles)) - 0.42, np.floor(times(base.quantiles)) + 0.42, INK, lw=1)
    axes.plot(years, at(series.quantiles, 0.5), "o", color=BLUE, markersize=4, gid="median")
    axes.set_xlim(years[0] - 0.6, years[-1] + 0.6)
    every = 1 if across / len(years) > 0.2 else 2
    axes.set_xticks(years[::every], [f"’{year % 100:02.0f}" for year in years[::every]])
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}".replace("-", "−")))
    axes.tick_params(length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def name_scenario(axes: "Axes", series: Series, name: Sequence[str]) -> None:
    """Write a scenario's name and its last year's median and P5 to P95 above its panel."""
    low, middle, high = (number(at(series.quantiles, level)[-1]) for level in (0.05, 0.5, 0.95))
    last = one_line(str(series.quantiles["time"].values[-1]))
    lines = [(f"{low}–{high}", BLUE, "normal"), (f"{last}: {middle}", BLUE, "bold")]
    lines += [(line, INK, "bold") for line in reversed(name)]
    for i, (text, colour, weight) in enumerate(lines):
        write(axes, 0.3 + LINE * i, text, colour, weight)


def write(axes: "Axes", up: float, text: str, colour: str, weight: str = "normal") -> None:
    """Write a line so far above a panel [inch]."""
    axes.text(0, 1 + up / PLOT, text, transform=axes.transAxes, color=colour, weight=weight, fontsize=8, va="center")
