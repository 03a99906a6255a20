"""A new quarter: rows that were published from February to June 2025, brought to the record as of 2025-02-12."""

import csv
import datetime as dt
from io import StringIO

import numpy as np
import pytest

import sim
from sim import history, score, update
from sim.backtest import frozen
from sim.book.load import priors_folder
from sim.ensemble import ensemble, quantity
from sim.errors import BookError
from sim.update.review import DRAWS, ERROR

THEN, NOW = dt.date(2025, 2, 12), dt.date(2025, 6, 1)
TAKEN = ("capex_quarter", "revenue_data_center", "revenue_dc_compute")


def written(path, records):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, history.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return path


def rows_of(path):
    return list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))


def published(record):
    return history._last_day(record["first_published"])


@pytest.fixture(scope="module")
def shipped():
    return {path.name: rows_of(path) for path in (priors_folder() / "history").glob("*.csv")}


@pytest.fixture(scope="module")
def folder(shipped, tmp_path_factory):
    """The history as it stood on the vintage's day."""
    found = tmp_path_factory.mktemp("history")
    for name, records in shipped.items():
        written(found / name, [record for record in records if published(record) <= THEN])
    return found


@pytest.fixture(scope="module")
def all_records(shipped):
    """The rows of the quarter after it; where words differ from before, their note says so."""
    rows = [*shipped["capex.csv"], *shipped["revenue.csv"]]
    new = [dict(row) for row in rows if THEN < published(row) <= NOW and row["metric"] in TAKEN]
    return [row | {"note": f"definition: in other words. {row['note']}"} for row in new]


@pytest.fixture
def records(all_records):
    return list(all_records)


@pytest.fixture(scope="module")
def told(all_records, folder, tmp_path_factory):
    world = sim.load("2025-02-12")
    document = frozen.freeze(world, draws=2_048)
    path = written(tmp_path_factory.mktemp("new") / "new.csv", all_records)
    return update.review(path, world, folder, document)


def test_review__scores_what_the_rows_complete(told):
    """Alphabet and Microsoft as printed; NVIDIA's quarter by days: 26 of January, 64 to March of 91."""
    came = {row.quantity: row.truth for row in told.scores}
    assert set(came) == {
        f"capex[{name},2025Q1]" for name in ("microsoft", "alphabet", "amazon", "meta", "reported")
    } | {"line[nvidia,2025Q1]"}
    assert came["capex[alphabet,2025Q1]"] == pytest.approx(17.197, rel=1e-4)
    assert came["capex[microsoft,2025Q1]"] == pytest.approx(16.745, rel=1e-4)
    assert came["line[nvidia,2025Q1]"] == pytest.approx(35.6 * 26 / 91 + 39.1 * 64 / 91, rel=0.005)
    assert sum(value for name, value in came.items() if name.startswith("capex") and "reported" not in name) == (
        pytest.approx(came["capex[reported,2025Q1]"])
    )


def test_review__moves_what_is_correlated_and_names_the_largest_step(told):
    moved = {each.quantity: each for each in told.moved}
    year = moved["capex[reported,2025]"]
    assert told.effective > 400
    assert np.log(year.after[1] / year.before[1]) == pytest.approx(sum(step for _, step in year.by), abs=1e-9)
    assert abs(year.by[0][1]) == max(abs(step) for _, step in year.by)
    assert all("reported" not in name for name, _ in year.by)
    assert year.after[2] / year.after[0] < year.before[2] / year.before[0]


def test_moved__is_bayes_by_plain_weights(told):
    """The same posterior from an ensemble weighted by hand."""
    world = sim.load("2025-02-12")
    came = [row for row in told.scores if "reported" not in row.quantity]
    names = ["capex[reported,2025]", *(row.quantity for row in came)]
    draws = ensemble(world, [quantity(world, name) for name in names], draws=DRAWS).quantities
    distance = np.log(draws[1:] / np.array([[row.truth] for row in came])) / ERROR
    weights = np.exp(-(distance**2).sum(axis=0) / 2)
    expected = score.quantiles(draws[0], (0.05, 0.5, 0.95), weights)
    found = next(each.after for each in told.moved if each.quantity == names[0])
    assert found == pytest.approx(expected, rel=0.005)


def test_table__shows_rows_scores_and_moves(told):
    from rich.console import Console

    console = Console(width=200, file=StringIO())
    console.print(update.table(told))
    text = console.file.getvalue()
    assert "capex[meta,2025Q1]" in text
    assert "new in revenue.csv" in text
    assert "What moves" in text


def test_restated_figure__is_told_and_left_out(records, folder, tmp_path):
    before = next(row for row in records if row["entity"] == "meta")
    again = before | {"key": "meta.capex_quarter.2024Q4@restated", "period": "2024Q4", "start": "2024-10-01"}
    again |= {"end": "2024-12-31", "value": "14.5"}
    checked = update.check(written(tmp_path / "new.csv", [again]), folder)
    assert [(each.row.value, each.before.value) for each in checked.restated] == [(14.5, 14.425)]
    assert checked.new == ()


def test_write__appends_rows_as_they_are_and_nothing_else(records, folder, tmp_path):
    target = tmp_path / "history"
    target.mkdir()
    for path in folder.glob("*.csv"):
        (target / path.name).write_bytes(path.read_bytes())
    path = written(tmp_path / "new.csv", records)
    changed = update.write(path, update.check(path, target), target)
    assert [each.name for each in changed] == ["capex.csv", "revenue.csv"]
    for each in target.glob("*.csv"):
        before = (folder / each.name).read_text()
        assert each.read_text().startswith(before)
        assert (each.read_text() == before) == (each.name not in ("capex.csv", "revenue.csv"))
    now = [*rows_of(target / "capex.csv"), *rows_of(target / "revenue.csv")]
    assert all(each in now for each in records)
    with pytest.raises(BookError, match="is there already"):
        update.check(path, target)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metric": "capex_quartre"}, "update-series"),
        ({"entity": "metta"}, "update-series"),
        ({"unit": "USD_m"}, "update-unit"),
        ({"definition": "including leases", "note": ""}, "update-definition"),
        ({"first_published": "2025-03-01"}, "update-early"),
        ({"source": " "}, "update-source"),
        ({"source_kind": "low_confidence"}, "update-source"),
        ({"value": "1,000"}, "history-value"),
        ({"value": ""}, "history-value"),
        ({"start": "2025-13-01"}, "history-value"),
    ],
)
def test_check__names_file_and_line(records, folder, tmp_path, change, code):
    meta = next(i for i, row in enumerate(records) if row["entity"] == "meta")
    records[meta] = records[meta] | change
    path = written(tmp_path / "new.csv", records)
    with pytest.raises(BookError) as caught:
        update.check(path, folder)
    assert caught.value.code == code
    assert f"new.csv:{meta + 2}" in str(caught.value)


def test_check__tells_all_faults_at_once(records, folder, tmp_path):
    rows = [row | {"unit": "EUR"} for row in records[:3]]
    with pytest.raises(BookError) as caught:
        update.check(written(tmp_path / "new.csv", rows), folder)
    assert str(caught.value).count("update-unit") == 3


def test_check__of_an_empty_file(folder, tmp_path):
    with pytest.raises(BookError, match="add a row"):
        update.check(written(tmp_path / "new.csv", []), folder)
