import errno
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sim.errors import ChipcastError, IntegrityError, RefusedError
from sim.store import COMMIT, io, list_runs, open_run, publish, read_commit, read_record, verify, write_report


class Killed(BaseException):
    """The process is gone: nothing it would do afterwards happens."""


class Faults:
    """Stands in for ``io.before``: counts operations, and from the n-th on kills, or fails the n-th alone."""

    def __init__(self, n: int, code: int | None = None) -> None:
        self.n = n
        self.code = code
        self.seen: list[str] = []

    def __call__(self, operation: str, path: Path) -> None:
        self.seen.append(operation)
        if self.code is None and len(self.seen) > self.n:
            if operation == "sync" and path.is_file():  # what was written but not synced may be lost
                os.truncate(path, path.stat().st_size // 2)
            raise Killed
        if self.code is not None and len(self.seen) - 1 == self.n:
            raise OSError(self.code, os.strerror(self.code))


def small(scale: float) -> xr.DataTree:
    return xr.DataTree.from_dict({"/prior": xr.Dataset({"x": ("s", np.full(3, scale, np.float32))})})


def block(first: int, last: int, scale: float) -> tuple[int, int, xr.Dataset]:
    return first, last, xr.Dataset({"x": (("s", "draw"), np.full((1, last - first + 1), scale, np.float32))})


def old_run(out: Path, run: dict[str, Any]) -> Path:
    return publish(out, run, small(1), [block(0, 9, 1)], draws=10)


def new_run(out: Path, run: dict[str, Any]) -> Path:
    return publish(out, run, small(2), [block(0, 19, 2)], draws=20)


def whole(folder: Path) -> float:
    """The one number a generation is made of; asserts that all its members agree."""
    verify(folder)
    tree = open_run(folder)
    scale = tree["prior/x"].values
    assert (scale == scale[0]).all()
    assert (tree["draws/x"].values == scale[0]).all()
    assert tree.attrs["draws"] == read_commit(folder).draws.done == tree["draws"].sizes["draw"] == 10 * scale[0]
    if (folder / "summary").is_dir():
        plain = xr.open_datatree(folder / "summary", engine="zarr", consolidated=False)
        assert plain["prior/x"].values.tolist() in ([1.0] * 3, [2.0] * 3)
    return float(scale[0])


def is_tidy(folder: Path) -> bool:
    """Whether every member has its plain name and nothing else is there."""
    names = {str(path.relative_to(folder)) for path in [*folder.glob("*"), *folder.glob("parts/*")]}
    return names == {"LOCK", "parts", "COMMIT.json", "request.json", "log.jsonl", *read_commit(folder).members()}


def print_of(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_ino) for path in folder.rglob("*")}


@pytest.fixture
def attempts(tmp_path, monkeypatch, run):
    """Publish the new run with the n-th operation killed or failed, for every n; over the old run if ``over``."""

    def attempts(codes, *, over, step=1):
        name = old_run(tmp_path / "old", run).name
        out = tmp_path / "runs"
        for n in itertools.count(0, step):
            if not out.exists() and over:
                shutil.copytree(tmp_path / "old", out)
            before, error, faults = print_of(out / name), None, Faults(n, codes[n % len(codes)])
            with monkeypatch.context() as patch:
                patch.setattr(io, "before", faults)
                try:
                    new_run(out, run)
                except (Killed, ChipcastError) as caught:
                    error = caught
            if not over or print_of(out / name) != before:  # a run not touched is the old one
                yield out / name, error
                shutil.rmtree(out, ignore_errors=True)
            if len(faults.seen) <= n:
                return

    return attempts


def test_publish__killed_at_any_operation_leaves_the_old_or_the_new_run(attempts, run):
    seen = []
    for folder, _ in attempts([None], over=True):
        seen.append(whole(folder))
        new_run(folder.parent, run)  # the next one just works
        assert verify(folder)
        assert read_commit(folder).draws.done == 20
        assert is_tidy(folder)
    assert seen == sorted(seen)
    assert seen.count(1) > 10 < seen.count(2)


def test_publish__killed_the_first_time_shows_nothing_or_the_run(attempts, monkeypatch):
    monkeypatch.setattr(io, "SHARE", 8)  # files are synced several at a time, as in a run of many
    rows = []
    for folder, _ in attempts([None], over=False, step=7):
        (row,) = list_runs(folder.parent) or [{"problem": "nothing"}]
        rows.append(row["problem"].split("[")[-1])
        assert rows[-1] or whole(folder) == 2
    assert list(dict.fromkeys(rows)) == ["nothing", "store-unfinished]", ""]


def test_publish__a_failing_disk_is_our_error_and_keeps_the_old_run(attempts):
    for folder, error in attempts([errno.ENOSPC, errno.EIO, errno.EACCES], over=True, step=2):
        published = whole(folder)
        assert published == 2 if error is None else error.remedy


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (errno.ENOSPC, "store-full", 3),
        (errno.EDQUOT, "store-full", 3),
        (errno.EACCES, "store-unwritable", 3),
        (errno.EROFS, "store-unwritable", 3),
        (errno.EIO, "store-io", 4),
        (errno.EMFILE, "store-unusable", 3),
    ],
)
def test_attempt__makes_system_errors_ours(number, code, status):
    with pytest.raises(ChipcastError) as error, io.attempt("write", Path("x")):
        raise OSError(number, os.strerror(number))
    assert (error.value.code, error.value.exit_code) == (code, status)
    assert error.value.remedy


