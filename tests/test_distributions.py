"""Families: what an analyst asked for comes back, draws agree with SciPy, impossible requests are refused."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from sim.distributions import Discrete, Distribution, Fixed, Mixture
from tests.distributions.cases import (
    ANY,
    CASES,
    LEVELS,
    SCORE_REACH,
    check_elicited,
    each_case,
    evaluate,
    make,
    oracle,
    reference,
)


@each_case
def test_from_normal__agrees_with_scipy_at_every_score(case):
    z = np.linspace(-SCORE_REACH, SCORE_REACH, 4001).astype(np.float32)
    got, expected = evaluate(case, z), reference(case, z.astype(np.float64))
    spread = case.quantile(0.75) - case.quantile(0.25)
    around_zero = np.abs(expected) < spread / 10 if expected[0] < 0 < expected[-1] else np.zeros(len(got), bool)
    error = np.abs(got - expected)
    allowed = 1.5e-5 * np.where(around_zero, spread, np.maximum(np.abs(expected), 1e-30))
    if isinstance(case, Mixture):  # between two modes it is so steep that the rounding of z shows
        worst = np.argsort(error / allowed)[-20:]
        near = z[worst].astype(np.float64)
        allowed[worst] += reference(case, near + 2e-7) - reference(case, near - 2e-7)
    assert np.max(error / allowed) < 1


@each_case
def test_from_normal__never_decreases(case):
    z = np.linspace(-SCORE_REACH, SCORE_REACH, 4001)
    got = evaluate(case, z)
    assert np.all(np.diff(got) >= 0)


numbers = st.floats(-1e3, 1e3)
widths = st.floats(1e-2, 1e3)
levels = st.sampled_from([("p05", "p95"), ("p10", "p90")])
hypothesis = settings(max_examples=25, derandomize=True, deadline=None, database=None)


@hypothesis
@given(levels, numbers, widths, st.floats(0.05, 0.45))
def test_elicitation__returns_the_quantiles_asked(pair, low, width, skew):
    high = low + width
    outer = dict(zip(pair, (low, high), strict=True))
    for family, extra in (("normal", {}), ("logistic", {}), ("student_t", {"df": 4})):
        check_elicited(make(family, **extra, **outer), outer)
    three = {pair[0]: low, "p50": low + skew * width, pair[1]: high}
    check_elicited(make("lognormal", **three), three)
    positive = dict(zip(pair, (width, width + abs(low) + 1e-2), strict=True))
    check_elicited(make("lognormal", **positive), positive)


@hypothesis
@given(levels, st.floats(-2.9, 13.7), st.floats(-20, 20))
def test_elicitation__gamma_returns_the_quantiles_asked(pair, log_shape, log_scale):
    known = stats.gamma(np.exp(log_shape), scale=np.exp(log_scale))
    asked = {name: float(known.ppf(LEVELS[name])) for name in pair}
    case = make("gamma", **asked)
    check_elicited(case, asked)
    assert np.log(case.natural[0]) == pytest.approx(log_shape, abs=1e-6)


@hypothesis
@given(st.floats(1e-3, 4), st.floats(1e-6, 1e6))
def test_elicitation__gamma_has_the_mean_and_sd_asked(share, mean):
    shape, scale = make("gamma", mean=mean, sd=share * mean).natural
    assert shape * scale == pytest.approx(mean)
    assert scale * np.sqrt(shape) == pytest.approx(share * mean)


@hypothesis
@given(levels, st.floats(0.02, 0.9), st.floats(0.05, 0.95))
def test_elicitation__beta_returns_the_quantiles_asked(pair, low, share):
    high = low + share * (0.98 - low)
    asked = dict(zip(pair, (low, high), strict=True))
    check_elicited(make("beta", **asked), asked)


@hypothesis
@given(levels, st.floats(-1, 4), st.floats(-0.5, 1.5))
def test_elicitation__truncated_normal_returns_the_quantiles_asked(pair, mean, log_sd):
    cut = stats.truncnorm(-mean / np.exp(log_sd), np.inf, mean, np.exp(log_sd))
    asked = {name: float(cut.ppf(LEVELS[name])) for name in pair}
    check_elicited(make("truncated_normal", lower=0, **asked), asked)


@hypothesis
@given(st.floats(0.05, 0.95), st.floats(0.01, 0.7), numbers, widths)
def test_elicitation__beta_has_the_mean_and_sd_asked(mean, share, lower, width):
    sd = share * np.sqrt(mean * (1 - mean))
    case = make("beta", mean=lower + mean * width, sd=sd * width, lower=lower, upper=lower + width)
    assert stats.beta(*case.natural).mean() == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert stats.beta(*case.natural).std() == pytest.approx(sd, rel=1e-6)


@hypothesis
@given(st.floats(0, 1), numbers, widths)
def test_pert__has_the_mean_of_its_definition(share, low, width):
    case = make("pert", min=low, mode=low + share * width, max=low + width)
    assert oracle(case).mean() == pytest.approx((case.min + 4 * case.mode + case.max) / 6, abs=1e-9 * width, rel=1e-9)


@each_case
def test_scaled__is_the_same_distribution_in_another_unit(case):
    u = np.array([0.01, 0.3, 0.5, 0.8, 0.99])
    scaled = case.scaled(1e-3)
    assert type(scaled) is type(case)
    np.testing.assert_allclose(scaled.ppf(u), case.ppf(u) * 1e-3, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("factor", [0.0, -1.0, np.inf, np.nan])
def test_scaled__refuses_a_factor_that_is_no_unit(factor):
    with pytest.raises(ValueError, match="factor must be positive"):
        CASES[0].scaled(factor)


REFUSED = [
    ({"family": "normal"}, "got nothing; give exactly one of: mean"),
    ({"family": "normal", "mean": 1, "p05": 1}, r"got mean \+ p05"),
    ({"family": "normal", "mean": 1, "sd": 0}, "sd must be positive, got 0"),
    ({"family": "normal", "p05": 3, "p95": 1}, "quantiles must increase, got p05 = 3, p95 = 1"),
    ({"family": "normal", "p05": 1, "p95": 1}, "family: fixed"),
    ({"family": "normal", "p05": 1, "p50": 2.5, "p95": 3}, "p50 = 2, not 2.5; drop p50, or use lognormal"),
    ({"family": "lognormal", "p05": -1, "p95": 3}, "is positive, got -1; use normal"),
    ({"family": "lognormal", "p50": 1, "sigma": -1}, "sigma must be positive"),
    ({"family": "lognormal", "p10": 1, "p50": 2, "p90": 3}, "leans to the right"),
    ({"family": "lognormal", "p10": 1, "p50": 2.5, "p90": 3}, "pert, beta or triangular"),
    ({"family": "uniform", "lower": 1, "upper": 1}, "lower and upper must increase"),
    ({"family": "triangular", "min": 0, "mode": 2, "max": 1}, "mode must lie between min and max"),
    ({"family": "pert", "min": 1, "mode": 1, "max": 1}, "min and max must increase"),
    ({"family": "beta", "a": 0, "b": 1}, "at least 0.05"),
    ({"family": "beta", "mean": 0.2, "sd": 0.5}, "must be below 0.4"),
    ({"family": "beta", "mean": 1.2, "sd": 0.1}, "mean = 1.2 must lie between lower = 0 and upper = 1"),
    ({"family": "beta", "p05": 0.1, "p95": 1}, "p95 = 1 must lie between"),
    ({"family": "truncated_normal", "mean": 0, "sd": 1}, "give lower, upper or both"),
    ({"family": "truncated_normal", "lower": 0, "p05": 0, "p95": 1}, "p05 = 0 must lie between lower = 0"),
    ({"family": "truncated_normal", "lower": 0, "p05": 0.01, "p95": 1}, "too wide or too skewed"),
    ({"family": "truncated_normal", "lower": 0, "upper": 1, "p05": 0.01, "p95": 0.99}, "too wide or too skewed"),
    ({"family": "student_t", "df": 0, "location": 0, "scale": 1}, "df must be at least 1, got 0"),
    ({"family": "student_t", "df": 3, "location": 0, "scale": 0}, "scale must be positive"),
    ({"family": "fixed", "value": True}, "valid number"),
    ({"family": "fixed", "value": "1"}, "valid number"),
    ({"family": "fixed", "value": float("nan")}, "finite number"),
    ({"family": "fixed", "value": 1, "sd": 2}, "Extra inputs"),
    ({"family": "logistic", "location": 0, "scale": 0}, "scale must be positive, got 0"),
    ({"family": "logistic", "p05": 3, "p95": 1}, "quantiles must increase"),
    ({"family": "gamma"}, r"got nothing; give exactly one of: shape \+ scale"),
    ({"family": "gamma", "shape": 0, "scale": 1}, "a gamma is positive, got shape = 0; use normal"),
    ({"family": "gamma", "p05": -1, "p95": 1}, "a gamma is positive, got p05 = -1"),
    ({"family": "gamma", "mean": 1, "sd": 0}, "sd must be positive"),
    ({"family": "gamma", "shape": 0.01, "scale": 1}, "its shape would be 0.01 and must be at least 0.05"),
    ({"family": "gamma", "mean": 1, "sd": 1e-5}, r"its shape would be 1e\+10 .* use normal"),
    ({"family": "gamma", "p05": 1e-30, "p95": 1}, "its mass would lie at 0; bring the quantiles closer"),
    ({"family": "gamma", "p05": 1, "p95": 1.0001}, "a normal to all that can be told; use normal"),
    ({"family": "cauchy"}, "'cauchy'.*does not match"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_distribution__refuses_with_the_values_and_the_remedy(fields, message):
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(fields)


def test_distribution__is_frozen_hashable_and_survives_json():
    for case in [*CASES, Fixed(family="fixed", value=3)]:
        assert hash(case) == hash(ANY.validate_json(ANY.dump_json(case)))
        assert ANY.validate_json(ANY.dump_json(case)) == case
        with pytest.raises(ValidationError, match="frozen"):
            case.family = "normal"


def test_distribution__every_family_has_a_case_and_a_fixed_number_of_params():
    union, _ = get_args(Distribution)
    assert {type(case) for case in CASES} | {Fixed, Discrete} == set(get_args(union))
    for family in get_args(union):
        assert len({len(case.params()) for case in CASES if type(case) is family}) <= 1
