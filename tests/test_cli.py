"""The command line: what each command prints, its exit codes, and that refused input leaves nothing behind."""

import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sim import cells, cli, store
from sim.book import shipped, yaml
from sim.errors import DeviceError

SCRIPT = Path(sys.executable).with_name("chipcast")
FIGURES = ("p05", "p25", "p50", "p75", "p95", "mean")


def table_of(file: str, name: str) -> dict:
    """A table of another test module."""
    path = Path(__file__).parent / file
    spec = importlib.util.spec_from_file_location(f"table_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


NOT_YAML = table_of("book/test_yaml.py", "REFUSED")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# --- what works ------------------------------------------------------------------------------------------------------


def test_run__prints_the_table_the_folder_and_the_time(chipcast, base_run):
    ended = chipcast("run", "--draws", 4096, "--seed", 7, "--out", base_run.folder.parent)
    assert ended.code == 0
    assert "total, shipments, H100 equivalents" in ended.out
    assert "nvidia, revenue by the supplier's fiscal year" in ended.out
    assert "FY2027" in ended.out
    assert f"Run: {base_run.folder}\n" in ended.out
    assert "4,096 draws, seed 7, as of 2026-02-28" in ended.out
    assert re.search(r"Took [\d.]+ s\.", ended.out)
    assert ended.err == ""  # no progress bar: this is no terminal
    assert {path.name for path in (base_run.folder / "report").iterdir()} >= {"headline.png", "headline.svg"}


def test_run__draws_the_charts_of_a_finished_run_once(chipcast, base_run, tmp_path, monkeypatch):
    shutil.copytree(base_run.folder.parent, tmp_path / "runs")
    report = tmp_path / "runs" / base_run.folder.name / "report"
    shutil.rmtree(report, ignore_errors=True)
    chipcast("run", "--draws", 4096, "--seed", 7)
    before = {path: path.stat().st_ino for path in report.iterdir()}
    assert len(before) == 6
    monkeypatch.setattr("sim.charts.charts", lambda tree: pytest.fail("drawn again"))
    assert f"Charts: runs/{base_run.folder.name}/report" in chipcast("run", "--draws", 4096, "--seed", 7).out
    assert {path: path.stat().st_ino for path in report.iterdir()} == before
    monkeypatch.setattr("sim.charts.charts", lambda tree: {"revenue.svg": b"new"})
    (report / "revenue.svg").unlink()
    assert chipcast("run", "--draws", 4096, "--seed", 7).code == 0
    assert (report / "revenue.svg").read_bytes() == b"new"


def test_run__json_is_the_same_table_and_nothing_else(chipcast, base_run, monkeypatch):
    monkeypatch.setattr("sim.charts.charts", lambda tree: {})
    ended = chipcast("run", "--json", "--draws", 4096, "--seed", 7, "--out", base_run.folder.parent)
    rows = [row for row in json.loads(ended.out) if row["output"] != "exceedance"]
    assert ended.code == 0
    assert str(base_run.folder) in ended.err
    for row in rows:
        whose = {"supplier", "buyer", "tier", "constraint"} & set(row)
        assert set(row) == {"output", "period", "unit", *FIGURES, *whose}
        assert len(whose) == 1
    (row,) = [
        row for row in rows if (row["output"], row.get("supplier"), row["period"]) == ("revenue", "nvidia", "2027")
    ]
    year = base_run.tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027")
    assert row["p50"] == float(year.sel(quantile=0.5))


def test_run__takes_targets_thresholds_and_exact_quantiles(chipcast, base_run, base_cells, monkeypatch):
    monkeypatch.setattr("sim.charts.charts", lambda tree: {})
    asked = ("--until", "p50:revenue[nvidia,2027] < 50%", "--threshold", "revenue[nvidia,2027] > 400")
    ended = chipcast("run", "--draws", 512, "--seed", 7, *asked, "--exact-quantiles", "--json")
    assert ended.code == 0, ended.err
    (folder,) = [path for path in Path("runs").iterdir() if (path / "COMMIT.json").exists()]
    tree, world = store.open_run(folder), base_run.world
    table = cells.tables(world)["year", "revenue"]
    at = table.periods.index("2027") * len(table.labels) + table.labels.index("nvidia")
    kept = base_cells[cells.starts(world)["year", "revenue"] + at, :512].astype(float)
    wanted = {"output": "revenue", "supplier": "nvidia", "period": "2027"}
    (row,) = [row for row in json.loads(ended.out) if wanted.items() <= row.items()]
    share = np.mean(kept > 400)
    exceedances = [row for row in json.loads(ended.out) if row["output"] == "exceedance"]
    assert exceedances[0] == {
        "output": "exceedance",
        "threshold": "revenue[nvidia,2027] > 400",
        "probability": share,
        "error": np.sqrt(share * (1 - share) / 512),
    }
    assert [row["p05"], row["p50"]] == [float(np.float32(np.quantile(kept, level))) for level in (0.05, 0.5)]
    passing = tree["prior_predictive/exceedance"].to_dataset()
    assert passing["threshold"].values.tolist() == [row["threshold"] for row in exceedances]
    assert passing["probability"].values.tolist() == [row["probability"] for row in exceedances]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--until", "p94:revenue[nvidia,2027] < 1%"), 2, "no figure 'p94'; one of p01, p05"),
        (("--until", "p95:revenue[nvidai,2027] < 1%"), 2, "'nvidia'"),
        (("--threshold", "revenu[nvidia,2027] > 4"), 2, "'revenue'"),
        (("--device", "tpu"), 6, "JAX finds no tpu on this machine; use --device cpu [device-missing]"),
        (("--device", "gpu"), 6, "JAX finds no gpu on this machine; use --device cpu [device-missing]"),
    ],
)
@pytest.mark.usefixtures("_base_read_once")
def test_run__refuses_a_target_that_is_none_and_a_device_that_is_missing(
    chipcast, nothing_simulated, arguments, code, words
):
    ended = chipcast("run", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert not Path("runs").exists()


def test_run__an_own_belief_under_a_hostile_name_is_another_run(chipcast, base_run, tmp_path):
    name = "[red]=cmd() $\\foo$ 日本 🚀 Ünïcødé"
    path = write(tmp_path / f"{name}.yaml", "set: {pue.max: 1.5}\n")
    ended = chipcast(
        "run", path, "--draws", 2, "--json", "--set", "capex_drift.p95=0.40", "--keep-draws", "--out", "own"
    )
    assert ended.code == 0
    (folder,) = [path for path in Path("own").iterdir() if (path / "COMMIT.json").exists()]
    assert re.fullmatch(r"[0-9a-f]{12}", folder.name)
    assert folder.name != base_run.folder.name
    tree = store.open_run(folder)
    assert tree["draws"].sizes["draw"] == 2
    assert float(tree["prior"]["capex_drift"].sel(quantile=0.95)) == pytest.approx(0.4)
    (row,) = json.loads(chipcast("list", "--out", "own", "--json").out)
    assert (row["id"], row["scenario"], row["draws"], row["problem"]) == (folder.name, name, 2, "")
    assert "[red]=cmd()" in chipcast("list", "--out", "own").out


@pytest.mark.parametrize("name", ["[red]runs[/red]", "[/]", "日本 🚀 $HOME a'b"])
def test_run__prints_a_hostile_folder_as_it_is_written(chipcast, base_run, tmp_path, monkeypatch, name):
    monkeypatch.setattr("sim.charts.charts", lambda tree: {})
    shutil.copytree(base_run.folder.parent, tmp_path / name)
    ended = chipcast("run", "--draws", 4096, "--seed", 7, "--out", tmp_path / name)
    assert ended.code == 0
    assert f"Run: {tmp_path / name / base_run.folder.name}\n" in ended.out


def test_replicate__computes_the_reports_figures(chipcast):
    ended = chipcast("replicate", "--json")
    rows = json.loads(ended.out)
    assert (ended.code, ended.err) == (0, "")
    assert len(rows) >= 100
    assert {row["status"] for row in rows} <= {"ok", "slip", "differs"}


def test_replicate__a_figure_that_fails_is_exit_1(chipcast, monkeypatch):
    from sim import replicate

    monkeypatch.setattr(replicate, "count", lambda rows: {"ok": len(rows) - 1, "fails": 1})
    assert chipcast("replicate").code == 1
    assert chipcast("replicate", "--json").code == 1


def test_verify__says_how_many_files_are_as_published(chipcast, base_run):
    ended = chipcast("verify", base_run.folder)
    assert re.fullmatch(rf"{re.escape(str(base_run.folder))}: \d{{3,4}} files, all as published\n", ended.out)
    (row,) = json.loads(chipcast("verify", base_run.folder, "--json").out)
    assert (row["run"], row["problem"]) == (str(base_run.folder), "")
    assert row["files"] == sum(path.is_file() for path in base_run.folder.rglob("*")) - len(
        [path for path in base_run.folder.glob("report/*")] + ["LOCK", "log.jsonl"]
    )


def test_verify_and_resume__of_a_damaged_run(chipcast, base_run, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.forecast.runs.PART", 2048)
    out = tmp_path / "runs"
    shutil.copytree(base_run.folder.parent, out)
    folder = out / base_run.folder.name
    whole = store.read_commit(folder).members()
    chunk = next(path for path in folder.glob("parts/0-*/revenue/c/**/*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1])
    ended = chipcast("verify", base_run.folder, folder)
    assert ended.code == 4
    assert ended.err.startswith(f"chipcast: {folder}: parts/0-2047/revenue/c/0/0/0 has ")
    assert ended.err.count("\n") == ended.out.count("\n") == 1
    assert [bool(row["problem"]) for row in json.loads(chipcast("verify", base_run.folder, folder, "--json").out)] == [
        False,
        True,
    ]
    refused = chipcast("resume", folder)
    assert refused.code == 4
    assert "chipcast resume RUN --repair" in refused.err
    assert chipcast("resume", folder, "--repair").out == f"{folder}: whole, 4,096 draws\n"
    assert store.read_commit(folder).members() == whole
    assert chipcast("verify", folder).code == 0
    again = json.loads(chipcast("resume", folder, "--json").out)
    assert again == {"run": str(folder), "draws": 4096, "commit": store.read_commit(folder).hash}


def test_gc__tells_what_it_frees(chipcast, base_run, tmp_path):
    out = tmp_path / "runs"
    shutil.copytree(base_run.folder.parent, out)
    rubbish = out / ".staging" / "dead"
    rubbish.mkdir(parents=True)
    (rubbish / "half").write_bytes(b"x" * 2_500_000)
    said = f"{rubbish}: its maker died, 2.5 MB\n"
    assert chipcast("gc", "--out", out, "--dry-run").out == f"{said}would free 2.5 MB in {out}\n"
    (row,) = json.loads(chipcast("gc", "--out", out, "--json").out)
    assert row == {"path": str(rubbish), "size": 2_500_000, "why": "its maker died"}
    assert chipcast("gc", "--out", out).out == f"freed 0.0 MB in {out}\n"


def test_export__writes_a_table_a_variable(chipcast, base_run, tmp_path):
    ended = chipcast("export", base_run.folder, "--to", tmp_path / "tables", "--json")
    written = json.loads(ended.out)
    assert ended.code == 0
    assert all(Path(path).parent == tmp_path / "tables" and Path(path).exists() for path in written)
    lines = (tmp_path / "tables" / "prior_predictive-year-revenue.csv").read_text().splitlines()
    assert lines[0].startswith("output,supplier,year,unit,p01,p05,")
    assert len(lines) == 1 + 10 * 9
    plain = chipcast("export", base_run.folder, "--to", tmp_path / "tables")
    assert plain.out == f"{len(written)} tables in {tmp_path / 'tables'}\n"


def test_validate__says_what_the_book_holds(chipcast):
    found = json.loads(chipcast("validate", "--json").out)
    assert (found["name"], found["as_of"], found["buyer"], found["supplier"]) == ("base", "2026-02-28", 8, 9)
    plain = chipcast("validate")
    assert plain.out.startswith("base: valid, as of 2026-02-28; ")
    assert found["sha256"][:12] in plain.out


@pytest.fixture
def small_books(monkeypatch, tmp_path):
    """The synthetic book of tests/book, with its vintages and scenarios, in place of the shipped one."""
    root, here = tmp_path / "priors", Path(__file__).parent / "book"
    shutil.copytree(here / "small", root)
    loader = importlib.import_module("sim.book.load")  # ``sim.book.load`` is the function of that name
    given = {**loader.load.__kwdefaults__, "priors": root, "inputs": table_of("book/conftest.py", "INPUTS")}
    monkeypatch.setattr(loader.load, "__kwdefaults__", given)


@pytest.mark.usefixtures("small_books")
@pytest.mark.parametrize(
    ("arguments", "name", "as_of", "told"),
    [
        ([], "base", "2025-02-28", False),
        (["base", "--as-of", "2025-02-28"], "base", "2025-02-28", False),
        (["--as-of", "2024-12-24"], "2024-11-30", "2024-11-30", True),
        (["2024-06-30"], "2024-06-30", "2024-06-30", False),
        (["dear", "fast"], "dear+fast", "2025-02-28", False),
        (["dear", "fast", "--as-of", "2024-06-30"], "dear+fast", "2024-06-30", False),
        (["2024-11-30", "dear"], "dear", "2024-11-30", False),
    ],
)
def test_validate__takes_dates_vintages_and_scenarios(chipcast, arguments, name, as_of, told):
    ended = chipcast("validate", "--json", *arguments)
    found = json.loads(ended.out)
    assert (ended.code, found["name"], found["as_of"]) == (0, name, as_of)
    assert ended.err == (f"chipcast: the book of {as_of} is used for {arguments[-1]}\n" if told else "")


@pytest.mark.usefixtures("small_books")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dear", "cheap"], 2, ["cheap.yaml:6:17: cheap and dear, at ", "dear.yaml:4:17, say different", "price.n1"]),
        (["dear", "fats"], 2, ["did you mean 'fast'", "[book-not-found]"]),
        (["dear", "dear"], 2, ["dear.yaml: dear changes nothing", "[book-no-change]"]),
        (["2024-06-30", "2024-11-30"], 2, ["[book-conflict]", "start all from one book"]),
        (["2024-06-31"], 2, ["did you mean '2024-06-30'"]),
        (["dear", "--as-of", "2024-06-29"], 3, ["no book as of 2024-06-29: the earliest is of 2024-06-30"]),
    ],
)
def test_validate__refuses_books_that_do_not_go_together(chipcast, arguments, code, words):
    ended = chipcast("validate", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert [word for word in words if word not in ended.err] == []


def test_run__loads_every_scenario_named(chipcast, monkeypatch, base_world):
    from sim import forecast

    asked = []
    monkeypatch.setattr(forecast, "load", lambda names, **given: asked.append((names, given)) or base_world)
    monkeypatch.setattr(forecast, "run", lambda *_, **__: sys.exit(0))
    ended = chipcast("run", "one", "two", "--as-of", "2026-03-15", "--set", "pue.max=1.5")
    chipcast("run")
    assert asked == [
        (["one", "two"], {"as_of": "2026-03-15", "overrides": {"pue.max": "1.5"}}),
        ("base", {"as_of": None, "overrides": {}}),
    ]
    assert ended.err == "chipcast: the book of 2026-02-28 is used for 2026-03-15\n"


def test_list__shows_runs_and_their_problems(chipcast, base_run, tmp_path):
    assert chipcast("list").out == "no runs in runs\n"
    assert json.loads(chipcast("list", "--json").out) == []
    out = tmp_path / "runs"
    shutil.copytree(base_run.folder.parent, out)
    shutil.copytree(base_run.folder, out / "damaged")
    (out / "damaged" / "COMMIT.json").write_text("{}")
    shown = chipcast("list")
    assert shown.code == 0
    assert base_run.folder.name in shown.out
    assert "store-damaged" in shown.out.replace("\n", "")  # a code in brackets is text, not markup
    rows = json.loads(chipcast("list", "--json").out)
    assert {row["id"]: bool(row["problem"]) for row in rows} == {base_run.folder.name: False, "damaged": True}


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in ("run", "replicate", "export"))])
def test_help__is_printed(chipcast, arguments):
    ended = chipcast(*arguments)
    assert ended.code == 0
    assert "Usage: chipcast" in ended.out


