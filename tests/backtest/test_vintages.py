"""The book of 27 May 2024 and its opponents: what each knew, in closed form where there is one, and no look ahead."""

import csv
import datetime as dt
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sim import forecast, history, published
from sim.backtest import vintages
from sim.backtest.opponents import LAST_GROWTH, LAST_VALUE, METHODS, RANDOM_WALK
from sim.backtest.scored import OURS, scored
from sim.backtest.vintages import CONSENSUS, GUIDANCE
from sim.book.load import load
from sim.fit.record import record
from sim.published import Published
from sim.world import build

DRAWS = 2_048
AS_OF = dt.date(2024, 5, 27)
FACTORS = {
    "company": {RANDOM_WALK: 0.5, LAST_VALUE: 0.7, LAST_GROWTH: 0.9},
    "total": {RANDOM_WALK: 1.2, LAST_VALUE: 1.4, LAST_GROWTH: 1.6},
}
PAGE = Path(__file__).parents[2] / "docs" / "scoreboard.md"
SCALED = r"capex|revenue|h100e|users|people"
NOISE = 5 * 1.2533 / np.sqrt(DRAWS)
"""Five standard errors of a median of normal draws, in sd."""


@pytest.fixture(scope="module")
def recalibrated_cases(spring, base_world, folder, annual):
    made = vintages.cases(spring, base_world, folder, annual, FACTORS, draws=DRAWS)
    return {case.quantity: case for case in made}


@pytest.fixture(scope="module")
def winter_cases(base_world, folder, capex_rows):
    """The book of 12 February 2025."""
    book = forecast.load("2025-02-12")
    known = record(capex_rows, as_of=book.book.as_of)
    made = vintages.cases(book, base_world, folder, known, FACTORS, draws=DRAWS)
    return {case.quantity: case for case in made}


def logs(case, method):
    return np.log(case.draws[method])


# what must hold


