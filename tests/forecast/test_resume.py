"""Runs that broke off, are asked for more, or are damaged: what is stored is used, and the bits are those of one go."""

import json
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sim
from sim import cells, forecast, label, store
from sim.engine import Engine
from sim.errors import ChipcastError, IntegrityError, RefusedError
from sim.forecast import counting, runs
from sim.store import io

DRAWS, PART = 5000, 2048
WHOLE = DRAWS - DRAWS % 256


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Counts are stored after every 512 draws, and nobody waits for the disk."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr(counting, "STRETCH", 1)
    monkeypatch.setattr(counting, "SAVE_EVERY", -1.0)
    monkeypatch.setattr(counting, "FEW", 1)
    monkeypatch.setattr(runs, "PART", PART)


def bits(folder: Path) -> dict[str, str]:
    """Hashes of all that a run has published, which are those of every file."""
    assert store.verify(folder)
    return store.read_commit(folder).members()


@pytest.fixture(scope="module")
def undisturbed(base_world, tmp_path_factory):
    """A run of 5,000 draws, kept, made in one go."""
    out = tmp_path_factory.mktemp("undisturbed") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "PART", PART)
        patch.setattr(counting, "FEW", 1)
        tree = sim.run(base_world, draws=DRAWS, seed=3, out=out, keep_draws=True)
    return out / tree.attrs["run"]


@pytest.fixture
def copied(undisturbed, tmp_path):
    """A copy of it that may be harmed."""
    shutil.copytree(undisturbed.parent, tmp_path / "runs")
    return tmp_path / "runs" / undisturbed.name


@pytest.fixture
def counted(monkeypatch):
    """Ranges of draws that are counted from here on, and those that are simulated to be kept."""
    seen: dict[str, list[tuple[int, int]]] = {"sums": [], "parts": []}
    sums, cells_of = Engine.sums, Engine.cells_of

    def watched_sums(self, first, last, *given):
        seen["sums"].append((first, last))
        return sums(self, first, last, *given)

    def watched_cells(self, blocks, last):
        if last != 256:  # the first block tells how cells are measured
            seen["parts"].append((blocks[0] * 256, last))
        return cells_of(self, blocks, last)

    monkeypatch.setattr(Engine, "sums", watched_sums)
    monkeypatch.setattr(Engine, "cells_of", watched_cells)
    return seen


def broken_off(world, out, monkeypatch, after, **words):
    """A run that ends as Ctrl-C ends it, when draws have been counted this many times; its folder."""
    calls, sums = [], Engine.sums

    def interrupted(self, *given):
        calls.append(given)
        if len(calls) > after:
            raise KeyboardInterrupt
        return sums(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "sums", interrupted)
        with pytest.raises(KeyboardInterrupt) as ended:
            sim.run(world, draws=DRAWS, seed=3, out=out, **words)
    return ended.value, next(path for path in out.iterdir() if (path / "LOCK").exists())


def test_resume__goes_on_where_the_run_broke_off_and_gives_its_bits(
    base_world, undisturbed, tmp_path, monkeypatch, counted
):
    error, folder = broken_off(base_world, tmp_path / "runs", monkeypatch, 2, keep_draws=True)
    assert error.__notes__ == [f"chipcast resume {folder} goes on from what is stored"]
    with pytest.raises(IntegrityError, match="never published; chipcast resume"):
        sim.open(folder)
    (row,) = store.list_runs(folder.parent)
    stretch = counted["sums"][0][1]
    assert (row["draws"], row["asked"], row["scenario"], row["as_of"]) == (2 * stretch, DRAWS, "base", "2026-02-28")
    counted["sums"].clear()
    tree = sim.resume(folder)
    assert bits(folder) == bits(undisturbed)
    assert tree.attrs["draws"] == DRAWS
    assert counted["sums"][0][0] == 2 * stretch
    assert all(before[1] == after[0] for before, after in pairwise(counted["sums"]))
    assert sorted(path.name for path in (folder / "sums").iterdir()) == [
        f"0-{WHOLE - 1}",
        f"0-{WHOLE - 1}.MANIFEST.json",
    ]


