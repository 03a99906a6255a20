"""What the command is asked: a run's folder, whose book is found again, or the name of a scenario or vintage."""

from pathlib import Path
from typing import Any, NamedTuple

from sim import store, world
from sim.book.load import again, load
from sim.errors import BookError, Place, RefusedError
from sim.world import World

__all__ = ["DRAWS", "Asked", "ask"]

DRAWS = 100_000


class Asked(NamedTuple):
    """The world to condition, and the draws and seed to do it with."""

    world: World
    draws: int
    seed: int


def ask(run: str, *, draws: int | None = None, seed: int | None = None) -> Asked:
    """The world of a run's folder or of a scenario's name; of a run also its draws and seed, unless others are given.

    RefusedError: the run's book is not to be found by its name, or it is conditioned already. BookError: no such book.
    """
    folder = Path(run)
    if not (folder / store.COMMIT).exists():
        return Asked(world.build(load(run)), draws or DRAWS, seed or 0)
    record, done = store.read_record(folder), store.read_commit(folder).draws.done
    config = record["config"]
    if config.get("kind") == "condition":
        remedy = "condition the run it came from, with all observations in one file"
        raise RefusedError("condition-again", "is conditioned already", place=Place(run), remedy=remedy)
    found = _found_again(record)
    if found is None or found.book.digest != config["book"]:
        problem = f"its book {record.get('scenario')!r} is another now, or its file is not where it was"
        remedy = "name the scenario or your own file of priors instead of the run"
        raise RefusedError("condition-book", problem, place=Place(run), remedy=remedy)
    return Asked(found, draws or done, int(config["seed"]) if seed is None else seed)


def _found_again(record: dict[str, Any]) -> World | None:
    """The world of a run's book, if its files are still there."""
    named = {"names": str(record.get("scenario")).split("+"), "as_of": record["config"]["as_of"], "overrides": {}}
    try:
        return world.build(again(record.get("recipe") or named))
    except (BookError, RefusedError):
        return None