# --- what is refused -------------------------------------------------------------------------------------------------

SET = [
    ("prise.b200.p90=50", "did you mean 'price'"),
    ("price.b20.p90=50", "did you mean 'b200'"),
    ("price.b200.p9=50", "'p90'"),
    ("price.b200.p90=", "no path=value"),
    ("price.b200.p90", "no path=value"),
    ("=50", "no path=value"),
    ("price.b200.p90=43", "changes nothing"),
    ("price.b200.p90=5%", "write 0.05"),
    ("price.b200.p90=dear", "expected a number"),
    ("price.b200.p90=.inf", "finite"),
    ("price.b200.p90=1", "[book-value]"),
    ("price.b200.p90=!!python/name:os.system", "tag"),
    ("horizon=soon", "2030Q4"),
    ("chips.b200.supplier=nobody", "unknown supplier"),
]


@pytest.mark.usefixtures("_base_read_once")
@pytest.mark.parametrize(("setting", "words"), SET)
def test_run__refuses_what_cannot_be_set(chipcast, nothing_simulated, setting, words):
    ended = chipcast("run", "--set", setting)
    assert ended.code == 2
    assert words in ended.err
    assert "--set" in ended.err
    assert ended.out == ""
    assert not Path("runs").exists()


def test_run__refuses_the_same_path_twice(chipcast, nothing_simulated):
    ended = chipcast("run", "--set", "pue.max=1.5", "--set", "pue.max=1.6")
    assert (ended.code, "given twice" in ended.err) == (2, True)


