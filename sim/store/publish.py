"""Publishing a run so that no reader ever sees half of it.

A generation is ``run.json``, ``summary/`` and the ranges of draws that COMMIT.json names by hash. A member that
replaces another is first put *beside* it, as ``summary-<hash8>``; then COMMIT is replaced, which is the moment of
publication; then the old member goes and the new one takes the plain name. So each name holds one whole member at any
time, our reader finds the one that COMMIT means by its hash, and plain Zarr readers find a whole summary under
``summary/``. A range that no COMMIT names yet is progress: it is whole by its manifest, and the next writer uses it.
"""

import json
import os
import re
import shlex
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError
from sim.store import io
from sim.store.groups import DRAW, ROOT, damage, read_group, save
from sim.store.records import (
    KINDS,
    MANIFEST,
    NEWER,
    NOT_WHOLE,
    Commit,
    Draws,
    Manifest,
    Range,
    Request,
    canonical,
    damaged,
    made_of,
    read,
    run_record,
    sha256,
)
from sim.store.runs import (
    COMMIT,
    LOG,
    REQUEST,
    beside,
    committed,
    digest_of,
    links,
    read_record,
    read_request,
    refuse_link,
    run_folder,
    strangers,
)

__all__ = ["Writing", "drop_links", "finish", "joining", "publish", "refuse_foreign", "write_report", "writing"]

MARKER = ".chipcast"
REPORT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@contextmanager
def writing(out: Path, run: dict[str, Any]) -> Iterator["Writing"]:
    """Hold a run's lock; what is saved meanwhile outlives this process.

    ``run`` holds ``config`` and what else ``run.json`` shall say. A run that fails before anything is saved leaves
    nothing. RefusedError: another process writes this run, or the folder is not ours.
    """
    mine = joining(out, run)
    folder = mine.folder
    io.make_lasting(folder)
    with io.locked(folder / "LOCK"):
        for dead in io.dead_stagings(folder.parent):
            io.discard(dead)
        finish(folder)
        try:
            yield mine
        except BaseException as error:
            mine.log("failed", error=f"{type(error).__name__}: {error}")
            if any((folder / kind).exists() for kind in KINDS):
                error.add_note(f"chipcast resume {shlex.quote(str(folder))} goes on from what is stored")
            elif not (folder / COMMIT).exists():
                for name in (REQUEST, LOG, "LOCK"):
                    io.discard(folder / name)
                with suppress(OSError):
                    folder.rmdir()  # unless somebody who joined has stored something
            raise


