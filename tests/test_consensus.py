"""Where published points stand: closed forms of a Gaussian case, planted boxes, and the book of 2024-05-27."""

import datetime as dt
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import norm

from sim import forecast, published
from sim.book.load import shipped
from sim.consensus import as_json, consensus, docs, table, told
from sim.consensus.page import place
from sim.consensus.region import region
from sim.consensus.standing import FEWEST, Numbers, share_below, shifts, standing
from sim.distributions import Fixed
from sim.ensemble import quantity
from sim.errors import BookError
from sim.published import Published
from sim.shares import scores

PAGE = Path(__file__).parents[1] / "docs" / "consensus.md"
DRAWS = 2_048
OF = "capex[reported,2026]"
WEIGHTS = np.array([0.8, 0.5, -0.3, 0.1, 0.0, 0.0])
BY_CHANCE = 5.0
"""Standard errors that chance passes once in 1.7 million."""


def point(value, of=OF, date=dt.date(2024, 5, 27), **given):
    return Published("mine", "A bank", date, of, value, "As it counts.", "", (), **given)


# --- how many lie below


@pytest.mark.parametrize(("value", "below"), [(250, 0.25), (250.5, 0.251), (0, 0), (-1, 0), (999.5, 1)])
def test_share_below__counts_the_draws_that_are_less(value, below):
    found = share_below(np.random.default_rng(1).permutation(1000).astype(float), value)
    assert found.value == below
    assert found.error > 0
    if 0 < below < 1:
        assert found.error == pytest.approx(math.sqrt(below * (1 - below) / 1000), rel=0.01)


def test_share_below__error_is_how_far_shares_of_other_draws_lie():
    """Over 4,000 sets of 400 draws the spread of the share is its error, to 5 standard errors of a spread."""
    sets = np.random.default_rng(2).normal(size=(4000, 400))
    found = [share_below(each, -1.0) for each in sets]
    spread, error = np.std([each.value for each in found]), np.mean([each.error for each in found])
    assert spread == pytest.approx(error, rel=BY_CHANCE / math.sqrt(2 * 4000))


# --- a linear Gaussian case


@pytest.fixture(scope="module")
def gaussian(base_world):
    """A sum of six independent normals, told by entries that are lognormal in them, named as numbers of the book."""
    z = np.random.default_rng(3).normal(size=(6, 20_000))
    priors = base_world.book.priors
    wanted = ("capex_drift", "need_response", "tokens", "lifetime", "pue", "transit")
    named = [
        (priors[name], next(labels for labels, member in priors[name].table.items() if not isinstance(member, Fixed)))
        for name in wanted
    ]
    values = np.exp(3 * z + 2).astype(np.float32)
    return WEIGHTS @ z / np.linalg.norm(WEIGHTS), Numbers(named, values, scores(values))


@pytest.mark.parametrize("level", [0.02, 0.3, 0.5, 0.9, 0.995])
def test_shifts__are_correlation_times_the_inverse_mills_ratio(gaussian, level):
    drawn, numbers = gaussian
    z = norm.ppf(level)
    correlation = WEIGHTS / np.linalg.norm(WEIGHTS)
    for chosen, mills in ((drawn >= z, norm.pdf(z) / norm.sf(z)), (drawn <= z, -norm.pdf(z) / norm.cdf(z))):
        found, error = shifts(numbers.scores, chosen)
        np.testing.assert_array_less(np.abs(found - correlation * mills), BY_CHANCE * error)
        assert (error < 1.1 / math.sqrt(chosen.sum())).all()


