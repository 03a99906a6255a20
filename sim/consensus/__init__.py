"""Where published forecasts stand among our draws, and what would have to be true for them: ``chipcast consensus``.

``standing`` counts the draws below a point and compares the beliefs of those beyond it with all; ``region`` finds a box
of beliefs that holds them; ``page`` tells both in a table, in sentences and in JSON, and ``docs`` writes
docs/consensus.md.
"""

from sim.consensus.page import as_json, table, told
from sim.consensus.region import Region, Side
from sim.consensus.standing import Belief, Figure, Standing, consensus

__all__ = ["Belief", "Figure", "Region", "Side", "Standing", "as_json", "consensus", "table", "told"]
