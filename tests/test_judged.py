"""``chipcast consensus``, ``condition`` and ``update``: what they print, what they write, and how they refuse."""

import csv
import json
from pathlib import Path

import pytest

import sim
from sim import history
from sim.book.load import priors_folder

HISTORY = priors_folder() / "history"


@pytest.fixture
def rows(tmp_path):
    """A synthetic quarter of NVIDIA after the book: a fifth above its last, in the words of the record."""
    with (HISTORY / "revenue.csv").open(encoding="utf-8", newline="") as file:
        known = {row["key"]: row for row in csv.DictReader(file)}
    made = []
    for metric in ("revenue_data_center", "revenue_dc_compute"):
        last = known[f"nvidia.{metric}.FY26Q4"]
        changed = {"key": f"nvidia.{metric}.FY27Q1", "period": "FY27Q1", "start": "2026-01-26", "end": "2026-04-26"}
        changed |= {"value": str(1.2 * float(last["value"])), "first_published": "2026-05-27", "note": "synthetic"}
        made.append(last | changed)
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, history.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    return path


def test_consensus__places_the_points_of_the_day(chipcast):
    ended = chipcast("consensus", "2024-05-27", "--draws", "1024", "--json")
    assert ended.code == 0
    found = {(each["point"]["who"], each["point"]["quantity"]): each for each in json.loads(ended.out)}
    visible = found["Visible Alpha consensus (HT24)", "capex[reported,2025]"]
    assert 0.01 < visible["below"]["value"] < 0.5  # 221 bn against a median near 270
    assert all(each["point"]["date"] <= "2024-05-27" for each in found.values())


def test_consensus__refuses_a_list_that_is_not_there(chipcast):
    ended = chipcast("consensus", "--file", "nowhere.yaml")
    assert ended.code == 2
    assert "nowhere.yaml" in ended.err


def test_condition__stores_a_posterior_that_opens(chipcast, tmp_path):
    Path("on.csv").write_text("metric,entity,period,value,error\nline,nvidia,2026Q1,75,10%\n", encoding="utf-8")
    ended = chipcast("condition", "base", "--on", "on.csv", "--draws", "1024", "--out", tmp_path / "runs")
    assert ended.code == 0
    folder = next(line.removeprefix("Run: ") for line in ended.out.splitlines() if line.startswith("Run: "))
    tree = sim.open(folder)
    assert {"posterior", "posterior_predictive", "prior", "observed_data"} <= set(tree.children)
    assert 400 < tree.attrs["effective_draws"] < 1024


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("line,nvidai,2026Q1,75,10%", "nvidia"),
        ("line,nvidia,2025Q1,40,10%", "in the record"),
        ("line,nvidia,2026Q1,75,0", "not above 0"),
        ("line,nvidia,2026Q1,75000,1%", "out of proportion"),
    ],
)
def test_condition__names_file_and_line(chipcast, row, says):
    Path("on.csv").write_text(f"metric,entity,period,value,error\n{row}\n", encoding="utf-8")
    ended = chipcast("condition", "base", "--on", "on.csv", "--draws", "1024")
    assert ended.code == 2
    assert "on.csv:2" in ended.err
    assert says in ended.err


def test_update__scores_the_shipped_forecast_and_leaves_the_record_alone(chipcast, rows):
    before = {path.name: path.read_bytes() for path in HISTORY.glob("*.csv")}
    ended = chipcast("update", rows, "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert [row["period"] for row in told["new"]] == ["FY27Q1", "FY27Q1"]
    assert {row["quantity"] for row in told["scores"]} == {"line[nvidia,2026Q1]"}
    assert {path.name: path.read_bytes() for path in HISTORY.glob("*.csv")} == before


def test_update__refuses_what_is_there_already(chipcast):
    ended = chipcast("update", HISTORY / "revenue.csv")
    assert ended.code == 2
    assert "is there already" in ended.err
