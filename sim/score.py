"""Proper scores of forecasts given as draws, and how far a difference of scores can be trusted.

Scores are losses: smaller is better. Draws run along the last axis and may carry weights, one a draw, that sum to
anything positive. Sources: Gneiting and Raftery (2007) for the scores, Kuensch (1989) for the block bootstrap.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.special import logsumexp

__all__ = [
    "Skill",
    "covered",
    "crps",
    "log_score",
    "pit",
    "quantiles",
    "skill",
]

Draws = Float64[np.ndarray, "*case draw"]
Cases = Float64[np.ndarray, "*case"]
Weights = Float64[np.ndarray, " draw"] | None
Levels = Sequence[float] | Float64[np.ndarray, " level"]

REPEATS = 4_000
"""Bootstrap samples behind an interval."""
INTERVAL = (0.05, 0.95)
"""Ends of a bootstrap interval."""
SILVERMAN, NORMAL_IQR = 0.9, 1.349
"""Silverman's factor, and the interquartile range of a standard normal."""


def crps(draws: Draws, truth: Cases, weights: Weights = None) -> Cases:
    """Continuous ranked probability score of each case, in the unit of the draws.

        CRPS = integral (F(x) - 1[x >= y])^2 dx = E|X - y| - E|X - X'| / 2

    of the weighted empirical distribution, exactly: from the ordered draws and their cumulative weights.
    """
    ordered, share = _ordered(draws, weights)
    below = np.cumsum(share, axis=-1)
    far = (share * np.abs(ordered - np.asarray(truth)[..., None])).sum(axis=-1)
    gap = np.diff(ordered, axis=-1)
    apart: Cases = (gap * below[..., :-1] * (1 - below[..., :-1])).sum(axis=-1)
    return far - apart


def log_score(draws: Draws, truth: Cases, weights: Weights = None) -> Cases:
    """Minus the log density at the truth, both positive, in nats: a kernel density of the logarithms.

    Gaussian kernels with Silverman's robust width, 0.9 min(sd, IQR / 1.349) n^(-1/5); finite however far out the truth
    lies, so that one miss is costly and not fatal. Not a number where all draws are equal.
    """
    ordered, share = _ordered(draws, weights)
    x, y = np.log(ordered), np.log(np.asarray(truth, dtype=np.float64))
    middle = (share * x).sum(axis=-1, keepdims=True)
    sd = np.sqrt((share * (x - middle) ** 2).sum(axis=-1))
    low, high = np.log(quantiles(draws, (0.25, 0.75), weights))
    range_ = high - low
    spread = np.where(range_ > 0, np.minimum(sd, range_ / NORMAL_IQR), sd)
    width = SILVERMAN * spread * (share**2).sum(axis=-1) ** 0.2
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (y[..., None] - x) / width[..., None]
        density = logsumexp(-z * z / 2, b=share, axis=-1) - np.log(width) - np.log(2 * np.pi) / 2
    return np.where(width > 0, y - density, np.nan)


def pit(draws: Draws, truth: Cases, weights: Weights = None) -> Cases:
    """Probability integral transform: the forecast probability below the truth, and half of that exactly at it."""
    share = _share(draws.shape[-1], weights)
    y = np.asarray(truth)[..., None]
    found: Cases = (share * ((draws < y) + (draws == y) / 2)).sum(axis=-1)
    return found


def covered(draws: Draws, truth: Cases, level: float, weights: Weights = None) -> Bool[np.ndarray, "*case"]:
    """Whether the truth lies in the central interval that holds ``level`` of the forecast, ends included."""
    low, high = quantiles(draws, [(1 - level) / 2, (1 + level) / 2], weights)
    return np.asarray((low <= truth) & (truth <= high))


def quantiles(draws: Draws, levels: Levels, weights: Weights = None) -> Float64[np.ndarray, "level *case"]:
    """Quantiles of weighted draws: the cumulative weight up to the middle of each draw's own, linear between."""
    rows = draws.reshape(-1, draws.shape[-1])
    share = _share(draws.shape[-1], weights)
    found = np.empty((len(levels), len(rows)))
    for row, values in enumerate(rows):
        order = np.argsort(values)
        upto = np.cumsum(share[order])
        found[:, row] = np.interp(levels, upto - share[order] / 2, values[order])
    return found.reshape(len(levels), *draws.shape[:-1])


def _share(count: int, weights: Weights) -> Float64[np.ndarray, " draw"]:
    """Weights that sum to 1; equal ones where none are given."""
    return np.full(count, 1 / count) if weights is None else weights / weights.sum()


def _ordered(draws: Draws, weights: Weights) -> tuple[Draws, Draws]:
    """Draws in order of size, with their weights."""
    order = np.argsort(draws, axis=-1)
    return np.take_along_axis(draws, order, axis=-1).astype(np.float64), _share(draws.shape[-1], weights)[order]


class Skill(NamedTuple):
    """1 - score / opponent's score, with the ends of its 90 % block-bootstrap interval."""

    skill: float
    low: float
    high: float
    cases: int
    times: int


def skill(
    own: Float64[np.ndarray, " case"],
    opponent: Float64[np.ndarray, " case"],
    time: Int[np.ndarray, " case"],
    *,
    block: int,
    seed: int = 0,
) -> Skill:
    """How much smaller a mean score is than an opponent's on the same cases.

    Cases of one ``time`` stand or fall together; the bootstrap draws circular blocks of ``block`` consecutive times,
    because neighbours overlap or share a wave. One time alone has no interval: its ends are not numbers.
    """
    times, at = np.unique(time, return_inverse=True)
    sums = np.stack([np.bincount(at, each) for each in (own, opponent)])
    rng, count = np.random.default_rng([seed, len(times)]), len(times)
    first = rng.integers(count, size=(REPEATS, -(-count // block)))
    chosen = ((first[..., None] + np.arange(block)) % count).reshape(REPEATS, -1)[:, :count]
    repeats = 1 - np.divide(*sums[:, chosen].sum(axis=-1))
    low, high = np.quantile(repeats, INTERVAL) if count > 1 else (np.nan, np.nan)
    return Skill(float(1 - sums[0].sum() / sums[1].sum()), float(low), float(high), len(own), count)
