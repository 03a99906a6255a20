"""From what was counted to a summary: quantiles, moments and the Monte Carlo error of each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from sim import tally
from sim.tally import Gauge, Sums

__all__ = ["LEVELS", "Figure", "Statistics", "of_draws", "of_randomisations", "quantiles", "statistics", "within"]

LEVELS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Probabilities of the quantiles in a summary."""


class Figure(NamedTuple):
    """A figure and its Monte Carlo standard error."""

    value: float
    error: float


class Statistics(NamedTuple):
    """What the draws say of each cell, and the Monte Carlo standard error of each figure."""

    quantiles: Float32[np.ndarray, "quantile *cell"]
    quantile_error: Float32[np.ndarray, "quantile *cell"]
    mean: Float32[np.ndarray, "*cell"]
    mean_error: Float32[np.ndarray, "*cell"]
    sd: Float32[np.ndarray, "*cell"]
    zero: Float32[np.ndarray, "*cell"]  # share of draws that are exactly 0

    def at(self, *place: int) -> "Statistics":
        """Those of one cell."""
        at: Any = (..., *place)
        return Statistics(*(each[at] for each in self))


def statistics(sums: Sums, gauge: Gauge) -> Statistics:
    """Statistics of each cell; not a number where any draw has no value."""
    n = sums.draws
    at, error = _with_errors(lambda levels: quantiles(sums, gauge, levels), n)
    first, second = sums.averages()
    sd = gauge.spread * np.sqrt(np.maximum(second - first * first, 0))
    mean = gauge.centre + gauge.spread * first
    known = sums.missing == 0
    figures = (at, error, mean, sd / np.sqrt(n), sd, sums.zero / n)
    return Statistics(*(np.where(known, each, np.nan).astype(np.float32) for each in figures))


def of_randomisations(pooled: Statistics, parts: Sequence[Statistics]) -> Statistics:
    """Statistics of all draws, with errors from how far independent randomisations of a point set differ."""

    def error(of: Callable[[Statistics], np.ndarray]) -> np.ndarray:
        spread: np.ndarray = np.std([of(part) for part in parts], axis=0, ddof=1)
        return (spread / np.sqrt(len(parts))).astype(np.float32)

    return pooled._replace(quantile_error=error(lambda part: part.quantiles), mean_error=error(lambda part: part.mean))


def of_draws(values: Float32[np.ndarray, " draw"]) -> Statistics:
    """Statistics of draws at hand."""
    at, error = _with_errors(lambda levels: np.quantile(values.astype(np.float64), levels), len(values))
    mean, sd = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    figures = (at, error, mean, sd / np.sqrt(len(values)), sd, np.mean(values == 0))
    return Statistics(*(np.asarray(each, np.float32) for each in figures))


def _with_errors(
    quantiles_at: Callable[[Float64[np.ndarray, " level"]], Float64[np.ndarray, "level *cell"]], n: int
) -> tuple[Float64[np.ndarray, "quantile *cell"], Float64[np.ndarray, "quantile *cell"]]:
    """Quantiles of n draws, and half the distance between those one binomial sd of the probability to either side."""
    levels = np.array(LEVELS)
    spread = np.sqrt(levels * (1 - levels) / n)
    wanted = np.concatenate([levels, np.clip(levels + spread, 0, 1), np.clip(levels - spread, 0, 1)])
    at, above, below = np.split(quantiles_at(wanted), 3)
    return at, (above - below) / 2


def quantiles(sums: Sums, gauge: Gauge, levels: Float64[np.ndarray, " level"]) -> Float64[np.ndarray, "level cell"]:
    """Quantiles between order statistics as numpy.quantile has them, values of a bin spread evenly over it.

    Bins are cut to the least and greatest value, and draws that are exactly these are set apart: shares of 0 and 1.
    """
    rank = np.broadcast_to(levels[:, None] * (sums.draws - 1), (len(levels), len(sums.zero)))
    bins, part = within(sums, gauge, rank)
    edge = tally.edges().astype(np.float64)
    with np.errstate(invalid="ignore"):  # a cell without any value has no least and no greatest one
        low, high = ((each - gauge.centre.astype(np.float64)) / gauge.spread for each in (sums.low, sums.high))
        left, right = (np.clip(edge[bins + side], low, high) for side in (0, 1))
        found = np.clip(gauge.centre + gauge.spread * (left + part * (right - left)), sums.low, sums.high)
    found = np.where(rank <= sums.at_low - 1, sums.low, found)
    return np.where(rank >= sums.draws - sums.at_high, sums.high, found)


def within(
    sums: Sums, gauge: Gauge, rank: Float64[np.ndarray, "level cell"]
) -> tuple[Int64[np.ndarray, "level cell"], Float64[np.ndarray, "level cell"]]:
    """The bin that holds each rank, and how far into it the rank lies [1], the least and greatest values set apart."""
    bins, part = np.empty(rank.shape, np.int64), np.empty(rank.shape)
    with np.errstate(invalid="ignore"):
        ends = [tally.host_bin_of((each - gauge.centre) / gauge.spread) for each in (sums.low, sums.high)]
    for cell in range(rank.shape[1]):
        counts = sums.counts[cell].copy()
        for end, apart in zip(ends, (sums.at_low, sums.at_high), strict=True):
            counts[end[cell]] -= apart[cell] if counts[end[cell]] >= apart[cell] else 0
        upto, at = counts.cumsum(), rank[:, cell] - sums.at_low[cell]
        bins[:, cell] = found = np.minimum(np.searchsorted(upto, at, side="right"), tally.BINS - 1)
        part[:, cell] = (at - upto[found] + counts[found] + 0.5) / np.maximum(counts[found], 1)
    return bins, np.clip(part, 0, 1)
