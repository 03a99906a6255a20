"""A world ready to draw: the book's structure, the numbers to draw, and the record known at its date.

Joins the book with cited history. Host side only, in float64; nothing here depends on a draw.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from sim import history
from sim.axes import INPUTS
from sim.book.load import priors_folder
from sim.book.schema import ELEMENT_DIMS, Book
from sim.distributions import Fixed
from sim.draws import Entry
from sim.errors import BookError
from sim.history import Row
from sim.model.structure import Structure

__all__ = ["Fiscal", "Guidance", "Record", "World", "build"]

QUARTERS = 4
WHOLE = ("shock_timing",)
"""Priors whose labels split a whole."""
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Guidance:
    """The year under guidance: what it asks for, what of it is reported, and which of its quarters are open."""

    year: str
    target: Float64[np.ndarray, " reported_buyer"]  # bn USD, middle of the range; 0 where there is none
    reported: Float64[np.ndarray, " reported_buyer"]  # bn USD of the year up to the hand-over
    open_quarters: Bool[np.ndarray, "4 reported_buyer"]  # the i-th quarter after the hand-over is of that year
    guided: Bool[np.ndarray, "time reported_buyer"]  # an open quarter of a guided year
    reach: Float64[np.ndarray, "time reported_buyer"]  # how far the ceiling on spending is in force


@dataclass(frozen=True)
class Fiscal:
    """Fiscal years of one supplier as sums of days: what was reported of them, and weights on the model's quarters."""

    supplier: str
    years: tuple[str, ...]
    known: Float64[np.ndarray, " fiscal_year"]  # bn USD of the reported line
    weights: Float64[np.ndarray, "fiscal_year time"]  # part of a quarter's unreported days in the fiscal year


