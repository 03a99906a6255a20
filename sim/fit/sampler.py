"""Random-walk Metropolis on many chains at once, and what tells whether they can be trusted.

All chains step together. While warming up they share one proposal, the pooled covariance of the round before, scaled
towards the wanted acceptance; then it is frozen, so that the kept part is plain Metropolis on independent chains.
A random walk, unlike an ensemble move, does not amplify rounding: two machines give the same printed digits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["FULL", "Size", "bulk_ess", "metropolis", "quantile_errors", "split_rhat", "tail_ess"]

ACCEPTANCE = 0.27
"""Share of accepted steps that suits about ten dimensions (Roberts and Rosenthal 2001)."""
RIDGE = 0.01
"""Weight of the bare variances in the proposal, so that it stays regular when few steps were taken."""
ROUNDS = 10
GROUPS = 16
"""Groups of chains whose quantiles are compared for a Monte Carlo error."""
Draws = Float64[np.ndarray, "chain step"]
Points = Float64[np.ndarray, "dim chain"]
Values = Float64[np.ndarray, " chain"]


@dataclass(frozen=True)
class Size:
    """How much is sampled: chains, steps of each to warm up, and steps to keep."""

    chains: int
    warmup: int
    steps: int


FULL = Size(chains=16, warmup=1000, steps=10000)


def metropolis(
    log_density: Callable[[Points], Values],
    start: Points,
    size: Size,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "dim chain step"], float]:
    """Draws from a density known up to a constant, and the share of kept steps that were accepted."""
    state = (start, log_density(start))
    scale, covariance = 2.38 / np.sqrt(len(start)), _pooled(start)
    for _ in range(ROUNDS):
        state, draws, accepted = _walk(log_density, state, scale, covariance, size.warmup // ROUNDS, rng)
        scale *= np.exp(accepted - ACCEPTANCE)
        covariance = _pooled(draws.reshape(len(start), -1))
    _, draws, accepted = _walk(log_density, state, scale, covariance, size.steps, rng)
    return draws, accepted


def _pooled(points: Points) -> Float64[np.ndarray, "dim dim"]:
    covariance = np.cov(points)
    return (1 - RIDGE) * covariance + RIDGE * np.diag(np.diag(covariance))


def _walk(
    log_density: Callable[[Points], Values],
    state: tuple[Points, Values],
    scale: float,
    covariance: Float64[np.ndarray, "dim dim"],
    steps: int,
    rng: np.random.Generator,
) -> tuple[tuple[Points, Values], Float64[np.ndarray, "dim chain step"], float]:
    """Steps of all chains under one proposal: where they end, where they were, and the share accepted."""
    point, density = state
    root = scale * np.linalg.cholesky(covariance)
    draws, accepted = np.empty((*point.shape, steps)), 0.0
    for step in range(steps):
        moved = point + np.einsum("ij,jc->ic", root, rng.standard_normal(point.shape))
        there = log_density(moved)
        taken = np.log(rng.random(len(there))) < there - density
        point, density = np.where(taken, moved, point), np.where(taken, there, density)
        draws[:, :, step] = point
        accepted += float(taken.mean())
    return (point, density), draws, accepted / steps


def split_rhat(draws: Draws) -> float:
    """Rank-normalised split R-hat, the larger of that of location and of spread (Vehtari et al. 2021)."""
    folded = np.abs(draws - np.median(draws))
    return max(_rhat(_scores(_split(each))) for each in (draws, folded))


def bulk_ess(draws: Draws) -> float:
    """Effective number of independent draws for the centre (Vehtari et al. 2021)."""
    return _ess(_scores(_split(draws)))


def tail_ess(draws: Draws) -> float:
    """Effective number of independent draws for the 5 % and 95 % quantiles, the smaller (Vehtari et al. 2021)."""
    return min(_ess(_split((draws <= q).astype(float))) for q in np.quantile(draws, (0.05, 0.95)))


def quantile_errors(draws: Draws, levels: tuple[float, ...]) -> Float64[np.ndarray, " level"]:
    """Monte Carlo standard error of each quantile, from groups of independent chains."""
    groups = np.stack([np.quantile(group, levels) for group in np.array_split(draws, min(GROUPS, len(draws)))])
    return groups.std(axis=0, ddof=1) / np.sqrt(len(groups))


def _split(draws: Draws) -> Draws:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _scores(draws: Draws) -> Draws:
    return ndtri((rankdata(draws).reshape(draws.shape) - 0.375) / (draws.size + 0.25))


def _rhat(chains: Draws) -> float:
    steps = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    return float(np.sqrt((steps - 1) / steps + chains.mean(axis=1).var(ddof=1) / within))


def _ess(chains: Draws) -> float:
    """Draws over their autocorrelation time, cut off by Geyer's initial monotone sequence."""
    count, steps = chains.shape
    centred = chains - chains.mean(axis=1, keepdims=True)
    waves = np.fft.rfft(centred, n=2 * steps, axis=1)
    covariance = np.fft.irfft(np.abs(waves) ** 2, axis=1)[:, :steps].mean(axis=0) / steps
    within = covariance[0] * steps / (steps - 1)
    total = covariance[0] + chains.mean(axis=1).var(ddof=1)
    correlation = 1 - (within - covariance * steps / (steps - 1)) / total
    correlation[0] = 1
    pairs = correlation[: steps // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: ends[0] if len(ends) else len(pairs)])
    return float(min(count * steps / max(2 * pairs.sum() - 1, 1 / np.log10(count * steps)), count * steps * 2))
