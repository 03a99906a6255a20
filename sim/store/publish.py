"""Publishing a run so that no reader ever sees half of it.

A generation is ``run.json``, ``summary/`` and the parts that COMMIT.json names by hash. A member that replaces another
is first put *beside* it, as ``summary-<hash8>``; then COMMIT is replaced, which is the moment of publication; then the
old member goes and the new one takes the plain name. So each name holds one whole member at any time, our reader finds
the one that COMMIT means by its hash, and plain Zarr readers find a whole summary under ``summary/``.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError
from sim.store import io
from sim.store.groups import DRAW, damage, save
from sim.store.records import (
    MANIFEST,
    Commit,
    Draws,
    Group,
    Manifest,
    Part,
    canonical,
    read,
    run_id,
    run_record,
    sha256,
)
from sim.store.runs import COMMIT, beside, digest_of, read_commit, refuse_link, run_folder

__all__ = ["publish", "refuse_foreign", "write_report"]

MARKER = ".chipcast"
REPORT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


def publish(
    out: Path,
    run: dict[str, Any],
    tree: xr.DataTree,
    parts: Iterable[tuple[int, int, xr.Dataset]] = (),
    *,
    draws: int,
) -> Path:
    """Store a finished run under ``out``; when this returns it is on the disk, and until then the old one stays.

    ``run`` holds ``config`` and what else ``run.json`` shall say (device, dtype, git). ``parts`` are kept draws as
    (first draw, last draw, dataset). Parts published earlier stay if ``run.json`` is the same and no new one overlaps.
    """
    name = run_id(run["config"])
    folder = run_folder(claim(Path(out)), name)
    refuse_link(folder)
    io.make_folder(folder)
    io.sync(folder.parent)
    with io.locked(folder / "LOCK"), io.staging(folder.parent) as stage:
        old = settle(folder, stage)
        new = build(stage, run, tree, parts, draws=draws)
        new = extended(folder, new, old)
        for member, digest in new.members().items():
            place(stage, folder, member, digest, old)
        io.write(stage / COMMIT, new.dump())
        io.sync(folder)
        io.move(stage / COMMIT, folder / COMMIT)
        with suppress(ChipcastError):  # it is published; the next writer tidies what is left
            settle(folder, stage)
            retire(folder, stage, new)
    return folder


def refuse_foreign(out: Path) -> Path:
    """The nearest folder to ``out`` that exists; nothing is written to find out what can be known.

    RefusedError: ``out`` is somebody else's folder or cannot be written.
    """
    folder = next(path for path in (Path(out).absolute(), *Path(out).absolute().parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise RefusedError(
            "store-unwritable", "cannot be written", place=Place(str(folder)), remedy="choose another --out"
        )
    if folder == Path(out).absolute():
        with io.attempt("list", folder):
            names = set(os.listdir(folder))
        if MARKER not in names and names - {"README.md"}:
            problem = f"is not empty and no folder of runs (it has no {MARKER})"
            remedy = "choose an empty or new --out folder"
            raise RefusedError("store-foreign-folder", problem, place=Place(str(out)), remedy=remedy)
    return folder


def claim(out: Path) -> Path:
    """Make or recognise the folder that holds runs. Raises ``RefusedError`` for somebody else's."""
    io.make_folder(out)
    if (out / ".staging").is_symlink():
        raise IntegrityError("store-link", "holds a link", place=Place(str(out / ".staging")), remedy="remove it")
    refuse_foreign(out)
    if not (out / MARKER).exists():
        io.write(out / MARKER, b"Runs of chipcast.\n")
        io.sync(out)
    return out


def build(
    stage: Path,
    run: dict[str, Any],
    tree: xr.DataTree,
    parts: Iterable[tuple[int, int, xr.Dataset]],
    *,
    draws: int,
) -> Commit:
    """Write and check a generation in staging; the commit that will publish it."""
    if tree.dims or "draws" in tree.children:
        raise ValueError("a run's tree has its variables in groups other than draws")
    record = run_record(run)
    io.write(stage / "run.json", canonical(record))
    tree = tree.copy(deep=False)
    tree.attrs = {**tree.attrs, **provenance(record, draws)}
    summary = save(tree, stage / "summary", record["id"])
    made = [build_part(stage, record["id"], *part) for part in parts]
    io.sync_tree(stage)
    return Commit(
        id=record["id"],
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        draws=Draws(done=draws, total=draws),
        run=sha256(canonical(record)),
        summary=summary,
        parts=made,
    )


