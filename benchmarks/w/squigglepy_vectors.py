"""W with squigglepy: each variate sampled as a vector of draws, the rest as most NumPy users write it."""

import numpy as np
import squigglepy as sq

from benchmarks.w import numpy_float64, spec
from benchmarks.w.summary import Summary

__all__ = ["job"]


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job at once."""
    sq.set_seed(seed)
    z = {name: _sampled(name, shape, draws) for name, shape in spec.VARIATES.items()}
    return numpy_float64.summarised(numpy_float64.simulate(z))


def _sampled(name: str, shape: tuple[int, ...], draws: int) -> np.ndarray:
    """A variate's values [draw, ...], one call of the sampler for each of its numbers."""
    distribution = sq.beta(*spec.BETAS[name]) if name in spec.BETAS else sq.norm(mean=0, sd=1)
    vectors = [sq.sample(distribution, n=draws) for _ in range(int(np.prod(shape)))]
    return np.stack(vectors, axis=-1).reshape(draws, *shape)