def test_run__asked_again_goes_on_too_and_keeps_parts_that_are_there(
    base_world, undisturbed, tmp_path, monkeypatch, counted
):
    save, out = store.Writing.save, tmp_path / "runs"

    def dying(self, kind, first, *given):
        if (kind, first) == ("parts", PART):
            raise KeyboardInterrupt
        return save(self, kind, first, *given)

    with monkeypatch.context() as patch:
        patch.setattr(store.Writing, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            sim.run(base_world, draws=DRAWS, seed=3, out=out, keep_draws=True)
    for seen in counted.values():
        seen.clear()
    sim.run(base_world, draws=DRAWS, seed=3, out=out, keep_draws=True)
    assert counted == {"sums": [(WHOLE, DRAWS)], "parts": [(PART, 2 * PART), (2 * PART, DRAWS)]}
    assert bits(out / undisturbed.name) == bits(undisturbed)


def test_resume__of_a_finished_run_opens_it(copied, monkeypatch, counted):
    before = store.read_commit(copied)
    assert sim.resume(copied).attrs["commit"] == before.hash
    assert counted == {"sums": [], "parts": []}


def test_run__more_draws_count_only_those(base_world, undisturbed, tmp_path, counted):
    out = tmp_path / "runs"
    sim.run(base_world, draws=PART + 100, seed=3, out=out)
    counted["sums"].clear()
    more = sim.run(base_world, draws=DRAWS, seed=3, out=out)
    assert counted["sums"][0][0] == PART
    fields = ("summary", "sums")
    one, other = (store.read_commit(folder) for folder in (out / undisturbed.name, undisturbed))
    assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert more.attrs["draws"] == DRAWS


def test_run__until_ends_at_the_same_draw_after_a_break(base_world, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "FIRST_LOOK", 512)
    words = {"draws": 10**6, "seed": 3, "until": ["p50:revenue[nvidia,2027] < 0.7%"]}
    whole = sim.run(base_world, **words)
    assert whole.attrs["draws"] > 1024
    words |= {"out": tmp_path / "runs"}
    calls, sums = [], Engine.sums

    def dying(self, *given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return sums(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "sums", dying)
        with pytest.raises(KeyboardInterrupt):
            sim.run(base_world, **words)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if (path / "LOCK").exists())
    assert sim.resume(folder).attrs["draws"] == whole.attrs["draws"]


# --- shares of a run -------------------------------------------------------------------------------------------------


def test_count__shares_in_any_order_make_the_run_with_what_is_missing(base_world, undisturbed, tmp_path, counted):
    out = tmp_path / "runs"
    for first, last in ((2560, 4096), (512, 1024), (0, 512)):
        forecast.count(base_world, first, last, out=out, draws=DRAWS, seed=3)
    forecast.count(base_world, 512, 1024, out=out, draws=DRAWS, seed=3)  # is there
    assert counted["sums"] == [(2560, 4096), (512, 1024), (0, 512)]
    counted["sums"].clear()
    sim.run(base_world, draws=DRAWS, seed=3, out=out, keep_draws=True)
    made = sorted(counted["sums"])
    assert made[0][0] == 1024
    assert sum(last - first for first, last in made) == DRAWS - 512 - 512 - 1536
    assert bits(out / undisturbed.name) == bits(undisturbed)


def test_count__refuses_a_torn_block(base_world, tmp_path):
    with pytest.raises(ValueError, match="draw 300 does not begin a block of 256"):
        forecast.count(base_world, 0, 300, out=tmp_path / "runs", draws=DRAWS)


def test_run__counts_measured_otherwise_are_not_used(base_world, undisturbed, tmp_path, monkeypatch, counted):
    """As another kind of processor might: the median of a cell differs in its last bit."""
    out, given = tmp_path / "runs", label.sums_dataset

    def other(sums, gauge):
        return given(sums, gauge._replace(centre=np.nextafter(gauge.centre, np.float32(np.inf))))

    with monkeypatch.context() as patch:
        patch.setattr(label, "sums_dataset", other)
        forecast.count(base_world, 0, 1024, out=out, draws=DRAWS, seed=3)
    counted["sums"].clear()
    sim.run(base_world, draws=DRAWS, seed=3, out=out, keep_draws=True)
    assert counted["sums"][0][0] == 0
    assert bits(out / undisturbed.name) == bits(undisturbed)
    events = [json.loads(line)["event"] for line in (out / undisturbed.name / "log.jsonl").read_text().splitlines()]
    assert "not reused" in events
    assert "reused" not in events


# --- damage ----------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


HARMED = {
    "a draw": (lambda folder: largest(folder / f"parts/{PART}-{2 * PART - 1}"), {"parts": [(PART, 2 * PART)]}),
    "a manifest": (lambda folder: folder / f"parts/0-{PART - 1}.MANIFEST.json", {"parts": [(0, PART)]}),
    "a summary": (lambda folder: largest(folder / "summary"), {}),
    "the counts": (lambda folder: largest(folder / "sums"), {"sums": 0}),
    "run.json": (lambda folder: folder / "run.json", {}),
    "COMMIT.json": (lambda folder: folder / "COMMIT.json", {}),
}


@pytest.mark.parametrize(
    ("what", "harm"),
    [*((what, flip) for what in HARMED), *((what, Path.unlink) for what in ("a draw", "COMMIT.json"))],
)
def test_resume__repairs_just_what_is_damaged(undisturbed, copied, counted, what, harm):
    find, made = HARMED[what]
    harm(find(copied))
    if (what, harm) != ("COMMIT.json", Path.unlink):  # without it the run is unfinished, not damaged
        with pytest.raises(IntegrityError, match="--repair"):
            sim.resume(copied)
    sim.resume(copied, repair=True)
    assert bits(copied) == bits(undisturbed)
    assert counted["parts"] == made.get("parts", [])
    assert counted["sums"][0][0] == made.get("sums", WHOLE)  # the last block is torn and always counted again


def test_resume__tells_what_was_asked_from_what_is_published(undisturbed, copied, counted):
    asked = store.read_request(copied)
    flip(copied / "request.json")
    with pytest.raises(IntegrityError, match=r"request\.json"):
        sim.resume(copied)
    sim.resume(copied, repair=True)
    assert store.read_request(copied) == asked
    assert bits(copied) == bits(undisturbed)
    assert counted["parts"] == []


# --- what does not belong together -----------------------------------------------------------------------------------


def rewrite(folder: Path, **changed) -> None:
    """A request with other entries in its record, sealed as if it had always been so."""
    request = store.read_request(folder)
    record = request.record | {key: value for key, value in changed.items() if key != "config"}
    record["config"] = record["config"] | changed.get("config", {})
    (folder / "request.json").write_bytes(request.model_copy(update={"record": record}).sealed().dump())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"config": {"stream_version": 2}}, r"stream_version \(2, now 3\)"),
        ({"config": {"book": "ab" * 32}}, r"book \(abababababab, now [0-9a-f]{12}\)"),
        ({"config": {"history": "ab" * 32}}, r"history \("),
        ({"code": "ab" * 32}, r"another code; its draws and new ones"),
        ({"machine": "z80"}, "another machine"),
        ({"versions": {"jaxlib": "0.1"}}, r"jaxlib \(0\.1, now"),
    ],
)
def test_resume__refuses_what_would_make_other_draws(copied, changed, said):
    rewrite(copied, **changed)
    with pytest.raises(RefusedError, match=said) as error:
        sim.resume(copied)
    assert error.value.exit_code == 3


