import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import xarray as xr

from sim.errors import ChipcastError, RefusedError
from sim.store import committed, gc, io, joining, open_run, verify, writing
from sim.store.publish import publish


def names(found):
    return sorted(each.path.name for each in found)


DIE = """
import os, sys
from pathlib import Path
from sim.store import io
with io.staging(Path(sys.argv[1])) as stage:
    (stage / "half").write_bytes(b"x" * 1000)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def dead(published):
    """What a process leaves that is killed while it builds."""
    assert subprocess.run([sys.executable, "-c", DIE, published.parent], check=False).returncode == -9
    (path,) = (published.parent / ".staging").iterdir()
    return path


@pytest.fixture
def unsettled(published, run, trees, monkeypatch):
    """A run whose writer died after COMMIT was replaced and before the new summary took the plain name."""
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["sim.store.publish"], "settle", lambda folder, stage: committed(folder))
        publish(published.parent, run, trees(2.0), draws=200)
    plain = xr.open_datatree(published / "summary", engine="zarr", consolidated=False)
    assert not plain["prior_predictive"].load().identical(open_run(published)["prior_predictive"].load())
    return published


@pytest.mark.parametrize("how", [gc, None], ids=["gc", "the next writer"])
def test_unsettled__the_summary_gets_its_plain_name(unsettled, run, how):
    if how is None:
        with writing(unsettled.parent, run):
            pass
    else:
        how(unsettled.parent)
    verify(unsettled)
    plain = xr.open_datatree(unsettled / "summary", engine="zarr", consolidated=False)
    assert plain["prior_predictive"].load().identical(open_run(unsettled)["prior_predictive"].load())


def test_gc__removes_what_a_dead_process_was_building(published, dead):
    (found,) = gc(published.parent, dry_run=True)
    assert (found.path, found.why) == (dead, "its maker died")
    assert 1000 < found.size < 1100  # what it wrote, and its lock
    assert dead.exists()
    assert gc(published.parent) == [found]
    assert not dead.exists()
    assert gc(published.parent) == []
    assert verify(published)


def test_publish__removes_what_a_dead_process_was_building(published, dead, run, tree):
    publish(published.parent, run, tree, draws=100)
    assert list(dead.parent.iterdir()) == []


def test_gc__leaves_alone_what_is_being_built(published):
    with io.staging(published.parent) as stage:
        (stage / "half").write_bytes(b"x")
        assert gc(published.parent) == []
        assert (stage / "half").exists()
        young = stage.with_name(".young")
        young.mkdir()
        assert gc(published.parent) == []  # it is not locked yet, and may be soon
        os.utime(young, (time.time() - 2 * io.LONG,) * 2)
        assert names(gc(published.parent)) == [".young"]


def test_gc__takes_what_no_commit_names_and_half_written_reports(published):
    (published / "summary-1a2b3c4d").mkdir()
    (published / "summary-1a2b3c4d/zarr.json").write_text("{}")
    (published / "parts/40-49.MANIFEST.json").write_text("{}")
    (published / "report").mkdir()
    for name in (".old.tmp", ".new.tmp", "chart.png"):
        (published / "report" / name).write_text("x")
    os.utime(published / "report/.old.tmp", (0, 0))
    wanted = [".old.tmp", "40-49.MANIFEST.json", "summary-1a2b3c4d"]
    assert names(gc(published.parent, dry_run=True)) == wanted
    assert names(gc(published.parent)) == wanted
    assert sorted(path.name for path in (published / "report").iterdir()) == [".new.tmp", "chart.png"]
    assert verify(published)
    assert open_run(published)["draws"].sizes["draw"] == 30


def test_gc__keeps_progress_unless_asked(published, run, part):
    new = run | {"config": {"seed": 5}}
    joined = joining(published.parent, new)
    with writing(published.parent, new) as begun:
        begun.ask(100)
        begun.save("parts", *part(0, 9))
    assert gc(published.parent) == []
    assert [(each.first, each.last) for each in joined.stored("parts")] == [(0, 9)]
    assert names(gc(published.parent, unfinished=True)) == [joined.folder.name]
    assert not joined.folder.exists()


def test_gc__keeps_the_progress_of_a_run_that_is_asked_for_more(published, run, part):
    with writing(published.parent, run) as begun:
        begun.ask(200)
        begun.save("parts", *part(30, 49))
    assert gc(published.parent) == []
    assert len(gc(published.parent, unfinished=True)) == 2
    assert verify(published)


def test_gc__leaves_a_run_alone_that_is_being_written(published):
    (published / "summary-1a2b3c4d").mkdir()
    with io.locked(published / "LOCK"):
        assert gc(published.parent) == []
    assert names(gc(published.parent)) == ["summary-1a2b3c4d"]


def test_gc__refuses_a_folder_that_is_not_ours(tmp_path):
    (tmp_path / "thesis.tex").write_text("Years of work.")
    with pytest.raises(RefusedError, match="not empty"):
        gc(tmp_path)
    assert gc(tmp_path / "absent") == []


def test_log__tells_in_lines_of_json_what_was_done(published):
    lines = [json.loads(line) for line in (published / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["asked", "published"]
    assert lines[0]["draws"] == 100
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_log__that_cannot_be_written_stops_nothing(published, run, tree):
    (published / "log.jsonl").unlink()
    (published / "log.jsonl").mkdir()
    publish(published.parent, run, tree, draws=100)
    assert verify(published)


def test_gc__does_not_follow_a_link_out_of_the_folder(published, tmp_path):
    (tmp_path / "photos/2026").mkdir(parents=True)
    (published.parent / ".staging").rmdir()
    (published.parent / ".staging").symlink_to(tmp_path / "photos")
    with suppress(ChipcastError):
        gc(published.parent)
    assert (tmp_path / "photos/2026").exists()


def test_dead_stagings__may_get_their_names_or_go_while_they_are_looked_at(published, monkeypatch):
    young, old = (published.parent / ".staging" / name for name in (".young", "old"))
    young.mkdir()
    old.mkdir()
    is_dead = io.is_dead

    def late(path):
        path.rmdir()
        return is_dead(path)

    monkeypatch.setattr(io, "is_dead", late)
    assert io.dead_stagings(published.parent) == []
    monkeypatch.setattr(io, "is_dead", is_dead)
    young.mkdir()
    is_dir = type(young).is_dir

    def gone(path):
        there = is_dir(path)
        if path == young:
            path.rmdir()
        return there

    monkeypatch.setattr(type(young), "is_dir", gone)
    assert io.dead_stagings(published.parent) == []


def test_gc__takes_the_progress_of_a_run_that_was_only_joined_when_asked(published, run, part):
    joined = joining(published.parent, run | {"config": {"seed": 5}})
    joined.save("parts", *part(0, 9))
    assert gc(published.parent) == []
    gc(published.parent, unfinished=True)
    assert not joined.folder.exists()
