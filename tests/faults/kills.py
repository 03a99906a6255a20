"""Kill -9 at any moment: readers see whole runs, nothing acknowledged is lost, and the same again gives the same bits.

Children at work are killed at a random time, or by themselves just before a random system call on the folder of runs,
so that windows too narrow for the clock are hit as often as wide ones. Most store the tiny run, in some 50 ms; one in
four simulates the base book. Each kind of work is killed in turn: a fresh run, one made again over itself (``fresh``),
one with more draws, one that keeps them, reports, counts of shares, and a sweep.

What must hold after each kill: the run verifies as what it was or as what was asked, to the bits of an undisturbed
run, or nothing was there before and none is there yet; what the child told to be done is there; reports are whole.
Then ``resume`` and the same work again end with the bits of the undisturbed run, and tidying up (``gc``) takes away
what was left in ``.staging`` and nothing that is seen, before as well as after.
"""

import itertools
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sim import store
from sim.errors import ChipcastError
from sim.store.records import sha256
from tests.faults import Report, stores
from tests.faults.children import begin
from tests.faults.io import bits
from tests.faults.stores import folder_of, scratch, simulate, watch

Work = Callable[[Path], object]
Seen = dict[str, object]
"""What a reader finds, by name."""
REAL = 4
"""One kill in so many is of a run of the base book, which takes fifty times as long."""
PAGES = ("one.html", "two.html")
SHARES = 3


def ask(out: Path, draws: int, *, fresh: bool = False) -> None:
    """Ask for draws of the tiny run."""
    stores.ask(out, draws, fresh=fresh)


def shares(out: Path, count: int) -> None:
    """Store counts of shares of a run that nobody publishes."""
    for i in range(1, count + 1):
        stores.save_progress(out, i)


def report(out: Path, what: str) -> None:
    """Write reports and tables of the one run there is."""
    (folder,) = (path.parent for path in out.glob(f"*/{store.COMMIT}"))
    for name in PAGES:
        store.write_report(folder, name, (what * 10_000).encode())
    store.to_csv(store.open_run(folder), folder / "report" / "csv")


def after(out: Path, works: Iterable[Work]) -> None:
    """Do several things in turn."""
    for work in works:
        work(out)


def sweep(out: Path) -> None:
    """Sweep two seeds of the base book, in one process."""
    from sim import sweep as sweeping

    file = out.with_name("seeds.yaml")
    file.write_text("draws: 512\nseeds: [1, 2]\n")
    sweeping.sweep(file, out=out, device="cpu")


def committed(out: Path) -> Seen:
    """What a reader finds published: by run the members by their hashes, all verified."""
    found: Seen = {}
    for folder in (path.parent for path in sorted(out.glob(f"*/{store.COMMIT}"))):
        store.verify(folder)
        store.open_run(folder)
        found[folder.name] = "tables" if is_sweep(folder) else store.read_commit(folder).members()
    return found


def is_sweep(folder: Path) -> bool:
    """Whether a run is a sweep's tables, which name the commits of its runs and so are never the same twice."""
    return store.read_record(folder)["config"].get("kind") == "sweep"


def pages(out: Path) -> Seen:
    """What a reader finds published, and in the reports."""
    report = folder_of(out) / "report"
    return committed(out) | {name: sha256((report / name).read_bytes()) for name in PAGES}


def progress(out: Path) -> Seen:
    """Which shares are found."""
    return {f"share {i}": True for i in range(stores.progress_of(folder_of(out)))}


class Case(NamedTuple):
    """Work to be killed, what is done before it, and what is looked at: each thing must be old or new."""

    work: Work
    before: Work = Path.mkdir
    look: Callable[[Path], Seen] = committed


def cases(kind: str, ask: Callable[..., None], few: int, many: int) -> dict[str, Case]:
    """Kinds of work with an asker."""
    first = partial(ask, draws=few)
    reported = partial(after, works=(first, partial(report, what="old")))
    return {
        f"{kind}, extend": Case(partial(ask, draws=many), first),
        f"{kind}, fresh": Case(first),
        f"{kind}, over": Case(partial(ask, draws=few, fresh=True), first),
        f"{kind}, report": Case(partial(report, what="new"), reported, pages),
    }


TINY = cases("tiny", ask, 20, 40) | {"tiny, shares": Case(partial(shares, count=SHARES), look=progress)}
BOOK = cases("book", simulate, 512, 1024) | {
    "book, keep": Case(partial(simulate, draws=512, keep_draws=True)),
    "book, sweep": Case(sweep),
}


class Dying:
    """Counts system calls, and kills its own process before one of them."""

    def __init__(self, call: int | None = None) -> None:
        self.call = call
        self.seen = 0

    def __call__(self, kind: str, path: Path, other: Path | None) -> None:
        if self.seen == self.call:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += 1