@dataclass(frozen=True)
class Writing:
    """A run being written: ``record`` is what its run.json says."""

    folder: Path
    record: dict[str, Any]

    @cached_property
    def made(self) -> str:
        """What the numbers of this run depend on; a range made of anything else is none of it."""
        return made_of(self.record)

    def log(self, event: str, **facts: Any) -> None:
        """Add a line of JSON to the log beside the run; a log that cannot be written stops nothing."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with suppress(ChipcastError):
            io.append(self.folder / LOG, json.dumps(line).encode() + b"\n")

    def held(self, kind: str) -> list[Range]:
        """The ranges of a kind that the published generation names, whole or not, if it was made as this run is."""
        commit = committed(self.folder)
        if commit is None:
            return []
        try:
            record = read_record(self.folder)
        except IntegrityError:
            record = self.record
        return commit.ranges(kind) if made_of(record) == self.made else []

    def ask(self, draws: int, until: Iterable[str] = (), *, keep_draws: bool = False) -> None:
        """Write down what the run is asked, so that it can be gone on with.

        RefusedError: the published run has more draws, which would be lost.
        """
        self._check_more(draws, committed(self.folder))
        asked = Request(record=self.record, draws=draws, until=list(until), keep_draws=keep_draws).sealed()
        with io.staging(self.folder.parent) as stage:
            io.write(stage / REQUEST, asked.dump())
            io.move(stage / REQUEST, self.folder / REQUEST)
        self.log("asked", draws=draws, pid=os.getpid(), until=asked.until)

    def asked(self) -> str:
        """Hash of what stands written that the run was asked; empty where nothing whole does."""
        with suppress(IntegrityError):
            return read_request(self.folder).hash
        return ""

    def _check_more(self, draws: int, old: Commit | None) -> None:
        """RefusedError: fewer draws than are published."""
        if old is not None and old.draws.done > draws:
            problem = f"holds {old.draws.done:,} draws, which {draws:,} would replace"
            remedy = f"ask for {old.draws.done:,} draws or more, or name another --out"
            raise RefusedError("store-fewer-draws", problem, place=Place(str(self.folder)), remedy=remedy)

    def stored(self, kind: str) -> list[Range]:
        """The ranges of a kind that are whole and of this very run, in their order; no two share a draw.

        Of two of one name it is the published one.
        """
        found: list[Range] = []
        published = committed(self.folder)
        named = {each.manifest for each in published.ranges(kind)} if published else set()
        with io.ours("list", self.folder):
            manifests = sorted((self.folder / kind).glob("*.json"))
        whole = (each for path in manifests for each in self._whole(kind, path))
        for each in sorted(whole, key=lambda each: (each.first, -each.last, each.manifest not in named)):
            if not found or each.first > found[-1].last:
                found.append(each)
        return found

    def _whole(self, kind: str, path: Path) -> Iterator[Range]:
        """The range of a manifest, if it stands at its own name or beside it and its files are there, byte for byte."""
        try:
            manifest = read(Manifest, path)
        except ChipcastError as error:
            if error.code in (*NOT_WHOLE, NEWER):
                return
            raise
        if manifest.first is None or manifest.last is None or (manifest.run, manifest.made) != self._own:
            return
        digests = {"manifest": digest_of(path), "root": manifest.files[ROOT].sha256}
        found = Range(first=manifest.first, last=manifest.last, **digests)
        folder, home = self._place(kind, found), self.folder / (found.name(kind) + MANIFEST)
        in_place = path in (home, beside(home, found.manifest))  # else a reader looks for it in vain
        if in_place and folder is not None and not damage(folder, manifest, full=True):
            yield found

    @property
    def _own(self) -> tuple[str, str]:
        return self.record["id"], self.made

    def _place(self, kind: str, wanted: Range) -> Path | None:
        """Where a range stands: under its name, or beside it."""
        home = self.folder / wanted.name(kind)
        return next((path for path in (home, beside(home, wanted.root)) if digest_of(path) == wanted.root), None)

    def load(self, kind: str, wanted: Range) -> xr.Dataset:
        """Read a stored range into memory."""
        home = self.folder / (wanted.name(kind) + MANIFEST)
        manifests = (read(Manifest, path) for path in (home, beside(home, wanted.manifest)) if path.exists())
        manifest = next((each for each in manifests if each.files[ROOT].sha256 == wanted.root), None)
        folder = self._place(kind, wanted)
        if folder is None or manifest is None:
            raise damaged(f"{wanted.name(kind)} has changed since it was found", Place(str(self.folder)))
        return read_group(folder, manifest).to_dataset()

    def save(self, kind: str, first: int, last: int, data: xr.Dataset) -> Range:
        """Store a range of draws; when this returns it is on the disk, and the next writer of this run finds it."""
        io.make_lasting(self.folder)
        with io.staging(self.folder.parent) as stage:
            made = build_range(stage, self.record["id"], kind, first, last, data, self.made)
            io.sync_tree(stage)
            held = members_of(committed(self.folder))
            for member, digest in ((made.name(kind), made.root), (made.name(kind) + MANIFEST, made.manifest)):
                place(stage, self.folder, member, digest, held)
        return made

    def drop(self, kind: str, unwanted: Range) -> None:
        """Take away a range that is no longer needed, unless it is published."""
        members = members_of(committed(self.folder))
        for member in (unwanted.name(kind) + MANIFEST, unwanted.name(kind)):
            if member not in members:
                io.discard(self.folder / member)

    def publish(
        self,
        tree: xr.DataTree,
        *,
        draws: int,
        parts: Sequence[Range] = (),
        sums: Sequence[Range] = (),
        compare: bool = False,
    ) -> Path:
        """Make these ranges and a tree the run; when this returns it is on the disk, and until then the old one stays.

        IntegrityError, with ``compare``: the old one, of as many draws made by the same program, has other bits.
        RefusedError: the old one has more draws.
        """
        folder = self.folder
        with io.staging(folder.parent) as stage:
            old = settle(folder, stage)
            self._check_more(draws, old)
            new = build(stage, self.record, tree, draws)
            new = new.model_copy(update={"parts": list(parts), "sums": list(sums), "request": self.asked()}).sealed()
            if compare and old is not None:
                self._check_same(stage, old, new)
            for member, digest in new.members().items():
                place(stage, folder, member, digest, members_of(old))
            io.write(stage / COMMIT, new.dump())
            io.sync(folder)
            io.move(stage / COMMIT, folder / COMMIT)
            self.log("published", draws=draws, commit=new.hash)
            with suppress(ChipcastError):  # it is published; the next writer tidies what is left
                settle(folder, stage)
                for path in strangers(folder, new):
                    clear(stage, path)
        return folder

    def _check_same(self, stage: Path, old: Commit, new: Commit) -> None:
        """IntegrityError: the summary made again is not that of the published run."""
        if old.draws != new.draws or made_of(read_record(self.folder)) != self.made:
            return
        then, now = (read(Manifest, home / f"summary{MANIFEST}").files for home in (self.folder, stage))
        changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name) and name != ROOT)
        for kind in KINDS:
            stored = {each.name(kind): each for each in old.ranges(kind)}
            changed += [name for each in new.ranges(kind) if stored.get(name := each.name(kind), each) != each]
        if not changed:
            return
        problem = f"made again it is not what is stored: {', '.join(changed[:3])} differ, {len(changed)} files in all"
        remedy = "the stored run is kept; chipcast verify says whether it is as it was published"
        raise IntegrityError("run-differs", problem, place=Place(str(self.folder)), remedy=remedy)


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
    (first draw, last draw, dataset). Parts published earlier stay if they are of the same run and no new one overlaps.
    """
    with writing(out, run) as mine:
        mine.ask(draws)
        new = [mine.save("parts", *part) for part in parts]
        old = [each for each in mine.stored("parts") if not any(each.overlaps(other) for other in new)]
        return mine.publish(tree, draws=draws, parts=sorted([*new, *old], key=lambda each: each.first))


