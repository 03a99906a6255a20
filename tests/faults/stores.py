"""What the faults of the store share: tiny runs whose generations can be told apart, and every system call seen."""

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sim.store import (
    COMMIT,
    Writing,
    io,
    joining,
    open_run,
    read_commit,
    run_id,
    run_record,
    verify,
    write_report,
    writing,
)

CONFIG = {"as_of": "2026-02-28", "book": "ab" * 32, "seed": 0, "sampler": "mc", "stream_version": 1}
RUN = {"config": CONFIG, "scenario": "base", "device": "cpu", "dtype": "float32"}
NAME = run_id(CONFIG)
KEPT = {1: [(0, 9, 1)], 2: [(0, 19, 2)], 3: [(0, 19, 2), (20, 29, 3)]}
"""Parts of each generation, with the value of their draws: the second replaces the first, the third extends it."""


class Wrong(AssertionError):
    """A run was opened and is none of its generations: the worst that can come of a fault."""


def small(scale: float) -> xr.DataTree:
    """A summary of three values."""
    return xr.DataTree.from_dict({"/prior": xr.Dataset({"x": ("s", np.full(3, scale, np.float32))})})


def block(first: int, last: int, scale: float) -> tuple[int, int, xr.Dataset]:
    """Kept draws, all of one value."""
    return first, last, xr.Dataset({"x": (("s", "draw"), np.full((1, last - first + 1), scale, np.float32))})


def counts(value: int) -> xr.Dataset:
    """What was counted of some draws."""
    return xr.Dataset({"n": ("s", np.full(3, value))})


def publish_generation(out: Path, generation: int, run: dict[str, Any] = RUN) -> Path:
    """Publish the first, second or third generation of the tiny run; each comes after the one before."""
    draws = 10 * generation
    with writing(out, run) as mine:
        mine.ask(draws)
        new = mine.save("parts", *block(*KEPT[generation][-1]))
        old = [each for each in mine.stored("parts") if not each.overlaps(new)]
        sums = mine.save("sums", 0, draws - 1, counts(generation))
        return mine.publish(small(generation), draws=draws, parts=[*old, new], sums=[sums])


def generation_of(folder: Path) -> int:
    """Which generation a run is, all its files hashed and all its numbers read. Wrong: it is a mix, or none of them."""
    verify(folder)
    tree, run, commit = open_run(folder), Writing(folder, run_record(RUN)), read_commit(folder)
    generation = int(tree.attrs["draws"]) // 10
    found = tree["prior/x"].values.tolist() + run.load("sums", commit.sums[0])["n"].values.tolist()
    draws = tree["draws/x"].values.tolist()
    wanted = np.concatenate([np.full(last - first + 1, scale) for first, last, scale in KEPT[generation]])
    if found != [generation] * 6 or draws != [wanted.tolist()]:
        raise Wrong(f"summary and sums {found}, draws {draws}")
    return generation


def ask(out: Path, draws: int, *, fresh: bool = False) -> Path:
    """Ask for a number of draws of the tiny run as a forecast would: go on from what is stored, or make all again.

    Its bits depend on the number of draws alone.
    """
    with writing(out, RUN) as mine:
        if not fresh and draws_of(mine.folder) >= draws:
            return mine.folder
        mine.ask(draws)
        stored = {} if fresh else {each.first: each for each in mine.stored("parts")}
        firsts = range(0, draws, 10)
        parts = [stored.get(first) or mine.save("parts", *block(first, first + 9, first)) for first in firsts]
        sums = mine.save("sums", 0, draws - 1, counts(draws))
        return mine.publish(small(draws), draws=draws, parts=parts, sums=[sums], compare=fresh)


def draws_of(folder: Path) -> int:
    """How many draws a run has, all its files hashed; 0 where it was never published."""
    if not (folder / COMMIT).exists():
        return 0
    verify(folder)
    return int(open_run(folder).attrs["draws"])


def save_progress(out: Path, count: int) -> None:
    """Store one more range of ten draws of a run that nobody has published: the ``count``-th."""
    joining(out, RUN).save("sums", 10 * (count - 1), 10 * count - 1, counts(count))