def test_resume__refuses_a_book_that_it_cannot_put_together(copied):
    rewrite(copied, recipe=None)
    with pytest.raises(RefusedError, match="how its book was put together"):
        sim.resume(copied)


def test_resume__finds_the_book_with_its_overrides(tmp_path, monkeypatch):
    world = sim.load(["custom_silicon", "export_controls"], overrides={"price.b200.p90": 50, "capex_drift.p95": "0.4"})
    _, folder = broken_off(world, tmp_path / "runs", monkeypatch, 1)
    tree = sim.resume(folder)
    assert tree.attrs["book_sha256"] == world.book.digest
    assert tree.attrs["scenario"] == "custom_silicon+export_controls"


def test_run__made_with_other_packages_begins_anew(copied, base_world, monkeypatch, counted):
    monkeypatch.setattr("sim.store.records.versions", lambda: {"jaxlib": "9.9"})
    sim.run(base_world, draws=DRAWS + 1000, seed=3, out=copied.parent)
    assert counted["sums"][0][0] == 0
    assert store.read_commit(copied).parts == []
    assert store.verify(copied)


# --- made again ------------------------------------------------------------------------------------------------------


def test_run__fresh_gives_the_bits_that_are_stored(copied, base_world, undisturbed, counted):
    sim.run(base_world, draws=DRAWS, seed=3, out=copied.parent, keep_draws=True, fresh=True)
    assert counted["sums"][0][0] == 0
    assert len(counted["parts"]) == 3
    assert bits(copied) == bits(undisturbed)


