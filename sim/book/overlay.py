"""Joins the files of a book into one mapping, and lays one book over another."""

from collections.abc import Iterable, Sequence

from sim.book.check import Faults
from sim.book.correlation import by_subject
from sim.book.priors import DEFAULT, OVERLAY_KEYS, SECTIONS, is_distribution
from sim.book.yaml import Map, Seq, Value
from sim.errors import BookError, Place

__all__ = ["RENEWED", "join", "laid_over"]

RENEWED = ("source", "reasoning", "as_of")
"""What a prior brings anew with a new distribution."""


def join(files: Iterable[Map], place: Place) -> Map:
    """All files of a book as one mapping; raises BookError for a key that two of them have."""
    book, faults = Map(place), Faults()
    for file in files:
        for key, value in file.items():
            where = file.key_places[key]
            if key in book:
                problem = f"{key!r} is defined twice, first at {book.key_places[key]}"
                faults.found.append(BookError("book-duplicate", problem, place=where, remedy="keep one of the two"))
                continue
            with faults.collect():
                joined = by_subject(value, file.value_places[key]) if key == "correlations" else value
                book.put(key, joined, where, file.value_places[key])
    faults.check()
    return book


def laid_over(base: Map, top: Map) -> Map:
    """The book ``base`` with the entries of ``top`` added or replaced; raises BookError where that changes nothing."""
    faults, result = Faults(), base.without()
    for key, value in top.items():
        if key in OVERLAY_KEYS:
            continue
        with faults.collect():
            old = base.get(key)
            new = _section(key, old, value) if isinstance(old, Map) and isinstance(value, Map) else value
            result.put(key, new, base.key_places.get(key, top.key_places[key]), top.value_places[key])
    faults.check()
    if result == base and not top.get("set"):
        remedy = "change a value, or run the book it extends"
        raise BookError("book-no-change", "the overlay changes nothing", place=top.place, remedy=remedy)
    return result


def _section(key: str, old: Map, new: Map) -> Map:
    if key == "correlations":
        return _merged(old, new, deep=False)
    return _merged(old, new) if key in SECTIONS else _prior(key, old, new)


def _merged(old: Map, new: Map, *, deep: bool = True) -> Map:
    """``old`` with the entries of ``new``; mappings merge key by key, distributions are replaced whole."""
    result = old.without()
    for key, value in new.items():
        before = old.get(key)
        entry = value
        if deep and isinstance(before, Map) and isinstance(value, Map) and not is_distribution(value):
            entry = _merged(_by_label(before), value)
        result.put(key, entry, old.key_places.get(key, new.key_places[key]), new.value_places[key])
    return result


def _by_label(node: Map) -> Map:
    """A distribution that holds for all labels as the default of a mapping by label."""
    if not is_distribution(node):
        return node
    result = Map(node.place)
    result.put(DEFAULT, node, node.place, node.place)
    return result


def _prior(name: str, old: Map, new: Map) -> Map:
    """A prior under an overlay's: new numbers bring new sources, and kept numbers keep theirs."""
    whole = is_distribution(new.get("dist"))
    if "dist" in new:
        lacking = [key for key in RENEWED if key not in new]
        if lacking:
            problem = f"{name}: changes dist without its own {', '.join(lacking)}"
            place = new.key_places["dist"]
            raise BookError("book-uncited", problem, place=place, remedy="say where the new numbers come from")
    if new.get("unit", old.get("unit")) != old.get("unit") and not whole:
        problem = f"{name}: another unit than {old.get('unit')!r} for numbers that are kept"
        place = new.value_places["unit"]
        raise BookError("book-unit", problem, place=place, remedy="write the new numbers in the book's unit")
    merged = _merged(old, new)
    if "dist" in new and not whole:
        _append(merged, old.get("source"))
    return merged


def _append(prior: Map, sources: Value) -> None:
    """Add the sources of the numbers that are kept to a prior's own."""
    own = prior["source"]
    if isinstance(own, Seq) and isinstance(sources, Seq):
        kept = [(item, place) for item, place in zip(sources, sources.places, strict=True) if item not in own]
        items: Sequence[tuple[Value, Place]] = [*zip(own, own.places, strict=True), *kept]
        place = prior.value_places["source"]
        prior.put("source", Seq(own.place, items), prior.key_places["source"], place)
