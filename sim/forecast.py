"""A run from a book to a stored summary: everything the command line does is one call here."""

import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jax.sharding import Mesh

from sim import address, cells, devices, exact, label, reduce, sobol, store, targets, world
from sim.axes import OUTPUTS
from sim.book.check import nearest
from sim.book.load import Names
from sim.book.load import load as load_book
from sim.engine import STREAM_VERSION, Engine
from sim.errors import BookError, IntegrityError, RefusedError
from sim.tally import Sums
from sim.world import World

__all__ = ["SAMPLERS", "load", "open_", "run", "run_config"]

SAMPLERS = ("mc", "sobol")
"""Independent draws, or scrambled Sobol points."""
PART = 8_192
"""Kept draws in one part of a store."""
DISK_PART = 0.9
"""Part of the free disk that kept draws may take."""

FIRST_LOOK = 1 << 14
"""Draws after which the error is looked at first; then each time there are twice as many."""

Progress = Callable[[int, str], None]
"""Told the number of draws done, and how far the errors asked for are from being met."""


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
    sampler: str = "mc",
    device: str = "auto",
    until: Iterable[str] = (),
    thresholds: Iterable[str] = (),
    exact_quantiles: bool = False,
    out: str | Path | None = None,
    keep_draws: bool = False,
    fresh: bool = False,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Simulate and summarise; with ``out`` also store the run there and give it as opened from the store.

    The same question has the same run folder: asked again with as many draws or fewer, the finished run is opened,
    unless ``fresh``. With ``until`` (such as ``p95:revenue[nvidia,2027] < 0.5%``) a run ends as soon as these Monte
    Carlo errors are met, or at ``draws``; a finished one that meets them is opened. Of ``thresholds`` (such as
    ``revenue[nvidia,2027] > 400``) the probability is counted. Quantiles are read off counts, to
    ``sim.tally.RESOLUTION``; ``exact_quantiles`` are order statistics of all draws, which are made again for them.
    BookError: a target that cannot be read. RefusedError: too many draws for the disk, or a folder that is not ours.
    IntegrityError: a draw is not finite; it is named with its parameters. DeviceError: no such device, or too little
    memory on it.
    """
    _check_asked(draws, sampler, keep_draws, out)
    wanted, asked = targets.targets(world, until), tuple(thresholds)
    passing = targets.thresholds(world, asked)
    on = devices.mesh(device)
    _check_sampler(sampler, draws, on, wanted)
    config = run_config(world, seed, on, sampler, asked, exact_quantiles)
    finished = None if out is None or fresh else _finished(Path(out), config, draws, wanted, keep_draws)
    if finished is not None:
        return finished
    if out is not None:
        folder = store.refuse_foreign(Path(out))
        if keep_draws:
            _room_on_disk(world, draws, folder)
    devices.cache_programs()
    began = time.perf_counter()
    engine = Engine(world, seed, on, sampler, passing)
    sums, found = _summed(engine, draws, wanted, progress)
    _check_defined(engine, sums)
    if exact_quantiles:
        found = found._replace(quantiles=exact.quantiles(engine, sums, np.array(reduce.LEVELS)))
    tree = label.summary_tree(world, found, _attrs(world, config, sums.draws, seed))
    if asked:
        passed = targets.exceedances(asked, sums.passed, sums.draws)
        tree["prior_predictive/exceedance"] = xr.DataTree(label.exceedance_dataset(passed))
    tree.attrs["seconds"] = round(time.perf_counter() - began, 3)
    if out is None:
        return tree
    parts = _parts(engine, sums.draws) if keep_draws else ()
    path = store.publish(
        Path(out),
        {"config": config, "scenario": world.book.name, **_provenance(on)},
        tree,
        parts,
        draws=sums.draws,
    )
    return store.open_run(path)


def _check_asked(draws: int, sampler: str, keep_draws: bool, out: str | Path | None) -> None:
    if sampler not in SAMPLERS:
        raise BookError("run-sampler", f"no sampler {sampler!r}", remedy=nearest(sampler, SAMPLERS))
    if not isinstance(draws, int) or draws < 2:
        raise BookError("run-draws", f"draws must be a whole number of 2 or more, not {draws!r}", remedy="try 100000")
    if keep_draws and out is None:
        raise BookError("run-keep", "draws can only be kept in a stored run", remedy="name a folder with out=")


def _check_sampler(sampler: str, draws: int, on: Mesh, wanted: list[targets.Target]) -> None:
    """RefusedError: what only independent draws can do, or a number of draws that leaves a Sobol sequence uneven."""
    if sampler == "sobol":
        sobol.check(draws)
        for asked, what in ((bool(wanted), "--until"), (devices.shape(on).block != sobol.UNIT, "an accelerator")):
            if asked:
                raise RefusedError("sobol-with", f"the sobol sampler does not go with {what}", remedy="ask for mc")


def _summed(
    engine: Engine, draws: int, wanted: list[targets.Target], progress: Progress | None
) -> tuple[Sums, reduce.Statistics]:
    """All draws counted, and their statistics; the error of Sobol points is told by the spread of randomisations."""
    if engine.sampler == "mc":
        sums = _counted(engine, draws, wanted, progress)
        return sums, reduce.statistics(sums, engine.gauge)
    sums, parts, blocks = engine.nothing(), [], engine.blocks_of(0, draws)
    for first in range(sobol.RANDOMISATIONS):
        done = sums.draws
        each = engine.sums_of(
            blocks[first :: sobol.RANDOMISATIONS],
            draws,
            lambda more, done=done: progress(done + more, "") if progress else None,  # type: ignore[misc]
        )
        parts.append(reduce.statistics(each, engine.gauge))
        sums.add(each)
    return sums, reduce.of_randomisations(reduce.statistics(sums, engine.gauge), parts)


def _counted(engine: Engine, draws: int, wanted: list[targets.Target], progress: Progress | None) -> Sums:
    """All draws counted; with targets as many as they take, looked at where the number of draws has doubled."""
    if not wanted:
        return engine.sums(0, draws, lambda done: progress(done, "") if progress else None)
    sums, upto, still = engine.nothing(), min(FIRST_LOOK, draws), ""

    def tell(done: int) -> None:
        if progress is not None:
            progress(sums.draws + done, still)

    while sums.draws < upto:
        sums.add(engine.sums(sums.draws, upto, tell))
        found = reduce.statistics(sums, engine.gauge)
        far = {target: target.far(found.at(target.cell.place)) for target in wanted}
        worst = max(far, key=far.__getitem__)
        still = f"{worst} {far[worst] * worst.allowed:.2%} of {worst.allowed:.2%}"
        if far[worst] > 1:
            upto = min(2 * upto, draws)
    return sums


def open_(path: str | Path) -> xr.DataTree:
    """A stored run, opened lazily. IntegrityError: it is damaged, incomplete or not a run."""
    return store.open_run(Path(path))


def run_config(
    world: World,
    seed: int,
    on: Mesh,
    sampler: str = "mc",
    thresholds: tuple[str, ...] = (),
    exact_quantiles: bool = False,
) -> dict[str, Any]:
    """What makes a run's numbers, but the number of draws: two runs with equal configs give equal draws."""
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


