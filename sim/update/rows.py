"""Rows that are to join the cited history, held against what stands there."""

import csv
import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from sim import history
from sim.book import files
from sim.book.check import Faults, nearest
from sim.errors import BookError, Place
from sim.history import COLUMNS, Row

__all__ = ["Checked", "Restated", "check", "write"]

KINDS = ("primary", "primary_via_aggregator", "report", "secondary", "derived", "estimate")
"""Kinds of source that may stand alone under a row."""
CHANGED = "definition:"
"""How a row's note begins whose definition is another than before."""


class Restated(NamedTuple):
    """A figure printed again with another value; the first print stays in the record."""

    row: Row
    before: Row


class Checked(NamedTuple):
    """Rows that are new, with the history file each belongs to, and those that restate what is there."""

    new: tuple[tuple[str, Row], ...]
    restated: tuple[Restated, ...]
    known_by: dt.date
    """The day of the newest of them."""


class _Series(NamedTuple):
    """What the history holds of one entity and metric."""

    file: str
    unit: str
    definitions: tuple[str, ...]
    """All it has been printed on, the newest last."""
    by_period: Mapping[str, Row]


def check(path: Path, folder: Path) -> Checked:
    """Rows of a file in the form of the cited history, checked against the history in ``folder``.

    BookError, by file and line and all at once: a series that is not there, another unit or definition, a row that is
    there already, a figure published before its period ended, a source that does not stand alone.
    """
    files.text(path, unreadable="history-file", unfit="history-text")
    rows = history.read(path)
    known, written, faults = _series(folder), _raw(path), Faults()
    new: list[tuple[str, Row]] = []
    restated: list[Restated] = []
    for row in rows:
        line, definition = written[row.key]
        with faults.collect():
            series = _checked(row, definition, known, Place(str(path), line))
            before = series.by_period.get(row.period)
            if before is None:
                new.append((series.file, row))
            else:
                restated.append(Restated(row, before))
    faults.check()
    if not new and not restated:
        raise BookError("update-empty", "no row", place=Place(str(path), 1), remedy="add a row under the header")
    return Checked(
        tuple(new), tuple(restated), max(row.published for row in [*(r for _, r in new), *(r.row for r in restated)])
    )


def _raw(path: Path) -> dict[str, tuple[int, str]]:
    """Line and definition of each row by its key."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return {record["key"]: (reader.line_num, record["definition"]) for record in reader if "definition" in record}


def _series(folder: Path) -> dict[tuple[str, str], _Series]:
    found: dict[tuple[str, str], _Series] = {}
    for file in sorted(folder.glob("*.csv")):
        definitions = _raw(file)
        for row in history.read(file):
            before = found.get((row.entity, row.metric))
            by_period = {**(before.by_period if before else {}), row.period: row}
            words = (*(before.definitions if before else ()), _words(definitions[row.key][1]))
            found[row.entity, row.metric] = _Series(file.name, row.unit, tuple(dict.fromkeys(words)), by_period)
    return found


def _words(definition: str) -> str:
    """A definition without how the figure was derived, which stands in brackets at its end."""
    return definition.partition(" [")[0]


def _checked(row: Row, definition: str, known: Mapping[tuple[str, str], _Series], place: Place) -> _Series:
    """The series a row belongs to. BookError: it does not."""
    series = known.get((row.entity, row.metric))
    if series is None:
        remedy = nearest(f"{row.entity}.{row.metric}", [".".join(name) for name in known])
        raise BookError("update-series", f"{row.key}: no such series in the history", place=place, remedy=remedy)
    if row.unit != series.unit:
        problem = f"{row.key}: in {row.unit!r}, not {series.unit!r}"
        raise BookError("update-unit", problem, place=place, remedy=f"write it in {series.unit}")
    if _words(definition) not in series.definitions and not row.note.startswith(CHANGED):
        problem = f"{row.key}: another definition than {series.file} has: {series.definitions[-1]!r}"
        remedy = f"use that figure and those words, or begin the note with '{CHANGED}' and say what changed"
        raise BookError("update-definition", problem, place=place, remedy=remedy)
    before = series.by_period.get(row.period)
    if before is not None and before.value == row.value:
        raise BookError("update-twice", f"{row.key}: is there already", place=place, remedy="leave the row out")
    if row.end is not None and row.published <= row.end:
        problem = f"{row.key}: published on {row.published}, before its period ended"
        raise BookError("update-early", problem, place=place, remedy="check first_published and the period")
    if not row.source.strip() or row.source_kind not in KINDS:
        problem = f"{row.key}: {row.source_kind or 'no kind of source'!r} does not stand alone"
        raise BookError("update-source", problem, place=place, remedy=f"cite one that is {', '.join(KINDS)}")
    return series


def write(path: Path, checked: Checked, folder: Path) -> list[Path]:
    """Append the new rows, as they are written, to the history files they belong to; restatements are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        records = {record["key"]: record for record in csv.DictReader(file)}
    changed = sorted({folder / name for name, _ in checked.new})
    for target in changed:
        append(target, (records[row.key] for name, row in checked.new if name == target.name))
    return changed


def append(target: Path, records: Iterable[Mapping[str, str]]) -> None:
    """Add records to a history file, through a file beside it so that it is never half written."""
    beside = target.with_suffix(".csv.new")
    text = target.read_text(encoding="utf-8")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text if text.endswith("\n") else f"{text}\n")
        csv.DictWriter(file, COLUMNS, lineterminator="\n").writerows(records)
    beside.replace(target)
