"""Observed figures: a strict CSV of metric, entity, period, value and error, and how likely each draw makes them.

Errors are normal and independent of each other, in the value itself: two rows that share an error count it twice.
"""

import csv
import hashlib
import math
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from sim.axes import OUTPUTS
from sim.book import files
from sim.book.check import Faults, nearest
from sim.book.yaml import NUMBER
from sim.engine import PILOT
from sim.ensemble import LINE, Quantity, ensemble, quantity
from sim.errors import BookError, Place
from sim.world import World

__all__ = ["COLUMNS", "Observation", "digest", "log_likelihood", "quantities", "read", "residuals"]

COLUMNS = ("metric", "entity", "period", "value", "error")
HEADER = ",".join(COLUMNS)
SIGNED = ("net_income",)
"""Outputs that may be 0 or less."""
PERCENT = 0.01
SPREAD = 1e-5
"""Spread over size [1] below which draws are one known number in float32."""
SCALE = 100.0
"""Factor beyond all draws at which a value is in another unit, not surprising."""


class Observation(NamedTuple):
    """One observed figure and its standard error, both in the unit of its metric."""

    metric: str
    entity: str
    period: str
    value: float
    error: float
    place: Place

    def __str__(self) -> str:
        return f"{self.metric}[{self.entity},{self.period}]"


def read(path: str | Path) -> list[Observation]:
    """All observations of a file; an ``error`` such as ``5%`` is relative to the value.

    BookError: another header, an unreadable file, another number of cells, a bad number, an error that is not
    positive, the same line twice; with file and line, all of them at once.
    """
    lines = list(csv.reader(StringIO(_text(Path(path))), strict=True))
    place = Place(str(path), 1)
    if not lines or tuple(lines[0]) != COLUMNS:
        missing = [name for name in COLUMNS if not lines or name not in lines[0]]
        problem = f"no column {', '.join(missing)}" if missing else "other columns, or in another order"
        raise BookError("observation-header", problem, place=place, remedy=f"begin the file with {HEADER}")
    faults, found = Faults(), dict[tuple[object, ...], Observation]()
    for number, cells in enumerate(lines[1:], start=2):
        if not cells:
            continue
        with faults.collect():
            row = _row(cells, Place(str(path), number))
            if (first := found.setdefault(row[:-1], row)) is not row:
                problem, remedy = f"the same as line {first.place.line}", "keep one; a second measurement differs"
                raise BookError("observation-twice", f"{row}: {problem}", place=row.place, remedy=remedy)
    faults.check()
    if not found:
        raise BookError("observation-none", "no observation", place=place, remedy="add a line under the header")
    return list(found.values())


def _text(path: Path) -> str:
    """The text of a file whose lines are rows."""
    text = files.text(path, unreadable="observation-file", unfit="observation-text")
    if '"' in text:
        place, remedy = Place(str(path), text[: text.index('"')].count("\n") + 1), "write no cell in quotes"
        raise BookError("observation-text", "holds a quotation mark", place=place, remedy=remedy)
    return text


def _row(cells: list[str], place: Place) -> Observation:
    if len(cells) != len(COLUMNS):
        problem, remedy = f"{len(cells)} cells, not {len(COLUMNS)}", f"write {HEADER}, no comma within a number"
        raise BookError("observation-cells", problem, place=place, remedy=remedy)
    metric, entity, period, *numbers = (cell.strip() for cell in cells)
    value = _number("value", numbers[0], place)
    relative = numbers[1].endswith("%")
    error = _number("error", numbers[1].removesuffix("%"), place) * (PERCENT * abs(value) if relative else 1)
    if not error > 0:
        problem, remedy = f"error: {numbers[1]} is not above 0", "write a standard error, such as 1.5 or 5%"
        raise BookError("observation-error", problem, place=place, remedy=remedy)
    return Observation(metric, entity, period, value, error, place)


def _number(name: str, text: str, place: Place) -> float:
    number = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        problem, remedy = f"{name}: {text[:40]!r} is no number", "write it plainly, such as 1250.5"
        raise BookError("observation-number", problem, place=place, remedy=remedy)
    return number


def quantities(world: World, observations: Sequence[Observation]) -> list[Quantity]:
    """What of the model each observation is of.

    BookError: an unknown metric, entity or period, a period that the record knows or of which the metric says
    nothing, a value that cannot be; each at its file and line, all of them at once.
    """
    faults, found = Faults(), []
    for each in observations:
        with faults.collect():
            found.append(_quantity(world, each))
    faults.check()
    pilot = ensemble(world, found, draws=PILOT).quantities
    for each, drawn in zip(observations, pilot, strict=True):
        with faults.collect():
            _check_drawn(each, drawn)
    faults.check()
    return found


