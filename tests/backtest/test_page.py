"""docs/scoreboard.md and the README's table: what is written by hand stays, and the two agree."""

import datetime as dt
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sim.backtest import page
from sim.backtest.page import BEGIN, END, README_BEGIN, RECORD, generated, readme_table, record, written
from sim.backtest.safety import Place
from sim.backtest.scoreboard import Scoreboard, sentences
from sim.backtest.scored import summaries
from sim.backtest.vintages import CONSENSUS

ROOT = Path(__file__).parents[2]
HEADLINES = ("capex[reported,2024]", "capex[reported,2025]", "line[nvidia,2024]", "line[nvidia,2025]")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def part(path, begin):
    """The generated part of a shipped page."""
    before, found, rest = (ROOT / path).read_text(encoding="utf-8").partition(begin)
    assert found
    assert END in rest
    assert begin not in before
    return rest.partition(END)[0]


@pytest.fixture
def board(row):
    rows = []
    for i, quantity in enumerate(HEADLINES):
        metric, truth = ("capex, total, years", "NVIDIA data centre, years")[i > 1], 100.0 * (i + 1)
        given = {"metric": metric, "quantity": quantity, "truth": truth, "time": 2024 + i % 2, "made": "2024-05-27"}
        rows += [row(**given, p05=truth - 40, p50=truth - 10, p95=truth + 30, pit=0.624)]
        if i < 2:
            rows += [row(**given, method=CONSENSUS, p50=truth - 20)]
    rows += [row(quantity="capex[meta,2024]", made="2024-05-27")]
    summary = tuple(summaries(rows, block=1, pooled="all figures"))
    return Scoreboard(dt.date(2026, 2, 28), 20_480, 0, ("2024-05-27",), tuple(rows), summary, tuple(rows), summary)


def place(**changes):
    return Place("2024-05-27", "2025", -0.05, 0.75, p01=250.0, p99=400.0, came=372.6, pit=0.93)._replace(**changes)


# pages made anew


def test_written__keeps_what_stands_before_and_after():
    text = f"# By hand\n\n{BEGIN}\nold\nolder\n{END}\n\n## By hand too\n{END} in passing\n"
    made = written(text, ["new", "newer"])
    assert made == f"# By hand\n\n{BEGIN}\nnew\nnewer\n{END}\n\n## By hand too\n{END} in passing\n"
    assert written(made, ["new", "newer"]) == made


def test_written__changes_the_part_that_is_named():
    text = f"a\n{BEGIN}\none\n{END}\nb\n{README_BEGIN}\ntwo\n{END}\nc\n"
    assert written(text, ["2"], README_BEGIN) == f"a\n{BEGIN}\none\n{END}\nb\n{README_BEGIN}\n2\n{END}\nc\n"


def test_generated__has_a_row_for_each_headline_forecast(board):
    lines = list(generated(board, [place()]))
    rows = [cells(line) for line in lines if line.startswith("| `")]
    assert [(row[0].strip("`"), row[2]) for row in rows] == [
        (row.quantity, row.method) for row in board.rows if row.quantity in HEADLINES
    ]
    assert rows[0][3:8] == ["60", "90", "130", "100", "0.624"]
    assert not [line for line in lines if "capex[meta" in line]
    for sentence in sentences(board):
        assert f"- {sentence}" in lines


def test_generated__tables_have_as_many_cells_as_their_heads(board):
    lines = list(generated(board, [place()]))
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert len(cells(line)) == len(cells(before))
    assert "nan" not in "\n".join(lines)


def test_generated__counts_the_cells_that_hold_what_came(board):
    places = [place(), place(pit=0.99, p99=372.0), place(beat=0.085, pit=0.8, p99=450.0)]
    lines = list(generated(board, places))
    assert "2 of 3 cells hold what came within P1 to P99 (4,096 draws each)." in lines
    row = lines[lines.index("## Frozen") - 2]
    assert cells(row) == [*("2024-05-27", "2025", "372.6", "0.800 to 0.990", "372", "beat -0.050 scale 0.75")]


def test_readme_table__has_three_quantiles_and_the_percentile(board):
    lines = list(readme_table(board))
    assert cells(lines[3]) == [
        *("2024-05-27", "60 90 130 (62 %)", "160 190 230 (62 %)", "260 290 330 (62 %)", "360 390 430 (62 %)")
    ]
    assert cells(lines[4])[1:] == ["100", "200", "300", "400"]
    assert lines[-1] == "Consensus for 2025: 180 (2024-05-27)."


def test_record__holds_every_headline_forecast_and_the_summaries(board):
    told = json.loads(json.dumps(record(board), allow_nan=False))
    assert [(row["quantity"], row["method"], row["truth"]) for row in told["headline"]] == [
        (row.quantity, row.method, row.truth) for row in board.rows if row.quantity in HEADLINES
    ]
    assert [(row["metric"], row["method"], row["cases"]) for row in told["summary"]] == [
        (row.metric, row.method, row.cases) for row in board.summary
    ]
    assert told["sentences"] == sentences(board)
    assert told["scored_by"] == "2026-02-28"


