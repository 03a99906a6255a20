"""A box of beliefs that holds the draws of interest: the patient rule induction method of Friedman and Fisher (1999).

From the whole, a slice is peeled off again and again, each time the one whose loss makes the rest densest. The box is
found on every other draw and its figures are those of the draws between them, which had no part in the choice.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["COVERAGE", "Region", "Side", "region"]

PEEL = 0.05
"""Part of the draws in the box that a slice holds [1]."""
COVERAGE = 0.5
"""Part of the draws of interest that the box keeps at least, where it is found [1]."""
WIDE = 0.85
"""Part of its draws above which a belief's range asks so little that it is left out [1]."""

Values = Float[np.ndarray, "belief draw"]
Draws = Bool[np.ndarray, " draw"]


class Side(NamedTuple):
    """The range of one belief, in its own values and as its percentiles [1]; without an end where it was not cut."""

    belief: int
    low: float | None
    high: float | None
    low_percentile: float
    high_percentile: float


class Region(NamedTuple):
    """A box of beliefs; its figures as PRIM states them [1]."""

    sides: tuple[Side, ...]
    """The beliefs that it asks something of."""
    coverage: float
    """Part of the draws of interest that lies in the box."""
    density: float
    """Part of the draws in the box that is of interest."""
    mass: float
    """Part of all draws that lies in the box."""
    base: float
    """Part of all draws that is of interest."""


def region(beliefs: Values, interest: Draws) -> Region | None:
    """The box of some beliefs that holds the draws of interest; nothing where no cut makes it denser."""
    ends = _peeled(beliefs[:, ::2], interest[::2])
    every = (_side(row, values, *end) for row, (values, end) in enumerate(zip(beliefs, ends, strict=True)))
    sides = tuple(side for side in every if side.high_percentile - side.low_percentile <= WIDE)
    within = [(row[1::2] >= low) & (row[1::2] <= high) for row, (low, high) in zip(beliefs, ends, strict=True)]
    wanted, inside = interest[1::2], np.all([within[side.belief] for side in sides], axis=0)
    if not sides or not inside.any() or not wanted.any():
        return None
    return Region(
        sides=sides,
        coverage=float(inside[wanted].mean()),
        density=float(wanted[inside].mean()),
        mass=float(inside.mean()),
        base=float(wanted.mean()),
    )


def _peeled(beliefs: Values, interest: Draws) -> list[tuple[float, float]]:
    """Lower and upper end of each belief after the last slice that made the box denser and left enough of interest."""
    ends = [(-np.inf, np.inf)] * len(beliefs)
    inside, least = np.ones(len(interest), bool), COVERAGE * interest.sum()
    while True:
        slices = [each for row in range(len(beliefs)) for each in _slices(beliefs, inside, row)]
        kept = [(interest[rest].mean(), row, end, rest) for row, end, rest in slices if rest.any()]
        if not kept:
            return ends
        density, row, (low, high), rest = max(kept, key=lambda each: each[0])
        if density <= interest[inside].mean() or interest[rest].sum() < least:
            return ends
        ends[row] = max(low, ends[row][0]), min(high, ends[row][1])
        inside = rest


def _slices(beliefs: Values, inside: Draws, row: int) -> list[tuple[int, tuple[float, float], Draws]]:
    """The box without its lowest and without its highest slice along one belief; neither where all values tie."""
    values = beliefs[row]
    low, high = np.quantile(values[inside], [PEEL, 1 - PEEL])
    without = [((low, np.inf), inside & (values > low)), ((-np.inf, high), inside & (values < high))]
    return [(row, (float(end[0]), float(end[1])), rest) for end, rest in without if rest.sum() < inside.sum()]


def _side(row: int, values: Float[np.ndarray, " draw"], low: float, high: float) -> Side:
    """The range of one belief beside its place among all draws."""
    return Side(
        belief=row,
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        low_percentile=float(np.mean(values < low)),
        high_percentile=float(np.mean(values <= high)),
    )
