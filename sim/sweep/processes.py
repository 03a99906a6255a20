"""Processes of this machine, each with its share of the devices: a task at a time, and a new one for each that dies."""

import glob
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from sim import errors
from sim.errors import ChipcastError
from sim.sweep import handshake, task
from sim.sweep.handshake import Hello
from sim.sweep.runners import ATTEMPTS, Done, Tell, worker_died
from sim.sweep.task import Outcome, Task

__all__ = ["Processes", "cores_each", "environment"]

COMMAND = (sys.executable, "-m", "sim.sweep.worker")
READ = 1 << 16
"""Bytes read of a worker's replies at a time."""
GPUS = "/dev/nvidia[0-9]*"


@dataclass
class Worker:
    """One process, what it said of itself and what it is at."""

    number: int
    process: subprocess.Popen[bytes]
    hello: Hello | None = None
    task: Task | None = None
    heard: bytes = field(default=b"", repr=False)


class Processes:
    """Spawned processes; results are the same bits as this process gives, for any number of them."""

    def __init__(
        self, workers: int, device: str, *, share: int | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        self.workers = workers
        self.device = device
        self.share = share or cores_each(workers)
        """CPU devices of each."""
        self.command = command
        self.started: dict[int, Worker] = {}
        self.ready = selectors.DefaultSelector()
        self.deaths: Counter[str] = Counter()
        """By task, written as text; of those that died before they said anything, under an empty one."""

    def __enter__(self) -> Self:
        for number in range(self.workers):
            self._start(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.started.values():
            worker.process.kill()
        for worker in self.started.values():
            worker.process.wait()
            for pipe in (worker.process.stdin, worker.process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        self.ready.close()

    def hello(self) -> list[Hello]:
        """What the workers say of themselves, once all are there."""
        while any(worker.hello is None for worker in self.started.values()):
            for worker, reply in self._replies():
                self._greeted(worker, reply)
        return [worker.hello for worker in self.started.values() if worker.hello]

    def work(self, tasks: deque[Task], tell: Tell) -> Iterator[Done]:
        """All tasks of a queue, each on the next worker that is free."""
        while tasks or any(worker.task for worker in self.started.values()):
            for worker in self.started.values():
                if tasks and worker.hello and worker.task is None:
                    self._give(worker, tasks.popleft())
                    tell(worker.task, 0)  # type: ignore[arg-type]
            for worker, reply in self._replies():
                yield from self._heard(worker, reply, tasks, tell)

    def _heard(self, worker: Worker, reply: dict[str, Any] | None, tasks: deque[Task], tell: Tell) -> Iterator[Done]:
        """What follows from a reply; None for a worker that has died."""
        given = worker.task
        if reply is None:
            lost = self._lost(worker, tasks)
            if lost:
                yield lost
        elif given is None or "hello" in reply or "refused" in reply:
            self._greeted(worker, reply)
        elif "draws" in reply:
            tell(given, reply["draws"])
        else:
            worker.task = None
            yield Done(given, Outcome(**reply["outcome"]))

    def _lost(self, worker: Worker, tasks: deque[Task]) -> Done | None:
        """Replace a dead worker; its task goes back to the queue, or has failed."""
        code, given = worker.process.wait(), worker.task
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        key = "" if given is None else task.text(given)
        self.deaths[key] += 1
        if given is None and self.deaths[key] >= ATTEMPTS:
            problem = f"{ATTEMPTS} workers died before their first task, the last {how}"
            raise ChipcastError("sweep-worker-start", problem, remedy="use fewer --workers; what they said is above")
        self._start(worker.number)
        if given is None:
            return None
        if self.deaths[key] >= ATTEMPTS:
            return Done(given, worker_died(how))
        tasks.appendleft(given)
        return None

    def _start(self, number: int) -> None:
        """Start a worker, in place of the one of the same number."""
        old = self.started.get(number)
        if old is not None and old.process.stdout is not None and old.process.stdin is not None:
            self.ready.unregister(old.process.stdout)
            old.process.stdout.close()
            with suppress(OSError):
                old.process.stdin.close()
        process = subprocess.Popen(
            [*self.command, self.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(number, self.share, self.device),
            process_group=0,  # Ctrl-C is for the sweep, which ends its workers
            bufsize=0,
        )
        self.started[number] = worker = Worker(number, process)
        self.ready.register(process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]

    def _give(self, worker: Worker, given: Task) -> None:
        worker.task = given
        with suppress(OSError):  # it has just died, which its replies will tell
            worker.process.stdin.write(task.text(given).encode() + b"\n")  # type: ignore[union-attr]

    def _replies(self) -> Iterator[tuple[Worker, dict[str, Any] | None]]:
        """What the workers say next; None where one has died."""
        for key, _ in self.ready.select():
            worker: Worker = key.data
            more = os.read(key.fd, READ)
            *lines, worker.heard = (worker.heard + more).split(b"\n")
            for line in lines:
                yield worker, json.loads(line)
            if not more:
                yield worker, None

    def _greeted(self, worker: Worker, reply: dict[str, Any] | None) -> None:
        """Take a worker's first words. ChipcastError: it cannot work, or is not like this process."""
        if reply is None:
            self._lost(worker, deque())
        elif "refused" in reply:
            kind, code, problem, remedy = reply["refused"]
            raise getattr(errors, kind)(code, problem, remedy=remedy)
        else:
            handshake.agree(handshake.hello("cpu"), reply["hello"])
            worker.hello = reply["hello"]


def cores_each(workers: int) -> int:
    """Cores of each of some workers, one at least."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def environment(number: int, share: int, device: str) -> dict[str, str]:
    """The environment of a worker by its number: so many CPU devices, and one GPU where there are any."""
    given = {"JAX_NUM_CPU_DEVICES": str(share)}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(str(i) for i, _ in enumerate(glob.glob(GPUS))))
    gpus = [each for each in visible.split(",") if each]
    if gpus and device in ("auto", "gpu"):
        given["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    return os.environ | given
