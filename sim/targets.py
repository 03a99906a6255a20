"""What a run is asked of single cells: how exact a figure must be, and how likely it is to pass a threshold.

Those of ``priors/thresholds.yaml`` are counted in every run of a world that has their cells.
"""

import datetime as dt
import functools
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import Field

from sim import address
from sim.book.check import Faults, as_map, build, nearest
from sim.book.fields import Model, Text
from sim.book.load import priors_folder
from sim.book.schema import Source, WorldSpec
from sim.book.sources import Rows, Sources, read_references
from sim.book.yaml import Map, place_of
from sim.book.yaml import read as read_yaml
from sim.errors import BookError
from sim.reduce import LEVELS, Statistics
from sim.tally import MOST_THRESHOLDS, Thresholds
from sim.world import World

__all__ = [
    "Default",
    "Exceedance",
    "Target",
    "defaults",
    "exceedances",
    "read_defaults",
    "targets",
    "thresholds",
    "with_defaults",
]

FIGURES = {f"p{round(100 * level):02d}": i for i, level in enumerate(LEVELS)}
TARGET = re.compile(r"\s*(\w+)\s*:\s*(.+?)\s*<\s*([\d.eE+-]+)\s*(%?)\s*")
THRESHOLD = re.compile(r"\s*(.+?)\s*([<>])\s*([\d.eE+-]+)\s*")
UNTIL_EXAMPLE = 'for example "p95:revenue[nvidia,2027] < 0.5%"'
THRESHOLD_EXAMPLE = 'for example "revenue[nvidia,2027] > 400"'
ALL_KNOWN = WorldSpec.model_construct(
    as_of=dt.date.max, start="", horizon="", buyers={}, suppliers={}, chips={}, retrospective=True
)
"""A world in which all is known: a threshold is no belief, and may be of a later day than a book."""


class Target(NamedTuple):
    """A figure of one cell, and the Monte Carlo error over its value that is allowed [1]."""

    figure: str
    cell: address.Cell
    allowed: float

    def __str__(self) -> str:
        return f"{self.figure}:{self.cell}"

    def far(self, found: Statistics) -> float:
        """Error of the figure over the one that is allowed [1], from the statistics of the cell: met up to 1.

        Infinite where the figure is 0 or has no value.
        """
        if self.figure == "mean":
            value, error = found.mean, found.mean_error
        else:
            level = FIGURES[self.figure]
            value, error = found.quantiles[level], found.quantile_error[level]
        return float(error / abs(value)) / self.allowed if np.isfinite(value) and value != 0 else float("inf")


class Exceedance(NamedTuple):
    """How many draws passed a threshold."""

    text: str
    probability: float
    error: float
    """Monte Carlo standard error of the probability."""


class Default(NamedTuple):
    """A threshold worth knowing: as it is asked, why, and where its number comes from."""

    key: str
    text: str
    unit: str
    about: str
    source: tuple[Source, ...]


class Entry(Model):
    """A threshold as the file writes it."""

    threshold: Text
    unit: Text
    about: Text
    source: tuple[Source, ...]


class File(Model):
    """The whole file."""

    thresholds: Annotated[dict[str, object], Field(min_length=1, max_length=MOST_THRESHOLDS)]


class Threshold(NamedTuple):
    """A threshold in a world's terms."""

    place: int
    sign: int
    value: float


def targets(world: World, given: Iterable[str]) -> list[Target]:
    """Targets such as ``p95:revenue[nvidia,2027] < 0.5%``. BookError: one that cannot be read, and why."""
    return [_target(world, text) for text in given]


def _target(world: World, text: str) -> Target:
    match = TARGET.fullmatch(text)
    if match is None:
        raise BookError("until-form", f"{text!r} is no figure:output[label,period] < share", remedy=UNTIL_EXAMPLE)
    name = re.sub(r"^p(\d)$", r"p0\1", match[1])
    if name not in FIGURES and name != "mean":
        raise BookError("until-figure", f"{text}: no figure {match[1]!r}", remedy=f"one of {', '.join(FIGURES)}, mean")
    allowed = _number(match[3], text) / (100 if match[4] else 1)
    if not 0 < allowed < 1:
        raise BookError("until-share", f"{text}: the error must lie between 0 and 100%", remedy=UNTIL_EXAMPLE)
    return Target(name, address.parse(world, match[2]), allowed)


