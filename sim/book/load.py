"""Loads a book: the shipped priors, overlays upon them and single values set by the user, checked as a whole."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from sim.axes import INPUTS, Input
from sim.book.check import Faults, nearest
from sim.book.correlation import read_correlations
from sim.book.overlay import join, laid_over
from sim.book.override import from_command, from_overlay, with_overrides
from sim.book.priors import read_priors
from sim.book.schema import Book, parse_date
from sim.book.sources import Sources, read_references
from sim.book.world import read_world
from sim.book.yaml import Map, read
from sim.errors import BookError, Place, RefusedError

__all__ = ["load", "priors_folder", "validate"]

BASE = "base"


def priors_folder() -> Path:
    """The shipped priors: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "priors"
    return installed if installed.is_dir() else package.parent / "priors"


def load(
    path_or_name: str | Path = BASE,
    *,
    as_of: str | date | None = None,
    overrides: Mapping[str, object] | None = None,
    priors: Path | None = None,
    inputs: Mapping[str, Input] = INPUTS,
) -> Book:
    """The book of a shipped name (``base``, a scenario) or of the user's own file or folder, with values set by path.

    Raises BookError with file, line and column for what is wrong in it, and RefusedError for a date before it.
    """
    root = priors or priors_folder()
    overlays = _overlays(path_or_name, root)
    shipped = _read_book([root / "references.yaml", *_files(root / BASE)], Place(str(root / BASE)))
    nodes = shipped
    for overlay in overlays:
        nodes = with_overrides(laid_over(nodes, overlay), from_overlay(overlay), inputs)
    nodes = with_overrides(nodes, from_command(overrides or {}), inputs)
    top = overlays[-1] if overlays else shipped
    book = _build(nodes, Path(path_or_name).stem, str(top.get("about") or ""), root, inputs)
    _check_date(as_of, read_world(shipped).as_of, book.as_of)
    return book


def validate(path_or_name: str | Path = BASE) -> Book:
    """The book at a path, read and checked but not run; raises as ``load`` does."""
    return load(path_or_name)


def _build(nodes: Map, name: str, about: str, root: Path, inputs: Mapping[str, Input]) -> Book:
    world = read_world(nodes)
    references = read_references(nodes)
    sources = Sources(references, root / "history")
    priors = read_priors(nodes, world, sources, inputs)
    correlations, correlated = read_correlations(nodes, priors, sources)
    return Book(
        name=name,
        about=about,
        world=world,
        priors=priors,
        correlations=correlations,
        correlated=correlated,
        references=references,
    )


def _check_date(asked: str | date | None, shipped: date, book: date) -> None:
    """Refuse a date, asked for or written in an overlay, that is earlier than the shipped book's."""
    try:
        wanted = book if asked is None else parse_date(asked)
    except ValueError as error:
        raise BookError("book-dates", str(error), place=Place("--as-of")) from None
    earliest = min(wanted, book)
    if earliest < shipped or wanted < book:
        problem = (
            f"no book as of {earliest}: the earliest is of {max(shipped, book)}, and earlier vintages do not exist yet"
        )
        raise RefusedError("book-vintage", problem, remedy=f"ask for {max(shipped, book)} or later")


def _overlays(path_or_name: str | Path, root: Path) -> list[Map]:
    """The overlays that lead from the base book to the one asked for, the base's first."""
    found: list[Map] = []
    chain: list[Path] = []
    target = _find(path_or_name, root, Path(), Place(str(path_or_name)))
    while target is not None:
        chain.append(target.resolve())
        overlay = _read_overlay(target)
        found.insert(0, overlay)
        place = overlay.value_places.get("extends", overlay.place)
        target = _find(_text(overlay, "extends", BASE), root, Path(place.file).parent, place)
        if target is not None and target.resolve() in chain:
            circle = " -> ".join(path.name for path in [*chain[chain.index(target.resolve()) :], target])
            raise BookError("book-circle", f"extends runs in a circle: {circle}", place=place, remedy="extend base")
    return found


def _text(overlay: Map, key: str, otherwise: str) -> str:
    value = overlay.get(key, otherwise)
    if not isinstance(value, str):
        place = overlay.value_places[key]
        raise BookError("book-type", f"{key}: expected text", place=place, remedy="put it in quotes")
    return value


def _find(path_or_name: str | Path, root: Path, beside: Path, place: Place) -> Path | None:
    """The overlay that a name or a path means, None for the base book."""
    scenarios = {path.stem: path for path in sorted((root / "scenarios").glob("*.yaml"))}
    name = str(path_or_name)
    if name in scenarios:
        return scenarios[name]
    path = beside / path_or_name
    if name == BASE or (path.is_dir() and path.resolve() == (root / BASE).resolve()):
        return None
    if path.exists():
        return path
    problem = f"no shipped book and no file {name!r}"
    raise BookError("book-not-found", problem, place=place, remedy=nearest(name, [BASE, *scenarios]))


def _read_overlay(path: Path) -> Map:
    overlay = _read_book(_files(path) if path.is_dir() else [path], Place(str(path)))
    for key in ("extends", "about"):
        _text(overlay, key, "")
    return overlay


def _files(folder: Path) -> list[Path]:
    """The YAML files of a book's folder, by name."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise BookError("book-not-found", "no *.yaml file", place=Place(str(folder)), remedy="name a book's folder")
    return paths


def _read_book(paths: list[Path], place: Place) -> Map:
    """The YAML files of a book as one mapping."""
    faults, files = Faults(), []
    for path in paths:
        with faults.collect():
            files.append(read(path))
    faults.check()
    return join(files, place)