@pytest.mark.parametrize(("level", "above"), [(0.1, False), (0.9, True)])
def test_standing__looks_beyond_the_point_on_its_side(base_world, gaussian, level, above):
    drawn, numbers = gaussian
    value = norm.ppf(level)
    found = standing(base_world, point(value), quantity(base_world, OF), drawn, numbers)
    sign = 1 if above else -1
    mills = sign * norm.pdf(value) / norm.sf(norm.ppf(0.9))
    names = ["capex_drift", "need_response", "tokens", "lifetime"]
    expected = dict(zip(names, WEIGHTS / np.linalg.norm(WEIGHTS) * mills, strict=False))
    assert [each.prior for each in found.beliefs] == names
    assert {each.prior: each.shift.value for each in found.beliefs} == pytest.approx(expected, abs=0.11)
    assert found.below.value == pytest.approx(level, abs=BY_CHANCE * found.below.error)
    assert found.above is above
    assert found.beyond == (drawn >= value if above else drawn <= value).sum()
    assert not found.outside
    assert (found.p05, found.p50, found.p95) == pytest.approx(norm.ppf([0.05, 0.5, 0.95]), abs=0.07)


def test_standing__of_a_point_outside_is_that_of_the_most_extreme_draws(base_world, gaussian):
    drawn, numbers = gaussian
    high, low = (standing(base_world, point(value), quantity(base_world, OF), drawn, numbers) for value in (9.0, -9.0))
    assert [(each.outside, each.beyond, each.below.value) for each in (high, low)] == [(True, 0, 1), (True, 0, 0)]
    extreme = np.sort(drawn)[-FEWEST]
    correlation = 0.8 / np.linalg.norm(WEIGHTS)
    expected = correlation * norm.pdf(extreme) / norm.sf(extreme)
    assert high.beliefs[0].shift.value == pytest.approx(expected, abs=0.4)
    assert low.beliefs[0].shift.value == pytest.approx(-expected, abs=0.4)
    assert "It is outside: 0 of 20,000 draws lie at or below it. The 100 draws nearest it differ" in told(low)


def test_standing__tells_medians_and_ranges_in_the_unit_of_the_file(base_world, gaussian):
    drawn, numbers = gaussian
    found = standing(base_world, point(1.0), quantity(base_world, OF), drawn, numbers)
    third = next(each for each in found.beliefs if each.prior == "tokens")
    prior, labels = numbers.named[2]
    assert prior.factor != 1
    assert third.median == pytest.approx(np.median(numbers.values[2][drawn >= 1]) / prior.factor)
    assert third.p50 == pytest.approx(prior.table[labels].quantile(0.5) / prior.factor)
    side = next(each for each in found.region.sides if found.beliefs[each.belief].prior == "capex_drift")
    assert np.mean(numbers.values[0] / numbers.named[0][0].factor < side.low) == pytest.approx(side.low_percentile)


def test_standing__calls_nothing_clear_that_is_chance(base_world):
    """Ten outcomes that have nothing to do with any of a thousand numbers: each has one called clear once in a hundred.

    More than four have a chance of 1e-7; by three standard errors alone nearly every outcome would have several.
    """
    rng = np.random.default_rng(4)
    priors = base_world.book.priors.values()
    named = [
        (prior, labels) for prior in priors for labels, member in prior.table.items() if not isinstance(member, Fixed)
    ]
    values = rng.normal(size=(len(named), 1_500)).astype(np.float32)
    numbers, of = Numbers(named, values, scores(values)), quantity(base_world, OF)
    outcomes = rng.normal(size=(10, 1_500))
    assert sum(len(standing(base_world, point(1.0), of, each, numbers).beliefs) for each in outcomes) <= 4


def test_standing__leaves_out_numbers_of_later_years(base_world):
    priors = base_world.book.priors
    named = [(priors["capex_common_shock"], (year,)) for year in ("2026", "2027")]
    values = np.random.default_rng(5).normal(size=(2, 5_000)).astype(np.float32)
    numbers = Numbers(named, values, scores(values))
    found = standing(base_world, point(1.0), quantity(base_world, OF), values.sum(axis=0).astype(float), numbers)
    assert [(each.entry, each.count) for each in found.beliefs] == [("capex_common_shock[2026]", 1)]


# --- the box


