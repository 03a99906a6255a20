"""Cited history: the rows of ``priors/history`` known by a date, and their spread over calendar quarters.

All files share one header; ``key`` is unique within a file and is what citations point to. A row counts as known on a
date if it was first published by then; a bare month or year means its last day.
"""

import csv
import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from sim.errors import BookError, Place

__all__ = [
    "COLUMNS",
    "Row",
    "days_in",
    "fiscal_years",
    "is_retrospective",
    "known_by",
    "quarter_span",
    "read",
    "scaled_to_year",
    "spread",
]

COLUMNS = (
    *("key", "entity", "metric", "period", "start", "end", "value", "unit", "definition"),
    *("first_published", "source", "url", "source_kind", "note"),
)
ONE_DAY = dt.timedelta(days=1)
MOST_DIGITS = 40
DATED = re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}")
"""A day, a month or a year."""


@dataclass(frozen=True)
class Row:
    """One published figure. ``start`` and ``end`` are the first and last day it covers, where it covers days."""

    key: str
    entity: str
    metric: str
    period: str
    start: dt.date | None
    end: dt.date | None
    value: float
    unit: str
    published: dt.date
    source: str
    source_kind: str
    note: str


def read(path: Path) -> list[Row]:
    """All rows of one history file.

    BookError: another header, another number of cells, a bad date or number, a key twice.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        try:
            return list(_rows(reader, str(path)))
        except csv.Error as error:
            place = Place(str(path), reader.line_num)
            raise BookError("history-cells", str(error), place=place, remedy="close the quotes") from None


def _rows(reader: "csv.DictReader[str]", file: str) -> Iterator[Row]:
    if tuple(reader.fieldnames or ()) != COLUMNS:
        remedy = "begin the file with " + ",".join(COLUMNS)
        raise BookError("history-header", "unexpected columns", place=Place(file, 1), remedy=remedy)
    keys = set()
    for record in reader:
        place = Place(file, reader.line_num)
        if None in record or None in record.values():
            problem = f"{_named(record)}: not {len(COLUMNS)} cells"
            raise BookError("history-cells", problem, place=place, remedy="quote a cell that holds a comma")
        row = _row(record, place)
        if row.key in keys:
            problem = f"the key {row.key!r} stands twice"
            raise BookError("history-duplicate", problem, place=place, remedy="keys are unique within a file")
        keys.add(row.key)
        yield row


def _named(record: Mapping[str, str]) -> str:
    """What a message calls a row."""
    return (record["key"].splitlines() or [""])[0][:60] or "a row"


def _row(record: Mapping[str, str], place: Place) -> Row:
    try:
        row = Row(
            **{
                name: record[name]
                for name in ("key", "entity", "metric", "period", "unit", "source", "source_kind", "note")
            },
            start=_day(record["start"]) if record["start"] else None,
            end=_day(record["end"]) if record["end"] else None,
            value=_number(record["value"]),
            published=_last_day(record["first_published"]),
        )
        if not math.isfinite(row.value):
            raise ValueError(f"the value {record['value']!r} is not finite")
        if row.start and row.end and row.end < row.start:
            raise ValueError(f"it ends on {row.end}, before it starts on {row.start}")
        return row
    except ValueError as error:
        problem = f"{_named(record)}: {error}"
        raise BookError("history-value", problem, place=place, remedy="dates are 2026-02-28, numbers plain") from None


def _day(text: str) -> dt.date:
    """A day written ``2026-02-28``: Python also knows weeks and days without hyphens. ValueError: none."""
    if not DATED.fullmatch(text) or len(text) != len("2026-02-28"):
        raise ValueError(f"{text[:40]!r} is no day")
    return dt.date.fromisoformat(text)


def _number(text: str) -> float:
    """A number in plain digits: Python also knows ``1_000`` and other scripts' digits. ValueError: none."""
    if not text.isascii() or "_" in text or len(text) > MOST_DIGITS:
        raise ValueError(f"could not convert {text!r:.40} to a number")
    return float(text)


