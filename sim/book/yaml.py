"""A strict reader of YAML 1.2 core: mappings and lists that know their places, refused early when unsafe or ambiguous.

Size, depth, node count, tags, anchors, aliases and merge keys are checked on the parser's events, before anything
is built. Text that YAML 1.1 would turn into something else (``yes``, ``010``, ``1:30``, ``1_000``, dates) stays
text here, and is refused by the schema where a number or a bool is expected.
"""

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Self, TypeAlias

import yaml

from sim.book import files
from sim.book.files import MAX_BYTES, invisible
from sim.errors import BookError, Place

__all__ = ["MAX_BYTES", "NUMBER", "Map", "Seq", "Value", "place_of", "plain", "read", "read_text", "read_value"]

MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_DIGITS = 20
MAX_KEY, MAX_TEXT = 1_000, 20_000

NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = dict.fromkeys(("", "~", "null", "Null", "NULL"), None) | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Map(dict[str, "Value"]):
    """A mapping with the places of itself, its keys and its values; ``blank`` are keys with nothing written."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.key_places: dict[str, Place] = {}
        self.value_places: dict[str, Place] = {}
        self.blank: set[str] = set()

    def put(self, key: str, value: "Value", key_place: Place, value_place: Place) -> None:
        """Add or replace one entry with its places."""
        self[key] = value
        self.key_places[key] = key_place
        self.value_places[key] = value_place

    def with_entry(self, key: str, value: "Value", place: Place, *, key_place: Place | None = None) -> Self:
        """A copy with one entry added or replaced at ``place``; the place of a key already there is kept."""
        result = self.without()
        result.put(key, value, self.key_places.get(key, key_place or place), place)
        return result

    def without(self, *keys: str) -> Self:
        """A copy that lacks ``keys``."""
        result = type(self)(self.place)
        result.blank = self.blank - set(keys)
        for key, value in self.items():
            if key not in keys:
                result.put(key, value, self.key_places[key], self.value_places[key])
        return result


class Seq(list["Value"]):
    """A list with the place of itself and of each item."""

    def __init__(self, place: Place, items: Iterable[tuple["Value", Place]] = ()) -> None:
        pairs = list(items)
        super().__init__(value for value, _ in pairs)
        self.place = place
        self.places = [where for _, where in pairs]


Value: TypeAlias = str | int | float | bool | Map | Seq | None


def read(path: Path) -> Map:
    """The mapping a file holds; raises BookError when the file cannot be read or is not strict YAML."""
    file = str(path)
    if invisible(file, but=""):
        _refuse("unreadable", "invisible characters in its name", Place(ascii(file)), "rename it")
    try:
        data = files.data(path)
    except OSError as error:
        problem, remedy = f"cannot be read: {error.strerror}", "name a file of YAML"
        raise BookError("yaml-unreadable", problem, place=Place(file), remedy=remedy) from None
    if len(data) > MAX_BYTES:
        _refuse("too-large", f"larger than {MAX_BYTES:,} bytes", Place(file), "split it into several files")
    return read_text(_decode(data, file), file)


def read_text(text: str, file: str) -> Map:
    """The mapping a text holds; raises BookError naming ``file``, line and column."""
    value = _Reader(text, file).document()
    if value is None:
        _refuse("empty", "the file is empty", Place(file), "write at least one 'key: value'")
    if not isinstance(value, Map):
        kind = "a list" if isinstance(value, Seq) else "a single value"
        _refuse("not-a-mapping", f"{kind} at the top of the file", Place(file, 1, 1), "write 'key: value' lines")
    return value


def read_value(text: str, name: str) -> Value:
    """The value a command-line text holds; raises BookError with ``name`` for its place."""
    return _Reader(text, name, numbered=False).document()


def plain(value: Value) -> object:
    """The value as dict, tuple and scalars, for pydantic."""
    if isinstance(value, Map):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Seq):
        return tuple(plain(item) for item in value)
    return value


def place_of(node: Map | Seq, path: Iterable[object]) -> Place:
    """The place of the value at ``path``, or of the deepest part of it that exists."""
    place, value = node.place, node
    for part in path:
        if isinstance(value, Map) and isinstance(part, str) and part in value:
            place, value = value.value_places[part], value[part]  # type: ignore[assignment]
        elif isinstance(value, Seq) and isinstance(part, int) and part < len(value):
            place, value = value.places[part], value[part]  # type: ignore[assignment]
    return place


def _refuse(code: str, problem: str, place: Place, remedy: str = "") -> NoReturn:
    raise BookError(f"yaml-{code}", problem, place=place, remedy=remedy)


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        _refuse(
            "not-utf8", f"byte 0x{data[error.start]:02x} is not UTF-8", Place(file, line, column), "save it as UTF-8"
        )


_SYNTAX = {
    "end of stream": "close the bracket or the quotes that are open",
    "',' or": "close the bracket, or part its entries by commas",
    "mapping values": "put text that holds ': ' in quotes, and each key on a line of its own",
    "start any token": "indent by spaces, and put text that begins with a sign in quotes",
    "expected key": "indent the keys of one mapping alike",
    "escape": "write the backslash twice, or use single quotes",
}
"""What to do about the parser's problems, by words of theirs."""


def _mended(problem: str) -> str:
    """The remedy for a problem of the parser."""
    known = (remedy for words, remedy in _SYNTAX.items() if words in problem)
    return next(known, "check the indent, the brackets and the quotes up to there")


def _bearable(text: str, place: Place) -> str:
    if len(text) > MAX_TEXT:
        _refuse("too-long", f"a text of more than {MAX_TEXT:,} characters", place, "shorten it")
    return text


