"""How much of a cell's spread each prior explains, from plain draws: regression on normal scores.

Cell and priors are replaced by their normal scores (van der Waerden): the rank of each draw, put on a standard normal
scale. A prior's share is the part of the variance of the cell's scores that a linear regression on the scores of its
entries explains, adjusted for their number. Where the cell is a monotone function of a sum of monotone functions of
independent priors that are jointly normal after their scores, as a product of lognormals is, these are exactly the
first-order shares of variance of its logarithm; otherwise they are the monotone, additive part of it. What interacts,
or works in no one direction, is left over and shown as such.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.special import ndtri

__all__ = ["BATCHES", "Share", "scores", "share"]

BATCHES = 16
"""Parts of the draws that are left out in turn to find the Monte Carlo error (a jackknife)."""
RIDGE = 1e-6
"""Added to the variance of each score, so that entries that always move together can be solved for."""


class Share(NamedTuple):
    """A share of variance [1] and its Monte Carlo standard error."""

    share: float
    error: float


def scores(values: Float[np.ndarray, "*entry draw"]) -> Float32[np.ndarray, "*entry draw"]:
    """Normal scores along draws, of mean 0 and variance 1; ties share their mean score, and what is constant is 0."""
    scored = np.empty(values.shape, np.float32)
    normal = ndtri((np.arange(values.shape[-1]) + 0.5) / values.shape[-1])

    def score(row: tuple[int, ...]) -> None:
        order = np.argsort(values[row])
        new = np.diff(values[row][order], prepend=-np.inf) > 0
        z = normal if new.all() else _shared(normal, np.flatnonzero(new))
        scored[row][order] = z / max(z.std(), RIDGE)

    with ThreadPoolExecutor() as workers:
        list(workers.map(score, np.ndindex(values.shape[:-1])))
    return scored


def _shared(normal: Float64[np.ndarray, " draw"], starts: np.ndarray) -> Float64[np.ndarray, " draw"]:
    """Scores in order of rank with those of each run of ties replaced by their mean."""
    counts = np.diff(starts, append=len(normal))
    shared: Float64[np.ndarray, " draw"] = np.repeat(np.add.reduceat(normal, starts) / counts, counts)
    return shared


def share(x: Float32[np.ndarray, "entry draw"], y: Float32[np.ndarray, " draw"]) -> Share:
    """The adjusted R^2 of a regression of one score on several, and its jackknife error over batches of draws."""
    parts = np.array_split(np.arange(len(y)), BATCHES)
    spans = [slice(part[0], part[-1] + 1) for part in parts]
    moments = [(x[:, s] @ x[:, s].T, x[:, s] @ y[s], y[s] @ y[s], s.stop - s.start) for s in spans]
    whole = [sum(each) for each in zip(*moments, strict=True)]
    without = np.array([_adjusted(*(a - b for a, b in zip(whole, part, strict=True))) for part in moments])
    error = np.sqrt((BATCHES - 1) * np.mean(np.square(without - without.mean())))
    return Share(_adjusted(*whole), float(error))


def _adjusted(xx: Float[np.ndarray, "entry entry"], xy: Float[np.ndarray, " entry"], yy: float, draws: int) -> float:
    """R^2 from moments, less what as many unrelated entries would explain by chance; 0 of what is constant."""
    if yy < RIDGE * draws:
        return 0.0
    square: Float64[np.ndarray, "entry entry"] = xx.astype(np.float64)
    square[np.diag_indices_from(square)] += RIDGE * draws
    explained = float(xy @ np.linalg.solve(square, xy.astype(np.float64))) / float(yy)
    return float(1 - (1 - explained) * (draws - 1) / (draws - len(xy) - 1))
