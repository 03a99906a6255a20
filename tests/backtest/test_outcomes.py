"""What came, by hand from the cited rows, and that it is what a book did not know."""

import datetime as dt

import numpy as np
import pytest

from sim import forecast, history
from sim.backtest.outcomes import outcomes, people, reported
from sim.fit.record import COMPANIES

Z90 = 3.28970725390294
"""Width of the central 90 % of a standard normal."""


@pytest.fixture(scope="module")
def came(spring, base_world, folder):
    return {each.quantity: each for each in outcomes(spring, base_world, folder)}


@pytest.fixture(scope="module")
def winter():
    return forecast.load("2025-02-12")


def days(first, last):
    return (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days + 1


def quarters(first, last):
    found = [f"{year}Q{n}" for year in (2024, 2025) for n in range(1, 5)]
    return found[found.index(first) : found.index(last) + 1]


def names(found, start):
    return [each.removeprefix(start).rstrip("]") for each in found if each.startswith(start)]


# capital expenditure


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("capex[reported,2024]", 55.552 + 52.535 + 77.658 + 37.256),
        ("capex[reported,2025]", 83.094 + 91.447 + 128.32 + 69.691),
        ("capex[microsoft,2024]", 55.552),
        ("capex[amazon,2025]", 128.32),
        ("capex[alphabet,2024Q2]", 13.186),
        # Amazon's gross quarters put on the net definition of its year
        ("capex[amazon,2025Q1]", 25.019 * 128.32 / (25.019 + 32.183 + 35.095 + 39.522)),
    ],
)
def test_capex__is_the_annual_reports_on_our_definition(came, quantity, value):
    assert came[quantity].value == pytest.approx(value, rel=1e-3)
    assert came[quantity].error == 0


def test_capex__is_what_the_spring_of_2024_did_not_know(came):
    for label in (*COMPANIES, "reported"):
        assert names(came, f"capex[{label},") == [*quarters("2024Q2", "2025Q4"), "2024", "2025"]
    assert came["capex[meta,2024Q4]"].end == came["capex[meta,2024]"].end == dt.date(2024, 12, 31)


def test_capex__parts_add_up(came):
    for period in ("2024Q3", "2025"):
        companies = sum(came[f"capex[{label},{period}]"].value for label in COMPANIES)
        assert came[f"capex[reported,{period}]"].value == pytest.approx(companies)
    for label in ("meta", "reported"):
        of_year = sum(came[f"capex[{label},{quarter}]"].value for quarter in quarters("2025Q1", "2025Q4"))
        assert came[f"capex[{label},2025]"].value == pytest.approx(of_year)


# suppliers' lines


def test_line__of_nvidia_is_spread_over_the_calendar_by_days(came):
    """2024: the last of FY24Q4, FY25 but its last 26 days; quarters scaled to their fiscal years."""
    fy24, fy25, fy26 = 47.525 / 47.51, 115.186 / 115.3, 193.737 / 193.7
    year = 18.4 * fy24 * days("2024-01-01", "2024-01-28") / 91 + (22.6 + 26.3 + 30.8) * fy25
    year += 35.6 * fy25 * days("2024-10-28", "2024-12-31") / 91
    assert came["line[nvidia,2024]"].value == pytest.approx(year, rel=1e-6)
    assert year == pytest.approx(110.7, abs=0.1)
    quarter = 39.1 * days("2025-04-01", "2025-04-27") + 41.1 * days("2025-04-28", "2025-06-30")
    assert came["line[nvidia,2025Q2]"].value == pytest.approx(quarter * fy26 / 91, rel=1e-6)


def test_line__counts_a_quarter_known_only_when_all_its_days_are(came, spring, base_world):
    """By 27 May 2024 NVIDIA had reported up to 28 April, by 28 February 2026 Broadcom up to 2 November."""
    assert names(came, "line[nvidia,") == [*quarters("2024Q2", "2025Q4"), "2024", "2025"]
    assert names(came, "line[google_tpu,") == [*quarters("2024Q1", "2025Q3"), "2024"]
    time = np.array(base_world.book.axes["time"])
    assert time[reported(spring, "nvidia")][-1] == "2024Q1"
    assert time[reported(base_world, "google_tpu")][[0, -1]].tolist() == ["2023Q1", "2025Q3"]


