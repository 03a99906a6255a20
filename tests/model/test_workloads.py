"""What buyers need: the reports' own table, cases worked by hand, and paths against the integrals of their rates."""

import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit

from sim.axes import WORKLOADS
from sim.model import workloads
from sim.model.constants import A100_TFLOPS, H100_TFLOPS
from sim.replicate import read_book
from sim.replicate.book import parse_printed
from tests.model.tiny import number, still

TRAINING, RECOMMENDER, ASSISTANT = (WORKLOADS.index(name) for name in ("training", "recommender", "assistant"))
BUYERS = 4
LN2 = math.log(2)


def only(workload, **given):
    """Beliefs in which every buyer has one workload only."""
    nothing = {"recommender": {"users": 0}, "assistant": {"tokens": 0}, "training": {"frontier_run": 0}}
    off = {name: value for each, names in nothing.items() if each != workload for name, value in names.items()}
    return still(**(off | given))


def at(believed, years, year=2026.0, loads=None):
    """Raw need some years after a hand-over at ``year``."""
    loads = loads or workloads.at_handover(believed)
    return workloads.raw_need(believed, loads, number(year + years), number(years))


def holding(training=0.0, recommender=0.0, assistant=0.0):
    """H100e that each workload keeps busy, the same for every buyer."""
    return workloads.Workloads(*(number([each] * BUYERS) for each in (training, recommender, assistant)))


def test_raw_need__of_the_reports_recommenders_is_their_table():
    """HT24:T56 to the digit printed, on the model's own path from users to accelerators."""
    given = read_book().tables["ht24_t56"]
    said = {name: each.values() for name, each in given.inputs.items()}
    assert said.pop("days") == 30
    assert said.pop("performance") == A100_TFLOPS
    assert said.pop("adoption") == 1
    with jax.enable_x64(True):
        for i, printed in enumerate(given.published["accelerators"].values):
            believed = only(
                "recommender",
                users=said["users"],
                visits=said["visits"][0],
                recommendations=said["recommendations"][0],
                recommendation_tokens=said["tokens"][0],
                recommender_parameters=said["parameters"][i],
                peak=[9, said["peak"][0], 9],
                utilisation=[0.1, said["utilisation"][0], 0.1],
            )
            a100 = np.asarray(at(believed, 0)) * H100_TFLOPS / A100_TFLOPS * 1e6
            np.testing.assert_array_equal(np.round(a100), parse_printed(printed).low)
    assert given.published["accelerators"].values[1] == "527,593"


def test_at_handover__training_by_hand():
    # 40 runs of a year's work of 1 M H100e, in half the year, with a peak of 3 over the mean, at 50 %: 480 M H100e
    seconds = 365.25 * 86_400
    believed = only(
        "training",
        frontier_run=seconds * H100_TFLOPS,
        training_runs=40,
        training_duty=0.5,
        peak=[3, 1, 1],
        utilisation=[0.5, 1, 1],
        training_share=[1, 2, 3, 4],
    )
    busy = workloads.at_handover(believed)
    np.testing.assert_allclose(busy.training, np.array([48, 96, 144, 192]), rtol=1e-6)
    np.testing.assert_array_equal(busy.recommender, 0)
    np.testing.assert_array_equal(busy.assistant, 0)


def test_at_handover__assistant_by_hand():
    # 989 bn parameters at 0.1, 0.2, .. bn tokens a second: 2 * 989 * 0.1 EFLOP/s, twice that at the peak, at 40 %
    believed = only(
        "assistant",
        assistant_parameters=H100_TFLOPS,
        tokens=[0.1, 0.2, 0.3, 0],
        peak=[1, 1, 2],
        utilisation=[1, 1, 0.4],
    )
    np.testing.assert_allclose(workloads.at_handover(believed).assistant, [1, 2, 3, 0], rtol=1e-6)


rates = st.floats(-1, 3)
relaxations = st.floats(0.3, 10)
spans = st.floats(-4, 8)


@given(rates, rates, relaxations, spans)
@settings(max_examples=60)
def test_relaxing__is_the_integral_of_its_rate(now, later, relaxation, years):
    def rate(t):
        return later + (now - later) * math.exp(-max(t, 0) / relaxation) if t > 0 else now

    expected, _ = quad(rate, 0, years)
    found = workloads.relaxing(number(now), number(later), number(relaxation), number(years))
    assert found == pytest.approx(expected, rel=2e-5, abs=2e-5)


def test_relaxing__by_hand():
    # two years of 0.5 and what remains of 1.5 more: 1 + 1.5 * 2 * (1 - 1 / e); and two years back at 2
    ahead = workloads.relaxing(number(2), number(0.5), number(2), number(2))
    assert ahead == pytest.approx(1 + 3 * (1 - 1 / math.e), rel=1e-6)
    assert workloads.relaxing(number(2), number(0.5), number(2), number(-2)) == -4


@given(rates, relaxations, spans)
@settings(max_examples=25)
def test_relaxing__to_the_same_rate_is_a_straight_line(rate, relaxation, years):
    found = workloads.relaxing(number(rate), number(rate), number(relaxation), number(years))
    assert found == pytest.approx(rate * years, rel=1e-5, abs=1e-6)


@given(rates, rates, relaxations)
@settings(max_examples=25)
def test_relaxing__goes_through_0_without_a_step_or_a_kink(now, later, relaxation):
    step = 2.0**-10
    before, at_0, after = (
        float(workloads.relaxing(number(now), number(later), number(relaxation), number(years)))
        for years in (-step, 0, step)
    )
    assert at_0 == 0
    assert -before / step == pytest.approx(now, rel=1e-5, abs=1e-5)
    curvature = abs(now - later) / relaxation
    assert after / step == pytest.approx(now, abs=curvature * step + 1e-3)