@pytest.mark.usefixtures("_base_read_once")
@pytest.mark.parametrize("seed", ["x", "1.5", "", "-", "1e3", "0x10", "--5", "9" * 5000, "²"])
def test_run__refuses_a_seed_that_is_no_number(chipcast, nothing_simulated, seed):
    ended = chipcast("run", f"--seed={seed}")
    assert ended.code == 2
    assert "is not a whole number" in ended.err
    assert len(ended.err) < 200


@pytest.mark.usefixtures("_base_read_once")
@pytest.mark.parametrize("draws", ["1", "0", "-7", "1e5", "many"])
def test_run__refuses_a_number_of_draws_that_is_none(chipcast, nothing_simulated, draws):
    ended = chipcast("run", f"--draws={draws}")
    assert ended.code == 2
    assert draws in ended.err or "valid integer" in ended.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["run", "validate"])
def test_book__refuses_a_date_before_the_first_one(chipcast, nothing_simulated, command):
    first = next(iter(shipped().values()))
    ended = chipcast(command, "--as-of", first - timedelta(days=1))
    assert ended.code == 3
    assert f"no book as of {first - timedelta(days=1)}" in ended.err
    assert f"ask for {first} or later" in ended.err
    assert not Path("runs").exists()


def test_run__refuses_what_is_no_date(chipcast, nothing_simulated):
    assert chipcast("run", "--as-of", "28.2.2026").code == 2


