"""A run conditioned on observed figures: its draws reweighted, or moved where too few of them carry the weight."""

from sim.conditioning.observations import Observation, read
from sim.conditioning.page import as_json, page
from sim.conditioning.posterior import condition

__all__ = ["Observation", "as_json", "condition", "page", "read"]
