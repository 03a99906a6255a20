"""The spread factor: by how much the process was too wide, or too narrow, in the past it has already forecast.

From each year since 2010 the process is fitted to what precedes it and forecasts one to three years. The factor is the
one number by which the distance of all quantiles from the median would have had to be multiplied so that the 50, 80
and 90 % intervals, pooled, held as many outcomes as they say. Only outcomes up to the record's last year count, so a
vintage learns from its own past alone. Fifteen origins that overlap say little, so the factor that is used is shrunk
towards 1 as if DOUBT more origins had shown none; the rule is the same at each vintage.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from sim.fit.posterior import Posterior, fit_record
from sim.fit.process import simulate
from sim.fit.record import Record
from sim.fit.sampler import Size

__all__ = [
    "COVERAGES",
    "ROLLING",
    "Factor",
    "Origin",
    "Past",
    "Rolling",
    "factor",
    "half_widths",
    "learned",
    "origins",
    "pasts",
    "rolling",
    "spread_factor",
]

FIRST_ORIGIN = 2010
HORIZONS = 3
COVERAGES = (0.5, 0.8, 0.9)
ROLLING = Size(chains=16, warmup=300, steps=700)
"""A fourteenth of the full size; docs/fit.md compares the factors that follow."""
DRAWS = 6400
DOUBT = 5
"""Origins' worth of belief that the process is neither too wide nor too narrow."""
BLOCK = 3
REPEATS = 2000


@dataclass(frozen=True)
class Rolling:
    """Outcomes of all origins and horizons, in half-widths of each central interval on their own side of the median."""

    origin: Int64[np.ndarray, " case"]
    horizon: Int64[np.ndarray, " case"]
    companies: Float64[np.ndarray, "company case coverage"]
    total: Float64[np.ndarray, "case coverage"]

    def where(self, kept: np.ndarray) -> "Rolling":
        """Some of the cases."""
        return Rolling(self.origin[kept], self.horizon[kept], self.companies[:, kept], self.total[kept])


class Factor(NamedTuple):
    """The spread factor, as found and shrunk, and coverage of 50, 80, 90 % with no factor and with each."""

    found: float
    shrunk: float
    low: float  # 5 and 95 % of the found one by block bootstrap over origins
    high: float
    covered_plain: tuple[float, ...]
    covered_found: tuple[float, ...]
    covered_shrunk: tuple[float, ...]
    cases: int


class Past(NamedTuple):
    """What was known at the end of a year, and cumulative log growth [1] of the years after it as it came."""

    year: int
    known: Record
    came: Float64[np.ndarray, "company horizon"]
    total_came: Float64[np.ndarray, " horizon"]


class Origin(NamedTuple):
    """A forecast of that growth, fitted to what was known alone."""

    past: Past
    companies: Float64[np.ndarray, "company horizon draw"]
    total: Float64[np.ndarray, "horizon draw"]


def pasts(record: Record) -> Iterator[Past]:
    """Each year from which a year ahead is in the record, one to three years of it."""
    for year in range(FIRST_ORIGIN, record.years[-1]):
        began = record.years.index(year)
        ahead = min(HORIZONS, len(record.years) - 1 - began)
        start, outcome = record.level[:, began, None], record.level[:, began + 1 : began + 1 + ahead]
        yield Past(year, record.until(year), np.log(outcome / start), np.log(outcome.sum(axis=0) / start.sum()))


def origins(record: Record, *, as_of: dt.date, seed: int = 0, size: Size = ROLLING) -> Iterator[Origin]:
    """Forecasts from each of them."""
    for past in pasts(record):
        fitted = fit_record(past.known, as_of=as_of, seed=seed, size=size)
        rng = np.random.default_rng([seed, past.year, 2])
        growth = np.cumsum(simulate(fitted.thinned(DRAWS), past.came.shape[1], rng), axis=1)
        start = past.known.level[:, -1, None]
        yield Origin(past, growth, np.log((start[..., None] * np.exp(growth)).sum(axis=0) / start.sum()))


