"""Published point forecasts: who said what of which of our outputs, when, and how it was put on our definition.

``priors/consensus.yaml`` is the shipped list; a file of the same form may bring references of its own. Nothing here
knows a world: whether a book has the quantity is for who compares the two.
"""

import datetime as dt
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from sim.axes import OUTPUTS, Output
from sim.book.check import Faults, as_map, build, nearest
from sim.book.fields import Date, Model, Text
from sim.book.load import priors_folder
from sim.book.schema import Citation, Reference, WorldSpec
from sim.book.sources import HISTORY, Rows, Sources, read_references
from sim.book.yaml import NUMBER, Map, place_of
from sim.book.yaml import read as read_yaml
from sim.errors import BookError

__all__ = ["Published", "read"]

WRITTEN = re.compile(r"(\w+)\[[^\[\],]+,[^\[\],]+\]")
LINE = {"line": OUTPUTS["revenue"]}
"""The supplier's own reported line, which is no output of its own."""
AGREES = 1e-3
"""How far a value may be from what its source says, brought over to our definition [1]."""
ALL_KNOWN = WorldSpec.model_construct(
    as_of=dt.date.max, start="", horizon="", buyers={}, suppliers={}, chips={}, retrospective=True
)
"""A world in which all is known: a definition may be told later than the forecast that was made on it."""


class Published(NamedTuple):
    """A published point, on our definition and in the unit of our output."""

    key: str
    who: str
    date: dt.date
    """The day of publication."""
    quantity: str
    """Ours that it speaks of, written ``output[label,period]``."""
    value: float
    about: str
    """What was published, and on which definition."""
    bridge: str
    """How the published number was put on our definition; empty where it stands on it."""
    source: tuple[Citation, ...]
    """The point itself first, then what the bridge stands on."""
    at_least: bool = False
    """Whether it was published as a lower bound."""

    @property
    def unit(self) -> str:
        """The unit of the output."""
        return _declared(self.quantity).unit


class Entry(Model):
    """A point as the file writes it."""

    who: Text
    date: Date
    quantity: Text
    unit: Text
    value: Annotated[float, Field(gt=0)]
    about: Text
    at_least: bool = False
    factor: Annotated[float, Field(gt=0)] = 1.0
    """What the published number is multiplied by; a power of ten only moves the decimal point and needs no bridge."""
    growth: tuple[Annotated[float, Field(gt=-1)], ...] = ()
    """Published growth by year [1], on the second source, which is ours; the published level is not used then."""
    bridge: Text | None = None
    source: tuple[Citation, ...]


class File(Model):
    """The whole file."""

    points: Annotated[dict[str, object], Field(min_length=1)]
    references: dict[str, object] | None = None


def read(path: Path | None = None) -> list[Published]:
    """The points of a file in its order, the shipped ones if none is named.

    BookError with file, line and column: an unknown or missing key, a quantity or unit that is not ours, a value that
    its source and bridge do not give, a source that is not there.
    """
    folder = priors_folder()
    root = read_yaml(path or folder / "consensus.yaml")
    build(File, root, "the list")
    shared = read_references(read_yaml(folder / "references.yaml"))
    reader = _Reader({**shared, **read_references(root)}, Rows(folder / "history"))
    faults, points = Faults(), []
    nodes = as_map(root["points"], "points", root.value_places["points"])
    for key in nodes:
        with faults.collect():
            points.append(reader.point(key, as_map(nodes[key], key, nodes.value_places[key])))
    faults.check()
    return points


