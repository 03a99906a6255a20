"""Intervals in rows: quantiles of several figures, and points that others published."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sim.figures.layout import head_and_foot, row_sheet, rows_below, spread
from sim.figures.style import BLUE, MUTED, ORANGE, PAPER, style
from sim.figures.text import ENGLISH, Words, number, shorten, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Row", "intervals"]

SIGN = 0.062
"""Width of a character of a marker's name [inch]."""


class Row(NamedTuple):
    """A figure's quantiles, and published points by who published them."""

    name: str
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float
    markers: Sequence[tuple[str, float]] = ()


def intervals(
    rows: Sequence[Row], *, title: str, unit: str, sources: str, bare: bool = False, words: Words = ENGLISH
) -> "Figure":
    """Draw each row's P5 to P95, P25 to P75 and median, with the figures at the right, and published points on it."""
    marked = any(row.markers for row in rows)
    with style():
        names = [row.name for row in rows]
        figure, axes = row_sheet(names, row=0.56 if marked else 0.27, right=1.5, top=0.14, bare=bare)
        values = [value for row in rows for value in (*row[1:6], *(point for _, point in row.markers))]
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        low = 0.0 if 0 <= low < 0.5 * high else low - 0.05 * (high - low)
        rows_below(axes, unit, low, high + 0.03 * (high - low))
        for y, row in enumerate(rows):
            draw_row(axes, y, row, thick=0.2 if marked else 0.36)
            name_markers(axes, y, row)
        how = words.intervals + (words.diamonds if marked else "")
        head_and_foot(figure, title, how, sources, left=0.16, bare=bare, words=words)
    return figure


def draw_row(axes: "Axes", y: float, row: Row, thick: float) -> None:
    """Draw an interval and write its median and P5 to P95 at the right."""
    for left, right, opacity in ((row.p05, row.p95, 0.22), (row.p25, row.p75, 0.42)):
        axes.barh(y, right - left, thick, left=left, color=BLUE, alpha=opacity, linewidth=0)
    axes.plot(row.p50, y, "o", color=BLUE, markersize=5)
    at: dict[str, Any] = {
        "xycoords": axes.get_yaxis_transform(),
        "textcoords": "offset points",
        "va": "center_baseline",
        "fontsize": 8,
    }
    axes.annotate(number(row.p50), (1, y), (44, 0), ha="right", color=BLUE, weight="bold", **at)
    span = f"{number(row.p05)}–{number(row.p95)}"
    axes.annotate(span, (1, y), (50, 0), ha="left", color=MUTED, **at)


def name_markers(axes: "Axes", y: float, row: Row) -> None:
    """Draw published points, and their names above or below them, where they do not meet one another."""
    inches = axes.get_position().width * axes.get_figure().get_size_inches()[0]  # type: ignore[union-attr]
    low, high = axes.get_xlim()
    size = (high - low) / inches  # of an inch on the axis
    ordered = sorted(row.markers, key=lambda marker: marker[1])
    for side in (-1, 1):
        markers = ordered[(side + 1) // 2 :: 2]
        texts = [f"{shorten(name, 30)} {number(value)}" for name, value in markers]
        places = spread([value for _, value in markers], [SIGN * (width(text) + 2) * size for text in texts], low, high)
        for text, (_, value), x in zip(texts, markers, places, strict=True):
            axes.plot([value, x], [y, y + 0.25 * side], color=ORANGE, linewidth=0.7)
            axes.plot(value, y, "D", color=ORANGE, markersize=4.5, markeredgecolor=PAPER, markeredgewidth=0.6)
            axes.text(x, y + 0.35 * side, text, ha="center", va="center_baseline", color=ORANGE, fontsize=7)
