"""A Dask cluster, one on this machine or one that is there already: the same tasks, the same bits.

Only plain text and numbers go over the wire. A cluster started here listens on 127.0.0.1 alone and has no dashboard.
"""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from sim.errors import ChipcastError, RefusedError
from sim.sweep import handshake, task
from sim.sweep.handshake import Hello
from sim.sweep.processes import cores_each, environment
from sim.sweep.runners import ATTEMPTS, Done, Tell, worker_died
from sim.sweep.task import Outcome, Task
from sim.sweep.tls import Tls

__all__ = ["Cluster"]

LOOPBACK = "127.0.0.1"
PROGRESS = "chipcast-progress"
"""Topic under which workers tell how far they are."""
EVERY = 1.0
"""Seconds between what a worker tells."""
QUIET = {"DASK_LOGGING__DISTRIBUTED": "error"}
FIRST_WORKER = 60
"""Seconds to wait for a cluster's first worker."""


class Cluster:
    """The workers of a Dask scheduler, or of a cluster of so many processes started on this machine."""

    def __init__(self, address: str | None, workers: int, device: str, tls: Tls | None = None) -> None:
        self.address = address
        self.workers = workers
        self.device = device
        self.tls = tls
        self.said: Hello = {}
        self.held = ExitStack()

    def __enter__(self) -> Self:
        try:
            from distributed import Client, Security
        except ImportError as error:
            remedy = "pip install 'chipcast[distributed]', or use --workers"
            raise RefusedError("sweep-no-dask", "Dask is not installed", remedy=remedy) from error
        try:
            secured = Security(**_security(self.tls))
            address = self.address or self._start(secured)
            self.client = self.held.enter_context(Client(address, security=secured, set_as_default=False))
            self.client.wait_for_workers(self.workers if self.address is None else 1, timeout=FIRST_WORKER)
        except (OSError, RuntimeError, TimeoutError, ValueError) as error:
            self.held.close()
            problem = f"no cluster with workers at {self.address or LOOPBACK}: {error}"
            remedy = "is it running, with the same TLS files?"
            raise ChipcastError("sweep-scheduler", problem, remedy=remedy) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.close()

    def _start(self, secured: Any) -> str:
        """Start a scheduler in this process and workers beside it, each with its share of the cores; its address."""
        import dask
        from distributed import LocalCluster

        with dask.config.set({"distributed.scheduler.allowed-failures": ATTEMPTS - 1}):
            home = LocalCluster(
                n_workers=0,
                host=LOOPBACK,
                dashboard_address=f"{LOOPBACK}:0",
                scheduler_kwargs={"dashboard": False},
                security=secured,
            )
        address = str(self.held.enter_context(home).scheduler_address)
        here = [
            "--no-dashboard",
            f"--host={LOOPBACK}",
            f"--dashboard-address={LOOPBACK}:0",
        ]  # its health page is one too
        options = ["--nthreads=1", "--memory-limit=0", *here, *_flags(self.tls)]
        for number in range(self.workers):
            started = subprocess.Popen(
                [sys.executable, "-m", "dask", "worker", address, *options],
                env=environment(number, cores_each(self.workers), self.device) | QUIET,
                process_group=0,  # Ctrl-C is for the sweep; and a worker ends with whoever watches over it
            )
            self.held.callback(_end, started)
        return address

    def hello(self) -> list[Hello]:
        """What the workers say of themselves. RefusedError: one is not like this process, or works on several tasks."""
        for address, worker in self.client.scheduler_info(n_workers=-1)["workers"].items():
            if worker["nthreads"] != 1:
                problem = f"worker {address} takes {worker['nthreads']} tasks at a time"
                raise RefusedError("sweep-threads", problem, remedy="start workers with --nthreads 1")
        said = list(self.client.run(handshake.hello, self.device).values())
        for each in said:
            handshake.agree(handshake.hello("cpu"), each)
        self.said, self.workers = handshake.hello("cpu"), len(said)
        return said

    def work(self, tasks: deque[Task], tell: Tell) -> Iterator[Done]:
        """All tasks of a queue, as many at a time as there are workers."""
        from distributed import as_completed

        given: dict[str, Task] = {}
        self.client.subscribe_topic(PROGRESS, lambda event: self._tell(event, given, tell))
        under_way = as_completed(loop=self.client.loop)
        try:
            while tasks or given:
                while tasks and len(given) < max(1, len(self.client.scheduler_info(n_workers=-1)["workers"])):
                    each = tasks.popleft()
                    future = self.client.submit(on_worker, each._asdict(), self.said, self.device, pure=False)
                    given[future.key] = each
                    under_way.add(future)
                    tell(each, 0)
                future = next(under_way)
                yield Done(given.pop(future.key), self._outcome(future))
        except (CancelledError, OSError, TimeoutError, StopIteration) as error:
            lost = task.failed(
                "sweep-scheduler-lost", f"the connection to the scheduler was lost ({type(error).__name__})"
            )
            yield from (Done(each, lost) for each in (*given.values(), *tasks))
            tasks.clear()

    def _outcome(self, future: Any) -> Outcome:
        """What came of a task, whether or not it was done."""
        from distributed import KilledWorker

        if future.status == "finished":
            return Outcome(**future.result())
        if future.status == "cancelled":
            raise CancelledError
        error = future.exception()
        if isinstance(error, KilledWorker):
            return worker_died(f"at {error.last_worker.address}")
        if isinstance(error, ChipcastError):
            return task.failed(error.code, error.problem)
        return task.failed("internal", f"{type(error).__name__}: {error}")

    @staticmethod
    def _tell(event: tuple[float, dict[str, Any]], given: dict[str, Task], tell: Tell) -> None:
        _, said = event
        if said["task"] in given:
            tell(given[said["task"]], said["draws"])


def on_worker(asked: dict[str, Any], ours: Hello, device: str) -> dict[str, Any]:
    """Do a task on a worker, which may have come after the others had said what they are."""
    from distributed import get_worker

    theirs = handshake.hello(device)
    try:
        handshake.agree(ours, theirs)
    except ChipcastError as error:
        return task.failed(error.code, error.problem)._asdict()
    worker = get_worker()
    key = worker.get_current_task()
    tell = _seldom(lambda done: worker.log_event(PROGRESS, {"task": key, "draws": done}))
    return task.do(Task(**asked), tell)._asdict()


def _seldom(tell: Callable[[int], None]) -> Callable[[int], None]:
    """Tell no more often than ``EVERY``."""
    last = 0.0

    def told(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            tell(done)

    return told


def _security(tls: Tls | None) -> dict[str, Any]:
    """The settings of ``distributed.Security``: the same certificate for all of a cluster started here."""
    if tls is None:
        return {}
    ends = {
        f"tls_{role}_{part}": getattr(tls, part)
        for role in ("client", "scheduler", "worker")
        for part in ("cert", "key")
    }
    return {"tls_ca_file": tls.ca, "require_encryption": True, **ends}


def _flags(tls: Tls | None) -> list[str]:
    """The same for the command line of a worker."""
    return [] if tls is None else [f"--tls-ca-file={tls.ca}", f"--tls-cert={tls.cert}", f"--tls-key={tls.key}"]


def _end(started: "subprocess.Popen[bytes]") -> None:
    """End a worker and what watches over it."""
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()
