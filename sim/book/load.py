"""Loads a book: a shipped one, overlays upon it and single values set by the user, checked as a whole.

The book's own date is the date of all that is known in it: of history, of references and of every prior.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from pathlib import Path
from typing import Any

from sim.axes import INPUTS, Input
from sim.book.compose import Stack, check_agreement, check_change
from sim.book.correlation import read_correlations
from sim.book.fields import parse_date
from sim.book.overlay import laid_over
from sim.book.override import from_command, from_overlay, with_overrides
from sim.book.priors import read_priors
from sim.book.schema import Book, Recipe
from sim.book.shelf import BASE, Asked, Shelf
from sim.book.sources import Rows, Sources, known_references, read_references
from sim.book.world import read_world
from sim.book.yaml import Map
from sim.errors import BookError, Place, RefusedError

__all__ = ["Names", "again", "load", "priors_folder", "shipped", "validate"]

Names = str | Path | Sequence[str | Path]


def priors_folder() -> Path:
    """The shipped priors: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "priors"
    return installed if installed.is_dir() else package.parent / "priors"


def shipped(priors: Path | None = None) -> dict[str, date]:
    """The shipped books, vintages and base, with their dates, the earliest first."""
    return Shelf(priors or priors_folder()).dates


def load(
    names: Names = BASE,
    *,
    as_of: str | date | None = None,
    overrides: Mapping[str, object] | None = None,
    priors: Path | None = None,
    inputs: Mapping[str, Input] = INPUTS,
) -> Book:
    """The book of one or several names or paths, laid one after another, with single values set by path.

    A name is ``base``, the date of a vintage or a scenario; a path is the user's own file or folder. All lie upon the
    vintage named, else the newest shipped book dated on or before ``as_of``, else ``base``.
    Raises BookError with file, line and column for what is wrong in it, and RefusedError for a date before it.
    """
    shelf, wanted = Shelf(priors or priors_folder()), _date(as_of)
    listed = [names] if isinstance(names, str | Path) else names
    asked = [shelf.ask(name) for name in listed]
    picked = shelf.pick(_book_named(asked), wanted)
    binder = _Binder(shelf.root, inputs, picked, wanted, Rows(shelf.root / "history"))
    ground = binder.ground(shelf.layers(picked))
    stack = binder.composed(ground, [each for each in asked if each.layers])
    book = binder.with_values(stack, overrides or {}).book
    return book if priors else book.model_copy(update={"recipe": _recipe(listed, wanted, overrides or {})})


def again(recipe: Mapping[str, Any]) -> Book:
    """The book of a recipe in JSON: the same one, unless a file it is made of has changed. Raises as ``load`` does."""
    return load(recipe["names"], as_of=recipe["as_of"], overrides=recipe["overrides"])


def validate(names: Names = BASE, *, as_of: str | date | None = None) -> Book:
    """The book of names or paths, read and checked but not run; raises as ``load`` does."""
    return load(names, as_of=as_of)


def _date(as_of: str | date | None) -> date | None:
    try:
        return None if as_of is None else parse_date(as_of)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise BookError("book-dates", problem, place=Place("--as-of"), remedy=remedy) from None


def _recipe(names: Sequence[str | Path], as_of: date | None, overrides: Mapping[str, object]) -> Recipe | None:
    """How a book of the shipped priors is asked for again."""
    plain = {path: value for path, value in overrides.items() if isinstance(value, str | int | float)}
    complete = len(plain) == len(overrides)
    return Recipe(names=tuple(map(str, names)), as_of=as_of, overrides=plain) if complete else None


def _book_named(asked: Sequence[Asked]) -> str | None:
    """The one vintage that the names start from, if any says which; raises BookError where two differ."""
    named = {each.book: each.name for each in asked if each.book is not None}
    if len(named) > 1:
        (one, first), (other, second), *_ = named.items()
        problem = f"{first} starts from the book of {one}, {second} from that of {other}"
        raise BookError("book-conflict", problem, place=Place(second), remedy="start all from one book")
    return next(iter(named), None)


