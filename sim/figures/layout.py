"""Where things stand: sheets of a given size in inches, title and foot, labels that do not overlap."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.figures.style import GRID, INK, MUTED
from sim.figures.text import ENGLISH, Words, one_line, shorten, width, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WIDTH", "box", "head_and_foot", "reading", "row_sheet", "rows_below", "sheet", "spread"]

WIDTH = 7.2
"""Width of a figure of one panel [inch]."""
HEAD, FOOT = 0.66, 0.5
"""Room of title and sources [inch]; a bare figure has none of it."""
COLUMN, TITLE, SMALL = 0.077, 0.0082, 0.0475
"""Width of a character of a name, of a point of the title's size, and of the foot [inch]."""
READING = "reading"


def sheet(plot: float, *, top: float, bottom: float, bare: bool, wide: float = WIDTH) -> "Figure":
    """A figure with room for a plot of this height [inch], for what stands at its edges, and for title and foot."""
    from matplotlib.figure import Figure

    edges = 0.0 if bare else HEAD + FOOT
    return Figure(figsize=(wide, plot + top + bottom + edges))


def box(figure: "Figure", left: float, across: float, plot: float, *, bottom: float, bare: bool) -> "Axes":
    """Axes of this place and size [inch], above the foot."""
    wide, high = figure.get_size_inches()
    up = bottom + (0.0 if bare else FOOT)
    return figure.add_axes((left / wide, up / high, across / wide, plot / high))


def head_and_foot(
    figure: "Figure",
    title: str,
    reading: str,
    sources: str,
    *,
    left: float | None = None,
    bare: bool = False,
    words: Words = ENGLISH,
) -> None:
    """Write the title, how to read the figure, and the sources; a bare figure only keeps them in mind."""
    wide, high = figure.get_size_inches()
    figure.set_label(one_line(title))
    x = figure.axes[0].get_position().x0 if left is None else left / wide
    room = wide * (1 - x) - 0.1
    down = 0.235 / high
    shown = figure.text(x, 0.965 - down, reading, fontsize=8, color=MUTED, va="top", visible=not bare)
    shown.set_gid(READING)
    if bare:
        return
    size = 12 if width(one_line(title)) * TITLE * 12 <= room else 10
    figure.text(x, 0.965, shorten(title, int(room / TITLE / size)), fontsize=size, fontweight="bold", va="top")
    foot = wrap(words.sources.format(sources=sources), int(room / SMALL), 3)
    figure.text(x, 0.09 / high, "\n".join(foot), fontsize=6.8, color=MUTED, va="bottom", linespacing=1.35)


def reading(figure: "Figure") -> str:
    """How to read a figure, in a sentence or two."""
    return next((text.get_text() for text in figure.texts if text.get_gid() == READING), "")


def spread(middles: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels of these sizes, in ascending order, as little as keeps them apart and from ``low`` to ``high``."""
    from scipy.optimize import isotonic_regression

    if not len(middles):
        return []
    before = np.cumsum(sizes) - np.asarray(sizes) / 2
    starts = isotonic_regression(np.asarray(middles, float) - before).x  # of rows of labels that touch
    return list(np.clip(starts, low, max(low, high - sum(sizes))) + before)


def row_sheet(names: Sequence[str], *, row: float, right: float, top: float, bare: bool) -> tuple["Figure", "Axes"]:
    """A figure with one row a name, the first on top, names at the left, and room at the right [inch]."""
    if not names:
        raise ValueError("a figure needs at least one row")
    shown = [shorten(name, 34) for name in names]
    left = 0.22 + COLUMN * max(width(name) for name in shown)
    plot = row * len(names)
    figure = sheet(plot, top=top, bottom=0.52, bare=bare)
    axes = box(figure, left, WIDTH - left - right, plot, bottom=0.52, bare=bare)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), shown)
    axes.tick_params(axis="y", length=0, labelcolor=INK, pad=6)
    return figure, axes


def rows_below(axes: "Axes", unit: str, low: float, high: float) -> None:
    """Draw the axis below rows: from ``low`` to ``high``, in this unit."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if low == high:
        low, high = low - 1, high + 1
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}".replace("-", "−")))
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(shorten(unit, 60), loc="left", labelpad=3)
