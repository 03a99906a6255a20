"""One forecast of one figure, several ways, against what came."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from sim import score

__all__ = ["LEVELS", "OURS", "Case", "Scored", "Summary", "scored", "summaries"]

OURS = "chipcast"
LEVELS = (0.5, 0.8, 0.9)
"""Probabilities of the central intervals whose coverage is counted."""
TENTHS = np.linspace(0, 1, 11)
NOISE = 11
"""Stream of the errors of noisy truths."""
LEAST = 1e-3
"""Part of the truth below which a draw counts as that: a quarter without any shipment has no logarithm."""


class Case(NamedTuple):
    """A figure that came, and draws of it by method; all in one unit and above 0."""

    metric: str
    """What cases are pooled by."""
    quantity: str
    made: str
    """The book or the origin that the forecast is made from."""
    time: int
    """Year by which cases are resampled together."""
    horizon: float
    """Years from what was known to the end of the period."""
    truth: float
    error: float
    """Standard error of the truth's logarithm; 0 for a reported figure."""
    draws: Mapping[str, Float64[np.ndarray, " draw"]]


@dataclass(frozen=True)
class Scored:
    """One method's forecast of one figure, scored on the logarithm, so that figures of any size can be pooled."""

    metric: str
    quantity: str
    made: str
    time: int
    horizon: float
    truth: float
    method: str
    p05: float
    p50: float
    p95: float
    crps: float
    """Of the logarithm, so roughly in parts of the figure [1]."""
    log_score: float
    """Minus the log density of the logarithm [nat]."""
    pit: float
    covered: tuple[bool, ...]
    """Whether the intervals of ``LEVELS`` hold it."""
    width: float
    """Of the 90 % interval, in logarithms [1]."""
    bias: float
    """Log of the median over what came [1]."""


@dataclass(frozen=True)
class Summary:
    """A method's scores over the cases of one metric, and our skill against it."""

    metric: str
    method: str
    cases: int
    crps: float
    log_score: float
    covered: tuple[float, ...]
    width: float
    bias: float
    pit: float
    """Mean of the percentiles of what came [1]: a half of an unbiased forecast."""
    pits: tuple[int, ...]
    """How many fell into each tenth of their forecasts."""
    skill: score.Skill | None
    """1 - our CRPS / the method's on the cases that both forecast; nothing for ourselves."""


def scored(case: Case) -> list[Scored]:
    """The scores of every method; a noisy truth is met by forecasts of the measurement, which carry its error."""
    return [_scored(case, method, draws) for method, draws in case.draws.items()]


def _scored(case: Case, method: str, draws: Float64[np.ndarray, " draw"]) -> Scored:
    measured = draws * np.exp(case.error * _noise(len(draws))) if case.error else draws
    ratio, one = np.maximum(measured / case.truth, LEAST), np.ones(())
    low, middle, high = (case.truth * float(each) for each in score.quantiles(ratio, (0.05, 0.5, 0.95)))
    return Scored(
        *case[:6],
        method=method,
        p05=low,
        p50=middle,
        p95=high,
        crps=float(score.crps(np.log(ratio), np.zeros(()))),
        log_score=float(score.log_score(ratio, one)),
        pit=float(score.pit(ratio, one)),
        covered=tuple(bool(score.covered(ratio, one, level)) for level in LEVELS),
        width=float(np.log(high / low)),
        bias=float(np.log(middle / case.truth)),
    )


def _noise(count: int) -> Float64[np.ndarray, " draw"]:
    return np.random.default_rng(NOISE).standard_normal(count)


def summaries(rows: Iterable[Scored], *, block: int, pooled: str = "") -> list[Summary]:
    """By metric and method, and with ``pooled`` over all metrics under that name; blocks are years of the bootstrap."""
    rows = list(rows)
    metrics = list(dict.fromkeys(row.metric for row in rows))
    found = [_summary([row for row in rows if row.metric == metric], metric, block) for metric in metrics]
    if pooled:
        found.append(_summary(rows, pooled, block))
    return [each for some in found for each in some]


def _summary(rows: list[Scored], metric: str, block: int) -> list[Summary]:
    methods = list(dict.fromkeys(row.method for row in rows))
    by_method = {method: {_key(row): row for row in rows if row.method == method} for method in methods}
    return [
        Summary(
            metric=metric,
            method=method,
            cases=len(own),
            crps=float(np.mean([row.crps for row in own.values()])),
            log_score=float(np.mean([row.log_score for row in own.values()])),
            covered=tuple(np.mean([row.covered for row in own.values()], axis=0).tolist()),
            width=float(np.mean([row.width for row in own.values()])),
            bias=float(np.mean([row.bias for row in own.values()])),
            pit=float(np.mean([row.pit for row in own.values()])),
            pits=tuple(np.histogram([row.pit for row in own.values()], TENTHS)[0].tolist()),
            skill=None if method == OURS else _skill(by_method[OURS], own, block),
        )
        for method, own in by_method.items()
    ]


def _key(row: Scored) -> tuple[str, str]:
    return row.quantity, row.made


def _skill(ours: dict[tuple[str, str], Scored], theirs: dict[tuple[str, str], Scored], block: int) -> score.Skill:
    both = [key for key in theirs if key in ours]
    pairs = np.array([(ours[key].crps, theirs[key].crps) for key in both])
    return score.skill(pairs[:, 0], pairs[:, 1], np.array([ours[key].time for key in both]), block=block)
