"""Reads the priors: each label's distribution, converted to the unit the model works in."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from sim.axes import Input
from sim.book.check import Faults, as_map, build, described, nearest
from sim.book.schema import FAMILIES, Prior, PriorEntry, WorldSpec
from sim.book.sources import Sources
from sim.book.units import factor
from sim.book.world import WORLD_KEYS
from sim.book.yaml import Map, Seq, Value
from sim.distributions import Distribution
from sim.errors import BookError, Place

__all__ = ["DEFAULT", "OVERLAY_KEYS", "SECTIONS", "covering", "is_distribution", "read_priors"]

DEFAULT = "default"
SECTIONS = (*WORLD_KEYS, "correlations", "references")
"""Keys of a book that are no priors."""
OVERLAY_KEYS = ("extends", "about", "source", "set")
"""Keys of an overlay that speak about it; they are not part of the book."""


def is_distribution(node: Value) -> TypeGuard[Map]:
    """Whether a node under ``dist:`` is a distribution rather than a mapping by label."""
    return isinstance(node, Map) and "family" in node


def read_priors(book: Map, world: WorldSpec, sources: Sources, inputs: Mapping[str, Input]) -> dict[str, Prior]:
    """The priors of a merged book by name; raises BookError for every fault found.

    A prior over an axis without labels, such as the revenue bands of a world without such suppliers, may be missing.
    """
    faults, result = Faults(), {}
    for name in book:
        if name in SECTIONS:
            continue
        with faults.collect():
            if name not in inputs:
                place, remedy = book.key_places[name], nearest(name, [*inputs, *SECTIONS, *OVERLAY_KEYS])
                raise BookError("book-unknown-prior", f"nothing reads a prior {name!r}", place=place, remedy=remedy)
            result[name] = _prior(name, book, world, sources, inputs[name])
    for name, wanted in inputs.items():
        if name not in book and all(world.axes[dim] for dim in wanted.dims):
            problem, remedy = f"the prior {name!r} is missing", f"add '{name}:'"
            faults.found.append(BookError("book-missing-prior", problem, place=book.place, remedy=remedy))
    faults.check()
    return result


def _prior(name: str, book: Map, world: WorldSpec, sources: Sources, wanted: Input) -> Prior:
    node = as_map(book[name], name, book.value_places[name])
    dist = {"dist": node["dist"]} if "dist" in node else {}
    entry = build(PriorEntry, node, name, source=sources.read(node, name), **dist)
    if entry.dims != wanted.dims:
        problem = f"{name}: dims {_listed(entry.dims)} where the model reads {_listed(wanted.dims)}"
        raise BookError("book-dims", problem, place=node.value_places["dims"], remedy=f"write {_listed(wanted.dims)}")
    sources.check_date(f"{name}.as_of", entry.as_of, node.value_places["as_of"])
    scale = _factor(name, entry.unit, wanted.unit, node.value_places["unit"])
    return Prior(
        name=name,
        group=Path(book.key_places[name].file).stem,
        about=entry.about,
        unit=entry.unit,
        factor=scale,
        dims=entry.dims,
        table=_table(f"{name}.dist", node, [world.axes[dim] for dim in wanted.dims], scale),
        source=entry.source,
        reasoning=entry.reasoning,
        as_of=entry.as_of,
    )


def _listed(dims: Sequence[str]) -> str:
    return f"[{', '.join(dims)}]"


def _factor(name: str, given: str, wanted: str, place: Place) -> float:
    try:
        return factor(given, wanted)
    except ValueError as error:
        remedy = f"the model works in {wanted!r}"
        raise BookError("book-unit", f"{name}: {error}", place=place, remedy=remedy) from None


def _table(
    what: str, node: Map, labels: Sequence[tuple[str, ...]], scale: float
) -> dict[tuple[str, ...], Distribution]:
    """The distribution at each combination of labels; the nearest ``default`` covers what is not named."""
    dist, faults = node["dist"], Faults()
    made: dict[int, Distribution] = {}
    for name, leaf in _leaves(what, dist, labels, node.value_places["dist"], faults):
        with faults.collect():
            made[id(leaf)] = _distribution(name, leaf, scale)
    combinations = list(itertools.product(*labels))
    found = {combination: covering(dist, combination) for combination in combinations}
    missing = [",".join(combination) for combination in combinations if found[combination] is None]
    if missing and isinstance(dist, Map):
        problem = f"{what}: no distribution for {', '.join(missing[:6])}{', ...' if len(missing) > 6 else ''}"
        place = node.value_places["dist"]
        faults.found.append(BookError("book-missing-label", problem, place=place, remedy="add them or 'default:'"))
    faults.check()
    return {combination: made[id(leaf)] for combination, leaf in found.items()}


def _leaves(
    what: str, node: Value, labels: Sequence[tuple[str, ...]], place: Place, faults: Faults
) -> Iterator[tuple[str, Map]]:
    """Every distribution under ``dist:`` with its path; unknown labels and misplaced values become faults."""
    if not isinstance(node, Map):
        problem = f"{what}: expected a distribution, got {described(node)}"
        remedy = "write {family: ..., ...}"
        faults.found.append(BookError("book-type", problem, place=place, remedy=remedy))
    elif is_distribution(node) or not labels:
        yield what, node
    else:
        for key, item in node.items():
            if key in labels[0] or key == DEFAULT:
                yield from _leaves(f"{what}.{key}", item, labels[1:], node.value_places[key], faults)
            else:
                problem, remedy = f"{what}: unknown label {key!r}", nearest(key, [*labels[0], DEFAULT, "family"])
                with faults.collect():
                    raise BookError("book-unknown-label", problem, place=node.key_places[key], remedy=remedy)


def covering(node: Value, labels: Sequence[str]) -> Map | None:
    """The distribution that covers a combination of labels, if any: its own, else the innermost default's."""
    if is_distribution(node) or not labels:
        return node if isinstance(node, Map) else None
    if not isinstance(node, Map):
        return None
    for key in (labels[0], DEFAULT):
        found = covering(node[key], labels[1:]) if key in node else None
        if found is not None:
            return found
    return None