def test_run__refuses_more_draws_than_fit_in_two_seconds(chipcast, nothing_simulated):
    began = time.process_time()
    ended = chipcast("run", "--draws", 10**9, "--keep-draws")
    assert time.process_time() - began < 2
    assert ended.code == 3
    assert re.search(r"at most [\d,]+ draws", ended.err)
    assert not Path("runs").exists()


def test_run__refuses_a_folder_that_is_not_ours(chipcast, tmp_path, base_run):
    (tmp_path / "thesis").mkdir()
    write(tmp_path / "thesis" / "a.tex", "years of work")
    ended = chipcast("run", "--draws", 2048, "--out", "thesis")
    assert ended.code == 3
    assert "no folder of runs" in ended.err
    assert [path.name for path in (tmp_path / "thesis").rglob("*")] == ["a.tex"]


@pytest.mark.usefixtures("_base_read_once")
@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("name", ["bas", "nowhere.yaml", "../../etc", "a" * 300, "[/]", "CON", "a\x1b[31mb", "../base"])
def test_book__refuses_what_is_no_book(chipcast, nothing_simulated, command, name):
    ended = chipcast(command, name)
    assert ended.code == 2
    assert ended.err.startswith("chipcast: ")
    assert not Path("runs").exists()


def test_open__says_what_is_no_run(chipcast, base_run, tmp_path):
    assert chipcast("export", "nowhere").code == 2
    (tmp_path / "empty").mkdir()
    assert chipcast("export", "empty").code == 4
    shutil.copytree(base_run.folder, tmp_path / "edited")
    commit = tmp_path / "edited" / "COMMIT.json"
    commit.write_text(commit.read_text().replace("4096", "9999"))
    ended = chipcast("export", "edited")
    assert ended.code == 4
    assert "edited/COMMIT.json: its hash is wrong" in ended.err
    assert not (tmp_path / "edited" / "report" / "csv").exists()