def test_capex__of_the_seven_years_came_inside_the_forecasts(spring_cases, winter_cases):
    """Two books are run here, all seven rows are read off the page; the two agree but for their draws."""
    table = re.findall(
        r"^\| `(capex\[reported,\d+\])` \| (\S+) \| chipcast \|.*\| (0\.\d+) \| [\d.]+ \|$",
        PAGE.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    pits = {(made, quantity): float(pit) for quantity, made, pit in table}
    assert len(pits) == 7
    assert all(0.01 <= pit <= 0.99 for pit in pits.values())
    run = [case for cases in (spring_cases, winter_cases) for case in cases.values()]
    rows = [row for case in run if (case.made, case.quantity) in pits for row in scored(case) if row.method == OURS]
    assert len(rows) == 3
    for row in rows:
        pit = pits[row.made, row.quantity]
        assert 0.01 <= row.pit <= 0.99
        assert row.pit == pytest.approx(pit, abs=5 * np.sqrt(pit * (1 - pit) / DRAWS))


def test_capex__of_2025_is_forecast_better_than_by_the_dressed_consensus_two_years_ahead(spring_cases):
    rows = {row.method: row for row in scored(spring_cases["capex[reported,2025]"])}
    assert rows[OURS].crps < rows[CONSENSUS].crps


def test_cases__are_of_the_book_with_the_horizon_from_what_it_knew(spring_cases):
    """Known are the quarters up to March 2024."""
    ahead = {"capex[meta,2024Q2]": 91, "capex[meta,2024]": 275, "line[nvidia,2025]": 640}
    for quantity, expected in ahead.items():
        case = spring_cases[quantity]
        assert (case.made, case.time) == ("2024-05-27", int(quantity.partition(",")[2][:4]))
        assert case.horizon == pytest.approx(expected / 365.25, abs=0.005)


def test_ours__quarters_add_up_to_the_year_with_what_was_known_of_it(spring_cases, spring):
    """Draw by draw: the year less its three open quarters is the first, as the book's record has it."""
    first = spring.book.axes["time"].index("2024Q1")
    for label, known in (
        ("meta", spring.record.capex[first, spring.book.axes["reported_buyer"].index("meta")]),
        ("reported", spring.record.capex[first].sum()),
    ):
        year, *quarters = (
            spring_cases[f"capex[{label},{period}]"].draws[OURS] for period in ("2024", "2024Q2", "2024Q3", "2024Q4")
        )
        np.testing.assert_allclose(year - sum(quarters), known, rtol=1e-4)


# the simple methods, without a factor


@pytest.mark.parametrize(("period", "quarters"), [("2024Q2", 1), ("2024Q4", 3), ("2025Q4", 7)])
@pytest.mark.parametrize("label", ["meta", "reported"])
def test_walks__go_on_from_the_last_quarter_known(spring_cases, annual, label, period, quarters):
    """Of a company Meta's 6.4 bn in March 2024; Student's t of so many quarters from annual growths.

    Sums of a year's four quarters have 11/16 of the variance of the walk (tests/backtest/test_opponents.py).
    """
    known = {"meta": 6.4, "reported": 10.952 + 12.012 + 14.925 * 48.133 / 52.729 + 6.4}[label]
    own = np.diff(np.log(annual.level), axis=1)
    seen = own[np.isfinite(own)] if label == "meta" else np.diff(np.log(np.nansum(annual.level, axis=0)))
    n, years = len(seen), quarters / 4
    case = spring_cases[f"capex[{label},{period}]"]
    for method, loc, of_sums, freedom in (
        (RANDOM_WALK, years * seen.mean(), seen.std(ddof=1) * np.sqrt(years + years**2 / n), n - 1),
        (LAST_VALUE, 0, np.sqrt((seen**2).mean() * years), n),
    ):
        scale = of_sums * np.sqrt(16 / 11)
        expected = stats.t(freedom, loc=np.log(known) + loc, scale=scale)
        assert stats.kstest(logs(case, method), expected.cdf).pvalue > 1e-6
        assert np.median(logs(case, method)) == pytest.approx(expected.median(), abs=NOISE * scale)
        assert logs(case, method).std() == pytest.approx(expected.std(), rel=0.12)


def test_last_growth__is_that_of_the_last_quarter_on_the_year_before(spring_cases, spring):
    """Meta's 6.4 bn after 6.823 bn: a fall of 6 % a year goes on."""
    capex = dict(zip(spring.book.axes["time"], spring.record.capex.T[3], strict=True))
    assert spring.book.axes["reported_buyer"][3] == "meta"
    fall = np.log(capex["2024Q1"] / capex["2023Q1"])
    case = spring_cases["capex[meta,2025Q1]"]
    wide = logs(case, LAST_GROWTH).std()
    assert np.median(logs(case, LAST_GROWTH)) == pytest.approx(np.log(capex["2024Q1"]) + fall, abs=NOISE * wide)


def test_year__holds_what_was_known_of_it_as_it_was(spring_cases, spring):
    """No draw of 2024 is below its first quarter; the last value's median is near four times that."""
    first = spring.record.capex[spring.book.axes["time"].index("2024Q1")].sum()
    case = spring_cases["capex[reported,2024]"]
    assert min(case.draws[method].min() for method in METHODS) > first
    assert np.median(case.draws[LAST_VALUE]) == pytest.approx(4 * first, rel=0.03)


def test_lines__learn_from_their_own_quarters(spring_cases, spring, folder):
    """NVIDIA's calendar quarters up to March 2024; the next one's growth is Student's t of as many as were seen."""
    line = spring.record.line[:, spring.book.axes["reported_supplier"].index("nvidia")]
    last = spring.book.axes["time"].index("2024Q1")
    seen = np.diff(np.log(line[: last + 1]))
    assert len(seen) == 8
    expected = stats.t(7, loc=np.log(line[last]) + seen.mean(), scale=seen.std(ddof=1) * np.sqrt(1 + 1 / 8))
    assert stats.kstest(logs(spring_cases["line[nvidia,2024Q2]"], RANDOM_WALK), expected.cdf).pvalue > 1e-6


def test_lines__of_too_few_quarters_have_no_simple_forecast(spring_cases):
    """Broadcom's AI revenue was known for 2023 alone."""
    assert set(spring_cases["line[google_tpu,2024Q2]"].draws) == {OURS}
    assert set(spring_cases["line[nvidia,2024Q2]"].draws) == {OURS, *METHODS}


# spread factors


@pytest.mark.parametrize(("label", "group"), [("alphabet", "company"), ("reported", "total")])
@pytest.mark.parametrize("method", METHODS)
def test_factor__of_each_method_and_group_multiplies_its_own_spread(
    spring_cases, recalibrated_cases, label, group, method
):
    for period in ("2024Q3", "2025"):
        plain, made = (logs(cases[f"capex[{label},{period}]"], method) for cases in (spring_cases, recalibrated_cases))
        middle = np.median(plain)
        np.testing.assert_allclose(made - middle, FACTORS[group][method] * (plain - middle), atol=1e-5)


def test_factor__is_not_laid_on_ours_nor_on_lines(spring_cases, recalibrated_cases):
    for quantity in ("capex[reported,2025]", "capex[meta,2024]"):
        assert (spring_cases[quantity].draws[OURS] == recalibrated_cases[quantity].draws[OURS]).all()
    for method in METHODS:
        one, other = (cases["line[nvidia,2025]"].draws[method] for cases in (spring_cases, recalibrated_cases))
        assert (one == other).all()


# published points


def test_consensus__of_the_day_is_the_median_in_the_book_s_own_band(spring_cases, spring):
    """Visible Alpha's 199.3 and 221.1 bn; for 2024 as wide as beats of guidance are believed to be."""
    now, then = (spring_cases[f"capex[reported,{year}]"] for year in (2024, 2025))
    assert np.median(now.draws[CONSENSUS]) == pytest.approx(199.3, rel=1e-3)
    assert np.median(then.draws[CONSENSUS]) == pytest.approx(221.1, rel=1e-3)
    beat = spring.book.priors["guidance_beat"].table[("meta",)]
    levels = (0.05, 0.25, 0.75, 0.95)
    expected = [beat.quantile(level) - beat.quantile(0.5) for level in levels]
    assert np.quantile(logs(now, CONSENSUS) - np.log(199.3), levels) == pytest.approx(expected, abs=0.003)


def test_consensus__of_next_year_is_wider_by_a_year_of_the_total_s_growth(spring_cases, recalibrated_cases, annual):
    seen = np.diff(np.log(np.nansum(annual.level, axis=0)))
    for cases, factor in ((spring_cases, 1.0), (recalibrated_cases, FACTORS["total"][RANDOM_WALK])):
        now, then = (logs(cases[f"capex[reported,{year}]"], CONSENSUS).var() for year in (2024, 2025))
        assert np.sqrt(then - now) == pytest.approx(factor * seen.std(ddof=1), rel=0.12)


def test_consensus__is_not_there_for_companies_and_quarters(spring_cases):
    assert {name for name, case in spring_cases.items() if CONSENSUS in case.draws} == {
        "capex[reported,2024]",
        "capex[reported,2025]",
    }


def test_guidance__is_of_the_companies_and_the_year_that_were_guided(spring_cases, spring):
    """Alphabet 48, Amazon 56, Meta 35 to 40 bn in 2024, put on our definition."""
    guided = {name: case for name, case in spring_cases.items() if GUIDANCE in case.draws}
    assert set(guided) == {f"capex[{label},2024]" for label in ("alphabet", "amazon", "meta")}
    bridge = spring.book.priors["guidance_bridge"].table
    for label, middle in (("alphabet", 48), ("amazon", 56), ("meta", 37.5)):
        expected = middle * bridge[(label,)].quantile(0.5)
        assert np.median(guided[f"capex[{label},2024]"].draws[GUIDANCE]) == pytest.approx(expected, rel=1e-3)


def point(date, value, quantity="capex[reported,2025]", **given):
    return Published("p", "A bank", date, quantity, value, "As it counts.", "", (), **given)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([point(AS_OF - dt.timedelta(days=9), 250.0), point(AS_OF - dt.timedelta(days=2), 260.0)], 260.0),
        ([point(AS_OF, 250.0), point(AS_OF + dt.timedelta(days=1), 370.0)], 250.0),
        ([point(AS_OF - dt.timedelta(days=184), 250.0)], None),
        ([point(AS_OF, 250.0, at_least=True)], None),
        ([point(AS_OF, 250.0, quantity="capex[reported,2026]")], None),
    ],
    ids=["the newest", "not a later one", "not an old one", "no lower bound", "no other year"],
)
def test_consensus__is_the_newest_point_of_its_day(spring, base_world, folder, annual, monkeypatch, points, expected):
    monkeypatch.setattr(published, "read", lambda: points)
    monkeypatch.setattr(vintages, "people", lambda *_: [])
    only = [each for each in vintages.outcomes(spring, base_world, folder) if each.quantity == "capex[reported,2025]"]
    monkeypatch.setattr(vintages, "outcomes", lambda *_: only)
    (case,) = vintages.cases(spring, base_world, folder, annual, FACTORS, draws=256)
    assert (CONSENSUS in case.draws) == (expected is not None)
    if expected is not None:
        assert np.median(case.draws[CONSENSUS]) == pytest.approx(expected, rel=1e-3)


