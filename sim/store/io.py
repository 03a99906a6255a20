"""Every write of the store, one small function each: nothing else under ``sim`` changes a run's files.

Each step calls :func:`before`, so that a test can fail, or kill, the n-th operation of a publish. A failing system
call becomes one of our errors with the remedy.
"""

import errno
import fcntl
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError

__all__ = [
    "ABSENT",
    "append",
    "at_once",
    "before",
    "dead_stagings",
    "discard",
    "locked",
    "make_folder",
    "make_lasting",
    "move",
    "ours",
    "put",
    "read",
    "refuse_linked",
    "replace",
    "staging",
    "sync",
    "sync_tree",
    "write",
]

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors that say that there is no such file, and not that it cannot be read just now."""
AT_ONCE = 8
"""Files or folders that wait for the disk at a time: it makes several durable in one go."""
SHARE = 64
"""Files or folders that are worth a thread of their own."""
STAGING, BUILDING = ".staging", "LOCK"
LONG = 3600
"""Seconds in which what is made under a passing name has got its own, or never will."""
ABOUT_TO = 0.5
"""Seconds within which the holder of a lock has written who it is."""


def before(operation: str, path: Path) -> None:
    """Do nothing; a test puts its failure here."""


def failure(operation: str, path: Path, error: OSError) -> ChipcastError:
    """Make the error of ours that says what the system refused, and the next step."""
    place = Place(str(path))
    if error.errno in FULL:
        return RefusedError(
            "store-full", f"no space left to {operation} it", place=place, remedy="free disk space and run again"
        )
    if error.errno in FORBIDDEN:
        return RefusedError(
            "store-unwritable", f"not allowed to {operation} it", place=place, remedy="choose a writable --out folder"
        )
    problem = f"could not {operation} it ({error.strerror or error})"
    if error.errno == errno.EIO:
        return IntegrityError("store-io", problem, place=place, remedy="check the disk and run again")
    return RefusedError("store-unusable", problem, place=place, remedy="choose another --out folder")


@contextmanager
def attempt(operation: str, path: Path) -> Iterator[None]:
    """One operation: announced first, and a system error turned into ours."""
    with ours(operation, path):
        before(operation, path)
        yield


@contextmanager
def ours(operation: str, path: Path) -> Iterator[None]:
    """Turn a system error into ours."""
    try:
        yield
    except OSError as error:
        raise failure(operation, path, error) from error


def read(path: Path) -> bytes:
    """Read a file. One of ``ABSENT``: there is none; our error: there is, and it cannot be read."""
    try:
        return path.read_bytes()
    except ABSENT:
        raise
    except OSError as error:
        raise failure("read", path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents; one that exists is left as it is."""
    with attempt("make", path):
        path.mkdir(parents=True, exist_ok=True)


def make_lasting(path: Path) -> None:
    """Make a folder and its parents, and wait until the names of those made, and its own, are on the disk."""
    made = [each for each in (path, *path.parents) if not each.exists()]
    make_folder(path)
    for each in reversed(made or [path]):
        sync(each.parent)


def write(path: Path, data: bytes | memoryview) -> None:
    """Write a new file and wait until its bytes are on the disk. An existing file is never touched."""
    put(path, data)
    sync(path)


def put(path: Path, data: bytes | memoryview) -> None:
    """Write a new file, which is on the disk only once it is synced. An existing file is never touched."""
    with attempt("create", path):
        handle = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb", 0)
    with handle, attempt("write", path):
        rest = memoryview(data).cast("B")
        while rest:
            rest = rest[handle.write(rest) :]


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's list of names, are on the disk."""
    with attempt("sync", path):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_tree(path: Path) -> None:
    """Sync all files under a folder, then all folders, itself among them."""
    with ours("list", path):
        found = [(Path(folder), names) for folder, _, names in os.walk(path, topdown=False, onerror=again)]
    at_once(sync, [folder / name for folder, names in found for name in names])
    at_once(sync, [folder for folder, _ in found])


