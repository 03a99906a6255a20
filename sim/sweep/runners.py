"""Where the tasks of a sweep are done: what every such place offers, and the plainest one, this process.

Each takes tasks off a queue, one function does them all, and what comes of a task is told as soon as it is known.
The queue may grow meanwhile. A worker that dies loses nothing but time: its task is done again elsewhere.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from sim.sweep import handshake, task
from sim.sweep.handshake import Hello
from sim.sweep.task import Outcome, Task
from sim.world import World

__all__ = ["ATTEMPTS", "Done", "Here", "Runner", "Tell", "worker_died"]

ATTEMPTS = 3
"""Times that a task is begun, if every worker that has it dies, before its variant is given up."""

Tell = Callable[[Task, int], None]
"""Told a running task and its draws done."""


class Done(NamedTuple):
    """A task and what came of it."""

    task: Task
    outcome: Outcome


class Runner(Protocol):
    """A place where tasks are done, entered before and left after."""

    workers: int

    def __enter__(self) -> Self:
        """Start what is needed. ChipcastError: it cannot be had."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Stop all that was started here."""

    def hello(self) -> list[Hello]:
        """What the workers say of themselves. RefusedError: one has other versions, or draws other bits."""

    def work(self, tasks: deque[Task], tell: Tell) -> Iterator[Done]:
        """Do all tasks of a queue, which may grow meanwhile; each with what came of it, in any order."""


class Here:
    """The process that asks, with all devices it has."""

    workers = 1

    def __init__(self, device: str, worlds: Mapping[str, World]) -> None:
        self.device = device
        self.worlds = worlds
        """By label: worlds that are loaded already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hello(self) -> list[Hello]:
        """What this process says of itself. DeviceError: there is no such device."""
        return [handshake.hello(self.device)]

    def work(self, tasks: deque[Task], tell: Tell) -> Iterator[Done]:
        """One task after another."""
        while tasks:
            each = tasks.popleft()
            tell(each, 0)
            yield Done(each, task.do(each, lambda done, each=each: tell(each, done), self.worlds.get(each.label)))  # type: ignore[misc]


def worker_died(how: str) -> Outcome:
    """The outcome of a task whose workers all died."""
    problem = f"{ATTEMPTS} workers died of it, the last {how}; there may be too little memory"
    return task.failed("sweep-worker-died", problem)
