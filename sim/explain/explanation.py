"""What stands behind one cell: its distribution, the chain of equations, and what each prior contributes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from sim import devices, reduce, shares
from sim.address import Cell, parse
from sim.axes import INPUTS
from sim.book.schema import Book, Citation
from sim.distributions import Fixed
from sim.engine import Engine
from sim.errors import BookError
from sim.explain import chain
from sim.reduce import Figure
from sim.world import World

__all__ = ["CLEAR", "Contribution", "Explanation", "Figure", "Step", "explain"]

CLEAR = 3.0
"""Standard errors by which a share must exceed 0 to be told from chance."""
DRAWS_PER_ENTRY = 4
"""Fewest draws for each number that may contribute."""
TAIL = 0.1
"""Lowest and highest part of a prior's draws between which the cell's median swings."""
SHOWN = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True)
class Step:
    """One equation on the way to the cell."""

    function: str
    numbers: tuple[int, ...]
    says: str
    formula: str
    priors: tuple[str, ...]
    """Priors that enter it and that stand behind the cell."""
    share: float
    """Sum of their shares, as far as they are told from chance; a prior counts in each equation that reads it."""


@dataclass(frozen=True)
class Contribution:
    """What one prior, all its labels and years together, adds to the spread of the cell."""

    prior: str
    about: str
    share: Figure
    """Part of the variance of the cell's normal scores [1]."""
    clear: bool
    """Whether the share is told from chance."""
    entry: str
    """The one of its numbers that moves the cell most; the quantiles are its own."""
    count: int
    """How many of its numbers may move the cell."""
    unit: str
    """The unit its file is written in."""
    p05: float
    p50: float
    p95: float
    low: Figure
    """Median of the cell where that number is in its lowest tenth."""
    high: Figure
    """Median of the cell where that number is in its highest tenth."""
    equations: tuple[str, ...]
    sources: tuple[str, ...]
    reasoning: str


@dataclass(frozen=True)
class Explanation:
    """The page behind one cell, as data; shares in the order of their size, steps in the order of the quarter."""

    cell: str
    unit: str
    about: str
    scenario: str
    as_of: str
    seed: str
    draws: int
    defined: int
    """Draws in which the cell has a value: a ratio may have none."""
    figures: dict[str, Figure]
    steps: tuple[Step, ...]
    contributions: tuple[Contribution, ...]
    together: Figure
    """Share of all priors at once; the sum of their shares counts twice what correlated priors have in common."""


class Sample(NamedTuple):
    """The draws of a cell and of the numbers that may move it."""

    cell: Float32[np.ndarray, " draw"]
    values: Float32[np.ndarray, "entry draw"]
    entries: list[tuple[str, tuple[str, ...]]]


