"""The shelf of shipped books: which one a date picks, and the files that lead from it to the book asked for.

``priors/base`` and each ``priors/vintages/<date>`` are shipped books, ``priors/scenarios/*.yaml`` are overlays upon
whichever is picked. A vintage is complete, or says ``extends: <date>`` of an earlier one.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sim.book.check import Faults, nearest
from sim.book.fields import parse_date
from sim.book.files import invisible
from sim.book.overlay import join
from sim.book.yaml import Map, read
from sim.errors import BookError, Place, RefusedError

__all__ = ["BASE", "Asked", "Shelf"]

BASE = "base"


class Asked(NamedTuple):
    """What one name or path asks for: the shipped book it starts from, if it says which, and the overlays upon it."""

    name: str
    book: str | None
    layers: dict[Path, Map]
    """By resolved path, the undermost first."""


class Shelf:
    """The books and scenarios below one folder of priors; files are read when they are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folders = [path for path in sorted((root / "vintages").glob("[!.]*")) if path.is_dir()]
        self._folders = {BASE: root / BASE, **{folder.name: folder for folder in folders}}
        self._scenarios = {path.stem: path for path in sorted((root / "scenarios").glob("*.yaml"))}

    @property
    def names(self) -> list[str]:
        """The shipped books: the vintages by date, and the base."""
        return [*(name for name in self._folders if name != BASE), BASE]

    @cached_property
    def dates(self) -> dict[str, date]:
        """The date of each shipped book, the earliest first; raises BookError for a vintage not named by its date."""
        base = _as_of(_read_folder(self._folders[BASE]))
        found = {name: base if name == BASE else _date_of(self._folders[name]) for name in self.names}
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def pick(self, named: str | None, asked: date | None) -> str:
        """The shipped book to start from: the one named, else the newest dated on or before the date, else the base.

        Raises RefusedError where the first, or the one named, is of a later date.
        """
        if asked is None:
            return named or BASE
        candidates = {named: self.dates[named]} if named is not None else self.dates
        known = [name for name, day in candidates.items() if day <= asked]
        if known:
            return known[-1]
        first = next(iter(candidates.values()))
        whose = "no book" if named is None else f"no book {named!r}"
        problem = f"{whose} as of {asked}: the earliest is of {first}"
        raise RefusedError("book-vintage", problem, remedy=f"ask for {first} or later")

    def layers(self, name: str) -> list[Map]:
        """The files of a shipped book, a complete one first and then what extends it, each as one mapping."""
        top = _read_folder(self._folders[name])
        if "extends" not in top:
            references = self.root / "references.yaml"
            return [_read_book([references, *_files(self._folders[name])], top.place)]
        place, below = top.value_places["extends"], _text(top, "extends", "")
        if below == BASE or below not in self._folders:
            problem, remedy = f"no vintage {below!r} to extend", nearest(below, self.names[:-1])
            raise BookError("book-not-found", problem, place=place, remedy=remedy)
        if _date_of(self._folders[below]) >= _as_of(top):
            problem = f"a book of {_as_of(top)} cannot extend that of {below}"
            raise BookError("book-later-fact", problem, place=place, remedy="extend an earlier vintage")
        return [*self.layers(below), top]

    def ask(self, path_or_name: str | Path) -> Asked:
        """What a name or path means, with the overlays that lead to it; raises BookError for a circle of them."""
        layers: list[tuple[Path, Map]] = []
        target = self._find(path_or_name, Path(), Place(str(path_or_name)))
        while isinstance(target, Path):
            overlay = _read_overlay(target)
            layers.insert(0, (target.resolve(), overlay))
            place = overlay.value_places.get("extends", overlay.place)
            target = self._find(_text(overlay, "extends", BASE), Path(place.file).parent, place)
            if isinstance(target, Path):
                _check_circle([path for path, _ in reversed(layers)], target, place)
        return Asked(Path(path_or_name).stem, None if target == BASE else target, dict(layers))

    def _find(self, path_or_name: str | Path, beside: Path, place: Place) -> Path | str:
        """The path of an overlay, or the name of a shipped book."""
        name, path = str(path_or_name), beside / path_or_name
        if not name or invisible(name, but=""):
            where = place if place.line else None
            raise BookError("book-not-found", f"{name!r:.80} is no name", place=where, remedy="name a book or a file")
        if name in self._folders:
            return name
        if name in self._scenarios:
            return self._scenarios[name]
        for shipped, folder in self._folders.items():
            if _there(path) and path.is_dir() and path.resolve() == folder.resolve():
                return shipped
        if _there(path):
            return path
        problem, remedy = f"no shipped book and no file {name!r:.80}", nearest(name, [*self._folders, *self._scenarios])
        raise BookError("book-not-found", problem, place=place, remedy=remedy)


def _there(path: Path) -> bool:
    """Whether a path leads to something; one that no system takes, being too long, does not."""
    try:
        return path.exists()
    except OSError:
        return False


def _check_circle(chain: list[Path], target: Path, place: Place) -> None:
    if target.resolve() in chain:
        circle = " -> ".join(path.name for path in [*chain[chain.index(target.resolve()) :], target])
        raise BookError("book-circle", f"extends runs in a circle: {circle}", place=place, remedy="extend base")


def _date_of(folder: Path) -> date:
    """The date that names a vintage's folder."""
    try:
        return parse_date(folder.name)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise BookError(
            "book-vintage-name", problem, place=Place(str(folder)), remedy=f"name it so: {remedy}"
        ) from None


def _as_of(book: Map) -> date:
    """The date a book's own files give."""
    place = book.value_places.get("as_of", book.place)
    try:
        return parse_date(book.get("as_of"))
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise BookError("book-dates", f"as_of: {problem}", place=place, remedy=remedy) from None


def _read_folder(folder: Path) -> Map:
    return _read_book(_files(folder), Place(str(folder)))


def _read_overlay(path: Path) -> Map:
    overlay = _read_folder(path) if path.is_dir() else _read_book([path], Place(str(path)))
    for key in ("extends", "about"):
        _text(overlay, key, "")
    return overlay


def _text(overlay: Map, key: str, otherwise: str) -> str:
    value = overlay.get(key, otherwise)
    if not isinstance(value, str):
        place = overlay.value_places[key]
        raise BookError("book-type", f"{key}: expected text", place=place, remedy="put it in quotes")
    return value


def _files(folder: Path) -> Sequence[Path]:
    """The YAML files of a book's folder, by name."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise BookError("book-not-found", "no *.yaml file", place=Place(str(folder)), remedy="name a book's folder")
    return paths


def _read_book(paths: Iterable[Path], place: Place) -> Map:
    """The YAML files of a book as one mapping."""
    faults, files = Faults(), []
    for path in paths:
        with faults.collect():
            files.append(read(path))
    faults.check()
    return join(files, place)
