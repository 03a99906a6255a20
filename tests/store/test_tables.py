import csv
import json

import numpy as np
import pytest
import xarray as xr

from sim.errors import RefusedError
from sim.store import open_run, read_commit, to_csv
from sim.store.tables import cell, quantile_name


def test_to_csv__is_one_tidy_table_per_variable(published, tmp_path):
    tree = open_run(published)
    files = to_csv(tree, tmp_path / "csv")
    assert sorted(path.name for path in files) == sorted(
        [
            "prior_predictive-revenue.csv",
            "prior_predictive-h100e_total.csv",
            "prior_predictive-shortfall.csv",
            "observed_data-revenue.csv",
            "constant_data-name.csv",
            "constant_data-as_of.csv",
        ]
    )
    rows = list(csv.DictReader((tmp_path / "csv/prior_predictive-revenue.csv").read_text().splitlines()))
    assert list(rows[0]) == ["output", "supplier", "period", "unit", "p05", "p25", "p50", "p75", "p95"]
    assert len(rows) == 20
    row = next(row for row in rows if row["supplier"] == "amd" and row["period"] == "2026Q3")
    assert (row["output"], row["unit"]) == ("revenue", "bn USD")
    wanted = tree["prior_predictive/revenue"].sel(supplier="amd", time="2026Q3", quantile=0.95).item()
    assert np.float32(row["p95"]) == np.float32(wanted)


def test_to_csv__names_the_commit(published, tmp_path):
    to_csv(open_run(published), tmp_path)
    source = json.loads((tmp_path / "commit.json").read_text())
    assert source["commit"] == read_commit(published).hash
    assert len(source["files"]) == 6


def test_to_csv__missing_numbers_are_empty_and_formulas_are_text(published, tmp_path):
    to_csv(open_run(published), tmp_path)
    rows = list(csv.reader((tmp_path / "observed_data-revenue.csv").read_text().splitlines()))
    assert rows[1] == ["revenue", "nvidia", "2025Q3", "bn USD", "1.5"]
    assert rows[2][-1] == ""
    assert rows[7][1] == "'=cmd()|'x'!A1"


@pytest.mark.parametrize(
    ("start", "written"),
    [
        *((sign, f"'{sign}") for sign in "=+-@"),
        ("\t=", "\\t="),
        ("\r=", "\\r="),
        ("\n@", "\\n@"),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_cell__text_is_never_a_formula_nor_moves_a_cursor(start, written):
    assert cell(start + "1+1") == f"{written}1+1"


@pytest.mark.parametrize(("value", "text"), [(np.float32(-0.1), "-0.1"), (np.float64(1e-7), "1e-07"), (3, "3")])
def test_cell__numbers_are_plain(value, text):
    assert cell(value) == text


def test_quantile_name():
    assert [quantile_name(level) for level in (0.05, 0.5, 0.95, 0.025, 0.07)] == ["p05", "p50", "p95", "p2.5", "p07"]


def test_to_csv__refuses_hostile_names(tmp_path):
    tree = xr.DataTree.from_dict({"/prior": xr.Dataset({"..": 1.0})})
    with pytest.raises(RefusedError, match="cannot name a file"):
        to_csv(tree, tmp_path)