def rolling(posterior: Posterior, size: Size = ROLLING) -> Rolling:
    """How far outcomes fell from the forecasts of all origins."""
    made = list(origins(posterior.record, as_of=posterior.as_of, seed=posterior.seed, size=size))
    return Rolling(
        np.concatenate([np.full(len(each.total), each.past.year) for each in made]),
        np.concatenate([np.arange(1, len(each.total) + 1) for each in made]),
        np.concatenate([half_widths(each.companies, each.past.came) for each in made], axis=1),
        np.concatenate([half_widths(each.total, each.past.total_came) for each in made]),
    )


def half_widths(
    forecast: Float64[np.ndarray, "*group draw"], outcome: Float64[np.ndarray, "*group"]
) -> Float64[np.ndarray, "*group coverage"]:
    """Distance of the outcome from the median in half-widths of each interval, on the side where it fell [1]."""
    middle = np.median(forecast, axis=-1)
    tails = (1 - np.array(COVERAGES)) / 2
    low, high = (np.moveaxis(np.quantile(forecast, each, axis=-1), 0, -1) for each in (tails, 1 - tails))
    edge = np.where((outcome >= middle)[..., None], high, low)
    return (outcome - middle)[..., None] / (edge - middle[..., None])


def spread_factor(distance: Float64[np.ndarray, "*case coverage"], count: int) -> float:
    """The factor that is used after ``count`` origins of which these are the half-widths; 1 where there are none."""
    return _shrunk(_factor(distance), count) if count else 1.0


def factor(distance: Float64[np.ndarray, "*group coverage"], origin: Int64[np.ndarray, " case"], seed: int) -> Factor:
    """The factor at which pooled coverage is nominal: an outcome is covered when its half-widths are below it.

    ``distance`` has cases on its last axis but one.
    """
    cases = np.moveaxis(distance, -2, 0).reshape(len(origin), -1, len(COVERAGES))
    rng = np.random.default_rng([seed, 3])
    origins = np.unique(origin)
    by_origin = [cases[origin == each].reshape(-1, len(COVERAGES)) for each in origins]
    repeats = []
    for _ in range(REPEATS):
        first = rng.integers(len(origins), size=-(-len(origins) // BLOCK))
        chosen = (first[:, None] + np.arange(BLOCK)).ravel()[: len(origins)] % len(origins)
        repeats.append(_factor(np.concatenate([by_origin[i] for i in chosen])))
    found = _factor(cases)
    shrunk = _shrunk(found, len(origins))
    plain, at_found, at_shrunk = (tuple((cases <= k).mean(axis=(0, 1)).tolist()) for k in (1.0, found, shrunk))
    low, high = np.quantile(repeats, (0.05, 0.95)).tolist()
    return Factor(found, shrunk, low, high, plain, at_found, at_shrunk, cases[..., 0].size)


def _factor(distance: np.ndarray) -> float:
    return float(np.quantile(distance, np.mean(COVERAGES)))


def _shrunk(found: float, origins: int) -> float:
    return float(found ** (origins / (origins + DOUBT)))


def learned(found: Rolling, first: int = FIRST_ORIGIN + HORIZONS) -> dict[str, dict[str, tuple[float, ...]]]:
    """Coverage of 50, 80, 90 % when each origin uses only the factor, found or shrunk, of outcomes known by then."""
    hits: dict[str, dict[str, list[np.ndarray]]] = {
        name: {"plain": [], "found": [], "shrunk": []} for name in ("companies", "total")
    }
    for origin in sorted(set(found.origin[found.origin >= first].tolist())):
        past = found.where(found.origin + found.horizon <= origin)
        now = found.where(found.origin == origin)
        for name, kept in hits.items():
            k = _factor(getattr(past, name))
            factors = {"plain": 1.0, "found": k, "shrunk": _shrunk(k, len(set(past.origin.tolist())))}
            for rule, value in factors.items():
                kept[rule].append((getattr(now, name) <= value).reshape(-1, len(COVERAGES)))
    return {
        name: {rule: tuple(np.concatenate(each).mean(axis=0).tolist()) for rule, each in kept.items()}
        for name, kept in hits.items()
    }
