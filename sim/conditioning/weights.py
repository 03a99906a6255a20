"""Importance weights from log-likelihoods, their largest smoothed by a fitted Pareto tail, and how far they carry.

Vehtari, Simpson, Gelman, Yao and Gabry (2024) for the smoothing and the diagnostic, Zhang and Stephens (2009) for the
fit. All in float64.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["FEW", "TOO_FEW", "Thinned", "Weighing", "effective_size", "thinned", "weigh"]

Weights = Float64[np.ndarray, " draw"]

FEW, TOO_FEW = 400, 50
"""Effective draws below which every figure is marked, and below which there are none."""
FAIR, LOST = 0.7, 1.0
"""Shape of the tail above which weights are unreliable, and above which they have no mean."""
TAIL_SHARE, TAIL_ROOT = 0.2, 3.0
"""The tail: a fifth of the draws, or three times their square root where that is fewer."""
LEAST = 5
"""Fewest weights in a tail that is fitted."""
PRIOR_COUNT, PRIOR_SHAPE = 10, 0.5
"""The weak prior of the shape: as if ten more weights had said a half."""


class Weighing(NamedTuple):
    """Weights that sum to 1, the draws they are worth, and the shape of their tail."""

    weights: Weights
    effective: float
    shape: float
    """Pareto k-hat: 0 where the largest weights are all alike, infinity where too few count for a fit."""

    @property
    def usable(self) -> bool:
        """Whether anything can be read off these weights."""
        return self.effective >= TOO_FEW and self.shape <= LOST

    @property
    def fair(self) -> float:
        """The shape up to which this many draws can be trusted."""
        return min(1 - 1 / math.log10(len(self.weights)), FAIR)


def weigh(log_likelihood: Weights) -> Weighing:
    """Pareto-smoothed importance weights of draws from the prior. ValueError: a log-likelihood that is no number."""
    if not np.isfinite(log_likelihood).all():
        raise ValueError("a log-likelihood is not finite")
    raw = np.exp(log_likelihood - log_likelihood.max())
    smooth, shape = smoothed(raw)
    weights = smooth / smooth.sum()
    return Weighing(weights, effective_size(weights), shape)


def effective_size(weights: Weights) -> float:
    """Equally weighted draws that would be as exact: 1 / sum of squares of the weights."""
    return float(weights.sum() ** 2 / (weights * weights).sum())


def smoothed(raw: Weights) -> tuple[Weights, float]:
    """Weights whose largest are the quantiles of the Pareto tail fitted to them, none above the largest, and k-hat."""
    size = math.ceil(min(TAIL_SHARE * len(raw), TAIL_ROOT * math.sqrt(len(raw))))
    if size < LEAST:
        return raw, math.inf
    order = np.argpartition(raw, len(raw) - size - 1)
    top, cutoff = order[-size:], raw[order[-size - 1]]
    top = top[np.argsort(raw[top], kind="stable")]
    over = raw[top] - cutoff
    if over[-1] == 0:
        return raw, 0.0
    shape, scale = fitted(over)
    if not math.isfinite(shape):
        return raw, math.inf
    tail = (np.arange(size) + 0.5) / size
    with np.errstate(over="ignore"):  # beyond the largest weight, which bounds them all
        stretch = -np.log1p(-tail) if shape == 0 else np.expm1(-shape * np.log1p(-tail)) / shape
    found = raw.copy()
    found[top] = np.minimum(cutoff + scale * stretch, raw[top[-1]])
    return found, shape


def fitted(over: Float64[np.ndarray, " tail"]) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution of exceedances in order of size, not all 0.

    The mean of a quasi-posterior over a grid, drawn towards a half; infinite where a quarter of them are 0.
    """
    size, quartile = len(over), over[int(len(over) / 4 + 0.5) - 1]
    if quartile <= 0:
        return math.inf, math.nan
    count = 30 + math.isqrt(size)
    grid = 1 - np.sqrt(count / (np.arange(count) + 0.5))
    theta = 1 / over[-1] + grid / (3 * quartile)
    shapes = np.log1p(-theta[:, None] * over).mean(axis=1)
    fit = size * (np.log(-theta / shapes) - shapes - 1)
    weight = np.exp(fit - fit.max())
    best = float((theta * weight).sum() / weight.sum())
    shape = float(np.log1p(-best * over).mean())
    scale = -shape / best
    return (size * shape + PRIOR_COUNT * PRIOR_SHAPE) / (size + PRIOR_COUNT), scale


class Thinned(NamedTuple):
    """Some draws, in their order, that stand for all: their places and weights, which sum to 1."""

    places: Int64[np.ndarray, " draw"]
    weights: Weights


def thinned(weights: Weights, most: int) -> Thinned:
    """At most so many draws that stand for all: large weights as they are, one of several small ones at their sum.

    The weights are unbiased and as even as can be (Fearnhead and Clifford, 2003); no draw stands there twice. Nothing
    is lost, and nothing changed, where no more have a weight.
    """
    if np.count_nonzero(weights) <= most:
        places = np.flatnonzero(weights)
        return Thinned(places, weights[places])
    least = _threshold(weights, most)
    chance = np.minimum(weights / least, 1)
    passed = np.floor(np.cumsum(chance) + 0.5)
    places = np.flatnonzero((np.diff(passed, prepend=0) > 0) | (weights >= least))
    kept = np.maximum(weights[places], least)
    return Thinned(places, kept / kept.sum())


def _threshold(weights: Weights, most: int) -> float:
    """The weight c with as many draws kept as wanted: sum of min(1, weight / c) = most."""
    ordered = np.sort(weights)[::-1]
    rest = ordered.sum() - np.concatenate([[0.0], np.cumsum(ordered[: most - 1])])
    level = rest / (most - np.arange(most))  # where the j largest are kept whole
    return float(level[int(np.argmax(ordered[:most] <= level))])
