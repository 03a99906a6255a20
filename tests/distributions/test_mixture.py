import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from sim.distributions import mixture
from tests.distributions.cases import CASES, SCORE_REACH, evaluate, make

COMPONENTS = [case for case in CASES if case.family != "mixture"]
NORMAL = make("normal", mean=0, sd=1)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda case: case.family)
def test_from_normal__of_one_component_is_that_component(component, monkeypatch):
    monkeypatch.setattr(mixture, "FEWEST", 1)
    z = np.linspace(-SCORE_REACH, SCORE_REACH, 1001).astype(np.float32)
    alone, held = evaluate(component, z), evaluate(make("mixture", weights=[1], components=[component]), z)
    spread = component.quantile(0.75) - component.quantile(0.25)
    around_zero = (np.abs(alone) < spread / 10) & (alone[0] < 0 < alone[-1])
    error = np.abs(held - alone) / np.where(around_zero, spread, np.maximum(np.abs(alone), 1e-30))
    assert error.max() < 3e-5


def test_ppf__is_that_of_equal_components():
    u = np.array([1e-6, 0.05, 0.5, 0.99])
    both = make("mixture", weights=[0.3, 0.7], components=[NORMAL, NORMAL])
    np.testing.assert_allclose(both.ppf(u), special.ndtri(u), atol=1e-12)
    assert both.quantile(0.975) == pytest.approx(1.959963985)


def test_from_normal__has_nothing_in_a_gap():
    parts = [make("uniform", lower=0, upper=1), make("uniform", lower=10, upper=11)]
    case = make("mixture", weights=[0.25, 0.75], components=parts)
    jump = special.ndtri(0.25)
    got = evaluate(case, np.linspace(jump - 1e-3, jump + 1e-3, 20_001))
    assert np.all((got <= 1) | (got >= 10))
    assert evaluate(case, [jump - 2e-7, jump + 2e-7]) == pytest.approx([1, 10], abs=1e-5)


def test_from_normal__does_not_depend_on_the_order_of_components():
    parts = [make("lognormal", p50=3, sigma=1), make("gamma", shape=2, scale=4), make("beta", a=2, b=2)]
    z = np.linspace(-6, 6, 501)
    one = make("mixture", weights=[0.2, 0.3, 0.5], components=parts)
    other = make("mixture", weights=[0.5, 0.3, 0.2], components=parts[::-1])
    np.testing.assert_allclose(evaluate(one, z), evaluate(other, z), rtol=1e-6)


def test_natural__brings_rounded_weights_to_1():
    case = make("mixture", weights=[0.3333333, 0.6666666], components=[NORMAL, NORMAL])
    assert sum(case.natural) == 1


TWO = [{"family": "normal", "mean": 0, "sd": 1}, {"family": "uniform", "lower": 0, "upper": 1}]


def inner(**fields):
    return {"weights": [0.5, 0.5], "components": [TWO[0], fields]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weights": [1], "components": TWO[:1]}, "a mixture has 2 to 8 components, got 1; for one write its family"),
        ({"weights": [0.1] * 10, "components": TWO * 5}, "got 10; for one .* join the closest"),
        ({"weights": [1], "components": TWO}, "got 2 components and 1 weights; give as many of each"),
        ({"weights": [0.5, 0.4], "components": TWO}, r"weights must sum to 1, got 0.5 \+ 0.4 = 0.9"),
        ({"weights": [1.5, -0.5], "components": TWO}, "weights must be positive, got -0.5; leave out what cannot be"),
        ({"weights": [1, 0], "components": TWO}, "weights must be positive, got 0"),
        ({"weights": ["1", 0.5], "components": TWO}, "valid number"),
        (
            inner(family="mixture", weights=[0.5, 0.5], components=TWO),
            "cannot hold a mixture; write its components into",
        ),
        (inner(family="discrete", values=[1, 2], probabilities=[0.5, 0.5]), "cannot hold a discrete; use a narrow"),
        (inner(family="fixed", value=1), "cannot hold a fixed; use a narrow uniform"),
        (inner(family="normal", mean=0, sd=-1), "components.1.normal\n.*sd must be positive, got -1"),
        (inner(family="norm"), "'norm'.*does not match"),
        (inner(mean=0), "Unable to extract tag"),
        ({"weights": [0.5, 0.5], "components": [NORMAL, 3]}, "components.1"),
    ],
)
def test_natural__refuses_with_the_values_and_the_remedy(fields, message):
    with pytest.raises(ValidationError, match=message):
        make("mixture", **fields)
