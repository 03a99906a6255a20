"""Joins the files of a book into one mapping, and lays one book over another.

Sections merge by key, a whole new distribution replaces, and ``null`` removes what stands below. A new entry of a
section comes after the entry named before it in the overlay, so that a chip can take its place among generations.
"""

from collections.abc import Iterable, Iterator, Sequence

from sim.book.check import Faults, nearest
from sim.book.correlation import by_subject
from sim.book.priors import DEFAULT, OVERLAY_KEYS, SECTIONS, is_distribution
from sim.book.world import read_world
from sim.book.yaml import Map, Seq, Value
from sim.errors import BookError, Place

__all__ = ["RENEWED", "join", "laid_over"]

RENEWED = ("source", "reasoning", "as_of")
"""What a prior brings anew with a new distribution."""


def join(files: Iterable[Map], place: Place) -> Map:
    """All files of a book as one mapping; raises BookError for a key that two of them have."""
    book, faults = Map(place), Faults()
    for file in files:
        book.blank |= file.blank
        for key, value in file.items():
            where = file.key_places[key]
            if key in book:
                problem = f"{key!r} is defined twice, first at {book.key_places[key]}"
                faults.found.append(BookError("book-duplicate", problem, place=where, remedy="keep one of the two"))
                continue
            with faults.collect():
                listed = key == "correlations" and value is not None
                joined = by_subject(value, file.value_places[key]) if listed else value
                book.put(key, joined, where, file.value_places[key])
    faults.check()
    return book


def laid_over(base: Map, top: Map, *, beside: bool = False) -> Map:
    """The book ``base`` with the entries of ``top`` added, replaced or removed.

    Raises BookError where an entry has no grounds of its own, removes nothing, or all of them change nothing; beside
    other overlays, which may have done the same already, the last two pass.
    """
    top = _undone(top, base) if beside else top
    faults, result = Faults(), base.without()
    for key in top:
        if key not in OVERLAY_KEYS:
            with faults.collect():
                result = _with_key(result, key, top)
    faults.check()
    _check_removed(result, top)
    if result == base and not top.get("set") and not beside:
        remedy = "change a value, or run the book it extends"
        problem = "the overlay changes nothing of the book below it"
        raise BookError("book-no-change", problem, place=top.place, remedy=remedy)
    return result


def _with_key(book: Map, key: str, top: Map) -> Map:
    """The book, a copy of our own, with one key of an overlay entered."""
    if _removes(top, key, book, key):
        return book.without(key)
    old, new = book.get(key), top[key]
    if isinstance(old, Map) and isinstance(new, Map):
        new = _section(key, old, new)
    book.put(key, new, book.key_places.get(key, top.key_places[key]), top.value_places[key])
    return book


def _section(key: str, old: Map, new: Map) -> Map:
    if key == "correlations":
        return _merged(old, _without_rho(new), key, deep=False)
    return _merged(old, new, key) if key in SECTIONS else _prior(key, old, new)


def _merged(old: Map, new: Map, what: str, *, deep: bool = True) -> Map:
    """``old`` with the entries of ``new``; mappings merge key by key, distributions are replaced whole."""
    result = Map(new.place)
    for key in _order(old, new):
        if key not in new:
            result.put(key, old[key], old.key_places[key], old.value_places[key])
        elif not _removes(new, key, old, f"{what}.{key}"):
            before, entry = old.get(key), new[key]
            if deep and isinstance(before, Map) and isinstance(entry, Map) and not is_distribution(entry):
                entry = _merged(_by_label(before), entry, f"{what}.{key}")
            result.put(key, entry, old.key_places.get(key, new.key_places[key]), new.value_places[key])
    return result


def _order(old: Map, new: Map) -> list[str]:
    """The keys of both: each new one after the one before it in the overlay, or last."""
    keys = list(old)
    after = len(keys)
    for key in new:
        if key in old:
            after = keys.index(key) + 1
        else:
            keys.insert(after, key)
            after += 1
    return keys