@dataclass(frozen=True)
class _Binder:
    """Lays overlays on the shipped book that was picked, and builds the book after each."""

    root: Path
    inputs: Mapping[str, Input]
    picked: str
    wanted: date | None
    rows: Rows

    def ground(self, layers: Sequence[Map]) -> Stack:
        """The shipped book: a complete one, and what extends it."""
        nodes = reduce(self._laid, layers[1:], layers[0].without("about"))
        written = str(nodes.get("as_of"))
        if self.picked not in (BASE, written):
            place = nodes.value_places.get("as_of", nodes.place)
            problem, remedy = f"as_of: {written} in the vintage {self.picked}", f"write as_of: {self.picked}"
            raise BookError("book-vintage-name", problem, place=place, remedy=remedy)
        return Stack(nodes, self._book(nodes, (), str(layers[-1].get("about") or "")))

    def composed(self, ground: Stack, scenarios: Sequence[Asked]) -> Stack:
        """The scenarios one after another on the ground; BookError where one says nothing new or two disagree."""
        if not scenarios:
            return ground
        alone = [self._with_scenario(ground, scenario) for scenario in scenarios]
        check_agreement(ground, alone)
        return reduce(self._with_scenario, scenarios[1:], alone[0])

    def with_values(self, stack: Stack, values: Mapping[str, object]) -> Stack:
        """Single values set by path."""
        if not values:
            return stack
        nodes = with_overrides(stack.nodes, from_command(values), self.inputs)
        self._check_date(nodes, stack.book)
        book = self._book(nodes, stack.scenarios, stack.book.about)
        check_change(stack.book, book, Place("--set"), f"--set {', '.join(values)}")
        return Stack(nodes, book, stack.scenarios)

    def _with_scenario(self, stack: Stack, scenario: Asked) -> Stack:
        known = {path for below in stack.scenarios for path in below.layers}
        layers = [layer for path, layer in scenario.layers.items() if path not in known]
        scenarios = (*stack.scenarios, scenario)
        top = list(scenario.layers.values())[-1]
        about = "\n\n".join(filter(None, [stack.book.about if stack.scenarios else "", str(top.get("about") or "")]))
        nodes = reduce(partial(self._laid, beside=bool(stack.scenarios)), layers, stack.nodes)
        self._check_date(nodes, stack.book)
        book = self._book(nodes, scenarios, about)
        check_change(stack.book, book, top.place, scenario.name)
        return Stack(nodes, book, scenarios)

    def _check_date(self, nodes: Map, below: Book) -> None:
        """RefusedError where an overlay dates the book before the one below it, or after the date asked for."""
        dated = read_world(nodes).as_of
        if dated < below.as_of:
            problem = f"no book as of {dated} upon that of {below.as_of}"
            raise RefusedError("book-vintage", problem, remedy=f"ask as of {dated}, for an earlier book below it")
        if self.wanted is not None and dated > self.wanted:
            problem = f"no book as of {self.wanted}: the earliest is of {dated}"
            raise RefusedError("book-vintage", problem, remedy=f"ask for {dated} or later")

    def _laid(self, nodes: Map, layer: Map, *, beside: bool = False) -> Map:
        laid = laid_over(nodes, layer, beside=beside)
        return with_overrides(laid, from_overlay(layer, beside=beside), self.inputs)

    def _book(self, nodes: Map, scenarios: Sequence[Asked], about: str) -> Book:
        world = read_world(nodes)
        if world.retrospective and self.picked != BASE:
            problem, remedy = "retrospective rows inform no vintage", "leave retrospective: out"
            raise BookError("book-retrospective", problem, place=nodes.value_places["retrospective"], remedy=remedy)
        references = read_references(nodes)
        sources = Sources(references, self.rows, world)
        known = known_references(nodes, references, world.as_of, self.root / "references.yaml")
        for scenario in scenarios:
            sources.check(scenario.layers.values())
        priors = read_priors(nodes, world, sources, self.inputs)
        correlations, correlated = read_correlations(nodes, priors, sources)
        return Book(
            name="+".join(scenario.name for scenario in scenarios) or self.picked,
            about=about,
            world=world,
            priors=priors,
            correlations=correlations,
            correlated=correlated,
            references=known,
        )
