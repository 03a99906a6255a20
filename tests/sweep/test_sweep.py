"""Sweeps from end to end: the same bits wherever they are done, failures that stay alone, and going on after an end."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import sim
from sim import sweep
from sim.sweep import division
from sim.sweep.task import Outcome
from tests.faults import workers
from tests.faults.workers import KILLED, ONE, TWO, figures

pytest.importorskip("distributed", reason="EXTRA=test,distributed ./go pytest brings Dask")

COUNT, SEED = 3, 1
POISON = "capex_drift: {family: normal, mean: 500, sd: 100}"


class Done(NamedTuple):
    """A sweep's file, where its runs lie, and what came of it."""

    file: Path
    out: Path
    swept: sweep.Swept


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Waiting for the disk shows nothing here."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture(scope="module")
def thrice(tmp_path_factory):
    """Three variants by this process, by two processes, and by two Dask workers of which one is killed."""
    return workers.sweeps(tmp_path_factory.mktemp("thrice"), COUNT, SEED)


@pytest.fixture(scope="module")
def here(thrice) -> Done:
    """The sweep of this process. Tests only read it."""
    return Done(thrice[ONE].out.parent / "sweep.yaml", thrice[ONE].out, thrice[ONE].swept)


@pytest.fixture
def again(here, tmp_path) -> Done:
    """A copy of that sweep, which a test may change."""
    shutil.copytree(here.out, tmp_path / "runs")
    return here._replace(out=tmp_path / "runs")


def names(swept: sweep.Swept, what: str = "run") -> list[str]:
    """Ids of a sweep's runs, or another column of what it says of its variants."""
    return swept.tree["variants"].to_dataset()[what].values.tolist()


# --- wherever it is done ---------------------------------------------------------------------------------------------


def test_workers__killed_or_not_give_the_bits_of_this_process_and_make_nothing_twice(thrice):
    report = workers.report(thrice, COUNT)
    assert report.ok, report
    assert (report.injected, report.detected, report.lost) == (1, 1, 0)
    assert all(len(figures(thrice[ONE].out / run)) > 100 for run in thrice[ONE].runs)
    processes = {name: {outcome.process for _, outcome in each.swept.done} for name, each in thrice.items()}
    assert (len(processes[ONE]), len(processes[TWO])) == (1, 2)
    assert thrice[KILLED].listening == {"127.0.0.1"}
    assert thrice[TWO].listening == set()


def test_tree__each_variant_has_what_the_same_run_alone_gives(here):
    world = sim.load("base", overrides={"capex_drift.p95": 0.4005})
    alone = sim.run(world, draws=512, seed=SEED)
    for group in ("prior_predictive/year", "prior_predictive/fiscal_year"):
        side_by_side = here.swept.tree[group].to_dataset().sel(scenario="capex_drift.p95=0.4005")
        for name, variable in alone[group].to_dataset().data_vars.items():
            np.testing.assert_array_equal(side_by_side[name].values, variable.values, err_msg=f"{group}/{name}")


def test_tree__is_opened_like_any_run(here):
    tree = sim.open(here.swept.folder)
    year = tree["prior_predictive/year"]
    assert year["revenue"].dims[0] == "scenario"
    assert year["scenario"].values.tolist() == [f"capex_drift.p95={value}" for value in (0.4, 0.4005, 0.401)]
    runs = [sim.open(here.out / run) for run in year["run"].values]
    assert [run.attrs["commit"] for run in runs] == year["commit"].values.tolist()
    assert tree["variants"]["value"].values.ravel().tolist() == [0.4, 0.4005, 0.401]