def test_main__a_device_error_is_exit_6(chipcast, monkeypatch):
    from sim import forecast

    def missing(*_, **__):
        raise DeviceError("device-missing", "no GPU here", remedy="leave out --device")

    monkeypatch.setattr(forecast, "load", missing)
    ended = chipcast("run")
    assert (ended.code, ended.err) == (6, "chipcast: no GPU here; leave out --device [device-missing]\n")


def test_main__debug_shows_the_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chipcast", "validate", "nowhere", "--debug"])
    with pytest.raises(Exception, match="book-not-found"):
        cli.main()


@pytest.mark.parametrize("arguments", [["--what"], ["run", "--what"], ["frobnicate"], ["export"], ["run", "a", "b"]])
def test_main__usage_errors_are_exit_2(chipcast, arguments):
    assert chipcast(*arguments).code == 2


# --- bad priors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "code", "line", "column", "words"), NOT_YAML.values(), ids=NOT_YAML)
def test_validate__points_at_what_is_no_strict_yaml(chipcast, tmp_path, text, code, line, column, words):
    path = write(tmp_path / "bad.yaml", text)
    ended = chipcast("validate", path)
    place = ":".join(str(part) for part in (path, line, column) if part is not None)
    assert ended.code == 2
    assert ended.err.startswith(f"chipcast: {place}: ")
    assert f"[{code}]" in ended.err
    assert words in ended.err
    assert ended.out == ""


