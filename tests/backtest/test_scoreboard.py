"""The scoreboard put together: which books, which factors, its sentences, its JSON and its tables."""

import functools
import json
import math
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from sim.backtest import rolling, scoreboard, vintages
from sim.backtest.scoreboard import as_json, dates, sentences, table
from sim.backtest.scored import OURS, Case
from sim.book.load import load
from sim.errors import BookError
from sim.world import build

WALK = "random walk with drift"


@functools.cache
def world_of(name):
    """A shipped world, made once."""
    return build(load(name))


def told(text):
    console = Console(width=200, file=StringIO())
    console.print(text)
    return console.file.getvalue()


def test_dates__are_the_books_that_something_came_after():
    assert dates() == ["2024-02-08", "2024-05-27", "2024-09-01", "2025-02-12"]


# which are run


@pytest.fixture
def ran(monkeypatch):
    """The books and factors that are asked for, with nothing run."""
    asked = []

    def cases(book, later, folder, annual, factors, *, seed, draws):
        asked.append(
            (book.book.as_of.isoformat(), annual.years[-1], factors, seed, draws, later.book.as_of.isoformat())
        )
        return [Case("m", "q", book.book.as_of.isoformat(), 2024, 1.0, 3.0, 0.0, {OURS: np.array([1.0, 2.0, 4.0])})]

    monkeypatch.setattr(vintages, "cases", cases)
    monkeypatch.setattr(scoreboard, "load", lambda name: name)
    monkeypatch.setattr(scoreboard, "build", world_of)
    monkeypatch.setattr(rolling, "factors", lambda annual, **_: f"learned by the end of {annual.years[-1]}")
    return asked


def test_scoreboard__runs_each_book_with_the_factors_learned_by_its_date(ran):
    made = scoreboard.scoreboard(seed=7, draws=50, with_rolling=False)
    assert [(each[0], each[1]) for each in ran] == [
        ("2024-02-08", 2023), ("2024-05-27", 2023), ("2024-09-01", 2023), ("2025-02-12", 2024)
    ]  # fmt: skip
    assert [each[2] for each in ran] == [f"learned by the end of {each[1]}" for each in ran]
    assert {each[3:] for each in ran} == {(7, 50, "2026-02-28")}
    assert (made.seed, made.draws, made.rolling, len(made.rows)) == (7, 50, (), 4)
    assert made.scored_by.isoformat() == "2026-02-28"


def test_scoreboard__runs_the_books_that_are_named_once_each(ran):
    made = scoreboard.scoreboard(["2024-09-01", "2024-05-27", "2024-09-01"], with_rolling=False)
    assert [each[0] for each in ran] == list(made.vintages) == ["2024-09-01", "2024-05-27"]
    assert len(made.rows) == 2


@pytest.mark.parametrize("name", ["2026-02-28", "base", "2024-05-28", ""])
def test_scoreboard__names_the_books_where_there_is_none(ran, name):
    with pytest.raises(BookError, match="2024-02-08, 2024-05-27, 2024-09-01, 2025-02-12") as caught:
        scoreboard.scoreboard([name])
    assert caught.value.code == "backtest-vintage"
    assert ran == []


def test_scoreboard__refuses_a_seed_below_zero(ran):
    with pytest.raises(BookError, match="below 0"):
        scoreboard.scoreboard(seed=-1)
    assert ran == []


def test_scoreboard__resamples_years_of_the_books_and_three_origins_at_once(ran, monkeypatch):
    blocks = []
    monkeypatch.setattr(rolling, "cases", lambda *_, **__: [])
    monkeypatch.setattr(scoreboard, "summaries", lambda rows, *, block, pooled="": blocks.append((block, pooled)) or [])
    scoreboard.scoreboard(["2024-05-27"])
    assert blocks == [(1, "all figures"), (3, "")]


def test_scoreboard__rolls_over_the_record_that_is_known_today(ran, monkeypatch):
    asked = []
    monkeypatch.setattr(rolling, "cases", lambda known, **given: asked.append((known.years[-1], given)) or [])
    scoreboard.scoreboard(["2024-05-27"], seed=7)
    assert [(year, given["seed"], given["as_of"].isoformat()) for year, given in asked] == [(2025, 7, "2026-02-28")]


# what is told


def test_sentences__tell_of_each_figure_what_was_said_what_came_and_where_it_fell(board):
    first, second = sentences(board)
    for part in ("2024-02-08", "202 bn", "160 to 260", "223 came", "75th percentile", "272 bn", "373 came", "91st"):
        assert part in first
    assert "onsensus" not in first
    for part in ("2024-05-27", "196 bn", "consensus 199", "90th percentile", "NVIDIA", "106 bn", "79th"):
        assert part in second
    assert "2025" not in second  # nothing of it came in this board


@pytest.mark.parametrize(
    ("pit", "words"),
    [
        (0.21, "21st"),
        (0.02, "2nd"),
        (0.534, "53rd"),
        (0.11, "11th"),
        (0.12, "12th"),
        (0.13, "13th"),
        (0.5, "50th"),
        (0.999, "99th"),
        (0.0, "1st"),
    ],
)
def test_sentences__count_percentiles_in_words(board, pit, words):
    rows = tuple(replace(each, pit=pit) for each in board.rows)
    assert f"the {words} percentile" in sentences(replace(board, rows=rows))[0]


def test_json__holds_everything_and_null_for_what_has_no_value(board):
    found = json.loads(json.dumps(as_json(board), allow_nan=False))
    assert found["scored_by"] == "2026-02-28"
    assert found["levels"] == [0.5, 0.8, 0.9]
    assert len(found["rows"]) == len(board.rows)
    assert {"crps", "log_score", "pit", "covered", "width", "bias", "p05", "p50", "p95", "truth"} <= set(
        found["rows"][0]
    )
    walk = next(each for each in found["summary"] if each["method"] == WALK)
    assert walk["skill"]["skill"] == pytest.approx(1 - 0.08 / 0.16)
    assert walk["skill"]["low"] is None  # one year alone
    assert walk["skill"]["cases"] == 1
    assert next(each for each in found["summary"] if each["method"] == OURS)["skill"] is None
    rolled = next(each for each in found["rolling_summary"] if each["method"] == WALK)
    assert (rolled["skill"]["skill"], rolled["skill"]["times"]) == (pytest.approx(0.2), 2)
    assert found["sentences"] == sentences(board)


def test_json__pools_all_figures(board):
    found = {(each["metric"], each["method"]): each for each in as_json(board)["summary"]}
    assert found["all figures", OURS]["cases"] == 4
    assert found["capex, total, years", OURS]["cases"] == 3


def test_table__shows_scores_and_leaves_empty_what_has_no_value(board):
    text = told(table(board))
    walk = next(line for line in text.splitlines() if WALK in line)
    assert "+.50" in walk
    assert "nan" not in text
    assert "Dated books" in text
    assert "rolling origins" in text
    for sentence in sentences(board):
        assert sentence[:60] in text
    assert "rolling origins" not in told(table(replace(board, rolling_summary=())))


def test_summary__of_one_year_has_no_interval(board):
    walk = next(each for each in board.summary if each.method == WALK)
    assert math.isnan(walk.skill.low)
    assert walk.skill.times == 1