def test_run__fresh_keeps_the_stored_run_where_it_gives_other_bits(copied, base_world, monkeypatch):
    summary_tree, before = label.summary_tree, bits(copied)

    def other(*given):
        tree = summary_tree(*given)
        revenue = tree["prior_predictive/year"]["revenue"]
        revenue.values[0, 0, 0] = np.nextafter(revenue.values[0, 0, 0], np.float32(1e9))
        return tree

    monkeypatch.setattr(label, "summary_tree", other)
    with pytest.raises(IntegrityError, match=r"prior_predictive/year/revenue/c\S* differ, 1 files") as error:
        sim.run(base_world, draws=DRAWS, seed=3, out=copied.parent, fresh=True)
    assert error.value.code == "run-differs"
    assert bits(copied) == before


def test_run__refuses_at_once_where_another_process_is_at_it(copied, base_world, counted):
    with io.locked(copied / "LOCK"), pytest.raises(RefusedError, match="is writing this run"):
        sim.run(base_world, draws=10 * DRAWS, seed=3, out=copied.parent)
    assert counted == {"sums": [], "parts": []}


# --- known faults ----------------------------------------------------------------------------------------------------


def test_resume__repairs_kept_draws_that_were_not_asked_for_last(undisturbed, copied, base_world, counted):
    sim.run(base_world, draws=DRAWS + 1, seed=3, out=copied.parent)
    flip(largest(copied / f"parts/0-{PART - 1}"))
    parts = store.read_commit(copied).parts
    assert parts == store.read_commit(undisturbed).parts
    sim.resume(copied, repair=True)
    assert store.read_commit(copied).parts == parts


def test_resume__needs_room_only_for_what_is_missing(undisturbed, copied, base_world, monkeypatch):
    flip(largest(copied / f"parts/{2 * PART}-{DRAWS - 1}"))
    room = 2 * (DRAWS - 2 * PART) * 4 * cells.cells_per_draw(base_world)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=room))
    sim.resume(copied, repair=True)
    assert bits(copied) == bits(undisturbed)


def test_count__names_the_draw_of_its_share_that_is_not_finite(base_world, tmp_path, monkeypatch):
    row = [entry.stream for entry in base_world.entries].index("capex_drift")
    sampled = Engine._sampled

    def without(self, group):
        values = np.array(sampled(self, group))
        values[group == 5, row, 20] = np.nan
        return values

    monkeypatch.setattr(Engine, "_sampled", without)
    with pytest.raises(IntegrityError, match="of draw 1300 is nan"):
        forecast.count(base_world, 1024, 1536, out=tmp_path / "runs", draws=DRAWS, seed=3)


def test_resume__says_so_where_there_is_no_run(tmp_path):
    with pytest.raises(ChipcastError, match="is no run") as error:
        sim.resume(tmp_path / "nowhere")
    assert error.value.code == "store-no-run"
