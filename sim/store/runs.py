"""Reading runs: find the members that a commit means, check them, open, verify and list.

Only what COMMIT.json names by hash is ever shown, so a reader sees one whole generation or an error.
"""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import xarray as xr

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError
from sim.store import io
from sim.store.draws import Block, join
from sim.store.groups import ROOT, damage, read_group, sha256_of
from sim.store.records import KINDS, MANIFEST, NOT_WHOLE, REPAIR, Commit, Manifest, Request, check_name, damaged, read

__all__ = [
    "COMMIT",
    "LOG",
    "REQUEST",
    "SIGNS",
    "beside",
    "committed",
    "digest_of",
    "links",
    "list_runs",
    "open_run",
    "read_commit",
    "read_record",
    "read_request",
    "refuse_link",
    "run_folder",
    "strangers",
    "told_request",
    "verify",
]

COMMIT = "COMMIT.json"
REQUEST = "request.json"
LOG = "log.jsonl"
SIGNS = (COMMIT, "LOCK", REQUEST, *KINDS)
"""What tells a run, finished or not, from other folders."""
RANGE = re.compile(r"\d{1,18}-(\d{1,18})")
Seen = TypeVar("Seen")


def run_folder(out: Path, name: str) -> Path:
    """Folder of a run under ``out``. Raises ``RefusedError`` for a name that is no run id."""
    return Path(out) / check_name(name)


def read_commit(folder: Path) -> Commit:
    """Read the commit of a run. Raises ``IntegrityError`` for one that is unfinished or damaged."""
    folder = Path(folder)
    check_folder(folder)
    refuse_link(folder)
    if not (folder / COMMIT).exists():
        remedy = f"chipcast resume {folder} goes on with it" if (folder / REQUEST).exists() else "run it again"
        raise IntegrityError("store-unfinished", "never published", place=Place(str(folder)), remedy=remedy)
    commit = read(Commit, folder / COMMIT)
    if commit.own_hash() != commit.hash:
        raise damaged("its hash is wrong: it was edited", Place(str(folder / COMMIT)))
    return commit


def check_folder(folder: Path) -> None:
    """Raise ``ChipcastError`` where there is no folder."""
    if not folder.is_dir():
        remedy = "chipcast list shows the runs there are"
        raise ChipcastError("store-no-run", "is no run", place=Place(str(folder)), remedy=remedy)


def committed(folder: Path) -> Commit | None:
    """Read the commit of a run; None where it was never published, or what says so is damaged."""
    if not folder.is_dir():
        return None
    try:
        return read_commit(folder)
    except ChipcastError as error:
        if error.code in NOT_WHOLE:
            return None
        raise


def refuse_link(folder: Path) -> None:
    """Raise ``IntegrityError`` for a run's folder that is, or holds, a symbolic link."""
    for path in (folder, *links(folder)):
        if path.is_symlink():
            remedy = "remove it and look where it came from" if path == folder else REPAIR
            raise IntegrityError("store-link", "a run holds no symbolic links", place=Place(str(path)), remedy=remedy)


def links(folder: Path) -> list[Path]:
    """Symbolic links among a run's files and ranges."""
    with io.ours("list", folder):
        return [
            path for each in ("*", *(f"{kind}/*" for kind in KINDS)) for path in folder.glob(each) if path.is_symlink()
        ]


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
        found = damage(paths[name], manifest, full=full or name == "summary")
        problems += [str(Path(name).parent / problem) for problem in found]
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
            names = [part.name("parts") for part in commit.parts]
            blocks = [Block(paths[name], manifests[name]) for name in names]
            tree["draws"] = xr.DataTree(join(blocks))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise damaged(f"cannot be read ({error})", Place(str(folder))) from error
    if any(digest_of(paths[name]) != group.root for name, group in commit.groups().items()):
        raise damaged("was replaced while it was read", Place(str(folder)))
    tree.attrs["commit"] = commit.hash
    return tree


def verify(path: Path) -> int:
    """Compare the hash of every file of a run with what was published; the number of files."""
    commit, paths, manifests = steadily(Path(path), partial(check, full=True))
    asked = 0
    if commit.format_version > 1:
        read_request(Path(path))
        asked = 1
    return 1 + asked + len(paths) - len(manifests) + sum(len(manifest.files) for manifest in manifests.values())


