"""Harm that can be done to a file or a folder of a stored run, and the kinds of them there are."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sim import store

KINDS = {
    "commit": "COMMIT.json",
    "run record": "run.json",
    "request": "request.json",
    "manifest of the summary": "summary.MANIFEST.json",
    "root of the summary": "summary/zarr.json",
    "metadata of the summary": "summary/*/**/zarr.json",
    "values of the summary": "summary/**/c.*",
    "folder of the summary": "summary/prior_predictive/*/",
    "summary": "summary/",
    "manifest of a part": "parts/*.MANIFEST.json",
    "metadata of a part": "parts/**/zarr.json",
    "draws": "parts/**/c/**/0",
    "folder of draws": "parts/*/*/",
    "part": "parts/*-*/",
    "manifest of counts": "sums/*.MANIFEST.json",
    "metadata of counts": "sums/**/zarr.json",
    "counts": "sums/**/c.*",
    "folder of counts": "sums/*-*/",
}
"""Kinds of files and folders, and where they are."""


class Unfit(Exception):
    """A harm that would change nothing here."""


class Target(NamedTuple):
    """Something to harm, one like it in this run and in another, a place outside, and chance."""

    path: Path
    like: Path
    foreign: Path
    outside: Path
    chance: random.Random


def flip(target: Target) -> None:
    """Flip one bit."""
    data = bytearray(target.path.read_bytes())
    data[target.chance.randrange(len(data))] ^= 1 << target.chance.randrange(8)
    target.path.write_bytes(data)


def truncate(target: Target) -> None:
    """Cut a file short, perhaps to nothing."""
    data = target.path.read_bytes()
    target.path.write_bytes(data[: target.chance.choice([0, target.chance.randrange(len(data))])])


def extend(target: Target) -> None:
    """Make a file longer."""
    target.path.write_bytes(target.path.read_bytes() + b" " * target.chance.randint(1, 100))


def remove(target: Target) -> None:
    """Remove a file or a folder."""
    discard(target.path)


def swap(target: Target) -> None:
    """Let two files or folders change places."""
    if same(target.path, target.like):
        raise Unfit
    passing = target.path.with_name("passing")
    target.path.rename(passing)
    target.like.rename(target.path)
    passing.rename(target.like)


def replace(target: Target) -> None:
    """Put that of another run in its place."""
    if same(target.path, target.foreign):
        raise Unfit
    discard(target.path)
    copy(target.foreign, target.path)


def link(target: Target) -> None:
    """Put a link in its place, to itself elsewhere."""
    elsewhere = target.outside / str(target.chance.random())
    shutil.move(target.path, elsewhere)
    target.path.symlink_to(elsewhere)


def edit(target: Target) -> None:
    """Change one value of a JSON file, and nothing of its form; of Zarr's an attribute, if it has any."""
    record = json.loads(target.path.read_bytes())
    inner = record.get("attributes") or record.get("config") or record.get("record") or record
    key = target.chance.choice(sorted(inner))
    inner[key] = inner[key] + 1 if isinstance(inner[key], int | float) else "edited"
    target.path.write_bytes(json.dumps(record, indent=2).encode())


def edit_commit(target: Target) -> None:
    """Change the hash of a member in COMMIT, and make COMMIT's own again."""
    if target.path.name != store.COMMIT:
        raise Unfit
    commit = store.read_commit(target.path.parent)
    summary = commit.summary.model_copy(update={"manifest": commit.summary.root})
    target.path.write_bytes(commit.model_copy(update={"summary": summary}).sealed().dump())


def empty(target: Target) -> None:
    """Take everything out of a folder."""
    discard(target.path)
    target.path.mkdir()


def add(target: Target) -> None:
    """Put another file into a folder."""
    (target.path / target.chance.choice(["zarr.json.bak", "c.1", ".hidden"])).write_bytes(b"{}")


OF_FILES: tuple[Callable[[Target], None], ...] = (flip, truncate, extend, remove, swap, replace, link)
OF_JSON = (*OF_FILES, edit, edit_commit)
OF_FOLDERS: tuple[Callable[[Target], None], ...] = (remove, empty, add, swap, replace, link)


def same(one: Path, other: Path) -> bool:
    """Whether two files or folders hold the same."""
    if one.is_file() and other.is_file():
        return one.read_bytes() == other.read_bytes()
    return not other.exists() or digests(one) == digests(other)


def digests(folder: Path) -> dict[str, bytes]:
    """All that is in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def discard(path: Path) -> None:
    """Remove whatever has a name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file, a folder or a link."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target, follow_symlinks=False)
