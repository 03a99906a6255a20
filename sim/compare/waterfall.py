"""Which prior moved a figure: the priors that differ between two worlds exchanged one by one, in the same draws.

Draws of two books share their random numbers, so that the values of one prior are rows that can be put in place of the
other book's. Where correlations differ too, they come first: the first book's distributions under the second's.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Bool, Float32, Float64

from sim import cells, simulate
from sim.address import Cell
from sim.engine import Engine
from sim.world import World

__all__ = ["CORRELATIONS", "Step", "Waterfall", "paths", "steps", "taken_apart", "unlike"]

CORRELATIONS = "correlations"
"""Name of the step that exchanges them."""
BATCHES = 32
"""Parts of the draws whose spread gives the error of a difference of medians."""

TOGETHER = 4
"""Calls on the devices whose draws are held at a time."""

Paths = Float32[np.ndarray, "step cell draw"]


@dataclass(frozen=True)
class Step:
    """What exchanging one prior does to a figure, upon all those before it; errors are of the paired difference."""

    name: str
    mean: float
    mean_error: float
    median: float
    median_error: float


@dataclass(frozen=True)
class Waterfall:
    """From the first world's mean and median of a cell to the second's, prior by prior; steps add up to the whole."""

    first: str
    second: str
    """Names of the worlds."""
    cell: str
    unit: str
    about: str
    draws: int
    mean: tuple[float, float] | None
    median: tuple[float, float] | None
    """In the first world and in the second."""
    steps: tuple[Step, ...]
    """In the order of ``INPUTS``, correlations first."""
    none: str = ""
    """Why there are no steps, where the worlds differ in more than priors."""


def unlike(first: World, second: World) -> str:
    """Why priors of two worlds cannot be exchanged one by one; empty where they can."""
    if first.book.axes != second.book.axes or first.structure != second.structure:
        return "the worlds differ in buyers, suppliers, chips, links or years"
    grounds = [(simulate.forcing_of(each, np.float32), cells.plan(each)) for each in (first, second)]
    fiscal = [cells.fiscal_years(each, np.float32) for each in (first, second)]
    alike = jax.tree.map(np.array_equal, *[ground for ground, _ in grounds]), jax.tree.map(np.array_equal, *fiscal)
    if grounds[0][1] != grounds[1][1] or not jax.tree.all(alike):
        return "the worlds start from another record of history"
    return ""


def steps(first: World, second: World) -> list[str]:
    """What is exchanged, in order: correlations where they differ, then each prior with other distributions."""
    priors, others = first.book.priors, second.book.priors
    changed = [name for name in first.shapes if name in priors and priors[name].table != others[name].table]
    return [*([CORRELATIONS] if _recorrelated(first, second) else []), *changed]


def _recorrelated(first: World, second: World) -> bool:
    (names, matrix), (others, other) = first.book.correlation, second.book.correlation
    return names != others or not np.array_equal(matrix, other)


def paths(
    first: Engine, second: Engine, places: Sequence[int], draws: int, progress: Callable[[int], None]
) -> Iterator[Paths]:
    """The cells after each step but the last, some draws at a time; ``progress`` is called with how many were made.

    There are two steps or more.
    """
    listed = steps(first.world, second.world)
    between = _under(first, second) if CORRELATIONS in listed else first
    equal, rows = _equal(first.world, second.world), _rows(first.world)
    blocks = first.blocks_of(0, draws)
    each = TOGETHER * first.on.size * first.shape.blocks
    for start in range(0, len(blocks), each):
        some = blocks[start : start + each]
        old, mid, new = (np.concatenate(list(one.values_of(some, draws)), axis=1) for one in (first, between, second))
        found = []
        for name in listed[:-1]:
            old = np.where(equal[:, None], new, mid) if name == CORRELATIONS else _exchanged(old, new, rows[name])
            found.append(first.evaluated(old, places))
            progress(old.shape[1])
        yield np.stack(found)


def _under(first: Engine, second: Engine) -> Engine:
    """The first book's distributions under the second's correlations."""
    book = first.world.book.model_copy(update={"correlated": second.world.book.correlated})
    return dataclasses.replace(first, world=dataclasses.replace(first.world, book=book))


def _equal(first: World, second: World) -> Bool[np.ndarray, " entry"]:
    return np.array([a == b for a, b in zip(first.entries, second.entries, strict=True)])


def _rows(world: World) -> dict[str, slice]:
    """Rows of each prior among the entries of a draw."""
    found, start = {}, 0
    for name, shape in world.shapes.items():
        found[name] = slice(start, start := start + math.prod(shape))
    return found


def _exchanged(
    old: Float32[np.ndarray, "entry draw"], new: Float32[np.ndarray, "entry draw"], rows: slice
) -> Float32[np.ndarray, "entry draw"]:
    found = old.copy()
    found[rows] = new[rows]
    return found


def taken_apart(
    names: tuple[str, str], cell: Cell, listed: Sequence[str], path: Float32[np.ndarray, "step draw"], none: str = ""
) -> Waterfall:
    """The waterfall of one cell from its draws in the first world and after each step, as far as all are finite.

    ``none`` says why there are no steps between the two worlds.
    """
    told = path[:, np.isfinite(path).all(axis=0)].astype(np.float64)
    if told.shape[1] < 2 * BATCHES:
        what, why = cell.declared, f"only {told.shape[1]} draws have it in both worlds"
        return Waterfall(*names, str(cell), what.unit, what.long_name, told.shape[1], None, None, (), none or why)
    return Waterfall(
        first=names[0],
        second=names[1],
        cell=str(cell),
        unit=cell.declared.unit,
        about=cell.declared.long_name,
        draws=told.shape[1],
        mean=(float(told[0].mean()), float(told[-1].mean())),
        median=(float(np.median(told[0])), float(np.median(told[-1]))),
        steps=tuple(_step(name, *told[i : i + 2]) for i, name in enumerate(listed)),
        none=none,
    )


def _step(name: str, before: Float64[np.ndarray, " draw"], after: Float64[np.ndarray, " draw"]) -> Step:
    moved = after - before
    medians = [np.median(part[1]) - np.median(part[0]) for part in _batches(before, after)]
    return Step(
        name=name,
        mean=float(after.mean() - before.mean()),
        mean_error=float(moved.std() / math.sqrt(len(moved))),
        median=float(np.median(after) - np.median(before)),
        median_error=float(np.std(medians, ddof=1) / math.sqrt(len(medians))),
    )


def _batches(
    before: Float64[np.ndarray, " draw"], after: Float64[np.ndarray, " draw"]
) -> list[Float64[np.ndarray, "2 draw"]]:
    return np.array_split(np.stack([before, after]), BATCHES, axis=1)
