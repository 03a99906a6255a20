"""The list of published points: every value against its source, recomputed here, and every fault at its line."""

import csv
import datetime as dt
from pathlib import Path

import pytest

from sim import forecast, published
from sim.book.load import priors_folder
from sim.ensemble import quantity
from sim.errors import BookError

FOUR = ("microsoft", "alphabet", "amazon", "meta")


@pytest.fixture(scope="module")
def points():
    return {point.key: point for point in published.read()}


@pytest.fixture(scope="module")
def rows():
    """Values of all history rows by file and key, read without the package."""
    found = {}
    for path in (priors_folder() / "history").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            found |= {(path.stem, row["key"]): row for row in csv.DictReader(stream)}
    return found


def spent(rows, year):
    """Capital expenditure of the four on HT24's definition, from their own rows [bn USD]."""
    return sum(float(rows["capex", f"{company}.capex.{year}"]["value"]) for company in FOUR)


def test_read__values_without_a_bridge_are_their_rows(points, rows):
    units = {"bn USD": 1, "M H100e": 1e-6, "M unit": 1e-6}
    seen = 0
    for point in points.values():
        if not point.bridge and point.source[0].cite.startswith("history/"):
            row = rows[point.source[0].cite.removeprefix("history/"), point.source[0].where]
            assert point.value == pytest.approx(float(row["value"]) * units[point.unit], rel=1e-9), point.key
            seen += 1
    assert seen == 13


def test_read__values_with_a_bridge_follow_from_the_companies_own_rows(points, rows):
    """The four spent 250.3 in 2024 and 413.5 in 2025 as they count, 243.1 in 2024 as CJ25 does (SOURCES, S4)."""
    ours = {year: spent(rows, year) for year in (2023, 2024, 2025)}
    expected = {
        "jefferies_2024_08": ours[2023] * 291 / (417 / 2.68),
        "morgan_stanley_2024_11": 301.2 * ours[2024] / 250.3,
        "morgan_stanley_2025_01": ours[2024] * 1.39 * 287 / 315,
        "morgan_stanley_2025_02_for_2025": ours[2024] * 1.39,
        "morgan_stanley_2025_02_for_2026": ours[2024] * 1.39 * 1.17,
        "cj25_guidance": 320 * ours[2024] / 243.1,
        "jefferies_2025_08": ours[2024] * 1.64,
        "morgan_stanley_2025_10": ours[2025] * 1.24,
        "guidance_2025_10": 380 * ours[2024] / 250.3,
        "guidance_2026_02": 645 * ours[2025] / 413.5,
        "ht24_a100e": 38.9 / 20 * 312 / 989.4,
    }
    bridged = {key: point.value for key, point in points.items() if point.bridge}
    assert bridged == pytest.approx(expected, rel=1e-3)


def test_read__values_of_ai_2027_are_its_table(points):
    produced = {key: point.value for key, point in points.items() if point.source[0].cite == "AI27"}
    assert produced == {"ai_2027_for_2025": 11, "ai_2027_for_2026": 25, "ai_2027_for_2027": 60}


def test_rows__of_four_companies_are_the_sums_of_theirs(rows):
    for year in (2023, 2024, 2025):
        assert float(rows["capex", f"four.capex_sum.{year}"]["value"]) == pytest.approx(spent(rows, year), rel=1e-9)
        last = max(rows["capex", f"{company}.capex.{year}"]["first_published"] for company in FOUR)
        assert rows["capex", f"four.capex_sum.{year}"]["first_published"] == last


def test_read__takes_every_consensus_of_the_four_that_history_holds(points, rows):
    cited = {point.source[0].where for point in points.values()}
    assert {key for file, key in rows if file == "capex" and ".capex_consensus." in key} == cited & {
        key for _, key in rows if ".capex_consensus." in key
    }


@pytest.mark.parametrize("book", ["2024-02-08", "base"])
def test_read__quantities_are_there_in_the_first_and_the_last_book(points, book):
    world = forecast.load(book)
    for point in points.values():
        assert quantity(world, point.quantity).declared.unit == point.unit


PLAIN = """\
points:
  bank_2025:
    who: A bank
    date: 2024-11-30
    quantity: "capex[reported,2025]"
    unit: bn USD
    value: 301.2
    about: As it counts.
    source: [{cite: history/capex, where: "four.capex_consensus.2025@2024-11", says: "301.2 bn USD"}]
  bank_2026:
    who: A bank
    date: 2025-02-07
    quantity: "capex[reported,2026]"
    unit: bn USD
    value: 362.72
    about: Grown.
    growth: [0.39, 0.17]
    bridge: On our 2024.
    source:
      - {cite: history/capex, where: "four.capex_consensus.2026@2025-02-07", says: "367 bn USD, +39 % and +17 %"}
      - {cite: history/capex, where: four.capex_sum.2024, says: "223.001 bn USD"}
"""


