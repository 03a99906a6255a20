"""A sweep as one call, and what it would take without running it."""

from pathlib import Path
from typing import Any

import jax

from sim.sweep import batch
from sim.sweep import estimate as estimating
from sim.sweep.batch import Runner, Swept, Watch
from sim.sweep.estimate import Estimate
from sim.sweep.prepared import Prepared, prepare
from sim.sweep.spec import read_spec
from sim.sweep.watch import Silent

__all__ = ["plan", "sweep"]


def sweep(
    path: str | Path,
    *,
    out: str | Path = "runs",
    workers: int = 1,
    device: str = "auto",
    scheduler: str | None = None,
    cluster: str | None = None,
    tls: Any = None,
    watch: Watch | None = None,
) -> Swept:
    """Do all runs that a sweep's file asks for and are not finished, and publish their tables side by side.

    One worker is this process with all its devices; several are processes of this machine, each with its share of
    them; ``cluster="local"`` makes them Dask workers on 127.0.0.1, and ``scheduler`` is the address of a cluster that
    is there, with ``tls`` files where it is secured. Which of them it is changes no bit.
    BookError: what is wrong in the file or a book it leads to, all of it before anything runs. RefusedError: it does
    not fit on the disk, or workers are not alike. A variant that fails later is among ``failures``.
    """
    if workers > 1 or scheduler or cluster:
        # this process only checks, joins and waits: accelerators are left to the workers
        jax.config.update("jax_platforms", "cpu")
    spec = read_spec(Path(path))
    prepared = prepare(spec)
    runner: Runner = batch.runner_for(
        prepared, workers=workers, device=device, scheduler=scheduler, cluster=cluster, tls=tls
    )
    return batch.run(spec, prepared, runner, out=out, device=device, watch=watch or Silent())


def plan(
    path: str | Path, *, out: str | Path = "runs", workers: int = 1, device: str = "auto", rate: float | None = None
) -> tuple[list[Prepared], Estimate]:
    """All variants of a sweep, checked, and what they will take: hours, core-hours and bytes; nothing is left behind.

    The rate is measured on this machine for some seconds unless it is stated, in draws a second of one worker.
    BookError, RefusedError: as :func:`sweep`.
    """
    spec = read_spec(Path(path))
    prepared = prepare(spec)
    return prepared, estimating.planned(prepared, spec.settings, Path(out), workers=workers, device=device, rate=rate)