@pytest.mark.parametrize("count", [0, 1, 63, 64, 1000])
def test_at_once__does_each_once_and_raises_the_error_of_one(count):
    seen: list[Path] = []
    paths = [Path(str(i)) for i in range(count)]
    io.at_once(seen.append, paths)
    assert sorted(seen) == sorted(paths)

    def fail(path: Path) -> None:
        if path == paths[-1]:
            raise RefusedError("store-full", "no space", remedy="none")

    if paths:
        with pytest.raises(RefusedError, match="no space"):
            io.at_once(fail, paths)


def test_publish__leaves_no_staging_behind(tmp_path, run, monkeypatch):
    publish(tmp_path, run, small(1), draws=10)
    monkeypatch.setattr(io, "before", Faults(40, errno.ENOSPC))
    with pytest.raises(RefusedError):
        publish(tmp_path, run, small(2), [block(0, 9, 2)], draws=20)
    assert list((tmp_path / ".staging").iterdir()) == []


def test_publish__the_same_again_changes_nothing_but_what_was_asked_when(published, run, tree, part):
    before = {path: path.stat().st_ino for path in published.rglob("*") if path.is_file()}
    publish(published.parent, run, tree, [part(0, 19), part(20, 29)], draws=100)
    after = {path: path.stat().st_ino for path in published.rglob("*") if path.is_file()}
    assert before.keys() == after.keys()
    assert {path.name for path in before if before[path] != after[path]} == {"COMMIT.json", "request.json"}


def test_publish__more_draws_extend_the_run(published, run, trees, part):
    publish(published.parent, run, trees(draws=200), [part(30, 49)], draws=200)
    tree = open_run(published)
    assert tree.attrs["draws"] == 200
    assert tree["draws/revenue"][0, 0].values.tolist() == list(range(50))
    assert is_tidy(published)


def test_publish__parts_of_other_versions_do_not_stay(published, run, trees, part):
    publish(published.parent, run | {"device": "gpu"}, trees(), [part(30, 49)], draws=100)
    assert read_record(published)["device"] == "gpu"
    assert open_run(published)["draws"].sizes["draw"] == 20
    assert is_tidy(published)


def test_publish__repairs_a_damaged_run(published, run, tree, part):
    chunk = published / "parts/0-19/revenue/c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[::-1])
    (published / "summary/zarr.json").unlink()
    publish(published.parent, run, tree, [part(0, 19)], draws=100)
    assert verify(published)
    assert open_run(published)["draws"].sizes["draw"] == 30


def test_publish__drops_a_damaged_part_that_it_is_not_given_again(published, run, tree):
    chunk = published / "parts/0-19/revenue/c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[::-1])
    publish(published.parent, run, tree, draws=100)
    assert [part.first for part in read_commit(published).parts] == [20]
    assert verify(published)


def test_publish__takes_an_empty_folder_and_the_repository_s_own(tmp_path, run, tree):
    (tmp_path / "README.md").write_text("Runs go here.")
    publish(tmp_path, run, tree, draws=100)
    publish(tmp_path, run, tree, draws=100)
    assert (tmp_path / "README.md").read_text() == "Runs go here."


def test_publish__refuses_a_folder_that_is_not_ours(tmp_path, run, tree):
    (tmp_path / "thesis.tex").write_text("Years of work.")
    with pytest.raises(RefusedError, match="not empty") as error:
        publish(tmp_path, run, tree, draws=100)
    assert error.value.exit_code == 3
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_publish__refuses_a_file_for_a_folder(tmp_path, run, tree):
    (tmp_path / "out").touch()
    with pytest.raises(RefusedError, match="another --out"):
        publish(tmp_path / "out", run, tree, draws=100)


@pytest.mark.parametrize("name", ["{id}", ".staging", "{id}/LOCK", "{id}/parts"])
def test_publish__refuses_symbolic_links(published, tmp_path, run, tree, name):
    path = published.parent / name.format(id=published.name)
    if path.exists():
        path.rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IntegrityError, match="link"):
        publish(published.parent, run, tree, [block(0, 19, 1)], draws=100)
    assert sorted(tmp_path.rglob("*")) == before


def test_locked__waits_for_the_name_of_a_holder_that_has_only_just_begun(tmp_path):
    path = tmp_path / "LOCK"
    with path.open("w+", buffering=1) as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        later = threading.Timer(0.05, lambda: holder.write('{"pid": 123, "host": "there"}\n'))
        later.start()
        with pytest.raises(RefusedError, match="process 123 on there"), io.locked(path):
            pass
        later.join()


