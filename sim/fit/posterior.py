"""The fit itself: draws of the annual process given the record known by a date."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from sim.fit.process import NAMES, Hyper, log_posterior, start, unpack
from sim.fit.record import Record, record
from sim.fit.sampler import FULL, Size, bulk_ess, metropolis, quantile_errors, split_rhat, tail_ess
from sim.history import Row

__all__ = ["LEVELS", "Posterior", "fit_capex", "fit_record"]

LEVELS = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True)
class Posterior:
    """Draws of the parameters, with the record they were fitted to and how."""

    record: Record
    as_of: dt.date
    seed: int
    size: Size
    accepted: float  # share of kept steps that were taken
    points: Float64[np.ndarray, "dim chain step"]

    @cached_property
    def hyper(self) -> Hyper:
        """All draws of the parameters, chain after chain."""
        return unpack(self.points.reshape(len(self.points), -1))

    def thinned(self, count: int) -> Hyper:
        """Evenly spaced draws, at most ``count``."""
        every = -(-len(self.hyper.mu) // count)
        return Hyper(*(each[..., ::every] for each in self.hyper))

    def draws(self) -> dict[str, Float64[np.ndarray, "chain step"]]:
        """Draws of each parameter and of each company's own drift, by name."""
        shape = self.points.shape[1:]
        values = {name: getattr(self.hyper, name) for name in NAMES}
        values |= {f"m.{name}": own for name, own in zip(self.record.companies, self.hyper.own, strict=True)}
        return {name: value.reshape(shape) for name, value in values.items()}

    def summary(self) -> dict[str, dict[str, float]]:
        """Quantiles, moments, Monte Carlo errors of the outer and middle quantiles, and diagnostics, by parameter."""
        return {name: _summary(draws) for name, draws in self.draws().items()}

    def correlations(self) -> Float64[np.ndarray, "5 5"]:
        """Linear correlations of mu, log tau, log sigma_c, log sigma_o and log nu."""
        hyper = self.hyper
        return np.corrcoef([hyper.mu, *(np.log(getattr(hyper, name)) for name in NAMES[1:])])


def _summary(draws: Float64[np.ndarray, "chain step"]) -> dict[str, float]:
    values = dict(zip(LEVELS, np.quantile(draws, list(LEVELS.values())), strict=True))
    errors = quantile_errors(draws, (0.05, 0.5, 0.95))
    return {
        **values,
        "mean": draws.mean(),
        "sd": draws.std(),
        **dict(zip(("mcse_p05", "mcse_p50", "mcse_p95"), errors, strict=True)),
        "rhat": split_rhat(draws),
        "ess_bulk": bulk_ess(draws),
        "ess_tail": tail_ess(draws),
    }


def fit_capex(
    rows: Iterable[Row], *, as_of: dt.date, last_year: int | None = None, seed: int = 0, size: Size = FULL
) -> Posterior:
    """Fit the annual capex process to the rows published by a date. BookError: too few of them."""
    return fit_record(record(rows, as_of=as_of, last_year=last_year), as_of=as_of, seed=seed, size=size)


def fit_record(known: Record, *, as_of: dt.date, seed: int = 0, size: Size = FULL) -> Posterior:
    """Fit the process to a record; the stream of random numbers follows from the seed and the record's last year."""
    rng = np.random.default_rng([seed, known.years[-1]])
    growth = known.growth
    points, accepted = metropolis(
        lambda point: log_posterior(point, growth), start(len(growth), size.chains, rng), size, rng
    )
    return Posterior(known, as_of, seed, size, accepted, points)