@dataclass(frozen=True)
class Record:
    """What history says, quarter by quarter; money in bn USD."""

    handover: int  # index of the last quarter with every reported buyer's capex
    year: Float64[np.ndarray, " time"]  # decimal year at mid-quarter
    capex: Float64[np.ndarray, "time reported_buyer"]
    capex_growth: Float64[np.ndarray, " time"]
    line: Float64[np.ndarray, "time reported_supplier"]
    outlook: Float64[np.ndarray, "time reported_supplier"]  # the supplier's own outlook on the days it covers
    attach: Float64[np.ndarray, "time reported_supplier"]
    reported: Float64[np.ndarray, "time supplier"]  # part of the quarter's days that are reported or elicited
    cover: Float64[np.ndarray, "time supplier"]  # the same with the days under outlook
    guidance: Guidance
    fiscal: tuple[Fiscal, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the arrays, so that a corrected history file is another question."""
        arrays = [self.capex, self.capex_growth, self.line, self.outlook, self.attach, self.cover]
        arrays += [self.guidance.target, self.guidance.reach]
        arrays += [array for fiscal in self.fiscal for array in (fiscal.known, fiscal.weights)]
        digest = hashlib.sha256(str(self.handover).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class World:
    """A book, its history and what follows from both before any draw."""

    book: Book
    structure: Structure
    record: Record

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every number of a draw, in the order of ``INPUTS`` and of each prior's labels."""
        priors = self.book.priors
        return tuple(
            Entry(
                priors[name].stream(labels), _element(self.book, priors[name].dims, labels), priors[name].table[labels]
            )
            for name, labels in self.named
        )

    @cached_property
    def named(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Prior and labels of every number of a draw, in the order of ``entries``."""
        there = (name for name in INPUTS if name in self.book.priors)
        return tuple((name, labels) for name in there for labels in self.book.priors[name].table)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input without its draws, in the order of ``entries``."""
        return {name: tuple(len(self.book.axes[dim]) for dim in wanted.dims) for name, wanted in INPUTS.items()}

    @cached_property
    def year_index(self) -> Int64[np.ndarray, " time"]:
        """Index on the year axis of each quarter."""
        return np.array([self.book.axes["year"].index(quarter[:4]) for quarter in self.book.axes["time"]])

    @cached_property
    def season_index(self) -> Int64[np.ndarray, " time"]:
        """Index of each quarter within its year."""
        return np.array([int(quarter[-1]) - 1 for quarter in self.book.axes["time"]])


def build(book: Book, folder: Path | None = None) -> World:
    """The world of a book; ``folder`` holds the history files (the shipped ones by default).

    BookError: a buyer or supplier whose history is missing or has gaps.
    """
    _check_sums(book)
    folder = folder or priors_folder() / "history"
    known = {
        name: history.known_by(history.read(folder / f"{name}.csv"), book.as_of, retrospective=book.world.retrospective)
        for name in ("capex", "guidance", "revenue")
    }
    return World(book=book, structure=_structure(book), record=_record(book, known))


def _check_sums(book: Book) -> None:
    """BookError unless the medians of each prior that splits a whole add up to it."""
    for name in WHOLE:
        total = sum(distribution.quantile(0.5) for distribution in book.priors[name].table.values())
        if abs(total - 1) > SUM_TOLERANCE:
            remedy = "let its parts add up to 1"
            raise BookError("book-sum", f"{name}: the medians add up to {total:g}, not to 1", remedy=remedy)


def _element(book: Book, dims: tuple[str, ...], labels: tuple[str, ...]) -> int:
    """Place of a number in its stream: quarters or years since the start of the axis; 0 where there is neither."""
    places = [book.axes[dim].index(label) for dim, label in zip(dims, labels, strict=True) if dim in ELEMENT_DIMS]
    return places[0] if places else 0


def _structure(book: Book) -> Structure:
    axes, spec = book.axes, book.world
    pairs = [pair.split("/") for pair in axes["pair"]]

    def index(axis: str, labels: Iterable[str]) -> tuple[int, ...]:
        return tuple(axes[axis].index(label) for label in labels)

    return Structure(
        pair_buyer=index("buyer", (buyer for buyer, _ in pairs)),
        pair_supplier=index("supplier", (supplier for _, supplier in pairs)),
        chip_supplier=index("supplier", (chip.supplier for chip in spec.chips.values())),
        catalogue=index("chip", axes["catalogue_chip"]),
        successors=tuple(
            (axes["chip"].index(name), axes["chip"].index(chip.follows))
            for name, chip in spec.chips.items()
            if chip.follows is not None
        ),
        retiring=index("chip", axes["retiring_chip"]),
        **{f"{kind}_buyers": index("buyer", axes[f"{kind}_buyer"]) for kind in ("reported", "elicited", "direct")},
        **{
            f"{kind}_suppliers": index("supplier", axes[f"{kind}_supplier"])
            for kind in ("reported", "band", "units", "backcast")
        },
        buyers=len(axes["buyer"]),
        suppliers=len(axes["supplier"]),
        chips=len(axes["chip"]),
    )


def _record(book: Book, known: dict[str, list[Row]]) -> Record:
    quarters = book.axes["time"]
    capex, handover = _capex(book, known["capex"])
    lines = [_line(book, name, known["revenue"]) for name in book.axes["reported_supplier"]]
    reported = np.stack([_cover(book, name, handover, known["revenue"]) for name in book.axes["supplier"]], axis=1)
    outlook, expected = _outlooks(book, known["revenue"])
    return Record(
        handover=handover,
        year=np.array([int(quarter[:4]) + (int(quarter[-1]) - 0.5) / QUARTERS for quarter in quarters]),
        capex=capex,
        capex_growth=_growth(capex.sum(axis=1), handover),
        line=np.stack([line for line, _ in lines], axis=1),
        outlook=outlook,
        attach=np.stack([attach for _, attach in lines], axis=1),
        reported=reported,
        cover=np.minimum(reported + expected, 1),
        guidance=_guidance(book, known["guidance"], capex, handover),
        fiscal=tuple(
            _fiscal(book, name, known["revenue"], reported[:, i])
            for i, (name, supplier) in enumerate(book.world.suppliers.items())
            if supplier.fiscal_year_end
        ),
    )


def _capex(book: Book, rows: list[Row]) -> tuple[np.ndarray, int]:
    """Capex of the reported buyers by quarter, 0 after the last that all have, and the index of that quarter."""
    quarters, buyers = book.axes["time"], book.axes["reported_buyer"]
    columns = []
    for buyer in buyers:
        own = [row for row in rows if row.entity == buyer]
        years = [row for row in own if row.metric == "capex"]
        scaled = history.scaled_to_year([row for row in own if row.metric == "capex_quarter"], years, carry=True)
        by_quarter = {row.period: row.value for row in scaled}
        columns.append([by_quarter.get(quarter, np.nan) for quarter in quarters])
    capex = np.array(columns).T.reshape(len(quarters), len(buyers))
    complete = np.isfinite(capex).all(axis=1)
    handover = int(np.argmin(complete)) - 1 if not complete.all() else len(quarters) - 1
    if handover < 1:
        missing = ", ".join(buyer for i, buyer in enumerate(buyers) if not np.isfinite(capex[:2, i]).all())
        remedy = "add rows with metric capex_quarter, or write spending: elicited for the buyer"
        raise BookError("history-missing", f"no capital expenditure from {quarters[0]} on for {missing}", remedy=remedy)
    capex[handover + 1 :] = 0
    return capex, handover


def _growth(total: np.ndarray, handover: int) -> np.ndarray:
    """Growth of two quarters' capex against the two a quarter earlier; 1 where it is not known."""
    growth = np.ones_like(total)
    for t in range(2, handover + 1):
        growth[t] = (total[t] + total[t - 1]) / (total[t - 1] + total[t - 2])
    return growth


def _reported_rows(line: str | None, rows: list[Row]) -> list[Row]:
    """Fiscal quarters of one line, ``entity.metric``, scaled to its fiscal years."""
    own = [row for row in rows if f"{row.entity}.{row.metric}" == line and row.start]
    quarters = [row for row in own if "Q" in row.period]
    return history.scaled_to_year(quarters, [row for row in own if "Q" not in row.period])


def _line(book: Book, supplier: str, rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """A reported line by calendar quarter, and the share of it that is not accelerators.

    Before the first known share it is that one, after a known one it is that until the next.
    """
    spec, quarters = book.world.suppliers[supplier], book.axes["time"]
    reported = _reported_rows(spec.line, rows)
    line, cover = history.spread(reported, quarters)
    line[(cover < 1) & (np.arange(len(line)) == int(np.argmax(cover > 0)))] = 0  # a series begins with a whole quarter
    if not cover.any():
        remedy = f"add rows of {spec.line} to history/revenue.csv"
        raise BookError("history-missing", f"suppliers.{supplier}: no reported quarter of {spec.line}", remedy=remedy)
    if spec.accelerator_line is None:
        return line, np.zeros(len(quarters))
    parts = _reported_rows(spec.accelerator_line, rows)
    both = {row.period for row in parts}
    part, _ = history.spread(parts, quarters)
    whole, _ = history.spread([row for row in reported if row.period in both], quarters)
    known = np.flatnonzero(whole > 0)
    if not known.size:
        remedy = "leave accelerator_line out, or add its rows"
        raise BookError(
            "history-missing", f"suppliers.{supplier}: no quarter of {spec.accelerator_line} is known", remedy=remedy
        )
    nearest = known[np.clip(np.searchsorted(known, np.arange(len(quarters)), side="right") - 1, 0, None)]
    return line, 1 - part[nearest] / whole[nearest]


def _outlooks(book: Book, rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Outlook of reported suppliers by calendar quarter [bn USD], and the part of every supplier's days it covers.

    The newest outlook for the quarter after the last reported one.
    """
    axes = book.axes
    outlook = np.zeros((len(axes["time"]), len(axes["reported_supplier"])))
    cover = np.zeros((len(axes["time"]), len(axes["supplier"])))
    for i, name in enumerate(axes["reported_supplier"]):
        spec = book.world.suppliers[name]
        last = max(row.end for row in _reported_rows(spec.line, rows) if row.end)
        given = [row for row in rows if f"{row.entity}.{row.metric}" == spec.outlook_line and row.start]
        following = [row for row in given if row.start == last + dt.timedelta(days=1)]
        if following:
            newest = max(following, key=lambda row: row.published)
            outlook[:, i], cover[:, axes["supplier"].index(name)] = history.spread([newest], axes["time"])
    return outlook, cover


def _cover(book: Book, supplier: str, handover: int, rows: list[Row]) -> np.ndarray:
    """Part of each quarter that is reported or elicited; 1 before a series begins, when nothing is counted."""
    spec, quarters = book.world.suppliers[supplier], book.axes["time"]
    if spec.revenue == "backcast":
        cover = np.ones(len(quarters))
    elif spec.revenue == "reported":
        _, cover = history.spread(_reported_rows(spec.line, rows), quarters)
        cover[: int(np.argmax(cover > 0)) + 1] = 1
    else:
        table = book.priors[f"{'revenue' if spec.revenue == 'band' else 'units'}_band"].table
        given = [table[supplier, quarter] for quarter in quarters]
        known = [not (isinstance(member, Fixed) and member.value == 0) for member in given]
        cover = np.array(known, dtype=np.float64)
        cover[: int(np.argmax(cover > 0))] = 1
    if spec.revenue != "reported":
        cover[handover + 1 :] = 0
    return cover


def _guidance(book: Book, rows: list[Row], capex: np.ndarray, handover: int) -> Guidance:
    """Newest range for the calendar year after the hand-over; a single number is a range of no width."""
    quarters, buyers = book.axes["time"], book.axes["reported_buyer"]
    year = quarters[min(handover + 1, len(quarters) - 1)][:4]
    in_year = np.array([quarter[:4] == year for quarter in quarters])
    target = np.zeros(len(buyers))
    for i, buyer in enumerate(buyers):
        own = [row for row in rows if row.entity == buyer and row.period == year]
        if own:
            newest = max(row.published for row in own)
            target[i] = np.mean([row.value for row in own if row.published == newest])
    is_open = np.array([t > handover and in_year[t] for t in range(len(quarters))])
    ahead = [handover + 1 + i for i in range(QUARTERS)]
    open_quarters = np.array([[t < len(quarters) and is_open[t]] * len(buyers) for t in ahead])
    return Guidance(
        year=year,
        target=target,
        reported=capex[in_year & ~is_open].sum(axis=0),
        open_quarters=open_quarters & (target > 0),
        guided=is_open[:, None] & (target > 0),
        reach=_reach(is_open[:, None] & (target > 0)),
    )


def _reach(guided: np.ndarray) -> np.ndarray:
    """How far the ceiling on spending is in force: not in a guided year, then by quarters over the year after it."""
    since = np.zeros(guided.shape)
    for t in range(1, len(guided)):
        since[t] = np.where(guided[t - 1] & ~guided[t], 1, since[t - 1] + (since[t - 1] > 0))
    return np.where(guided, 0.0, np.where(since > 0, np.minimum(since / QUARTERS, 1), 1.0))


def _fiscal(book: Book, supplier: str, rows: list[Row], cover: np.ndarray) -> Fiscal:
    """Fiscal years wholly inside the axis: reported quarters as they are, unreported days as parts of the model's."""
    spec, quarters = book.world.suppliers[supplier], book.axes["time"]
    reported = _reported_rows(spec.line, rows)
    last = max(row.end for row in reported if row.end)
    spans = [history.quarter_span(quarter) for quarter in quarters]
    years = history.fiscal_years(spec.fiscal_year_end or 1, spans[0][0], spans[-1][1])
    weights = np.zeros((len(years), len(quarters)))
    for y, year in enumerate(years.values()):
        unreported = (max(year[0], last + dt.timedelta(days=1)), year[1])
        for t, span in enumerate(spans):
            if cover[t] < 1:
                open_days = (1 - cover[t]) * ((span[1] - span[0]).days + 1)
                weights[y, t] = history.days_in(unreported, span) / open_days
    known = [
        sum(row.value for row in reported if row.start and row.end and span[0] <= row.start and row.end <= span[1])
        for span in years.values()
    ]
    return Fiscal(supplier=supplier, years=tuple(years), known=np.array(known), weights=weights)
