"""What is shown while a sweep runs: bars on a terminal, else a line for each variant that ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sim.sweep.task import Outcome, Task

__all__ = ["Bars", "Lines", "Silent", "watching"]


class Silent:
    """Shows nothing."""

    def begins(self, variants: int, finished: int) -> None:
        """Show nothing."""

    def runs(self, task: Task, done: int) -> None:
        """Show nothing."""

    def ends(self, task: Task, outcome: Outcome) -> None:
        """Show nothing."""


class Lines(Silent):
    """A line on standard error for the whole, and for each task that ends."""

    def __init__(self) -> None:
        self.variants = self.ended = 0

    def begins(self, variants: int, finished: int) -> None:
        """Say how much there is to do."""
        self.variants, self.ended = variants, finished
        print(f"chipcast: {variants} variants, {finished} finished before", file=sys.stderr)

    def ends(self, task: Task, outcome: Outcome) -> None:
        """Say what came of a task."""
        what = outcome.message if outcome.code else f"run {outcome.run}" if outcome.run else "counted"
        if task.first is not None:
            what = f"draws {task.first:,} to {task.last:,} {what}"
        if task.first is None or outcome.code:
            self.ended += 1
        print(f"chipcast: {self.ended}/{self.variants} {task.label}: {what}, {outcome.seconds:.1f} s", file=sys.stderr)


class Bars(Silent):
    """A bar for the whole and one for each running task."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description:.40}", markup=False), BarColumn(), MofNCompleteColumn())
        self.shown = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self.whole: Any = None
        self.running: dict[tuple[str, int | None], Any] = {}

    def begins(self, variants: int, finished: int) -> None:
        """Show the whole."""
        self.shown.start()
        self.whole = self.shown.add_task("variants", total=variants, completed=finished)

    def runs(self, task: Task, done: int) -> None:
        """Show a task, from its beginning on."""
        key = task.label, task.first
        if key not in self.running:
            self.running[key] = self.shown.add_task(task.label, total=task.size)
        self.shown.update(self.running[key], completed=done)

    def ends(self, task: Task, outcome: Outcome) -> None:
        """Take a task's bar away, and say what failed."""
        key = task.label, task.first
        if key in self.running:
            self.shown.remove_task(self.running.pop(key))
        if task.first is None or outcome.code:
            self.shown.advance(self.whole)
        if outcome.code:
            self.shown.console.print(f"{task.label}: {outcome.message}", style="red", markup=False, highlight=False)


@contextmanager
def watching() -> Iterator[Silent]:
    """Bars while a sweep runs on a terminal; lines otherwise."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.shown.stop()