@pytest.mark.parametrize("harm", ["bits", "log", "program", "run", "socket"])
def test_report__sees_each_kind_of_loss(thrice, tmp_path, harm):
    two = thrice[TWO]
    shutil.copytree(two.out, tmp_path / "runs")
    harmed = two._replace(out=tmp_path / "runs")
    folder = harmed.out / two.runs[1]
    if harm == "bits":
        manifest = json.loads((folder / "summary.MANIFEST.json").read_text(encoding="utf-8"))
        name = next(name for name in manifest["files"] if not name.endswith("zarr.json"))
        manifest["files"][name]["sha256"] = "0" * 64
        (folder / "summary.MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
    elif harm == "log":
        with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write('{"event": "published"}\n')
    elif harm == "program":
        *others, last = two.swept.done
        done = [*others, last._replace(outcome=last.outcome._replace(programs=1))]
        harmed = harmed._replace(swept=two.swept._replace(done=done))
    elif harm == "run":
        fewer = two.swept.tree.map_over_datasets(
            lambda data: data.isel(scenario=slice(COUNT - 1)) if data.dims else data
        )
        harmed = harmed._replace(swept=two.swept._replace(tree=fewer))
    else:
        harmed = harmed._replace(listening={"0.0.0.0"})
    assert not workers.report({**thrice, TWO: harmed}, COUNT).ok


# --- divided ---------------------------------------------------------------------------------------------------------


def test_divided__ranges_counted_apart_and_joined_are_the_same_bits(here, tmp_path, monkeypatch):
    monkeypatch.setattr(division, "WHOLE", 300)
    monkeypatch.setattr(division, "RANGE", 256)
    file = tmp_path / "one.yaml"
    file.write_text(f"draws: 512\nseeds: [{SEED}]\nset:\n  capex_drift.p95: 0.4005\n", encoding="utf-8")
    swept = sweep.sweep(file, out=tmp_path / "runs", device="cpu")
    assert [(task.first, task.last) for task, _ in swept.done] == [(0, 256), (256, 512), (None, None)]
    (run,) = names(swept)
    assert run == names(here.swept)[1]
    assert figures(tmp_path / "runs" / run) == figures(here.out / run)
    log = (tmp_path / "runs" / run / "log.jsonl").read_text(encoding="utf-8")
    assert log.count('"event": "reused"') == 2


# --- failures --------------------------------------------------------------------------------------------------------


def test_failure__stays_alone_and_the_command_says_which_and_why(again, chipcast, tmp_path):
    file = tmp_path / "three.yaml"
    file.write_text(
        "mode: list\ndraws: 512\nvariants:\n"
        "  - {label: one, seed: 1, set: {capex_drift.p95: 0.4}}\n"
        f"  - {{label: poison, set: {{{POISON}}}}}\n"
        "  - {label: two, seed: 1, set: {capex_drift.p95: 0.4005}}\n",
        encoding="utf-8",
    )
    ended = chipcast("sweep", file, "--out", again.out)
    assert ended.code == 5
    assert "poison" in ended.out
    assert "[run-not-finite]" in "".join(ended.out.split())
    assert "1 variant failed; run the same command to go on" in ended.err
    assert "3 variants, 2 finished before" in ended.err
    told = chipcast("sweep", file, "--out", again.out, "--json")
    assert told.code == 5
    result = json.loads(told.out)
    assert [each["scenario"] for each in result["variants"]] == ["one", "two"]
    assert [(each["label"], each["code"]) for each in result["failed"]] == [("poison", "run-not-finite")]
    tree = sim.open(again.out / result["sweep"])
    assert tree.attrs["missing"] == "poison [run-not-finite]"


def test_failure__of_a_range_lets_the_rest_of_its_variant_go(here, tmp_path, monkeypatch):
    monkeypatch.setattr(division, "WHOLE", 300)
    monkeypatch.setattr(division, "RANGE", 128)
    asked = []

    def do(task, tell, world=None):
        asked.append(task.first)
        return Outcome(code="odd", message="odd") if task.first == 128 else Outcome(run="nowhere")

    monkeypatch.setattr("sim.sweep.task.do", do)
    swept = sweep.sweep(here.file, out=tmp_path / "runs", device="cpu")
    assert asked == [0, 128] * COUNT
    assert [failure.code for failure in swept.failures] == ["odd"] * COUNT
    assert (swept.tree, swept.folder) == (None, None)


def test_failure__a_run_that_was_published_elsewhere_is_told(here, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.sweep.task.do", lambda *_: Outcome(run="0123456789ab"))
    swept = sweep.sweep(here.file, out=tmp_path / "runs", device="cpu")
    assert {failure.code for failure in swept.failures} == {"sweep-not-shared"}


def test_failure__a_book_that_changed_since_it_was_checked_is_not_run(here, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.sweep.batch.digest_of", lambda world: "another")
    swept = sweep.sweep(here.file, out=tmp_path / "runs", device="cpu")
    assert {failure.code for failure in swept.failures} == {"sweep-book-changed"}
    assert not (tmp_path / "runs").exists()


# --- going on --------------------------------------------------------------------------------------------------------


def test_again__a_finished_sweep_is_opened(again, nothing_simulated):
    swept = sweep.sweep(again.file, out=again.out, device="cpu")
    assert swept.done == []
    assert swept.tree.attrs["commit"] == again.swept.tree.attrs["commit"]


def test_again__makes_what_is_missing_and_the_tables_anew(again):
    """A finished run keeps its generation; the tables name the commits that they were made of."""
    first, second, _ = names(again.swept)
    shutil.rmtree(again.out / second)
    commit = (again.out / first / "COMMIT.json").read_bytes()
    swept = sweep.sweep(again.file, out=again.out, device="cpu")
    assert [outcome.run for _, outcome in swept.done] == [second]
    assert (again.out / first / "COMMIT.json").read_bytes() == commit
    assert workers.tables(swept) == workers.tables(again.swept)
    before, after = names(again.swept, "commit"), names(swept, "commit")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert after[1] == sim.open(again.out / second).attrs["commit"]
    assert swept.folder.name == again.swept.folder.name


# --- the command -----------------------------------------------------------------------------------------------------


def test_command__shows_a_table_of_eighty_columns_and_where_the_sweep_is(
    again, chipcast, monkeypatch, nothing_simulated
):
    monkeypatch.setenv("COLUMNS", "80")
    ended = chipcast("sweep", again.file, "--out", again.out)
    assert ended.code == 0, ended
    assert max(map(len, ended.out.replace(str(again.out), "").splitlines())) <= 80
    assert f"Sweep: {again.out / again.swept.folder.name}" in ended.out
    for word in ("shipments 2027", "revenue 2030", "diff", "capex_drift.p95=0.4005"):
        assert word in ended.out


def test_command__dry_run_says_what_it_takes_and_writes_nothing(here, chipcast, tmp_path, nothing_simulated):
    before = sorted(tmp_path.rglob("*"))
    asked = ("sweep", here.file, "--out", tmp_path / "new" / "runs", "--dry-run", "--rate", "100")
    ended = chipcast(*asked)
    assert ended.code == 0, ended
    assert "3 variants, 0 finished before; 3 tasks, 1,536 draws" in ended.out
    assert "core-hours" in ended.out
    told = json.loads(chipcast(*asked, "--json").out)
    assert told["labels"][:2] == ["capex_drift.p95=0.4", "capex_drift.p95=0.4005"]
    assert told["seconds"] == pytest.approx(8 + 3 * (2 + 5.12))
    assert sorted(tmp_path.rglob("*")) == before


def test_command__one_bad_variant_stops_all_before_anything_runs(chipcast, tmp_path, nothing_simulated):
    (tmp_path / "bad.yaml").write_text("set:\n  capex_drift.p95: [0.40, 0.1]\n", encoding="utf-8")
    ended = chipcast("sweep", "bad.yaml")
    assert ended.code == 2
    assert "bad.yaml:2:27" in ended.err
    assert not (tmp_path / "runs").exists()


def test_command__a_billion_kept_draws_are_refused(chipcast, tmp_path, nothing_simulated):
    (tmp_path / "big.yaml").write_text("draws: 1000000000\nkeep_draws: true\n", encoding="utf-8")
    for more in ((), ("--dry-run",)):
        ended = chipcast("sweep", "big.yaml", *more)
        assert ended.code == 3
        assert "keep at most" in ended.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--cluster", "mine"), "sweep-cluster"),
        (("--cluster", "local", "--scheduler", "tcp://scheduler.example:1"), "sweep-cluster"),
        (("--rate", "10"), "sweep-rate"),
        (("--tls-ca", "ca.pem"), "sweep-tls"),
    ],
)
def test_command__options_that_do_not_go_together_are_refused(chipcast, options, code):
    ended = chipcast("sweep", "none.yaml", *options)
    assert ended.code == 2
    assert f"[{code}]" in ended.err
