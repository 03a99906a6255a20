"""The table of published figures as frozen models: what is printed, from which inputs, and which slips are named."""

import inspect
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sim.book.check import Faults, as_map, build, nearest
from sim.book.load import priors_folder
from sim.book.yaml import Map, place_of, read
from sim.errors import BookError
from sim.replicate.cases import CASES

__all__ = [
    "SINGLE",
    "UNITS",
    "Figure",
    "Input",
    "NamedSlip",
    "Printed",
    "ReplicationBook",
    "Slip",
    "Table",
    "parse_printed",
    "read_book",
]

SINGLE = "value"
"""The column of a table without columns."""

_COUNTS = (
    "1",
    "A100 / server",
    "GPU",
    "minute / visit",
    "recommendation / minute",
    "recommendation / visit",
    "token / parameter",
    "token / recommendation",
    "visit / user / month",
)
UNITS: Mapping[str, float] = dict.fromkeys((*_COUNTS, "day", "quarter", "year", "TFLOP/s"), 1.0) | {
    "%": 1e-2,
    # B parameter, B token, B user
    "B parameter": 1.0,
    "1e8 parameter": 1e-1,
    "B token": 1.0,
    "T token": 1e3,
    "1e8 token / s": 1e-1,
    "1e8 token / month": 1e-1,
    "B user": 1.0,
    # EFLOP, EFLOP/s
    "FLOP": 1e-18,
    "PFLOP/s": 1e-3,
    "PFLOP/s-day": 1e-3,
    # M unit
    "A100": 1e-6,
    "M A100e": 1.0,
    "server": 1e-6,
    "unit": 1e-6,
    # bn of the currency, bn / M unit
    "1e4 CNY": 1e-5,
    "1e6 CNY / server": 1e3,
    "1e8 USD": 1e-1,
    "M USD": 1e-3,
    "USD / unit": 1e-3,
    "USD / unit / h": 1e-3,
    "bn CNY": 1.0,
    "bn TWD": 1.0,
    "bn USD": 1.0,
}
"""The reports' units, each with the factor to the model's unit. Analysts count in 1e8 and 1e4, cards and servers;
the priors' units know none of these, and need not."""


class Printed(NamedTuple):
    """What a printed figure says: the interval it names and half a unit of its last digit."""

    low: float
    high: float
    half_unit: float


_NUMBER = r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e\d+)?"
_PRINTED = re.compile(rf"(?P<sign>about |> )?(?P<low>{_NUMBER})(?: to (?P<high>{_NUMBER}))?")


@lru_cache(maxsize=1024)
def parse_printed(text: str) -> Printed:
    """A figure, a range (``2.0 to 2.1``) or a bound (``> 15``), with its precision; ``about 30`` counts one digit.

    Raises ValueError for text that is none of these.
    """
    match = _PRINTED.fullmatch(text)
    if match is None or (match["sign"] and match["high"]):
        raise ValueError(f"{text!r} is no printed figure; write it like '12,891', 'about 30', '2.0 to 2.1' or '> 15'")
    low, high = (Decimal(end.replace(",", "")) for end in (match["low"], match["high"] or match["low"]))
    if low > high:
        raise ValueError(f"the range {text!r} runs backwards; write the smaller figure first")
    digits = low.normalize() if match["sign"] == "about " else low
    half_unit = float(Decimal("0.5").scaleb(int(digits.as_tuple().exponent)))
    return Printed(float(low), float("inf") if match["sign"] == "> " else float(high), half_unit)


def _readable(text: str) -> str:
    parse_printed(text)
    return text


def _plain_figure(text: str) -> str:
    printed = parse_printed(text)
    if printed.low != printed.high:
        raise ValueError(f"an input is one figure, got {text!r}")
    return text


def _known_unit(text: str) -> str:
    if text not in UNITS:
        raise ValueError(f"unknown unit {text!r}; {nearest(text, UNITS)}")
    return text


def _cells(value: object) -> object:
    """One cell for all columns is written without brackets."""
    return value if isinstance(value, tuple) else (value,)


