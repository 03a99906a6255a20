"""Scores of a case against the closed forms of a log-normal, and means over cases by hand."""

from dataclasses import replace

import numpy as np
import pytest
import scoringrules
from scipy import stats

from sim import score
from sim.backtest.scored import OURS, Case, scored, summaries

EVEN = (np.arange(200_000) + 0.5) / 200_000
MU, SD = np.log(80.0), 0.3
CASE = Case(
    metric="capex",
    quantity="capex[meta,2024]",
    made="2024-05-27",
    time=2024,
    horizon=0.75,
    truth=100.0,
    error=0.0,
    draws={OURS: np.exp(stats.norm(MU, SD).ppf(EVEN))},
)
AWAY = MU - np.log(100.0)


def only(case):
    (found,) = scored(case)
    return found


def test_scored__of_a_lognormal_is_the_closed_form_of_its_logarithm():
    found = only(CASE)
    assert found.crps == pytest.approx(scoringrules.crps_normal(0, AWAY, SD), abs=1e-5)
    assert found.log_score == pytest.approx(-stats.norm(AWAY, SD).logpdf(0), abs=0.01)  # the kernels widen it by 0.7 %
    assert found.pit == pytest.approx(stats.norm.cdf(-AWAY / SD), abs=1e-5)
    assert found.width == pytest.approx(2 * stats.norm.ppf(0.95) * SD, abs=1e-5)
    assert (found.p05, found.p50, found.p95) == pytest.approx(
        np.exp(MU + SD * stats.norm.ppf((0.05, 0.5, 0.95))), rel=1e-5
    )


def test_scored__a_forecast_below_what_came_has_a_high_pit_and_a_negative_bias():
    found = only(CASE)
    assert found.pit > 0.5
    assert found.bias == pytest.approx(np.log(80 / 100), abs=1e-5)
    above = only(CASE._replace(truth=64.0))
    assert above.pit == pytest.approx(1 - found.pit, abs=1e-4)
    assert above.bias == pytest.approx(-found.bias, abs=1e-5)


@pytest.mark.parametrize(
    ("z", "covered"),
    [(0.0, (True,) * 3), (0.7, (False, True, True)), (-1.4, (False, False, True)), (1.7, (False,) * 3)],
)
def test_scored__intervals_are_central(z, covered):
    """Ends of the central 50, 80 and 90 % lie 0.674, 1.282 and 1.645 sd out."""
    assert only(CASE._replace(truth=float(np.exp(MU + z * SD)))).covered == covered


def test_scored__knows_no_unit():
    """Thousands of the unit: the same scores, but for the figures themselves."""
    small, large = only(CASE), only(CASE._replace(truth=1e5, draws={OURS: 1e3 * CASE.draws[OURS]}))
    assert large.p50 == pytest.approx(1e3 * small.p50)
    for name in ("crps", "log_score", "pit", "width", "bias"):
        assert getattr(large, name) == pytest.approx(getattr(small, name), abs=1e-9)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_scored__a_noisy_truth_is_met_by_a_forecast_that_carries_its_error(order):
    """Log-normal draws and a log-normal error: the root of the sum of squares, in whatever order draws come."""
    noisy = only(CASE._replace(error=0.4, draws={OURS: CASE.draws[OURS][order]}))
    wide = np.hypot(SD, 0.4)
    assert noisy.crps == pytest.approx(scoringrules.crps_normal(0, AWAY, wide), rel=0.01)
    assert noisy.pit == pytest.approx(stats.norm.cdf(-AWAY / wide), abs=0.005)
    assert noisy.width == pytest.approx(2 * stats.norm.ppf(0.95) * wide, rel=0.01)
    assert noisy.bias == pytest.approx(AWAY, abs=0.005)


def test_scored__a_draw_of_nothing_counts_as_a_thousandth():
    """Half of the draws 0, half right: E|X - y| - E|X - X'| / 2 with X = log 0.001 or 0."""
    found = only(CASE._replace(draws={OURS: np.array([0.0, 100.0] * 50)}))
    far = -np.log(1e-3)
    assert found.crps == pytest.approx(far / 2 - far / 4)
    assert found.pit == pytest.approx(0.75)
    assert np.isfinite(found.log_score)


