"""History: what the reader refuses, how days are counted, and that every shipped file reads."""

import csv
import datetime as dt
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import history
from sim.book.load import priors_folder
from sim.errors import BookError

HEADER = ",".join(history.COLUMNS)
GOOD = "a.x.2025,a,x,2025,2025-01-01,2025-12-31,12.5,bn USD,what,2026-02-01,10-K,,primary,"
SHIPPED = sorted((priors_folder() / "history").glob("*.csv"))
DAY = dt.timedelta(days=1)


def row(start: str | None, end: str | None, value: float, published: str = "2026-01-01", period: str = "p"):
    days = [dt.date.fromisoformat(day) if day else None for day in (start, end)]
    return history.Row("k", "e", "m", period, *days, value, "bn USD", dt.date.fromisoformat(published), "s", "k", "")


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_read__gives_every_cell_its_type(tmp_path):
    (found,) = history.read(write(tmp_path, HEADER, GOOD))
    assert (found.key, found.entity, found.metric, found.period, found.unit) == ("a.x.2025", "a", "x", "2025", "bn USD")
    assert (found.start, found.end) == (dt.date(2025, 1, 1), dt.date(2025, 12, 31))
    assert (found.value, found.published, found.source_kind) == (12.5, dt.date(2026, 2, 1), "primary")


def test_read__days_may_be_missing(tmp_path):
    (found,) = history.read(write(tmp_path, HEADER, GOOD.replace("2025-01-01,2025-12-31", ",")))
    assert (found.start, found.end) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("12.5", "12,5", "history-cells", "14 cells"),
        (",primary,", ",primary", "history-cells", "14 cells"),
        ("12.5", "12x", "history-value", "12x"),
        ("12.5", "", "history-value", "could not convert"),
        ("12.5", "nan", "history-value", "not finite"),
        ("12.5", "-inf", "history-value", "not finite"),
        ("2025-12-31", "2025-13-31", "history-value", "month"),
        ("2025-12-31", "31.12.2025", "history-value", "31.12.2025"),
        ("2025-12-31", "2024-12-31", "history-value", "before it starts"),
        ("2026-02-01", "soon", "history-value", "soon"),
        ("2026-02-01", "", "history-value", "a.x.2025"),
        ("2026-02-01", "2026-13", "history-value", "month"),
        ("2026-02-01", "2026-00", "history-value", "month"),
        ("2026-02-01", "2026-02-30", "history-value", "day"),
    ],
)
def test_read__refuses_a_row_at_its_line(tmp_path, old, new, code, words):
    assert GOOD.count(old) == 1
    path = write(tmp_path, HEADER, GOOD.replace("a.x.2025", "b.x"), GOOD.replace(old, new))
    with pytest.raises(BookError, match=words) as caught:
        history.read(path)
    assert (caught.value.code, str(caught.value.place)) == (code, f"{path}:3")
    assert caught.value.remedy


def test_read__refuses_a_key_given_twice(tmp_path):
    with pytest.raises(BookError, match=r"sales\.csv:4: the key 'a\.x\.2025' stands twice"):
        history.read(write(tmp_path, HEADER, GOOD, GOOD.replace("a.x.2025", "b"), GOOD.replace("12.5", "3")))


@pytest.mark.parametrize("header", [HEADER.replace("value", "amount"), HEADER + ",more", ",".join(history.COLUMNS[1:])])
def test_read__refuses_another_header(tmp_path, header):
    with pytest.raises(BookError, match=r"sales\.csv:1: .*begin the file with key,entity") as caught:
        history.read(write(tmp_path, header, GOOD))
    assert caught.value.code == "history-header"


def test_read__refuses_an_empty_file(tmp_path):
    path = tmp_path / "sales.csv"
    path.touch()
    with pytest.raises(BookError, match=r"sales\.csv:1"):
        history.read(path)


@pytest.mark.parametrize(
    ("published", "last"),
    [
        ("2024", "2024-12-31"),
        ("2024-02", "2024-02-29"),
        ("2023-02", "2023-02-28"),
        ("2025-12", "2025-12-31"),
        ("2025-11", "2025-11-30"),
        ("2025-11-05", "2025-11-05"),
    ],
)
def test_known_by__a_bare_month_or_year_means_its_last_day(tmp_path, published, last):
    rows = history.read(write(tmp_path, HEADER, GOOD.replace("2026-02-01", published)))
    day = dt.date.fromisoformat(last)
    assert history.known_by(rows, day) == rows
    assert history.known_by(rows, day - DAY) == []