def read_request(folder: Path) -> Request:
    """Read what a run was asked. Raises ``IntegrityError`` where that is missing, damaged or another run's."""
    folder = Path(folder)
    check_folder(folder)
    path = folder / REQUEST
    if not path.exists():
        problem = f"{REQUEST} is missing, which says what it was asked: it is lost, or the run of an older format"
        remedy = "run the command that made it again"
        raise IntegrityError("store-no-request", problem, place=Place(str(folder)), remedy=remedy)
    request = read(Request, path)
    if request.own_hash() != request.hash:
        raise damaged("its hash is wrong: it was edited", Place(str(path)))
    commit = committed(folder)
    if commit is not None and commit.id != request.record.get("id"):
        raise damaged("is another run's", Place(str(path)))
    return request


def told_request(folder: Path) -> Request:
    """Read what a run was asked; where that is damaged, tell it from what is published. Raises if neither is whole."""
    try:
        return read_request(folder)
    except IntegrityError as error:
        commit = committed(folder)
        if error.code not in NOT_WHOLE or commit is None:
            raise
        return Request(record=read_record(folder), draws=commit.draws.done, keep_draws=bool(commit.parts)).sealed()


def strangers(folder: Path, commit: Commit, *, beyond: bool = False) -> list[Path]:
    """Find what stands among the members of a run and is none: of the generation before, or progress made use of.

    Progress that reaches beyond the draws published is none either, unless ``beyond``: others may be at work on it.
    """
    homes = [(folder / member, digest) for member, digest in commit.members().items()]
    own = {path for home, digest in homes for path in (home, beside(home, digest))}
    patterns = ("run*.json", "summary*", *(f"{kind}/*" for kind in KINDS))
    with io.ours("list", folder):
        found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path not in own]
    return [path for path in found if beyond or last_of(path) < commit.draws.done]


def last_of(path: Path) -> int:
    """Last draw of a stored range by its name; -1 of anything else."""
    named = RANGE.match(path.name) if path.parent.name in KINDS else None
    return int(named[1]) if named else -1


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``, checked against the commit."""
    return steadily(Path(folder), record_of)


def record_of(folder: Path, commit: Commit) -> dict[str, Any]:
    """Read the run record of one generation."""
    path = find(folder, "run.json", commit.run)
    try:
        record = json.loads(io.read(path))
        if isinstance(record["config"], dict):
            return record
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise damaged("says nothing", Place(str(path)))


def list_runs(out: Path) -> list[dict[str, Any]]:
    """All runs under a folder, newest first: id, scenario, as_of, draws, asked, created, size [bytes] and problem.

    A run that is damaged is listed with its problem, an unfinished one with how many draws of those asked are counted.
    """
    out = Path(out)
    if not out.is_dir():
        return []
    with io.ours("list", out):
        folders = sorted(path for path in out.iterdir() if any((path / name).exists() for name in SIGNS))
    return sorted(map(describe, folders), key=lambda row: row["created"] or "", reverse=True)


def describe(folder: Path) -> dict[str, Any]:
    """One row of the list of runs."""
    row: dict[str, Any] = dict.fromkeys(("id", "scenario", "as_of", "draws", "asked", "created", "size"))
    try:
        commit, _, manifests = steadily(folder, partial(check, full=False))
        record = read_record(folder)
    except ChipcastError as error:
        return {
            **row,
            **progress(folder),
            "id": folder.name,
            "problem": f"{error.problem}; {error.remedy} [{error.code}]",
        }
    size = sum(file.size for manifest in manifests.values() for file in manifest.files.values())
    done, asked = commit.draws.done, commit.draws.total
    known = {"id": folder.name, "draws": done, "asked": asked, "created": commit.created, "size": size, "problem": ""}
    labels = {"scenario": record.get("scenario"), "as_of": record["config"].get("as_of")}
    return {**row, **labels, **known}


def progress(folder: Path) -> dict[str, Any]:
    """What an unfinished run is and how far it has come, as far as its files say."""
    try:
        request = read_request(folder)
    except ChipcastError:
        return {}
    return {
        "scenario": request.record.get("scenario"),
        "as_of": request.record["config"].get("as_of"),
        "draws": max((last_of(path) + 1 for path in (folder / "sums").glob("*")), default=0),
        "asked": request.draws,
    }