class _Reader:
    """Checks points against the references and the history rows they cite."""

    def __init__(self, references: Mapping[str, Reference], rows: Rows) -> None:
        self._references = references
        self._rows = rows
        self._sources = Sources(references, rows, ALL_KNOWN)

    def point(self, key: str, node: Map) -> Published:
        """One point; BookError for the first thing that is wrong with it."""
        sources = self._sources.read(node, key)
        for position, each in enumerate(sources):
            if not isinstance(each, Citation):
                problem = f"{key}: a judgement is no publication"
                raise _fault(node, ("source", position), "judgement", problem, "cite: who said it")
        entry = build(Entry, node, key, source=sources)
        _check_quantity(key, entry, node)
        self._check_date(key, entry, node)
        _check_bridge(key, entry, node)
        _check_value(key, entry, node)
        own = {name: getattr(entry, name) for name in Published._fields if name not in ("key", "bridge")}
        return Published(**own, key=key, bridge=entry.bridge or "")

    def _check_date(self, key: str, entry: Entry, node: Map) -> None:
        """BookError unless the date is that of the source."""
        source = entry.source[0]
        if source.cite.startswith(HISTORY):
            published = self._rows[source.cite.removeprefix(HISTORY)][source.where].published
        else:
            published = self._references[source.cite].published
        if entry.date != published:
            problem = f"{key}: date {entry.date}, where {source.cite} {source.where} is of {published}"
            raise _fault(node, ("date",), "date", problem, f"write {published}")


def _declared(quantity: str) -> Output:
    return {**OUTPUTS, **LINE}[quantity.partition("[")[0]]


def _check_quantity(key: str, entry: Entry, node: Map) -> None:
    """BookError unless the quantity is written as one, of an output that there is, in its unit."""
    match = WRITTEN.fullmatch(entry.quantity)
    if match is None:
        problem = f"{key}: {entry.quantity!r} is no output[label,period]"
        raise _fault(node, ("quantity",), "quantity", problem, "for example capex[reported,2025]")
    if match[1] not in {**OUTPUTS, **LINE}:
        problem = f"{key}: no output {match[1]!r}"
        raise _fault(node, ("quantity",), "quantity", problem, nearest(match[1], {**OUTPUTS, **LINE}))
    unit = _declared(entry.quantity).unit
    if entry.unit != unit:
        problem = f"{key}: unit {entry.unit!r}, where {match[1]} is in {unit}"
        raise _fault(node, ("unit",), "unit", problem, f"write the value in {unit}")


def _check_bridge(key: str, entry: Entry, node: Map) -> None:
    """BookError for a number brought over from another definition without a word, or a word without such a number."""
    if entry.growth and (entry.factor != 1 or len(entry.source) == 1):
        problem = f"{key}: growth needs its base as the second source, and no factor"
        raise _fault(node, ("growth",), "bridge", problem, "cite the base below the point")
    for rate in entry.growth:
        if f"{100 * rate:g} %" not in entry.source[0].says:
            problem = f"{key}: the source says nothing of {100 * rate:g} %"
            raise _fault(node, ("growth",), "bridge", problem, "state the growth in says: as published")
    changed = bool(entry.growth) or not math.log10(entry.factor).is_integer()
    if changed != (entry.bridge is not None):
        problem = f"{key}: {'no bridge says how' if changed else 'a bridge without'} the number was changed"
        remedy = "say how in bridge:" if changed else "drop bridge:, or give factor: or growth:"
        raise _fault(node, ("bridge",), "bridge", problem, remedy)


def _check_value(key: str, entry: Entry, node: Map) -> None:
    """BookError unless the value is what the source says times the factor, or the base grown."""
    stated = _stated(key, entry, 1, node) if entry.growth else _stated(key, entry, 0, node)
    given = stated * entry.factor * math.prod(1 + rate for rate in entry.growth)
    if not math.isclose(entry.value, given, rel_tol=AGREES):
        problem = f"{key}: value {entry.value:.10g}, where source and bridge give {given:.4g}"
        raise _fault(node, ("value",), "value", problem, f"write {given:.4g}, or mend the bridge")


def _stated(key: str, entry: Entry, position: int, node: Map) -> float:
    """The figure with which a source's ``says`` begins."""
    first = entry.source[position].says.split()[0].replace(",", "")
    if not NUMBER.fullmatch(first):
        problem = f"{key}: says: does not begin with a figure"
        raise _fault(node, ("source", position, "says"), "figure", problem, "begin it with the published number")
    return float(first)


def _fault(node: Map, path: tuple[object, ...], code: str, problem: str, remedy: str) -> BookError:
    return BookError(f"published-{code}", problem, place=place_of(node, path), remedy=remedy)