def progress_of(folder: Path) -> int:
    """How many ranges are found again. Wrong: not the first ones, or with other numbers."""
    run = Writing(folder, run_record(RUN))
    found = run.stored("sums")
    for i, each in enumerate(found):
        values = run.load("sums", each)["n"].values.tolist()
        if each.first != 10 * i or values != [i + 1] * 3:
            raise Wrong(f"draws from {each.first} on: {values}")
    return len(found)


def publish_report(out: Path, count: int) -> Path:
    """Write a report of a published run, each time another."""
    if not (out / NAME / "COMMIT.json").exists():
        publish_generation(out, 1)
    return write_report(out / NAME, "page.html", f"{count} {'x' * 1000}".encode())


def report_of(folder: Path) -> int:
    """Which report a run has, 0 for none; Wrong: a torn one. The run itself must be its first generation."""
    if generation_of(folder) != 1:
        raise Wrong("another generation")
    path = folder / "report" / "page.html"
    if not path.exists():
        return 0
    count, _, rest = path.read_text().partition(" ")
    if rest != "x" * 1000:
        raise Wrong("a torn report")
    return int(count)


def damage_part(folder: Path) -> None:
    """Flip every bit of a kept draw's file, for good."""
    path = folder / "parts/0-9/x/c/0/0"
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    io.sync(path)


def simulate(out: Path, draws: int, *, fresh: bool = False, keep_draws: bool = False) -> None:
    """Ask for draws of the base book."""
    from sim import forecast

    forecast.run(forecast.load("base"), draws=draws, fresh=fresh, keep_draws=keep_draws, out=out, device="cpu")


def folder_of(out: Path) -> Path:
    """The one run of a folder; a path to nothing where there is none."""
    return next((path for path in sorted(out.glob("[!.]*")) if path.is_dir()), out / "none")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, in memory where the machine has such a file system."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="chipcast-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


Listener = Callable[[str, Path, Path | None], None]
CHANGES = {"os.mkdir": "mkdir", "os.rename": "rename", "os.remove": "unlink", "os.rmdir": "rmdir"}
LOOKS = {"os.scandir": "list", "os.listdir": "list"}


class Watch:
    """Hears of each system call on a path below a folder just before it is made; a listener that raises prevents it.

    Python tells of opening, making, renaming, removing and listing by audit events, whoever does it; of ``fsync`` it
    does not, so that is replaced for the while: the bytes of a scratch folder need not reach a disk.
    """

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.root = Path()
        self.hooked = False
        self.own = threading.local()

    @contextmanager
    def over(self, root: Path, listener: Listener) -> Iterator[None]:
        """Tell a listener of all that happens below a folder."""
        if not self.hooked:
            sys.addaudithook(self.hear)  # there is no taking it away again
            self.hooked = True
        sync, self.root, self.listener = os.fsync, root, listener
        os.fsync = self.fsync
        try:
            yield
        finally:
            os.fsync, self.listener = sync, None

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One audit event of Python."""
        if self.listener is None or getattr(self.own, "busy", False):
            return
        if event == "open":
            path, _, flags = arguments
            self.tell("create" if flags & os.O_CREAT else "write" if flags & 3 else "read", path)
        elif event == "os.rename":
            source, target, *handles = arguments
            self.tell("rename", source, handles[0], target)
        elif event in CHANGES:
            self.tell(CHANGES[event], arguments[0], arguments[-1])
        elif event in LOOKS:
            self.tell(LOOKS[event], arguments[0])

    def fsync(self, handle: Any) -> None:
        """Stands in for ``os.fsync``."""
        self.tell("fsync", handle if isinstance(handle, int) else handle.fileno())

    def tell(self, kind: str, path: Any, within: int = -1, other: Any = None) -> None:
        """Tell the listener of one operation, if it is below the folder."""
        self.own.busy = True
        try:
            place = located(path, within)
            if self.listener is not None and place is not None and self.root in (place, *place.parents):
                self.listener(kind, place, None if other is None else located(other, -1))
        finally:
            self.own.busy = False


def located(path: Any, within: int) -> Path | None:
    """The absolute path that a system call means: by name, by handle, or by name below an open folder."""
    if isinstance(path, int):
        return Path(os.readlink(f"/proc/self/fd/{path}"))
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    base = Path(os.readlink(f"/proc/self/fd/{within}")) if within >= 0 else Path.cwd()
    return base / os.fsdecode(path)


watch = Watch()
