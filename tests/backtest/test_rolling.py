"""Rolling origins on the real record: what must hold of them, factors against Student's t, and no look ahead."""

import datetime as dt
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scoringrules
from scipy import stats

from sim.backtest import rolling
from sim.backtest.opponents import LAST_GROWTH, LAST_VALUE, METHODS, RANDOM_WALK
from sim.backtest.scored import OURS, scored, summaries
from sim.fit import spread
from sim.fit.record import Record, record
from sim.fit.sampler import Size

TODAY = dt.date(2026, 2, 28)
TINY = Size(chains=8, warmup=40, steps=25)
"""Too few steps to converge: for tests that ask only whether forecasts are the same."""
LEVELS = np.array([0.5, 0.8, 0.9])


@pytest.fixture(scope="module")
def known(capex_rows):
    return record(capex_rows, as_of=TODAY)


@pytest.fixture(scope="module")
def made(known):
    """Origins, fitted once for all tests."""
    return list(spread.origins(known, as_of=TODAY))


@pytest.fixture(scope="module")
def cases(known, made):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolling, "origins", lambda *_, **__: iter(made))
        return rolling.cases(known, as_of=TODAY)


@pytest.fixture(scope="module")
def rows(cases):
    return [row for case in cases for row in scored(case)]


@pytest.fixture(scope="module")
def told(rows):
    return {(each.metric, each.method): each for each in summaries(rows, block=3)}


COMPANY, TOTAL = "capex growth, company", "capex growth, total"


def test_company__is_no_worse_than_a_walk_given_the_same_recalibration(told):
    skill = told[COMPANY, RANDOM_WALK].skill
    assert (skill.cases, skill.times) == (168, 15)
    assert skill.skill >= 0
    assert skill.low > -0.10


def test_total__is_at_most_a_tenth_worse_than_the_walk(told):
    skill = told[TOTAL, RANDOM_WALK].skill
    assert (skill.cases, skill.times) == (42, 15)
    assert skill.skill >= -0.10


def test_company__intervals_hold_what_they_should_and_are_no_wider_than_the_walk(told):
    ours = told[COMPANY, OURS]
    for covered, (least, most) in zip(ours.covered, ((0.4, 0.7), (0.7, 0.95), (0.82, 0.99)), strict=True):
        assert least <= covered <= most
    assert ours.width <= told[COMPANY, RANDOM_WALK].width


def test_cases__are_all_companies_and_their_total_one_to_three_years_ahead(cases):
    counted = {h: sum(case.horizon == h for case in cases) for h in (1, 2, 3)}
    assert counted == {1: 15 * 5, 2: 14 * 5, 3: 13 * 5}
    assert {case.made for case in cases} == {str(year) for year in range(2010, 2025)}
    assert {case.time for case in cases if case.made == "2017"} == {2017}
    assert {tuple(case.draws) for case in cases} == {(OURS, *METHODS)}


@pytest.mark.parametrize(
    ("quantity", "came", "horizon"),
    [
        ("capex[meta,2024] / capex[meta,2022]", 37.256 / 31.431, 2),
        ("capex[amazon,2020] / capex[amazon,2017]", 35.044 / 10.058, 3),
        ("capex[reported,2025] / capex[reported,2024]", 372.552 / 223.001, 1),
        ("capex[reported,2024] / capex[reported,2023]", 223.001 / 142.852, 1),
    ],
)
def test_cases__came_by_hand_from_the_cited_rows(cases, quantity, came, horizon):
    (case,) = [case for case in cases if case.quantity == quantity]
    assert case.truth == pytest.approx(came)
    assert case.horizon == horizon


def test_first_origin__has_learned_no_factor(cases, made):
    first = {case.quantity: case.draws for case in cases if case.made == "2010"}
    for row, name in enumerate(made[0].past.known.companies):
        for ahead in range(3):
            drawn = first[f"capex[{name},{2011 + ahead}] / capex[{name},2010]"][OURS]
            np.testing.assert_allclose(drawn, np.exp(made[0].companies[row, ahead]))


def test_total__of_ours_is_the_sum_of_the_companies(cases, known):
    for year in (2010, 2019, 2024):
        now = {case.quantity: case.draws[OURS] for case in cases if case.made == str(year)}
        level = dict(zip(known.companies, known.level[:, known.years.index(year)], strict=True))
        summed = sum(level[name] * now[f"capex[{name},{year + 1}] / capex[{name},{year}]"] for name in level)
        total = now[f"capex[reported,{year + 1}] / capex[reported,{year}]"] * sum(level.values())
        np.testing.assert_allclose(total, summed)


def test_coverage__is_what_the_factor_learned_as_it_went_gives(rows, made):
    """The fit's own table, from half-widths and not from draws (docs/fit.md)."""
    past = spread.Rolling(
        np.concatenate([np.full(len(each.total), each.past.year) for each in made]),
        np.concatenate([np.arange(1, len(each.total) + 1) for each in made]),
        np.concatenate([spread.half_widths(each.companies, each.past.came) for each in made], axis=1),
        np.concatenate([spread.half_widths(each.total, each.past.total_came) for each in made]),
    )
    own = [row.covered for row in rows if (row.metric, row.method) == (COMPANY, OURS) and row.time >= 2013]
    expected = spread.learned(past)["companies"]["shrunk"]
    assert np.mean(own, axis=0) == pytest.approx(expected, abs=1.5 / len(own))  # a tie at an interval's end


