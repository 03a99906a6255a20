"""What a sweep's file asks, read strictly: every fault at its file, line and column, with the nearest name.

A ``grid`` crosses scenarios, vintages, values and seeds; ``latin_hypercube`` crosses them with points in ranges; a
``list`` writes each variant out.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from sim.book.check import Faults, as_map, build, described, nearest
from sim.book.fields import Model, Text, parse_date
from sim.book.yaml import Map, Seq, Value, place_of, plain, read
from sim.errors import BookError, Place

__all__ = ["Choice", "Settings", "Spec", "Written", "read_spec"]

BASE = "base"
MODES = ("grid", "list", "latin_hypercube")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+=,/()%-]{0,79}")
"""What a label may be: it stands in tables, files and addresses of data."""
SEED = re.compile(r"-?[0-9]{1,4000}")
PATH_SUFFIXES = (".yaml", ".yml")


class Settings(Model):
    """What all variants of a sweep share."""

    about: Text | None = None
    draws: Annotated[int, Field(ge=2)] = 100_000
    sampler: Literal["mc", "sobol"] = "mc"
    thresholds: tuple[Text, ...] = ()
    keep_draws: bool = False


class Axes(Settings):
    """The keys of a grid; what they hold is read one by one, for its places."""

    mode: Literal["grid"] = "grid"
    scenarios: tuple[object, ...] = (BASE,)
    vintages: tuple[object, ...] = ()
    set: dict[str, object] = Field(default_factory=dict)
    seeds: tuple[object, ...] = (0,)


class Hypercube(Axes):
    """The keys of a Latin hypercube: ranges under ``set``, and how many points lie in them."""

    mode: Literal["latin_hypercube"]  # type: ignore[assignment]
    points: Annotated[int, Field(ge=2)]
    design_seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the points, apart from the seeds of the draws."""


class Listed(Settings):
    """The keys of a list of variants."""

    mode: Literal["list"]
    variants: Annotated[tuple[object, ...], Field(min_length=1)]


class OneVariant(Model):
    """The keys of one variant of a list."""

    label: Text
    scenario: object = BASE
    as_of: object = None
    set: dict[str, object] = Field(default_factory=dict)
    seed: object = 0


class Choice(NamedTuple):
    """One thing that a variant may have, and where it is written."""

    value: Any
    place: Place


class Written(NamedTuple):
    """A variant that a list writes out."""

    label: Choice
    names: Choice
    as_of: Choice
    values: Mapping[str, Choice]
    seed: Choice


class Spec(NamedTuple):
    """A sweep as its file asks for it; ``ranges`` and ``points`` are a Latin hypercube's, ``written`` a list's."""

    name: str
    place: Place
    settings: Settings
    scenarios: Sequence[Choice] = ()
    vintages: Sequence[Choice] = ()
    values: Mapping[str, Sequence[Choice]] = {}
    seeds: Sequence[Choice] = ()
    ranges: Mapping[str, Choice] = {}
    points: int = 0
    design_seed: int = 0
    written: Sequence[Written] = ()


def read_spec(path: Path) -> Spec:
    """The sweep of a file. BookError with file, line and column for each thing that is wrong in it."""
    path = Path(path)
    root = read(path)
    mode = root.get("mode", "grid")
    if mode not in MODES:
        problem = f"mode: expected {' or '.join(MODES)}, got {described(plain(mode))}"
        raise _fault(root, ("mode",), "mode", problem, nearest(str(mode), MODES))
    name, reader = path.resolve().stem, _Reader(path.parent)
    if mode == "list":
        listed = build(Listed, root, "the sweep")
        written = reader.written(_seq(root, "variants"))
        return Spec(name, root.place, listed, written=written)
    axes = build(Hypercube if mode == "latin_hypercube" else Axes, root, "the sweep")
    values, ranges = reader.values(root, in_ranges=mode == "latin_hypercube")
    spec = Spec(
        name,
        root.place,
        axes,
        scenarios=reader.each(root, "scenarios", reader.names, BASE),
        vintages=reader.each(root, "vintages", reader.date, None),
        values=values,
        seeds=reader.each(root, "seeds", reader.seed, 0),
        ranges=ranges,
        points=getattr(axes, "points", 0),
        design_seed=getattr(axes, "design_seed", 0),
    )
    reader.faults.check()
    return spec


