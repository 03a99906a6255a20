"""What a run is asked: a world, how many draws of it and how, what makes its numbers, and what it is stored as."""

import functools
import hashlib
import platform
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from sim import cells, devices, sobol, targets, world
from sim.book.check import nearest
from sim.book.load import Names
from sim.book.load import load as load_book
from sim.engine import STREAM_VERSION, Engine
from sim.errors import BookError, RefusedError
from sim.targets import Target
from sim.world import World

__all__ = ["SAMPLERS", "Question", "ask", "load", "run_config"]

SAMPLERS = ("mc", "sobol")
"""Independent draws, or scrambled Sobol points."""
MOST_DRAWS = 1 << 53
"""Up to here a number of draws is exact wherever it is divided by."""
DISK_PART = 0.9
"""Part of the free disk that kept draws may take."""
MAKES_NUMBERS = (
    *("axes.py", "history.py", "draws.py", "sobol.py", "simulate.py", "cells.py", "tally.py"),
    *("world.py", "devices.py", "engine.py", "book", "distributions", "model"),
)
"""Rooms whose code a draw passes through."""


def load(
    names: Names = "base",
    *,
    as_of: date | str | None = None,
    overrides: Mapping[str, object] | None = None,
) -> World:
    """The world of a book: ``base``, the date of a vintage, a scenario, or your own folder or file of priors.

    Several names are laid one after another: ``["efficiency_shock", "custom_silicon"]``. They lie upon the vintage
    named, else upon the newest shipped book dated on or before ``as_of``; history is then what that book's date knew.
    ``overrides`` sets single values by path, in the unit of the book's file: ``{"price.b200.p90": 50}``.
    BookError: what is wrong in a file, with line and column. RefusedError: a date before the first book.
    """
    return world.build(load_book(names, as_of=as_of, overrides=overrides))


@dataclass(frozen=True)
class Question:
    """A run that was asked for and can be made."""

    world: World
    draws: int
    seed: int
    sampler: str
    on: Mesh
    until: tuple[str, ...]
    thresholds: tuple[str, ...]
    """Those asked for, then the shipped ones."""
    exact_quantiles: bool
    keep_draws: bool

    @functools.cached_property
    def wanted(self) -> list[Target]:
        """Monte Carlo errors that end the run once they are met."""
        return targets.targets(self.world, self.until)

    @functools.cached_property
    def engine(self) -> Engine:
        """What makes the draws."""
        passing = targets.thresholds(self.world, self.thresholds)
        return Engine(self.world, self.seed, self.on, self.sampler, passing)

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """What makes its numbers, but the number of draws."""
        return _config(self.world, self.seed, self.on, self.sampler, self.thresholds, self.exact_quantiles)

    @property
    def record(self) -> dict[str, Any]:
        """What a stored run says of where its numbers come from; the recipe is how the book is found again."""
        recipe = self.world.book.recipe
        return {
            "config": self.config,
            "scenario": self.world.book.name,
            "recipe": None if recipe is None else recipe.model_dump(mode="json"),
            "device": devices.kind(self.on),
            "machine": platform.machine(),
            "code": code(),
        }

    def check_room(self, folder: Path, stored: int) -> None:
        """RefusedError if kept draws do not fit on the disk of a folder, with the largest number that does.

        ``stored`` are there already.
        """
        each = 4 * cells.cells_per_draw(self.world)
        most = int(shutil.disk_usage(folder).free * DISK_PART) // each + stored
        if self.draws > most:
            problem = f"keeping {self.draws:,} draws of {each:,} bytes needs {self.draws * each / 1e9:.1f} GB of disk"
            remedy = f"keep at most {most:,} draws there, or leave out --keep-draws"
            raise RefusedError("run-disk", problem, remedy=remedy)


def ask(
    world: World,
    *,
    draws: int = 100_000,
    seed: int = 0,
    sampler: str = "mc",
    device: str = "auto",
    until: Iterable[str] = (),
    thresholds: Iterable[str] = (),
    exact_quantiles: bool = False,
    keep_draws: bool = False,
    defaults: bool = True,
) -> Question:
    """The question, checked before anything is simulated; ``defaults`` adds the shipped thresholds to those asked.

    BookError: a target that cannot be read, no number of draws, or no sampler. RefusedError: what the sampler cannot.
    DeviceError: no such device.
    """
    if sampler not in SAMPLERS:
        raise BookError("run-sampler", f"no sampler {sampler!r}", remedy=nearest(sampler, SAMPLERS))
    if not isinstance(draws, int) or not 2 <= draws <= MOST_DRAWS:
        problem = f"draws must be a whole number from 2 to 2^53, not {draws!r}"
        raise BookError("run-draws", problem, remedy="try 100000")
    targets.thresholds(world, asked := tuple(thresholds))
    targets.targets(world, limits := tuple(until))
    on = devices.mesh(device)
    if sampler == "sobol":
        sobol.check(draws)
        for unfit, what in ((bool(limits), "--until"), (devices.shape(on).block != sobol.UNIT, "an accelerator")):
            if unfit:
                raise RefusedError("sobol-with", f"the sobol sampler does not go with {what}", remedy="ask for mc")
    counted = targets.with_defaults(world, asked) if defaults else asked
    return Question(world, draws, seed, sampler, on, limits, counted, exact_quantiles, keep_draws)


def run_config(
    world: World,
    seed: int,
    on: Mesh,
    sampler: str = "mc",
    thresholds: tuple[str, ...] = (),
    exact_quantiles: bool = False,
) -> dict[str, Any]:
    """What makes a run's numbers, but the number of draws: two runs with equal configs give equal draws.

    ``thresholds`` are those asked; the shipped ones are counted too.
    """
    return _config(world, seed, on, sampler, targets.with_defaults(world, thresholds), exact_quantiles)


def _config(
    world: World, seed: int, on: Mesh, sampler: str, thresholds: tuple[str, ...], exact_quantiles: bool
) -> dict[str, Any]:
    return {
        "book": world.book.digest,
        "as_of": world.book.as_of.isoformat(),
        "history": world.record.digest,
        "seed": str(seed),
        "sampler": sampler,
        "stream_version": STREAM_VERSION,
        "block": devices.shape(on).block,
        "dtype": "float32",
        "quantiles": "exact" if exact_quantiles else "counted",
        "thresholds": list(thresholds),
    }


@functools.cache
def code() -> str:
    """SHA-256 of the code that makes numbers: draws made before and after a change of it are not put together."""
    home = Path(__file__).parents[1]
    found = hashlib.sha256()
    for name in MAKES_NUMBERS:
        files = sorted((home / name).rglob("*.py")) if (home / name).is_dir() else [home / name]
        for path in files:
            found.update(path.read_bytes())
    return found.hexdigest()