class _Reader:
    """Builds one document from parser events; refuses before it builds."""

    def __init__(self, text: str, file: str, *, numbered: bool = True) -> None:
        self._text, self._file, self._numbered = text, file, numbered
        self._nodes = 0

    def document(self) -> Value:
        """The only document of the text, None where there is none."""
        self._check_text()
        self._events: Iterator[Any] = yaml.parse(self._text, Loader=_LOADER)
        try:
            return self._document()
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            begun = getattr(error, "context_mark", None) if "end of stream" in problem else None
            place = self._place(begun or getattr(error, "problem_mark", None))
            _refuse("syntax", f"not YAML: {problem}", place, _mended(problem))
        except (ValueError, OverflowError) as error:  # the pure Python scanner, on escapes beyond Unicode
            _refuse("syntax", f"not YAML: {error}", self._place(None), _mended(str(error)))

    def _check_text(self) -> None:
        if len(self._text) > MAX_BYTES:
            _refuse("too-large", f"larger than {MAX_BYTES:,} bytes", Place(self._file), "split it into several files")
        sign = invisible(self._text)
        if sign is not None:
            before = self._text[: self._text.index(sign)]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            self._refuse_sign(sign, Place(self._file, line, column) if self._numbered else Place(self._file))

    def _refuse_sign(self, sign: str, place: Place) -> NoReturn:
        _refuse("character", f"invisible character {files.named(sign)}", place, "delete it")

    def _place(self, mark: Any) -> Place:
        if mark is None or not self._numbered:
            return Place(self._file)
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _document(self) -> Value:
        next(self._events)  # the stream's start
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            return None
        if start.version or start.tags:
            _refuse("directive", "a YAML directive (%)", self._place(start.start_mark), "delete it: plain YAML is read")
        value = self._value(next(self._events), 1)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            place = self._place(after.start_mark)
            _refuse("documents", "a second document ('---')", place, "put each document into its own file")
        return value

    def _value(self, event: Any, depth: int) -> Value:
        self._check_event(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._seq(event, depth)
        return self._map(event, depth)

    def _check_event(self, event: Any, depth: int) -> None:
        place = self._place(event.start_mark)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            _refuse("too-many", f"more than {MAX_NODES:,} values", place, "split it into several files")
        if depth > MAX_DEPTH:
            _refuse("too-deep", f"nested deeper than {MAX_DEPTH} levels", place, "write it flatter")
        if getattr(event, "anchor", None) is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            _refuse("anchor", f"an anchor or alias ({sign}{event.anchor:.60})", place, "write the value out")
        if getattr(event, "tag", None) is not None:
            _refuse("tag", f"a tag ({event.tag:.60})", place, "delete it: values are read as they stand")

    def _seq(self, start: Any, depth: int) -> Seq:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append((self._value(event, depth + 1), self._place(event.start_mark)))
        return Seq(self._place(start.start_mark), items)

    def _map(self, start: Any, depth: int) -> Map:
        result = Map(self._place(start.start_mark))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, place = self._key(event, depth + 1), self._place(event.start_mark)
            if key in result:
                first = result.key_places[key]
                lines = f"on lines {first.line} and {place.line}" if self._numbered else "given twice"
                _refuse("duplicate-key", f"duplicate key {key!r} {lines}", place, "keep one of the two")
            event = next(self._events)
            result.put(key, self._value(event, depth + 1), place, self._place(event.start_mark))
            if getattr(event, "value", None) == "" and result[key] is None:
                result.blank.add(key)
        return result

    def _key(self, event: Any, depth: int) -> str:
        place = self._place(event.start_mark)
        if not isinstance(event, yaml.ScalarEvent) and not isinstance(event, yaml.AliasEvent):
            _refuse("key", "a key that is a list or a mapping", place, "keys are text")
        key = self._value(event, depth)
        if key == "<<":
            _refuse("merge-key", "a merge key (<<)", place, "write the entries out")
        if len(getattr(event, "value", "")) > MAX_KEY:
            _refuse(
                "key", f"a key longer than {MAX_KEY} characters", place, "check the colons and the quotes before it"
            )
        if isinstance(key, str) and invisible(key, but=""):
            _refuse("key", f"a key with a tab or a line break, {key!r:.60}", place, "write it in one word")
        if not isinstance(key, str):
            shown = getattr(event, "value", "") or "nothing"
            _refuse("key", f"keys are text, got {shown}", place, f'quote it: "{shown}"')
        return key

    def _scalar(self, event: Any) -> Value:
        text, place = event.value, self._place(event.start_mark)
        if not event.implicit[0]:  # quoted or block text; escapes can bring invisible characters back
            sign = invisible(text)
            if sign is not None:
                self._refuse_sign(sign, place)
            return _bearable(text, place)
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            _refuse("not-finite", f"{text} is not a finite number", place, "write a finite number")
        if _INTEGER.fullmatch(text):
            return self._integer(text, place)
        return self._float(text, place) if NUMBER.fullmatch(text) else _bearable(text, place)

    def _integer(self, text: str, place: Place) -> int:
        if len(text.lstrip("+-")) > MAX_DIGITS:
            _refuse("digits", f"an integer of {len(text)} digits", place, "write it as 1.2e30")
        return int(text)

    def _float(self, text: str, place: Place) -> float:
        value = float(text)
        if not math.isfinite(value):
            _refuse("not-finite", f"{text[:40]} is beyond the largest float (1.8e308)", place, "write a smaller number")
        return value
