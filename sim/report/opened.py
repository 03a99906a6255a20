"""Runs as a report needs them: what is stored, and the world that each was made from, found again and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from sim import forecast, store
from sim.errors import Place, RefusedError
from sim.origin import names, origin
from sim.world import World

__all__ = ["Opened", "open_runs"]


@dataclass(frozen=True)
class Opened:
    """A stored run: its name among the others, its tree, what it says it was made of, and its world."""

    name: str
    tree: xr.DataTree
    record: dict[str, Any]
    world: World


def open_runs(paths: Sequence[Path]) -> list[Opened]:
    """The runs in folders, each with its world.

    IntegrityError: one that is damaged or unfinished. RefusedError: one given twice, one conditioned on observations,
    or one whose book or history is not to be found as it was.
    """
    trees, records = [forecast.open_(path) for path in paths], [store.read_record(path) for path in paths]
    ids = [record["id"] for record in records]
    for path, own in zip(paths, ids, strict=True):
        if ids.count(own) > 1:
            problem = f"the run {own} is given twice"
            raise RefusedError("report-twice", problem, place=Place(str(path)), remedy="name it once")
    worlds = [origin(str(path)).world for path in paths]
    return [Opened(*each) for each in zip(names(worlds), trees, records, worlds, strict=True)]