def test_quarter_span__has_the_calendars_days():
    spans = [history.quarter_span(f"2024Q{n}") for n in (1, 2, 3, 4)]
    assert [(last - first).days + 1 for first, last in spans] == [91, 91, 92, 92]
    assert spans[0][0] == dt.date(2024, 1, 1)
    assert spans[3][1] == dt.date(2024, 12, 31)
    assert all(later[0] == earlier[1] + DAY for earlier, later in pairwise(spans))


def test_days_in__counts_both_ends():
    week = (dt.date(2025, 3, 3), dt.date(2025, 3, 9))
    assert history.days_in(week, week) == 7
    assert history.days_in(week, (dt.date(2025, 3, 9), dt.date(2025, 3, 20))) == 1
    assert history.days_in(week, (dt.date(2025, 3, 10), dt.date(2025, 3, 20))) == 0


def test_spread__puts_nvidias_fourth_quarter_where_its_days_are():
    amounts, covered = history.spread([row("2025-10-27", "2026-01-25", 62.3)], ["2025Q3", "2025Q4", "2026Q1", "2026Q2"])
    np.testing.assert_allclose(amounts, [0, 62.3 * 66 / 91, 62.3 * 25 / 91, 0], rtol=1e-14)
    np.testing.assert_allclose(covered, [0, 66 / 92, 25 / 90, 0], rtol=1e-14)


def test_spread__leaves_out_rows_without_days():
    amounts, covered = history.spread([row(None, None, 5.0), row("2025-01-01", None, 5.0)], ["2025Q1"])
    assert (amounts[0], covered[0]) == (0, 0)


ORIGIN = dt.date(2024, 1, 1)


@given(st.lists(st.integers(1, 120), min_size=1, max_size=8), st.integers(0, 300), st.randoms(use_true_random=False))
def test_spread__conserves_amounts_and_days(lengths, offset, random):
    rows, day = [], ORIGIN + offset * DAY
    for length in lengths:
        rows.append(row(day.isoformat(), (day + (length - 1) * DAY).isoformat(), random.uniform(0.1, 90)))
        day += length * DAY
    quarters = [f"{year}Q{n}" for year in range(2024, 2029) for n in (1, 2, 3, 4)]
    amounts, covered = history.spread(rows, quarters)
    days = np.array([(last - first).days + 1 for first, last in map(history.quarter_span, quarters)])
    assert amounts.sum() == pytest.approx(sum(each.value for each in rows), rel=1e-12)
    assert (covered * days).sum() == pytest.approx(sum(lengths), rel=1e-12)
    assert (covered >= 0).all()
    assert (covered <= 1 + 1e-12).all()


QUARTERS = [
    row("2025-01-01", "2025-03-31", 10.0),
    row("2025-04-01", "2025-06-30", 20.0),
    row("2025-07-01", "2025-09-30", 30.0),
    row("2025-10-01", "2025-12-31", 40.0),
]
YEAR = row("2025-01-01", "2025-12-31", 90.0)


def test_scaled_to_year__adds_up_to_the_year_and_keeps_proportions():
    scaled = [each.value for each in history.scaled_to_year(QUARTERS, [YEAR])]
    assert scaled == pytest.approx([9, 18, 27, 36], rel=1e-14)


@pytest.mark.parametrize("missing", range(4))
def test_scaled_to_year__only_where_all_its_days_are_covered(missing):
    some = QUARTERS[:missing] + QUARTERS[missing + 1 :]
    assert history.scaled_to_year(some, [YEAR]) == some


def test_scaled_to_year__leaves_quarters_that_straddle_the_year_alone():
    fiscal = row("2024-12-01", "2025-02-28", 7.0)
    other = row("2026-01-01", "2026-03-31", 8.0)
    assert history.scaled_to_year([fiscal, *QUARTERS, other], [YEAR])[::5] == [fiscal, other]
    assert history.scaled_to_year([fiscal, other], [YEAR]) == [fiscal, other]


