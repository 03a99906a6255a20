"""Runs: simulated, stored, opened, gone on with where they broke off, and mended."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sim import devices, exact, label, reduce, store, targets
from sim.engine import STREAM_VERSION
from sim.errors import BookError, IntegrityError
from sim.forecast.again import asked_again, finished
from sim.forecast.counting import Progress, Saved, counted
from sim.forecast.finite import check_finite
from sim.forecast.question import Question, ask
from sim.store import Range, Writing
from sim.tally import Sums
from sim.world import World

__all__ = ["count", "open_", "resume", "run"]

PART = 8_192
"""Kept draws in one part of a store."""


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

    The same question has the same run folder: asked again with as many draws or fewer, the finished run is opened;
    with more, or where it broke off, it goes on from what is stored. ``fresh`` makes all draws again and compares.
    With ``until`` (such as ``p95:revenue[nvidia,2027] < 0.5%``) a run ends as soon as these Monte Carlo errors are met,
    or at ``draws``; a finished one that meets them is opened. Of ``thresholds`` (``revenue[nvidia,2027] > 400``) the
    probability is counted. Quantiles are read off counts, to ``sim.tally.RESOLUTION``; ``exact_quantiles`` are order
    statistics of all draws, which are made again for them.
    BookError: a target that cannot be read. RefusedError: too many draws for the disk, a folder that is not ours, or
    another process writes this run. IntegrityError: a draw is not finite, named with its parameters, or a fresh run
    is not the stored one. DeviceError: no such device, or too little memory on it.
    """
    asked = ask(
        world,
        draws=draws,
        seed=seed,
        sampler=sampler,
        device=device,
        until=until,
        thresholds=thresholds,
        exact_quantiles=exact_quantiles,
        keep_draws=keep_draws,
    )
    if out is None:
        if keep_draws:
            raise BookError("run-keep", "draws can only be kept in a stored run", remedy="name a folder with out=")
        devices.cache_programs()
        sums, found, _ = counted(asked, Saved(asked.engine), progress)
        return _tree(asked, sums, found)
    stored = None if fresh else finished(Path(out), asked)
    return _made(asked, Path(out), progress, fresh=fresh) if stored is None else stored


def resume(path: str | Path, *, repair: bool = False, progress: Progress | None = None) -> xr.DataTree:
    """Go on with a stored run that broke off, with the book, draws and targets it was asked; a finished one is opened.

    ``repair`` also makes again whatever is damaged, and nothing else: its bits are those of before.
    IntegrityError: it is damaged, and ``repair`` was not asked for or cannot help. RefusedError: book, history, code or
    packages are not those it was begun with, and its draws would not belong together.
    """
    folder = Path(os.path.abspath(path))
    if repair:
        return _repaired(folder, progress)
    request = store.read_request(folder)
    if (folder / store.COMMIT).exists():
        store.verify(folder)
        if store.read_commit(folder).request == request.hash:
            return store.open_run(folder)
    return _made(asked_again(folder, request), folder.parent, progress)


def _repaired(folder: Path, progress: Progress | None) -> xr.DataTree:
    """The published generation, or if there is none what was begun, with what is damaged made again."""
    store.drop_links(folder)
    commit = store.committed(folder)
    if commit is None:
        return _made(asked_again(folder, store.read_request(folder)), folder.parent, progress, repair=True)
    with suppress(IntegrityError):
        store.verify(folder)
        return store.open_run(folder)
    try:
        record = store.read_record(folder)
    except IntegrityError:  # run.json is damaged
        record = store.read_request(folder).record
    request = store.Request(record=record, draws=commit.draws.done)  # kept draws are those that are published
    return _made(asked_again(folder, request), folder.parent, progress, repair=True)


