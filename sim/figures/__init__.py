"""Figures that any script can call: data in, a matplotlib figure out, and that figure as PNG or SVG.

Labels stand at what they name, are drawn as they are written, and nothing in them is read as mathematics. The same
data give the same bytes. Matplotlib is imported by the first figure: half a second that a run with charts already
drawn does not take.
"""

from sim.figures.bars import Bar, tornado, waterfall
from sim.figures.fans import Panel, Series, fan, headline
from sim.figures.intervals import Row, intervals
from sim.figures.layout import head_and_foot, reading
from sim.figures.rendering import render, settled
from sim.figures.scenarios import scenarios
from sim.figures.stacks import stacked
from sim.figures.style import BLUE, DARK, GRID, INK, LIGHT, MUTED, ORANGE, TEAL, style
from sim.figures.text import ENGLISH, Words
from sim.figures.times import after, by_quarter, by_year, when

__all__ = [
    "BLUE",
    "DARK",
    "ENGLISH",
    "GRID",
    "INK",
    "LIGHT",
    "MUTED",
    "ORANGE",
    "TEAL",
    "Bar",
    "Panel",
    "Row",
    "Series",
    "Words",
    "after",
    "by_quarter",
    "by_year",
    "fan",
    "head_and_foot",
    "headline",
    "intervals",
    "reading",
    "render",
    "scenarios",
    "settled",
    "stacked",
    "style",
    "tornado",
    "waterfall",
    "when",
]
