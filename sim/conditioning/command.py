"""What the command is asked: a run's folder, whose book is found again, or the name of a scenario or vintage."""

from pathlib import Path
from typing import NamedTuple

from sim import store, world
from sim.book.load import load
from sim.errors import BookError, Place, RefusedError
from sim.world import World

__all__ = ["DRAWS", "Asked", "ask"]

DRAWS = 100_000
COMMIT = "COMMIT.json"


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
    if not (folder / COMMIT).exists():
        return Asked(world.build(load(run)), draws or DRAWS, seed or 0)
    record, done = store.read_record(folder), store.read_commit(folder).draws.done
    config = record["config"]
    if config.get("kind") == "condition":
        remedy = "condition the run it came from, with all observations in one file"
        raise RefusedError("condition-again", "is conditioned already", place=Place(run), remedy=remedy)
    found = _found_again(str(record.get("scenario")), str(config["as_of"]))
    if found is None or found.book.digest != config["book"]:
        problem = f"its book {record.get('scenario')!r} is another now, or had values set"
        remedy = "name the scenario or your own file of priors instead of the run"
        raise RefusedError("condition-book", problem, place=Place(run), remedy=remedy)
    return Asked(found, draws or done, int(config["seed"]) if seed is None else seed)


def _found_again(scenario: str, as_of: str) -> World | None:
    """The world of a run's scenario on its date, if there is one of that name."""
    try:
        return world.build(load(scenario.split("+"), as_of=as_of))
    except (BookError, RefusedError):
        return None