def test_region__recovers_what_was_planted():
    values = np.random.default_rng(6).uniform(size=(3, 20_000))
    found = region(values, (values[0] > 0.7) & (values[1] < 0.4))
    assert [side.belief for side in found.sides] == [0, 1]
    first, second = found.sides
    assert (first.low, second.high) == pytest.approx((0.7, 0.4), abs=0.03)
    assert (first.high, second.low) == (None, None)
    assert (first.low_percentile, first.high_percentile) == (pytest.approx(first.low, abs=0.01), 1)
    assert min(found.coverage, found.density) > 0.9
    assert found.base == pytest.approx(0.3 * 0.4, abs=BY_CHANCE * math.sqrt(0.12 * 0.88 / 10_000))
    assert found.mass * found.density == pytest.approx(found.base * found.coverage, rel=1e-9)


def test_region__finds_a_middle_from_both_sides():
    values = np.random.default_rng(7).normal(size=(1, 20_000))
    (side,) = region(values, abs(values[0]) < 0.5).sides
    assert (side.low, side.high) == pytest.approx((-0.5, 0.5), abs=0.06)
    assert (side.low_percentile, side.high_percentile) == pytest.approx(norm.cdf([-0.5, 0.5]), abs=0.02)


def test_region__keeps_half_of_what_it_is_of():
    """Of a noisy threshold the box gets denser to the end, so it stops where half is left."""
    rng = np.random.default_rng(8)
    values = rng.normal(size=(1, 40_000))
    found = region(values, values[0] + rng.normal(size=40_000) > 1)
    assert found.coverage == pytest.approx(0.5, abs=0.06)
    assert found.density > 2 * found.base


def test_region__of_chance_is_no_denser_than_all():
    """Its figures are those of draws that had no part in finding it: no better than chance, where chance is all."""
    rng = np.random.default_rng(9)
    densities = []
    for _ in range(60):
        interest = rng.uniform(size=2_000) < 0.1
        found = region(rng.normal(size=(3, 2_000)), interest)
        if found is not None:
            densities.append((found.density - found.base) / math.sqrt(0.09 / (1_000 * found.mass)))
    assert len(densities) > 20
    assert abs(np.mean(densities)) < BY_CHANCE / math.sqrt(len(densities))


def test_region__of_nothing_that_varies_is_none():
    assert region(np.ones((2, 1_000)), np.arange(1_000) < 300) is None


# --- a real book


@pytest.fixture(scope="module")
def may_2024():
    """The book of HT24's day with the shipped points and some of ours."""
    world = forecast.load("2024-05-27")
    own = [point(150, "capex[reported,2023]"), point(100, "capex[reported,2031]")]
    later = [each for each in published.read() if each.quantity.startswith("capex") or each.date <= world.book.as_of]
    return world, consensus(world, draws=DRAWS, seed=1, points=[*own, *later], later=True)


def test_consensus__visible_alpha_stands_inside_the_book_of_its_day(may_2024):
    _, found = may_2024
    own = {each.point.quantity: each for each in found if each.point.key.startswith("visible_alpha")}
    assert list(own) == [f"capex[reported,{year}]" for year in (2024, 2025, 2026)]
    for each in own.values():
        assert 0.01 < each.below.value < 0.99
        assert (each.later, each.over, each.outside) == (False, False, False)
    assert own["capex[reported,2026]"].below.value < own["capex[reported,2024]"].below.value


def test_consensus__tells_what_a_low_forecast_asks_for(may_2024):
    """Less capex than the book's middle asks for lower growth: negative beats, drifts and shocks."""
    _, found = may_2024
    low = next(each for each in found if each.point.key == "visible_alpha_2026")
    moved = {each.prior: each.shift.value for each in low.beliefs}
    assert moved["guidance_beat"] < -0.3
    assert moved["capex_common_shock"] < -0.2
    assert moved["capex_drift"] < -0.2
    assert low.region.density > 1.5 * low.region.base


def test_consensus__leaves_out_the_record_and_what_lies_outside_the_run(may_2024):
    _, found = may_2024
    assert "mine" not in {each.point.key for each in found}


def test_consensus__marks_what_was_published_later_and_what_is_nowcast(may_2024):
    world, found = may_2024
    assert {each.later for each in found} == {True, False}
    for each in found:
        assert each.later == (each.point.date > world.book.as_of)
    assert {each.point.key for each in found if each.over} == {"gh24_nvidia_2023", "gh24_h100_2023", "ht24_a100e"}


