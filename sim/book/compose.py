"""Books laid one over another: what each scenario says, and that no belief of one is lost under another."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from sim.book.check import Faults, as_map
from sim.book.priors import covering
from sim.book.schema import Book
from sim.book.shelf import Asked
from sim.book.world import WORLD_KEYS
from sim.book.yaml import Map, place_of
from sim.errors import BookError, Place

__all__ = ["Stack", "check_agreement", "check_change", "statements"]

SHOWN = 3
"""Conflicting entries named in one message."""


class Stack(NamedTuple):
    """A book as far as it is laid: its merged files, the checked book, and the scenarios upon the shipped one."""

    nodes: Map
    book: Book
    scenarios: tuple[Asked, ...] = ()


def statements(book: Book) -> dict[str, object]:
    """Every number, name and date of a book by its path; a distribution is one statement. Prose is none."""
    result: dict[str, object] = {}
    for key, value in book.world.model_dump(mode="json").items():
        members = value if isinstance(value, dict) else {}
        result |= {f"{key}.{name}.{field}": item for name, member in members.items() for field, item in member.items()}
        if not isinstance(value, dict):
            result[key] = value
    for name, prior in book.priors.items():
        result |= {".".join((name, *labels)): member.model_dump() for labels, member in prior.table.items()}
    return result | {f"correlations.{entry.subject}": entry.rho for entry in book.correlations}


def check_change(below: Book, book: Book, place: Place, what: str) -> None:
    """BookError where what was laid last, or set, leaves every statement as it was."""
    if statements(book) == statements(below):
        problem = f"{what} changes nothing of the book below it, {below.name}"
        raise BookError("book-no-change", problem, place=place, remedy="change a value or leave it out")


def check_agreement(ground: Stack, alone: Sequence[Stack]) -> None:
    """BookError for each two scenarios, each laid alone on the ground, that say different things of one entry.

    One that extends the other may say what it likes of it.
    """
    said = [_said(ground, stack) for stack in alone]
    faults = Faults()
    for (first, ours), (second, theirs) in combinations(zip(alone, said, strict=True), 2):
        one, other = first.scenarios[-1], second.scenarios[-1]
        if _extends(one, other) or _extends(other, one):
            continue
        torn = [path for path in theirs if path in ours and ours[path][0] != theirs[path][0]]
        if torn:
            faults.found.append(_conflict(one, other, torn, ours[torn[0]][1], theirs[torn[0]][1]))
    faults.check()


def _extends(one: Asked, other: Asked) -> bool:
    """Whether one scenario is among those that lead to the other."""
    return list(one.layers)[-1] in other.layers


def _conflict(one: Asked, other: Asked, torn: Sequence[str], first: Place, second: Place) -> BookError:
    listed = ", ".join(torn[:SHOWN]) + (f" and {len(torn) - SHOWN} more" if len(torn) > SHOWN else "")
    problem = f"{other.name} and {one.name}, at {first}, say different things of {listed}"
    remedy = f"leave one out, or let {other.name} say extends: {one.name}"
    return BookError("book-conflict", problem, place=second, remedy=remedy)


def _said(ground: Stack, stack: Stack) -> dict[str, tuple[object, Place]]:
    """What the scenarios of a stack write themselves, or change by what they remove, with where they do."""
    before, now = statements(ground.book), statements(stack.book)
    places, old = dict(_written(stack)), {place for _, place in _written(ground)}
    result = {path: (now[path], place) for path, place in places.items() if place not in old}
    for path in before:
        if path not in result and now.get(path) != before[path]:
            place = stack.nodes.value_places.get(path.split(".")[0], stack.nodes.place)
            result[path] = (now.get(path), place)
    return result


def _written(stack: Stack) -> Iterator[tuple[str, Place]]:
    """The place of each statement that a file writes out."""
    nodes, book = stack.nodes, stack.book
    for key in WORLD_KEYS:
        node = nodes.get(key)
        if isinstance(node, Map):
            yield from ((f"{key}.{name}.{field}", place) for name, field, place in _fields(node))
        elif key in nodes:
            yield key, nodes.value_places[key]
    for name, prior in book.priors.items():
        dist = as_map(nodes[name], name, nodes.place)["dist"]
        for labels in prior.table:
            leaf = covering(dist, labels)
            if leaf is not None:
                yield ".".join((name, *labels)), leaf.place
    for entry in book.correlations:
        yield f"correlations.{entry.subject}", place_of(nodes, ["correlations", entry.subject, "rho"])


def _fields(section: Map) -> Iterator[tuple[str, str, Place]]:
    for name, member in section.items():
        if isinstance(member, Map):
            yield from ((name, field, member.value_places[field]) for field in member)
