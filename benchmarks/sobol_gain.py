"""What Sobol points are worth on the base world: the variance of figures at equal draws, against independent draws."""

import functools

import numpy as np

import sim
from benchmarks.contest import Contender, Result, at_most, contest, goal, result
from sim import address, devices, reduce, sobol
from sim.engine import Engine
from sim.reduce import LEVELS, Statistics
from sim.world import World

__all__ = ["measure"]

SEEDS = (0, 1)
"""Each gives 16 randomisations: 32 in all."""
POINTS = 8_192
YEARS = ("2026", "2027", "2028", "2029", "2030")
ROWS = ("h100e[nvidia]", "h100e[total]", "revenue[nvidia]", "revenue[total]", "capex[reported]")
FIGURES = {"mean": None, "P50": LEVELS.index(0.5), "P95": LEVELS.index(0.95)}
GOALS = {"mean": 8, "P50": 3, "P95": 2}
COST = 1.1


def measure(*, quick: bool) -> Result:
    """Variance of independent draws over that of Sobol points, over 32 randomisations, and the cost of a draw."""
    world, points = sim.load(), 512 if quick else POINTS
    cells = [address.parse(world, row.replace("]", f",{year}]")).place for row in ROWS for year in YEARS]
    draws = sobol.RANDOMISATIONS * points
    sobols = [part for seed in SEEDS for part in _randomisations(world, seed, draws)]
    independent = _statistics(Engine(world, SEEDS[0], devices.mesh()), range(draws // sobol.UNIT), draws)
    gains = {name: _gains(sobols, independent, draws / points, level)[cells] for name, level in FIGURES.items()}
    medians = {name: float(np.median(each)) for name, each in gains.items()}
    turns = contest(
        [
            Contender(name, functools.partial(Engine(world, 5, devices.mesh(), name).sums, 0, draws), draws)
            for name in ("mc", "sobol")
        ],
        baseline="mc",
        rounds=1 if quick else 5,
        unit="draws",
    )
    cost = 1 / turns["contenders"]["sobol"]["ratio"]
    return result(
        f"Variance of independent draws over that of {points:,} Sobol points, 32 randomisations; median of "
        f"{len(cells)} figures (shipments, revenue, reported capex, 2026 to 2030).",
        **turns
        | {
            "facts": {f"{name}, {what}": float(of(gains[name])) for name in FIGURES for what, of in _OF.items()},
            "goals": {f"variance gain, {name}": goal(medians[name], least) for name, least in GOALS.items()}
            | {"time of a Sobol draw over that of an mc draw": at_most(cost, COST)},
        },
    )


_OF = {"least": np.min, "median": np.median, "greatest": np.max}


def _randomisations(world: World, seed: int, draws: int) -> list[Statistics]:
    engine, blocks = Engine(world, seed, devices.mesh(), "sobol"), range(draws // sobol.UNIT)
    return [_statistics(engine, blocks[first :: sobol.RANDOMISATIONS], draws) for first in range(sobol.RANDOMISATIONS)]


def _statistics(engine: Engine, blocks: range, draws: int) -> Statistics:
    return reduce.statistics(engine.sums_of(blocks, draws), engine.gauge)


def _gains(sobols: list[Statistics], independent: Statistics, more: float, level: int | None) -> np.ndarray:
    """Of each cell: ``independent`` has ``more`` times the draws of a randomisation, so its variance is smaller."""
    values = np.array([each.mean if level is None else each.quantiles[level] for each in sobols], np.float64)
    error = independent.mean_error if level is None else independent.quantile_error[level]
    with np.errstate(all="ignore"):
        return np.square(error, dtype=np.float64) * more / values.var(axis=0, ddof=1)
