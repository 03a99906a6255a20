"""A forecast written down for good: quantiles of every scored figure, dated and hashed, to be scored when it comes."""

import csv
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from rich.markup import escape
from rich.table import Table

from sim import history
from sim.backtest.outcomes import EPOCH
from sim.backtest.scored import OURS, Case, Scored, scored
from sim.book import files
from sim.book.check import nearest
from sim.book.yaml import NUMBER
from sim.engine import STREAM_VERSION
from sim.ensemble import Quantity, ensemble, quantity
from sim.errors import BookError, IntegrityError, Place
from sim.world import World

__all__ = ["DRAWS", "LEVELS", "freeze", "read", "refuse_existing", "score", "scores", "table", "write"]

FORMAT = 1
MAX_BYTES = 20_000_000
DRAWS = 102_400
YEARS = 3
"""Years after the hand-over that are frozen."""
TAILS = (0.001, 0.002, 0.005)
LEVELS = (*TAILS, *(each / 100 for each in range(1, 100)), *(1 - each for each in reversed(TAILS)))
"""Probabilities of the quantiles that are kept."""
POINTS = 4_096
"""Draws that stand for a frozen distribution when it is scored, evenly spread over its quantile function."""
COLUMNS = ("metric", "entity", "period", "value", "error")
DIGITS = 6
DAYS = 365.25
"""Of a year."""
SUPPLIERS = ("amd", "amazon_trainium")
"""Suppliers without a line of their own whose revenue is frozen."""


def freeze(world: World, *, seed: int = 0, draws: int = DRAWS) -> dict[str, Any]:
    """Quantiles of every figure that a later record may hold, as a document with its own SHA-256."""
    asked = [quantity(world, text) for text in _quantities(world)]
    wanted = [each for each in asked if not _told(world, each)]
    made = ensemble(world, wanted, draws=draws, seed=seed).quantities
    figures = {
        str(each): {
            "unit": each.declared.unit,
            "end": _end(world, each).isoformat(),
            "quantiles": [_digits(q) for q in np.quantile(values, LEVELS)],
        }
        for each, values in zip(wanted, made, strict=True)
    }
    document = {
        "format": FORMAT,
        "title": f"chipcast {world.book.name}",
        "as_of": world.book.as_of.isoformat(),
        "book_sha256": world.book.digest,
        "stream_version": STREAM_VERSION,
        "seed": str(seed),
        "draws": draws,
        "levels": [round(level, 3) for level in LEVELS],
        "figures": figures,
    }
    return document | {"sha256": _digest(document)}


def _told(world: World, asked: Quantity) -> bool:
    """Whether a supplier has reported its line up to the last day of a period."""
    if asked.output != "line":
        return False
    last = np.flatnonzero(asked.weights)[-1]
    return bool(world.record.reported[last, world.book.axes["supplier"].index(asked.label)] >= asked.weights[last])


def _end(world: World, asked: Quantity) -> dt.date:
    """Last day of a period, which begins with or before its last quarter."""
    last = np.flatnonzero(asked.weights)[-1]
    quarter = history.quarter_span(world.book.axes["time"][last])
    days = round(float(asked.weights[last]) * history.days_in(quarter, quarter))
    return quarter[0] + (days - 1) * history.ONE_DAY


def _digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _digest(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _quantities(world: World) -> Iterator[str]:
    """Figures that companies or Epoch AI will tell, by quarter and by year."""
    axes, handover = world.book.axes, world.record.handover
    first = int(axes["time"][handover + 1][:4])
    ahead = [str(year) for year in range(first, first + YEARS) if str(year) in axes["year"]]
    quarters = [quarter for quarter in axes["time"][handover + 1 :] if quarter[:4] in ahead]
    for label in (*axes["reported_buyer"], "reported"):
        yield from (f"capex[{label},{period}]" for period in (*quarters, *ahead))
    for supplier in axes["reported_supplier"]:
        yield from (f"line[{supplier},{period}]" for period in (*quarters, *ahead))
    for fiscal in world.record.fiscal:
        told = [f"FY{int(year) % 100}Q{n}" for year in ahead for n in range(1, 5)]
        yield from (f"line[{fiscal.supplier},{period}]" for period in (*told, *(f"FY{year}" for year in ahead)))
    for output, suppliers in (("revenue", SUPPLIERS), ("h100e8", (*EPOCH, "amazon_trainium")), ("h100e", ("total",))):
        yield from (
            f"{output}[{supplier},{year}]"
            for supplier in suppliers
            for year in ahead
            if supplier in (*axes["supplier"], "total")
        )


def write(document: dict[str, Any], path: Path) -> None:
    """Write a frozen forecast, a figure a line. BookError: there is one already, which is never overwritten."""
    refuse_existing(path)
    head = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.items() if key != "figures"]
    lines = [f"{json.dumps(name)}: {json.dumps(figure)}" for name, figure in document["figures"].items()]
    text = "{\n" + ",\n".join(head) + ',\n"figures": {\n' + ",\n".join(lines) + "\n}}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def refuse_existing(path: Path) -> None:
    """BookError: there is such a file already."""
    if path.exists():
        remedy = "a frozen forecast stays; name another file"
        raise BookError("freeze-exists", f"{path} is there already", remedy=remedy)


