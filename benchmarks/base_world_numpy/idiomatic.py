"""The idiomatic contender: float64, all draws of a chunk as one array, one line for each step.

Priors are drawn by NumPy's own samplers, correlated ones by a Gaussian copula and SciPy's quantile functions; the
model is tests/oracle.py and the cells are tests/cells.py, both unchanged; the statistics are ``np.mean``, ``np.std``
and ``np.percentile``. Chunks are as large as memory allows: the model keeps every quarter of every quantity, about
250 kB a draw, and the cells of all draws take 26 kB a draw.
"""

import numpy as np
from scipy import special

from benchmarks.base_world_numpy import LEVELS
from sim.distributions import (
    Beta,
    Fixed,
    Gamma,
    LogNormal,
    Normal,
    Pert,
    StudentT,
    Triangular,
    TruncatedNormal,
    Uniform,
)
from tests import oracle
from tests.cells import cells

__all__ = ["chunks", "job", "sample", "simulate"]

CHUNK = 10_000
"""Draws simulated at once."""


def job(world, draws, seed):
    """Statistics [statistic, axis, period] of every cell, by (period, output)."""
    parts = [cells(world, flows, values) for flows, values in chunks(world, draws, seed)]
    return {key: statistics(np.concatenate([part.pop(key) for part in parts], axis=-1)) for key in list(parts[0])}


def simulate(world, draws, seed):
    """Draw and run the model, and keep nothing."""
    for _ in chunks(world, draws, seed):
        pass


def chunks(world, draws, seed):
    """Flows [time, axis, draw] by output and values [entry, draw], chunk after chunk."""
    rng = np.random.default_rng(seed)
    for first in range(0, draws, CHUNK):
        values = sample(world, min(CHUNK, draws - first), rng)
        yield oracle.simulate(world, by_name(world, values)), values


def statistics(values):
    """Mean, sd and quantiles over draws, as ``STATISTICS`` names them."""
    percentiles = np.percentile(values, [100 * level for level in LEVELS], axis=-1)
    return np.concatenate([values.mean(axis=-1)[None], values.std(axis=-1)[None], percentiles])


# From priors to values


def sample(world, count, rng):
    """Values [entry, draw] of every entry; those in the copula from correlated scores, the others on their own."""
    scores = correlated_scores(world.book, count, rng)
    return np.stack(
        [
            from_score(entry.distribution, scores[entry.stream])
            if entry.stream in scores
            else independent(entry.distribution, count, rng)
            for entry in world.entries
        ]
    )


def by_name(world, values):
    """Values [entry, draw] as inputs of the model by name [*dims, draw]."""
    rows, found = iter(values), {}
    for name, shape in world.shapes.items():
        prior = world.book.priors[name]
        found[name] = np.empty((*shape, values.shape[1]))
        for labels in prior.table:
            found[name][oracle.place_of(world.book, prior.dims, labels)] = next(rows)
    return found


def correlated_scores(book, count, rng):
    """Standard normal scores with the book's rank correlations, by stream."""
    streams, rank = book.correlation
    pearson = 2 * np.sin(np.pi / 6 * rank)
    np.fill_diagonal(pearson, 1)
    return dict(zip(streams, np.linalg.cholesky(pearson) @ rng.standard_normal((len(streams), count)), strict=True))


def from_score(distribution, z):
    """Values at standard normal scores: in closed form where there is one, else SciPy's quantile function."""
    if isinstance(distribution, Normal):
        mean, sd = distribution.natural
        return mean + sd * z
    if isinstance(distribution, LogNormal):
        median, scale, sigma = distribution.natural
        return median - scale + scale * np.exp(sigma * z)
    return distribution.ppf(special.ndtr(z))


def independent(distribution, count, rng):
    """Values of one entry by NumPy's sampler of its family; by SciPy's quantile function where NumPy has none."""
    if isinstance(distribution, Fixed):
        return np.full(count, distribution.value)
    sampler = SAMPLERS.get(type(distribution))
    return sampler(rng, distribution, count) if sampler else distribution.ppf(rng.random(count))


def lognormal(rng, distribution, count):
    """Shifted where three quantiles are given."""
    median, scale, sigma = distribution.natural
    return median - scale + scale * rng.lognormal(0, sigma, count)


def student_t(rng, distribution, count):
    """By location and scale."""
    df, location, scale = distribution.natural
    return location + scale * rng.standard_t(df, count)


def beta(rng, distribution, count):
    """Between its bounds; a PERT is one."""
    low, high = distribution.support
    return low + (high - low) * rng.beta(*distribution.known.args[:2], count)


SAMPLERS = {
    Normal: lambda rng, distribution, count: rng.normal(*distribution.natural, count),
    LogNormal: lognormal,
    StudentT: student_t,
    Uniform: lambda rng, distribution, count: rng.uniform(distribution.lower, distribution.upper, count),
    Triangular: lambda rng, distribution, count: rng.triangular(*distribution.natural, count),
    Gamma: lambda rng, distribution, count: rng.gamma(*distribution.natural, count),
    Beta: beta,
    Pert: beta,
    TruncatedNormal: lambda rng, distribution, count: distribution.known.rvs(count, random_state=rng),
}
