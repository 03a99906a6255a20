"""Sets single values of a book by path, as an overlay's ``set:`` and the command line's ``--set`` do.

A path is a prior or a key of the world, then labels, then a field of the distribution, joined by dots:
``capex_drift.p50``, ``price.b200.p95``, ``owner_weight.microsoft/nvidia.p50``, ``horizon``. A path that stops at
a prior or a label takes a whole distribution. Numbers are in the unit of the prior's file.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sim.axes import Input
from sim.book.check import as_map, described, nearest
from sim.book.files import invisible
from sim.book.priors import DEFAULT, is_distribution
from sim.book.schema import FAMILIES
from sim.book.world import WORLD_KEYS, read_world
from sim.book.yaml import Map, Seq, Value, plain, read_value
from sim.errors import BookError, Place

__all__ = ["Override", "from_command", "from_overlay", "with_overrides"]


class Override(NamedTuple):
    """One value to set, where it was asked for and by whom.

    ``grounds`` are the sources of the overlay that asks; ``beside`` others, the value may be there already.
    """

    path: str
    value: Value
    place: Place
    by: str
    grounds: Value = None
    beside: bool = False

    def error(self, code: str, problem: str, remedy: str) -> BookError:
        """A BookError about this override."""
        return BookError(code, f"set {self.path}: {problem}", place=self.place, remedy=remedy)


def from_command(overrides: Mapping[str, object]) -> list[Override]:
    """The overrides of a command line or of Python; text is read as YAML. Raises BookError for what is no value."""
    result = []
    for path, value in overrides.items():
        if invisible(path, but=""):
            problem = f"--set {path!r:.80}: an invisible character"
            raise BookError("book-unknown-path", problem, remedy="delete it")
        name = f"--set {path}"
        try:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError) as error:
            problem = f"no value a book can hold: {error}"
            raise BookError("book-type", problem, place=Place(name), remedy="give a number, text or mapping") from None
        result.append(Override(path, read_value(text, name), Place(name), "set by the user"))
    return result


def from_overlay(overlay: Map, *, beside: bool = False) -> list[Override]:
    """The overrides under an overlay's ``set:``; raises BookError where that is no mapping."""
    if "set" not in overlay:
        return []
    node, by = as_map(overlay["set"], "set", overlay.value_places["set"]), f"set by {overlay.key_places['set'].file}"
    return [
        Override(path, value, node.value_places[path], by, overlay.get("source"), beside)
        for path, value in node.items()
    ]


def with_overrides(book: Map, overrides: Sequence[Override], inputs: Mapping[str, Input]) -> Map:
    """The book with every override made, the world's before the priors'; raises BookError for the first that fails."""
    of_world = [override for override in overrides if override.path.split(".")[0] in WORLD_KEYS]
    for override in of_world:
        book = _in_world(book, override.path.split("."), override)
    of_priors = [override for override in overrides if override not in of_world]
    if of_priors:
        axes = read_world(book).axes
        for override in of_priors:
            book = _in_prior(book, override, inputs, axes)
    return book


def _in_world(node: Map, path: Sequence[str], override: Override) -> Map:
    head, *rest = path
    if not rest:
        _check_changes(node.get(head), override)
        return node.with_entry(head, override.value, override.place)
    inner = node.get(head)
    if not isinstance(inner, Map):
        raise override.error("book-unknown-path", f"no {head!r} to go into", nearest(head, node))
    return node.with_entry(head, _in_world(inner, rest, override), override.place)


def _in_prior(book: Map, override: Override, inputs: Mapping[str, Input], axes: Mapping[str, tuple[str, ...]]) -> Map:
    name, *path = override.path.split(".")
    if name not in inputs or name not in book:
        raise override.error("book-unknown-path", f"unknown prior {name!r}", nearest(name, [*inputs, *WORLD_KEYS]))
    prior = as_map(book[name], name, book.value_places[name])
    dist = as_map(prior.get("dist"), f"{name}.dist", prior.place)
    labels = [axes[dim] for dim in inputs[name].dims]
    changed = prior.with_entry("dist", _replaced(dist, labels, path, override), override.place)
    return book.with_entry(name, _marked(changed, override), override.place)


def _replaced(
    node: Map, labels: Sequence[tuple[str, ...]], path: Sequence[str], override: Override, default: Value = None
) -> Map:
    """What stands under ``dist:`` with the value at the path replaced; a label under a default gets its own copy."""
    if not path:
        _check_changes(node, override)
        if not isinstance(override.value, Map):
            problem = f"expected a distribution, got {described(override.value)}"
            fields = ", ".join(key for key in node if key != "family")
            raise override.error("book-type", problem, f"write {{family: ..., ...}} or go on to one of: {fields}")
        return override.value
    head, *rest = path
    own = labels[0] if labels else ()
    if is_distribution(node):
        if head not in own:
            return _with_field(node, path, own, override)
        by_label = Map(node.place)
        by_label.put(DEFAULT, node, node.place, node.place)
        node = by_label
    default = node.get(DEFAULT, default)
    inner = node.get(head, default if head in own else None)
    if not isinstance(inner, Map):
        raise override.error("book-unknown-path", f"no label {head!r}", nearest(head, [*own, DEFAULT]))
    return node.with_entry(head, _replaced(inner, labels[1:], rest, override, default), override.place)


def _with_field(node: Map, path: Sequence[str], labels: Sequence[str], override: Override) -> Map:
    """A distribution with one field replaced."""
    field, *rest = path
    known = FAMILIES.get(str(node["family"]))
    fields = list(known.model_fields) if known else list(node)
    if rest or field not in fields:
        raise override.error(
            "book-unknown-path", f"no field or label {'.'.join(path)!r}", nearest(field, [*labels, *fields])
        )
    _check_changes(node.get(field), override)
    changed = Map(override.place)
    for key in node:
        changed.put(key, node[key], override.place, override.place)
    return changed.with_entry(field, override.value, override.place)


def _check_changes(now: Value, override: Override) -> None:
    if now == override.value and not override.beside:
        raise override.error(
            "book-no-change", "changes nothing: it has that value", "set another value or leave it out"
        )


def _marked(prior: Map, override: Override) -> Map:
    """A prior whose sources end with who set what, on which grounds."""
    note, place = Map(override.place), override.place
    text = f"{override.by}: {override.path} = {json.dumps(plain(override.value))}"
    note.put("judgement", text, place, place)
    kept, grounds = _items(prior.get("source")), _items(override.grounds)
    new = [item for item in grounds if item not in kept]
    return prior.with_entry("source", Seq(place, [*kept, (note, place), *new]), place)


def _items(sources: Value) -> list[tuple[Value, Place]]:
    return list(zip(sources, sources.places, strict=True)) if isinstance(sources, Seq) else []
