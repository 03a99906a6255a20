"""The tables of several runs side by side: labels that some lack, what is compared, and what is said of it."""

import json

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sim.sweep import as_json, table
from sim.sweep.batch import Failure, Swept
from sim.sweep.results import joined, rows

LEVELS = [0.05, 0.5, 0.95]


def run_of(label, suppliers, years, start, as_of="2024-02-08", **attrs):
    """What is kept of a made-up run: figures count up from ``start``, with the quantile first."""
    shape = len(LEVELS), len(suppliers), len(years)
    values = start + np.arange(np.prod(shape), dtype=float).reshape(shape)
    table = xr.Dataset(
        {
            "h100e": (("quantile", "supplier", "year"), values, {"units": "M H100e"}),
            "revenue": (("quantile", "supplier", "year"), 10 * values, {"units": "bn USD", "long_name": "revenue"}),
        },
        {"quantile": LEVELS, "supplier": suppliers, "year": years},
    )
    about = {
        "run": f"run-{label}",
        "commit": f"c-{label}",
        "scenario": label,
        "as_of": as_of,
        "seed": "0",
        "draws": 512,
    }
    return {"": xr.Dataset(attrs=about | attrs), "prior_predictive/year": table}


@pytest.fixture
def pair():
    """Two runs: the second lacks a supplier of the first, has one of its own, and other years in another order."""
    return {
        "one": run_of("one", ["nvidia", "amd", "total"], ["2025", "2026"], 0),
        "two": run_of("two", ["total", "new", "nvidia"], ["2024", "2025", "2026"], 100),
    }


def test_joined__puts_scenarios_first_with_run_and_commit_beside_them(pair):
    tree = joined(pair, {"one": {}, "two": {}}, {"title": "x"})
    year = tree["prior_predictive/year"]
    assert year["h100e"].dims == ("scenario", "quantile", "supplier", "year")
    assert year["scenario"].values.tolist() == ["one", "two"]
    assert year.sel(scenario="two")["run"].item() == "run-two"
    assert year["commit"].values.tolist() == ["c-one", "c-two"]
    assert tree.attrs == {"title": "x"}


def test_joined__every_figure_stands_under_its_own_labels(pair):
    year = joined(pair, {"one": {}, "two": {}}, {})["prior_predictive/year"].to_dataset()
    for label, run in pair.items():
        own = run["prior_predictive/year"]
        found = year.sel(scenario=label, supplier=own["supplier"].values, year=own["year"].values)
        for name in ("h100e", "revenue"):
            np.testing.assert_array_equal(found[name].values, own[name].values)
    assert year["revenue"].attrs["long_name"] == "revenue"


def test_joined__what_a_run_lacks_is_not_a_number_and_marked(pair):
    year = joined(pair, {"one": {}, "two": {}}, {})["prior_predictive/year"].to_dataset()
    assert year["supplier"].values.tolist() == ["nvidia", "amd", "total", "new"]
    assert year["year"].values.tolist() == ["2024", "2025", "2026"]
    assert np.isnan(year["h100e"].sel(scenario="one", year="2024")).all()
    assert np.isnan(year["h100e"].sel(scenario="two", supplier="amd")).all()
    assert int(np.isfinite(year["h100e"]).sum()) == 3 * (3 * 2 + 3 * 3)
    assert year["h100e"].attrs["missing_ok"] == 1
    alike = {"one": pair["one"], "again": pair["one"]}
    same = joined(alike, {"one": {}, "again": {}}, {})["prior_predictive/year"].to_dataset()
    assert "missing_ok" not in same["h100e"].attrs


def test_joined__says_what_was_set_as_a_number_and_as_written(pair):
    values = {"one": {"a": 1, "b": "2031Q4"}, "two": {"a": 2.5}}
    told = joined(pair, values, {})["variants"].to_dataset()
    assert told["path"].values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(told["value"].values, [[1, np.nan], [2.5, np.nan]])
    assert told["written"].values.tolist() == [["1", '"2031Q4"'], ["2.5", ""]]
    assert told["seed"].values.tolist() == ["0", "0"]


def test_rows__compare_the_year_after_the_newest_book_and_the_last_that_all_have(pair):
    pair["one"][""].attrs["as_of"] = "2023-02-08"
    pair["two"] = run_of("two", ["total", "nvidia"], ["2024", "2025", "2026", "2027"], 100)
    found = rows(joined(pair, {"one": {}, "two": {}}, {}))
    assert [(row["output"], row["supplier"], row["period"], row["variant"]) for row in found] == [
        (output, supplier, year, label)
        for output, supplier in (("h100e", "total"), ("revenue", "nvidia"))
        for year in ("2025", "2026")
        for label in ("one", "two")
    ]
    first, second = found[:2]
    # one: quantile q, third of three suppliers, first of two years: 6 q + 4; two: 8 q + 1 + 100
    assert (first["p05"], first["p50"], first["p95"], first["difference"]) == (4, 10, 16, 0)
    assert (second["p05"], second["p50"], second["p95"], second["difference"]) == (101, 109, 117, 99)


def shown(swept):
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(table(swept))
    return capture.get()


def test_table__fits_eighty_columns_whatever_the_labels(pair, tmp_path):
    long = {f"{name}, " + "a.long.path=0.123456789, " * 2: run for name, run in pair.items()}
    failure = Failure("x" * 70, "run-not-finite", "units[nvidia, 2026Q1] of draw 0 is nan; " * 4)
    swept = Swept(tmp_path, joined(long, {key: {} for key in long}, {}), [failure], [])
    text = shown(swept)
    assert max(map(len, text.splitlines())) <= 80
    assert "1,170" in text  # P95 of the second's revenue, whole
    assert "…" not in text
    assert "units[nvidia, 2026Q1]" in " ".join(text.split())


def test_table__escapes_nothing_into_markup(pair, tmp_path):
    odd = {"[red]a[/red]": pair["one"]}
    swept = Swept(tmp_path, joined(odd, {key: {} for key in odd}, {}), [Failure("[b]", "code", "[i]why[/i]")], [])
    text = shown(swept)
    assert text.count("[red]a[/red]") == 4 + 1  # in each block, and as what the others are compared with
    assert "[b]" in text
    assert "[i]why[/i]" in text


def test_as_json__has_runs_rows_and_failures(pair, tmp_path):
    swept = Swept(tmp_path / "abc", joined(pair, {"one": {}, "two": {}}, {}), [Failure("x", "code", "why")], [])
    told = json.loads(json.dumps(as_json(swept), allow_nan=False))
    assert told["sweep"] == "abc"
    assert [each["run"] for each in told["variants"]] == ["run-one", "run-two"]
    assert told["failed"] == [{"label": "x", "code": "code", "message": "why"}]
    assert len(told["rows"]) == 2 * 2 * 2
    nothing = as_json(Swept(None, None, [], []))
    assert (nothing["sweep"], nothing["variants"], nothing["rows"]) == (None, [], [])