Text: TypeAlias = Annotated[str, Field(min_length=1)]
Unit: TypeAlias = Annotated[str, AfterValidator(_known_unit)]
Printing: TypeAlias = Annotated[str, AfterValidator(_readable)]
PlainFigure: TypeAlias = Annotated[str, AfterValidator(_plain_figure)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NamedSlip(_Frozen):
    """A slip that the source book names, in its own words; with a reason where no equation can check it."""

    says: Text
    not_computed: str = ""


class Slip(_Frozen):
    """The corrected value of one printed cell, and the name of the slip."""

    corrected: Printing
    slip: Text


class Input(_Frozen):
    """One input of a table: printed with rounding, or exact; the same for every column, or one value each."""

    printed: Annotated[tuple[PlainFigure, ...], BeforeValidator(_cells)] = ()
    exact: Annotated[tuple[float, ...], BeforeValidator(_cells)] = ()
    unit: Unit
    cite: Text

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.printed) == bool(self.exact):
            raise ValueError("an input is printed (text, with rounding) or exact (a number); give one of the two")
        return self

    def values(self) -> NDArray[np.float64]:
        """The values in the model's unit, one for all columns or one for each."""
        return np.array([*self.exact, *(parse_printed(cell).low for cell in self.printed)]) * UNITS[self.unit]

    def half_units(self) -> NDArray[np.float64]:
        """Half a unit of each value's last digit, in the model's unit; zero where the input is exact."""
        halves = [*(0.0 for _ in self.exact), *(parse_printed(cell).half_unit for cell in self.printed)]
        return np.array(halves) * UNITS[self.unit]


class Figure(_Frozen):
    """One row of a table: the printed cells of one output."""

    output: str = ""
    unit: Unit
    values: Annotated[tuple[Printing, ...], BeforeValidator(_cells)]
    note: str = ""
    slips: dict[str, Slip] = {}


class Table(_Frozen):
    """One table of a report: a case, its inputs, and what was published."""

    source: Text
    about: Text
    note: str = ""
    case: Text
    like: str = ""
    columns: tuple[str, ...] = (SINGLE,)
    inputs: dict[str, Input]
    published: Annotated[dict[str, Figure], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.case not in CASES:
            raise ValueError(f"unknown case {self.case!r}; {nearest(self.case, CASES)}")
        wanted = list(inspect.signature(CASES[self.case]).parameters)
        if set(wanted) != set(self.inputs):
            raise ValueError(f"case {self.case!r} takes {', '.join(wanted)}; got {', '.join(self.inputs)}")
        for name, given in self.inputs.items():
            if given.values().size not in (1, len(self.columns)):
                raise ValueError(f"input {name!r} has {given.values().size} values for {len(self.columns)} columns")
        for name, figure in self.published.items():
            if len(figure.values) != len(self.columns):
                raise ValueError(f"row {name!r} has {len(figure.values)} values for {len(self.columns)} columns")
            for column in set(figure.slips) - set(self.columns):
                raise ValueError(f"row {name!r} has a slip in no column {column!r}; {nearest(column, self.columns)}")
        return self


class ReplicationBook(_Frozen):
    """Every published figure, every named slip, and the figures left out, each with the reason."""

    slips: dict[str, NamedSlip]
    tables: Annotated[dict[str, Table], Field(min_length=1)]
    left_out: dict[str, Text]


Model = TypeVar("Model", bound=BaseModel)


def read_book(path: Path | None = None) -> ReplicationBook:
    """The checked-in table, or the one at ``path``; raises BookError naming the file, the line and the key."""
    root = read(path or priors_folder() / "reports" / "replication.yaml")
    faults = Faults()
    slips = _each(NamedSlip, root, "slips", "slips")
    tables: dict[str, Table] = {}
    nodes = _child(root, "tables")
    for name in nodes:
        with faults.collect():
            tables[name] = _table(_child(nodes, name), name, tables, slips)
    faults.check()
    return build(ReplicationBook, root, "replication", slips=slips, tables=tables)


def _table(node: Map, name: str, before: Mapping[str, Table], slips: Mapping[str, NamedSlip]) -> Table:
    """One table, with the inputs of the table it is like."""
    inputs = _each(Input, node, "inputs", f"{name}.inputs")
    if "like" in node:
        like = str(node["like"])
        if like not in before:
            problem = f"{name}: like {like!r}, which is no table above it"
            raise BookError("replication-like", problem, place=node.value_places["like"], remedy=nearest(like, before))
        inputs = {**before[like].inputs, **inputs}
    rows = _child(node, "published")
    published = {}
    for row in rows:
        what = f"{name}.published.{row}"
        figure = _child(rows, row)
        own_slips = _each(Slip, figure, "slips", f"{what}.slips")
        for column, given in own_slips.items():
            if given.slip not in slips:
                problem = f"{what}: {given.slip!r} is no slip that the source book names"
                place = place_of(figure, ("slips", column, "slip"))
                raise BookError("replication-slip", problem, place=place, remedy=nearest(given.slip, slips))
        published[row] = build(Figure, figure, what, slips=own_slips)
    return build(Table, node, name, inputs=inputs, published=published)


def _child(node: Map, key: str) -> Map:
    """The mapping under a key; an empty one where the key is missing."""
    return as_map(node[key], key, node.value_places[key]) if key in node else Map(node.place)


def _each(model: type[Model], node: Map, key: str, what: str) -> dict[str, Model]:
    """Each entry of the mapping under a key, as a model."""
    child = _child(node, key)
    return {name: build(model, _child(child, name), f"{what}.{name}") for name in child}