def test_scaled_to_year__carries_the_last_years_factor_where_asked():
    """Amazon's quarters of an open year are gross; the year before says what net is of gross."""
    open_year = [row("2026-01-01", "2026-03-31", 8.0), row("2026-04-01", "2026-06-30", 6.0)]
    before = row("2024-10-01", "2024-12-31", 5.0)
    scaled = history.scaled_to_year([before, *QUARTERS, *open_year], [YEAR], carry=True)
    assert [each.value for each in scaled] == pytest.approx([5, 9, 18, 27, 36, 7.2, 5.4], rel=1e-14)
    assert history.scaled_to_year(open_year, [YEAR], carry=True) == open_year


def test_scaled_to_year__scales_each_year_by_its_own():
    later = [row(f"2026{q.start:-%m-%d}", f"2026{q.end:-%m-%d}", 1.0) for q in QUARTERS]
    scaled = history.scaled_to_year([*QUARTERS, *later], [YEAR, row("2026-01-01", "2026-12-31", 8.0)])
    assert [each.value for each in scaled] == pytest.approx([9, 18, 27, 36, 2, 2, 2, 2], rel=1e-14)


def test_fiscal_years__end_on_the_last_sunday_of_january():
    years = history.fiscal_years(1, dt.date(2022, 1, 1), dt.date(2030, 12, 31))
    assert list(years) == [f"FY{year}" for year in range(2023, 2031)]
    assert years["FY2026"] == (dt.date(2025, 1, 27), dt.date(2026, 1, 25))
    assert years["FY2027"] == (dt.date(2026, 1, 26), dt.date(2027, 1, 31))
    weeks = {name: ((last - first).days + 1) / 7 for name, (first, last) in years.items()}
    assert weeks["FY2027"] == 53
    assert all(weeks[name] == 52 for name in ("FY2023", "FY2024", "FY2025", "FY2026", "FY2028"))
    spans = list(years.values())
    assert all(later[0] == earlier[1] + DAY for earlier, later in pairwise(spans))
    assert {last.weekday() for _, last in spans} == {6}


def test_fiscal_years__only_those_wholly_inside():
    first, last = dt.date(2025, 1, 27), dt.date(2027, 1, 31)
    assert list(history.fiscal_years(1, first, last)) == ["FY2026", "FY2027"]
    assert list(history.fiscal_years(1, first + DAY, last - DAY)) == []
    assert list(history.fiscal_years(12, dt.date(2025, 1, 1), dt.date(2026, 12, 31))) == ["FY2026"]


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_read__reads_every_shipped_file(path):
    rows = history.read(path)
    with path.open(encoding="utf-8", newline="") as file:
        assert len(rows) == sum(1 for _ in csv.reader(file)) - 1
    assert len({each.key for each in rows}) == len(rows) > 20
    assert all(each.entity and each.metric and each.unit and each.source and each.source_kind for each in rows)
    assert all(dt.date(1990, 1, 1) <= each.published <= dt.date(2026, 12, 31) for each in rows)


def test_read__money_and_lengths_of_the_shipped_series_are_plausible():
    folder = priors_folder() / "history"
    capex = history.read(folder / "capex.csv")
    for each in capex:
        assert each.unit == "bn USD"
        assert 0 < each.value < 700, each.key
        if each.metric == "capex_quarter":
            assert (each.start, each.end) == history.quarter_span(each.period), each.key
            assert each.published > each.end, each.key
    for each in history.read(folder / "revenue.csv"):
        assert each.unit != "bn USD" or 0 < each.value < 700, each.key
        if each.start and "Q" in each.period:
            assert (each.end - each.start).days + 1 in (84, 89, 90, 91, 92, 98), each.key


def test_read__nvidias_segments_add_up_to_its_data_centre():
    rows = {each.key: each.value for each in history.read(priors_folder() / "history" / "revenue.csv")}
    for year in ("FY2024", "FY2025", "FY2026"):
        parts = sum(rows[f"nvidia.revenue_dc_{part}.{year}"] for part in ("compute", "networking"))
        assert parts == pytest.approx(rows[f"nvidia.revenue_data_center.{year}"], abs=1.1e-3)
