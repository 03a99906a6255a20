"""What may go: what processes that died left behind, and what no commit names."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sim.errors import ChipcastError
from sim.store import io
from sim.store.publish import finish, refuse_foreign
from sim.store.runs import COMMIT, SIGNS, read_commit, read_request, strangers

__all__ = ["Leftover", "gc"]


class Leftover(NamedTuple):
    """Something that may go: a file or a folder, its size [bytes], and why."""

    path: Path
    size: int
    why: str


def gc(out: Path, *, unfinished: bool = False, dry_run: bool = False) -> list[Leftover]:
    """Remove what nothing refers to from a folder of runs, and tell what it was; ``dry_run`` only tells.

    Members of a run that its writer, dying, left beside their plain names are given these. Progress of runs that were
    never published stays, unless ``unfinished``. A run that is being written is left alone.
    RefusedError: the folder is not ours.
    """
    out = Path(out)
    if not out.is_dir():
        return []
    refuse_foreign(out)
    with io.ours("list", out):
        found = [Leftover(path, size(path), "its maker died") for path in io.dead_stagings(out)]
        folders = sorted(path for path in out.iterdir() if is_run(path))
    remove(found, dry_run)
    for folder in folders:
        try:
            with io.locked(folder / "LOCK"), io.ours("list", folder):
                if not dry_run:
                    finish(folder)
                mine = [Leftover(path, size(path), why) for path, why in of_run(folder, unfinished)]
                remove(mine, dry_run)
        except ChipcastError:
            continue  # it is being written, or damaged: what belongs to it cannot be told
        found += mine
    return found


def of_run(folder: Path, unfinished: bool) -> Iterator[tuple[Path, str]]:
    """What may go of one run, whose lock is held."""
    for path in folder.glob("report/.*.tmp"):
        if time.time() - path.stat().st_mtime > io.LONG:
            yield path, "half written"
    if not (folder / COMMIT).exists():
        if unfinished:
            yield folder, "never published"
        return
    commit = read_commit(folder)
    if commit.request == read_request(folder).hash or unfinished:
        for path in strangers(folder, commit, beyond=unfinished):
            yield path, "no part of what is published"


def is_run(path: Path) -> bool:
    """Whether a folder is a run, finished or not: nothing else is touched."""
    return path.is_dir() and not path.is_symlink() and any((path / name).exists() for name in SIGNS)


def size(path: Path) -> int:
    """Bytes of a file, or of all files under a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(each.lstat().st_size for each in files if not each.is_dir())


def remove(found: list[Leftover], dry_run: bool) -> None:
    """Remove what was found."""
    if not dry_run:
        for each in found:
            io.discard(each.path)
