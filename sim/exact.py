"""Exact quantiles of any number of draws in bounded memory: draws are made again, and counted ever more finely.

Floats are ordered as whole numbers (``keys``). Each wanted order statistic lies in an interval of them, at first a bin
of the tally; each pass divides all intervals into ``PARTS`` and counts draws, until an interval is a single float.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Bool, Float, Float32, Float64, Int32, Int64, UInt32

from sim import devices, reduce, tally
from sim.engine import Engine
from sim.tally import Gauge, Sums

__all__ = ["keys", "quantiles"]

PARTS = 512
"""Parts that a pass divides an interval into."""
PART_BITS = PARTS.bit_length() - 1
SIGN = np.uint32(1 << 31)
ROUNDING = 4
"""Floats by which an interval is widened, for what a distance from the centre loses by rounding."""


class Intervals(NamedTuple):
    """Intervals of keys, those of a cell ascending: where they begin, and the log2 of the width of their parts."""

    start: UInt32[np.ndarray, "cell interval"]
    shift: UInt32[np.ndarray, "cell interval"]


class Found(NamedTuple):
    """What a pass counted."""

    below: Int32[Array, "cell interval"]  # draws below the interval
    inside: Int32[Array, " cell*interval*part"]


def quantiles(engine: Engine, sums: Sums, levels: Float64[np.ndarray, " level"]) -> Float32[np.ndarray, "level cell"]:
    """Quantiles as numpy.quantile of all draws has them, bit for bit; not a number where any draw has no value.

    ``sums`` are the counts of draws 0 to ``sums.draws`` - 1 of the engine.
    """
    rank = levels * (sums.draws - 1)
    wanted = np.unique(np.concatenate([np.floor(rank), np.ceil(rank)]).astype(np.int64))
    statistics = order_statistics(engine, sums, wanted).astype(np.float64)
    low, high = (
        statistics[:, np.searchsorted(wanted, end.astype(np.int64))] for end in (np.floor(rank), np.ceil(rank))
    )
    found = low + (high - low) * (rank - np.floor(rank))
    return np.where(sums.missing[:, None] == 0, found, np.nan).T.astype(np.float32)


def order_statistics(engine: Engine, sums: Sums, ranks: Int64[np.ndarray, " rank"]) -> Float32[np.ndarray, "cell rank"]:
    """``np.sort(draws)[ranks]`` of every cell."""
    low, high = _bins(sums, engine.gauge, ranks)
    while (low < high).any():
        intervals, of_rank = _intervals(low, high)
        below, inside = _counted(engine, sums.draws, intervals)
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
    width = np.where(end >= start, end - start, 0).astype(np.uint64) + 1
    shift = np.maximum(np.ceil(np.log2(width)) - PART_BITS, 0).astype(np.uint32)
    return Intervals(start, shift), of_rank


def _counted(
    engine: Engine, draws: int, intervals: Intervals
) -> tuple[Int64[np.ndarray, "cell interval"], Int64[np.ndarray, "cell interval part"]]:
    """One pass over all draws: how many are below each interval, and how many in each of its parts."""
    size, on = intervals.start.shape, engine.on
    below, inside = np.zeros(size, np.int64), np.zeros((*size, PARTS), np.int64)
    for group in engine.stretches(draws):
        found = _none(size, on)()
        for made, sizes in engine.made(group, draws):
            found = _counter(on)(found, made, sizes, intervals)
        below += np.asarray(found.below).sum(axis=0, dtype=np.int64)
        inside += np.asarray(found.inside).reshape(-1, *inside.shape).sum(axis=0, dtype=np.int64)
    return below, inside


def _narrowed(
    intervals: Intervals,
    of_rank: Int64[np.ndarray, "cell rank"],
    below: Int64[np.ndarray, "cell interval"],
    inside: Int64[np.ndarray, "cell interval part"],
    ranks: Int64[np.ndarray, " rank"],
) -> tuple[UInt32[np.ndarray, "cell rank"], UInt32[np.ndarray, "cell rank"]]:
    """First and last key of the part that each order statistic is in."""
    start, shift, before = (np.take_along_axis(each, of_rank, axis=1) for each in (*intervals, below))
    upto = np.take_along_axis(inside.cumsum(axis=-1), of_rank[..., None], axis=1)
    part = np.sum(upto <= (ranks - before)[..., None], axis=-1).astype(np.uint32)
    low = start + (part << shift)
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
    key, (cells, count) = _keys(values), intervals.start.shape
    at, off, shift = jnp.full(key.shape, -1, jnp.int32), jnp.zeros_like(key), jnp.zeros_like(key)
    below = []
    for i in range(count):
        start = jnp.asarray(intervals.start)[:, i, None]
        reached = key >= start
        below.append(jnp.sum(live & ~reached, axis=1, dtype=jnp.int32))
        at = at + reached.astype(jnp.int32)
        off = jnp.where(reached, key - start, off)
        shift = jnp.where(reached, jnp.asarray(intervals.shift)[:, i, None], shift)
    part = off >> shift
    row = jnp.arange(cells, dtype=jnp.int32)[:, None] * count + at
    counted = live & (at >= 0) & (part < PARTS)
    index = jnp.where(counted, row * PARTS + part.astype(jnp.int32), jnp.int32(found.inside.size))
    return Found(
        below=found.below + jnp.stack(below, axis=1),
        inside=found.inside.at[index.ravel()].add(jnp.int32(1), mode="drop"),
    )


@functools.lru_cache(maxsize=8)
def _none(size: tuple[int, int], on: Mesh) -> Any:
    """Makes empty counts on every device."""

    def nothing() -> Found:
        return Found(jnp.zeros((1, *size), jnp.int32), jnp.zeros((1, size[0] * size[1] * PARTS), jnp.int32))

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
