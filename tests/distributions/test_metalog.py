from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import special, stats

from sim.distributions import Metalog
from tests.distributions.cases import LEVELS, OfMetalog, check_elicited, evaluate, make

NAMES = [name for name in LEVELS if name in Metalog.model_fields]
SHAPES = [
    stats.norm(2, 3),
    stats.logistic(-1, 0.2),
    stats.lognorm(0.5, scale=10),
    stats.gamma(3, scale=100),
    stats.beta(2, 4),
]
fixed = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def attempt(**fields):
    try:
        return make("metalog", **fields)
    except ValidationError:
        return None


@fixed
@given(st.sampled_from(SHAPES), st.sets(st.sampled_from(NAMES), min_size=3, max_size=6), st.integers(0, 3))
def test_elicitation__returns_the_quantiles_asked(shape, names, bounds):
    asked = {name: float(shape.ppf(LEVELS[name])) for name in names}
    span = max(asked.values()) - min(asked.values())
    low = {"lower": min(asked.values()) - 0.7 * span} if bounds & 1 else {}
    high = {"upper": max(asked.values()) + 0.9 * span} if bounds & 2 else {}
    case = attempt(**asked, **low, **high)
    assume(case is not None)
    check_elicited(case, asked)
    got = evaluate(case, special.ndtri([LEVELS[name] for name in asked]))
    np.testing.assert_allclose(got, list(asked.values()), rtol=2e-6, atol=2e-6 * span)


@fixed
@given(st.sampled_from(SHAPES), st.sets(st.sampled_from(NAMES), min_size=3, max_size=6), st.floats(-0.3, 0.3))
def test_natural__accepts_exactly_what_has_a_density(shape, names, shift):
    """Against the quantile function's own steps, at other probabilities than the check's."""
    asked = {name: float(shape.ppf(LEVELS[name])) for name in sorted(names)}
    values = list(asked.values())
    asked[list(asked)[1]] += shift * min(values[1] - values[0], values[2] - values[1])
    case = attempt(**asked)
    terms = np.array(case.natural) if case else solved(asked)
    logit = np.linspace(-20, 20, 10_007)
    oracle = OfMetalog(SimpleNamespace(natural=terms, lower=None, upper=None))
    steps = np.diff(oracle._at(logit, special.expit(logit) - 0.5)) / max(map(abs, terms[1:]))
    assert np.all(steps > 0) if case else np.min(steps) < 1e-6


def solved(asked):
    p = np.array([LEVELS[name] for name in asked])
    logit, off = special.logit(p), p - 0.5
    terms = np.stack([p**0, logit, off * logit, off, off**2, off**2 * logit])[: len(p)]
    return np.pad(np.linalg.solve(terms.T, list(asked.values())), (0, 6 - len(p)))


@pytest.mark.parametrize("side", [0, 1])
def test_natural__takes_three_quantiles_up_to_keelins_limit(side):
    """p10, p50 and p90 are feasible while the share of p50 in between stays within 0.1666 of the ends (Keelin 2016)."""
    limit = abs(side - 0.5 * (1 - 1.66711 * 0.4))
    inward = 0.002 if side == 0 else -0.002
    assert attempt(p10=0, p50=limit + inward, p90=1)
    assert not attempt(p10=0, p50=limit - inward, p90=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p10": 1, "p50": 1.1, "p90": 5}, "p90 = 5: its density would not be positive below the probability 0.273; "),
        ({"p10": 1, "p50": 4.9, "p90": 5}, "not be positive above the probability 0.72"),
        ({"p10": 1, "p25": 1.9, "p50": 2, "p90": 3}, "between 0.396 and 0.604; drop p25"),
        ({"p10": 1, "p50": 1.5, "p90": 5}, "give lower: 0 if it cannot be negative"),
        ({"p10": -1, "p50": -0.9, "p90": 5}, "nearer to even spacing, give a bound on the crowded side"),
        ({"p10": 1, "p90": 2}, "a metalog takes 3 to 6 quantiles, got p10 = 1, p90 = 2"),
        ({}, "3 to 6 quantiles, got none"),
        ({name: place for place, name in enumerate(NAMES[:7])}, "3 to 6 quantiles"),
        ({"p10": 1, "p50": 1, "p90": 3}, "quantiles must increase"),
        ({"p10": 1, "p50": 2, "p90": 3, "lower": 1}, "p10 = 1 must lie between lower = 1"),
        ({"p10": 1, "p50": 2, "p90": 3, "lower": 5, "upper": 4}, "lower and upper must increase"),
        ({"p10": 1, "p50": 10, "p90": 200, "lower": 0}, "has no mean, so heavy is its upper tail; give upper too"),
        ({"p10": -200, "p50": -10, "p90": -1, "upper": 0}, "so heavy is its lower tail; give lower too"),
        ({"p10": 1, "p50": 2, "p90": 3, "p33": 2}, "Extra inputs"),
    ],
)
def test_natural__refuses_with_where_and_what_to_try(fields, message):
    with pytest.raises(ValidationError, match=message):
        make("metalog", **fields)


@pytest.mark.parametrize("side", [-1, 1])
def test_natural__takes_a_tail_up_to_a_cauchys(side):
    """With lower = 0 the upper tail has the index a2 + a3 / 2, here 1 at p90 = exp(2.7233); and mirrored."""
    for log_p90, taken in ((2.71, True), (2.735, False)):
        asked = {"p10": 1.0, "p50": 2.0, "p90": float(np.exp(log_p90)), "lower": 0.0}
        if side < 0:
            asked = {"p10": -asked["p90"], "p50": -2.0, "p90": -1.0, "upper": 0.0}
        assert (attempt(**asked) is not None) == taken


@pytest.mark.parametrize("bounds", [{}, {"lower": 0}, {"upper": 12}, {"lower": 0, "upper": 12}])
def test_tails__belong_to_the_quantiles(bounds):
    case = make("metalog", p10=3, p50=5, p90=8, **bounds)
    z = np.linspace(-6, 6, 101)
    below, above, density = case.tails(case.at(z))
    np.testing.assert_allclose(np.minimum(below, above), special.ndtr(-np.abs(z)), rtol=1e-4)
    slope = (case.at(z + 1e-4) - case.at(z - 1e-4)) / 2e-4
    np.testing.assert_allclose(density * slope, stats.norm.pdf(z), rtol=1e-3)
    below, above, density = case.tails(np.array([-1e9, 1e9]))
    np.testing.assert_allclose(below, [0, 1], atol=1e-8)
    np.testing.assert_allclose(above, [1, 0], atol=1e-8)
    np.testing.assert_allclose(density, 0, atol=1e-8)