def alone(work: Work, out: Path, call: int | None) -> None:
    """Work in a child, which kills itself before a system call."""
    with watch.over(out, Dying(call)):
        work(out)


class Bench:
    """One case on its bench: the folder as it was before, what undisturbed work makes of it, and how long it takes."""

    def __init__(self, case: Case, root: Path, *, resumed: bool) -> None:
        self.case = case
        self.resumed = resumed
        self.out, self.kept = root / "runs", root / "kept"
        case.before(self.kept)
        self.old = case.look(self.kept)
        self.again()
        counting = Dying()
        with watch.over(self.out, counting):
            case.work(self.out)
        self.calls, self.new, self.bits = counting.seen, self.case.look(self.out), all_bits(self.out)
        self.again()
        ended = begin(alone, case.work, self.out, None).ended()
        assert ended is not None
        assert not ended.code, ended.words
        self.seconds = ended.seconds

    def again(self) -> None:
        """Begin with the folder as it was before."""
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.kept, self.out)

    def kill(self, chance: random.Random) -> tuple[str, str]:
        """Kill the work once: how far it was, and what was wrong, if anything was."""
        self.again()
        call = chance.randrange(self.calls) if chance.random() < 0.5 else None
        child = begin(alone, self.case.work, self.out, call)
        if call is None:
            time.sleep(chance.uniform(0, 1.1 * self.seconds))
            child.kill()
        ended = child.ended()
        if ended is not None and ended.code:
            return "failed", ended.words
        if ended is not None:
            self.seconds = min(self.seconds, ended.seconds)  # the first child may have had more to compile
        try:
            found = self.case.look(self.out)
        except Exception as error:
            return "unreadable", f"{type(error).__name__}: {error}"
        how = "acknowledged" if ended else "new" if found == self.new else "old" if found == self.old else "between"
        allowed = (self.new,) if ended else (self.old, self.new)
        wrong = [
            f"{name} is neither what it was nor what was asked"
            for name in self.old.keys() | self.new.keys() | found.keys()
            if all(found.get(name) != each.get(name) for each in allowed)
        ]
        return how, "; ".join(wrong) or self.finish(chance)

    def finish(self, chance: random.Random) -> str:
        """Tidy up, go on, and do the same again; what was wrong, if anything was."""
        try:
            found = self.case.look(self.out)
            if chance.random() < 0.5:
                store.gc(self.out)
                if self.case.look(self.out) != found:
                    return "tidying changed it"
            if self.resumed and chance.random() < 0.5 and not self.resume():
                return "resume did not make what was asked"
            self.case.work(self.out)
            store.gc(self.out)
        except ChipcastError as error:
            return f"cannot go on: {error}"
        left = [path.name for path in (self.out / ".staging").glob("[!.]*")]
        if left:
            return f"left behind: {left}"
        return "" if all_bits(self.out) == self.bits else "other bits afterwards"

    def resume(self) -> bool:
        """Go on with the run as it was asked, if that was written down; whether it is then what was asked."""
        from sim import forecast

        folder = folder_of(self.out)
        if not (folder / "request.json").exists():
            return True
        asked = store.read_request(folder).draws
        return int(forecast.resume(folder).attrs["draws"]) == asked and self.case.look(self.out) in (self.old, self.new)


def all_bits(out: Path) -> dict[str, str]:
    """Hashes of all files of all runs, as :func:`bits` tells them."""
    folders = [path for path in out.glob("[!.]*") if path.is_dir()]
    kept = [path for path in folders if not (path / store.COMMIT).exists() or not is_sweep(path)]
    return {f"{path.name}/{name}": digest for path in kept for name, digest in bits(path).items()}


def planned(n: int) -> dict[str, int]:
    """How often each kind is killed: one in ``REAL`` is of the base book; where they are few, one in 30 of one kind."""
    real, some = (n // REAL, list(BOOK)) if n >= 100 else (n // 30, list(BOOK)[:1])
    return Counter([*itertools.islice(itertools.cycle(some), real), *itertools.islice(itertools.cycle(TINY), n - real)])


def run(n: int | None, seed: int) -> Report:
    """``n`` kills, or 300."""
    n = 300 if n is None else n
    chance, lost, counts = random.Random(seed), dict[str, str](), Counter[str]()
    for kind, times in planned(n).items():
        with scratch() as root:
            bench = Bench((TINY | BOOK)[kind], root, resumed=kind in BOOK and kind != "book, sweep")
            for i in range(times):
                how, problem = bench.kill(chance)
                counts[f"{kind}: {how}"] += 1
                if problem:
                    lost[f"{kind}, kill {i}"] = problem
    notes: dict[str, object] = {"found after the kill": dict(sorted(counts.items())), "problems": lost}
    return Report(n, n - len(lost), len(lost), notes)
