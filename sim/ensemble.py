"""Joint draws of a few named quantities, of whatever periods they are told in, and of the beliefs behind them.

A summary holds cells; who scores, conditions or compares needs the draws themselves, of quarters, half-years and fiscal
quarters too. They are made again from the seed: draw i here is draw i of a run with the same seed.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from sim import devices, history
from sim.axes import OUTPUTS, Output
from sim.book.check import nearest
from sim.engine import Block, Engine
from sim.errors import BookError
from sim.world import World

__all__ = ["Ensemble", "Quantity", "ensemble", "quantity", "share_of"]

WRITTEN = re.compile(r"\s*(\w+)\s*\[\s*([^\[\],]+?)\s*,\s*([^\[\],]+?)\s*\]\s*")
EXAMPLE = "for example revenue[nvidia,2025Q3] or capex[reported,2025H2]"
PERIODS = "2025, 2025H2, 2025Q3, or FY2026 and FY26Q1 of a supplier with fiscal years"
LINE = "line"
"""The supplier's own reported line, of which accelerators may be a part: Broadcom's AI revenue for Google's TPU."""
REPORTED_SHARE = "reported_share"
WEEKS = 13
"""Weeks of a fiscal quarter, but the last, which takes what is left of its year."""
FISCAL = re.compile(r"FY(?:20)?(\d{2})(?:Q([1-4]))?")
CALENDAR = re.compile(r"(20\d{2})(?:([QH])([1-4]))?")

Span = tuple[dt.date, dt.date]


class Quantity(NamedTuple):
    """A weighted sum over quarters of rows of one output."""

    output: str
    label: str
    period: str
    rows: tuple[int, ...]
    weights: Float64[np.ndarray, " time"]

    @property
    def flow(self) -> str:
        """The output of the model that it is made of."""
        return "revenue" if self.output == LINE else self.output

    @property
    def declared(self) -> Output:
        """Unit and meaning of its output."""
        return OUTPUTS[self.flow]

    def __str__(self) -> str:
        return f"{self.output}[{self.label},{self.period}]"


class Ensemble(NamedTuple):
    """Draws of some quantities and, if asked for, of every number behind them, in the order of ``World.entries``."""

    quantities: Float64[np.ndarray, "quantity draw"]
    beliefs: Float32[np.ndarray, "entry draw"]


def quantity(world: World, text: str) -> Quantity:
    """The quantity written ``output[label,period]``; a label may also be ``total`` or, of capex, ``reported``.

    BookError: an output, label or period that is not there, with the nearest that is.
    """
    match = WRITTEN.fullmatch(text)
    if match is None:
        raise BookError("quantity-form", f"{text!r} is no output[label,period]", remedy=EXAMPLE)
    output, label, period = match.groups()
    if output != LINE and output not in OUTPUTS:
        raise BookError("quantity-output", f"{text}: no output {output!r}", remedy=nearest(output, [*OUTPUTS, LINE]))
    weights = _weights(world, output, label, period)
    if weights is None:
        raise BookError("quantity-period", f"{text}: no period {period!r} in the run", remedy=f"write {PERIODS}")
    return Quantity(output, label, period, _rows(world, text, output, label), weights)


def _rows(world: World, text: str, output: str, label: str) -> tuple[int, ...]:
    """Rows of an output's axis that a label stands for."""
    axes, dim = world.book.axes, "supplier" if output == LINE else OUTPUTS[output].dims[0]
    if output == LINE:
        there: dict[str, tuple[int, ...]] = {name: (axes[dim].index(name),) for name in axes["reported_supplier"]}
    else:
        there = {name: (row,) for row, name in enumerate(axes[dim])}
        if dim in ("supplier", "buyer", "capex_buyer"):
            there["total"] = tuple(range(len(axes[dim])))
        if dim == "capex_buyer":
            there["reported"] = tuple(axes[dim].index(name) for name in axes["reported_buyer"])
    if label not in there:
        raise BookError("quantity-label", f"{text}: no {dim} {label!r}", remedy=nearest(label, there))
    return there[label]


