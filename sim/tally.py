"""Running statistics of cells over draws: counts and whole-number sums, the same for any order and grouping of draws.

Each cell is measured from its centre in units of its spread, both taken from the first block of draws, so that one
grid serves all cells: bins are the leading bits of a float, 64 to a factor of two on either side of the centre. What
is added up is whole numbers, so that no order of blocks, number of devices or division of the draws can change a bit.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, Integer

__all__ = [
    "BINS",
    "FIXED_POINT",
    "RESOLUTION",
    "Gauge",
    "Sums",
    "Tally",
    "Thresholds",
    "bin_of",
    "edges",
    "empty",
    "fold",
    "gauge",
    "host_bin_of",
    "padded",
]

MANTISSA = 6
"""Leading bits of the significand that tell bins apart: 64 bins to a factor of two."""
BELOW, ABOVE = 26, 14
"""Factors of two below and above the spread that the bins on one side reach."""
SIDE = (BELOW + ABOVE) << MANTISSA
BINS = 2 * SIDE
"""Bins of a cell: values below its centre, furthest first, then those at it and above."""
RESOLUTION = 2.0**-MANTISSA
"""Widest bin over its distance from the centre."""

SIGNIFICAND, BIAS = 23, 127
"""Bits of a float32's significand, and its exponent of 1."""
LOWEST = (BIAS - BELOW) << MANTISSA

MOST_THRESHOLDS = 32
"""Thresholds of one run; a fixed number, so that another one does not compile anew."""

MOST_TOGETHER = 128
"""Cells of which the counts are in work at a time."""

NARROW = 1 << 31
"""Draws from which counts on the host are 64 bits wide."""

OF_RANGE = 2.0**-8
"""Least spread of a cell over the range of its first draws, and over the value that half of them are."""
SPREADS = (1 - BIAS, BIAS)
"""Exponents of the least and greatest spread that a float32 holds in full."""

FIXED_POINT = 2.0**36
"""Sums of blocks are whole numbers of this part of a spread."""
LIMB = 2.0**38
"""Whole numbers are added up in two parts, multiples of this and the rest: 2^24 blocks do not overflow either."""
GREATEST = 2.0**40
"""Largest sum of a block, in spreads, that is counted; a greater one is reported as missing."""


class Gauge(NamedTuple):
    """What the cells are measured with."""

    centre: Float32[np.ndarray, " cell"]
    spread: Float32[np.ndarray, " cell"]  # a power of two, so that scaling is exact


class Thresholds(NamedTuple):
    """Values that draws of some cells may pass, upwards (sign 1) or downwards (-1); always ``MOST_THRESHOLDS``."""

    cell: Int32[np.ndarray, " threshold"]
    sign: Float32[np.ndarray, " threshold"]
    value: Float32[np.ndarray, " threshold"]

    @classmethod
    def of(cls, cells: Sequence[int], signs: Sequence[int], values: Sequence[float]) -> "Thresholds":
        """These thresholds, filled up with some that nothing passes. ValueError: too many."""
        rest = MOST_THRESHOLDS - len(cells)
        if rest < 0:
            raise ValueError(f"at most {MOST_THRESHOLDS} thresholds in a run, not {len(cells)}")
        columns = ([*cells, *[0] * rest], [*signs, *[1] * rest], [*values, *[np.inf] * rest])
        return cls(*(np.array(column, t) for column, t in zip(columns, (np.int32, *2 * [np.float32]), strict=True)))


class Tally(NamedTuple):
    """What a device counts; emptied into ``Sums`` before any count can overflow."""

    counts: Integer[Array, " cell*bin"]
    zero: Int32[Array, " cell"]  # values that are exactly 0
    missing: Int32[Array, " cell"]  # values that are not finite
    low: Float32[Array, " cell"]
    high: Float32[Array, " cell"]
    at_low: Int32[Array, " cell"]  # values that are the least so far
    at_high: Int32[Array, " cell"]
    passed: Int32[Array, " threshold"]


