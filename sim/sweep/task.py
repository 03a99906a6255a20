"""The one piece of work that every runner does: a variant's run, or a range of its draws counted.

What is asked and what comes of it are plain text and numbers; the run itself goes through the disk.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import jax

from sim import devices, forecast
from sim.errors import ChipcastError, IntegrityError
from sim.sweep import handshake, prepared
from sim.world import World

__all__ = ["Outcome", "Task", "Tell", "digest_of", "do", "failed", "read", "text"]

BUSY = "store-busy"
PATIENCE, LOOK = 60.0, 1.0
"""Seconds to wait for another process that is writing the same run, and between looks at it."""
COMPILED = "/backend_compile_duration"
"""End of the name of the event by which JAX tells that a program was compiled, or read from the cache."""

QUESTION = ("draws", "seed", "sampler", "device", "thresholds", "keep_draws")
"""What of a task a run is asked, beside its world."""

Tell = Callable[[int], None]
"""Told the number of draws done."""


class Task(NamedTuple):
    """A variant and, where it is divided, the draws ``first`` to ``last`` - 1 of it that are to be counted."""

    label: str
    names: tuple[str, ...]
    as_of: str | None
    values: dict[str, Any]
    seed: int
    draws: int
    sampler: str
    thresholds: tuple[str, ...]
    keep_draws: bool
    device: str
    out: str
    book: str
    """Digest of the book and history that the variant was checked with."""
    first: int | None = None
    last: int | None = None

    @property
    def size(self) -> int:
        """Draws to be simulated."""
        return self.draws if self.first is None or self.last is None else self.last - self.first


class Outcome(NamedTuple):
    """What came of a task: the run, or why there is none."""

    run: str = ""
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    programs: int = 0
    """Compiled, or read from the cache of compiled programs."""
    process: str = ""


def do(task: Task, tell: Tell, world: World | None = None) -> Outcome:
    """Do a task, again and again if need be: what is finished is opened and not made twice.

    An error becomes part of the outcome, so that it ends this variant alone.
    """
    began = time.perf_counter()
    with _counting() as programs:
        try:
            done = Outcome(run=_done(task, tell, world))
        except ChipcastError as error:
            done = Outcome(code=error.code, message=str(error))
        except Exception as error:
            done = Outcome(code="internal", message=f"{type(error).__name__}: {error}")
    seconds = round(time.perf_counter() - began, 3)
    return done._replace(seconds=seconds, programs=len(programs), process=handshake.name())


def text(given: Task) -> str:
    """A task as one line of JSON."""
    return json.dumps(given._asdict())


def read(line: str) -> Task:
    """The task of a line of JSON."""
    given = json.loads(line)
    return Task(**given | {"names": tuple(given["names"]), "thresholds": tuple(given["thresholds"])})


def failed(code: str, message: str) -> Outcome:
    """The outcome of a task that nobody could do."""
    return Outcome(code=code, message=f"{message} [{code}]")


def _done(task: Task, tell: Tell, world: World | None) -> str:
    """The run's id, once the task is done. ChipcastError: why it cannot be."""
    devices.cache_programs()
    world = world or _world(task.names, task.as_of, _Values(task.values))
    if digest_of(world) != task.book:
        problem = "its book or history is not the one the sweep was checked with"
        raise IntegrityError(
            "sweep-book-changed", problem, remedy="run the sweep again, with the same priors everywhere"
        )
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return _run(task, tell, world)
        except ChipcastError as error:
            if error.code != BUSY or time.monotonic() > until:
                raise
            time.sleep(LOOK)


def _run(task: Task, tell: Tell, world: World) -> str:
    """The id of the run made or opened; of a range, which is counted and stored, nothing yet."""

    def progress(done: int, still: str) -> None:
        tell(done)

    asked: dict[str, Any] = {name: getattr(task, name) for name in QUESTION}
    if task.first is not None and task.last is not None:
        forecast.count(world, task.first, task.last, out=task.out, progress=progress, **asked)
        return ""
    return str(forecast.run(world, out=task.out, progress=progress, **asked).attrs["run"])


def digest_of(world: World) -> str:
    """What a world's numbers follow from: its book and its record."""
    return f"{world.book.digest}/{world.record.digest}"


class _Values(dict[str, Any]):
    """Values by path as a key of a cache."""

    def __hash__(self) -> int:  # type: ignore[override]
        """By their spelling."""
        return hash(repr(sorted(self.items())))


@lru_cache(maxsize=4)
def _world(names: tuple[str, ...], as_of: str | None, values: _Values) -> World:
    """The world of a variant; tasks that divide one follow each other."""
    return prepared.load(names, as_of, values)


@contextmanager
def _counting() -> Iterator[list[str]]:
    """Programs that are compiled, or read from the cache, meanwhile."""
    seen: list[str] = []

    def heard(event: str, duration_secs: float, **words: str | int) -> None:
        if event.endswith(COMPILED):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(heard)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(heard)
