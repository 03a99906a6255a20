"""Reads what priors stand on: references, citations of them and of history rows, and judgements."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from sim import history
from sim.book.check import Faults, as_map, build, nearest
from sim.book.schema import Citation, Judgement, Reference, Source
from sim.book.yaml import Map, Seq
from sim.errors import BookError, Place
from sim.history import Row

__all__ = ["Sources", "read_references"]

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


class Sources:
    """Checks the sources of priors and correlations against the references and the history files."""

    def __init__(self, references: Mapping[str, Reference], folder: Path) -> None:
        self._references = references
        self._files = {path.stem: path for path in sorted(folder.glob("*.csv"))}
        self._rows: dict[str, dict[str, Row]] = {}

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
            return row.source_kind in WEAK or "unlinked" in row.source
        if citation.cite not in self._references:
            remedy = nearest(citation.cite, [*self._references, *(HISTORY + name for name in self._files)])
            place = item.value_places["cite"]
            raise BookError("book-unknown-source", f"unknown citation {citation.cite!r}", place=place, remedy=remedy)
        return self._references[citation.cite].kind in WEAK

    def _row(self, citation: Citation, item: Map) -> Row:
        """The history row cited, whose value is the first figure of ``says``."""
        name = citation.cite.removeprefix(HISTORY)
        if name not in self._files:
            place, remedy = item.value_places["cite"], nearest(name, self._files)
            raise BookError("book-unknown-source", f"unknown history file {name!r}", place=place, remedy=remedy)
        if name not in self._rows:
            self._rows[name] = {row.key: row for row in history.read(self._files[name])}
        rows = self._rows[name]
        if citation.where not in rows:
            problem = f"{citation.cite} has no row {citation.where!r}"
            place, remedy = item.value_places["where"], nearest(citation.where, rows)
            raise BookError("book-unknown-source", problem, place=place, remedy=remedy)
        _check_figure(citation, rows[citation.where].value, item.value_places["says"])
        return rows[citation.where]


def _check_figure(citation: Citation, value: float, place: Place) -> None:
    figure = _FIGURE.search(citation.says)
    stated = float(figure[0].replace(",", "")) if figure else math.nan
    if not math.isclose(stated, value, rel_tol=1e-9):
        problem = f"says {stated:.10g} first, where {citation.cite} {citation.where} has {value:.10g}"
        raise BookError("book-figure", problem, place=place, remedy="begin says: with the row's value")