def test_consensus__without_points_takes_what_was_published_by_the_day(may_2024, monkeypatch):
    world, found = may_2024
    asked = []

    def stop(_, wanted, **__):
        asked.extend(map(str, wanted))
        raise InterruptedError

    monkeypatch.setattr("sim.consensus.standing.ensemble", stop)
    with pytest.raises(InterruptedError):
        consensus(world)
    assert asked == [each.point.quantity for each in found if not each.later]


def test_consensus__refuses_too_few_draws_and_a_quantity_that_is_not_there(may_2024):
    world, _ = may_2024
    with pytest.raises(BookError, match="1,000 or more"):
        consensus(world, draws=999)
    with pytest.raises(BookError, match="nvidia"):
        consensus(world, points=[point(1, "units[nvidai,2025]")])


def test_page__is_a_table_sentences_and_json(may_2024):
    _, found = may_2024
    console = Console(width=220, file=None)
    with console.capture() as shown:
        console.print(table(found))
    for each in found:
        assert each.point.who in shown.get()
    written = json.loads(json.dumps(as_json(found), allow_nan=False))
    first = next(each for each in written if each["point"]["key"] == "visible_alpha_2025")
    assert (first["point"]["date"], first["unit"], first["later"]) == ("2024-05-27", "bn USD", False)
    assert first["below"]["value"] == next(e for e in found if e.point.key == "visible_alpha_2025").below.value
    assert first["region"]["sides"][0]["belief"].startswith(first["beliefs"][0]["prior"])
    assert re.search(
        r"Visible Alpha consensus \(HT24\), 2024-05-27: 221.1 bn USD for capex\[reported,2025\]. It stands at P\d+ of "
        r"the book 2024-05-27: \d+\.\d % of the draws \(error 0\.\d\) lie below; P5, P50 and P95 are \d+, \d+ and "
        r"\d+. The draws at or below it differ most in guidance_beat\[\w+\], 0\.\d\d sd lower \(error 0\.\d\d; median",
        first["told"],
    )
    later = next(each for each in written if each["point"]["key"] == "guidance_2026_02")
    assert "It was published after the book's date, 2024-05-27." in later["told"]


@pytest.mark.parametrize(
    ("below", "says"),
    [(0.93, "P93"), (0.006, "P0.6"), (0.00042, "P0.04"), (0.9999, "P99.99"), (0, "below all"), (1, "above all")],
)
def test_place__has_as_many_digits_as_its_tail_asks_for(may_2024, below, says):
    from dataclasses import replace

    _, found = may_2024
    assert place(replace(found[0], below=found[0].below._replace(value=below))) == says


# --- docs/consensus.md


def rows_of(text):
    """Cells of a Markdown table without its head."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]


def test_docs__are_of_the_shipped_books_and_points(may_2024):
    """Every row is a point of the list, known by its book's date; shares of the page are those of our draws."""
    generated = PAGE.read_text(encoding="utf-8").partition(docs.BEGIN)[2].partition(docs.END)[0]
    points = {(f"{each.who}, {each.date}", each.quantity, f"{each.value:,.6g}"): each for each in published.read()}
    books = re.split(r"^### Book (\S+?)(?:,.*)?$", generated, flags=re.MULTILINE)[1:]
    dates, shown = shipped(), {}
    for name, text in zip(books[::2], books[1::2], strict=True):
        shown[name] = {points[row[0], row[1].split("`")[1], row[2].lstrip("> ")]: row[6] for row in rows_of(text)}
        assert all(each.date <= dates[name] for each in shown[name])
    assert set(shown) == set(dates)
    ours = {each.point: each.below for each in may_2024[1] if not each.later}
    assert set(shown["2024-05-27"]) == set(ours)
    for each, at in shown["2024-05-27"].items():
        if match := re.fullmatch(r"P(\d+)", at):
            assert abs(int(match[1]) / 100 - ours[each].value) < BY_CHANCE * ours[each].error + 0.005