def count(
    world: World, first: int, last: int, *, out: str | Path, progress: Progress | None = None, **question: Any
) -> None:
    """Count draws ``first`` to ``last`` - 1 of a run and store the counts: a share of the work of ``run``.

    ``question`` is what ``run`` is asked. Both ends are ends of blocks. Several processes may count shares of one run;
    the ``run`` that follows makes what is missing.
    """
    asked = ask(world, **question)
    engine = asked.engine
    if last % engine.shape.block:
        raise ValueError(f"draw {last} does not begin a block of {engine.shape.block}")
    joined = store.joining(Path(out), asked.record)
    if any(each.first <= first and last <= each.last + 1 for each in joined.stored("sums")):
        return
    devices.cache_programs()
    sums = engine.sums(first, last, lambda done: progress(done, "") if progress else None)
    check_finite(engine, sums, first, last)
    joined.save("sums", first, last - 1, label.sums_dataset(sums, engine.gauge))


def open_(path: str | Path) -> xr.DataTree:
    """A stored run, opened lazily. IntegrityError: it is damaged, incomplete or not a run."""
    return store.open_run(Path(path))


def _made(
    asked: Question, out: Path, progress: Progress | None, *, fresh: bool = False, repair: bool = False
) -> xr.DataTree:
    """The run simulated, as far as it is not stored, and published."""
    folder = store.refuse_foreign(out)
    if asked.keep_draws:
        there = store.Writing(out / store.run_id(asked.config), store.run_record(asked.record)).stored("parts")
        asked.check_room(folder, sum(each.last + 1 - each.first for each in there))
    devices.cache_programs()
    began = time.perf_counter()
    with store.writing(out, asked.record) as writing:
        stored = None if fresh or repair else finished(out, asked)  # another process may have made it meanwhile
        if stored is not None:
            return stored
        if not (repair and writing.asked()):
            writing.ask(asked.draws, asked.until, keep_draws=asked.keep_draws or bool(writing.held("parts")))
        sums, found, ranges = counted(asked, Saved(asked.engine, writing, fresh), progress)
        tree = _tree(asked, sums, found)
        parts = _parts(asked, writing, sums.draws, fresh)
        writing.log("simulated", draws=sums.draws, seconds=round(time.perf_counter() - began, 3))
        path = writing.publish(tree, draws=sums.draws, parts=parts, sums=ranges, compare=fresh)
    return store.open_run(path)


def _tree(asked: Question, sums: Sums, found: reduce.Statistics) -> xr.DataTree:
    """The summary of counted draws."""
    if asked.exact_quantiles:
        found = found._replace(quantiles=exact.quantiles(asked.engine, sums, np.array(reduce.LEVELS)))
    tree = label.summary_tree(asked.world, found, _attrs(asked, sums.draws))
    if asked.thresholds:
        passed = targets.exceedances(asked.thresholds, sums.passed, sums.draws)
        tree["prior_predictive/exceedance"] = xr.DataTree(label.exceedance_dataset(passed))
    return tree


def _parts(asked: Question, writing: Writing, draws: int, fresh: bool) -> list[Range]:
    """Kept draws, in parts: those asked for, else those published before.

    What is stored stays, and the others are simulated once more.
    """
    stored = {(each.first, each.last): each for each in writing.stored("parts")}
    wanted = [(first, min(first + PART, draws) - 1) for first in range(0, draws, PART)]
    if not asked.keep_draws:
        published = [(each.first, each.last) for each in writing.held("parts") if each.last < draws]
        wanted = published or [(first, last) for first, last in stored if last < draws]
    return [(None if fresh else stored.get(ends)) or _part(asked, writing, *ends) for ends in wanted]


def _part(asked: Question, writing: Writing, first: int, last: int) -> Range:
    """One part of the draws, simulated and stored."""
    made = [each for _, each in asked.engine.cells_of(asked.engine.blocks_of(first, last + 1), last + 1)]
    return writing.save("parts", first, last, label.draws_dataset(asked.world, first, np.concatenate(made, axis=-1)))


def _attrs(asked: Question, draws: int) -> dict[str, Any]:
    return {
        "title": f"chipcast {asked.world.book.name}",
        "scenario": asked.world.book.name,
        "as_of": asked.config["as_of"],
        "draws": draws,
        "seed": str(asked.seed),
        "sampler": asked.sampler,
        "stream_version": STREAM_VERSION,
        "book_sha256": asked.world.book.digest,
        "notice": "A model's distributions, not investment advice. History includes data of Epoch AI, CC BY.",
    }
