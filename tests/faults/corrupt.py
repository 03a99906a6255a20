"""Harm to a stored run of the base book: found, never shown as numbers, and mended to the same bits.

A run with kept draws is made once. Each harm is done to one of its files or folders, of a kind chosen at random: a bit
flipped, a file cut short, lengthened, emptied or removed, two swapped, that of another run put in its place, an
attribute edited, a link in place of a file or folder, a file added, a folder emptied or removed.

Detected: ``verify`` raises; and ``open_run`` raises too, or shows what was stored, in which case reading a harmed draw
raises. Mended: several harms together, then ``resume(repair=True)``: the hashes of all members are those of before.
Where what was asked of a run is harmed itself (``request.json``), the run is asked for again.
Counts of an unfinished run are harmed as well: they are not used, and the run that follows has the same bits.

Out of scope: COMMIT edited by somebody who makes its hash again. It is the root of trust. An edit that names other
members is noticed, and counted here; one that changes what COMMIT says of itself, such as its date, is not.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import xarray as xr

from sim import forecast, store
from sim.errors import ChipcastError
from tests.faults import Report
from tests.faults.harms import KINDS, OF_FILES, OF_FOLDERS, OF_JSON, Target, Unfit, copy, discard, swap
from tests.faults.stores import scratch

DRAWS = 1024
QUESTION: dict[str, Any] = {"draws": DRAWS, "keep_draws": True, "device": "cpu"}
TOGETHER = 10
"""Harms that are mended at a time."""


class Harm(NamedTuple):
    """What was done to which paths, relative to the run's folder, and where what came of it is kept."""

    kind: str
    name: str
    paths: tuple[str, ...]
    kept: Path

    def __str__(self) -> str:
        return f"{self.name} {' and '.join(self.paths)}"


def overlap(one: Harm, other: Harm) -> bool:
    """Whether two harms are done to the same thing."""
    pairs = ((mine + "/", theirs + "/") for mine in one.paths for theirs in other.paths)
    return any(mine.startswith(theirs) or theirs.startswith(mine) for mine, theirs in pairs)


class Bench:
    """A run on its bench; a copy of it as it was, and another run that members are taken from."""

    def __init__(self, folder: Path, foreign: Path, chance: random.Random) -> None:
        self.folder = folder
        self.foreign = foreign
        self.chance = chance
        self.out = folder.parent
        self.aside = self.out.with_name(f"{self.out.name}-aside")
        self.kept = self.aside / "kept"
        shutil.copytree(self.out, self.kept)
        (self.aside / "outside").mkdir()

    def harm(self, kinds: Sequence[str]) -> Harm:
        """Harm something chosen at random."""
        while True:
            kind, home = self.chance.choice(kinds), self.kept / self.folder.name
            paths = sorted(path for path in home.glob(KINDS[kind]) if path.is_dir() == KINDS[kind].endswith("/"))
            picked, like = (str(self.chance.choice(paths).relative_to(home)) for _ in range(2))
            path = self.folder / picked
            does = OF_FOLDERS if path.is_dir() else OF_JSON if path.suffix == ".json" else OF_FILES
            do = self.chance.choice(does)
            try:
                do(Target(path, self.folder / like, self.foreign / picked, self.aside / "outside", self.chance))
            except Unfit:
                continue
            kept = self.aside / str(self.chance.random())
            return Harm(kind, do.__name__, (picked, like) if do is swap else (picked,), kept)

    def undo(self, harm: Harm) -> None:
        """Put what was harmed aside, and bring back what was there."""
        for path in harm.paths:
            (harm.kept / path).parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(self.folder / path):
                shutil.move(self.folder / path, harm.kept / path)
        self.lay(self.kept / self.folder.name, harm)

    def redo(self, harms: Sequence[Harm]) -> None:
        """Do some harms again to the run as it was."""
        self.again()
        for harm in harms:
            self.lay(harm.kept, harm)

    def lay(self, source: Path, harm: Harm) -> None:
        """Give the run what a folder holds under the paths of a harm."""
        for path in harm.paths:
            discard(self.folder / path)
            if os.path.lexists(source / path):
                copy(source / path, self.folder / path)

    def again(self) -> None:
        """Begin with the run as it was."""
        discard(self.out)
        shutil.copytree(self.kept, self.out)


