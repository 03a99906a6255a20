"""``chipcast backtest``, ``freeze`` and ``score``: what they print, what they write, and how they refuse."""

import json
from pathlib import Path

import pytest

from sim.backtest import frozen, rolling, scoreboard
from sim.backtest.opponents import METHODS
from sim.backtest.scored import OURS

DRAWS = 512


@pytest.fixture
def unfitted(monkeypatch):
    """Spread factors of one, without the fits that they are learned from."""
    ones = {group: dict.fromkeys(METHODS, 1.0) for group in ("company", "total")}
    monkeypatch.setattr(rolling, "factors", lambda *_, **__: ones)


@pytest.fixture(scope="module")
def forecast_file(base_world, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "frozen.json"
    frozen.write(frozen.freeze(base_world, draws=DRAWS), path)
    return path


# backtest


@pytest.mark.usefixtures("unfitted")
def test_backtest__prints_scores_of_a_vintage_as_json(chipcast):
    ended = chipcast("backtest", "--vintage", "2024-05-27", "--draws", DRAWS, "--no-rolling", "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert (found["vintages"], found["draws"], found["scored_by"]) == (["2024-05-27"], DRAWS, "2026-02-28")
    (ours,) = [row for row in found["rows"] if (row["quantity"], row["method"]) == ("capex[reported,2024]", OURS)]
    assert ours["truth"] == pytest.approx(223.0, abs=0.05)
    assert 0.01 < ours["pit"] < 0.99
    assert ours["p05"] < ours["p50"] < ours["p95"]
    assert len(ours["covered"]) == len(found["levels"]) == 3
    methods = {row["method"] for row in found["summary"] if row["metric"] == "all figures"}
    assert methods == {OURS, *METHODS, "consensus, dressed", "company guidance, dressed"}
    for row in found["summary"]:
        assert (row["skill"] is None) == (row["method"] == OURS)
    walk = next(r for r in found["summary"] if (r["metric"], r["method"]) == ("all figures", METHODS[0]))
    assert walk["skill"]["low"] < walk["skill"]["skill"] < walk["skill"]["high"]
    assert found["rolling"] == []


def test_backtest__prints_tables_and_sentences(chipcast, board, monkeypatch):
    asked = []
    monkeypatch.setattr(scoreboard, "scoreboard", lambda *names, **given: asked.append((names, given)) or board)
    ended = chipcast("backtest", "--vintage", "all", "--draws", DRAWS, "--seed", 5)
    assert (ended.code, ended.err) == (0, "")
    assert "capex, total, years" in ended.out
    assert "random walk with drift" in ended.out
    assert "The book of 2024-05-27" in ended.out
    assert [(names, given["seed"], given["draws"], given["with_rolling"]) for names, given in asked] == [
        (((),), 5, DRAWS, True)
    ]


@pytest.mark.usefixtures("nothing_simulated")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--vintage", "2024-05-28"], "one of 2024-02-08"),
        (["--vintage", "base"], "no vintage 'base'"),
        (["--seed", "x"], "whole number"),
        (["--seed=-1"], "below 0"),
        (["--draws", "many"], "valid integer"),
    ],
)
def test_backtest__refuses(chipcast, arguments, says):
    ended = chipcast("backtest", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert ended.out == ""


# freeze and score


def test_freeze__writes_a_dated_hashed_file(chipcast, base_world):
    ended = chipcast("freeze", "--draws", DRAWS, "--to", "mine/frozen.json")
    assert ended.code == 0
    document = frozen.read(Path("mine/frozen.json"))
    assert (document["as_of"], document["draws"], document["book_sha256"]) == (
        "2026-02-28",
        DRAWS,
        base_world.book.digest,
    )
    assert f"{len(document['figures'])} figures as of 2026-02-28, sha256 {document['sha256'][:12]}" in ended.out


def test_freeze__of_an_earlier_date_says_which_book(chipcast):
    ended = chipcast("freeze", "--draws", DRAWS, "--as-of", "2024-06-30")
    assert ended.code == 0
    assert "the book of 2024-05-27 is used for 2024-06-30" in ended.err
    assert frozen.read(Path("frozen.json"))["as_of"] == "2024-05-27"


def test_freeze__never_overwrites(chipcast):
    Path("frozen.json").write_text("mine", encoding="utf-8")
    ended = chipcast("freeze", "--draws", DRAWS)
    assert (ended.code, "is there already" in ended.err) == (2, True)
    assert Path("frozen.json").read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("nothing_simulated")
def test_score__prints_a_table_or_json(chipcast, forecast_file):
    Path("actuals.csv").write_text("metric,entity,period,value,error\ncapex,meta,2026,140,\n", encoding="utf-8")
    ended = chipcast("score", forecast_file, "--actuals", "actuals.csv")
    assert ended.code == 0
    assert "capex[meta,2026]" in ended.out
    ended = chipcast("score", forecast_file, "--actuals", "actuals.csv", "--json")
    (row,) = json.loads(ended.out)
    assert (row["quantity"], row["truth"], row["method"]) == ("capex[meta,2026]", 140.0, OURS)
    assert 0 < row["pit"] < 1


@pytest.mark.usefixtures("nothing_simulated")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("capex,meta,2026,-1,", "actuals.csv:2: value '-1' is no number above 0"),
        ("capex,meta,2026,140,0", "actuals.csv:2: error '0' is no number above 0"),
        ("capex,apple,2026,140,", "actuals.csv:2: capex[apple,2026] was not frozen"),
    ],
)
def test_score__names_the_line_that_is_wrong(chipcast, forecast_file, line, says):
    Path("actuals.csv").write_text(f"metric,entity,period,value,error\n{line}\n", encoding="utf-8")
    ended = chipcast("score", forecast_file, "--actuals", "actuals.csv")
    assert ended.code == 2
    assert says in ended.err
    assert ended.out == ""


def test_score__refuses_a_file_that_was_changed_or_is_not_there(chipcast, forecast_file):
    Path("actuals.csv").write_text("metric,entity,period,value,error\n", encoding="utf-8")
    text = forecast_file.read_text(encoding="utf-8")
    Path("changed.json").write_text(text.replace('"as_of": "2026', '"as_of": "2025'), encoding="utf-8")
    ended = chipcast("score", "changed.json", "--actuals", "actuals.csv")
    assert (ended.code, "not as it was frozen" in ended.err) == (4, True)
    assert chipcast("score", "nowhere.json", "--actuals", "actuals.csv").code == 2
    assert chipcast("score", forecast_file, "--actuals", "nowhere.csv").code == 2