def joining(out: Path, run: dict[str, Any]) -> Writing:
    """A run to store ranges of that others may be writing too; whoever publishes it uses them."""
    record = run_record(run)
    folder = run_folder(claim(Path(out)), record["id"])
    refuse_link(folder)
    return Writing(folder, record)


def drop_links(folder: Path) -> None:
    """Take away the symbolic links among a run's members, which nobody of ours put there."""
    if not folder.is_symlink():
        for path in links(folder):
            io.discard(path)


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
        if MARKER not in names and names - {"README.md", io.STAGING}:
            problem = f"is not empty and no folder of runs (it has no {MARKER})"
            remedy = "choose an empty or new --out folder"
            raise RefusedError("store-foreign-folder", problem, place=Place(str(out)), remedy=remedy)
    return folder


def claim(out: Path) -> Path:
    """Make or recognise the folder that holds runs. Raises ``RefusedError`` for somebody else's."""
    io.make_lasting(out.absolute())
    io.refuse_linked(out)
    refuse_foreign(out)
    if not (out / MARKER).exists():
        with io.staging(out) as stage:
            io.write(stage / MARKER, b"Runs of chipcast.\n")
            io.move(stage / MARKER, out / MARKER)
    return out


def build(stage: Path, record: dict[str, Any], tree: xr.DataTree, draws: int) -> Commit:
    """Write and check the summary of a generation in staging; the commit that will publish it."""
    if tree.dims or "draws" in tree.children:
        raise ValueError("a run's tree has its variables in groups other than draws")
    io.write(stage / "run.json", canonical(record))
    tree = tree.copy(deep=False)
    tree.attrs = {**tree.attrs, **provenance(record, draws)}
    summary = save(tree, stage / "summary", record["id"])
    io.sync_tree(stage)
    return Commit(
        id=record["id"],
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        draws=Draws(done=draws, total=draws),
        run=sha256(canonical(record)),
        summary=summary,
    )


