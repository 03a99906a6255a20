"""A disk of which not everything written is on it yet, and the recorded system calls that are replayed on it.

The rules, in the spirit of ALICE (Pillai et al., OSDI 2014); they allow more than ext4, XFS or btrfs do:

- The bytes of a file are on the disk once the file is synced. Before that it is empty, torn (its first half, that half
  and zeros, only zeros), whole, or as it was at the last sync.
- A change of a folder (a name made, removed or renamed) is on the disk once *that folder* is synced. Before that each
  change is lost or kept independently of all others, in every subset, earlier or later ones or both.
- Syncing a file says nothing of its name; syncing a folder nothing of the bytes in it, nor of its own name.
- A rename within a folder is atomic. One to another folder is two changes, one in each, so that a file may have both
  names, or neither. A name that is replaced means the old file or the new one, never nothing.
- What was synced stays as it is.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.faults.stores import scratch, watch

UNSEEN = (".staging", "LOCK", "log.jsonl")
"""Names that no reader opens: what is undecided of them makes no other state."""

Contents = dict[str, bytes | None]
"""What is below a folder by path, a folder before what is in it; None is a folder."""


class Step(NamedTuple):
    """One system call that changes the disk, of paths relative to the root; ``done`` tells what was acknowledged."""

    kind: str
    path: str
    other: str = ""
    data: bytes = b""


class Recorder:
    """Notes every change below a folder, and after each one what was written to files not yet synced."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.steps: list[Step] = []
        self.unsynced: dict[str, bytes] = {}

    def __call__(self, kind: str, path: Path, other: Path | None) -> None:
        """Note one system call, just before it is made, if it will change anything."""
        self.settle()
        name, target = self.name(path), self.name(other or path)
        there, possible = os.path.lexists(path), path.parent.is_dir()
        if kind in ("create", "write") and there:
            self.unsynced.setdefault(name, path.read_bytes())
        elif kind in ("create", "mkdir"):
            if possible and not there:
                self.steps.append(Step(kind, name))
                self.unsynced |= {name: b""} if kind == "create" else {}
        elif there and kind in ("rename", "unlink", "rmdir", "fsync"):
            self.steps.append(Step(kind, name, target))
            if kind == "rename":
                self.unsynced = {renamed(each, name, target): data for each, data in self.unsynced.items()}
            else:
                self.unsynced.pop(name, None)

    def name(self, path: Path) -> str:
        """A path as steps give it."""
        return str(path.relative_to(self.root))

    def settle(self) -> None:
        """Note what was written since the last step."""
        for name, old in self.unsynced.items():
            data = (self.root / name).read_bytes()
            if data != old:
                self.steps.append(Step("write", name, data=data))
                self.unsynced[name] = data

    def done(self, what: int) -> None:
        """Note that something was acknowledged."""
        self.settle()
        self.steps.append(Step("done", str(what)))


def renamed(name: str, old: str, new: str) -> str:
    """What a path is called after a rename of itself or of a folder above it."""
    return new + name[len(old) :] if name == old or name.startswith(old + "/") else name


def record(work: Callable[[Path, Callable[[int], None]], None]) -> list[Step]:
    """The steps of some work below a fresh folder; it is given that folder, and a function to acknowledge with.

    The disk must end with what is really there, so that no change can have gone unseen.
    """
    with scratch() as root:
        recorder, disk = Recorder(root), Disk()
        with watch.over(root, recorder):
            work(root, recorder.done)
        recorder.settle()
        for step in recorder.steps:
            disk.do(step)
        real = {recorder.name(path): None if path.is_dir() else path.read_bytes() for path in root.rglob("*")}
        assert disk.contents(unseen=()) == real, "a change was not recorded"
    return recorder.steps


@dataclass
class Folder:
    """Names that are on the disk, and changes of which each may be: name -> number of what it means, or None."""

    names: dict[str, int] = field(default_factory=dict)
    pending: list[dict[str, int | None]] = field(default_factory=list)

    def now(self, lost: Sequence[int] = ()) -> dict[str, int]:
        """Names as the running system sees them, or with some changes lost."""
        found: dict[str, int | None] = dict(self.names)
        for i, change in enumerate(self.pending):
            found.update(change if i not in lost else {})
        return {name: number for name, number in found.items() if number is not None}


