"""Which number is meant: ``revenue[nvidia,2027]`` as a row and a column of one table of the summary."""

import re
from typing import NamedTuple

from sim.axes import DERIVED, OUTPUTS, Output
from sim.book.check import nearest
from sim.cells import Table, starts, tables
from sim.errors import BookError
from sim.world import World

__all__ = ["Cell", "parse"]

ALL = OUTPUTS | DERIVED
WRITTEN = re.compile(r"\s*(\w+)\s*(?:\[([^\[\]]*)\])?\s*")
PERIOD = re.compile(r"(?:FY)?\d{4}(?:Q[1-4])?")
EXAMPLE = "for example revenue[nvidia,2027]"


class Cell(NamedTuple):
    """One number of a summary."""

    output: str
    label: str
    period: str
    table: tuple[str, str]
    """Period kind and output, the key of its table."""
    row: int
    column: int
    place: int
    """Its place among all cells of a draw."""
    ahead: bool
    """Whether some of it is forecast."""

    @property
    def declared(self) -> Output:
        """Unit and meaning of its output."""
        return ALL[self.output]

    def __str__(self) -> str:
        return f"{self.output}[{self.label},{self.period}]"


def parse(world: World, text: str) -> Cell:
    """The cell written ``output[label,period]``; left out, they are ``total`` and the first forecast year.

    A period is a year, a quarter such as 2027Q1 where the summary has quarters, or a fiscal year such as FY2027.
    BookError: an output, label or period that is not there, with the nearest that is.
    """
    match = WRITTEN.fullmatch(text)
    if match is None:
        raise BookError("cell-form", f"{text!r} is no output[label,period]", remedy=EXAMPLE)
    output, given = match[1], [part.strip() for part in (match[2] or "").split(",") if part.strip()]
    known = {kind: table for (kind, name), table in tables(world).items() if name == output}
    if not known:
        raise BookError("cell-output", f"no output {output!r}", remedy=nearest(output, ALL))
    label, period = _parts(text, given)
    kind = _kind(known, period)
    table = known[kind]
    period = period or _first(world, table)
    label = label or _whole(table)
    for what, name, there in (("label", label, table.labels), ("period", period, table.periods)):
        if name not in there:
            raise BookError(f"cell-{what}", f"{text}: no {what} {name!r}", remedy=nearest(name, there))
    _check_period(world, output, period)
    row, column = table.labels.index(label), table.periods.index(period)
    ahead = f"{period.removeprefix('FY')}Q4"[:6] > world.book.axes["time"][world.record.handover]
    place = starts(world)[kind, output] + column * len(table.labels) + row
    return Cell(output, label, period, (kind, output), row, column, place, ahead)


def _parts(text: str, given: list[str]) -> tuple[str, str]:
    """Label and period; either may be left out."""
    if len(given) > 2:
        raise BookError("cell-form", f"{text!r} has more than a label and a period", remedy=EXAMPLE)
    if len(given) == 2:
        return given[0], given[1]
    one = given[0] if given else ""
    return ("", one) if PERIOD.fullmatch(one) else (one, "")


def _kind(known: dict[str, Table], period: str) -> str:
    """The kind of period whose table is meant."""
    return next((kind for kind, table in known.items() if period in table.periods), list(known)[-1])


def _first(world: World, table: Table) -> str:
    """The first year after the hand-over, or the first fiscal year that is not wholly reported."""
    if table.period == "fiscal_year":
        fiscal = world.record.fiscal[0]
        later = (year for year in table.periods if fiscal.weights[fiscal.years.index(year)].any())
    else:
        later = (year for year in table.periods if year > _last_known(world))
    return next(later, table.periods[-1])


def _last_known(world: World) -> str:
    return world.book.axes["time"][world.record.handover][:4]


def _whole(table: Table) -> str:
    """The label meant by none: the total, or the only one there is."""
    if "total" in table.labels:
        return "total"
    if len(table.labels) == 1:
        return table.labels[0]
    remedy = nearest("", table.labels)
    raise BookError("cell-label", f"{table.output} has no total, so it needs a {table.dim}", remedy=remedy)


def _check_period(world: World, output: str, period: str) -> None:
    """BookError: a period of which the output says nothing."""
    if ALL[output].forecast_only and period <= _last_known(world):
        first = int(_last_known(world)) + 1
        raise BookError("cell-period", f"{output} says nothing of {period}", remedy=f"it begins in {first}")