def read(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return published.read(path)


def test_read__of_a_file(tmp_path):
    first, second = read(tmp_path, PLAIN.replace("about: As", "at_least: true\n    about: As"))
    assert first[:5] == ("bank_2025", "A bank", dt.date(2024, 11, 30), "capex[reported,2025]", 301.2)
    assert (first.bridge, first.at_least, second.bridge, second.at_least) == ("", True, "On our 2024.", False)
    assert [each.where for each in second.source] == ["four.capex_consensus.2026@2025-02-07", "four.capex_sum.2024"]


def test_read__a_file_may_bring_references(tmp_path):
    own = "references: {MINE: {title: A note, published: 2024-11-30, kind: report}}\n"
    old = '{cite: history/capex, where: "four.capex_consensus.2025@2024-11", says: "301.2 bn USD"}'
    text = own + PLAIN.replace(old, '{cite: MINE, where: page 1, says: "301.2 bn USD"}')
    assert read(tmp_path, text)[0].source[0].cite == "MINE"


def test_read__scales_by_a_power_of_ten_without_a_bridge(tmp_path):
    text = PLAIN.replace("value: 301.2", "value: 0.3012\n    factor: 0.001")
    assert read(tmp_path, text)[0].value == 0.3012


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "says"),
    [
        ("who: A bank\n    date: 2024", "whom: A bank\n    date: 2024", 3, "book-unknown-key", "'who'"),
        ("    who: A bank\n    date: 2024", "    date: 2024", 3, "book-missing-key", "who"),
        ("points:", "pints:", 1, "book-unknown-key", "points"),
        ("date: 2024-11-30", "date: 2024-11-31", 4, "book-value", "not a date"),
        ("date: 2024-11-30", "date: 2024-12-01", 4, "published-date", "write 2024-11-30"),
        ("value: 301.2", "value: -301.2", 7, "book-value", "greater than 0"),
        ("value: 301.2", "value: 0", 7, "book-value", "greater than 0"),
        ("value: 301.2", 'value: "301.2"', 7, "book-type", "a number"),
        ("value: 301.2", "value: 302", 7, "published-value", "301.2"),
        ("value: 362.72", "value: 367", 15, "published-value", "362.7"),
        ("unit: bn USD\n    value: 301", "unit: M USD\n    value: 301", 6, "published-unit", "bn USD"),
        ('"capex[reported,2025]"', '"capex of the four"', 5, "published-quantity", "for example"),
        ('"capex[reported,2025]"', '"capx[reported,2025]"', 5, "published-quantity", "capex"),
        ("about: As", "factor: 1.1\n    about: As", 3, "published-bridge", "bridge:"),
        ("about: As", "bridge: As it is.\n    about: As", 8, "published-bridge", "drop bridge"),
        ("growth: [0.39, 0.17]", "growth: [0.39, 0.18]", 17, "published-bridge", "18 %"),
        ("growth: [0.39, 0.17]", "growth: [0.39, 0.17]\n    factor: 0.9", 17, "published-bridge", "no factor"),
        ('"301.2 bn USD"}', '"301 bn USD"}', 9, "book-figure", "301.2"),
        ('"301.2 bn USD"}', '"about 301.2 bn"}', 9, "published-figure", "begin"),
        ("2025@2024-11", "2025@2024-12", 9, "book-unknown-source", "did you mean"),
        ("{cite: history/capex, where: \"four.capex_consensus.2025@2024-11\"", "{cite: HX24, where: p", 9,
         "book-unknown-source", "HT24"),
        ('[{cite: history/capex, where: "four.capex_consensus.2025@2024-11", says: "301.2 bn USD"}]',
         '[{judgement: "Ours."}]', 9, "published-judgement", "cite"),
    ],
)  # fmt: skip
def test_read__refuses_at_the_line(tmp_path, old, new, line, code, says):
    assert PLAIN.count(old) == 1
    with pytest.raises(BookError) as caught:
        read(tmp_path, PLAIN.replace(old, new))
    fault = caught.value
    assert (fault.code, Path(fault.place.file).name) == (code, "mine.yaml")
    assert (fault.place.line, fault.place.column is not None) == (line, True)
    assert says in str(fault)


def test_read__reports_every_point_at_once(tmp_path):
    with pytest.raises(BookError) as caught:
        read(tmp_path, PLAIN.replace("value: 301.2", "value: 302").replace("value: 362.72", "value: 367"))
    assert [fault.place.line for fault in caught.value.faults] == [7, 15]
