"""Worlds compared draw by draw on the same random numbers: what they believe, what differs, and which prior did it."""

from sim.compare.beliefs import Changed, Figures, beliefs
from sim.compare.comparison import DRAWS, Comparison, compare
from sim.compare.differences import Difference
from sim.compare.page import as_json, page
from sim.compare.waterfall import Step, Waterfall

__all__ = [
    "DRAWS",
    "Changed",
    "Comparison",
    "Difference",
    "Figures",
    "Step",
    "Waterfall",
    "as_json",
    "beliefs",
    "compare",
    "page",
]
