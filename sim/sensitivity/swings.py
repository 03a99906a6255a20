"""What single priors do to a cell: its median at their low and high ends, its response to a small change of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from sim import reduce, shares
from sim.address import Cell
from sim.book.schema import Citation, Prior
from sim.distributions import Fixed
from sim.engine import Engine
from sim.reduce import Figure
from sim.world import World

__all__ = ["Elasticity", "Numbers", "Swing", "elasticities", "swings"]

LOW, HIGH = 0.1, 0.9
"""Where a prior's number stands at the ends of a swing."""
AROUND = 0.05
"""Part of the draws to either side of these that the cell's median is taken of."""
SWINGS = 15
"""Priors that are told."""
CLEAR = 3.0
"""Standard errors by which a swing must exceed 0 to be told from chance."""
RESPONSES = 512
"""Draws in which the response to a small change is taken."""
STEP = 2.0**-8
"""Relative change to either side: float32 then gives a response to 1e-4, and its curvature enters as 1e-5."""
DATES = "year"
"""Unit of priors of which a relative change means nothing."""


@dataclass(frozen=True)
class Swing:
    """Median of a cell where one prior is near its P10 and near its P90: the number of it that does most."""

    prior: str
    about: str
    entry: str
    count: int
    """How many random numbers the prior has that may move the cell."""
    unit: str
    p10: float
    p90: float
    low: Figure
    high: Figure
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Elasticity:
    """d log(cell) / d log(prior), all its numbers changed alike, in each of some draws."""

    prior: str
    p05: float
    p50: float
    p95: float


class Numbers(NamedTuple):
    """The random numbers of some draws: prior and labels of each, values, and normal scores."""

    named: list[tuple[str, tuple[str, ...]]]
    values: Float32[np.ndarray, "random draw"]
    scores: Float32[np.ndarray, "random draw"]

    @classmethod
    def of(cls, engine: Engine, latent: Float32[np.ndarray, "random draw"]) -> "Numbers":
        """Those behind given latent scores, in the order of the world's entries."""
        rows = np.array(engine.plan.layout.order)
        random = np.flatnonzero(rows < len(latent))
        blocks = engine.values_of(engine.blocks_of(0, latent.shape[1]), latent.shape[1])
        values = np.concatenate([each[random] for each in blocks], axis=1)
        return cls([engine.world.named[i] for i in random], values, latent[rows[random]])

    def behind(self, world: World, cell: Cell) -> Int[np.ndarray, " number"]:
        """Numbers that are of no later year than a cell: a quarter reads its own year only."""
        year = cell.period.removeprefix("FY")[:4]
        return np.array([i for i, (name, labels) in enumerate(self.named) if world.book.priors[name].by(labels, year)])


def swings(world: World, cell: Cell, found: Float32[np.ndarray, " draw"], numbers: Numbers) -> tuple[Swing, ...]:
    """Priors whose swing is told from chance, the largest first; of each the number that moves the cell most."""
    rows = numbers.behind(world, cell)
    pull = np.abs(numbers.scores[rows] @ shares.scores(found))
    best: dict[str, int] = {}
    for row in rows[np.argsort(-pull)]:
        best.setdefault(numbers.named[row][0], int(row))
    counts = {name: sum(numbers.named[row][0] == name for row in rows) for name in best}
    told = [_swing(world, row, counts, found, numbers) for row in list(best.values())[: 2 * SWINGS]]
    clear = [each for each in told if abs(_width(each)) > CLEAR * np.hypot(each.low.error, each.high.error)]
    return tuple(sorted(clear, key=lambda each: -abs(_width(each)))[:SWINGS])


def _width(swing: Swing) -> float:
    return swing.high.value - swing.low.value


def _swing(
    world: World, row: int, counts: dict[str, int], found: Float32[np.ndarray, " draw"], numbers: Numbers
) -> Swing:
    name, labels = numbers.named[row]
    prior = world.book.priors[name]
    low, high = (_near(numbers.values[row], level, found) for level in (LOW, HIGH))
    return Swing(
        prior=name,
        about=prior.about,
        entry=f"{name}[{','.join(labels)}]" if labels else name,
        count=counts[name],
        unit=prior.unit,
        p10=prior.table[labels].quantile(LOW) / prior.factor,
        p90=prior.table[labels].quantile(HIGH) / prior.factor,
        low=low,
        high=high,
        sources=tuple(dict.fromkeys(each.cite if isinstance(each, Citation) else "judgement" for each in prior.source)),
    )


def _near(values: Float32[np.ndarray, " draw"], level: float, found: Float32[np.ndarray, " draw"]) -> Figure:
    """Median of the cell in the draws around a quantile of a number."""
    ends = np.quantile(values, [level - AROUND, level + AROUND])
    told = reduce.of_draws(found[(values >= ends[0]) & (values <= ends[1])])
    middle = reduce.LEVELS.index(0.5)
    return Figure(float(told.quantiles[middle]), float(told.quantile_error[middle]))


def elasticities(engine: Engine, cell: Cell, priors: Iterable[str]) -> tuple[Elasticity, ...]:
    """Responses of a cell to a small relative change of each prior that has a scale; those without a sign are left out.

    By central differences of the compiled program itself: derivatives by reverse mode take two minutes to compile.
    """
    scaled = [name for name in priors if _has_scale(engine.world.book.priors[name])]
    if not scaled:
        return ()
    values = np.concatenate(list(engine.values_of(engine.blocks_of(0, RESPONSES), RESPONSES)), axis=1)
    rows = [np.array([name == each for each, _ in engine.world.named]) for name in scaled]
    changed = [np.where(own[:, None], values * np.float32(1 + sign * STEP), values) for own in rows for sign in (1, -1)]
    found = engine.evaluated(np.concatenate(changed, axis=1), [cell.place]).astype(np.float64)
    above, below = np.moveaxis(found.reshape(len(scaled), 2, -1), 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        responses = np.log(above / below) / np.log((1 + STEP) / (1 - STEP))
    told = [
        Elasticity(name, *np.quantile(each[np.isfinite(each)], [0.05, 0.5, 0.95]).tolist())
        for name, each in zip(scaled, responses, strict=True)
        if np.isfinite(each).any()  # where the cell is 0 there is no response
    ]
    return tuple(sorted(told, key=lambda each: -abs(each.p50)))


def _has_scale(prior: Prior) -> bool:
    """Whether its values are no dates and nearly all of one sign, so that a per cent more of it means something."""
    ends = [(each.quantile(0.01), each.quantile(0.99)) for each in prior.table.values() if not isinstance(each, Fixed)]
    return prior.unit != DATES and (all(low > 0 for low, _ in ends) or all(high < 0 for _, high in ends))
