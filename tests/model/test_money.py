"""Each function of money against a case worked by hand, and on draws."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.model import money

FUNCTIONS = [getattr(money, name) for name in money.__all__]


def number(value):
    return jnp.asarray(value, dtype=float)


def test_growth__reproduces_2023():
    assert money.growth(number(1460.05), number(1428.52)) == pytest.approx(-0.0216, abs=5e-5)


def test_growth__of_nothing_is_zero():
    assert money.growth(number(3.0), number(3.0)) == 0


def test_grown__undoes_growth():
    assert money.grown(number(41.3), money.growth(number(41.3), number(75.6))) == pytest.approx(75.6)


def test_compound_growth__doubles_in_two_years():
    assert money.compound_growth(number(3.0), number(12.0), number(2.0)) == pytest.approx(1.0)


def test_compound_growth__over_one_year_is_growth():
    first, last = number(900.34), number(1218.19)
    assert money.compound_growth(first, last, number(1.0)) == pytest.approx(float(money.growth(first, last)))


def test_depreciation__reproduces_cj25():
    assert money.depreciation(number(75.6), number(5.0)) == pytest.approx(15.12)


def test_depreciation_share__reproduces_cj25():
    assert money.depreciation_share(number(75.6), number(5.0), number(92.8)) == pytest.approx(0.162931, abs=5e-7)


def test_training_run_cost__reproduces_gpt4_on_h100():
    # 8,192 units x 55 days x 24 h x 2 USD = 21.63e6 USD (GH24)
    assert money.training_run_cost(number(0.008192), number(55.0), number(0.002)) == pytest.approx(0.02162688)


def test_units_sold__reproduces_f57():
    assert money.units_sold(number(38.9), number(20.0)) == pytest.approx(1.945)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_money__runs_jitted_on_draws_as_it_does_on_one(function):
    generator = np.random.default_rng(9)
    inputs = [number(generator.uniform(0.5, 2.0, 4)) for _ in inspect.signature(function).parameters]
    jitted = jax.jit(function)(*inputs)
    assert jitted.shape == (4,)
    for draw in range(4):
        np.testing.assert_allclose(jitted[draw], function(*(each[draw] for each in inputs)), rtol=1e-5)
