"""The command line in this process, in an empty folder: what it printed, how it ended and what it wrote."""

import contextlib
import functools
import importlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from sim import cli
from tests.book.conftest import INPUTS

HERE = Path(__file__).parent
SCRIPT = Path(sys.executable).with_name("chipcast")
SMALL = HERE.parent / "book" / "small"


class Ended(NamedTuple):
    """How a command ended: its exit code, what it printed, and what it changed among the files."""

    code: int
    out: str
    err: str
    written: list[str]


class Hung(BaseException):
    """A command took longer than it may; nothing of ours catches it."""


def chipcast(*arguments: str, limit: float = 60.0) -> Ended:
    """Run one command in the folder that is current; one that takes longer than ``limit`` seconds has code -1."""
    before, out, err, code = files(), io.StringIO(), io.StringIO(), 0
    handlers = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, _hung)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        with (
            mock.patch.object(sys, "argv", ["chipcast", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except Hung:
        code = -1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
    return Ended(
        code, out.getvalue(), err.getvalue(), [name for name, kept in files().items() if before.get(name) != kept]
    )


def process(*arguments: str, limit: float = 60.0) -> Ended:
    """Run one command in a process of its own."""
    before = files()
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=limit, check=False)
    written = [name for name, kept in files().items() if before.get(name) != kept]
    return Ended(done.returncode, done.stdout, done.stderr, written)


def _hung(*_: object) -> None:
    raise Hung


def files() -> dict[str, tuple[int, int]]:
    """Size and time of change of every file below the current folder."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in Path().rglob("*")}


def clear() -> None:
    """Empty the current folder."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder that is current, below one that is empty too, so that what is written beside it is found."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, {"COLUMNS": "120"}):
        folder = Path(name) / "here"
        folder.mkdir()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


@contextlib.contextmanager
def small_books() -> Iterator[None]:
    """The synthetic book of tests/book in place of the shipped one."""
    loader = importlib.import_module("sim.book.load")  # ``sim.book.load`` is the function of that name
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "priors"
        shutil.copytree(SMALL, root)
        defaults = {**loader.load.__kwdefaults__, "priors": root, "inputs": INPUTS}
        with mock.patch.object(loader.load, "__kwdefaults__", defaults):
            yield


@contextlib.contextmanager
def shipped_read_once() -> Iterator[None]:
    """Read each shipped file once, and build the base world once."""
    from sim import devices, forecast
    from sim import origin as origins
    from sim.book import shelf, yaml

    devices.cache_programs()
    read_shipped, load, origin = (functools.cache(each) for each in (yaml.read, forecast.load, origins.origin))

    def read(path: Path) -> yaml.Map:
        return read_shipped(path) if "priors" in path.parts else yaml.read(path)

    def loaded(names: object, **given: object) -> object:
        plain = names == "base" and given in ({}, {"as_of": None}, {"as_of": None, "overrides": {}})
        return load(names) if plain else load_anew(names, **given)

    load_anew = forecast.load
    with (
        mock.patch.object(shelf, "read", read),
        mock.patch.object(forecast, "load", loaded),
        mock.patch.object(origins, "origin", origin),
    ):
        yield
