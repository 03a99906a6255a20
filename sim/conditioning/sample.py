"""Draws at hand with their weights, what is read off them, and which beliefs differ between two such samples."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from sim.reduce import LEVELS, Statistics
from sim.score import quantiles

__all__ = ["Moved", "Sample", "moments", "moved", "statistics"]

ROWS = 128
"""Rows that are looked at together, to bound memory."""

Entries = Float64[np.ndarray, " entry"]


class Sample(NamedTuple):
    """Some draws of a world: every number behind them, every cell of a summary, and weights that sum to 1."""

    values: Float32[np.ndarray, "entry draw"]
    cells: Float32[np.ndarray, "cell draw"]
    weights: Float64[np.ndarray, " draw"]
    effective: float
    """Independent, equally weighted draws that would be as exact."""


def statistics(
    rows: Float32[np.ndarray, "row draw"], weights: Float64[np.ndarray, " draw"], effective: float
) -> Statistics:
    """Weighted statistics of each row; not a number where any draw has no value.

    A quantile's error is half the distance between those one binomial sd of the probability to either side.
    """
    levels = np.array(LEVELS)
    spread = np.sqrt(levels * (1 - levels) / effective)
    wanted = np.concatenate([levels, np.clip(levels + spread, 0, 1), np.clip(levels - spread, 0, 1)])
    at, above, below = np.split(quantiles(rows, wanted, weights), 3)
    mean, sd = moments(rows, weights)
    zero = (rows == 0) @ weights
    known = ~np.isnan(rows).any(axis=1)
    figures = (at, (above - below) / 2, mean, sd / np.sqrt(effective), sd, zero)
    return Statistics(*(np.where(known, each, np.nan).astype(np.float32) for each in figures))


def moments(rows: Float32[np.ndarray, "row draw"], weights: Float64[np.ndarray, " draw"]) -> tuple[Entries, Entries]:
    """Weighted mean and standard deviation of each row, in float64."""
    mean, sd = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), ROWS):
        some = slice(start, start + ROWS)
        away = rows[some].astype(np.float64)
        first = away[:, :1].copy()
        away -= first
        from_first = away @ weights
        mean[some] = first[:, 0] + from_first
        away -= from_first[:, None]
        sd[some] = np.sqrt(np.einsum("rd,rd,d->r", away, away, weights))
    return mean, sd


class Moved(NamedTuple):
    """Mean and standard deviation of every entry before and after, in its own unit."""

    mean_before: Entries
    sd_before: Entries
    mean: Entries
    sd: Entries

    @property
    def shift(self) -> Entries:
        """Change of the mean in standard deviations from before; 0 for what is fixed."""
        return _over(self.mean - self.mean_before, self.sd_before, 0.0)

    @property
    def ratio(self) -> Entries:
        """Standard deviation after over before; 1 for what is fixed."""
        return _over(self.sd, self.sd_before, 1.0)


def moved(before: Sample, after: Sample) -> Moved:
    """Moments of every entry before and after."""
    return Moved(*moments(before.values, before.weights), *moments(after.values, after.weights))


def _over(part: Entries, whole: Entries, otherwise: float) -> Entries:
    return np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 0)