def again(error: OSError) -> None:
    """Raise what a walk through folders would pass over."""
    raise error


def at_once(work: Callable[[Path], None], paths: Sequence[Path]) -> None:
    """Do some work on each path, several at a time where there are many; the first error is raised."""
    threads = min(AT_ONCE, len(paths) // SHARE + 1)

    def some(share: int) -> None:
        for path in paths[share::threads]:
            work(path)

    if threads == 1:
        return some(0)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, range(threads)))


def move(source: Path, target: Path) -> None:
    """Rename a file over its target, or a folder to a free name, and sync the folder it came to."""
    with attempt("move", target):
        os.replace(source, target)
    sync(target.parent)


def replace(path: Path, data: bytes | memoryview) -> None:
    """Write a file whole: a temporary file beside it, then a rename; readers see the old or the new one."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        write(temporary, data)
        move(temporary, path)
    except ChipcastError:
        discard(temporary)
        raise


def discard(path: Path) -> None:
    """Remove a file or a folder of ours if it can be removed; what is left behind is never read."""
    with suppress(ChipcastError), attempt("remove", path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def append(path: Path, line: bytes) -> None:
    """Add a line to a log, in one write; it is on the disk when the system gets to it."""
    with attempt("log", path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Make a fresh folder under ``out`` to build in, on the same file system; it is gone afterwards.

    It is locked before it gets its name, so that nobody takes it for a dead process's.
    """
    path = out / STAGING / uuid.uuid4().hex
    young = path.with_name(f".{path.name}")
    make_folder(young)
    try:
        with locked(young / BUILDING):
            with attempt("move", path):
                young.rename(path)
            yield path
            discard(path)
    finally:
        discard(path)
        discard(young)


def refuse_linked(out: Path) -> None:
    """IntegrityError: what is built under ``out`` would be built, or looked for, elsewhere."""
    if (out / STAGING).is_symlink():
        raise IntegrityError("store-link", "holds a link", place=Place(str(out / STAGING)), remedy="remove it")


def dead_stagings(out: Path) -> list[Path]:
    """Folders to build in whose makers died. IntegrityError: they would be looked for elsewhere."""
    refuse_linked(out)
    with ours("list", out / STAGING):
        return [path for path in sorted((out / STAGING).glob("*")) if is_dead(path)]


def is_dead(path: Path) -> bool:
    """Whether nobody builds in this folder any more."""
    try:
        if path.name.startswith("."):
            return time.time() - path.stat().st_mtime > LONG
        handle = os.open(path / BUILDING, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return path.exists()  # its lock goes with it, or it has got its name just now
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the kernel frees it when its holder dies. A second holder is refused, naming the first."""
    with attempt("lock", path):
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        handle = os.fdopen(number, "r+", encoding="utf-8", errors="replace")
    with handle:
        with attempt("lock", path):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise busy(path, holder_of(handle)) from error
            if not path.exists() or not os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                raise busy(path, "")  # its last holder has just removed it
            handle.truncate(0)
            json.dump({"pid": os.getpid(), "host": socket.gethostname()}, handle)
            handle.flush()
        yield


def holder_of(handle: IO[str]) -> str:
    """What the holder of a lock wrote into it; who has only just taken it may still be about to."""
    until = time.monotonic() + ABOUT_TO
    while not (text := handle.read(1000)) and time.monotonic() < until:
        time.sleep(ABOUT_TO / 100)
        handle.seek(0)
    return text


def busy(path: Path, holder: str) -> RefusedError:
    """Make the refusal that names who holds the lock, as far as the lock file says."""
    try:
        who = json.loads(holder)
        name = f"process {who['pid']} on {who['host']}"
    except (ValueError, TypeError, KeyError):
        name = "another process"
    return RefusedError(
        "store-busy", f"{name} is writing this run", place=Place(str(path)), remedy="wait until it ends, or stop it"
    )