def extended(folder: Path, new: Commit, old: Commit | None) -> Commit:
    """Add the whole parts of the published generation that are of the very same run and that no new part overlaps."""
    kept = [
        part
        for part in (old.parts if old and old.run == new.run else [])
        if not any(part.overlaps(other) for other in new.parts)
        and is_whole(folder / part.name, folder / (part.name + MANIFEST), part)
    ]
    return new.model_copy(update={"parts": sorted([*new.parts, *kept], key=lambda part: part.first)}).sealed()


def is_whole(folder: Path, manifest: Path, group: Group) -> bool:
    """Whether a group is, byte for byte, the one a commit means."""
    found = digest_of(manifest) == group.manifest and digest_of(folder) == group.root
    return found and not damage(folder, read(Manifest, manifest), full=True)


def build_part(stage: Path, run: str, first: int, last: int, data: xr.Dataset) -> Part:
    """Write and check one block of draws in staging."""
    if data.sizes.get(DRAW) != last - first + 1 or any(var.dims[-1:] != (DRAW,) for var in data.data_vars.values()):
        raise ValueError(f"draws {first} to {last}: each variable needs {last - first + 1} draws on its last axis")
    tree = xr.DataTree(data.assign_coords({DRAW: (DRAW, range(first, last + 1))}))
    folder = stage / "parts" / f"{first}-{last}"
    return Part(first=first, last=last, **save(tree, folder, run, first, last).model_dump())


def provenance(record: dict[str, Any], draws: int) -> dict[str, Any]:
    """Attributes of the summary's root: where its numbers come from, as plain text and numbers."""
    own = {"run": record["id"], "config_sha256": record["config_sha256"], "draws": draws}
    flat = {**record["config"], **{key: record[key] for key in ("device", "dtype", "git") if key in record}, **own}
    text = " ".join(f"{name}-{number}" for name, number in sorted(record["versions"].items()))
    simple = {key: value for key, value in flat.items() if isinstance(value, str | int | float)}
    return {**simple, "versions": text, "Conventions": "CF-1.11"}


def place(stage: Path, folder: Path, member: str, digest: str, old: Commit | None) -> None:
    """Move a member from staging to its name, or beside it where the published generation holds another."""
    if not (stage / member).exists():
        return  # kept from the published generation
    held = old.members().get(member) if old else None
    target = folder / member
    if held == digest == digest_of(target):
        manifest = stage / (member + MANIFEST)
        if not target.is_dir() or not damage(target, read(Manifest, manifest), full=True):
            return
    if held not in (None, digest):
        target = beside(target, digest)
    if not target.parent.exists():
        io.make_folder(target.parent)
        io.sync(folder)
    clear(stage, target)
    io.move(stage / member, target)


def clear(stage: Path, path: Path) -> None:
    """Move whatever has a name into staging, to be removed with it."""
    if path.exists():
        rubbish = stage / "rubbish"
        io.make_folder(rubbish)
        io.move(path, rubbish / f"{len(os.listdir(rubbish))}")
        io.sync(path.parent)


def settle(folder: Path, stage: Path) -> Commit | None:
    """Give every published member its plain name; the commit, if the folder has one that can be read."""
    try:
        commit = read_commit(folder)
    except IntegrityError:
        return None  # unfinished or damaged: what is built now replaces it
    for member, digest in commit.members().items():
        home = folder / member
        if digest_of(home) != digest and digest_of(beside(home, digest)) == digest:
            clear(stage, home)
            io.move(beside(home, digest), home)
    return commit


def retire(folder: Path, stage: Path, commit: Commit) -> None:
    """Take away the members that the commit does not name: of the generation before, or of a writer that died."""
    for pattern in ("run*.json", "summary*", "parts/*"):
        for path in folder.glob(pattern):
            if str(path.relative_to(folder)) not in commit.members():
                clear(stage, path)


def write_report(folder: Path, name: str, data: bytes) -> Path:
    """Write a derived file, whole or not at all, to the run's ``report`` folder. It should name the commit itself."""
    if not REPORT_NAME.fullmatch(name):
        raise RefusedError("store-bad-name", f"{name[:80]!r} is no name for a report file")
    refuse_link(Path(folder))
    path = Path(folder) / "report" / name
    io.make_folder(path.parent)
    io.replace(path, data)
    return path
