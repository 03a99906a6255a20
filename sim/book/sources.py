"""Reads what priors stand on: references, citations of them and of history rows, and judgements."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from sim import history
from sim.book.check import Faults, as_map, build, nearest
from sim.book.schema import Citation, Judgement, Reference, Source, WorldSpec
from sim.book.yaml import Map, Seq
from sim.errors import BookError, Place
from sim.history import Row

__all__ = ["Rows", "Sources", "known_references", "read_references"]

WEAK = frozenset({"low_confidence", "unlinked"})
"""Kinds of source that never stand alone under a prior."""
HISTORY = "history/"
_FIGURE = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|-?\.\d+")


def read_references(book: Map) -> dict[str, Reference]:
    """The references of a merged book by key; raises BookError for every fault found."""
    faults, result = Faults(), {}
    node = as_map(book.get("references", Map(book.place)), "references", book.place)
    for key in node:
        with faults.collect():
            what = f"references.{key}"
            result[key] = build(Reference, as_map(node[key], what, node.value_places[key]), what)
    faults.check()
    return result


def known_references(book: Map, references: Mapping[str, Reference], as_of: date, shared: Path) -> dict[str, Reference]:
    """The references published by the book's date; raises BookError for a later one that the book itself brings.

    The ``shared`` file serves books of every date, so its later entries are only left out.
    """
    faults, node = Faults(), book.get("references")
    for key, reference in references.items():
        place = node.value_places[key] if isinstance(node, Map) else book.place
        if place.file != str(shared):
            with faults.collect():
                _check_known(f"references.{key}", reference.published, as_of, place)
    faults.check()
    return {key: reference for key, reference in references.items() if reference.published <= as_of}


def _check_known(fact: str, day: date, as_of: date, place: Place, remedy: str = "") -> None:
    if day > as_of:
        problem = f"{fact} is of {day}, after the book's date, {as_of}"
        remedy = remedy or f"use what was known by {as_of}, or date your book later"
        raise BookError("book-later-fact", problem, place=place, remedy=remedy)


class Rows:
    """The rows of the history files of a folder, each file read once when it is first cited."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.stem: path for path in sorted(folder.glob("*.csv"))}
        self._read: dict[str, dict[str, Row]] = {}

    def __getitem__(self, file: str) -> dict[str, Row]:
        """The rows of one file by their key."""
        if file not in self._read:
            self._read[file] = {row.key: row for row in history.read(self.files[file])}
        return self._read[file]


class Sources:
    """Checks the sources of priors and correlations against the references, the history files and the book's date."""

    def __init__(self, references: Mapping[str, Reference], rows: Rows, world: WorldSpec) -> None:
        self._references = references
        self._rows = rows
        self._world = world

    def check_date(self, fact: str, day: date, place: Place) -> None:
        """BookError where a fact is of a later day than the book."""
        _check_known(fact, day, self._world.as_of, place)

    def check(self, layers: Iterable[Map]) -> None:
        """BookError for a fault in the sources of overlays as a whole."""
        faults = Faults()
        for layer in layers:
            if "source" in layer:
                with faults.collect():
                    self.read(layer, "the overlay")
        faults.check()

    def read(self, entry: Map, what: str) -> tuple[Source, ...]:
        """The sources under an entry; raises BookError where there is none or none that may stand alone."""
        node = entry.get("source")
        if not isinstance(node, Seq) or not node:
            place = entry.value_places.get("source", entry.place)
            remedy = "add source: with {cite, where, says} or {judgement}"
            raise BookError("book-uncited", f"{what}: no list of sources", place=place, remedy=remedy)
        faults, sources, strong = Faults(), [], False
        for position, place in enumerate(node.places):
            with faults.collect():
                item = as_map(node[position], f"{what}.source.{position}", place)
                source = self._source(item, f"{what}.source.{position}")
                strong |= isinstance(source, Judgement) or not self._is_weak(source, item)
                sources.append(source)
        faults.check()
        if not strong:
            problem = f"{what}: stands on low-confidence or unlinked sources alone"
            raise BookError(
                "book-weak-source", problem, place=node.place, remedy="add a judgement or a stronger source"
            )
        return tuple(sources)

    def _source(self, item: Map, what: str) -> Source:
        if "judgement" in item:
            return build(Judgement, item, what)
        return build(Citation, item, what)

    def _is_weak(self, citation: Citation, item: Map) -> bool:
        """Whether a citation may not stand alone; raises BookError where it leads nowhere."""
        if citation.cite.startswith(HISTORY):
            row = self._row(citation, item)
            self._check_row(citation, row, item.value_places["where"])
            return row.source_kind in WEAK or "unlinked" in row.source
        if citation.cite not in self._references:
            remedy = nearest(citation.cite, [*self._references, *(HISTORY + name for name in self._rows.files)])
            place = item.value_places["cite"]
            raise BookError(
                "book-unknown-source", f"unknown citation {citation.cite!r:.80}", place=place, remedy=remedy
            )
        reference = self._references[citation.cite]
        self.check_date(f"{citation.cite} (published)", reference.published, item.value_places["cite"])
        return reference.kind in WEAK

    def _row(self, citation: Citation, item: Map) -> Row:
        """The history row cited, whose value is the first figure of ``says``."""
        name = citation.cite.removeprefix(HISTORY)
        if name not in self._rows.files:
            place, remedy = item.value_places["cite"], nearest(name, self._rows.files)
            raise BookError("book-unknown-source", f"unknown history file {name!r:.80}", place=place, remedy=remedy)
        rows = self._rows[name]
        if citation.where not in rows:
            problem = f"{citation.cite} has no row {citation.where!r:.80}"
            place, remedy = item.value_places["where"], nearest(citation.where, rows)
            raise BookError("book-unknown-source", problem, place=place, remedy=remedy)
        _check_figure(citation, rows[citation.where].value, item.value_places["says"])
        return rows[citation.where]

    def _check_row(self, citation: Citation, row: Row, place: Place) -> None:
        """BookError for a row published after the book's date, unless it is marked and the world admits such rows."""
        marked = history.is_retrospective(row)
        if marked and self._world.retrospective:
            return
        remedy = "retrospective rows inform only a book whose world says retrospective: true" if marked else ""
        fact = f"{citation.cite} {citation.where} (first published)"
        _check_known(fact, row.published, self._world.as_of, place, remedy)


def _check_figure(citation: Citation, value: float, place: Place) -> None:
    figure = _FIGURE.search(citation.says)
    stated = float(figure[0].replace(",", "")) if figure else math.nan
    if not math.isclose(stated, value, rel_tol=1e-9):
        problem = f"says {stated:.10g} first, where {citation.cite} {citation.where} has {value:.10g}"
        raise BookError("book-figure", problem, place=place, remedy="begin says: with the row's value")