def build_range(stage: Path, run: str, kind: str, first: int, last: int, data: xr.Dataset, made: str) -> Range:
    """Write and check a range of draws in staging."""
    count = last - first + 1
    if kind == "parts":
        if data.sizes.get(DRAW) != count or any(var.dims[-1:] != (DRAW,) for var in data.data_vars.values()):
            raise ValueError(f"draws {first} to {last}: each variable needs {count} draws on its last axis")
        data = data.assign_coords({DRAW: (DRAW, range(first, last + 1))})
    folder = stage / kind / f"{first}-{last}"
    group = save(xr.DataTree(data), folder, run, first=first, last=last, made=made)
    return Range(first=first, last=last, **group.model_dump())


def provenance(record: dict[str, Any], draws: int) -> dict[str, Any]:
    """Attributes of the summary's root: where its numbers come from, as plain text and numbers."""
    own = {"run": record["id"], "config_sha256": record["config_sha256"], "draws": draws}
    flat = {**record["config"], **{key: record[key] for key in ("device", "dtype", "git") if key in record}, **own}
    text = " ".join(f"{name}-{number}" for name, number in sorted(record["versions"].items()))
    simple = {key: value for key, value in flat.items() if isinstance(value, str | int | float)}
    return {**simple, "versions": text, "Conventions": "CF-1.11"}


def members_of(commit: Commit | None) -> dict[str, str]:
    """Members of the published generation and their hashes; none if there is none."""
    return commit.members() if commit else {}


def place(stage: Path, folder: Path, member: str, digest: str, held: dict[str, str]) -> None:
    """Move a member from staging to its name, or beside it where the published generation holds another."""
    if not (stage / member).exists():
        return  # stored earlier
    target = folder / member
    if held.get(member) not in (None, digest):
        target = beside(target, digest)
    if digest_of(target) == digest:
        manifest = stage / (member + MANIFEST)
        if not target.is_dir() or not damage(target, read(Manifest, manifest), full=True):
            return
    if target.parent != folder:
        io.make_lasting(target.parent)
    clear(stage, target)
    io.move(stage / member, target)


def clear(stage: Path, path: Path) -> None:
    """Move whatever has a name into staging, to be removed with it."""
    if path.exists():
        rubbish = stage / "rubbish"
        io.make_folder(rubbish)
        io.move(path, rubbish / uuid.uuid4().hex)
        io.sync(path.parent)


def settle(folder: Path, stage: Path) -> Commit | None:
    """Give every published member its plain name; the commit, if there is one: else what is built replaces all."""
    commit = committed(folder)
    for member, digest in members_of(commit).items():
        home = folder / member
        if digest_of(home) != digest and digest_of(beside(home, digest)) == digest:
            clear(stage, home)
            io.move(beside(home, digest), home)
    return commit


def finish(folder: Path) -> None:
    """Give published members their plain names where a writer died before it could; the run's lock is held."""
    with suppress(ChipcastError):  # a damaged run stays as it is, for repair
        held = members_of(committed(folder))
        if any(digest_of(folder / member) != digest for member, digest in held.items()):
            with io.staging(folder.parent) as stage:
                settle(folder, stage)


def write_report(folder: Path, name: str, data: bytes) -> Path:
    """Write a derived file, whole or not at all, to the run's ``report`` folder. It should name the commit itself."""
    if not REPORT_NAME.fullmatch(name):
        raise RefusedError("store-bad-name", f"{name[:80]!r} is no name for a report file")
    refuse_link(Path(folder))
    path = Path(folder) / "report" / name
    io.make_lasting(path.parent)
    io.replace(path, data)
    return path