def test_year__waits_for_its_last_quarter(spring, winter, folder):
    """On 12 February 2025 the four had reported 2024; NVIDIA's last fiscal quarter of it was still to come."""
    found = {each.quantity for each in outcomes(spring, winter, folder)}
    assert "capex[reported,2024]" in found
    assert "line[nvidia,2024Q3]" in found
    assert found.isdisjoint({"line[nvidia,2024Q4]", "line[nvidia,2024]", "capex[reported,2025]", "capex[meta,2025Q1]"})


def test_book__is_not_scored_on_what_it_knew(winter, base_world, folder):
    found = {each.quantity: each for each in outcomes(winter, base_world, folder)}
    assert not [name for name in found if name.startswith("capex[") and ",2024" in name]
    assert names(found, "line[nvidia,") == [*quarters("2024Q4", "2025Q4"), "2024", "2025"]
    own = [each for each in outcomes(base_world, base_world, folder) if "Epoch" not in each.metric]
    assert own == []


# Epoch AI's estimates


@pytest.mark.parametrize(
    ("quantity", "value", "low", "high"),
    [
        ("h100e8[nvidia,2024]", 4.724425 - 1.391249, 4.009641, 5.501653),
        ("h100e8[nvidia,2025]", 13.659258 - 4.724425, 11.899055, 15.548902),
        ("h100e8[google_tpu,2024]", 0.951445 - 0.208719, 0.756547, 1.16771),
        ("h100e8[amd,2024]", 0.549726, 0.456658, 0.653064),  # counted from 1 January 2024
        ("h100e8[amd,2025]", 1.244972 - 0.549726, 1.060773, 1.456892),
    ],
)
def test_estimates__are_what_was_shipped_in_the_year_with_their_error(came, quantity, value, low, high):
    assert came[quantity].value == pytest.approx(value)
    assert came[quantity].error == pytest.approx(np.log(high / low) / Z90)


def test_instinct__is_the_sum_of_its_quarters(came):
    bands = [(0.6, 0.9), (1, 1.25), (1.4, 1.6), (1.7, 1.9)]
    assert came["revenue[amd,2024]"].value == pytest.approx(sum((low * high) ** 0.5 for low, high in bands))
    assert came["revenue[amd,2024]"].error == pytest.approx(np.log(5.65 / 4.7) / Z90)


def test_estimates__of_years_that_a_book_knew_are_left_out(came, winter, base_world, folder):
    later = {each.quantity for each in outcomes(winter, base_world, folder)}
    for name in ("h100e8[nvidia,", "h100e8[google_tpu,", "h100e8[amd,", "revenue[amd,"):
        assert names(came, name) == ["2024", "2025"]
        assert names(later, name) == ["2025"]
    assert not [name for name in came if "trainium" in name]


# people


def test_people__count_from_the_last_one_published(winter, spring, folder):
    """3.35 bn in December 2024, told on 29 January 2025; 3.48 in June and 3.58 in December 2025."""
    found = people(winter, folder, dt.date(2026, 2, 28))
    assert [(each.then, each.came, each.end) for each in found] == [
        (3.35, 3.48, dt.date(2025, 6, 30)),
        (3.35, 3.58, dt.date(2025, 12, 31)),
    ]
    assert [each.years for each in found] == pytest.approx([181 / 365.25, 1.0], abs=0.001)
    assert people(winter, folder, dt.date(2025, 12, 31)) == found[:1]
    assert people(spring, folder, dt.date(2026, 2, 28)) == []  # no count had been published that was told alike


def test_people__are_of_the_cited_rows(folder):
    rows = [row for row in history.read(folder / "usage.csv") if row.key.startswith("meta_family.daily_people")]
    assert {row.period: row.value for row in rows}["2025-06"] == 3.48
