"""Checks that speak: models built from YAML nodes, with every fault at its file, line and column, and the nearest name.

Faults are collected, so that one run over a book reports all of them.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sim.book.yaml import NUMBER, Map, Value, place_of, plain
from sim.errors import BookError, Place

__all__ = ["BookFaults", "Faults", "as_map", "build", "described", "nearest"]

LISTED, MOST = 20, 100
"""Faults shown of one book, and found before the rest is left unread."""
CUTOFF = 0.5
"""How alike two names are, by difflib's ratio, for one to be suggested for the other."""

Model = TypeVar("Model", bound=BaseModel)


class BookFaults(BookError):
    """Several faults of one book; ``faults`` has them all, the message the first ones."""

    def __init__(self, faults: Sequence[BookError]) -> None:
        self.faults = tuple(faults)
        super().__init__("book-faults", f"{len(faults)} faults", remedy="mend them from the top down")

    def __str__(self) -> str:
        """One fault a line."""
        shown = [str(fault) for fault in self.faults[:LISTED]]
        more = [f"and {len(self.faults) - LISTED} more"] if len(self.faults) > LISTED else []
        return "\n  ".join([self.problem, *shown, *more]) + f"; {self.remedy} [{self.code}]"


class Faults:
    """Collects the faults of a book's parts, up to ``MOST`` of them."""

    def __init__(self) -> None:
        self.found: list[BookError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a BookError raised inside, and go on after it; raises BookFaults where they are too many to go on."""
        try:
            yield
        except BookFaults as several:
            self.found.extend(several.faults)
        except BookError as one:
            self.found.append(one)
        if len(self.found) >= MOST:
            self.check()

    def check(self) -> None:
        """Raise what was found: the fault itself where it is the only one, else BookFaults."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise BookFaults(self.found)


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the one or two nearest known ones, else what is known."""
    names = list(known)
    by_lower = {each.lower(): each for each in names}
    near = [by_lower[each] for each in difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=CUTOFF)]
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    listed = ", ".join(names[:12]) or "none"
    return f"known: {listed}{', ...' if len(names) > 12 else ''}"


def described(value: object) -> str:
    """A YAML value in the words of a message, cut to 60 signs."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the bool {str(value).lower()}"
        case str():
            return f"text {value if len(value) < 60 else value[:57] + '...'!r}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"the number {value!r}"


def as_map(node: Value, what: str, place: Place) -> Map:
    """The node, if it is a mapping; raises BookError otherwise."""
    if isinstance(node, Map):
        return node
    problem = f"{what}: expected a mapping, got {described(node)}"
    raise BookError("book-type", problem, place=place, remedy="write 'key: value' lines below it")


def build(model: type[Model], node: Map, what: str, **built: object) -> Model:
    """The model a mapping holds, with the entries in ``built`` made already; raises BookError for each fault."""
    faults = Faults()
    known = model.model_fields
    faults.found = [
        _empty(f"{what}.{key}", node.value_places[key]) for key in node if key in known and node[key] is None
    ]
    faults.check()
    try:
        return model.model_validate({**{key: plain(node[key]) for key in node if key not in built}, **built})
    except ValidationError as error:
        details = error.errors()
        misspelt = any(detail["type"] == "extra_forbidden" for detail in details)  # then a key only seems to be missing
        told = [detail for detail in details if not (misspelt and detail["type"] == "missing")]
        faults.found = [_explain(detail, model, node, what) for detail in told[:MOST]]
        faults.check()
        raise


def _empty(name: str, place: Place) -> BookError:
    return BookError(
        "book-type", f"{name}: expected a value, got nothing", place=place, remedy="write it or drop the key"
    )


def _explain(detail: ErrorDetails, model: type[BaseModel], node: Map, what: str) -> BookError:
    """One of pydantic's errors in our words, at its place."""
    location, kind, given = detail["loc"], detail["type"], detail["input"]
    place = place_of(node, location)
    name = ".".join([what, *(str(part) for part in location)])
    if kind == "missing":
        problem = f"{what}: missing key {location[-1]!r}"
        return BookError("book-missing-key", problem, place=node.place, remedy=f"add '{location[-1]}:'")
    if kind == "extra_forbidden":
        key = str(location[0])
        absent = [field for field in model.model_fields if field not in node]
        remedy = nearest(key, absent if difflib.get_close_matches(key, absent, cutoff=CUTOFF) else model.model_fields)
        return BookError("book-unknown-key", f"{what}: unknown key {key!r}", place=node.key_places[key], remedy=remedy)
    if kind == "literal_error":
        problem = f"{name}: expected {detail['ctx']['expected']}, got {described(given)}"
        remedy = nearest(str(given), detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", "))
        return BookError("book-value", problem, place=place, remedy=remedy)
    if kind in _EXPECTED:
        problem = f"{name}: expected {_EXPECTED[kind]}, got {described(given)}"
        return BookError("book-type", problem, place=place, remedy=_how_to_write(kind, given))
    if kind in _LIMITS:
        words, remedy = _LIMITS[kind]
        problem = f"{name}: expected {words.format(**detail['ctx'])}, got {described(given)}"
        return BookError("book-value", problem, place=place, remedy=remedy)
    problem, _, remedy = str(detail["msg"]).removeprefix("Value error, ").partition("; ")
    return BookError("book-value", f"{name}: {problem}", place=place, remedy=remedy)


_LIMITS = {
    "less_than_equal": ("a number less than or equal to {le:g}", "write a smaller number"),
    "greater_than_equal": ("a number greater than or equal to {ge:g}", "write a larger number"),
    "greater_than": ("a number greater than {gt:g}", "write a larger number"),
    "string_too_short": ("some text", "write it or drop the key"),
    "string_pattern_mismatch": ("text of the form {pattern}", "write it so"),
    "too_short": ("{min_length} or more of them", "add what is missing"),
    "too_long": ("at most {max_length} of them", "drop what is too many"),
}
"""What pydantic found beyond a limit: the limit in words, and the remedy."""

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def _how_to_write(kind: str, given: object) -> str:
    """How the value given is written in strict YAML, where that can be told."""
    if kind in ("float_type", "int_type"):
        return _number_remedy(given.strip() if isinstance(given, str) else "")
    if kind == "bool_type":
        return "write true or false"
    if kind == "string_type":
        return "put it in quotes" if isinstance(given, int | float) else "write text"
    return "write [a, b]" if kind == "tuple_type" else "write 'key: value' lines below it"


_THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")


def _number_remedy(text: str) -> str:
    bare = text.rstrip("%").replace("_", "").strip()
    bare = bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare  # 1,5 is another comma
    digits = bare.lstrip("0") or "0"
    if NUMBER.fullmatch(text):
        return "leave the quotes out"
    if text.endswith("%") and NUMBER.fullmatch(bare):
        return f"write {float(bare) / 100:.10g}"
    if NUMBER.fullmatch(bare):
        return f"write {bare}"
    if NUMBER.fullmatch(digits):
        return f"write {digits}: a leading zero means another base elsewhere"
    if ":" in text:
        return "write one plain number: 1:30 means 90 in older YAML"
    return "write a number such as 1200, 0.05 or 1e6"