def _distribution(what: str, node: Map, scale: float) -> Distribution:
    """A distribution in the model's unit; raises BookError at the line of its fault."""
    if "family" not in node:
        remedy = f"add 'family:', one of {', '.join(FAMILIES)}"
        raise BookError("book-missing-key", f"{what}: missing key 'family'", place=node.place, remedy=remedy)
    family = node["family"]
    if not isinstance(family, str) or family not in FAMILIES:
        place, remedy = node.value_places["family"], nearest(str(family), FAMILIES)
        raise BookError("book-family", f"{what}: unknown family {described(family)}", place=place, remedy=remedy)
    parts = node.get("components") if "components" in FAMILIES[family].model_fields else None
    built = {"components": _components(f"{what}.components", parts)} if isinstance(parts, Seq) else {}
    try:
        result = build(FAMILIES[family], node, what, **built)
    except ArithmeticError as error:
        problem = f"{what}: its parameters overflow ({error})"
        raise BookError("book-value", problem, place=node.place, remedy="write smaller numbers") from None
    try:
        return result if scale == 1 else result.scaled(scale)
    except (ValueError, ArithmeticError):
        problem = f"{what}: overflows when multiplied by {scale:g} for the model's unit"
        raise BookError("book-value", problem, place=node.place, remedy="write smaller numbers") from None


def _components(what: str, parts: Seq) -> tuple[Distribution, ...]:
    """The distributions that another is made of, in its unit; raises BookError for every fault found."""
    faults, made = Faults(), []
    for number, (part, place) in enumerate(zip(parts, parts.places, strict=True)):
        with faults.collect():
            name = f"{what}.{number}"
            made.append(_distribution(name, as_map(part, name, place), 1))
    faults.check()
    return tuple(made)
