"""A sweep from its file to its tables: what is finished is opened, the rest is done, and one tree has them all.

A variant that fails leaves the others valid. The same call goes on after any end: a finished run is never made twice.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import xarray as xr

from sim import forecast, store
from sim.errors import ChipcastError, IntegrityError
from sim.sweep import estimate as estimating
from sim.sweep import handshake
from sim.sweep.division import ranges
from sim.sweep.prepared import Prepared
from sim.sweep.results import Extract, extract, joined
from sim.sweep.runners import Done, Here, Runner
from sim.sweep.spec import Spec
from sim.sweep.task import Outcome, Task, digest_of

__all__ = ["Failure", "Swept", "Watch", "run", "runner_for"]


class Failure(NamedTuple):
    """A variant without a run, and why."""

    label: str
    code: str
    message: str


class Watch(Protocol):
    """Who looks on while a sweep runs."""

    def begins(self, variants: int, finished: int) -> None:
        """The work begins; so many variants are finished already."""

    def runs(self, task: Task, done: int) -> None:
        """A task has so many of its draws done."""

    def ends(self, task: Task, outcome: Outcome) -> None:
        """A task has ended."""


class Swept(NamedTuple):
    """What came of a sweep."""

    folder: Path | None
    """Where its tables are; none if every variant failed."""
    tree: xr.DataTree | None
    failures: list[Failure]
    done: list[Done]
    """Tasks done now, each with what came of it."""


def runner_for(
    prepared: Sequence[Prepared],
    *,
    workers: int = 1,
    device: str = "auto",
    scheduler: str | None = None,
    cluster: str | None = None,
    tls: Any = None,
) -> Runner:
    """Where the tasks will be done: this process, several of this machine, or a Dask cluster.

    ``cluster`` is ``local`` for one started on 127.0.0.1; ``scheduler`` is the address of one that is there.
    """
    from sim.sweep.cluster import Cluster
    from sim.sweep.processes import Processes

    if scheduler or cluster:
        return Cluster(scheduler, workers, device, tls)
    if workers > 1:
        return Processes(workers, device)
    return Here(device, {each.variant.label: each.world for each in prepared})


def run(
    spec: Spec, prepared: Sequence[Prepared], runner: Runner, *, out: str | Path, device: str = "auto", watch: Watch
) -> Swept:
    """Do all variants that are not finished, and publish the tables of all that are.

    RefusedError: no room on the disk, workers that are not alike, or a folder that is not ours.
    """
    out = Path(out).absolute()
    store.refuse_foreign(out)
    with runner:
        block = handshake.block_of(runner.hello())
        found = estimating.estimate(prepared, spec.settings, out, block=block)
        estimating.check_room(found, spec.settings)
        watch.begins(found.variants, found.finished)
        work = _Work(spec, prepared, out, device, block)
        with ThreadPoolExecutor(1) as pool:
            try:
                work.open_finished(pool)
                for done in runner.work(work.tasks, watch.runs):
                    work.ended(done, pool)
                    watch.ends(*done)
            except BaseException:
                pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait until all runs are opened
                raise
    return work.published()


@dataclass
class _Work:
    """A sweep under way."""

    spec: Spec
    prepared: Sequence[Prepared]
    out: Path
    device: str
    block: int
    tasks: deque[Task] = field(default_factory=deque)
    done: list[Done] = field(default_factory=list)
    opened: dict[str, Future[Extract]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    """Ranges still to be counted, by label."""

    def open_finished(self, pool: ThreadPoolExecutor) -> None:
        """Open what is finished, and queue the rest."""
        for each in self.prepared:
            label, settings = each.variant.label, self.spec.settings
            if estimating.is_finished(self.folder(each), settings):
                self.opened[label] = pool.submit(_opened, self.folder(each))
                continue
            divided = ranges(settings)
            self.waiting[label] = len(divided)
            whole = self.task(each)
            self.tasks += [whole._replace(first=first, last=last) for first, last in divided] or [whole]

    def folder(self, each: Prepared) -> Path:
        """Folder of a variant's run."""
        return self.out / each.run_id(self.block)

    def task(self, each: Prepared) -> Task:
        """All of a variant as one task."""
        variant, settings = each.variant, self.spec.settings
        return Task(
            label=variant.label,
            names=variant.names,
            as_of=variant.as_of,
            values=dict(each.values),
            seed=variant.seed,
            draws=settings.draws,
            sampler=settings.sampler,
            thresholds=settings.thresholds,
            keep_draws=settings.keep_draws,
            device=self.device,
            out=str(self.out),
            book=digest_of(each.world),
        )

    def ended(self, done: Done, pool: ThreadPoolExecutor) -> None:
        """Take note of what came of a task: open its run, join its ranges or let the rest of them go."""
        task, outcome = done
        self.done.append(done)
        if outcome.code:
            self._fail(Failure(task.label, outcome.code, outcome.message))
        elif task.first is None:
            self.opened[task.label] = pool.submit(_opened, self.out / outcome.run)
        else:
            self.waiting[task.label] -= 1
            if not self.waiting[task.label] and task.label not in self.failures:
                self.tasks.appendleft(task._replace(first=None, last=None))

    def _fail(self, failure: Failure) -> None:
        self.failures.setdefault(failure.label, failure)
        rest = [task for task in self.tasks if task.label != failure.label]
        self.tasks.clear()
        self.tasks.extend(rest)

    def published(self) -> Swept:
        """The tables of all runs there are, stored unless just these are stored already."""
        runs = self._runs()
        failures = [self.failures[label] for label in map(_label, self.prepared) if label in self.failures]
        if not runs:
            return Swept(None, None, failures, self.done)
        config = {
            "kind": "sweep",
            "variants": [[_label(each), each.run_id(self.block)] for each in self.prepared],
            "draws": self.spec.settings.draws,
        }
        folder = self.out / store.run_id(config)
        commits = [str(run[""].attrs["commit"]) for run in runs.values()]
        tree = _stored(folder, commits)
        if tree is None:
            values = {_label(each): each.variant.values for each in self.prepared}
            made = joined(runs, values, self._attrs(runs, failures))
            record = {"config": config, "scenario": self.spec.name}
            tree = store.open_run(store.publish(self.out, record, made, draws=self.spec.settings.draws))
        return Swept(folder, tree, failures, self.done)

    def _runs(self) -> dict[str, Extract]:
        """What is kept of each run there is, in the order of the variants."""
        runs = {}
        for label in map(_label, self.prepared):
            try:
                if label in self.opened:
                    runs[label] = self.opened[label].result()
            except ChipcastError as error:
                self._fail(Failure(label, error.code, str(error)))
        return runs

    def _attrs(self, runs: Mapping[str, Extract], failures: Sequence[Failure]) -> dict[str, Any]:
        notice = str(next(iter(runs.values()))[""].attrs["notice"])
        attrs = {"title": f"chipcast sweep {self.spec.name}", "sweep": self.spec.name, "notice": notice}
        about = {"about": self.spec.settings.about} if self.spec.settings.about else {}
        missing = {"missing": "; ".join(f"{each.label} [{each.code}]" for each in failures)} if failures else {}
        return attrs | about | missing


def _label(each: Prepared) -> str:
    return each.variant.label


def _opened(folder: Path) -> Extract:
    """What a sweep keeps of a run. IntegrityError: the run is damaged, or was never written to this disk."""
    if not folder.is_dir():
        problem, remedy = (
            f"a worker published {folder.name}, and it is not here",
            "use a folder that all machines share",
        )
        raise IntegrityError("sweep-not-shared", problem, remedy=remedy)
    return extract(forecast.open_(folder))


def _stored(folder: Path, commits: Sequence[str]) -> xr.DataTree | None:
    """The stored tables, if they were made of just these generations of the runs."""
    try:
        tree = store.open_run(folder)
    except ChipcastError:
        return None
    return tree if [str(each) for each in tree["variants"].to_dataset()["commit"].values] == commits else None
