"""Each function of need against a case worked by hand, and on draws."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.model import need
from sim.model.constants import A100_TFLOPS, H100_TFLOPS

FUNCTIONS = [getattr(need, name) for name in need.__all__]


def number(value):
    return jnp.asarray(value, dtype=float)


def test_training_flop__is_6nd():
    # LLaMA 3.1: 405e9 parameters, 15.6e12 tokens, 3.8e25 FLOP (TF24)
    assert need.training_flop(number(405.0), number(15_600.0)) == pytest.approx(3.7908e7)


def test_inference_flop__is_a_third_of_training():
    assert need.inference_flop(number(200.0), number(3.0)) == pytest.approx(1_200.0)
    assert need.training_flop(number(200.0), number(3.0)) == pytest.approx(3_600.0)


def test_load__spreads_work_over_days():
    assert need.load(number(86_400.0 * 30), number(15.0)) == pytest.approx(2.0)


def test_work__undoes_load():
    assert need.work(need.load(number(7.0), number(31.0)), number(31.0)) == pytest.approx(7.0)


def test_work_days__gives_the_reports_unit():
    # 1e11 parameters on 2e12 tokens: 13,889 PFLOP/s-days (HT24:T55)
    work = need.training_flop(number(100.0), number(2_000.0))
    assert need.work_days(work) == pytest.approx(13.8889, abs=5e-5)


def test_recommender_tokens__reproduces_the_mean_of_t56():
    tokens = need.recommender_tokens(number(1.0), number(1.0), number(80.0), number(2_000.0), number(30.0))
    assert tokens == pytest.approx(160_000 / 2_592_000)


def test_recommender_load__reproduces_the_base_case_of_t56():
    tokens = need.recommender_tokens(number(1.0), number(1.0), number(80.0), number(2_000.0), number(30.0))
    load = need.recommender_load(tokens, number(200.0), number(1.0), number(5.0))
    assert load == pytest.approx(123.457, abs=5e-4)
    assert need.accelerators(load, number(A100_TFLOPS), number(0.75)) == pytest.approx(0.527593, abs=5e-7)


def test_recommender_load__is_proportional_to_visits_and_adoption():
    def load(visits, adoption):
        tokens = need.recommender_tokens(number(1.0), number(visits), number(80.0), number(2_000.0), number(30.0))
        return need.recommender_load(tokens, number(200.0), number(adoption), number(5.0))

    assert load(10.0, 0.5) == pytest.approx(5 * float(load(1.0, 1.0)))
    assert load(10.0, 0.0) == 0


def test_assistant_load__is_the_peak():
    assert need.assistant_load(number(0.1), number(50.0), number(3.0)) == pytest.approx(30.0)


def test_training_load__spreads_the_worlds_runs_over_working_days():
    # 40 runs of 8.64e6 EFLOP in 100 days of which half are worked: 40 x 100 EFLOP/s-days in 50 days
    load = need.training_load(number(8.64e6), number(40.0), number(100.0), number(0.5))
    assert load == pytest.approx(80.0)


def test_accelerators__tera_to_exa_is_millions():
    assert need.accelerators(number(H100_TFLOPS), number(H100_TFLOPS), number(0.5)) == pytest.approx(2.0)


def test_servers__divides_by_cards():
    assert need.servers(number(0.012891), number(8.0)) == pytest.approx(0.001611375)


def test_mfu__reproduces_llama():
    assert need.mfu(number(430.0), number(H100_TFLOPS)) == pytest.approx(0.43, abs=0.005)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_need__runs_jitted_on_draws_as_it_does_on_one(function):
    generator = np.random.default_rng(8)
    shape = (4,)
    inputs = [number(generator.uniform(0.5, 2.0, shape)) for _ in inspect.signature(function).parameters]
    jitted = jax.jit(function)(*inputs)
    assert jitted.shape == (4,)
    for draw in range(4):
        np.testing.assert_allclose(jitted[draw], function(*(each[..., draw] for each in inputs)), rtol=1e-6)
