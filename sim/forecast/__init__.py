"""A run from a book to a stored summary: everything the command line does with runs is one call here."""

import sim.accessor  # noqa: F401  (runs answer to .chipcast)
from sim.forecast.question import SAMPLERS, load, run_config
from sim.forecast.runs import count, open_, resume, run

__all__ = ["SAMPLERS", "count", "load", "open_", "resume", "run", "run_config"]
