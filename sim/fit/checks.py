"""Posterior predictive checks: does the fitted process make records like the one we have?"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from sim.fit.posterior import Posterior
from sim.fit.process import Hyper, simulate

__all__ = ["Check", "predictive_checks", "statistics"]

FIRST_YEAR = 2011
DRAWS = 8000
Paths = Callable[[Hyper, int, np.random.Generator], Float64[np.ndarray, "company year chain"]]


class Check(NamedTuple):
    """One statistic of the record beside that of simulated records; p is P(simulated >= record), ties by half."""

    observed: float
    p05: float
    p50: float
    p95: float
    p: float


def statistics(
    growth: Float64[np.ndarray, "company year *chain"], total: Float64[np.ndarray, "year *chain"]
) -> dict[str, Float64[np.ndarray, "*chain"]]:
    """Mean, sd, lag-1 autocorrelation and share of falls of the total's log growth; spread and likeness of companies.

    ``company_sd`` is the sd of all company growth about the company's mean, ``company_correlation`` the mean
    correlation between two companies.
    """
    centred = total - total.mean(axis=0)
    late, early = (each - each.mean(axis=0) for each in (total[1:], total[:-1]))
    apart = growth - growth.mean(axis=1, keepdims=True)
    covariance = np.einsum("ay...,by...->ab...", apart, apart) / (growth.shape[1] - 1)
    variance = np.einsum("aa...->a...", covariance)
    correlation = covariance / np.sqrt(variance[:, None] * variance[None])
    pairs = np.triu_indices(len(growth), 1)
    return {
        "mean": total.mean(axis=0),
        "sd": np.sqrt((centred**2).sum(axis=0) / (len(total) - 1)),
        "lag1": (late * early).sum(axis=0) / np.sqrt((late**2).sum(axis=0) * (early**2).sum(axis=0)),
        "down_share": (total < 0).mean(axis=0),
        "company_sd": np.sqrt(variance.mean(axis=0)),
        "company_correlation": correlation[pairs].mean(axis=0),
    }


def predictive_checks(posterior: Posterior, paths: Paths = simulate, first_year: int = FIRST_YEAR) -> dict[str, Check]:
    """Each statistic from ``first_year`` on, of the record and of records simulated from the level of the year before.

    Companies are simulated from one posterior draw each time and their levels, in bn USD, added up.
    """
    record = posterior.record
    began = record.years.index(first_year) - 1
    rng = np.random.default_rng([posterior.seed, record.years[-1], 1])
    growth = paths(posterior.thinned(DRAWS), len(record.years) - 1 - began, rng)
    level = record.level[:, began, None, None] * np.exp(np.cumsum(growth, axis=1))
    total = np.concatenate([np.full((1, level.shape[-1]), record.level[:, began].sum()), level.sum(axis=0)])
    observed = statistics(record.growth[:, began:], record.total_growth[began:])
    simulated = statistics(growth, np.diff(np.log(total), axis=0))
    return {name: _check(float(observed[name]), simulated[name]) for name in observed}


def _check(observed: float, simulated: Float64[np.ndarray, " chain"]) -> Check:
    p = (simulated > observed).mean() + np.isclose(simulated, observed, rtol=0, atol=1e-12).mean() / 2
    low, middle, high = np.quantile(simulated, (0.05, 0.5, 0.95)).tolist()
    return Check(observed, low, middle, high, float(p))