def _quantity(world: World, observed: Observation) -> Quantity:
    try:
        found = quantity(world, str(observed))
    except BookError as error:
        remedy = error.remedy
        if error.code == "quantity-period":
            remedy = nearest(observed.period, _periods(world)) + f"; {remedy}"
        raise BookError(error.code, error.problem, place=observed.place, remedy=remedy) from None
    _check_period(world, observed, found)
    _check_value(observed, found)
    return found


def _periods(world: World) -> list[str]:
    """Calendar periods of the run."""
    halves = [f"{year}H{half}" for year in world.book.axes["year"] for half in (1, 2)]
    return [*world.book.axes["time"], *world.book.axes["year"], *halves]


def _check_period(world: World, observed: Observation, found: Quantity) -> None:
    """BookError: a period that is reported already, or of which a forecast says nothing."""
    handover, inside = world.record.handover, np.flatnonzero(found.weights)
    first = world.book.axes["time"][handover + 1 : handover + 2]
    if found.output != LINE and found.declared.forecast_only and inside[0] <= handover:
        problem, remedy = f"{observed} says nothing of the record", f"take a period from {'-'.join(first)} on"
        raise BookError("observation-record", problem, place=observed.place, remedy=remedy)
    if found.output == LINE:
        reported = world.record.reported[:, found.rows[0]]
        known = bool(np.all(found.weights <= reported + SPREAD))
    else:
        reported_buyers = {world.book.axes["capex_buyer"].index(name) for name in world.book.axes["reported_buyer"]}
        known = found.output == "capex" and inside[-1] <= handover and set(found.rows) <= reported_buyers
    if known:
        raise _known(observed)


def _known(observed: Observation) -> BookError:
    remedy = "leave it out, or condition an earlier book, such as --as-of 2025-02-12"
    return BookError("observation-known", f"{observed} is in the record already", place=observed.place, remedy=remedy)


def _check_value(observed: Observation, found: Quantity) -> None:
    """BookError: a value outside what the quantity can be."""
    unit = found.declared.unit
    if observed.value <= 0 and found.output not in SIGNED:
        problem, remedy = f"{observed} cannot be {observed.value:g}", f"write a value above 0, in {unit}"
    elif unit == "1" and observed.value > 1:
        problem, remedy = f"{observed} is a share and cannot be {observed.value:g}", "write 30% as 0.3"
    else:
        return
    raise BookError("observation-impossible", problem, place=observed.place, remedy=remedy)


def _check_drawn(observed: Observation, drawn: Float64[np.ndarray, " draw"]) -> None:
    """BookError: the model knows the value, or it is out of proportion to all draws."""
    low, high = float(drawn.min()), float(drawn.max())
    if high - low <= SPREAD * max(abs(low), abs(high)):
        raise _known(observed)
    size = max(abs(low), abs(high))
    if abs(observed.value) > SCALE * size or 0 < observed.value * SCALE < low:
        problem = f"{observed}: {observed.value:g} is out of proportion to the run, {low:.4g} to {high:.4g}"
        remedy = f"write it in {OUTPUTS.get(observed.metric, OUTPUTS['revenue']).unit}"
        raise BookError("observation-impossible", problem, place=observed.place, remedy=remedy)


def residuals(
    observations: Sequence[Observation], drawn: Float64[np.ndarray, "quantity draw"]
) -> Float64[np.ndarray, "quantity draw"]:
    """How far each draw lies below each value, in standard errors."""
    value, error = (np.array([getattr(each, name) for each in observations])[:, None] for name in ("value", "error"))
    found: Float64[np.ndarray, "quantity draw"] = (value - drawn) / error
    return found


def log_likelihood(residuals: Float64[np.ndarray, "quantity draw"]) -> Float64[np.ndarray, " draw"]:
    """Log density of the observations in each draw, but for a constant."""
    return -np.einsum("qd,qd->d", residuals, residuals) / 2


def digest(observations: Sequence[Observation]) -> str:
    """SHA-256 of the observations, whatever the order of their lines."""
    rows = sorted(",".join((*each[:3], repr(each.value), repr(each.error))) for each in observations)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