@dataclass
class File:
    """Bytes that are on the disk, and those written since."""

    synced: bytes = b""
    pending: list[bytes] = field(default_factory=list)

    def now(self) -> bytes:
        """Bytes as the running system sees them."""
        return [self.synced, *self.pending][-1]

    def possible(self) -> list[bytes]:
        """What the disk may hold, beginning with what the running system sees."""
        found = [self.now()]
        for data in self.pending:
            half = data[: len(data) // 2]
            found += [data, half, half + bytes(len(data) - len(half)), bytes(len(data)), b""]
        return list(dict.fromkeys([*found, self.synced]))


class Choice(NamedTuple):
    """Something undecided: the bytes of a file, or whether one change of a folder is on the disk."""

    number: int
    change: int
    count: int


class Disk:
    """Folders and files by number; 0 is the root."""

    def __init__(self) -> None:
        self.folders: dict[int, Folder] = {0: Folder()}
        self.files: dict[int, File] = {}

    def number(self, path: str) -> int:
        """What the running system finds at a path, ``.`` for the root."""
        if path == ".":
            return 0
        folder, name = self.place(path)
        return folder.now()[name]

    def place(self, path: str) -> tuple[Folder, str]:
        """The folder that holds a path, and the name there."""
        *parents, name = path.split("/")
        folder = self.folders[0]
        for parent in parents:
            folder = self.folders[folder.now()[parent]]
        return folder, name

    def do(self, step: Step) -> None:
        """Do one step."""
        if step.kind == "done":
            return
        if step.kind == "write":
            self.files[self.number(step.path)].pending.append(step.data)
        elif step.kind == "fsync":
            self.sync(self.number(step.path))
        else:
            self.rename(step) if step.kind == "rename" else self.change(step)

    def sync(self, number: int) -> None:
        """Put on the disk what a file or a folder is now."""
        if number in self.files:
            self.files[number] = File(self.files[number].now())
        else:
            self.folders[number] = Folder(self.folders[number].now())

    def change(self, step: Step) -> None:
        """Make or remove a name."""
        folder, name = self.place(step.path)
        number = len(self.folders) + len(self.files) if step.kind in ("create", "mkdir") else None
        if number is not None and step.kind == "create":
            self.files[number] = File()
        elif number is not None:
            self.folders[number] = Folder()
        folder.pending.append({name: number})

    def rename(self, step: Step) -> None:
        """Give something another name: one change, or one in each of two folders."""
        number = self.number(step.path)
        (source, old), (target, new) = self.place(step.path), self.place(step.other)
        target.pending.append({old: None, new: number} if source is target else {new: number})
        if source is not target:
            source.pending.append({old: None})

    def choices(self) -> list[Choice]:
        """All that is undecided and can be seen."""
        found, todo, seen = [], [0], set()
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            if number in self.files:
                count = len(self.files[number].possible())
                found += [Choice(number, 0, count)] if count > 1 else []
                continue
            folder = self.folders[number]
            for i, change in enumerate(folder.pending):
                found += [Choice(number, i, 2)] if not change.keys() <= {*UNSEEN} else []
            means = [*folder.names.items(), *(pair for change in folder.pending for pair in change.items())]
            todo += [meant for name, meant in means if name not in UNSEEN and meant is not None]
        return found

    def contents(self, picked: dict[Choice, int] | None = None, *, unseen: Sequence[str] = UNSEEN) -> Contents:
        """What is on the disk for some choices: 0, and what is not chosen, is as the running system sees it."""
        chosen = {(choice.number, choice.change): pick for choice, pick in (picked or {}).items() if pick}

        def below(number: int, prefix: str) -> Iterator[tuple[str, bytes | None]]:
            lost = [change for folder, change in chosen if folder == number]
            for name, meant in self.folders[number].now(lost).items():
                if name in unseen:
                    continue
                if meant in self.files:
                    pick = chosen.get((meant, 0), 0)
                    yield prefix + name, self.files[meant].possible()[pick]
                else:
                    yield prefix + name, None
                    yield from below(meant, f"{prefix}{name}/")

        return dict(below(0, ""))

    def path(self, number: int) -> str:
        """A path of a file or folder as the running system sees it, empty if it has none."""
        todo = [(0, "")]
        while todo:
            folder, prefix = todo.pop()
            for name, meant in self.folders[folder].now().items():
                if meant == number:
                    return prefix + name
                todo += [(meant, f"{prefix}{name}/")] if meant in self.folders else []
        return ""
