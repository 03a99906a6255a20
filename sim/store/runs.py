"""Reading runs: find the members that a commit means, check them, open, verify and list.

Only what COMMIT.json names by hash is ever shown, so a reader sees one whole generation or an error.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import xarray as xr

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError
from sim.store.draws import Block, join
from sim.store.groups import ROOT, damage, read_group, sha256_of
from sim.store.records import MANIFEST, Commit, Manifest, check_name, damaged, read

__all__ = [
    "COMMIT",
    "beside",
    "digest_of",
    "list_runs",
    "open_run",
    "read_commit",
    "read_record",
    "refuse_link",
    "run_folder",
    "verify",
]

COMMIT = "COMMIT.json"
Seen = TypeVar("Seen")


def run_folder(out: Path, name: str) -> Path:
    """Folder of a run under ``out``. Raises ``RefusedError`` for a name that is no run id."""
    return Path(out) / check_name(name)


def read_commit(folder: Path) -> Commit:
    """Read the commit of a run. Raises ``IntegrityError`` for one that is unfinished or damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        remedy = "chipcast list shows the runs there are"
        raise ChipcastError("store-no-run", "is no run", place=Place(str(folder)), remedy=remedy)
    refuse_link(folder)
    if not (folder / COMMIT).exists():
        remedy = "run the same command again"
        raise IntegrityError("store-unfinished", "never published", place=Place(str(folder)), remedy=remedy)
    commit = read(Commit, folder / COMMIT)
    if commit.own_hash() != commit.hash:
        raise damaged("its hash is wrong: it was edited", Place(str(folder / COMMIT)))
    return commit


def refuse_link(folder: Path) -> None:
    """Raise ``IntegrityError`` for a run's folder that is, or holds, a symbolic link."""
    for path in (folder, *folder.glob("*"), *folder.glob("parts/*")):
        if path.is_symlink():
            raise IntegrityError("store-link", "a run holds no symbolic links", place=Place(str(path)))


def digest_of(path: Path) -> str:
    """Hash that a commit would give this member: of the file, or of the group's root; empty if there is none."""
    return sha256_of(path / ROOT if path.is_dir() else path)


def beside(path: Path, digest: str) -> Path:
    """Where a member waits while an older one still has its name: ``summary-1a2b3c4d``, ``run-1a2b3c4d.json``."""
    return path.with_name(f"{path.stem}-{digest[:8]}{path.suffix}")


def find(folder: Path, member: str, digest: str) -> Path:
    """Find the member that a commit means, under its own name or beside it. Raises ``IntegrityError`` without one."""
    home = folder / member
    for path in (home, beside(home, digest), home):  # twice: it may be coming home just now
        if digest_of(path) == digest:
            return path
    problem = "is not the one committed" if home.exists() else "is missing"
    raise damaged(f"{member} {problem}", Place(str(folder)))


class Found(NamedTuple):
    """A generation whose members are all there: its commit and, by name, where each stands and each manifest."""

    commit: Commit
    paths: dict[str, Path]
    manifests: dict[str, Manifest]


def check(folder: Path, commit: Commit, *, full: bool) -> Found:
    """Find and check every member of a generation. Raises ``IntegrityError`` naming what is damaged.

    The summary, which is small, is always hashed; parts by size and metadata unless ``full``.
    """
    paths = {member: find(folder, member, digest) for member, digest in commit.members().items()}
    manifests = {name: read(Manifest, paths[name + MANIFEST]) for name in commit.groups()}
    problems: list[str] = []
    for name, manifest in manifests.items():
        problems += damage(paths[name], manifest, full=full or name == "summary")
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise damaged("; ".join(problems[:5]) + more, Place(str(folder)))
    return Found(commit, paths, manifests)


def open_run(path: Path) -> xr.DataTree:
    """Open a run: its summary in memory, its kept draws, if any, lazily under ``draws``. Needs no dask.

    Raises ``IntegrityError`` for a run that is not as published, ``RefusedError`` for one of a newer format.
    """
    return steadily(Path(path), load)


def steadily(folder: Path, look: Callable[[Path, Commit], Seen]) -> Seen:
    """Look at a run; where it seems damaged twice more, and again while writers publish new generations meanwhile."""
    seen: list[str] = []
    for _ in range(20):
        commit = read_commit(folder)
        try:
            return look(folder, commit)
        except IntegrityError:
            if seen.count(commit.hash) == 2:
                raise
            seen.append(commit.hash)
            time.sleep(0.005)  # a writer needs as long to give its members their names
    raise RefusedError("store-busy", "is being rewritten all the time", place=Place(str(folder)), remedy="try again")


def load(folder: Path, commit: Commit) -> xr.DataTree:
    """Read the tree of one generation, checked before and after it is read."""
    _, paths, manifests = check(folder, commit, full=False)
    try:
        tree = read_group(paths["summary"], manifests["summary"])
        if commit.parts:
            blocks = [Block(paths[part.name], manifests[part.name]) for part in commit.parts]
            tree["draws"] = xr.DataTree(join(blocks))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise damaged(f"cannot be read ({error})", Place(str(folder))) from error
    if any(digest_of(paths[name]) != group.root for name, group in commit.groups().items()):
        raise damaged("was replaced while it was read", Place(str(folder)))
    tree.attrs["commit"] = commit.hash
    return tree


def verify(path: Path) -> int:
    """Compare the hash of every file of a run with what was published; the number of files."""
    _, paths, manifests = steadily(Path(path), partial(check, full=True))
    return 1 + len(paths) - len(manifests) + sum(len(manifest.files) for manifest in manifests.values())


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``, checked against the commit."""
    return steadily(Path(folder), record_of)


def record_of(folder: Path, commit: Commit) -> dict[str, Any]:
    """Read the run record of one generation."""
    path = find(folder, "run.json", commit.run)
    try:
        record = json.loads(path.read_bytes())
        if isinstance(record["config"], dict):
            return record
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise damaged("says nothing", Place(str(path)))


def list_runs(out: Path) -> list[dict[str, Any]]:
    """All runs under a folder, newest first: id, scenario, as_of, draws, created, size [bytes] and problem.

    A run that is damaged or unfinished is listed with its problem and without the rest.
    """
    out = Path(out)
    if not out.is_dir():
        return []
    folders = sorted(path for path in out.iterdir() if any((path / name).exists() for name in (COMMIT, "LOCK")))
    return sorted(map(describe, folders), key=lambda row: row["created"] or "", reverse=True)


def describe(folder: Path) -> dict[str, Any]:
    """One row of the list of runs."""
    row: dict[str, Any] = dict.fromkeys(("id", "scenario", "as_of", "draws", "created", "size"))
    try:
        commit, _, manifests = steadily(folder, partial(check, full=False))
        record = read_record(folder)
    except ChipcastError as error:
        return {**row, "id": folder.name, "problem": f"{error.problem} [{error.code}]"}
    size = sum(file.size for manifest in manifests.values() for file in manifest.files.values())
    known = {"id": folder.name, "draws": commit.draws.done, "created": commit.created, "size": size, "problem": ""}
    labels = {"scenario": record.get("scenario"), "as_of": record["config"].get("as_of")}
    return {**row, **labels, **known}
