"""Bars in rows: what each input moves (tornado), and what lies between two figures (waterfall)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.figures.layout import head_and_foot, row_sheet, rows_below
from sim.figures.style import BLUE, INK, MUTED, ORANGE, PALE, style
from sim.figures.text import ENGLISH, Words, number, places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Bar", "tornado", "waterfall"]

MOST = 12
"""Steps of a waterfall that are drawn one by one; the smallest of more are drawn as one."""


class Bar(NamedTuple):
    """A row of a tornado: what the figure is with the input low, in the middle and high."""

    name: str
    low: float
    middle: float
    high: float


def tornado(
    bars: Sequence[Bar], *, title: str, unit: str, sources: str, bare: bool = False, words: Words = ENGLISH
) -> "Figure":
    """Draw how far each input moves a figure, in the order given: faint where the input is low, full where high.

    ValueError: no bars.
    """
    with style():
        figure, axes = row_sheet([bar.name for bar in bars], row=0.26, right=0.2, top=0.34, bare=bare)
        for y, bar in enumerate(bars):
            draw_bar(axes, y, bar)
        axes.axvline(bars[0].middle, color=INK, linewidth=0.9)
        name_ends(axes, bars[0], words)
        ends = np.array([bar[1:] for bar in bars])
        low, high = np.nanmin(ends), np.nanmax(ends)
        rows_below(axes, unit, low - 0.1 * (high - low), high + 0.1 * (high - low))
        head_and_foot(figure, title, words.tornado, sources, left=0.16, bare=bare, words=words)
    return figure


def draw_bar(axes: "Axes", y: float, bar: Bar) -> None:
    """Draw a row: its two halves side by side, or one above the other where both lie to the same side."""
    same = (bar.low - bar.middle) * (bar.high - bar.middle) > 0
    half = 0.17 if same else 0.0
    for value, colour, shift in ((bar.low, PALE[ORANGE], -half), (bar.high, BLUE, half)):
        across = value - bar.middle
        axes.barh(y + shift, across, 0.68 - 2 * half, left=bar.middle, color=colour, linewidth=0)
        side = "left" if across > 0 or (across == 0 and colour == BLUE) else "right"
        beside(axes, value, y + shift, number(value), side)


def beside(axes: "Axes", x: float, y: float, text: str, side: str, color: str = INK, weight: str = "normal") -> None:
    """Write a text beside a point: it begins (``left``) or ends (``right``) there."""
    axes.annotate(
        text,
        (x, y),
        (3.5 if side == "left" else -3.5, 0),
        textcoords="offset points",
        annotation_clip=False,
        ha=side,
        va="center_baseline",
        color=color,
        fontsize=8,
        weight=weight,
    )


def name_ends(axes: "Axes", bar: Bar, words: Words) -> None:
    """Say above the first row which side is which."""
    low, high = ("right", "left") if bar.low <= bar.high else ("left", "right")
    beside(axes, bar.middle, -0.95, words.low, low, ORANGE, "bold")
    beside(axes, bar.middle, -0.95, words.high, high, BLUE, "bold")


def waterfall(
    steps: Sequence[tuple[str, float]],
    *,
    start: tuple[str, float],
    end: tuple[str, float],
    title: str,
    unit: str,
    sources: str,
    bare: bool = False,
    words: Words = ENGLISH,
) -> "Figure":
    """Draw the steps from one figure to another, full where they add and faint where they take away."""
    shown = fewer(steps, words)
    names = [start[0], *(name for name, _ in shown), end[0]]
    levels = np.cumsum([start[1], *(step for _, step in shown)])
    with style():
        figure, axes = row_sheet(names, row=0.26, right=0.2, top=0.12, bare=bare)
        draw_steps(axes, [step for _, step in shown], levels)
        for y, (_, value) in ((0, start), (len(names) - 1, end)):
            axes.plot([value, value], [y - 0.31, y + 0.31], color=INK, linewidth=2.6, solid_capstyle="butt")
            beside(axes, value, y, number(value), "left", INK, "bold")
        low, high = min(*levels, end[1]), max(*levels, end[1])
        rows_below(axes, unit, low - 0.06 * (high - low), high + 0.14 * (high - low))
        head_and_foot(figure, title, words.waterfall, sources, left=0.16, bare=bare, words=words)
    return figure


def draw_steps(axes: "Axes", steps: Sequence[float], levels: np.ndarray) -> None:
    """Draw each step from the level before it, and the levels from row to row."""
    digits = places(max(map(abs, steps), default=0.0))
    digits += any(step and round(step, digits) == 0 for step in steps)
    for y, (step, level) in enumerate(zip(steps, levels[1:], strict=True), 1):
        axes.barh(y, step, 0.62, left=level - step, color=BLUE if step > 0 else PALE[ORANGE], linewidth=0)
        beside(axes, max(level, level - step), y, number(step, digits, sign="+"), "left")
    for y, level in enumerate(levels):
        axes.plot([level, level], [y - 0.31, y + 1.31], color=MUTED, linewidth=0.8)


def fewer(steps: Sequence[tuple[str, float]], words: Words) -> list[tuple[str, float]]:
    """The largest steps in their order, and the sum of the others where there are many."""
    if len(steps) <= MOST:
        return list(steps)
    large = sorted(sorted(range(len(steps)), key=lambda i: -abs(steps[i][1]))[: MOST - 1])
    rest = sum(step for i, (_, step) in enumerate(steps) if i not in large)
    return [*(steps[i] for i in large), (words.other.format(count=len(steps) - len(large)), rest)]
