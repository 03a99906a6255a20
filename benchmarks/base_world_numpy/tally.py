"""The tuned contender's statistics: moments and histograms of every cell, added up over parts of the draws.

A histogram counts draws by the upper bits of their floats, in an order that holds for either sign: 128 bins to each
doubling, and straight lines within a bin. One count over a few cells at once costs less than the sort that exact
quantiles ask for, its error is far below the Monte Carlo error, and memory does not grow with the draws.
"""

import numpy as np

from benchmarks.base_world_numpy import LEVELS

__all__ = ["PILOT", "Tally", "statistics"]

DROPPED = 16  # lowest bits of a float that a bin does not tell apart
TOGETHER = 4  # cells counted at once
PILOT = 2048
"""First draws, from which the span of the bins is taken: their second least and second largest value.

That the first or last percentile lies outside has a chance of 3e-8.
"""
SPAN = 20 * 2 ** (
    23 - DROPPED
)  # most bins of a positive cell: what is below 1e-6 of the largest value is told by the least one


class Tally:
    """What some draws of all cells say."""

    def __init__(self, pilot: np.ndarray) -> None:
        cells = len(pilot)
        ordered = np.sort(np.nan_to_num(pilot), axis=1)
        second = min(1, ordered.shape[1] - 1)
        ends = numbers(np.ascontiguousarray(ordered[:, [second, -1 - second]]))
        self.first, self.last = (
            np.where(ends[:, 0] < 0, ends[:, 0], np.maximum(ends[:, 0], ends[:, 1] - SPAN)),
            ends[:, 1],
        )
        size = self.last - self.first + 1
        self.start = np.cumsum(size) - size  # of each cell's bins among all
        self.bins, self.draws = np.zeros(size.sum(), np.int64), 0
        self.mean, self.squares = np.zeros((2, cells))  # squares of distances from the mean
        self.low, self.high = np.full(cells, np.inf, np.float32), np.full(cells, -np.inf, np.float32)

    def add(self, blocks: np.ndarray) -> None:
        """Add blocks [block, cell, draw] of draws."""
        draws = blocks.shape[0] * blocks.shape[2]
        mean, squares = np.empty_like(self.mean), np.empty_like(self.squares)
        for i in range(0, len(mean), TOGETHER):
            here = slice(i, i + TOGETHER)
            rows = blocks[:, here].swapaxes(0, 1).reshape(-1, draws)
            self.low[here] = np.minimum(self.low[here], rows.min(axis=1))
            self.high[here] = np.maximum(self.high[here], rows.max(axis=1))
            middle = rows.mean(axis=1)
            self.count(here, rows)
            rows -= middle[:, None]
            mean[here], squares[here] = middle, np.einsum("ij,ij->i", rows, rows)
        self.add_moments(draws, mean, squares)

    def count(self, here: slice, rows: np.ndarray) -> None:
        """Count the draws of a few cells [cell, draw] by bin."""
        if np.isnan(rows[:, 0]).any():
            rows = np.nan_to_num(rows)
        first, start = self.first[here, None], self.start[here]
        bins = numbers(rows)
        np.clip(bins, first, self.last[here, None], out=bins)
        index = np.add(bins, (start - start[0])[:, None] - first, dtype=np.intp)
        counts = np.bincount(index.ravel())
        self.bins[start[0] : start[0] + len(counts)] += counts

    def add_moments(self, draws: int, mean: np.ndarray, squares: np.ndarray) -> None:
        """Add mean and squared distances of other draws."""
        total, apart = self.draws + draws, mean - self.mean
        self.squares += squares + apart**2 * (self.draws * draws / total)
        self.mean += apart * (draws / total)
        self.draws = total

    def counts(self, cell: int) -> np.ndarray:
        """Draws in each bin of a cell."""
        return self.bins[self.start[cell] :][: self.last[cell] - self.first[cell] + 1]


def statistics(tallies: list[Tally]) -> np.ndarray:
    """Mean, sd and quantiles [statistic, cell] of all draws together, as ``STATISTICS`` names them."""
    whole, *others = tallies
    low, high = (
        f([getattr(tally, name) for tally in tallies], axis=0) for f, name in ((np.min, "low"), (np.max, "high"))
    )
    for other in others:
        whole.add_moments(other.draws, other.mean, other.squares)
    rank = np.array(LEVELS) * (whole.draws - 1)
    quantiles = np.array([quantiles_of(*joined(tallies, cell), rank, low[cell]) for cell in range(len(low))]).T
    return np.concatenate([whole.mean[None], np.sqrt(whole.squares / whole.draws)[None], np.clip(quantiles, low, high)])


def joined(tallies: list[Tally], cell: int) -> tuple[int, np.ndarray]:
    """Number of a cell's first bin in every tally, which takes in what is below, and the draws of all in each bin."""
    first, last = max(tally.first[cell] for tally in tallies), max(tally.last[cell] for tally in tallies)
    counts = np.zeros(max(last - first + 1, 1), np.int64)
    for tally in tallies:
        below, above = np.split(tally.counts(cell), [first - tally.first[cell]])
        counts[0] += below.sum()
        counts[: len(above)] += above
    return first, counts


def numbers(values: np.ndarray) -> np.ndarray:
    """Number of the bin of each value, increasing with it."""
    bits = values.view(np.int32)
    if values.min() < 0:
        bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return bits >> DROPPED


def edges(numbers: np.ndarray) -> np.ndarray:
    """Least value of each bin."""
    bits = np.asarray(numbers << DROPPED, np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.float32).astype(np.float64)


def quantiles_of(first: int, counts: np.ndarray, rank: np.ndarray, low: float) -> np.ndarray:
    """Values at these ranks, on a straight line through the bin that holds each; the least one in the first bin."""
    end = np.cumsum(counts)
    place = np.searchsorted(end, rank, side="right")
    within = (rank - (end[place] - counts[place]) + 0.5) / counts[place]
    bounds = edges(first + place), edges(first + place + 1)
    return np.where(place > 0, bounds[0] + (bounds[1] - bounds[0]) * within, low)
