"""Values counted by ``sim.tally`` without an engine: cut into blocks, the last filled up with what must not count."""

import functools

import jax
import numpy as np

from sim import tally
from sim.tally import Sums, Thresholds

BLOCK = 256
CALL = 8
NOTHING_PASSES = Thresholds.of((), (), ())
POISON = np.float32(np.nan)
"""What fills up a block."""

fold = jax.jit(tally.fold)
empty = jax.jit(tally.empty, static_argnums=(0, 1))


def folded(values, gauge=None, thresholds=NOTHING_PASSES, block=BLOCK, counter="int32"):
    """Sums of values [cell, draw] in blocks of some draws, ``CALL`` of them at a time, and their gauge."""
    gauge = tally.gauge(values[:, :BLOCK]) if gauge is None else gauge
    found, counted = Sums.of_nothing(len(values)), empty(len(values), counter)
    for start in range(0, values.shape[1], block * CALL):
        counted, moments = fold(counted, *filled(values[:, start : start + block * CALL], block), gauge, thresholds)
        found.add_moments(np.asarray(moments), min(block * CALL, values.shape[1] - start))
    found.add_tally(jax.tree.map(lambda each: each[None], counted))
    return found, gauge


def filled(values, block=BLOCK):
    """One call's blocks [block, cell, draw] and their sizes, filled up with poison."""
    full = np.full((len(values), block * CALL), POISON, np.float32)
    full[:, : values.shape[1]] = values
    sizes = np.clip(values.shape[1] - np.arange(CALL) * block, 0, block).astype(np.int32)
    return np.moveaxis(full.reshape(len(values), CALL, block), 0, 1), sizes


@functools.cache
def edge_of(step):
    """Lower edge of a bin above the centre, in spreads, as defined: 64 to a factor of two, the first from 0."""
    octave, part = divmod(step, 64)
    return 0.0 if step == 0 else 2.0 ** (octave - tally.BELOW) * (1 + part / 64)