def test_scored__every_method_is_scored_on_the_same_figure():
    rows = scored(CASE._replace(draws={OURS: CASE.draws[OURS], "last value": 2 * CASE.draws[OURS]}))
    assert [row.method for row in rows] == [OURS, "last value"]
    assert rows[1].bias - rows[0].bias == pytest.approx(np.log(2))
    assert {(row.metric, row.quantity, row.made, row.time, row.horizon, row.truth) for row in rows} == {CASE[:6]}


# means over cases


@pytest.fixture
def rows(row):
    """Three figures of ours; of the walk the first two, and one that we did not forecast."""
    return [
        row(quantity="a", time=2024, crps=0.1, log_score=0.0, covered=(True, True, True), width=0.2, bias=-0.1),
        row(quantity="b", time=2025, crps=0.2, log_score=1.0, covered=(False, True, True), width=0.4, bias=-0.3),
        row(quantity="c", time=2025, crps=0.6, log_score=2.0, covered=(False, False, True), width=0.6, bias=0.1),
        row(quantity="a", time=2024, method="walk", crps=0.2),
        row(quantity="b", time=2025, method="walk", crps=0.3),
        row(quantity="d", time=2025, method="walk", crps=9.0),
    ]


def test_summaries__are_means_over_the_cases(rows):
    ours, walk = summaries(rows, block=1)
    assert (ours.method, ours.cases, ours.skill) == (OURS, 3, None)
    assert ours.crps == pytest.approx(0.3)
    assert ours.log_score == pytest.approx(1.0)
    assert ours.covered == pytest.approx((1 / 3, 2 / 3, 1))
    assert ours.width == pytest.approx(0.4)
    assert ours.bias == pytest.approx(-0.1)
    assert walk.cases == 3


def test_summaries__skill_is_of_the_figures_that_both_forecast(rows):
    """(0.1 + 0.2) against (0.2 + 0.3); resampled by year: 2024 twice 1 - 1/2, 2025 twice 1 - 2/3."""
    walk = summaries(rows, block=1)[1]
    assert walk.skill.skill == pytest.approx(1 - 0.3 / 0.5)
    assert (walk.skill.cases, walk.skill.times) == (2, 2)
    assert (walk.skill.low, walk.skill.high) == pytest.approx((1 / 3, 1 / 2))


def test_summaries__resamples_blocks_of_years(row):
    rng = np.random.default_rng(4)
    losses, times = rng.uniform(0.1, 0.5, (2, 30)), np.repeat(np.arange(2010, 2025), 2)
    rows = [
        row(quantity=str(i), time=int(times[i]), method=method, crps=float(losses[m, i]))
        for m, method in enumerate((OURS, "walk"))
        for i in range(30)
    ]
    found = summaries(rows, block=3)[1].skill
    assert found == score.skill(losses[0], losses[1], times, block=3)
    assert found != score.skill(losses[0], losses[1], times, block=1)


def test_summaries__pools_over_metrics_on_request(rows):
    other = [replace(each, metric="line", crps=2 * each.crps) for each in rows]
    found = summaries([*rows, *other], block=1, pooled="all")
    assert [(each.metric, each.method) for each in found] == [
        *((metric, method) for metric in (rows[0].metric, "line", "all") for method in (OURS, "walk"))
    ]
    assert found[1].crps == pytest.approx((0.2 + 0.3 + 9) / 3)
    assert found[3].crps == pytest.approx(2 * found[1].crps)


def test_summaries__the_same_figure_of_two_books_is_two_cases(row):
    rows = [row(made=made, crps=crps) for made, crps in (("2024-02-08", 0.1), ("2024-05-27", 0.3))]
    assert summaries(rows, block=1)[0].cases == 2
    assert summaries(rows, block=1)[0].crps == pytest.approx(0.2)
