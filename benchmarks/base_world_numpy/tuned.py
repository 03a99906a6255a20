"""The tuned contender: float32, chunks of 1,024 draws, one process for each core, streaming statistics.

What was tried, on a shared two-core AMD EPYC with NumPy 2.4, so in CPU time (before: idiomatic, about 600 us a draw):

- Random numbers, 5 us a draw. Box-Muller from raw 64-bit words, 2.7 ns a normal with NumPy's float32 log, sin and cos,
  against 8.6 (PCG64DXSM) and 10.0 (SFC64) for ``standard_normal`` in float32. SFC64 and PCG64DXSM make words equally
  fast. Other families from tables of 1,024 scores by index, not ``np.interp``, which searches and works in float64.
- The model, about 30 us. No name is worked out twice, need and contents are made for all quarters at once. Chips only
  while a draw of the chunk sells them: 700 of 1,080 chip quarters, contents 9.9 -> 7.9 us. Sums over pairs by BLAS,
  7 us a call, against 75 us by ``np.add.reduceat``. A softmax keeps its weights, not their logarithms.
- A BLAS product large enough to be spread over threads cost 10 to 14 ms where cores were busy: hence ``product``.
- Chunks, one core: 256 draws 62, 512 45, 1,024 34, 2,048 30 us; but in two processes 1,024 was fastest, with 2,048 at
  about half its rate: the caches are shared.
- Threads gave nothing over one (14 against 14 k draws/s, medians), for the calls are too short to leave Python's lock;
  two processes 36 k draws/s.
- Quantiles: histograms 3.5 ns a value with moments (12 us a draw), against 20 for ``np.partition``, 23 for ``np.sort``
  (no AVX-512 sort on this machine), 22 and 55 for ``np.percentile`` in float32 and float64, and 3.0 + 0.8 for a
  selection by bits, which is exact but keeps all cells.

The processes are started before a measured job by an earlier one, as the engine is compiled before.
"""

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.base_world_numpy.cells import Cells, Places
from benchmarks.base_world_numpy.draws import Sampler, sampler_of
from benchmarks.base_world_numpy.forecast import Path
from benchmarks.base_world_numpy.model import Model
from benchmarks.base_world_numpy.tally import PILOT, Tally, statistics
from sim.world import World

__all__ = ["Parts", "blocks", "job", "parts_of", "simulate"]

CHUNK = 1024
"""Draws simulated at once."""
PART = 16
"""Chunks whose statistics are made together, of one random stream."""


class Parts(NamedTuple):
    """What a process needs to know of a world."""

    sampler: Sampler
    model: Model
    places: Places


def job(world: World, draws: int, seed: int) -> dict[tuple[str, str], np.ndarray]:
    """Statistics [statistic, axis, period] of every cell, by (period, output)."""
    places, tallies = Places(world), in_processes(tallied, world, draws, seed)
    found = statistics([tally for tally in tallies if tally is not None]).astype(np.float32)
    return {
        key: found[:, first : first + axis * periods].reshape(-1, axis, periods)
        for key, (first, (axis, periods)) in places.tables.items()
    }


def simulate(world: World, draws: int, seed: int) -> None:
    """Draw, run the model and make the cells, and keep nothing."""
    in_processes(dropped, world, draws, seed)


def in_processes(work: Callable, world: World, draws: int, seed: int) -> list:
    """Work on an equal share of the draws in each process, each part of them with a stream of its own."""
    sizes = [min(PART * CHUNK, draws - first) for first in range(0, draws, PART * CHUNK)]
    tasks = list(zip(np.random.SeedSequence(seed).spawn(len(sizes)), sizes, strict=True))
    workers = os.cpu_count() or 1
    parts = parts_of(world)
    return list(pool().map(work, [parts] * workers, [tasks[i::workers] for i in range(workers)]))


@functools.cache
def pool() -> ProcessPoolExecutor:
    """One process for each core, kept for the next job: threads hold each other up in Python's lock."""
    return ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))


def parts_of(world: World) -> Parts:
    """What is worked out once for a world."""
    return Parts(sampler_of(world), Model(world), Places(world))


def tallied(parts: Parts, tasks: list) -> Tally | None:
    """The statistics of some parts."""
    tally = None
    for made in blocks(parts, tasks):
        tally = tally or Tally(np.concatenate(made[: PILOT // CHUNK], axis=1))
        tally.add(made)
    return tally


def dropped(parts: Parts, tasks: list) -> None:
    """Some parts, thrown away."""
    for _ in blocks(parts, tasks):
        pass


def blocks(parts: Parts, tasks: list) -> Iterator[np.ndarray]:
    """Cells [chunk, cell, draw] of each part, in memory that is used again; a broken chunk comes by itself."""
    made = np.empty((PART, parts.places.count, CHUNK), np.float32)
    rows = parts.sampler.buffer(CHUNK)
    for seed, size in tasks:
        rng = np.random.Generator(np.random.SFC64(seed))
        whole, rest = divmod(size, CHUNK)
        if whole:
            yield filled(parts, rng, rows, made[:whole])
        if rest:
            yield filled(
                parts, rng, parts.sampler.buffer(rest), made.ravel()[: parts.places.count * rest].reshape(1, -1, rest)
            )


def filled(parts: Parts, rng: np.random.Generator, rows: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Draw and run one chunk after another into its block of cells."""
    for block in made:
        Path(parts.model, parts.sampler(rng, rows), Cells(parts.places, block)).run()
    return made
