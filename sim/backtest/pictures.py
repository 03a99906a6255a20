"""Two pictures of the scoreboard: what each book said of the headline figures, and how far its intervals held."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.backtest.scoreboard import HEADLINE
from sim.backtest.scored import LEVELS, OURS, Scored
from sim.backtest.vintages import CONSENSUS
from sim.figures import BLUE, GRID, INK, MUTED, ORANGE, head_and_foot, render, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["calibration", "vintages"]

TITLES = (
    "Four companies' capex 2024",
    "Four companies' capex 2025",
    "NVIDIA data centre 2024",
    "NVIDIA data centre 2025",
)
SOURCES = (
    "company filings; Visible Alpha, Jefferies and Morgan Stanley as cited in priors/consensus.yaml; Epoch AI, CC BY. "
    "Not investment advice"
)
BINS = 10


def vintages(rows: Sequence[Scored]) -> bytes:
    """PNG: P5 to P95 and median of each book, the consensus of its day, and what came."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(10.8, 4.2))
        for i, (text, title) in enumerate(zip(HEADLINE, TITLES, strict=True)):
            axes = figure.add_axes((0.05 + 0.243 * i, 0.2, 0.185, 0.53))
            _said(axes, title, [row for row in rows if row.quantity == text])
        reading = (
            "Dot: median of the book of that day. Line: P5 to P95. Diamond: consensus of the day. Black: what came."
        )
        head_and_foot(figure, "What each book said, and what came", reading, SOURCES)
    return render(figure, "png")


def _said(axes: "Axes", title: str, rows: list[Scored]) -> None:
    ours = [row for row in rows if row.method == OURS]
    points = {row.made: row.p50 for row in rows if row.method == CONSENSUS}
    for x, row in enumerate(ours):
        axes.plot([x, x], [row.p05, row.p95], color=BLUE, linewidth=5, alpha=0.3, solid_capstyle="butt")
        axes.plot(x, row.p50, "o", color=BLUE, markersize=5)
        if row.made in points:
            axes.plot(x, points[row.made], "D", color=ORANGE, markersize=5)
    axes.axhline(ours[0].truth, color=INK, linewidth=1.4)
    came = f"{ours[0].truth:,.0f} came"
    axes.annotate(came, (-0.55, ours[0].truth), (0, 3), textcoords="offset points", fontsize=8, fontweight="bold")
    _frame(axes, title, "bn USD")
    axes.set_xlim(-0.6, len(ours) - 0.4)
    axes.set_ylim(0, 1.12 * max(*(row.p95 for row in ours), ours[0].truth))
    axes.set_xticks(range(len(ours)), [row.made[2:7] for row in ours])


def calibration(rows: Sequence[Scored], rolling: Sequence[Scored]) -> bytes:
    """PNG: part of the figures that the intervals held, and where in their forecasts they fell."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(10.8, 4.4))
        ours = [row for row in rows if row.method == OURS]
        past = [row for row in rolling if row.method == OURS]
        axes = figure.add_axes((0.05, 0.19, 0.25, 0.54))
        _reliability(axes, {"dated books": (ours, BLUE), "rolling origins": (past, ORANGE)})
        for i, (name, some, colour) in enumerate((("dated books", ours, BLUE), ("rolling origins", past, ORANGE))):
            _pit(figure.add_axes((0.4 + 0.32 * i, 0.19, 0.24, 0.54)), f"PIT, {name}", some, colour)
        reading = "Left: on the line is perfect. Right: even bars are perfect; the figures overlap and hang together."
        head_and_foot(figure, "How far the intervals held", reading, SOURCES)
    return render(figure, "png")


def _reliability(axes: "Axes", groups: dict[str, tuple[list[Scored], str]]) -> None:
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=0.9)
    for side, (name, (rows, colour)) in zip(("below", "above"), groups.items(), strict=True):
        held = 100 * np.mean([row.covered for row in rows], axis=0)
        stated = [100 * level for level in LEVELS]
        axes.plot(stated, held, "o-", color=colour, markersize=5, linewidth=1.5)
        at, shift, ha = (0, (6, -12), "left") if side == "below" else (-1, (-2, 8), "right")
        text = f"{name} ({len(rows)})"
        axes.annotate(text, (stated[at], held[at]), shift, textcoords="offset points", ha=ha, color=colour)
    axes.set_xlim(40, 100)
    axes.set_ylim(30, 105)
    axes.set_xlabel("stated probability of the interval, %", color=MUTED)
    _frame(axes, "Figures held by the intervals", "%")


def _pit(axes: "Axes", title: str, rows: list[Scored], colour: str) -> None:
    edges = np.linspace(0, 1, BINS + 1)
    counts, _ = np.histogram([row.pit for row in rows], edges)
    axes.bar((edges[:-1] + edges[1:]) / 2, counts, 0.9 / BINS, color=colour, alpha=0.55)
    axes.axhline(len(rows) / BINS, color=MUTED, linewidth=0.9)
    axes.set_xlabel("percentile of what came in its forecast", color=MUTED)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    _frame(axes, title, "figures")


def _frame(axes: "Axes", title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=18)
    axes.set_ylabel(unit, rotation=0, ha="left", va="bottom", color=MUTED)
    axes.yaxis.set_label_coords(0, 1.02)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
