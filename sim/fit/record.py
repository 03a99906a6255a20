"""The annual record that is fitted: log growth of each company's capex, as far as it was published by a date."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from sim.errors import BookError
from sim.history import Row, known_by

__all__ = ["COMPANIES", "Record", "record"]

COMPANIES = ("microsoft", "alphabet", "amazon", "meta")
METRIC = "capex"
FEWEST_YEARS = 3
"""Years of growth below which nothing can be said of their spread."""


@dataclass(frozen=True)
class Record:
    """Annual capex and its log growth; missing years are NaN (Meta before 2009)."""

    companies: tuple[str, ...]
    years: tuple[int, ...]
    level: Float64[np.ndarray, "company year"]  # bn USD
    digest: str  # sha256 of the keys and values used

    @property
    def growth(self) -> Float64[np.ndarray, "company year"]:
        """Log growth on the year before [1], from the second year on."""
        return np.diff(np.log(self.level), axis=1)

    @property
    def total_growth(self) -> Float64[np.ndarray, " year"]:
        """Log growth of the companies' sum [1], from the second year on; a company not yet reporting adds nothing."""
        return np.diff(np.log(np.nansum(self.level, axis=0)))

    def until(self, year: int) -> "Record":
        """The record up to a year, that year included."""
        kept = [i for i, each in enumerate(self.years) if each <= year]
        return Record(self.companies, tuple(self.years[i] for i in kept), self.level[:, kept], self.digest)


def record(rows: Iterable[Row], *, as_of: dt.date, last_year: int | None = None) -> Record:
    """The annual capex of the four companies published by a date, and up to ``last_year`` if one is given.

    BookError: a figure that is not positive, a company without a record, or too few years.
    """
    used = [row for row in known_by(rows, as_of) if row.metric == METRIC and row.entity in COMPANIES]
    used = [row for row in used if last_year is None or int(row.period) <= last_year]
    for row in used:
        if row.value <= 0:
            raise BookError("fit-value", f"{row.key}: {row.value} has no logarithm", remedy="capex is above zero")
    silent = [company for company in COMPANIES if company not in {row.entity for row in used}]
    first, last = (edge((int(row.period) for row in used), default=0) for edge in (min, max))
    if silent or last - first < FEWEST_YEARS:
        problem = f"known by {as_of}: {last - first} years of growth, nothing of {', '.join(silent) or 'nobody'}"
        raise BookError("fit-rows", problem, remedy="ask for a later date, or add annual capex rows")
    level = np.full((len(COMPANIES), last - first + 1), np.nan)
    for row in used:
        level[COMPANIES.index(row.entity), int(row.period) - first] = row.value
    text = "\n".join(sorted(f"{row.key},{row.value!r}" for row in used))
    return Record(COMPANIES, tuple(range(first, last + 1)), level, hashlib.sha256(text.encode()).hexdigest())
