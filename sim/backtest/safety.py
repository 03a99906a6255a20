"""A safety check, not skill: do the years that came lie inside P1 to P99 whatever is believed of beats and of spread?

The grid was written down before it was run: beats of guidance from what Meta's first guides of 2013-23 averaged to what
was learned by February 2025, and the shocks of capex narrower and wider than fitted.
"""

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sim import score
from sim.book.load import load
from sim.ensemble import ensemble, quantity
from sim.world import World, build

__all__ = ["BEATS", "SCALES", "Place", "places"]

BEATS = (-0.115, -0.05, 0.0, 0.05, 0.085)
"""Medians of the log of a year's capex over its guidance."""
SCALES = (0.75, 1.0, 1.25)
"""Multiples of the sd of capex's shocks."""
DRAWS = 4_096
TAIL = 0.01
BEAT, COMMON, OWN = "guidance_beat", "capex_common_sd", "capex_own_sd"
ENDS = {"p05": 0.05, "p95": 0.95}


class Place(NamedTuple):
    """Where the four companies' capex of a year came in one book under one pair of beliefs."""

    book: str
    year: str
    beat: float
    scale: float
    p01: float
    p99: float
    came: float
    pit: float

    @property
    def inside(self) -> bool:
        """Whether it lies inside P1 to P99."""
        return self.p01 <= self.came <= self.p99


def places(name: str, came: dict[str, float], *, seed: int = 0, beats: Sequence[float] = BEATS) -> Iterator[Place]:
    """Every cell of the grid for one book and each year that came [bn USD]; years already over then are left out."""
    plain = build(load(name))
    years = [year for year in came if dt.date(int(year), 12, 31) > plain.book.as_of]
    for beat in beats:
        for scale in SCALES:
            world = build(load(name, overrides=_overrides(plain, beat, scale)))
            wanted = [quantity(world, f"capex[reported,{year}]") for year in years]
            for year, draws in zip(years, ensemble(world, wanted, draws=DRAWS, seed=seed).quantities, strict=True):
                low, high = (float(each) for each in score.quantiles(draws, (TAIL, 1 - TAIL)))
                pit = float((draws < came[year]).mean())
                yield Place(name, year, beat, scale, low, high, came[year], pit)


def _overrides(world: World, beat: float, scale: float) -> dict[str, object]:
    """Single values of a book: its beats about another median, its shocks times a factor; none that stays as it is."""
    priors, company = world.book.priors, world.book.axes["reported_buyer"][0]
    beats, common, own = (
        priors[name].table[labels] for name, labels in ((BEAT, (company,)), (COMMON, ()), (OWN, (company,)))
    )
    middle = (beats.quantile(ENDS["p05"]) + beats.quantile(ENDS["p95"])) / 2
    found: dict[str, object] = {}
    for end, level in ENDS.items():
        if not math.isclose(beat, middle, abs_tol=1e-9):
            found[f"{BEAT}.{end}"] = beat + beats.quantile(level) - middle
        if scale != 1:
            found[f"{COMMON}.{end}"] = scale * common.quantile(level)
            found[f"{OWN}.default.{end}"] = scale * own.quantile(level)
    return found
