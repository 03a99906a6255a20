"""What a sweep will take, before it runs: hours from a short measurement or a stated rate, and room on the disk."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sim import cells, devices, forecast, store
from sim.engine import Engine
from sim.errors import ChipcastError, RefusedError
from sim.sweep.division import ranges
from sim.sweep.prepared import Prepared
from sim.sweep.spec import Settings
from sim.world import World

__all__ = ["Estimate", "Rate", "check_room", "estimate", "is_finished", "planned"]

RUN_BYTES, RANGE_BYTES = 9_000_000, 8_500_000
"""What a run's summary, and the counts of a range of draws, take on a disk where nothing was measured."""
SWEEP_SHARE = 0.1
"""Part of its runs' summaries that a sweep's own tables take."""
DISK_PART = 0.9
"""Part of the free disk that a sweep may take."""
FIXED, START = 2.0, 8.0
"""Seconds of a variant whatever its draws, where they are not measured, and until a process is ready for its first."""
LONG_ENOUGH = 2.0
"""Seconds that a rate is measured over, at least."""
FEW = 512
HOUR = 3600


class Rate(NamedTuple):
    """How fast one process is, and what a run leaves."""

    draws: float
    """Draws a second."""
    fixed: float
    """Seconds of a variant whatever its draws: loaded, labelled, published, joined."""
    run_bytes: int
    devices: int = 1
    """Devices side by side that gave the rate."""


class Estimate(NamedTuple):
    """What a sweep takes from here on: variants finished before are opened."""

    variants: int
    finished: int
    tasks: int
    draws: int
    """To be simulated."""
    workers: int
    seconds: float
    core_hours: float
    bytes: int
    free: int


def measure(world: World, device: str) -> Rate:
    """The rate of this process on all its devices, measured for some seconds; everything is written to a folder
    of the system's own and removed.
    """
    on = devices.mesh(device)
    devices.cache_programs()
    engine = Engine(world, 0, on)
    draws = on.size * engine.shape.blocks * engine.shape.block
    engine.sums(0, draws)  # compiles
    seconds = 0.0
    while seconds < LONG_ENOUGH:
        draws *= 2
        seconds = _timed(lambda count=draws: engine.sums(0, count))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        forecast.run(world, draws=FEW, seed=0, device=device, out=folder)
        fixed = _timed(lambda: forecast.run(world, draws=FEW, seed=1, device=device, out=folder))
        left = sum(path.stat().st_blocks for path in Path(folder).rglob("*")) * 512 // 2
    return Rate(draws / seconds, fixed, left, on.size)


def stated(draws: float) -> Rate:
    """The rate of a worker elsewhere, in draws a second, with what is usual for the rest."""
    return Rate(draws, FIXED, RUN_BYTES)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def planned(
    prepared: Sequence[Prepared], settings: Settings, out: Path, *, workers: int, device: str, rate: float | None
) -> Estimate:
    """What a sweep takes on workers of this machine, or on as many elsewhere whose rate is stated.

    RefusedError: it does not fit on the disk, which is found out before anything is measured.
    """
    out, on = out.absolute(), devices.mesh(device)
    block, share = devices.shape(on).block, max(1, on.size // workers)
    check_room(estimate(prepared, settings, out, block=block), settings)
    if rate is not None:
        return estimate(prepared, settings, out, rate=stated(rate), block=block, workers=workers)
    measured = measure(prepared[0].world, device)
    found = estimate(prepared, settings, out, rate=measured, block=block, workers=workers, share=share)
    check_room(found, settings)
    return found


def estimate(
    prepared: Sequence[Prepared],
    settings: Settings,
    out: Path,
    *,
    rate: Rate | None = None,
    block: int,
    workers: int = 1,
    share: int = 1,
) -> Estimate:
    """What a sweep takes; each worker has ``share`` devices. Without a rate only what it needs on the disk."""
    todo = [each for each in prepared if not is_finished(out / each.run_id(block), settings)]
    passes = 2 if settings.keep_draws else 1  # kept draws are made again sooner than held in memory
    tasks = sum(max(1, len(ranges(settings)) + 1) if ranges(settings) else 1 for _ in todo)
    seconds = cores = 0.0
    if rate is not None and todo:
        each = rate.fixed + passes * settings.draws * rate.devices / (rate.draws * share)
        longest = each if tasks == len(todo) else each / max(1, len(ranges(settings)))
        spread = max(len(todo) * each / workers, longest)
        seconds = START + spread
        cores = share * (START * workers + len(todo) * each)
    free = shutil.disk_usage(next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())).free
    return Estimate(
        variants=len(prepared),
        finished=len(prepared) - len(todo),
        tasks=tasks,
        draws=len(todo) * settings.draws,
        workers=workers,
        seconds=seconds,
        core_hours=cores / HOUR,
        bytes=_bytes(todo, len(prepared), settings, RUN_BYTES if rate is None else rate.run_bytes),
        free=free,
    )


def _bytes(todo: Sequence[Prepared], variants: int, settings: Settings, run_bytes: int) -> int:
    """Room that the runs to come and the sweep's own tables take."""
    kept = sum(4 * cells.cells_per_draw(each.world) * settings.draws for each in todo) if settings.keep_draws else 0
    counted = len(todo) * len(ranges(settings)) * RANGE_BYTES
    return int(len(todo) * run_bytes + variants * run_bytes * SWEEP_SHARE) + kept + counted


def is_finished(folder: Path, settings: Settings) -> bool:
    """Whether a run is there with as many draws as asked, kept if that is asked."""
    try:
        commit = store.read_commit(folder)
    except ChipcastError:
        return False
    return commit.draws.done >= settings.draws and (bool(commit.parts) or not settings.keep_draws)


def check_room(found: Estimate, settings: Settings) -> None:
    """RefusedError: what is to come does not fit on the disk, with what does."""
    room = int(found.free * DISK_PART)
    if found.bytes <= room:
        return
    todo = found.variants - found.finished
    problem = f"{todo} runs need {found.bytes / 1e9:,.1f} GB of disk, and {room / 1e9:,.1f} GB may be used"
    remedy = f"ask for at most {room * todo // found.bytes} variants at a time"
    if settings.keep_draws:
        remedy = f"keep at most {room * settings.draws // found.bytes:,} draws of each, or leave keep_draws out"
    raise RefusedError("sweep-disk", problem, remedy=remedy)