CITED = 'source: [{judgement: "A guess."}]\n  reasoning: To see.\n  as_of: 2026-02-28\n'


def prior(dist: str, name: str = "pue", rest: str = CITED) -> str:
    """An overlay that changes one prior."""
    return f"{name}:\n  dist: {dist}\n  {rest}"


PERT = "{family: pert, min: 1.05, mode: 1.12, max: §"
ONE = "{family: fixed, value: 1}"
GUESS = 'judgement: "A guess."'
CORRELATION = 'source: [{judgement: "A."}], reasoning: B.}\n'

# § stands where the error has to point
BAD = {
    "unknown prior": (prior(ONE, "§puee"), "did you mean 'pue'"),
    "misspelt key": (prior(ONE, rest="§abuot: PUE.\n  " + CITED), "did you mean 'about'"),
    "unknown field": (prior("{family: pert, min: 1, §moed: 1.1, max: 2}"), "did you mean 'mode'"),
    "unknown family": (prior("{family: §prt, min: 1, mode: 1.1, max: 2}"), "did you mean 'pert'"),
    "unknown label": (prior(f"{{§b20: {ONE}}}", "price"), "did you mean 'b200'"),
    "text for a number": (prior("{family: fixed, value: §much}"), "expected a number"),
    "list for a number": (prior("{family: fixed, value: §[1]}"), "expected a number"),
    "percent": (prior(PERT + "5%}"), "write 0.05"),
    "thousands comma": (prior(PERT + '"1,000"}'), "write 1000"),
    "leading zero": (prior(PERT + "010}"), "write 10"),
    "sexagesimal": (prior(PERT + "1:30}"), "one plain number"),
    "the word no": (prior(PERT + "no}"), "expected a number, got text 'no'"),
    "not a number": (prior(PERT + ".nan}"), "finite"),
    "inverted bounds": (prior("§{family: uniform, lower: 2, upper: 1}"), "2"),
    "inverted quantiles": (prior("§{family: normal, p05: 2, p95: 1}"), "2"),
    "zero width": (prior("§{family: normal, p05: 1, p95: 1}"), "fixed"),
    "scale of zero": (prior("§{family: student_t, df: 4, location: 1, scale: 0}"), "scale"),
    "impossible quantiles": (prior("§{family: lognormal, p05: -1, p95: 1}"), "-1"),
    "probability above one": (prior("§{family: beta, p05: 0.5, p95: 1.5}", "ai_share_2030"), "1.5"),
    "unknown unit": (prior(ONE, rest="unit: §furlong\n  " + CITED), "'furlong'"),
    "wrong dimension": (prior(ONE, rest="unit: §bn USD\n  " + CITED), "money"),
    "wrong dims": (prior(ONE, rest="dims: §[chip]\n  " + CITED), "write []"),
    "uncited": ("pue:\n  §dist: " + ONE + "\n  reasoning: To see.\n", "source"),
    "no sources": (prior(ONE, rest=CITED.replace(f"[{{{GUESS}}}]", "§[]")), "[book-uncited]"),
    "citation without its figure": (
        prior(ONE, rest=CITED.replace(GUESS, "cite: HT24, where: T1, says: §much")),
        "states its figure",
    ),
    "unknown source": (
        prior(ONE, rest=CITED.replace(GUESS, 'cite: §HT25, where: T1, says: "1"')),
        "did you mean 'HT24'",
    ),
    "no such day": (prior(ONE, rest=CITED.replace("2026-02-28", "§2026-02-30")), "not a date"),
    "date after the book": (prior(ONE, rest=CITED.replace("2026-02-28", "§2026-03-28")), "2026-03-28"),
    "date out of range": (prior(ONE, rest=CITED.replace("2026-02-28", "§1026-02-28")), "2000 to 2100"),
    "quarters out of order": ("horizon: §2021Q4\n", "2022Q1"),
    "override of nothing": ("set:\n  pue.maxi: §2\n", "did you mean 'max'"),
    "override without effect": ("set:\n  pue.max: §1.4\n", "changes nothing"),
    "unknown extends": ("extends: §bse\n", "did you mean 'base'"),
    "circular extends": ("extends: §bad.yaml\n", "bad.yaml -> bad.yaml"),
    "buys from nobody": ("buyers:\n  meta: {buys: [§nvidai]}\n", "did you mean 'nvidia'"),
    "a path as a name": ("buyers:\n  §../x: {name: X, spending: direct, buys: [nvidia]}\n", "a-z"),
    "markup as a name": ('chips:\n  §"<b>[red]": {name: X, supplier: nvidia}\n', "<b>[red]"),
    "correlation above one": (f"correlations:\n  - {{within: price, rho: §1.5, {CORRELATION}", "rho"),
    "correlation of nobody": (
        f"correlations:\n  - {{between: [pue, §transit_], rho: 0.5, {CORRELATION}",
        "did you mean 'transit'",
    ),
    "correlation given twice": (
        f"correlations:\n  - {{between: [pue, transit], rho: 0.5, {CORRELATION}"
        f"  - §{{between: [transit, pue], rho: 0.5, {CORRELATION}",
        "transit",
    ),
}


