"""What moves an output: shares of its variance by topic, swings of single priors, and what it is worth to know."""

from sim.sensitivity.decisions import Decision
from sim.sensitivity.page import page
from sim.sensitivity.sensitivity import DRAWS, PAIRS, Effect, Footing, Sensitivity, sensitivity, work
from sim.sensitivity.swings import Elasticity, Swing
from sim.sensitivity.topics import FOOTINGS, TOPICS

__all__ = [
    "DRAWS",
    "FOOTINGS",
    "PAIRS",
    "TOPICS",
    "Decision",
    "Effect",
    "Elasticity",
    "Footing",
    "Sensitivity",
    "Swing",
    "page",
    "sensitivity",
    "work",
]
