"""The capex process forecast from each year since 2010, one to three years ahead, against a walk recalibrated alike."""

import datetime as dt

import numpy as np
from jaxtyping import Float64

from sim.backtest.opponents import METHODS, Growth, growths, recalibrated, walks
from sim.backtest.scored import OURS, Case
from sim.fit.record import Record
from sim.fit.spread import Origin, half_widths, origins, spread_factor

__all__ = ["cases", "factors"]

DRAWS = 6_400
COMPANIES, TOTAL = "company", "total"
Forecast = dict[str, Float64[np.ndarray, "series horizon draw"]]


def cases(record: Record, *, as_of: dt.date, seed: int = 0) -> list[Case]:
    """Forecasts of every company and of their total from every origin, by our process and by the simple methods.

    Each method's spread is multiplied by the factor that its own forecasts had shown by the origin (docs/fit.md). Our
    total is the sum of the companies' recalibrated draws and takes no factor of its own.
    """
    found, past = [], _Past()
    for origin in origins(record, as_of=as_of, seed=seed):
        companies = _companies(origin, seed)
        now = past.recalibrated(COMPANIES, origin.year, companies)
        total = _total(origin, seed)
        whole = past.recalibrated(TOTAL, origin.year, total)
        level = origin.past.level[:, -1, None, None]
        whole = {OURS: ((level * now[OURS]).sum(axis=0) / level.sum())[None], **whole}
        found += _cases(origin, COMPANIES, now, origin.came)
        found += _cases(origin, TOTAL, whole, origin.total_came[None])
        past.add(COMPANIES, origin.year, companies, origin.came)
        past.add(TOTAL, origin.year, total, origin.total_came[None])
    return found


def factors(record: Record, *, as_of: dt.date, seed: int = 0) -> dict[str, dict[str, float]]:
    """Spread factors of the simple methods by the end of a record, of ``company`` and ``total``."""
    past = _Past()
    for origin in origins(record, as_of=as_of, seed=seed):
        past.add(COMPANIES, origin.year, _companies(origin, seed), origin.came)
        past.add(TOTAL, origin.year, _total(origin, seed), origin.total_came[None])
    return {
        group: {method: past.factor(group, method, record.years[-1]) for method in METHODS}
        for group in (COMPANIES, TOTAL)
    }


class _Past:
    """Half-widths of what has come, by group and method, with its origin and the year in which it was known."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], list[tuple[int, int, np.ndarray]]] = {}

    def add(self, group: str, origin: int, growth: Forecast, came: Float64[np.ndarray, "series horizon"]) -> None:
        for method, draws in growth.items():
            distance = half_widths(draws, came)
            listed = self.seen.setdefault((group, method), [])
            listed += [(origin, origin + 1 + ahead, distance[:, ahead]) for ahead in range(came.shape[1])]

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


def _companies(origin: Origin, seed: int) -> Forecast:
    """Cumulative log growth of each company by method; the walks learn from all companies together."""
    past, ahead = origin.past, origin.came.shape[1]
    seen = past.growth[np.isfinite(past.growth)]
    rows = [_walked(growths(seen, float(own[-1])), ahead, [seed, origin.year, i]) for i, own in enumerate(past.growth)]
    return {OURS: origin.companies, **{method: np.stack([row[method] for row in rows]) for method in METHODS}}


def _total(origin: Origin, seed: int) -> Forecast:
    """The same of the total, by the simple methods."""
    seen, ahead = origin.past.total_growth, origin.came.shape[1]
    rows = _walked(growths(seen, float(seen[-1])), ahead, [seed, origin.year, len(origin.came)])
    return {method: draws[None] for method, draws in rows.items()}


def _walked(of: dict[str, Growth], ahead: int, seed: list[int]) -> dict[str, Float64[np.ndarray, "horizon draw"]]:
    return {method: walks(growth, ahead, DRAWS, seed, per_year=1) for method, growth in of.items()}


def _cases(origin: Origin, group: str, growth: Forecast, came: Float64[np.ndarray, "series horizon"]) -> list[Case]:
    names = origin.past.companies if group == COMPANIES else ("reported",)
    return [
        Case(
            metric=f"capex growth, {group}",
            quantity=f"capex[{name},{origin.year + 1 + ahead}] / capex[{name},{origin.year}]",
            made=str(origin.year),
            time=origin.year,
            horizon=ahead + 1,
            truth=float(np.exp(came[row, ahead])),
            error=0.0,
            draws={method: draws[row, ahead] for method, draws in growth.items()},
        )
        for row, name in enumerate(names)
        for ahead in range(came.shape[1])
    ]
