"""Shares of a whole over time, one on the other."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from sim.figures.layout import COLUMN, WIDTH, box, head_and_foot, sheet, spread
from sim.figures.style import BLUE, GRID, INK, MUTED, ORANGE, PALE, PAPER, TEAL, style
from sim.figures.text import ENGLISH, Words, shorten, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["stacked"]

FILLS = ((BLUE, BLUE), (PALE[ORANGE], ORANGE), (TEAL, TEAL), (PALE[BLUE], BLUE), (ORANGE, ORANGE), (PALE[TEAL], TEAL))
"""Colours of parts and of their names from the bottom up: neighbours differ in depth, so also in grey."""
LEAST = 5.5
"""Part [%] that has room for its number."""
NAME = 26
"""Longest name [column]."""
PLOT = 2.6


def stacked(
    shares: xr.DataArray, *, title: str, unit: str, sources: str, bare: bool = False, words: Words = ENGLISH
) -> "Figure":
    """Draw shares [1] with dims ``group, time`` as columns, in per cent, the first group at the bottom.

    Of more than six groups the five largest are drawn and the others as one. What is below 0 (an estimate's error) is
    drawn as 0.
    """
    names, values = fewer(shares.transpose("group", "time"), words)
    times = [str(label) for label in shares["time"].values]
    with style():
        figure = sheet(PLOT, top=0.3, bottom=0.3, bare=bare)
        right = 0.14 + COLUMN * max(width(shorten(name, NAME)) + 5 for name in names)
        axes = box(figure, 0.54, WIDTH - 0.54 - right, PLOT, bottom=0.3, bare=bare)
        tops = np.cumsum(values, axis=0)
        for height, top, (fill, _) in zip(values, tops, FILLS, strict=False):
            draw_group(axes, 100 * height, 100 * top, fill)
        columns(axes, times, unit, 100 * float(max(tops[-1].max(), 1e-9)))
        name_groups(axes, names, 100 * values[:, -1], 100 * tops[:, -1])
        head_and_foot(figure, title, words.stacked, sources, bare=bare, words=words)
    return figure


def fewer(shares: xr.DataArray, words: Words) -> tuple[list[str], np.ndarray]:
    """Names and values of the groups that are drawn."""
    names, values = [str(name) for name in shares["group"].values], np.clip(np.nan_to_num(shares.values), 0, None)
    if len(names) <= len(FILLS):
        return names, values
    large = sorted(np.argsort(-values.mean(axis=1), kind="stable")[: len(FILLS) - 1])
    rest = np.delete(values, large, axis=0)
    shown = [*(names[i] for i in large), words.other.format(count=len(rest))]
    return shown, np.vstack([values[large], rest.sum(axis=0)])


def draw_group(axes: "Axes", height: np.ndarray, top: np.ndarray, fill: str) -> None:
    """Draw one group's part of every column, with its number where there is room."""
    x = np.arange(len(height))
    axes.bar(x, height, 0.74, bottom=top - height, color=fill, edgecolor=PAPER, linewidth=0.9)
    ink = INK if fill in PALE.values() else PAPER
    for at, (part, end) in enumerate(zip(height, top, strict=True)):
        if part >= LEAST:
            axes.text(at, end - part / 2, f"{part:.0f}", ha="center", va="center_baseline", color=ink, fontsize=8)


def columns(axes: "Axes", times: list[str], unit: str, high: float) -> None:
    """Draw the axes of columns: their times below, the unit above."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    every = -(-len(times) // 12)
    axes.set_xlim(-0.55, len(times) - 0.45)
    axes.set_ylim(0, high)
    axes.set_xticks(range(0, len(times), every), times[::every])
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
    axes.tick_params(length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel(shorten(unit, 60), rotation=0, ha="left", va="bottom", color=MUTED)
    axes.yaxis.set_label_coords(0, 1.025)


def name_groups(axes: "Axes", names: list[str], last: np.ndarray, tops: np.ndarray) -> None:
    """Name the groups beside the last column, at the height of their parts of it."""
    line = 0.155 / PLOT
    high = axes.get_ylim()[1]
    middles = spread(list((tops - last / 2) / high), [line] * len(names), 0.0, 1.0)
    for name, part, middle, (_, colour) in zip(names, last, middles, FILLS, strict=False):
        text = shorten(name, NAME) + ("" if part >= LEAST else f" {part:.0f} %")
        axes.text(1.008, middle, text, transform=axes.transAxes, va="center", color=colour, fontsize=8)
