"""The fit of the annual capex process to its record, and what the model's priors take from it (docs/fit.md).

history rows -> ``record`` -> ``posterior`` (``process`` sampled by ``sampler``) -> ``checks``, ``spread``,
``quarterly`` -> ``stored``.
"""

from sim.fit.posterior import Posterior, fit_capex
from sim.fit.stored import Fit, fit, read, write

__all__ = ["Fit", "Posterior", "fit", "fit_capex", "read", "write"]