def _removes(new: Map, key: str, old: Map, what: str) -> bool:
    """Whether an overlay's entry is ``null``; raises BookError where it is blank or nothing stands below it."""
    if new[key] is not None:
        return False
    place = new.value_places[key]
    if key in new.blank:
        problem = f"{what}: expected a value, got nothing"
        raise BookError("book-type", problem, place=place, remedy="write it, or null to remove what stands below")
    if key not in old:
        problem = f"{what}: null removes an entry of the book below, which has none"
        raise BookError("book-nothing-to-remove", problem, place=place, remedy=nearest(key, old))
    return True


def _undone(top: Map, base: Map) -> Map:
    """An overlay without the removals that another one has made already."""
    result = top.without()
    for key, value in top.items():
        entry = _without_rho(value) if key == "correlations" and isinstance(value, Map) else value
        below = base.get(key)
        if entry is None and key not in top.blank and key not in base:
            result = result.without(key)
        elif isinstance(entry, Map) and isinstance(below, Map):
            result.put(key, _undone(entry, _by_label(below)), top.key_places[key], top.value_places[key])
    return result


def _without_rho(correlations: Map) -> Map:
    """Correlations by what they join, with null for one whose ``rho`` is null."""
    result = correlations.without()
    for subject, entry in correlations.items():
        if isinstance(entry, Map) and entry.get("rho", 0) is None and "rho" not in entry.blank:
            result.put(subject, None, correlations.key_places[subject], entry.value_places["rho"])
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
    if "dist" in new and (whole or _has_numbers(new["dist"])):
        _check_renewed(name, new, "changes dist", new.key_places["dist"])
    if new.get("unit", old.get("unit")) != old.get("unit") and not whole:
        problem = f"{name}: another unit than {old.get('unit')!r} for numbers that are kept"
        place = new.value_places["unit"]
        raise BookError("book-unit", problem, place=place, remedy="write the new numbers in the book's unit")
    merged = _merged(old, new, name)
    if "dist" in new and not whole:
        _append(merged, old.get("source"))
    return merged


def _check_renewed(name: str, new: Map, does: str, place: Place) -> None:
    lacking = [key for key in RENEWED if key not in new]
    if lacking:
        problem = f"{name}: {does} without its own {', '.join(lacking)}"
        raise BookError("book-uncited", problem, place=place, remedy="say where the new numbers come from")


def _has_numbers(dist: Value) -> bool:
    """Whether something under an overlay's ``dist:`` is more than a removal."""
    return any(map(_has_numbers, dist.values())) if isinstance(dist, Map) and dist else dist is not None


def _append(prior: Map, sources: Value) -> None:
    """Add the sources of the numbers that are kept to a prior's own."""
    own = prior.get("source")
    if isinstance(own, Seq) and isinstance(sources, Seq):
        kept = [(item, place) for item, place in zip(sources, sources.places, strict=True) if item not in own]
        items: Sequence[tuple[Value, Place]] = [*zip(own, own.places, strict=True), *kept]
        place = prior.value_places["source"]
        prior.put("source", Seq(own.place, items), prior.key_places["source"], place)


def _check_removed(book: Map, top: Map) -> None:
    """BookError where a label that still exists loses its own numbers without grounds: it falls to a default.

    Labels that have left the world can be dropped without a word.
    """
    faults, axes = Faults(), None
    for name, new in top.items():
        prior = book.get(name)
        if name in SECTIONS or not isinstance(new, Map) or not isinstance(prior, Map):
            continue
        for path, place in _nulls(new.get("dist")):
            axes = axes or read_world(book).axes
            if _is_live(path, prior.get("dims"), axes):
                with faults.collect():
                    _check_renewed(name, new, f"drops the numbers of {'.'.join(path)}", place)
    faults.check()


def _nulls(dist: Value, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Place]]:
    """Path and place of each removal under an overlay's ``dist:``."""
    if isinstance(dist, Map) and not is_distribution(dist):
        for key, value in dist.items():
            if value is None:
                yield (*path, key), dist.value_places[key]
            yield from _nulls(value, (*path, key))


def _is_live(path: Sequence[str], dims: Value, axes: dict[str, tuple[str, ...]]) -> bool:
    """Whether labels are all of the world, or a default."""
    named = dims if isinstance(dims, Seq) else []
    return all(label == DEFAULT or label in axes.get(str(dim), ()) for label, dim in zip(path, named, strict=False))
