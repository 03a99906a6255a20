"""The whole job of W by the engine: one program makes outputs, a second folds them into the house's statistics."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Float

from benchmarks.w import engine, spec
from benchmarks.w.summary import Summary
from sim import devices, reduce, tally

__all__ = ["SPLIT", "job", "moments", "outputs", "simulation"]

BLOCKS = {"cpu": 64, "gpu": 2}
"""Blocks of one call on one device; with fewer the host is too often asked for the next."""
TOGETHER = 8
"""Blocks that are counted together, few enough to stay in a core's own memory."""
CELLS = len(spec.OUTPUTS)
NO_THRESHOLDS = tally.Thresholds.of((), (), ())
ALL, SPLIT = PartitionSpec(), PartitionSpec("device")


@functools.cache
def _producer(on: Mesh) -> Callable[..., Array]:
    """Outputs [block, cell, draw] of blocks by their first draws."""
    block = devices.shape(on).block

    def produce(key: Array, starts: Array) -> Array:
        return lax.map(lambda first: engine.simulate(key, first, block), starts)

    return devices.on_all(produce, on, (ALL, SPLIT))


@functools.cache
def _folder(on: Mesh) -> Callable[..., tuple[tally.Tally, Array]]:
    """Counts each device's outputs, and sums blocks."""

    def fold(counted: tally.Tally, cells: Array, gauge: tally.Gauge) -> tuple[tally.Tally, Array]:
        def some(counted: tally.Tally, cells: Array) -> tuple[tally.Tally, Array]:
            return tally.fold(counted, cells, jnp.full(len(cells), cells.shape[-1]), gauge, NO_THRESHOLDS)

        mine, together = jax.tree.map(lambda each: each[0], counted), min(TOGETHER, len(cells))
        after, sums = lax.scan(some, mine, cells.reshape(-1, together, *cells.shape[1:]))
        return jax.tree.map(lambda each: each[None], after), sums.reshape(-1, *sums.shape[2:])

    return devices.on_all(fold, on, (SPLIT, SPLIT, ALL), donate_argnums=0)


@functools.cache
def _adder(on: Mesh) -> Callable[..., Array]:
    """Sums of blocks alone."""

    def add(cells: Array, gauge: tally.Gauge) -> Array:
        distance = (cells - gauge.centre[:, None]) / gauge.spread[:, None]
        return jnp.stack([distance.sum(axis=2), (distance * distance).sum(axis=2)], axis=1)

    return devices.on_all(add, on, (SPLIT, ALL))


def _calls(draws: int, seed: int, on: Mesh) -> Iterator[Array]:
    """Outputs [block, cell, draw] of one call after another; draws are rounded up to whole calls."""
    key, block = jnp.asarray([0, seed], jnp.uint32), devices.shape(on).block
    starts = block * np.arange(BLOCKS[devices.kind(on)] * on.size, dtype=np.uint32)
    for first in range(0, draws, len(starts) * block):
        yield _producer(on)(key, np.uint32(first) + starts)


def outputs(draws: int, seed: int = 0, device: str = "cpu") -> Float[np.ndarray, "output draw"]:
    """Every output of every draw; draws are rounded up to whole calls."""
    calls = [np.concatenate(list(np.asarray(cells)), axis=1) for cells in _calls(draws, seed, devices.mesh(device))]
    return np.concatenate(calls, axis=1)[engine.ORDER]


def simulation(draws: int, seed: int = 0, device: str = "cpu") -> None:
    """Outputs alone, left where they are made."""
    for cells in _calls(draws, seed, devices.mesh(device)):
        jax.block_until_ready(cells)


def moments(draws: int, seed: int = 0, device: str = "cpu") -> None:
    """Outputs, their mean and standard deviation."""
    on = devices.mesh(device)
    _summed(_calls(draws, seed, on), _adder(on))


def job(draws: int, seed: int = 0, device: str = "cpu") -> Summary:
    """The whole job."""
    on = devices.mesh(device)
    counter = devices.shape(on).counter
    full: list[tally.Tally] = []
    counted, since = _empty(on, counter), 0

    def fold(cells: Array, gauge: tally.Gauge) -> Array:
        nonlocal counted, since
        size = cells[:, 0].size // on.size
        if since + size > np.iinfo(counter).max:
            full.append(counted)
            counted, since = _empty(on, counter), 0
        counted, added = _folder(on)(counted, cells, gauge)
        since += size
        return added

    sums, gauge = _summed(_calls(draws, seed, on), fold)
    for each in (*full, counted):
        sums.add_tally(each)
    found = reduce.statistics(sums, gauge)
    quantiles = found.quantiles[[reduce.LEVELS.index(level) for level in spec.PROBABILITIES]]
    return Summary(*(each[..., engine.ORDER] for each in (found.mean, found.sd, quantiles)))


def _empty(on: Mesh, counter: str) -> tally.Tally:
    """Nothing counted on any device."""
    return jax.tree.map(lambda each: np.stack([each] * on.size), tally.empty(CELLS, counter))


def _summed(calls: Iterator[Array], work: Callable[[Array, tally.Gauge], Array]) -> tuple[tally.Sums, tally.Gauge]:
    """Moments of all calls, a call's added while the next one is under way; the gauge is the first block's."""
    first = next(calls)
    gauge, sums = tally.gauge(np.asarray(first[0])), tally.Sums.of_nothing(CELLS)
    waiting, size = work(first, gauge), first[:, 0].size
    for cells in calls:
        added = work(cells, gauge)
        sums.add_moments(np.asarray(waiting), size)
        waiting = added
    sums.add_moments(np.asarray(waiting), size)
    return sums, gauge