def read(path: Path) -> dict[str, Any]:
    """A frozen forecast.

    BookError: the file cannot be read. IntegrityError: it is none, of a later format, or not as it was frozen.
    """
    try:
        document: dict[str, Any] = json.loads(files.data(path, MAX_BYTES))
        known, kept = document["sha256"], document["format"]
    except OSError as error:
        problem, remedy = f"cannot be read: {error.strerror}", "chipcast freeze writes one"
        raise BookError("frozen-file", problem, place=Place(str(path)), remedy=remedy) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"{path} is no frozen forecast: {error}"
        raise IntegrityError("frozen-form", problem, remedy="chipcast freeze writes one") from None
    if kept != FORMAT:
        raise IntegrityError("frozen-format", f"{path} has format {kept!r}", remedy="use a newer chipcast")
    if known != _digest(document):
        raise IntegrityError("frozen-changed", f"{path} is not as it was frozen", remedy="take it from where it came")
    return document


def score(document: dict[str, Any], actuals: Path) -> list[Scored]:
    """Scores of a frozen forecast on a CSV of metric, entity, period, value and error, which may be left empty.

    Nothing is fitted again. BookError: a figure that was not frozen, or a row that cannot be read, by its line.
    """
    text = files.text(actuals, unreadable="actuals-file", unfit="actuals-form", encoding="utf-8-sig")
    try:
        came = list(_rows(document, text, str(actuals)))
    except csv.Error as error:
        place, remedy = Place(str(actuals)), "save it as CSV in UTF-8"
        raise BookError("actuals-form", str(error), place=place, remedy=remedy) from None
    if not came:
        place, remedy = Place(str(actuals), 1), "add a row under the header"
        raise BookError("actuals-none", "no row", place=place, remedy=remedy)
    return scores(document, came)


def scores(document: dict[str, Any], came: Iterable[tuple[str, float, float]]) -> list[Scored]:
    """Scores on figures given by name, value and standard error of the logarithm."""
    return [row for case in _cases(document, came) for row in scored(case)]


def _rows(document: dict[str, Any], text: str, file: str) -> Iterator[tuple[str, float, float]]:
    """Name, value and standard error of the logarithm of each figure that came."""
    seen: dict[str, int] = {}
    reader = csv.DictReader(StringIO(text, newline=""))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        remedy = f"begin the file with {','.join(COLUMNS)}"
        raise BookError("actuals-header", "unexpected columns", place=Place(file, 1), remedy=remedy)
    for record in reader:
        place = Place(file, reader.line_num)
        if None in record or None in record.values():
            raise BookError("actuals-cells", f"not {len(COLUMNS)} cells", place=place, remedy="one for each column")
        name = f"{record['metric']}[{record['entity']},{record['period']}]"
        if name not in document["figures"]:
            remedy = nearest(name, document["figures"])
            raise BookError("actuals-figure", f"{name} was not frozen", place=place, remedy=remedy)
        if name in seen:
            problem = f"{name} stands in line {seen[name]} already"
            raise BookError("actuals-twice", problem, place=place, remedy="keep one of them")
        seen[name] = reader.line_num
        value, error = (_number(record[column], column, place) for column in ("value", "error"))
        if error >= value:
            problem = f"error {record['error']} is as large as the value {record['value']}"
            raise BookError("actuals-error", problem, place=place, remedy="write one standard error, in its unit")
        yield name, value, error / value


def _number(text: str, column: str, place: Place) -> float:
    """A number above 0; an error may be left out and is then 0."""
    if column == "error" and not text.strip():
        return 0.0
    value = float(text) if NUMBER.fullmatch(text.strip()) else 0.0
    if not 0 < value < float("inf"):
        raise BookError("actuals-number", f"{column} {text!r} is no number above 0", place=place, remedy="write 12.3")
    return value


def _cases(document: dict[str, Any], came: Iterable[tuple[str, float, float]]) -> Iterator[Case]:
    even, as_of = (np.arange(POINTS) + 0.5) / POINTS, dt.date.fromisoformat(document["as_of"])
    for name, value, error in came:
        figure = document["figures"][name]
        values: Float64[np.ndarray, " level"] = np.array(figure["quantiles"])
        end = dt.date.fromisoformat(figure["end"])
        yield Case(
            metric=name.partition("[")[0],
            quantity=name,
            made=document["as_of"],
            time=end.year,
            horizon=round((end - as_of).days / DAYS, 2),
            truth=value,
            error=error,
            draws={OURS: np.interp(even, document["levels"], values)},
        )


def table(rows: Iterable[Scored]) -> Table:
    """Scored figures for a terminal: forecast, what came, at which percentile, CRPS of the logarithm."""
    made = Table(box=None)
    made.add_column("figure", no_wrap=True)
    for name in ("P5", "P50", "P95", "came", "at", "CRPS", "log score"):
        made.add_column(name, justify="right")
    for row in rows:
        told = (*(f"{each:,.4g}" for each in (row.p05, row.p50, row.p95, row.truth)), f"P{100 * row.pit:.0f}")
        made.add_row(escape(row.quantity), *told, f"{row.crps:.3f}", f"{row.log_score:.2f}")
    return made