def explain(
    world: World, text: str, *, draws: int = 20_000, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Explanation:
    """Explain the cell written ``output[label,period]``, from draws of its own.

    BookError: no such cell, or too few draws for the numbers behind it.
    """
    cell = parse(world, text)
    traced, path, priors = _behind(world, cell)
    sample = _sample(world, cell, priors, draws, seed, progress)
    x, y = shares.scores(sample.values), shares.scores(sample.cell)
    found = [_contribution(world.book, name, at, sample, x, y, traced, path) for name, at in _groups(sample.entries)]
    return Explanation(
        cell=str(cell),
        unit=cell.declared.unit,
        about=cell.declared.long_name,
        scenario=world.book.name,
        as_of=world.book.as_of.isoformat(),
        seed=str(seed),
        draws=draws,
        defined=len(y),
        figures=_figures(sample.cell),
        steps=tuple(_step(traced, name, priors, found) for name in path),
        contributions=tuple(sorted(found, key=lambda each: -each.share.value)),
        together=Figure(*shares.share(x, y)),
    )


def _behind(world: World, cell: Cell) -> tuple[chain.Chain, list[str], frozenset[str]]:
    """The traced model, and the functions and priors in it that stand behind a cell."""
    traced = chain.trace(world, cell.ahead)
    outputs = chain.outputs_behind(world, cell.output)
    path = [name for name in traced.equations if any(name in traced.path[output] for output in outputs)]
    return traced, path, frozenset[str]().union(*(traced.priors[output] for output in outputs))


def _sample(
    world: World,
    cell: Cell,
    priors: frozenset[str],
    draws: int,
    seed: int,
    progress: Callable[[int], None] | None,
) -> Sample:
    """Draws of the cell and of every number that may move it, without those in which it has no value."""
    listed = world.named
    rows = [
        i for i, (name, labels) in enumerate(listed) if name in priors and _may_move(world.book, name, labels, cell)
    ]
    least = DRAWS_PER_ENTRY * len(rows)
    if draws < least:
        problem = f"{draws:,} draws are too few for the {len(rows):,} numbers behind {cell}"
        raise BookError("explain-draws", problem, remedy=f"ask for {least:,} or more")
    drawn, values = _drawn(world, cell, rows, draws, seed, progress)
    good = np.isfinite(drawn)
    if good.sum() < least:
        problem = f"{cell} has a value in {good.sum():,} of {draws:,} draws only"
        raise BookError("explain-undefined", problem, remedy="ask for another label or period, or for more draws")
    return Sample(drawn[good], values if good.all() else values[:, good], [listed[i] for i in rows])


def _drawn(
    world: World, cell: Cell, rows: list[int], draws: int, seed: int, progress: Callable[[int], None] | None
) -> tuple[Float32[np.ndarray, " draw"], Float32[np.ndarray, "entry draw"]]:
    """The cell and some numbers in every draw, block by block."""
    engine = Engine(world, seed, devices.mesh())
    blocks, found, values = engine.blocks_of(0, draws), [], []
    for (first, cells), drawn in zip(engine.cells_of(blocks, draws), engine.values_of(blocks, draws), strict=True):
        found.append(cells[cell.place])
        values.append(drawn[rows])
        if progress is not None:
            progress(first + cells.shape[-1])
    return np.concatenate(found), np.concatenate(values, axis=1)


def _may_move(book: Book, name: str, labels: tuple[str, ...], cell: Cell) -> bool:
    """Whether a number is random and not of a later year than the cell: a quarter reads its own year only."""
    prior = book.priors[name]
    return not isinstance(prior.table[labels], Fixed) and prior.by(labels, cell.period.removeprefix("FY")[:4])


def _groups(listed: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[str, slice]]:
    """Each prior with the rows of its numbers, which stand together."""
    names = [name for name, _ in listed]
    return [(name, slice(names.index(name), names.index(name) + names.count(name))) for name in dict.fromkeys(names)]


def _contribution(
    book: Book,
    name: str,
    rows: slice,
    sample: Sample,
    x: np.ndarray,
    y: np.ndarray,
    traced: chain.Chain,
    path: list[str],
) -> Contribution:
    prior, share = book.priors[name], Figure(*shares.share(x[rows], y))
    row = rows.start + int(np.argmax(np.abs(x[rows] @ y)))
    labels = sample.entries[row][1]
    p05, p50, p95 = (prior.table[labels].quantile(p) / prior.factor for p in (0.05, 0.5, 0.95))
    low, high = np.quantile(sample.values[row], [TAIL, 1 - TAIL])
    return Contribution(
        prior=name,
        about=prior.about,
        share=share,
        clear=share.value > CLEAR * share.error,
        entry=f"{name}[{','.join(labels)}]" if labels else name,
        count=rows.stop - rows.start,
        unit=prior.unit,
        p05=p05,
        p50=p50,
        p95=p95,
        low=_figures(sample.cell[sample.values[row] <= low])["p50"],
        high=_figures(sample.cell[sample.values[row] >= high])["p50"],
        equations=tuple(function for function in path if name in traced.reads[function]),
        sources=tuple(dict.fromkeys(each.cite if isinstance(each, Citation) else "judgement" for each in prior.source)),
        reasoning=prior.reasoning,
    )


def _figures(drawn: Float32[np.ndarray, " draw"]) -> dict[str, Figure]:
    """Quantiles and mean of draws with their Monte Carlo errors."""
    found = reduce.of_draws(drawn)
    figures = {
        key: Figure(float(found.quantiles[i]), float(found.quantile_error[i]))
        for key, i in ((key, reduce.LEVELS.index(level)) for key, level in SHOWN.items())
    }
    return figures | {"mean": Figure(float(found.mean), float(found.mean_error))}


def _step(traced: chain.Chain, function: str, priors: frozenset[str], found: Iterable[Contribution]) -> Step:
    """An equation with the priors that enter it."""
    own = traced.reads[function] & priors
    told = [each.share.value for each in found if each.prior in own and each.clear]
    return Step(*traced.equations[function], priors=tuple(name for name in INPUTS if name in own), share=sum(told))