@pytest.fixture
def _base_read_once(monkeypatch):
    """Read each shipped file once for all tests."""
    loader = importlib.import_module("sim.book.shelf")
    monkeypatch.setattr(loader, "read", lambda path: (read_shipped if "priors" in path.parts else yaml.read)(path))


read_shipped = functools.cache(yaml.read)


@pytest.mark.usefixtures("_base_read_once", "nothing_simulated")
@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_run__points_at_a_bad_prior_and_writes_nothing(chipcast, tmp_path, text, words):
    before, mark, after = text.partition("§")
    assert mark
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    path = write(tmp_path / "bad.yaml", before + after)
    ended = chipcast("run", path, "--out", "runs")
    assert ended.code == 2
    assert f"{path}:{line}:{column}: " in ended.err, ended.err
    assert words in ended.err
    assert re.search(r"\[(book|yaml)-[a-z-]+\]", ended.err)
    assert ended.out == ""
    assert not Path("runs").exists()


@pytest.mark.usefixtures("nothing_simulated")
@pytest.mark.parametrize("text", ["about: Nothing.\n", "extends: base\n"])
def test_run__refuses_an_overlay_that_changes_nothing(chipcast, tmp_path, text):
    ended = chipcast("run", write(tmp_path / "bad.yaml", text))
    assert ended.code == 2
    assert "bad.yaml: the overlay changes nothing" in ended.err