class Trial:
    """Runs of the base book that are harmed, what came of it, and what was wrong."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.world = forecast.load("base")
        self.root = root
        self.lost: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.tree = self.make("runs", 11).load()
        other = self.make("others", 12)
        self.bench = Bench(root / "runs" / self.tree.attrs["run"], root / "others" / other.attrs["run"], chance)
        self.members = store.read_commit(self.bench.folder).members()

    def make(self, out: str, seed: int, **question: Any) -> xr.DataTree:
        """Make a run, or open it."""
        return forecast.run(self.world, seed=seed, out=self.root / out, **QUESTION | question)

    def published(self, n: int) -> None:
        """Harm a published run in ``n`` ways, one at a time, and mend several together."""
        together: list[Harm] = []
        for i in range(n):
            harm = self.bench.harm(sorted(KINDS))
            self.counts[f"{harm.name} {harm.kind}"] += 1
            self.tell(str(harm), self.judged(harm))
            self.bench.undo(harm)
            if not any(overlap(harm, other) for other in together):
                together.append(harm)
            if len(together) == TOGETHER or i == n - 1:
                self.mend(together)
                together = []

    def tell(self, what: str, problem: str) -> None:
        """Note what is wrong, if anything is."""
        if problem:
            self.lost[what] = problem

    def judged(self, harm: Harm) -> str:
        """What is wrong with how a harm was met; empty if nothing is."""
        try:
            store.verify(self.bench.folder)
        except ChipcastError as error:
            self.counts[error.code] += 1
        else:
            return "verify found nothing"
        try:
            tree = store.open_run(self.bench.folder)
        except ChipcastError:
            return ""
        try:
            shown = tree.load()
        except Exception:
            self.counts["found when its draws were read"] += 1
            return ""
        return "" if shown.identical(self.tree) else "other numbers were shown"

    def mend(self, harms: Sequence[Harm]) -> None:
        """Mend harms together; where that fails each alone, to tell which it was."""
        self.counts["mended"] += len(harms)
        if self.mended(harms):
            for harm in harms:
                self.tell(f"{harm}, mended", self.mended([harm]))
        self.bench.again()
        for harm in harms:
            discard(harm.kept)

    def mended(self, harms: Sequence[Harm]) -> str:
        """What is wrong with a run that was mended; empty if nothing is."""
        self.bench.redo(harms)
        try:
            try:
                forecast.resume(self.bench.folder, repair=True)
            except ChipcastError as error:
                self.counts[f"asked again after {error.code}"] += 1
                self.make("runs", 11)
            store.verify(self.bench.folder)
        except ChipcastError as error:
            return str(error)
        return self.other_bits(self.bench.folder, self.members)

    def other_bits(self, folder: Path, wanted: dict[str, str]) -> str:
        """Which members a run has that are not as wanted, if any."""
        found = store.read_commit(folder).members()
        changed = [name for name in wanted.keys() | found.keys() if found.get(name) != wanted.get(name)]
        return f"other bits: {', '.join(sorted(changed)[:5])}" if changed else ""

    def progress(self, n: int) -> None:
        """Harm the stored counts of a run that nobody has published in ``n`` ways, and ask for the run."""
        question = {"seed": 11, "draws": DRAWS, "device": "cpu"}
        for first in (0, DRAWS // 2):
            forecast.count(self.world, first, first + DRAWS // 2, out=self.root / "progress", **question)
        bench = Bench(self.root / "progress" / self.bench.folder.name, self.bench.foreign, self.bench.chance)
        record = store.read_record(self.bench.folder)
        for _ in range(n):
            harm = bench.harm([kind for kind in sorted(KINDS) if KINDS[kind].startswith("sums/")])
            self.counts[f"{harm.name} {harm.kind}"] += 1
            try:
                whole = len(store.Writing(bench.folder, record).stored("sums")) == 2
            except ChipcastError as error:  # a link: the error says that repair takes it away
                whole = False
                self.counts[error.code] += 1
                with suppress(ChipcastError):  # that there is no request to go on with
                    forecast.resume(bench.folder, repair=True)
            self.tell(f"{harm}, unpublished", "was taken for whole" if whole else "")
            self.make("progress", 11, keep_draws=False)
            wanted = {name: digest for name, digest in self.members.items() if not name.startswith("parts")}
            self.tell(f"{harm}, unpublished", self.other_bits(bench.folder, wanted))
            bench.again()


@contextmanager
def trial(seed: int) -> Iterator[Trial]:
    """Runs to be harmed, each with its counts and its kept draws in two parts; gone afterwards."""
    parts, few = mock.patch("sim.forecast.runs.PART", DRAWS // 2), mock.patch("sim.forecast.counting.FEW", 1)
    with scratch() as root, parts, few:
        yield Trial(root, random.Random(seed))


def run(n: int | None, seed: int) -> Report:
    """``n`` harms, or 400; one in twenty to a run that was never published."""
    n = 400 if n is None else n
    with trial(seed) as tried:
        tried.published(n - n // 20)
        tried.progress(n // 20)
    notes: dict[str, object] = {"counts": dict(sorted(tried.counts.items())), "problems": tried.lost}
    return Report(n, n - len(tried.lost), len(tried.lost), notes)