def test_people__grow_as_the_book_believes(base_world, folder, winter_cases):
    """3.35 bn in December 2024, a year on."""
    case = winter_cases["daily people[meta,2025-12]"]
    growth = forecast.load("2025-02-12").book.priors["users_growth"].table[()]
    expected = np.log(3.35) + np.array([growth.quantile(level) for level in (0.05, 0.5, 0.95)])
    assert np.quantile(logs(case, OURS), (0.05, 0.5, 0.95)) == pytest.approx(expected, abs=0.001)
    assert case.truth == 3.58


# no look ahead


def changed(folder, to, change):
    """The cited history with some rows changed or, where the change gives nothing, left out."""
    to.mkdir()
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            records = [change(record) for record in csv.DictReader(file)]
        with (to / path.name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, history.COLUMNS)
            writer.writeheader()
            writer.writerows(record for record in records if record)
    return to


def cases_of(folder):
    """Forecasts of the book from a history, with the annual record that it gives."""
    book, later = (build(load(name), folder) for name in ("2024-05-27", "base"))
    rows = history.read(folder / "capex.csv")
    made = vintages.cases(book, later, folder, record(rows, as_of=AS_OF), FACTORS, draws=DRAWS)
    return {case.quantity: case for case in made}


def times(factor, *, after):
    """Money, shipments and people published after a date multiplied; the others as they are."""

    def change(record):
        if history._last_day(record["first_published"]) <= after or not re.search(SCALED, record["metric"]):
            return record
        return record | {"value": repr(factor * float(record["value"]))}

    return change


