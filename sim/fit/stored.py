"""The stored fit: one small YAML file a date, with what it was made from, how, and how far it can be trusted."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sim.errors import BookError
from sim.fit.checks import Check, predictive_checks
from sim.fit.posterior import Posterior, fit_capex
from sim.fit.process import HYPER_PRIORS, NAMES, NODES, Hyper, simulate
from sim.fit.quarterly import horizon_ratios, moments, quarterly, scale_needed
from sim.fit.record import record
from sim.fit.sampler import FULL, Size
from sim.fit.spread import FIRST_ORIGIN, HORIZONS, ROLLING, Factor, factor, learned, rolling
from sim.history import Row

__all__ = ["VINTAGES", "Fit", "fit", "read", "write"]

VINTAGES = tuple(
    dt.date.fromisoformat(day) for day in ("2024-02-08", "2024-05-27", "2024-09-01", "2025-02-12", "2026-02-28")
)
"""The dates whose fits are shipped."""
METHOD = "chains of random-walk Metropolis with a frozen proposal; common shocks by Gauss-Hermite quadrature"
EARLIEST = FIRST_ORIGIN + HORIZONS + 1
"""First last year of a record from which a factor can be learned and used."""
DIGITS = 4
LEAST_TAILS = 3
"""Degrees of freedom below which the model's shocks would have next to no finite spread."""
SHOCKS = (8, 20_000)
"""Years and draws with which the quarterly process is measured at the posterior medians."""


@dataclass(frozen=True)
class Fit:
    """A posterior with its checks, its spread factors and what the model's priors take from it."""

    posterior: Posterior
    checks: dict[str, Check]
    quarterly_checks: dict[str, Check]
    factors: dict[str, Factor]
    learned: dict[str, dict[str, tuple[float, ...]]]
    quarters: dict[str, dict[str, float]]

    @cached_property
    def summary(self) -> dict[str, dict[str, float]]:
        """Quantiles, moments and diagnostics by parameter."""
        return self.posterior.summary()

    def recommended(self) -> dict[str, dict[str, Any]]:
        """Distributions for the prior book: the posterior, times the shrunk spread factor, times ``scale_needed``.

        Own shocks take the factor of companies, common shocks that of the total. Drifts are not narrowed: the factor
        speaks of one to three years. nu is the posterior median in whole numbers, at least 3.
        """
        summary, scale = self.summary, scale_needed()
        own, common = (self.factors[name].shrunk * scale for name in ("companies", "total"))
        hyper = self.posterior.hyper
        rng = np.random.default_rng([self.posterior.seed, 4])
        other = float(np.quantile(np.abs(hyper.tau * rng.standard_normal(hyper.tau.shape)), 0.90))
        df = max(round(summary["nu"]["p50"]), LEAST_TAILS)
        return {
            "capex_drift": {"family": "normal", "p05": summary["mu"]["p05"], "p95": summary["mu"]["p95"]},
            "spending_drift.default": {"family": "normal", "p05": -other, "p95": other},
            "capex_common_sd": {
                "family": "truncated_normal",
                "lower": 0,
                **{name: common * summary["sigma_c"][name] for name in ("p05", "p95")},
            },
            "capex_own_sd.default": {
                "family": "lognormal",
                **{name: own * summary["sigma_o"][name] for name in ("p05", "p95")},
            },
            "capex_own_shock": {"family": "student_t", "df": df, "location": 0, "scale": float(np.sqrt((df - 2) / df))},
        }

    def document(self) -> dict[str, Any]:
        """Everything that is stored, unrounded."""
        posterior, known = self.posterior, self.posterior.record
        return {
            "about": "Posterior of the annual capex process of Microsoft, Alphabet, Amazon and Meta; see docs/fit.md.",
            "as_of": posterior.as_of,
            "made_by": f"chipcast fit capex --as-of {posterior.as_of} --seed {posterior.seed}",
            "version": version("chipcast"),
            "record": {
                "rows": "history/capex, metric capex, published by as_of",
                "growth_years": [known.years[1], known.years[-1]],
                "growths": int(np.isfinite(known.growth).sum()),
                "sha256": known.digest,
            },
            "method": {
                "sampler": METHOD,
                "nodes": NODES,
                "size": vars(posterior.size),
                "accepted": posterior.accepted,
                "hyper_priors": HYPER_PRIORS,
            },
            "parameters": {name: self.summary[name] for name in NAMES},
            "own_drift": {name[2:]: values for name, values in self.summary.items() if name.startswith("m.")},
            "correlations_of_mu_and_logs": dict(zip(NAMES, posterior.correlations().tolist(), strict=True)),
            "predictive_checks": {name: check._asdict() for name, check in self.checks.items()},
            "predictive_checks_quarterly": {name: check._asdict() for name, check in self.quarterly_checks.items()},
            "spread_factor": {name: each._asdict() for name, each in self.factors.items()},
            "coverage_when_learned_as_it_went": self.learned,
            "quarterly_process": self.quarters,
            "recommended": self.recommended(),
        }


def fit(
    rows: Iterable[Row],
    *,
    as_of: dt.date,
    last_year: int | None = None,
    seed: int = 0,
    size: Size = FULL,
    rolling_size: Size = ROLLING,
) -> Fit:
    """Fit, check and learn the spread factor from the rows published by a date.

    BookError: too few of them; ``fit_capex`` alone needs fewer than the checks and the factor.
    """
    rows = list(rows)
    last = record(rows, as_of=as_of, last_year=last_year).years[-1]
    if last < EARLIEST:
        problem = f"the record known by {as_of} ends in {last}; checks and factor need years up to {EARLIEST}"
        raise BookError("fit-early", problem, remedy="ask for a later date")
    posterior = fit_capex(rows, as_of=as_of, last_year=last_year, seed=seed, size=size)
    past = rolling(posterior, rolling_size)
    return Fit(
        posterior,
        predictive_checks(posterior),
        predictive_checks(posterior, partial(quarterly, scale=scale_needed())),
        {name: factor(getattr(past, name), past.origin, seed) for name in ("companies", "total")},
        learned(past),
        _quarters(posterior),
    )


def _quarters(posterior: Posterior) -> dict[str, dict[str, float]]:
    """Moments of annual growth under both processes at the posterior medians, and what the quarters lose."""
    years, draws = SHOCKS
    middle = {name: np.full(draws, np.median(getattr(posterior.hyper, name))) for name in NAMES}
    hyper = Hyper(**middle, own=np.zeros((len(posterior.record.companies), draws)))
    ratios = horizon_ratios()
    return {
        "annual": moments(simulate(hyper, years, _stream(posterior)), hyper)._asdict(),
        "quarterly": moments(quarterly(hyper, years, _stream(posterior)), hyper)._asdict(),
        "sd_ratio_from_a_known_year": {f"years_{h + 1}": ratio for h, ratio in enumerate(ratios)},
        "scale": {"needed": scale_needed()},
    }


def _stream(posterior: Posterior) -> np.random.Generator:
    return np.random.default_rng([posterior.seed, 5])


def write(made: Fit, folder: Path) -> Path:
    """Write ``capex_<as_of>.yaml``, numbers to four decimals, and give its path."""
    document = made.document()
    path = folder / f"capex_{document['as_of']}.yaml"
    text = yaml.safe_dump(_rounded(document), sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> dict[str, Any]:
    """A stored fit."""
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: round(each) if str(key).startswith("ess") else _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(float(value), DIGITS) if isinstance(value, float) else value
