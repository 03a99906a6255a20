"""The capex process forecast from each year since 2010, one to three years ahead, against a walk recalibrated alike."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from sim.backtest.opponents import METHODS, Growth, growths, recalibrated, walks
from sim.backtest.scored import OURS, Case
from sim.fit.record import Record
from sim.fit.spread import Past, half_widths, origins, pasts, spread_factor

__all__ = ["cases", "factors"]

DRAWS = 6_400
COMPANY, TOTAL = "company", "total"
Forecast = dict[str, Float64[np.ndarray, "series horizon draw"]]


def cases(record: Record, *, as_of: dt.date, seed: int = 0) -> list[Case]:
    """Forecasts of every company and of their total from every origin, by our process and by the simple methods.

    Each method's spread is multiplied by the factor that its own forecasts had shown by the origin (docs/fit.md). Our
    total is the sum of the companies' recalibrated draws and takes no factor of its own.
    """
    found, seen = [], _Seen()
    for past, companies, _ in origins(record, as_of=as_of, seed=seed):
        simple = _simple(past, seed)
        own = {OURS: companies, **simple[COMPANY]}
        now, whole = seen.recalibrated(COMPANY, past.year, own), seen.recalibrated(TOTAL, past.year, simple[TOTAL])
        level = past.known.level[:, -1, None, None]
        whole = {OURS: ((level * now[OURS]).sum(axis=0) / level.sum())[None], **whole}
        found += _cases(past, COMPANY, now, past.came)
        found += _cases(past, TOTAL, whole, past.total_came[None])
        seen.add(past, {COMPANY: own, TOTAL: simple[TOTAL]})
    return found


def factors(record: Record, seed: int = 0) -> dict[str, dict[str, float]]:
    """Spread factors of the simple methods by the end of a record, of ``company`` and ``total``."""
    seen = _Seen()
    for past in pasts(record):
        seen.add(past, _simple(past, seed))
    return {
        group: {method: seen.factor(group, method, record.years[-1]) for method in METHODS}
        for group in (COMPANY, TOTAL)
    }


class _Seen:
    """Half-widths of what has come, by group and method, with its origin and the year in which it was known."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], list[tuple[int, int, np.ndarray]]] = {}

    def add(self, past: Past, growth: Mapping[str, Forecast]) -> None:
        for group, came in ((COMPANY, past.came), (TOTAL, past.total_came[None])):
            for method, draws in growth[group].items():
                distance = half_widths(draws, came)
                listed = self.seen.setdefault((group, method), [])
                listed += [(past.year, past.year + 1 + ahead, distance[:, ahead]) for ahead in range(came.shape[1])]

    def factor(self, group: str, method: str, year: int) -> float:
        known = [(origin, far) for origin, when, far in self.seen.get((group, method), []) if when <= year]
        if not known:
            return 1.0
        return spread_factor(np.concatenate([far for _, far in known]), len({origin for origin, _ in known}))

    def recalibrated(self, group: str, year: int, growth: Forecast) -> Forecast:
        """Growth as a factor [1], its spread as known by a year."""
        return {
            method: recalibrated(np.exp(draws), self.factor(group, method, year)) for method, draws in growth.items()
        }


def _simple(past: Past, seed: int) -> dict[str, Forecast]:
    """Cumulative log growth by the simple methods; those of companies learn from all companies together."""
    known, ahead = past.known, past.came.shape[1]
    seen, whole = known.growth[np.isfinite(known.growth)], known.total_growth
    rows = [_walked(growths(seen, float(own[-1])), ahead, [seed, past.year, i]) for i, own in enumerate(known.growth)]
    total = _walked(growths(whole, float(whole[-1])), ahead, [seed, past.year, len(rows)])
    return {
        COMPANY: {method: np.stack([row[method] for row in rows]) for method in METHODS},
        TOTAL: {method: draws[None] for method, draws in total.items()},
    }


def _walked(of: dict[str, Growth], ahead: int, seed: list[int]) -> dict[str, Float64[np.ndarray, "horizon draw"]]:
    return {method: walks(growth, ahead, DRAWS, seed, per_year=1) for method, growth in of.items()}


def _cases(past: Past, group: str, growth: Forecast, came: Float64[np.ndarray, "series horizon"]) -> list[Case]:
    names = past.known.companies if group == COMPANY else ("reported",)
    return [
        Case(
            metric=f"capex growth, {group}",
            quantity=f"capex[{name},{past.year + 1 + ahead}] / capex[{name},{past.year}]",
            made=str(past.year),
            time=past.year,
            horizon=ahead + 1,
            truth=float(np.exp(came[row, ahead])),
            error=0.0,
            draws={method: draws[row, ahead] for method, draws in growth.items()},
        )
        for row, name in enumerate(names)
        for ahead in range(came.shape[1])
    ]
