"""What stands behind a prior, told in full: publication, publisher, date and link of each citation."""

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sim.book.load import priors_folder
from sim.book.schema import Book, Citation, Source
from sim.book.sources import HISTORY, Rows

__all__ = ["Cited", "Library"]

LINK = re.compile(r"https?://[^\s;<>\"]+")


@dataclass(frozen=True)
class Cited:
    """One source of a prior; a judgement has its text in ``says`` and nothing else but its kind."""

    kind: str
    says: str
    key: str = ""
    where: str = ""
    title: str = ""
    publisher: str = ""
    published: str = ""
    link: str = ""
    note: str = ""


class Library:
    """The references of a book and the rows of history that it cites."""

    def __init__(self, book: Book, folder: Path | None = None) -> None:
        self._references = book.references
        self._folder = folder or priors_folder() / "history"
        self._rows = Rows(self._folder)

    @cached_property
    def _links(self) -> dict[tuple[str, str], str]:
        """Links of history rows by file and key; of several the first."""
        found = {}
        for path in sorted(self._folder.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    if link := LINK.search(row["url"]):
                        found[path.stem, row["key"]] = link[0]
        return found

    def told(self, source: Source) -> Cited:
        """A source with all that is known of it."""
        if not isinstance(source, Citation):
            return Cited(kind="judgement", says=source.judgement)
        given = {"key": source.cite, "where": source.where, "says": source.says}
        if source.cite.startswith(HISTORY):
            file = source.cite.removeprefix(HISTORY)
            row = self._rows[file][source.where]
            day, link = row.published.isoformat(), self._links.get((file, source.where), "")
            return Cited(**given, kind=row.source_kind, title=row.source, published=day, link=link, note=row.note)
        reference = self._references[source.cite]
        return Cited(
            **given,
            kind=reference.kind,
            title=reference.title,
            publisher=reference.publisher or "",
            published=reference.published.isoformat(),
            link=reference.url or "",
            note=reference.note or "",
        )