def _check_defined(engine: Engine, sums: Sums) -> None:
    """IntegrityError naming output, place, quarter and draw of the first number that is not finite."""
    told = cells.defined(engine.world)
    if not sums.missing[: len(told)][told].any():
        return
    axes = engine.world.book.axes
    for block in engine.blocks(0, sums.draws):
        for name, flow in block.flows.items():
            if np.isfinite(flow).all():
                continue
            time, row, draw = (int(index[0]) for index in np.nonzero(~np.isfinite(flow)))
            place = f"{name}[{axes[OUTPUTS[name].dims[0]][row]}, {axes['time'][time]}]"
            furthest = _most_extreme(engine.world, block.values[:, draw])
            drawn = ", ".join(f"{stream} = {value:.6g}" for stream, value in furthest)
            problem = f"{place} of draw {block.first + draw} is {flow[time, row, draw]}; furthest out in it: {drawn}"
            raise IntegrityError("run-not-finite", problem, remedy="narrow these priors; nothing was stored")
    raise IntegrityError("run-not-finite", "a sum of draws is not finite", remedy="narrow the widest priors")


def _most_extreme(world: World, values: np.ndarray, count: int = 5) -> list[tuple[str, float]]:
    """Streams and values of a draw that lie furthest from their median, in widths of their middle nine tenths."""
    far = []
    for entry, value in zip(world.entries, values, strict=True):
        low, middle, high = (entry.distribution.quantile(p) for p in (0.05, 0.5, 0.95))
        if high > low:
            far.append((abs(float(value) - middle) / (high - low), entry.stream, float(value)))
    return [(stream, value) for _, stream, value in sorted(far, reverse=True)[:count]]


