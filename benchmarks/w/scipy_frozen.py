"""W with SciPy's frozen distributions: each variate's values by ``rvs``, the rest as most NumPy users write it."""

import numpy as np
from scipy import stats

from benchmarks.w import numpy_float64, spec
from benchmarks.w.summary import Summary

__all__ = ["job"]


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job at once."""
    rng = np.random.default_rng(seed)
    z = {
        name: (stats.beta(*spec.BETAS[name]) if name in spec.BETAS else stats.norm(0, 1)).rvs(
            size=(draws, *shape), random_state=rng
        )
        for name, shape in spec.VARIATES.items()
    }
    return numpy_float64.summarised(numpy_float64.simulate(z))
