"""What a forecast is measured against: simple forecasts from the same information, each with a spread of its own.

Every one is a walk of log growth by quarters from the last known quarter, so that quarters and years, and years that
have begun, are forecast alike. Drift and spread come from the record known at the time; their uncertainty is drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

__all__ = [
    "LAST_GROWTH",
    "LAST_VALUE",
    "METHODS",
    "RANDOM_WALK",
    "Growth",
    "dressed",
    "growths",
    "recalibrated",
    "walks",
]

RANDOM_WALK = "random walk with drift"
LAST_VALUE = "last value"
LAST_GROWTH = "last growth"
METHODS = (RANDOM_WALK, LAST_VALUE, LAST_GROWTH)
QUARTERS = 4
SUMS = float(np.sqrt((2 * QUARTERS**2 + 1) / (3 * QUARTERS**2)))
"""Sd of the growth of sums of four quarters of a walk over that of the walk in a year: .83."""


class Growth(NamedTuple):
    """Log growth a year that a method expects, its sd about that, and how far both are known."""

    drift: float
    sd: float
    freedom: int
    """Degrees of freedom that the sd was estimated with."""
    years: float
    """Years of growth behind the drift, all series together; without end where it is no estimate."""


def growths(
    seen: Float64[np.ndarray, " growth"], last: float, per_year: int = 1, *, of_sums: bool = False
) -> dict[str, Growth]:
    """What each method makes of the growths it has seen, ``per_year`` of them a year, and of the latest year's growth.

    The random walk: their mean and sd. The last value: no growth, and their root mean square. The last growth: that
    again, and the sd of the difference of two growths, which is that of one times the root of two. Growth ``of_sums``
    of four quarters is turned into that of a walk by quarters, which moves more.
    """
    many, root = len(seen), np.sqrt(per_year) / (SUMS if of_sums else 1)
    sd, mean = float(seen.std(ddof=1)) * root, float(seen.mean()) * per_year
    square = float(np.sqrt(np.mean(seen * seen))) * root
    return {
        RANDOM_WALK: Growth(mean, sd, many - 1, many / per_year),
        LAST_VALUE: Growth(0.0, square, many, np.inf),
        LAST_GROWTH: Growth(last, float(np.sqrt(2)) * sd, many - 1, np.inf),
    }


def walks(
    growth: Growth, steps: int, draws: int, seed: Sequence[int], *, per_year: int = QUARTERS
) -> Float64[np.ndarray, "step draw"]:
    """Cumulative log growth after each step of ``1 / per_year`` years.

    The variance is drawn as its degrees of freedom leave it, the drift about its estimate with sd / sqrt(years), which
    makes the next growth of the length that was seen Student's t with the textbook width for a next observation.
    """
    rng = np.random.default_rng(seed)
    sd = growth.sd * np.sqrt(growth.freedom / rng.chisquare(growth.freedom, draws))
    drift = growth.drift + sd / np.sqrt(growth.years) * rng.standard_normal(draws)
    moves = drift / per_year + sd / np.sqrt(per_year) * rng.standard_normal((steps, draws))
    found: Float64[np.ndarray, "step draw"] = np.cumsum(moves, axis=0)
    return found


def recalibrated(draws: Float64[np.ndarray, "*case draw"], factor: float) -> Float64[np.ndarray, "*case draw"]:
    """Draws of positive figures with the logarithm's distance from the median times a factor."""
    middle = np.median(draws, axis=-1, keepdims=True)
    found: Float64[np.ndarray, "*case draw"] = middle * (draws / middle) ** factor
    return found


def dressed(point: float, errors: Float64[np.ndarray, " draw"]) -> Float64[np.ndarray, " draw"]:
    """A point forecast as the median of draws, with log errors about it."""
    found: Float64[np.ndarray, " draw"] = point * np.exp(errors - np.median(errors))
    return found
