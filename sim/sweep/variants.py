"""The variants of a sweep: what its file asks, crossed, laid out or read off, each with a label of its own."""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim.errors import Place, RefusedError
from sim.sweep.spec import Choice, Spec

__all__ = ["MOST", "Variant", "expand", "hypercube"]

MOST = 10_000
"""Variants of one sweep."""
UNSAFE = re.compile(r"[^A-Za-z0-9 ._+=,/()%-]")
LONGEST = 72
"""Signs of a label made here; a number that tells two apart still fits after it."""


class Variant(NamedTuple):
    """One run of a sweep: what is asked of it, and where in the file each part of that stands."""

    label: str
    names: tuple[str, ...]
    as_of: str | None
    values: Mapping[str, Any]
    seed: int
    places: Mapping[str, Place]
    """By ``scenario``, ``as_of``, ``seed`` and the path of each value."""


def expand(spec: Spec) -> list[Variant]:
    """All variants of a sweep, in the order of its file. RefusedError: more than ``MOST``."""
    count = len(spec.written) or math.prod(
        map(len, (spec.scenarios, spec.vintages, spec.seeds, *spec.values.values()))
    ) * max(spec.points, 1)
    if count > MOST:
        problem = f"{spec.name} makes {count:,} variants; one sweep has at most {MOST:,}"
        raise RefusedError("sweep-too-many", problem, place=spec.place, remedy="make several sweeps of it")
    if spec.written:
        return [_variant(each.label.value, each.names, each.as_of, each.values, each.seed) for each in spec.written]
    return _labelled(spec, list(_crossed(spec)))


def _crossed(spec: Spec) -> Iterator[tuple[Choice, Choice, dict[str, Choice], Choice, int]]:
    """Scenario, vintage, values, seed and the number of the point, for every combination."""
    points = hypercube(spec.ranges, spec.points, spec.design_seed) if spec.points else [{}]
    values = [dict(zip(spec.values, some, strict=True)) for some in itertools.product(*spec.values.values())]
    for names, as_of, some, seed in itertools.product(spec.scenarios, spec.vintages, values, spec.seeds):
        for number, point in enumerate(points):
            placed = {path: Choice(value, spec.ranges[path].place) for path, value in point.items()}
            yield names, as_of, some | placed, seed, number


def hypercube(ranges: Mapping[str, Choice], points: int, seed: int) -> list[dict[str, float]]:
    """Points of a Latin hypercube: of every path one in each of as many equal strata as there are points.

    The order of a path's strata and the place in each follow from seed and path alone, by SHA-256: another path, or
    another version of any package, changes no number.
    """
    columns = {}
    for path, (low, high) in ((path, choice.value) for path, choice in ranges.items()):
        order = sorted(range(points), key=lambda i, path=path: _part(seed, path, "order", i))  # type: ignore[misc]
        columns[path] = [
            low + (high - low) * (stratum + _part(seed, path, "place", i)) / points
            for i, stratum in sorted(zip(order, range(points), strict=True))
        ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _part(seed: int, *words: object) -> float:
    """A number in [0, 1) that follows from some words alone."""
    digest = hashlib.sha256(json.dumps([seed, *words]).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


def _labelled(spec: Spec, crossed: Sequence[tuple[Choice, Choice, dict[str, Choice], Choice, int]]) -> list[Variant]:
    """Variants of a grid or a hypercube: a label says what differs between them."""
    moving = [path for path, choices in spec.values.items() if len(choices) > 1]
    digits, taken = len(str(spec.points)), set[str]()
    result = []
    for names, as_of, values, seed, number in crossed:
        parts = ["+".join(Path(name).stem if "/" in name else name for name in names.value)]
        parts += [as_of.value] if len(spec.vintages) > 1 else []
        parts += [_said(path, values[path], spec.values[path]) for path in moving]
        parts += [f"point {number + 1:0{digits}}"] if spec.points else []
        parts += [f"seed {seed.value}"] if len(spec.seeds) > 1 else []
        bare = len(parts) > 1 and len(spec.scenarios) == 1
        label = _unique(", ".join(parts[1:] if bare else parts), taken)
        taken.add(label)
        result.append(_variant(label, names, as_of, values, seed))
    return result


def _unique(text: str, taken: Container[str]) -> str:
    """A label from a text: safe signs only, and a number after it where it is taken."""
    label = UNSAFE.sub("-", text)[:LONGEST].strip().lstrip("-._+=,/()% ") or "variant"
    numbered = (f"{label} ({number})" for number in itertools.count(2))
    return next(each for each in itertools.chain([label], numbered) if each not in taken)


def _said(path: str, choice: Choice, among: Sequence[Choice]) -> str:
    """A value in a label; a whole distribution by its number in the list."""
    if isinstance(choice.value, dict | tuple):
        return f"{path} ({among.index(choice) + 1})"
    return f"{path}={choice.value}"


def _variant(label: str, names: Choice, as_of: Choice, values: Mapping[str, Choice], seed: Choice) -> Variant:
    places = {"scenario": names.place, "as_of": as_of.place, "seed": seed.place}
    return Variant(
        label=label,
        names=names.value,
        as_of=as_of.value,
        values={path: choice.value for path, choice in values.items()},
        seed=seed.value,
        places=places | {path: choice.place for path, choice in values.items()},
    )
