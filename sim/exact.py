"""Exact quantiles of any number of draws in bounded memory: draws are made again, and counted ever more finely.

Floats are ordered as whole numbers (``keys``). Each wanted order statistic lies in an interval of them, at first a bin
of the tally; each pass divides all intervals into parts and counts draws, until an interval is a single float.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Bool, Float, Float32, Float64, Int32, Int64, UInt32

from sim import devices, reduce, tally
from sim.engine import Engine, within_memory
from sim.tally import Gauge, Sums

__all__ = ["keys", "neighbours", "quantiles"]

PARTS = 512
"""Parts that a pass may divide an interval into, on average."""
SIGN = np.uint32(1 << 31)
ROUNDING = 4
"""Floats by which an interval is widened, for what a distance from the centre loses by rounding."""


class Intervals(NamedTuple):
    """Intervals of keys, those of a cell ascending, and the parts that each is divided into."""

    start: UInt32[np.ndarray, "cell interval"]
    shift: UInt32[np.ndarray, "cell interval"]  # log2 of the width of a part
    parts: UInt32[np.ndarray, "cell interval"]
    first: Int32[np.ndarray, "cell interval"]  # of its parts among all


class Found(NamedTuple):
    """What a pass counted."""

    below: Int32[Array, "cell interval"]  # draws below the interval
    inside: Int32[Array, " part"]  # of all intervals


def quantiles(engine: Engine, sums: Sums, levels: Float64[np.ndarray, " level"]) -> Float32[np.ndarray, "level cell"]:
    """Quantiles as numpy.quantile of all draws has them, bit for bit; not a number where any draw has no value.

    ``sums`` are the counts of draws 0 to ``sums.draws`` - 1 of the engine. DeviceError: too little memory for one call.
    """
    low, high, part = neighbours(engine, sums, levels)
    return np.where(sums.missing == 0, low + (high - low) * part, np.nan).astype(np.float32)


def neighbours(
    engine: Engine, sums: Sums, levels: Float64[np.ndarray, " level"]
) -> tuple[Float64[np.ndarray, "level cell"], Float64[np.ndarray, "level cell"], Float64[np.ndarray, "level 1"]]:
    """The order statistics on both sides of each quantile, and how far from one to the other it lies [1]."""
    rank = levels * (sums.draws - 1)
    ends = np.floor(rank).astype(np.int64), np.ceil(rank).astype(np.int64)
    wanted = np.unique(ends)
    found = order_statistics(engine, sums, wanted).astype(np.float64).T
    low, high = (found[np.searchsorted(wanted, end)] for end in ends)
    return low, high, (rank - ends[0])[:, None]


def order_statistics(engine: Engine, sums: Sums, ranks: Int64[np.ndarray, " rank"]) -> Float32[np.ndarray, "cell rank"]:
    """``np.sort(draws)[ranks]`` of every cell."""
    low, high = _bins(sums, engine.gauge, ranks)
    while (low < high).any():
        intervals, of_rank = _intervals(low, high)
        below, inside = within_memory(functools.partial(_counted, engine, sums.draws, intervals))
        low, high = _narrowed(intervals, of_rank, below, inside, ranks)
    return values(low)


def _bins(
    sums: Sums, gauge: Gauge, ranks: Int64[np.ndarray, " rank"]
) -> tuple[UInt32[np.ndarray, "cell rank"], UInt32[np.ndarray, "cell rank"]]:
    """First and last key of the bin that each order statistic is in, widened for rounding and cut to the extremes."""
    at = np.broadcast_to(ranks[:, None].astype(np.float64), (len(ranks), len(sums.zero)))
    bins, _ = reduce.within(sums, gauge, at)
    edge = tally.edges().astype(np.float64)
    slack = ROUNDING * np.spacing(np.maximum(np.abs(sums.low), np.abs(sums.high))).astype(np.float64)
    first, last = (gauge.centre + gauge.spread * edge[bins + side] for side in (0, 1))
    first, last = np.where(bins == 0, -np.inf, first - slack), np.where(bins == tally.BINS - 1, np.inf, last + slack)
    least, most = (np.where(sums.missing, 0, each).astype(np.float64) for each in (sums.low, sums.high))
    first, last = np.where(at < sums.at_low, least, first), np.where(at < sums.at_low, least, last)
    upper = at >= sums.draws - sums.at_high
    first, last = np.where(upper, most, first), np.where(upper, most, last)
    low, high = (np.clip(each, least, most).astype(np.float32).T for each in (first, last))
    return keys(low), keys(high)


def _intervals(
    low: UInt32[np.ndarray, "cell rank"], high: UInt32[np.ndarray, "cell rank"]
) -> tuple[Intervals, Int64[np.ndarray, "cell rank"]]:
    """Intervals to be divided, those that overlap made one, and which of them each rank is in."""
    cells, count = low.shape
    start, end = np.full((cells, count), ~np.uint32(0)), np.zeros((cells, count), np.uint32)
    of_rank, at = np.zeros((cells, count), np.int64), np.full(cells, -1)
    rows = np.arange(cells)
    reach = np.zeros(cells, np.uint32)
    for i in range(count):
        apart = (at < 0) | (low[:, i] > reach)
        at = at + apart
        start[rows, at] = np.where(apart, low[:, i], start[rows, at])
        reach = np.where(apart, high[:, i], np.maximum(reach, high[:, i]))
        end[rows, at] = reach
        of_rank[:, i] = at
    shift, parts = _divided(np.where(end >= start, end - start, 0).astype(np.int64) + 1)
    first = parts.cumsum().reshape(parts.shape) - parts
    return Intervals(start, shift.astype(np.uint32), parts.astype(np.uint32), first.astype(np.int32)), of_rank


def _divided(
    width: Int64[np.ndarray, "cell interval"],
) -> tuple[Int64[np.ndarray, "cell interval"], Int64[np.ndarray, "cell interval"]]:
    """Log2 of the width of each interval's parts, and their number: as many as ``PARTS`` allows.

    The number grows with the root of the width, which leaves the fewest floats for a second pass.
    """
    half = np.ceil(np.log2(width)).astype(np.int64) // 2
    for more in range(-16, 16):
        shift = np.maximum(half + more, 0)
        parts = -(-width >> shift)
        if parts.sum() <= width.size * PARTS:
            break
    return shift, parts


def _counted(
    engine: Engine, draws: int, intervals: Intervals, in_flight: int
) -> tuple[Int64[np.ndarray, "cell interval"], Int64[np.ndarray, " part"]]:
    """One pass over all draws: how many are below each interval, and how many in each of its parts."""
    size, on = intervals.start.shape, engine.on
    below, inside = np.zeros(size, np.int64), np.zeros(math.prod(size) * PARTS, np.int64)
    for group in engine.stretches(draws):
        found = _none(size, on)()
        for made, sizes in engine.made(group, draws):
            if in_flight > 1:
                jax.block_until_ready(found)  # of the call before, while this one is simulated
            found = _counter(on)(found, made, sizes, intervals)
            del made
            if in_flight == 1:
                jax.block_until_ready(found)
        below += np.asarray(found.below).sum(axis=0, dtype=np.int64)
        inside += np.asarray(found.inside).sum(axis=0, dtype=np.int64)
    return below, inside


def _narrowed(
    intervals: Intervals,
    of_rank: Int64[np.ndarray, "cell rank"],
    below: Int64[np.ndarray, "cell interval"],
    inside: Int64[np.ndarray, " part"],
    ranks: Int64[np.ndarray, " rank"],
) -> tuple[UInt32[np.ndarray, "cell rank"], UInt32[np.ndarray, "cell rank"]]:
    """First and last key of the part that each order statistic is in."""
    start, shift, parts, first, before = (np.take_along_axis(each, of_rank, axis=1) for each in (*intervals, below))
    upto = np.concatenate([[0], inside.cumsum()])
    part = np.searchsorted(upto, upto[first] + ranks - before, side="right") - 1 - first
    low = start + (np.minimum(part, parts - 1).astype(np.uint32) << shift)
    return low, low + ((np.uint32(1) << shift) - np.uint32(1))


@functools.lru_cache(maxsize=8)
def _counter(on: Mesh) -> Any:
    """The compiled pass over some blocks: (found, cells, sizes of blocks, intervals) -> found."""

    def count(found: Found, made: Array, sizes: Array, intervals: Intervals) -> Found:
        def one(found: Found, given: tuple[Array, Array]) -> tuple[Found, None]:
            values, size = given
            live = (jnp.arange(values.shape[-1], dtype=jnp.int32) < size)[None] & jnp.isfinite(values)
            return _count(found, values, live, intervals), None

        mine, _ = lax.scan(one, Found(found.below[0], found.inside[0]), (made[0], sizes[0]))
        return Found(mine.below[None], mine.inside[None])

    return devices.on_all(count, on, (P("device"), P("device"), P("device"), P()), donate_argnums=0)


def _count(
    found: Found, values: Float[Array, "cell draw"], live: Bool[Array, "cell draw"], intervals: Intervals
) -> Found:
    key = _keys(values)
    start, shift, parts, first = (jnp.zeros(key.shape, each.dtype) for each in intervals)
    below = []
    for own in zip(*(jnp.moveaxis(jnp.asarray(each), 1, 0)[..., None] for each in intervals), strict=True):
        reached = key >= own[0]
        below.append(jnp.sum(live & ~reached, axis=1, dtype=jnp.int32))
        start, shift, parts, first = (
            jnp.where(reached, mine, last) for mine, last in zip(own, (start, shift, parts, first), strict=True)
        )
    part = (key - start) >> shift
    index = jnp.where(live & (part < parts), first + part.astype(jnp.int32), jnp.int32(found.inside.size))
    return Found(
        below=found.below + jnp.stack(below, axis=1),
        inside=found.inside.at[index.ravel()].add(jnp.int32(1), mode="drop"),
    )


@functools.lru_cache(maxsize=8)
def _none(size: tuple[int, int], on: Mesh) -> Any:
    """Makes empty counts on every device."""

    def nothing() -> Found:
        return Found(jnp.zeros((1, *size), jnp.int32), jnp.zeros((1, math.prod(size) * PARTS), jnp.int32))

    return devices.on_all(nothing, on, ())


def keys(values: Float32[np.ndarray, "*shape"]) -> UInt32[np.ndarray, "*shape"]:
    """Whole numbers in the order of the floats, each the one after the float before it; both zeros are one."""
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _keys(values: Float[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    """``keys``, traced; adding 0 would be left out by the compiler."""
    bits = lax.bitcast_convert_type(jnp.where(values == 0, jnp.float32(0), values), jnp.uint32)
    return jnp.where(bits >= SIGN, ~bits, bits | SIGN)


def values(keys: UInt32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """The floats of whole numbers."""
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)