def _parts(engine: Engine, draws: int) -> Iterator[tuple[int, int, xr.Dataset]]:
    """Kept draws as (first, last, dataset), simulated once more: draws are made again sooner than held in memory."""
    for first in range(0, draws, PART):
        last = min(first + PART, draws)
        made = [each for _, each in engine.cells_of(engine.blocks_of(first, last), last)]
        yield first, last - 1, label.draws_dataset(engine.world, first, np.concatenate(made, axis=-1))


def _room_on_disk(world: World, draws: int, folder: Path) -> None:
    """RefusedError if kept draws do not fit on the disk of a folder, with the largest number that does."""
    each = 4 * cells.cells_per_draw(world)
    most = int(shutil.disk_usage(folder).free * DISK_PART) // each
    if draws > most:
        problem = f"keeping {draws:,} draws of {each:,} bytes needs {draws * each / 1e9:.1f} GB of disk"
        raise RefusedError("run-disk", problem, remedy=f"keep at most {most:,} draws there, or leave out --keep-draws")


def _finished(
    out: Path, config: dict[str, Any], draws: int, wanted: list[targets.Target], keep_draws: bool
) -> xr.DataTree | None:
    """The stored run of the same question, if it answers it and, where asked, kept its draws.

    It does with as many draws, or where its own errors, of ``FIRST_LOOK`` draws or more, are as small as wanted.
    """
    folder = out / store.run_id(config)
    if not (folder / "COMMIT.json").exists():
        return None
    try:
        commit = store.read_commit(folder)
        enough, looked = commit.draws.done >= draws, bool(wanted) and commit.draws.done >= FIRST_LOOK
        if not (enough or looked) or (keep_draws and not commit.parts):
            return None
        tree = store.open_run(folder)
    except IntegrityError:
        return None
    return tree if enough or all(target.far(_stored(tree, target.cell)) <= 1 for target in wanted) else None


def _stored(tree: xr.DataTree, cell: address.Cell) -> reduce.Statistics:
    """What a stored run says of one cell."""
    period, name = cell.table
    group = tree[f"prior_predictive/{period}"].to_dataset()
    figures = (group[name + figure].values for figure in ("", "_error", "_mean", "_mean_error", "_sd", "_zero"))
    return reduce.Statistics(*figures).at(cell.row, cell.column)


def _attrs(world: World, config: dict[str, Any], draws: int, seed: int) -> dict[str, Any]:
    return {
        "title": f"chipcast {world.book.name}",
        "scenario": world.book.name,
        "as_of": config["as_of"],
        "draws": draws,
        "seed": str(seed),
        "sampler": config["sampler"],
        "stream_version": STREAM_VERSION,
        "book_sha256": world.book.digest,
        "notice": "A model's distributions, not investment advice. History includes data of Epoch AI, CC BY.",
    }


def _provenance(on: Mesh) -> dict[str, Any]:
    return {"device": devices.kind(on), "machine": platform.machine()}
