"""Whom a command means: a run's folder, whose book is found again, or the name of a scenario, a vintage or a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim import store, world
from sim.book.load import again, load
from sim.errors import BookError, Place, RefusedError
from sim.world import World

__all__ = ["Origin", "names", "origin"]

JOINS = "+"
"""Between the names of scenarios laid one after another, as a run's own name has them."""


TOLD = 2
"""Values set by the user that a world's name tells."""


class Origin(NamedTuple):
    """A world and, of a run, how many draws it has and their seed."""

    world: World
    draws: int | None = None
    seed: int | None = None


def origin(named: str, *, as_of: str | None = None) -> Origin:
    """The world of a run's folder, of names joined by ``+``, or of a file of priors; ``as_of`` is for the last two.

    RefusedError: a run that was conditioned, or whose book or history is another now. IntegrityError: a damaged run.
    BookError: no such book.
    """
    folder = Path(named)
    if not (folder / store.COMMIT).exists():
        listed = [named] if folder.exists() else named.split(JOINS)
        return Origin(world.build(load(listed, as_of=as_of)))
    record, done = store.read_record(folder), store.read_commit(folder).draws.done
    config = record["config"]
    if config.get("kind") == "condition":
        remedy = "name the run it came from, with all observations in one file where it is to be conditioned"
        raise RefusedError("run-conditioned", "is conditioned already", place=Place(named), remedy=remedy)
    found = _found_again(record)
    if found is None or (found.book.digest, found.record.digest) != (config["book"], config["history"]):
        problem = f"its book {record.get('scenario')!r} or its history is another now, or its file is not where it was"
        remedy = "name the scenario or your own file of priors instead of the run"
        raise RefusedError("run-book", problem, place=Place(named), remedy=remedy)
    return Origin(found, done, int(config["seed"]))


def _found_again(record: dict[str, Any]) -> World | None:
    """The world of a run's book, if its files are still there."""
    named = {"names": str(record.get("scenario")).split(JOINS), "as_of": record["config"]["as_of"], "overrides": {}}
    try:
        return world.build(again(record.get("recipe") or named))
    except (BookError, RefusedError):
        return None


def names(worlds: Sequence[World]) -> tuple[str, ...]:
    """A name for each world that tells it from the others: its book's, with the values set, its date and a number."""
    named = [_with_values(each) for each in worlds]
    if len(set(named)) < len(named):
        named = [f"{name}, as of {each.book.as_of}" for name, each in zip(named, worlds, strict=True)]
    if len(set(named)) < len(named):
        named = [f"{name} ({number})" for number, name in enumerate(named, 1)]
    return tuple(named)


def _with_values(world: World) -> str:
    """The book's name with the first values that were set upon it."""
    given = world.book.recipe.overrides if world.book.recipe else {}
    told = [f"{path}={value}" for path, value in given.items()]
    more = [f"and {len(told) - TOLD} more"] if len(told) > TOLD else []
    return ", ".join([world.book.name, *told[:TOLD], *more])
