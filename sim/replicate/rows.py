"""Each published figure beside the computed one, with its tolerance and its status.

A figure is ok if it lies within half a unit of the printed result plus the half-units of its printed inputs, carried
through the equation to first order. A slip is a row that the source book names, and its corrected value passes the
same test. All is computed in float64 by the functions that the model runs in float32: the tables print up to eight
digits, and float32 holds seven.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from rich import table as rich_table
from rich.text import Text

from sim.book.check import nearest
from sim.errors import BookError
from sim.replicate.book import SINGLE, UNITS, Figure, ReplicationBook, Table, parse_printed, read_book
from sim.replicate.cases import CASES, Outputs

__all__ = ["Row", "as_json", "count", "replicate", "table"]

Status: TypeAlias = Literal["ok", "slip", "differs", "fails"]
Values: TypeAlias = NDArray[np.float64]

SHOWN_NOT_DROPPED = "GH24:F16"
"""The one table whose rows may differ: not each of its models counted its work as 6 N D."""

ROUNDING = 1e-9
"""Relative slack of the test, so that a figure exactly half a unit away passes in binary arithmetic."""


@dataclass(frozen=True)
class Row:
    """One published figure; ``published`` and ``corrected`` as text, to keep the precision they were printed with."""

    id: str
    source: str
    quantity: str
    unit: str
    published: str
    computed: float
    corrected: str | None
    tolerance: float
    status: Status
    note: str


def replicate(book: ReplicationBook | None = None) -> list[Row]:
    """Every figure of the book (by default the checked-in one), computed and judged; raises BookError as read_book."""
    book = read_book() if book is None else book
    with jax.enable_x64(True):
        return [row for name, each in book.tables.items() for row in _rows(name, each, book)]


def count(rows: Iterable[Row]) -> dict[Status, int]:
    """How many rows have each status; the check has passed if none ``fails``."""
    found = Counter(row.status for row in rows)
    return {status: found[status] for status in ("ok", "slip", "differs", "fails")}


def as_json(rows: Iterable[Row]) -> list[dict[str, str | float | None]]:
    """The rows as plain objects."""
    return [asdict(row) for row in rows]


def table(rows: Sequence[Row]) -> rich_table.Table:
    """The rows as a table for a terminal, with the counts below."""
    found = ", ".join(f"{number} {status}" for status, number in count(rows).items() if number)
    result = rich_table.Table(caption=f"{len(rows)} figures: {found}", caption_justify="left", box=None, pad_edge=False)
    for heading in ("source", "quantity", "unit"):
        result.add_column(heading)
    for heading in ("published", "computed", "corrected"):
        result.add_column(heading, justify="right", no_wrap=True)
    result.add_column("status", no_wrap=True)
    styles = {"ok": "green", "slip": "yellow", "differs": "yellow", "fails": "bold red"}
    for row in rows:
        cells = (row.source, row.quantity, row.unit, row.published, _shown(row), row.corrected or "")
        result.add_row(*map(Text, cells), Text(row.status, styles[row.status]))
    return result


def _shown(row: Row) -> str:
    """The computed value with one digit more than was printed."""
    exponent = int(Decimal(parse_printed(row.corrected or row.published).half_unit).adjusted())
    large = abs(row.computed) >= 1e12
    return f"{row.computed:.4g}" if large else f"{row.computed:,.{max(0, -exponent)}f}"


def _rows(name: str, given: Table, book: ReplicationBook) -> list[Row]:
    """The rows of one table, down its outputs and across its columns."""
    values, spreads = _evaluate(given)
    rows = []
    for key, figure in given.published.items():
        output = figure.output or key
        if output not in values:
            problem = f"{name}: case {given.case!r} gives no {output!r}"
            raise BookError("replication-output", problem, remedy=nearest(output, values))
        computed, spread = values[output] / UNITS[figure.unit], spreads[output] / UNITS[figure.unit]
        for column, cell in enumerate(figure.values):
            label = given.columns[column]
            slip = figure.slips.get(label)
            corrected = slip.corrected if slip else None
            tolerance = parse_printed(corrected or cell).half_unit + float(spread[column])
            row = Row(
                id=".".join((name, key) if label == SINGLE else (name, key, label)),
                source=given.source,
                quantity=_quantity(given, key, label),
                unit=figure.unit,
                published=cell,
                computed=float(computed[column]),
                corrected=corrected,
                tolerance=tolerance,
                status="fails",
                note=_note(given, figure, book.slips[slip.slip].says if slip else ""),
            )
            rows.append(replace(row, status=_status(row)))
    return rows


def _quantity(given: Table, key: str, label: str) -> str:
    """What a row is, in words: the table's subject, then the output and the column where it has several."""
    output = f": {key.replace('_', ' ')}" if len(given.published) > 1 else ""
    return f"{given.about}{output}" if label == SINGLE else f"{given.about}{output} ({label})"


def _note(given: Table, figure: Figure, says: str) -> str:
    """The sentence that names a slip, then the figure's note, then the table's."""
    return " ".join(part for part in (f'Named slip: "{says}"' if says else "", figure.note, given.note) if part)


def _status(row: Row) -> Status:
    """Slip or ok where the judged value is within tolerance; otherwise only GH24:F16 may differ."""
    printed = parse_printed(row.corrected or row.published)
    distance = max(printed.low - row.computed, row.computed - printed.high, 0.0)
    if distance <= row.tolerance + ROUNDING * abs(row.computed):
        return "slip" if row.corrected else "ok"
    return "differs" if row.source == SHOWN_NOT_DROPPED and not row.corrected else "fails"


def _evaluate(given: Table) -> tuple[dict[str, Values], dict[str, Values]]:
    """Each output of a table's case, and the half-units of its printed inputs carried into it, both by column.

    spread = sum over inputs of |d output / d input| * half a unit of the input
    """
    case = CASES[given.case]
    shape = (len(given.columns),)
    inputs = {key: jnp.asarray(np.broadcast_to(each.values(), shape)) for key, each in given.inputs.items()}
    still = {key: jnp.zeros_like(each) for key, each in inputs.items()}

    def outputs(arguments: dict[str, jax.Array]) -> Outputs:
        return case(**arguments)

    values = {key: np.asarray(each) for key, each in outputs(inputs).items()}
    spreads = {key: np.zeros(shape) for key in values}
    for key, each in given.inputs.items():
        if not each.printed:
            continue
        step = still | {key: jnp.asarray(np.broadcast_to(each.half_units(), shape))}
        _, moved = jax.jvp(outputs, (inputs,), (step,))
        spreads = {name: spread + np.abs(moved[name]) for name, spread in spreads.items()}
    return values, spreads