def test_publish__refuses_a_second_writer_and_names_the_first(published, run, tree):
    with io.locked(published / "LOCK"), pytest.raises(RefusedError, match=f"process {os.getpid()} on ") as error:
        publish(published.parent, run, tree, draws=100)
    assert error.value.exit_code == 3
    publish(published.parent, run, tree, draws=100)


def test_publish__goes_on_where_the_holder_died(published, run, tree):
    code = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, published / "LOCK"], check=False).returncode == -9
    publish(published.parent, run, tree, draws=100)
    assert json.loads((published / "LOCK").read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_publish__refuses_what_is_not_finite_and_says_where(tmp_path, run, tree, bad):
    tree["prior_predictive/revenue"].values[2, 1, 3] = bad
    problem = rf"revenue is {bad} at quantile=0.5, supplier=amd, time=2026Q4 \(1 of 100 values\)"
    with pytest.raises(IntegrityError, match=problem):
        publish(tmp_path, run, tree, draws=100)
    assert list_runs(tmp_path) == []


def test_publish__refuses_infinity_even_where_values_may_be_missing(tmp_path, run, tree):
    tree["observed_data/revenue"].values[0, 0] = np.inf
    with pytest.raises(IntegrityError, match="quarter=2025Q3"):
        publish(tmp_path, run, tree, draws=100)


def test_publish__refuses_a_draw_that_is_not_finite(tmp_path, run, tree, part):
    first, last, data = part(40, 49)
    data["revenue"].values[0, 0, 3] = np.nan
    with pytest.raises(IntegrityError, match="time=2026Q1, draw=43"):
        publish(tmp_path, run, tree, [(first, last, data)], draws=100)


def test_publish__counts_the_draws_of_a_part(tmp_path, run, tree, part):
    _, _, data = part(0, 9)
    with pytest.raises(ValueError, match="needs 9 draws"):
        publish(tmp_path, run, tree, [(0, 8, data)], draws=100)


@pytest.mark.parametrize("path", ["/", "/draws"])
def test_publish__refuses_variables_where_draws_would_go(tmp_path, run, path):
    tree = xr.DataTree.from_dict({path: xr.Dataset({"x": ("supplier", [1.0])})})
    with pytest.raises(ValueError, match="in groups other than draws"):
        publish(tmp_path, run, tree, draws=100)


def test_publish__leaves_the_caller_s_tree_alone(tmp_path, run, tree):
    wanted = tree.copy(deep=True)
    publish(tmp_path, run, tree, draws=100)
    assert tree.identical(wanted)


def test_write_report__replaces_a_file_whole(published):
    path = write_report(published, "shipments.png", b"old")
    assert write_report(published, "shipments.png", b"new") == path == published / "report/shipments.png"
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["shipments.png"]
    assert open_run(published).attrs["draws"] == 100


def test_write_report__a_failure_leaves_the_old_file(published, monkeypatch):
    path = write_report(published, "shipments.png", b"old")
    for n in range(1, 7):
        monkeypatch.setattr(io, "before", Faults(n, errno.ENOSPC))
        with pytest.raises(RefusedError):
            write_report(published, "shipments.png", b"new")
        assert [file.read_bytes() for file in path.parent.iterdir()] == [b"old" if n < 6 else b"new"]


@pytest.mark.parametrize("name", ["../COMMIT.json", "a/b.png", "", ".hidden", "a" * 300, "/etc/passwd"])
def test_write_report__refuses_hostile_names(published, name):
    with pytest.raises(RefusedError, match="no name"):
        write_report(published, name, b"")


def test_publish__syncs_every_file_and_folder_before_it_is_named(tmp_path, run, monkeypatch):
    """What is renamed into place is on the disk: else a power loss could leave names without contents."""
    seen: list[tuple[str, Path]] = []
    synced: set[int] = set()
    monkeypatch.setattr(io, "before", lambda operation, path: seen.append((operation, path)))
    monkeypatch.setattr("os.fsync", lambda handle: synced.add(os.fstat(handle).st_ino))
    folder = new_run(tmp_path, run)
    assert {path for path in folder.rglob("*") if path.stat().st_ino not in synced} == {
        folder / "LOCK",
        folder / "log.jsonl",
    }
    waiting: set[Path] = set()
    for operation, path in seen:
        if operation == "create" and ".staging" in path.parts:
            waiting |= {path, *(parent for parent in path.parents if ".staging" in parent.parent.parts[:-1])}
        elif operation == "sync":
            waiting.discard(path)
        elif operation == "move" and folder in path.parents:
            assert not {each for each in waiting if each.name != COMMIT}, path
    moves = [path for operation, path in seen if operation == "move" and folder in path.parents]
    assert moves[-1] == folder / COMMIT
    last = [(operation, path) for operation, path in seen if operation in ("sync", "move", "create")]
    at = last.index(("move", folder / COMMIT))
    assert [(operation, path.name) for operation, path in last[at - 3 : at + 2]] == [
        ("create", COMMIT),
        ("sync", COMMIT),
        ("sync", folder.name),
        ("move", COMMIT),
        ("sync", folder.name),
    ]