def _weights(world: World, output: str, label: str, period: str) -> Float64[np.ndarray, " time"] | None:
    """What of each quarter belongs to a period: the part of its days, or where stocks stand its end."""
    quarters = [history.quarter_span(quarter) for quarter in world.book.axes["time"]]
    span = _span(world, label, period)
    if span is None or span[0] < quarters[0][0] or span[1] > quarters[-1][1]:
        return None
    how = "sum" if output == LINE else OUTPUTS[output].annual
    days = np.array([history.days_in(span, quarter) for quarter in quarters], dtype=np.float64)
    if how == "last":
        return np.where(np.arange(len(days)) == np.flatnonzero(days)[-1], 1.0, 0.0)
    whole = np.array([history.days_in(quarter, quarter) for quarter in quarters])
    parts: Float64[np.ndarray, " time"] = days / whole
    return parts / parts.sum() if how == "mean" else parts


def _span(world: World, label: str, period: str) -> Span | None:
    """First and last day of a period; nothing for one that is not written as any, or has more parts than a year."""
    supplier = world.book.world.suppliers.get(label)
    if (match := FISCAL.fullmatch(period)) and supplier is not None and supplier.fiscal_year_end:
        year = 2000 + int(match[1])
        within = history.fiscal_years(supplier.fiscal_year_end, dt.date(year - 2, 1, 1), dt.date(year + 1, 12, 31))
        first, last = within[f"FY{year}"]
        if match[2] is None:
            return first, last
        number = int(match[2])
        begins = first + dt.timedelta(weeks=WEEKS * (number - 1))
        return begins, last if number == 4 else begins + dt.timedelta(weeks=WEEKS, days=-1)
    if not (match := CALENDAR.fullmatch(period)):
        return None
    months = {None: 12, "H": 6, "Q": 3}[match[2]]
    number = int(match[3] or 1)
    if number * months > 12:
        return None
    ends = history.quarter_span(f"{match[1]}Q{number * months // 3}")[1]
    return dt.date(int(match[1]), (number - 1) * months + 1, 1), ends


def ensemble(
    world: World,
    wanted: Sequence[Quantity],
    *,
    draws: int,
    seed: int = 0,
    beliefs: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Ensemble:
    """Draws 0 to ``draws`` - 1 of some quantities; ``beliefs`` are kept as well if asked for."""
    found, kept = np.empty((len(wanted), draws)), []
    lines = {each.label: share_of(world, each.label) for each in wanted if each.output == LINE}
    for block in Engine(world, seed, devices.mesh()).blocks(0, draws):
        last = block.first + block.values.shape[1]
        for row, each in enumerate(wanted):
            found[row, block.first : last] = _in_block(each, block, lines)
        if beliefs:
            kept.append(block.values)
        if progress is not None:
            progress(last)
    return Ensemble(found, np.concatenate(kept, axis=1) if kept else np.empty((0, draws), np.float32))


def share_of(world: World, label: str) -> int:
    """Row, among all entries, of the part of a reported line that is accelerators."""
    return [entry.stream for entry in world.entries].index(f"{REPORTED_SHARE}[{label}]")


def _in_block(wanted: Quantity, block: Block, shares: dict[str, int]) -> Float64[np.ndarray, " draw"]:
    """A quantity in each draw of a block."""
    flow = block.flows[wanted.flow]
    quarters = _quarters(wanted.weights)
    rows = flow[quarters][:, list(wanted.rows)].astype(np.float64).sum(axis=1)
    told: Float64[np.ndarray, " draw"] = wanted.weights[quarters] @ rows
    return told / block.values[shares[wanted.label]] if wanted.output == LINE else told


def _quarters(weights: Float64[np.ndarray, " time"]) -> Int64[np.ndarray, " quarter"]:
    return np.flatnonzero(weights)