# factors and walks in closed form


def predictive(method, seen, last, h):
    """The t of a sum of ``h`` growths to come."""
    n, sd = len(seen), seen.std(ddof=1)
    return {
        RANDOM_WALK: stats.t(n - 1, loc=h * seen.mean(), scale=sd * np.sqrt(h + h * h / n)),
        LAST_VALUE: stats.t(n, loc=0, scale=np.sqrt((seen**2).mean() * h)),
        LAST_GROWTH: stats.t(n - 1, loc=h * last, scale=sd * np.sqrt(2 * h)),
    }[method]


def pooled_growths(known, origin):
    """Growths of all companies together up to an origin, and each one's own."""
    own = np.diff(np.log(known.level[:, : known.years.index(origin) + 1]), axis=1)
    return own[np.isfinite(own)], own


def total_growths(known, origin):
    own = np.diff(np.log(np.nansum(known.level[:, : known.years.index(origin) + 1], axis=0)))
    return own, own[None]


def by_hand(known, group, method, year):
    """The factor of half-widths known by a year, from quantiles of Student's t."""
    growing = pooled_growths if group == "company" else total_growths
    level = known.level if group == "company" else np.nansum(known.level, axis=0, keepdims=True)
    found, origins = [], set()
    for origin in range(2010, year):
        seen, own = growing(known, origin)
        start = known.years.index(origin)
        for h in (1, 2, 3):
            if origin + h > year:
                continue
            origins.add(origin)
            for row, grown in zip(level, own, strict=True):
                expected = predictive(method, seen, grown[-1], h)
                middle, *ends = expected.ppf((0.5, *(1 + LEVELS) / 2))
                found += list(abs(np.log(row[start + h] / row[start]) - middle) / (np.array(ends) - middle))
    return np.quantile(found, 2.2 / 3) ** (len(origins) / (len(origins) + 5))


def test_factors__are_those_of_a_students_t_at_the_end_of_the_record(known):
    """6,400 draws give the ends of the intervals to about 2 %."""
    found = rolling.factors(known)
    for group in ("company", "total"):
        expected = {method: by_hand(known, group, method, 2025) for method in METHODS}
        assert found[group] == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("year", [2012, 2013, 2024])
@pytest.mark.parametrize(("group", "quantity"), [("company", "meta"), ("total", "reported")])
def test_factor__of_an_origin_is_learned_from_what_had_come_by_then(cases, known, group, quantity, year):
    """The walk's width one year ahead over that of its t. A year more or less would move 2012 and 2013 by a tenth."""
    (case,) = [c for c in cases if c.quantity == f"capex[{quantity},{year + 1}] / capex[{quantity},{year}]"]
    seen, own = (pooled_growths if group == "company" else total_growths)(known, year)
    plain = predictive(RANDOM_WALK, seen, own[-1][-1], 1)
    low, high = np.quantile(np.log(case.draws[RANDOM_WALK]), (0.1, 0.9))
    factor = (high - low) / (plain.ppf(0.9) - plain.ppf(0.1))
    assert factor == pytest.approx(by_hand(known, group, RANDOM_WALK, year), rel=0.06)


def test_walk__of_the_first_origin_is_scored_as_students_t(rows, known):
    """CRPS of the t in closed form; no factor is known yet."""
    for name, own in (("reported", total_growths(known, 2010)), ("microsoft", pooled_growths(known, 2010))):
        n, seen = len(own[0]), own[0]
        (row,) = [r for r in rows if r.quantity.startswith(f"capex[{name},2011]") and r.method == RANDOM_WALK]
        expected = scoringrules.crps_t(np.log(row.truth), n - 1, seen.mean(), seen.std(ddof=1) * np.sqrt(1 + 1 / n))
        assert row.crps == pytest.approx(expected, rel=0.05)


# no look ahead


def forecasts(record, patch):
    """Draws of a short record's origins by figure, from few steps of the sampler."""
    patch.setattr(rolling, "origins", partial(spread.origins, size=TINY))
    return {(case.made, case.quantity): case.draws for case in rolling.cases(record, as_of=TODAY)}


def changed_after(known, year):
    later = np.array(known.years) > year
    return replace(known, level=np.where(later, 3 * known.level, known.level))


def differing(one, other):
    return {key for key in one if any((one[key][method] != other[key][method]).any() for method in one[key])}


@pytest.fixture(scope="module")
def short(known):
    return known.until(2016)


def test_forecasts__know_nothing_of_a_later_year(short, monkeypatch):
    one, other = (forecasts(each, monkeypatch) for each in (short, changed_after(short, 2013)))
    assert {int(made) for made, _ in differing(one, other)} == {2014, 2015}


def test_forecasts__a_planted_leak_is_seen(short, monkeypatch):
    """A process fitted to one year too many, which the comparison above must tell."""
    until = Record.until
    monkeypatch.setattr(Record, "until", lambda known, year: until(known, year + 1))
    one, other = (forecasts(each, monkeypatch) for each in (short, changed_after(short, 2013)))
    assert {int(made) for made, _ in differing(one, other)} >= {2013}


def test_factors__know_nothing_of_a_later_year(short):
    """A factor of a year too far is one that what came in that year changes."""
    one, other = (rolling.factors(each.until(2013)) for each in (short, changed_after(short, 2013)))
    assert one == other
    assert rolling.factors(short) != rolling.factors(changed_after(short, 2013))
