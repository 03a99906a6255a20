"""Processes that do one thing each and are told apart, killed or timed: forked from one that has imported everything.

That one never begins to use JAX, so that forking it is safe, and a child is there in some 20 ms.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from sim.errors import ChipcastError

__all__ = ["Child", "Ended", "begin"]

PRELOADED = ["sim.store", "sim.forecast", "zarr.codecs", "zarr.storage", "zarr.api.asynchronous", "dask.array"]
"""Dask, where it is installed, is imported by xarray."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: what it returned, or the code, exit code and words of its error; None if it was killed."""

    value: Any = None
    code: str = ""
    exit_code: int = 0
    words: str = ""
    seconds: float = 0.0


class Child:
    """A process at work."""

    def __init__(self, process: Any, answers: Connection) -> None:
        self.process = process
        self.answers = answers

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self.process.pid)

    def kill(self) -> None:
        """Kill it as kill -9 does."""
        self.process.kill()

    def ended(self, patience: float = 120.0) -> Ended | None:
        """Wait until it has ended; what it answered before, if it did."""
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            raise TimeoutError(f"a child did not end in {patience} s")
        try:
            found: Ended = self.answers.recv()
        except EOFError:
            return None
        finally:
            self.answers.close()
            self.process.close()
        return found


def begin(work: Callable[..., Any], *arguments: Any) -> Child:
    """Begin some work in a child."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(theirs, work, *arguments))
    process.start()
    theirs.close()
    return Child(process, ours)


def answer(to: Connection, work: Callable[..., Any], *arguments: Any) -> None:
    """Do the work and tell what came of it."""
    began = time.monotonic()
    try:
        found = Ended(value=work(*arguments), seconds=time.monotonic() - began)
    except ChipcastError as error:
        found = Ended(None, error.code, error.exit_code, str(error), time.monotonic() - began)
    except Exception as error:
        found = Ended(None, "traceback", 1, f"{type(error).__name__}: {error}", time.monotonic() - began)
    to.send(found)
    os._exit(0)