class _Reader:
    """Reads choices, and collects what is wrong with them."""

    def __init__(self, beside: Path) -> None:
        self.beside = beside
        self.faults = Faults()

    def each(self, node: Map, key: str, one: Any, otherwise: Value) -> list[Choice]:
        """The choices under a key, the one otherwise meant where it is left out."""
        if key not in node:
            return [one(otherwise, node.place, key)]
        items = _seq(node, key)
        if not items:
            problem = f"{key}: an empty list"
            self.faults.found.append(_fault(node, (key,), "empty", problem, "name one or leave the key out"))
        found = []
        for item, place in zip(items, items.places, strict=True):
            with self.faults.collect():
                found.append(one(item, place, key))
        return found

    def names(self, item: Value, place: Place, key: str) -> Choice:
        """A scenario, or several laid one after another."""
        several = list(item) if isinstance(item, Seq) else [item]
        if not several or not all(isinstance(name, str) and name for name in several):
            problem = f"{key}: expected a scenario's name or a list of names, got {described(plain(item))}"
            raise BookError("sweep-scenario", problem, place=place, remedy="for example efficiency_shock")
        return Choice(tuple(self.found(str(name)) for name in several), place)

    def found(self, name: str) -> str:
        """A name as the loader takes it: a path is looked for beside the sweep's file."""
        beside = self.beside / name
        is_path = "/" in name or name.endswith(PATH_SUFFIXES)
        return str(beside.resolve()) if is_path and beside.exists() else name

    def date(self, item: Value, place: Place, key: str) -> Choice:
        """A date whose knowledge is used, or none."""
        try:
            return Choice(None if item is None else parse_date(item).isoformat(), place)
        except ValueError as error:
            raise BookError("sweep-date", f"{key}: {error}", place=place, remedy="write 2025-02-12") from None

    def seed(self, item: Value, place: Place, key: str) -> Choice:
        """A whole number of any size; a long one is written in quotes."""
        if not isinstance(item, int | str) or not SEED.fullmatch(str(item)):
            problem = f"{key}: expected a whole number, got {described(plain(item))}"
            raise BookError("sweep-seed", problem, place=place, remedy="for example 7")
        return Choice(int(item), place)

    def values(self, root: Map, *, in_ranges: bool) -> tuple[dict[str, Sequence[Choice]], dict[str, Choice]]:
        """Values to set by path, each a list of choices or a single one; and ranges, where lists are ranges."""
        values: dict[str, Sequence[Choice]] = {}
        ranges: dict[str, Choice] = {}
        node = as_map(root["set"], "set", root.value_places["set"]) if "set" in root else Map(root.place)
        for path, item in node.items():
            with self.faults.collect():
                if in_ranges and isinstance(item, Seq):
                    ranges[path] = _range(path, item, node.value_places[path])
                else:
                    values[path] = _choices(path, item, node.value_places[path])
        if in_ranges and not ranges and not self.faults.found:
            problem, remedy = "a Latin hypercube without ranges", "write set: {capex_drift.p95: [0.34, 0.40]}"
            raise BookError("sweep-ranges", problem, place=node.place, remedy=remedy)
        return values, ranges

    def written(self, items: Seq) -> list[Written]:
        """The variants of a list. BookError for each that is wrong, and for a label that stands twice."""
        found: list[Written] = []
        for number, (item, place) in enumerate(zip(items, items.places, strict=True)):
            with self.faults.collect():
                found.append(self.one(as_map(item, f"variants.{number}", place), f"variants.{number}"))
        first: dict[str, Place] = {}
        for each in found:
            if each.label.value in first:
                problem = f"label {each.label.value!r} stands on line {first[each.label.value].line} too"
                self.faults.found.append(
                    BookError("sweep-label", problem, place=each.label.place, remedy="give each variant its own")
                )
            first.setdefault(each.label.value, each.label.place)
        self.faults.check()
        return found

    def one(self, node: Map, what: str) -> Written:
        """One variant of a list."""
        given = build(OneVariant, node, what)
        place = place_of(node, ("label",))
        if not LABEL.fullmatch(given.label):
            problem = f"{what}.label: {given.label[:80]!r} is no label"
            remedy = "up to 80 letters, digits, spaces and . _ + = , / ( ) % -"
            raise BookError("sweep-label", problem, place=place, remedy=remedy)
        values = as_map(node["set"], "set", node.value_places["set"]) if "set" in node else Map(node.place)
        return Written(
            label=Choice(given.label, place),
            names=self.names(node.get("scenario", BASE), place_of(node, ("scenario",)), "scenario"),
            as_of=self.date(node.get("as_of"), place_of(node, ("as_of",)), "as_of"),
            values={path: Choice(plain(item), values.value_places[path]) for path, item in values.items()},
            seed=self.seed(node.get("seed", 0), place_of(node, ("seed",)), "seed"),
        )


def _seq(node: Map, key: str) -> Seq:
    """The list under a key, which the model has found to be one."""
    value = node[key]
    assert isinstance(value, Seq)
    return value


def _choices(path: str, item: Value, place: Place) -> list[Choice]:
    """The values of one path: those of a list, or a single one that all variants have."""
    if not isinstance(item, Seq):
        return [Choice(_value(path, item, place), place)]
    if not item:
        raise BookError("sweep-empty", f"set {path}: an empty list", place=place, remedy="write at least one value")
    return [Choice(_value(path, value, where), where) for value, where in zip(item, item.places, strict=True)]


def _value(path: str, item: Value, place: Place) -> object:
    if item is None:
        raise BookError("sweep-value", f"set {path}: expected a value, got nothing", place=place, remedy="write it")
    return plain(item)


def _range(path: str, item: Seq, place: Place) -> Choice:
    """The two ends of a range."""
    numbers = [value for value in item if isinstance(value, int | float) and not isinstance(value, bool)]
    if not len(numbers) == len(item) == 2 or not (math.isfinite(numbers[1] - numbers[0]) and numbers[0] < numbers[1]):
        problem = f"set {path}: expected a range [low, high], got {list(map(plain, item))!r:.60}"
        raise BookError("sweep-range", problem, place=place, remedy="write two numbers, the lower first")
    return Choice((float(numbers[0]), float(numbers[1])), place)


def _fault(node: Map, path: tuple[object, ...], code: str, problem: str, remedy: str) -> BookError:
    return BookError(f"sweep-{code}", problem, place=place_of(node, path), remedy=remedy)