def test_record__has_six_digits(board, row):
    board = replace(board, rows=(row(quantity=HEADLINES[0], crps=0.123456789),))
    assert record(board)["headline"][0]["crps"] == 0.123457


# the pages that are shipped


@pytest.fixture(scope="module")
def headline():
    """Rows of docs/scoreboard.md by book, figure and method."""
    rows = [cells(line) for line in part("docs/scoreboard.md", BEGIN).splitlines() if line.startswith("| `")]
    return {(row[1], row[0].strip("`"), row[2]): row[3:] for row in rows}


@pytest.fixture(scope="module")
def readme():
    """Rows of the README's table by book."""
    rows = [cells(line) for line in part("README.md", README_BEGIN).splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


def test_readme__agrees_with_the_scoreboard(readme, headline):
    books = [name for name in readme if name.startswith("20")]
    assert books == ["2024-02-08", "2024-05-27", "2024-09-01", "2025-02-12"]
    for book in books:
        for text, cell in zip(HEADLINES, readme[book], strict=True):
            row = headline.get((book, text, "chipcast"))
            if row is None:
                assert cell == ""
                continue
            quantiles, percentile = re.fullmatch(r"(.*) \((\d+) %\)", cell).groups()
            assert quantiles.split() == row[:3]
            assert float(percentile) == pytest.approx(100 * float(row[4]), abs=0.51)
    came = {text: row[3] for (_, text, _), row in headline.items()}
    assert readme["*came*"] == [came[text] for text in HEADLINES]


def test_readme__tells_the_consensus_of_the_scoreboard(headline):
    (told,) = re.findall(r"^Consensus for 2025: (.*)\.$", part("README.md", README_BEGIN), flags=re.MULTILINE)
    expected = {
        book: row[1] for (book, text, method), row in headline.items() if method == CONSENSUS and "2025]" in text
    }
    assert dict(re.findall(r"([\d,]+) \((\S+)\)", told)) == {row: book for book, row in expected.items()}


def test_scoreboard__is_of_what_came(headline):
    """223.0 and 372.6 bn of the four, 110.7 and 186.8 of NVIDIA."""
    assert {(text, row[3]) for (_, text, _), row in headline.items()} == set(
        zip(HEADLINES, ("223", "373", "111", "187"), strict=True)
    )


def test_scoreboard__in_words_is_its_table(headline):
    lines = [line for line in part("docs/scoreboard.md", BEGIN).splitlines() if line.startswith("- The book of")]
    assert len(lines) == 4
    for line in lines:
        book = re.search(r"book of (\S+) ", line)[1]
        for (made, _, method), row in headline.items():
            if made == book and method == "chipcast":
                assert f"{row[1]} bn ({row[0]} to {row[2]})" in line


def test_scoreboard__scores_our_forecasts_on_as_many_figures_as_it_says(headline):
    """Our own rows of the metrics add up to that of all figures."""
    table = part("docs/scoreboard.md", BEGIN).partition("## Dated books")[2].partition("![")[0]
    rows = [cells(line) for line in table.splitlines() if re.match(r"\| [^-m]", line) or line.startswith("| Meta")]
    ours = {row[0]: int(row[2]) for row in rows if row[1] == "chipcast"}
    assert sum(ours.values()) == 2 * ours["all figures"]


def test_record__shipped_is_that_of_the_page(headline):
    told = json.loads((ROOT / RECORD).read_text(encoding="utf-8"))
    assert len(told["headline"]) == len(headline)
    for row in told["headline"]:
        shown = headline[row["made"], row["quantity"], row["method"]]
        assert [f"{row[key]:,.0f}" for key in ("p05", "p50", "p95", "truth")] == shown[:4]


def test_main__writes_pages_and_pictures_around_what_stands_there(board, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    page.PAGE.write_text(f"By hand.\n{BEGIN}\n{END}\nAfter.\n", encoding="utf-8")
    page.README.write_text(f"Read me.\n{README_BEGIN}\n{END}\nMore.\n", encoding="utf-8")
    monkeypatch.setattr(page, "scoreboard", lambda **_: board)
    monkeypatch.setattr(page, "dates", lambda: ["2024-05-27"])
    asked = []
    monkeypatch.setattr(page.safety, "places", lambda name, came: asked.append((name, came)) or [place()])
    page.main()
    assert asked == [("2024-05-27", {"2024": 100.0, "2025": 200.0})]
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.startswith("By hand.\n")
    assert text.endswith(f"{END}\nAfter.\n")
    assert "\n".join(generated(board, [place()])) in text
    assert "\n".join(readme_table(board)) in page.README.read_text(encoding="utf-8")
    assert json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))["draws"] == board.draws
    assert {path.name for path in (tmp_path / "docs").glob("*.png")} == {
        "scoreboard-vintages.png",
        "scoreboard-calibration.png",
    }