@dataclass
class Sums:
    """All draws so far, on the host; added to in place."""

    draws: int
    counts: Integer[np.ndarray, "cell bin"]  # 32 bits wide until more draws are counted than they hold
    zero: Int64[np.ndarray, " cell"]
    missing: Int64[np.ndarray, " cell"]
    low: Float32[np.ndarray, " cell"]
    high: Float32[np.ndarray, " cell"]
    at_low: Int64[np.ndarray, " cell"]
    at_high: Int64[np.ndarray, " cell"]
    passed: Int64[np.ndarray, " threshold"]
    moments: Int64[np.ndarray, "limb 2 cell"]  # of the distance from the centre and its square, in fixed point

    @classmethod
    def of_nothing(cls, cells: int) -> "Sums":
        """No draws yet."""
        counts, moments = np.zeros((cells, BINS), np.uint32), np.zeros((2, 2, cells), np.int64)
        zero, missing, at_low, at_high = np.zeros((4, cells), np.int64)
        far, passed = np.full(cells, np.inf, np.float32), np.zeros(MOST_THRESHOLDS, np.int64)
        return cls(0, counts, zero, missing, far, -far, at_low, at_high, passed, moments)

    def add_tally(self, tally: Tally) -> None:
        """Add what the devices counted [device, ...]."""
        cells = len(self.zero)
        self._widen()
        for counts in np.asarray(tally.counts).reshape(-1, cells, BINS):
            np.add(self.counts, counts, out=self.counts, casting="unsafe")  # no count is negative
        self.zero += np.asarray(tally.zero).reshape(-1, cells).sum(axis=0, dtype=np.int64)
        self.missing += np.asarray(tally.missing).reshape(-1, cells).sum(axis=0, dtype=np.int64)
        self.passed += np.asarray(tally.passed).reshape(-1, MOST_THRESHOLDS).sum(axis=0, dtype=np.int64)
        for each in zip(tally.low, tally.high, tally.at_low, tally.at_high, strict=True):
            self._add_extremes(*map(np.asarray, each))

    def add_moments(self, moments: Float32[np.ndarray, "*block 2 cell"], draws: int) -> None:
        """Add the sums over some blocks, which are rounded to whole numbers so that their order does not matter."""
        moments = moments.reshape(-1, *self.moments.shape[1:])
        wide = ~(np.abs(moments) <= GREATEST)  # not a number where some are far out on either side
        whole = np.rint(np.where(wide, 0, moments).astype(np.float64) * FIXED_POINT)
        high = np.floor(whole / LIMB)
        self.moments += np.stack([high, whole - high * LIMB]).astype(np.int64).sum(axis=1)
        self.missing += wide.any(axis=1).sum(axis=0, dtype=np.int64)
        self.draws += draws

    def averages(self) -> Float64[np.ndarray, "2 cell"]:
        """Mean distance from the centre, and mean square of it, in spreads."""
        high, low = self.moments.astype(np.float64)
        averages: np.ndarray = (high * LIMB + low) / FIXED_POINT / self.draws
        return averages

    def add(self, other: "Sums") -> None:
        """Add other draws of the same cells and gauge."""
        self.draws += other.draws
        self._widen()
        self.counts += other.counts.astype(self.counts.dtype, copy=False)
        self.moments += other.moments
        self.passed += other.passed
        self.zero += other.zero
        self.missing += other.missing
        self._add_extremes(other.low, other.high, other.at_low, other.at_high)

    def _widen(self) -> None:
        if self.draws >= NARROW and self.counts.dtype != np.int64:
            self.counts = self.counts.astype(np.int64)

    def _add_extremes(self, low: np.ndarray, high: np.ndarray, at_low: np.ndarray, at_high: np.ndarray) -> None:
        """The least and greatest values, and how many draws have them."""
        self.at_low[:] = np.where(self.low <= low, self.at_low, 0) + np.where(low <= self.low, at_low, 0)
        self.at_high[:] = np.where(self.high >= high, self.at_high, 0) + np.where(high >= self.high, at_high, 0)
        np.minimum(self.low, low, out=self.low)
        np.maximum(self.high, high, out=self.high)

    def digest(self) -> str:
        """SHA-256 of all that was counted and added."""
        found = hashlib.sha256(str(self.draws).encode())
        for counts in self.counts:
            found.update(counts.astype("<i8").tobytes())
        extremes = (self.low, self.high, self.at_low, self.at_high)
        for array in (self.zero, self.missing, *extremes, self.passed, self.moments):
            found.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
        return found.hexdigest()


