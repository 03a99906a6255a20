"""Counted quantiles of the base world against exact ones, every cell and level: within the resolution they state?"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

import sim
from benchmarks.contest import Result, at_most, result
from sim import devices, exact, reduce, tally
from sim.engine import PILOT, Engine
from sim.tally import RESOLUTION, Gauge

__all__ = ["measure"]

DRAWS = 1_000_000
QUICK = 4_096
SEED = 0
NEAR = 0.25
"""Monte Carlo standard errors that are a small part of the error."""


class Difference(NamedTuple):
    """How far counted quantiles lie from exact ones."""

    units: Float64[np.ndarray, "level cell"]  # of the resolution, beyond the gap between the draws around a quantile
    with_gap: Float64[np.ndarray, "level cell"]  # all of it
    errors: Float64[np.ndarray, "level smooth"]  # Monte Carlo standard errors; not a number where that is 0


def measure(*, quick: bool) -> Result:
    """Differences in units of the resolution, which is a part of the distance from the cell's centre."""
    draws = QUICK if quick else DRAWS
    found = differences(Engine(sim.load(), SEED, devices.mesh()), draws)
    largest = "largest difference, of the resolution"
    facts = {
        "figures": found.units.size,
        largest: found.units.max(),
        "root mean square, of the resolution": np.sqrt(np.mean(np.square(found.units))),
        "part of figures further off, by the gap between two draws": np.mean(found.with_gap > 1),
        "figures of cells that are not discrete": found.errors.size,
        "largest difference, Monte Carlo standard errors": np.nanmax(found.errors),
        "root mean square, Monte Carlo standard errors": np.sqrt(np.nanmean(np.square(found.errors))),
        f"part of figures beyond {NEAR} of them": np.mean(found.errors > NEAR),
    }
    return result(
        f"Counted quantiles against order statistics of the same {draws:,} draws, base world, every cell and level.",
        facts={name: float(value) for name, value in facts.items()},
        goals={largest: at_most(float(found.units.max()), 1)},
    )


def differences(engine: Engine, draws: int) -> Difference:
    """Of the first draws, which are made three times: counted, then sorted out in two passes."""
    sums, levels = engine.sums(0, draws), np.array(reduce.LEVELS)
    counted = reduce.statistics(sums, engine.gauge)
    low, high, part = exact.neighbours(engine, sums, levels)
    right, gap, there = low + (high - low) * part, high - low, sums.missing == 0
    off = np.abs(counted.quantiles - right)
    beyond = np.maximum(off - gap * (1 + RESOLUTION) - np.spacing(np.abs(counted.quantiles)), 0)
    unit = unit_of(right, engine.gauge)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.where(counted.quantile_error > 0, off / counted.quantile_error, np.nan)
    return Difference((beyond / unit)[:, there], (off / unit)[:, there], errors[:, there & _smooth(engine)])


def _smooth(engine: Engine) -> Bool[np.ndarray, " cell"]:
    """Cells that are no count of something: most of the first draws differ."""
    _, first = next(engine.cells_of(range(1), PILOT))
    return np.array([len(np.unique(values)) > PILOT / 2 for values in first])


def unit_of(quantiles: Float64[np.ndarray, "level cell"], gauge: Gauge) -> Float64[np.ndarray, "level cell"]:
    """The stated resolution at some values, in their unit; next to the centre it is the width of the innermost bin."""
    inner = gauge.spread.astype(np.float64) * 2.0**-tally.BELOW
    return np.maximum(RESOLUTION * np.abs(quantiles - gauge.centre.astype(np.float64)), inner)