def test_run__refuses_correlations_that_no_matrix_has(chipcast, tmp_path, nothing_simulated):
    pairs = [("pue", "transit", 0.9), ("transit", "lifetime", 0.9), ("pue", "lifetime", -0.9)]
    lines = [
        f'  - {{between: [{a}, {b}], rho: {rho}, source: [{{judgement: "A."}}], reasoning: B.}}\n'
        for a, b, rho in pairs
    ]
    ended = chipcast("run", write(tmp_path / "bad.yaml", "correlations:\n" + "".join(lines)))
    assert ended.code == 2
    assert "eigenvalue" in ended.err
    assert not Path("runs").exists()


def test_validate__reports_every_fault_of_a_book(chipcast, tmp_path):
    first = prior("{family: fixed, value: much}")
    second = prior("{family: normal, p05: 2, p95: 1}", "transit")
    ended = chipcast("validate", write(tmp_path / "bad.yaml", first + second))
    assert "2 faults" in ended.err
    assert len(re.findall(r"bad\.yaml:\d+:\d+", ended.err)) == 2


@pytest.mark.usefixtures("_base_read_once")
@pytest.mark.parametrize("name", ["[red]", "[", "日本 🚀", "$\\foo$", "x" * 200, "=cmd()"])
def test_validate__prints_a_hostile_name_as_it_is_written(chipcast, tmp_path, name):
    path = write(tmp_path / f"{name}.yaml", "set: {pue.max: 1.5}\n")
    assert chipcast("validate", path).out.startswith(f"{name}: valid")


# --- the script itself -----------------------------------------------------------------------------------------------


def test_script__help_needs_no_heavy_package():
    code = "import sys\nfrom sim import cli\nheavy = ('jax', 'xarray', 'scipy', 'matplotlib', 'pydantic', 'numpy')\n"
    code += "sys.argv = ['chipcast', '--help']\ntry:\n    cli.main()\nexcept SystemExit:\n    pass\n"
    code += "print([name for name in heavy if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_script__exit_codes_reach_the_shell(tmp_path):
    def code(*arguments: str) -> int:
        return subprocess.run([SCRIPT, *arguments], cwd=tmp_path, capture_output=True, check=False).returncode

    assert code("validate", "nowhere") == 2


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_script__interrupted_is_exit_130_and_leaves_no_run(tmp_path, sign):
    code = "import sys, time\nfrom sim import cli, engine\n"
    code += "def sampled(*_):\n    print('simulating', flush=True)\n    time.sleep(60)\n"
    code += "engine.Engine._sampled = sampled\nsys.argv = ['chipcast', 'run', '--draws', '2048']\ncli.main()"
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "simulating\n"
        process.send_signal(sign)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted; run the same command again" in err
    assert "Traceback" not in err
    assert json.loads(subprocess.check_output([SCRIPT, "list", "--json"], cwd=tmp_path)) == []