@pytest.mark.parametrize(("years", "expected"), [(-3, 0), (0, 0), (0.25, 0.125), (1, 0.5), (3, 0.9), (5, 1.3)])
def test_efficiency__comes_within_a_year_and_drifts_on(years, expected):
    gain = workloads.efficiency(number([0.3]), number([0.2]), number(years))
    assert gain[0] == pytest.approx(expected, abs=1e-6)


def test_adoption__is_a_logistic_curve():
    year = np.array([2020, 2026, 2027, 2026.5, 2100])
    share = workloads.adoption(number([2026.0]), number(0.5), number(year))
    np.testing.assert_allclose(share, expit((year - 2026) / 0.5), rtol=1e-4)
    assert share[1] == 0.5
    assert share[2] == pytest.approx(0.880797, abs=1e-5)


def test_raw_need__by_hand():
    # two years on: training doubles every year, half of the recommenders are adopted and grow by e, tokens fourfold
    # a year on models that halve: 1 * 4 + 2 * 0.5 * e + 4 * 16 / 4
    believed = still(
        training_growth=LN2,
        training_growth_later=LN2,
        users_growth=0.1,
        recommender_growth=0.4,
        adoption_midpoint=2028,
        token_growth=2 * LN2,
        token_growth_later=2 * LN2,
        assistant_parameters_growth=-LN2,
    )
    raw = at(believed, 2, loads=holding(1, 2, 4))
    np.testing.assert_allclose(raw, [4 + math.e + 16] * BUYERS, rtol=1e-5)


def test_raw_need__falls_with_efficiency_and_rises_with_what_it_lets_in():
    # a gain of log 4 in each; elasticities 0, 1 and 2 make loads of a quarter, the same and four times as much
    believed = still(efficiency_step=math.log(4), elasticity=[0, 1, 2])
    np.testing.assert_allclose(at(believed, 1, loads=holding(training=1)), 0.25, rtol=1e-5)
    np.testing.assert_allclose(at(believed, 1, loads=holding(recommender=1)), 1, rtol=1e-5)
    np.testing.assert_allclose(at(believed, 1, loads=holding(assistant=1)), 4, rtol=1e-5)
    np.testing.assert_allclose(at(believed, 0, loads=holding(1, 1, 1)), 3, rtol=1e-6)
    np.testing.assert_allclose(at(believed, -3, loads=holding(1, 1, 1)), 3, rtol=1e-6)


@given(st.floats(0, 2), st.floats(-0.5, 0.5), st.floats(0, 2), st.floats(0.1, 6))
@settings(max_examples=40)
def test_raw_need__answers_efficiency_by_the_sign_of_elasticity_less_one(step, drift, elasticity, years):
    plain = float(at(still(), years, loads=holding(1, 1, 1))[0])
    gained = still(efficiency_step=step, efficiency_drift=drift, elasticity=elasticity)
    found = float(at(gained, years, loads=holding(1, 1, 1))[0])
    expected = math.exp((elasticity - 1) * (step * min(years, 1) + drift * years))
    assert found / plain == pytest.approx(expected, rel=1e-4)


def test_raw_need__is_continuous_at_the_handover():
    believed = still(
        training_growth=1.5, token_growth=2, recommender_growth=0.5, adoption_midpoint=2026.5, efficiency_step=1
    )
    before, now, after = (np.asarray(at(believed, years)) for years in (-1e-3, 0, 1e-3))
    np.testing.assert_allclose(before, now, rtol=5e-3)
    np.testing.assert_allclose(after, now, rtol=5e-3)


def test_token_growth__reads_the_growth_of_tokens():
    believed = still(token_growth=2, token_growth_later=0.5, token_growth_relaxation=2, training_growth=9)
    assert workloads.token_growth(believed, number(2)) == pytest.approx(1 + 3 * (1 - 1 / math.e), rel=1e-6)


def test_tokens__by_hand():
    # growth of log 4 in two years; efficiency of log 2 with an elasticity of 1.5 lets in 2^1.5 more
    believed = still(
        tokens=[1, 2, 3, 0],
        token_growth=LN2,
        token_growth_later=LN2,
        efficiency_step=[9, 9, LN2],
        elasticity=[0, 0, 1.5],
    )
    np.testing.assert_allclose(workloads.tokens(believed, number(2)), 4 * 2**1.5 * np.array([1, 2, 3, 0]), rtol=1e-5)
    np.testing.assert_allclose(workloads.tokens(believed, number(0)), [1, 2, 3, 0])


def test_needed__by_hand():
    # 10 in service filled to 1.2 and raw need half as high again; nobody's need of a buyer without work
    need = workloads.needed(number([10, 10, 10]), number([1.2, 1, 1]), number([3, 2, 0]), number([2, 2, 0]))
    np.testing.assert_allclose(need, [18, 10, 0], rtol=1e-6)


@given(st.floats(0.1, 100), st.floats(0.1, 3), st.floats(1e-3, 1e3))
@settings(max_examples=25)
def test_needed__does_not_see_the_level_of_raw_need(installed, fill, level):
    need = workloads.needed(number([installed]), number([fill]), number([3 * level]), number([level]))
    assert need[0] == pytest.approx(3 * installed * fill, rel=1e-5)
