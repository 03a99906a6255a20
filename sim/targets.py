"""What a run is asked of single cells: how exact a figure must be, and how likely it is to pass a threshold."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from sim import address
from sim.errors import BookError
from sim.reduce import LEVELS, Statistics
from sim.tally import Thresholds
from sim.world import World

__all__ = ["Exceedance", "Target", "exceedances", "targets", "thresholds"]

FIGURES = {f"p{round(100 * level):02d}": i for i, level in enumerate(LEVELS)}
TARGET = re.compile(r"\s*(\w+)\s*:\s*(.+?)\s*<\s*([\d.eE+-]+)\s*(%?)\s*")
THRESHOLD = re.compile(r"\s*(.+?)\s*([<>])\s*([\d.eE+-]+)\s*")
UNTIL_EXAMPLE = 'for example "p95:revenue[nvidia,2027] < 0.5%"'
THRESHOLD_EXAMPLE = 'for example "revenue[nvidia,2027] > 400"'


class Target(NamedTuple):
    """A figure of one cell, and the Monte Carlo error over its value that is allowed [1]."""

    figure: str
    cell: address.Cell
    allowed: float

    def __str__(self) -> str:
        return f"{self.figure}:{self.cell}"

    def far(self, found: Statistics) -> float:
        """Error of the figure over the one that is allowed [1], from the statistics of the cell: met up to 1.

        Infinite where the figure is 0 or has no value.
        """
        if self.figure == "mean":
            value, error = found.mean, found.mean_error
        else:
            level = FIGURES[self.figure]
            value, error = found.quantiles[level], found.quantile_error[level]
        return float(error / abs(value)) / self.allowed if np.isfinite(value) and value != 0 else float("inf")


class Exceedance(NamedTuple):
    """How many draws passed a threshold."""

    text: str
    probability: float
    error: float
    """Monte Carlo standard error of the probability."""


def targets(world: World, given: Iterable[str]) -> list[Target]:
    """Targets such as ``p95:revenue[nvidia,2027] < 0.5%``. BookError: one that cannot be read, and why."""
    return [_target(world, text) for text in given]


def _target(world: World, text: str) -> Target:
    match = TARGET.fullmatch(text)
    if match is None:
        raise BookError("until-form", f"{text!r} is no figure:output[label,period] < share", remedy=UNTIL_EXAMPLE)
    name = re.sub(r"^p(\d)$", r"p0\1", match[1])
    if name not in FIGURES and name != "mean":
        raise BookError("until-figure", f"{text}: no figure {match[1]!r}", remedy=f"one of {', '.join(FIGURES)}, mean")
    allowed = _number(match[3], text) / (100 if match[4] else 1)
    if not 0 < allowed < 1:
        raise BookError("until-share", f"{text}: the error must lie between 0 and 100%", remedy=UNTIL_EXAMPLE)
    return Target(name, address.parse(world, match[2]), allowed)


def thresholds(world: World, given: Iterable[str]) -> Thresholds:
    """Thresholds such as ``revenue[nvidia,2027] > 400``, in the cell's unit. BookError: one that cannot be read."""
    cells, signs, values = [], [], []
    for text in given:
        match = THRESHOLD.fullmatch(text)
        if match is None:
            raise BookError("threshold-form", f"{text!r} is no output[label,period] > number", remedy=THRESHOLD_EXAMPLE)
        cells.append(address.parse(world, match[1]).place)
        signs.append(1 if match[2] == ">" else -1)
        values.append(_number(match[3], text))
        if not math.isfinite(values[-1]):
            raise BookError("target-number", f"{text}: beyond the largest float", remedy=THRESHOLD_EXAMPLE)
    return Thresholds.of(cells, signs, values)


def _number(written: str, text: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise BookError("target-number", f"{text}: {written!r} is no number", remedy=THRESHOLD_EXAMPLE) from None


def exceedances(given: Iterable[str], passed: Int64[np.ndarray, " threshold"], draws: int) -> list[Exceedance]:
    """Probabilities and their binomial errors."""
    share: Float64[np.ndarray, " threshold"] = passed / draws
    error = np.sqrt(share * (1 - share) / draws)
    return [Exceedance(text, float(p), float(e)) for text, p, e in zip(given, share, error, strict=False)]