def gauge(block: Float32[np.ndarray, "cell draw"]) -> Gauge:
    """Centre and spread of each cell from the draws of one block: median, and the power of two below P95 - P5.

    The spread is at least a part of the block's range. Where half of the draws are one value, the others tell little
    of how far a cell reaches: its spread is at least the power of two below a part of that value, 1 if it is 0.
    """
    finite = np.isfinite(block)
    ordered = np.sort(np.where(finite, block, np.inf), axis=1).astype(np.float64)
    ordered[~finite.any(axis=1)] = 0
    last = np.maximum(finite.sum(axis=1) - 1, 0)
    ranks = np.rint(np.outer(last, (0, 0.05, 0.5, 0.95, 1))).astype(np.int64)
    least, low, centre, high, most = np.take_along_axis(ordered, ranks, axis=1).T
    size = np.maximum(np.where(centre == 0, 1, np.abs(centre) * OF_RANGE), most - least)
    width = np.maximum(high - low, (most - least) * OF_RANGE)
    width = np.where((low == centre) | (high == centre), size, width)
    spread = np.exp2(np.clip(np.floor(np.log2(width)), *SPREADS))
    return Gauge(centre.astype(np.float32), spread.astype(np.float32))


def empty(cells: int, counter: str) -> Tally:
    """No draws counted yet; at most as many may be as ``counter`` can hold."""
    none = jnp.zeros(cells, jnp.int32)
    far = jnp.full(cells, jnp.inf, jnp.float32)
    return Tally(
        jnp.zeros(cells * BINS, counter), none, none, far, -far, none, none, jnp.zeros(MOST_THRESHOLDS, jnp.int32)
    )


def fold(
    tally: Tally,
    blocks: Float[Array, "block cell draw"],
    sizes: Int[Array, " block"],
    gauge: Gauge,
    thresholds: Thresholds,
) -> tuple[Tally, Float32[Array, "block 2 cell"]]:
    """Count the first draws of each block, ``sizes`` of them; also each block's sums of distances and their squares.

    Traced; distances from the centre are in spreads.
    """
    count, cells, width = blocks.shape
    together = _together(cells)
    live = jnp.arange(width, dtype=jnp.int32) < sizes[:, None]
    per_cell = (tally.zero, tally.missing, tally.low, tally.high, tally.at_low, tally.at_high, *gauge)
    rows = jax.tree.map(lambda each: jnp.asarray(each).reshape(-1, together), per_cell)

    def some(counts: Array, given: tuple[Array, ...]) -> tuple[Array, tuple[Array, ...]]:
        first, *own = given
        values = lax.dynamic_slice_in_dim(blocks, first, together, axis=1)
        return _count(counts, first, values, live[:, None], *own)

    first = jnp.arange(0, cells, together, dtype=jnp.int32)
    counts, (*after, moments) = lax.scan(some, tally.counts, (first, *rows))
    asked, limit = thresholds.sign[:, None] * blocks[:, thresholds.cell], thresholds.sign * thresholds.value
    counted = tally.passed + jnp.sum((asked > limit[:, None]) & live[:, None], axis=(0, 2), dtype=jnp.int32)
    zero, missing, low, high, at_low, at_high = (each.reshape(cells) for each in after)
    tallied = Tally(counts, zero, missing, low, high, at_low, at_high, counted)
    return tallied, jnp.moveaxis(moments, 0, 2).reshape(count, 2, cells)