def thresholds(world: World, given: Iterable[str]) -> Thresholds:
    """Thresholds such as ``revenue[nvidia,2027] > 400``, in the cell's unit. BookError: one that cannot be read."""
    asked = [threshold(world, text) for text in given]
    return Thresholds.of(*([getattr(each, name) for each in asked] for name in Threshold._fields))


def threshold(world: World, text: str) -> Threshold:
    cell, sign, value = _parts(text)
    return Threshold(address.parse(world, cell).place, sign, value)


def _parts(text: str) -> tuple[str, int, float]:
    """The cell, 1 for above and -1 for below, and the number of a threshold. BookError: it is none."""
    match = THRESHOLD.fullmatch(text)
    if match is None:
        raise BookError("threshold-form", f"{text!r} is no output[label,period] > number", remedy=THRESHOLD_EXAMPLE)
    value = _number(match[3], text)
    if not math.isfinite(value):
        raise BookError("target-number", f"{text}: beyond the largest float", remedy=THRESHOLD_EXAMPLE)
    return match[1], 1 if match[2] == ">" else -1, value


def with_defaults(world: World, given: Sequence[str]) -> tuple[str, ...]:
    """Thresholds given, and behind them those of the shipped ones that say something else, as far as a run has room."""
    asked, more = [threshold(world, text) for text in given], []
    for each in defaults(world):
        meant = threshold(world, each.text)
        if meant not in asked and len(asked) < MOST_THRESHOLDS:
            asked.append(meant)
            more.append(each.text)
    return (*given, *more)


def defaults(world: World) -> list[Default]:
    """The shipped thresholds of which a world has the cell and forecasts some of it. BookError: a fault in the file."""
    found = []
    for each in _shipped():
        with suppress(BookError):  # no such cell in this world
            if address.parse(world, _parts(each.text)[0]).ahead:
                found.append(each)
    return found


@functools.cache
def _shipped() -> tuple[Default, ...]:
    return read_defaults(priors_folder() / "thresholds.yaml")


def read_defaults(path: Path) -> tuple[Default, ...]:
    """The thresholds of a file in its order.

    BookError with file, line and column: an unknown or missing key, no threshold, an output or unit that is not ours, a
    source that is not there.
    """
    folder, root = priors_folder(), read_yaml(path)
    build(File, root, "the list")
    sources = Sources(read_references(read_yaml(folder / "references.yaml")), Rows(folder / "history"), ALL_KNOWN)
    faults, found = Faults(), []
    nodes = as_map(root["thresholds"], "thresholds", root.value_places["thresholds"])
    for key in nodes:
        with faults.collect():
            found.append(_default(key, as_map(nodes[key], key, nodes.value_places[key]), sources))
    faults.check()
    return tuple(found)


def _default(key: str, node: Map, sources: Sources) -> Default:
    """One threshold; BookError for the first thing that is wrong with it."""
    entry = build(Entry, node, key, source=sources.read(node, key))
    place = place_of(node, ("threshold",))
    try:
        output = _parts(entry.threshold)[0].partition("[")[0]
    except BookError as error:
        raise BookError(error.code, f"{key}: {error.problem}", place=place, remedy=error.remedy) from None
    if output not in address.ALL:
        raise BookError("cell-output", f"{key}: no output {output!r}", place=place, remedy=nearest(output, address.ALL))
    unit = address.ALL[output].unit
    if entry.unit != unit:
        problem = f"{key}: unit {entry.unit!r}, where {output} is in {unit}"
        remedy = f"write the number in {unit}"
        raise BookError("threshold-unit", problem, place=place_of(node, ("unit",)), remedy=remedy)
    return Default(key, entry.threshold, entry.unit, entry.about, entry.source)


def _number(written: str, text: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise BookError("target-number", f"{text}: {written!r} is no number", remedy=THRESHOLD_EXAMPLE) from None


def exceedances(given: Iterable[str], passed: Int64[np.ndarray, " threshold"], draws: int) -> list[Exceedance]:
    """Probabilities and their binomial errors."""
    share: Float64[np.ndarray, " threshold"] = passed / draws
    error = np.sqrt(share * (1 - share) / draws)
    return [Exceedance(text, float(p), float(e)) for text, p, e in zip(given, share, error, strict=False)]