def _last_day(text: str) -> dt.date:
    """The day a date names; the last day of a bare month or year."""
    if not DATED.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no day, month or year")
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return dt.date(*parts)
    first = dt.date(*parts, *(12, 1)[len(parts) - 1 :])
    return dt.date(first.year + first.month // 12, first.month % 12 + 1, 1) - ONE_DAY


def known_by(rows: Iterable[Row], as_of: dt.date, *, retrospective: bool = False) -> list[Row]:
    """Rows first published on or before a date; on request also those that were made later to look back."""
    return [row for row in rows if row.published <= as_of or (retrospective and is_retrospective(row))]


def is_retrospective(row: Row) -> bool:
    """Whether a row was made later to describe the past, so that it may inform no earlier vintage."""
    return row.note.startswith("retrospective") or row.source_kind == "retrospective_input"


def quarter_span(quarter: str) -> tuple[dt.date, dt.date]:
    """First and last day of a calendar quarter written ``2025Q3``."""
    year, number = int(quarter[:4]), int(quarter[-1])
    following = dt.date(year + number // 4, 3 * number % 12 + 1, 1)
    return dt.date(year, 3 * number - 2, 1), following - ONE_DAY


def days_in(span: tuple[dt.date, dt.date], within: tuple[dt.date, dt.date]) -> int:
    """Days of one span that lie within another, ends included."""
    return max((min(span[1], within[1]) - max(span[0], within[0])).days + 1, 0)


def spread(
    rows: Iterable[Row], quarters: Sequence[str]
) -> tuple[Float64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
    """Flows of fiscal periods by days of overlap with calendar quarters: the amounts, and the part of days covered.

    Each amount is spread evenly over its own days, so that what falls inside the quarters is conserved.
    """
    spans = [quarter_span(quarter) for quarter in quarters]
    amounts, covered = np.zeros(len(quarters)), np.zeros(len(quarters))
    for row in rows:
        if row.start is None or row.end is None:
            continue
        length = (row.end - row.start).days + 1
        overlap = np.array([days_in((row.start, row.end), span) for span in spans], dtype=np.float64)
        amounts += row.value * overlap / length
        covered += overlap
    return amounts, covered / np.array([(last - first).days + 1 for first, last in spans])


def scaled_to_year(quarters: Sequence[Row], years: Iterable[Row], *, carry: bool = False) -> list[Row]:
    """Quarters multiplied so that those of a year add up to the year's own figure, where all its days are covered.

    It removes rounding, and puts quarters on the year's definition (Amazon's gross purchases on the year's net). With
    ``carry`` quarters after the last such year are multiplied as it was: their own year is not known yet.
    """
    scaled, end, factor = list(quarters), dt.date.max, 1.0
    for year in sorted(years, key=lambda row: row.end or dt.date.min):
        inside = [i for i, row in enumerate(scaled) if _within(row, year)]
        if inside and sum(_length(scaled[i]) for i in inside) == _length(year):
            end, factor = year.end or dt.date.max, year.value / sum(scaled[i].value for i in inside)
            for i in inside:
                scaled[i] = replace(scaled[i], value=scaled[i].value * factor)
    if not carry:
        return scaled
    return [replace(row, value=row.value * factor) if row.start and row.start > end else row for row in scaled]


def _within(row: Row, year: Row) -> bool:
    """Whether all days that a row covers are days of another."""
    if row.start is None or row.end is None or year.start is None or year.end is None:
        return False
    return year.start <= row.start and row.end <= year.end


def _length(row: Row) -> int:
    """Days that a row covers."""
    return (row.end - row.start).days + 1 if row.start and row.end else 0


def fiscal_years(month: int, first: dt.date, last: dt.date) -> dict[str, tuple[dt.date, dt.date]]:
    """Fiscal years that end on the last Sunday of a month, among those that lie wholly between two days, by name."""
    years = {}
    for year in range(first.year, last.year + 2):
        span = (_last_sunday(year - 1, month) + ONE_DAY, _last_sunday(year, month))
        if first <= span[0] and span[1] <= last:
            years[f"FY{year}"] = span
    return years


def _last_sunday(year: int, month: int) -> dt.date:
    last = dt.date(year + month // 12, month % 12 + 1, 1) - ONE_DAY
    return last - dt.timedelta(days=(last.weekday() + 1) % 7)
