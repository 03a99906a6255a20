"""A failing disk: each system call of the store's work is refused in turn, for want of space, of luck or of leave.

The calls are those on anything below the folder of runs, whoever makes them: opening, writing (a write that fails
leaves half of something), syncing, making, renaming, removing and listing, when publishing (a first run, over one,
extending one), saving progress, writing reports and tables, repairing, tidying and reading.

What must hold: the call ends with an error of ours, or as if nothing had happened; the run is what it was or what it
was to become, verified, with all its numbers; and the same call then succeeds with the same bits as without the fault.
"""

import errno
import hashlib
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from sim.errors import ChipcastError
from sim.store import gc, open_run, read_commit, to_csv
from tests.faults import Report, stores
from tests.faults.stores import NAME, scratch, watch

CODES = (errno.ENOSPC, errno.EIO, errno.EACCES)
PASSING = ("LOCK", "COMMIT.json", "commit.json", "log.jsonl")
"""Files that tell who, when or of which commit, and so are never the same twice."""


class Failing:
    """Refuses the n-th system call, or none; counts them all."""

    def __init__(self, n: int | None = None, code: int = errno.EIO) -> None:
        self.n = n
        self.code = code
        self.seen: list[str] = []

    def __call__(self, kind: str, path: Path, _: Path | None = None) -> None:
        self.seen.append(kind)
        if len(self.seen) - 1 == self.n:
            if kind == "write half":
                path.write_bytes(b"half")
            raise OSError(self.code, os.strerror(self.code))

    def before(self, operation: str, path: Path) -> None:
        """Stands in for ``io.before``, because Python does not tell of writing."""
        if operation == "write":
            self("write half", path)


class Case(NamedTuple):
    """Some work of the store on a folder of runs, what was done there before, and how far a reader sees it."""

    call: Callable[[Path], object]
    read: Callable[[Path], int]
    old: int | None
    """None where there is nothing to lose, and an error is honest."""
    new: int
    before: Callable[[Path], object] = Path.mkdir


def generation(number: int) -> Callable[[Path], object]:
    """Publish all generations up to this."""
    return lambda out: [stores.publish_generation(out, i + 1) for i in range(number)]


def damaged(out: Path) -> None:
    """A first generation with a damaged part."""
    stores.damage_part(stores.publish_generation(out, 1))


def tables(out: Path) -> None:
    """The run's tables."""
    to_csv(open_run(out / NAME), out / NAME / "report" / "csv")


def with_dead_staging(out: Path) -> None:
    """A run, and what a writer that died left behind."""
    generation(2)(out)
    shutil.copytree(out / NAME / "summary", out / ".staging" / "0123456789abcdef")


CASES = {
    "first": Case(lambda out: stores.publish_generation(out, 1), stores.generation_of, None, 1),
    "over": Case(lambda out: stores.publish_generation(out, 2), stores.generation_of, 1, 2, generation(1)),
    "extend": Case(lambda out: stores.publish_generation(out, 3), stores.generation_of, 2, 3, generation(2)),
    "repair": Case(lambda out: stores.publish_generation(out, 1), stores.generation_of, None, 1, damaged),
    "progress": Case(
        lambda out: stores.save_progress(out, 2), stores.progress_of, 1, 2, lambda out: stores.save_progress(out, 1)
    ),
    "report": Case(
        lambda out: stores.publish_report(out, 2), stores.report_of, 1, 2, lambda out: stores.publish_report(out, 1)
    ),
    "tables": Case(tables, stores.generation_of, 1, 1, generation(1)),
    "tidy": Case(gc, stores.generation_of, 2, 2, with_dead_staging),
    "read": Case(lambda out: stores.generation_of(out / NAME), stores.generation_of, 3, 3, generation(3)),
}


def mended(out: Path) -> None:
    """Mend the one run there is."""
    from sim import forecast

    forecast.resume(stores.folder_of(out), repair=True)


def simulated(out: Path) -> None:
    """A run of the base book."""
    stores.simulate(out, 512)


def harmed(out: Path) -> None:
    """A run of the base book, of which a file is gone and another is cut short."""
    simulated(out)
    folder = stores.folder_of(out)
    (folder / "summary.MANIFEST.json").unlink()
    next(folder.glob("sums/*/*/zarr.json")).write_bytes(b"{")


BOOK = {
    "book": Case(simulated, stores.draws_of, 0, 512),
    "book, mended": Case(mended, stores.draws_of, None, 512, harmed),
}
"""The same for real runs, of which only a sample of calls is refused."""
SAMPLE = 12


def bits(folder: Path) -> dict[str, str]:
    """Hashes of all files of a run that are the same whenever it is made, and of the members of its commit."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in PASSING)
    found = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}
    if (folder / "COMMIT.json").exists():
        found |= {f"committed {name}": digest for name, digest in read_commit(folder).members().items()}
    return {name: digest for name, digest in found.items() if not Path(name).name.startswith(".")}


class Bench:
    """One case on its bench: the folder as it was before, and what the undisturbed call makes of it."""

    def __init__(self, case: Case, root: Path) -> None:
        self.case = case
        self.out = root / "runs"
        self.kept = root / "kept"
        case.before(self.kept)
        failing = self.attempt(Failing())
        self.calls = len(failing.seen)
        self.wanted = bits(stores.folder_of(self.out))

    def attempt(self, failing: Failing) -> Failing:
        """Make the call on a fresh copy with a fault."""
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.kept, self.out)
        with watch.over(self.out, failing), mock.patch("sim.store.io.before", failing.before):
            self.case.call(self.out)
        return failing

    def problem(self, n: int, code: int) -> str:
        """What is wrong after the n-th call was refused; empty if nothing is."""
        case, failing = self.case, Failing(n, code)
        try:
            self.attempt(failing)
            allowed = {case.new}
        except ChipcastError:
            allowed = {case.old, case.new}
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        found = self.look()
        if found not in allowed:
            return f"is {found}, not one of {allowed}"
        case.call(self.out)
        same = self.look() == case.new and bits(stores.folder_of(self.out)) == self.wanted
        return "" if same else "afterwards not the same bits"

    def look(self) -> int | str | None:
        """How far the run is; None for an error where one is honest."""
        try:
            return self.case.read(stores.folder_of(self.out))
        except ChipcastError as error:
            return None if self.case.old is None else error.code
        except stores.Wrong as error:
            return f"wrong: {error}"


def run(n: int | None, seed: int) -> Report:
    """``n`` refused calls of the tiny run at random, or each with each error and a sample of the base book's."""
    lost: dict[str, str] = {}
    counts: Counter[str] = Counter()
    chooser = random.Random(seed)
    for name, case in (CASES | (BOOK if n is None else {})).items():
        with scratch() as root:
            bench = Bench(case, root)
            faults = [(i, code) for i in range(bench.calls) for code in CODES]
            share = SAMPLE if name in BOOK else len(faults) if n is None else max(1, n // len(CASES))
            for i, code in sorted(chooser.sample(faults, min(share, len(faults)))):
                counts[name] += 1
                problem = bench.problem(i, code)
                if problem:
                    lost[f"{name}, call {i}, {errno.errorcode[code]}"] = problem
    notes: dict[str, object] = {"by kind": dict(counts), "problems": dict(list(lost.items())[:20])}
    return Report(sum(counts.values()), sum(counts.values()) - len(lost), len(lost), notes)