def same(one, other):
    return one.keys() == other.keys() and all((one[method] == other[method]).all() for method in one)


def test_forecasts__are_the_same_whatever_was_published_later(recalibrated_cases, folder, tmp_path):
    found = cases_of(changed(folder, tmp_path / "history", times(1.5, after=AS_OF)))
    assert found.keys() == recalibrated_cases.keys()
    for quantity, case in found.items():
        assert same(case.draws, recalibrated_cases[quantity].draws), quantity
    assert found["capex[reported,2025]"].truth == pytest.approx(1.5 * 372.552, rel=1e-3)


def test_forecasts__the_comparison_sees_a_row_of_the_day_before(recalibrated_cases, folder, tmp_path):
    """The same change from two months earlier on, which moves what was known of March 2024."""
    found = cases_of(changed(folder, tmp_path / "history", times(1.5, after=dt.date(2024, 3, 31))))
    for quantity in ("capex[meta,2024Q2]", "capex[reported,2025]", "line[nvidia,2025]"):
        for method, draws in recalibrated_cases[quantity].draws.items():
            assert (found[quantity].draws[method] != draws).any() or method == CONSENSUS


def test_forecasts__are_the_same_however_much_has_come(recalibrated_cases, folder, tmp_path):
    """Scored before 2025 was over, a book's forecasts of 2024 are those it is scored on today."""
    early = dt.date(2025, 4, 1)

    def change(record):
        capex = record["metric"].startswith("capex")
        return None if capex and history._last_day(record["first_published"]) > early else record

    found = cases_of(changed(folder, tmp_path / "history", change))
    assert "capex[reported,2024]" in found
    assert "capex[reported,2025]" not in found
    for quantity, case in found.items():
        assert same(case.draws, recalibrated_cases[quantity].draws), quantity


def test_forecasts__know_the_points_of_their_day_only(
    recalibrated_cases, spring, base_world, folder, annual, monkeypatch
):
    """Every later point doubled and made a hundred times."""
    kept = [each for each in published.read() if each.date <= AS_OF]
    later = [each._replace(value=2 * each.value) for each in published.read() if each.date > AS_OF] * 100
    monkeypatch.setattr(published, "read", lambda: [*later, *kept])
    found = vintages.cases(spring, base_world, folder, annual, FACTORS, draws=DRAWS)
    assert all(same(case.draws, recalibrated_cases[case.quantity].draws) for case in found)
