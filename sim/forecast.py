"""A run from a book to a stored summary: everything the command line does is one call here."""

import hashlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from sim import label, reduce, simulate, store, world
from sim.axes import OUTPUTS
from sim.book.load import Names
from sim.book.load import load as load_book
from sim.errors import BookError, IntegrityError, RefusedError
from sim.world import World

__all__ = ["SAMPLER", "cache_programs", "load", "open_", "run"]

SAMPLER = "mc"
PART = 8 * simulate.BLOCK
"""Kept draws in one part of a store."""
DISK_PART = 0.9
"""Part of the free disk that kept draws may take."""

Progress = Callable[[int], None]


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


def run(
    world: World,
    *,
    draws: int = 100_000,
    seed: int = 0,
    out: str | Path | None = None,
    keep_draws: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Simulate and summarise; with ``out`` also store the run there and give it as opened from the store.

    The same question has the same run folder: asked again with as many draws or fewer, the finished run is opened,
    unless ``fresh``. ``progress`` is called with the number of draws done. RefusedError: too many draws for this
    machine, or a folder that is not ours. IntegrityError: a draw is not finite; it is named with its parameters.
    """
    if not isinstance(draws, int) or draws < 2:
        raise BookError("run-draws", f"draws must be a whole number of 2 or more, not {draws!r}", remedy="try 100000")
    if keep_draws and out is None:
        raise BookError("run-keep", "draws can only be kept in a stored run", remedy="name a folder with out=")
    config = run_config(world, seed)
    if out is not None and not fresh and (found := _finished(Path(out), config, draws, keep_draws)) is not None:
        return found
    reduce.fits(world, draws)
    if out is not None:
        folder = store.refuse_foreign(Path(out))
        if keep_draws:
            _room_on_disk(world, draws, folder)
    cache_programs()
    began = time.perf_counter()
    summed = reduce.statistics(_cells(world, seed, draws, progress), draws)
    tree = label.summary_tree(world, summed, _attrs(world, config, draws, seed))
    tree.attrs["seconds"] = round(time.perf_counter() - began, 3)
    if out is None:
        return tree
    parts = _parts(world, seed, draws) if keep_draws else ()
    path = store.publish(
        Path(out), {"config": config, "scenario": world.book.name, **_provenance()}, tree, parts, draws=draws
    )
    return store.open_run(path)


def open_(path: str | Path) -> xr.DataTree:
    """A stored run, opened lazily. IntegrityError: it is damaged, incomplete or not a run."""
    return store.open_run(Path(path))


def run_config(world: World, seed: int) -> dict[str, Any]:
    """What makes a run's numbers, but the number of draws: two runs with equal configs give equal draws."""
    return {
        "book": world.book.digest,
        "as_of": world.book.as_of.isoformat(),
        "history": _record_digest(world),
        "seed": str(seed),
        "sampler": SAMPLER,
        "stream_version": simulate.STREAM_VERSION,
        "block": simulate.BLOCK,
        "dtype": "float32",
    }


def _record_digest(world: World) -> str:
    """SHA-256 over the arrays of the record, so that a corrected history file is another question."""
    record = world.record
    arrays = [record.capex, record.capex_growth, record.line, record.outlook, record.attach, record.cover]
    arrays += [record.guidance.target, record.guidance.reach]
    arrays += [array for fiscal in record.fiscal for array in (fiscal.known, fiscal.weights)]
    digest = hashlib.sha256(str(record.handover).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def _cells(world: World, seed: int, draws: int, progress: Progress | None) -> Iterator[reduce.Cells]:
    """Cells of each block in turn."""
    for block in simulate.blocks(world, seed, 0, draws):
        _check_finite(world, block)
        yield reduce.block_cells(world, block)
        if progress is not None:
            progress(min(block.first + simulate.BLOCK, draws))


def _check_finite(world: World, block: simulate.Block) -> None:
    """IntegrityError naming output, place, quarter and draw of the first number that is not finite."""
    for name, flow in block.flows.items():
        if np.isfinite(flow).all():
            continue
        time, row, draw = (int(index[0]) for index in np.nonzero(~np.isfinite(flow)))
        place = f"{name}[{world.book.axes[OUTPUTS[name].dims[0]][row]}, {world.book.axes['time'][time]}]"
        drawn = ", ".join(f"{stream} = {value:.6g}" for stream, value in _most_extreme(world, block.values[:, draw]))
        problem = f"{place} of draw {block.first + draw} is {flow[time, row, draw]}; furthest out in it: {drawn}"
        raise IntegrityError("run-not-finite", problem, remedy="narrow these priors; nothing was stored")


def _most_extreme(world: World, values: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """Streams and values of a draw that lie furthest from their median, in widths of their middle nine tenths."""
    far = []
    for entry, value in zip(world.entries, values, strict=True):
        low, middle, high = (entry.distribution.quantile(p) for p in (0.05, 0.5, 0.95))
        if high > low:
            far.append((abs(float(value) - middle) / (high - low), entry.stream, float(value)))
    return [(stream, value) for _, stream, value in sorted(far, reverse=True)[:count]]


def _parts(world: World, seed: int, draws: int) -> Iterator[tuple[int, int, xr.Dataset]]:
    """Kept draws as (first, last, dataset), simulated once more: draws are made again sooner than held in memory."""
    for first in range(0, draws, PART):
        last = min(first + PART, draws)
        blocks = [reduce.block_cells(world, block) for block in simulate.blocks(world, seed, first, last)]
        cells = {key: np.concatenate([each[key] for each in blocks], axis=-1) for key in blocks[0]}
        yield first, last - 1, label.draws_dataset(world, first, cells)


def _room_on_disk(world: World, draws: int, folder: Path) -> None:
    """RefusedError if kept draws do not fit on the disk of a folder, with the largest number that does."""
    each = 4 * reduce.cells_per_draw(world)
    most = int(shutil.disk_usage(folder).free * DISK_PART) // each
    if draws > most:
        problem = f"keeping {draws:,} draws of {each:,} bytes needs {draws * each / 1e9:.1f} GB of disk"
        raise RefusedError("run-disk", problem, remedy=f"keep at most {most:,} draws there, or leave out --keep-draws")


def _finished(out: Path, config: dict[str, Any], draws: int, keep_draws: bool) -> xr.DataTree | None:
    """The stored run of the same question, if it has as many draws and, where asked, kept them."""
    folder = out / store.run_id(config)
    if not (folder / "COMMIT.json").exists():
        return None
    try:
        commit = store.read_commit(folder)
        enough = commit.draws.done >= draws and (bool(commit.parts) or not keep_draws)
        return store.open_run(folder) if enough else None
    except IntegrityError:
        return None


def _attrs(world: World, config: dict[str, Any], draws: int, seed: int) -> dict[str, Any]:
    return {
        "title": f"chipcast {world.book.name}",
        "scenario": world.book.name,
        "as_of": config["as_of"],
        "draws": draws,
        "seed": str(seed),
        "sampler": SAMPLER,
        "stream_version": simulate.STREAM_VERSION,
        "book_sha256": world.book.digest,
        "notice": "A model's distributions, not investment advice. History includes data of Epoch AI, CC BY.",
    }


def _provenance() -> dict[str, Any]:
    return {"device": jax.devices()[0].platform, "machine": platform.machine()}


def cache_programs() -> None:
    """Compiled programs outlive the process, in the user's cache folder unless JAX is told another."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "chipcast" / "programs"))