def _together(cells: int) -> int:
    """Cells that are counted together, a divisor of their number, so that their counts stay in a core's own memory."""
    return max(size for size in range(1, min(cells, MOST_TOGETHER) + 1) if cells % size == 0)


def padded(cells: int) -> int:
    """A number of cells, no smaller, that is a multiple of many that can be counted together."""
    groups = -(-cells // MOST_TOGETHER)
    return groups * -(-cells // groups)


def _count(
    counts: Integer[Array, " cell*bin"],
    first: Int32[Array, ""],
    values: Float[Array, "block some draw"],
    live: Bool[Array, "block 1 draw"],
    *given: Array,
) -> tuple[Array, tuple[Array, ...]]:
    """Counts of all cells with some cells counted, beginning with cell ``first``; then what else is told of these."""
    zero, missing, least, most, at_low, at_high, centre, spread = given
    finite = jnp.isfinite(values)
    counted = live & finite
    distance = jnp.where(counted, (values - centre[:, None]) / spread[:, None], 0)
    low = _one_zero(jnp.minimum(least, jnp.min(jnp.where(counted, values, jnp.inf), axis=(0, 2))))
    high = _one_zero(jnp.maximum(most, jnp.max(jnp.where(counted, values, -jnp.inf), axis=(0, 2))))
    start = (jnp.arange(values.shape[1], dtype=jnp.int32) * BINS)[:, None]
    index = lax.map(lambda block: start + bin_of(block), distance)  # made apart: within the loop below it is slower
    own = lax.dynamic_slice_in_dim(counts, first * BINS, values.shape[1] * BINS)

    def add(own: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        index, counted = block
        return own.at[index.ravel()].add(counted.ravel().astype(own.dtype), mode="promise_in_bounds"), None

    own, _ = lax.scan(add, own, (index, counted))
    return lax.dynamic_update_slice_in_dim(counts, own, first * BINS, axis=0), (
        zero + _number(counted & (values == 0)),
        missing + _number(live & ~finite),
        low,
        high,
        jnp.where(low < least, 0, at_low) + _number(counted & (values == low[:, None])),
        jnp.where(high > most, 0, at_high) + _number(counted & (values == high[:, None])),
        jnp.stack([jnp.sum(distance, axis=2), jnp.sum(distance * distance, axis=2)], axis=1),
    )


def _one_zero(values: Float32[Array, " cell"]) -> Float32[Array, " cell"]:
    """Without the sign of zeros, of which order would decide."""
    return jnp.where(values == 0, jnp.float32(0), values)


def _number(flags: Bool[Array, "block cell draw"]) -> Int32[Array, " cell"]:
    return jnp.sum(flags, axis=(0, 2), dtype=jnp.int32)


def bin_of(distance: Float32[Array, "*shape"]) -> Int32[Array, "*shape"]:
    """Bin of a distance from the centre, in spreads: the leading bits of its size, mirrored for those below."""
    bits = lax.bitcast_convert_type(jnp.abs(distance), jnp.int32) >> (SIGNIFICAND - MANTISSA)
    step = jnp.clip(bits - LOWEST, 0, SIDE - 1)
    return jnp.where(distance < 0, SIDE - 1 - step, SIDE + step)


def host_bin_of(distance: Float32[np.ndarray, "*shape"]) -> Int32[np.ndarray, "*shape"]:
    """``bin_of`` on the host."""
    bits = np.abs(distance).view(np.int32) >> (SIGNIFICAND - MANTISSA)
    step = np.clip(bits - LOWEST, 0, SIDE - 1)
    return np.where(distance < 0, SIDE - 1 - step, SIDE + step)


def edges() -> Float32[np.ndarray, " edge"]:
    """Edges of the bins in spreads, one more than bins; the outermost bins hold all that is further out."""
    bits = (np.arange(SIDE + 1, dtype=np.int32) + LOWEST) << (SIGNIFICAND - MANTISSA)
    above = bits.view(np.float32)
    above[0] = 0
    return np.concatenate([-above[:0:-1], above])
