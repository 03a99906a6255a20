"""What is on the way, in service and worn out, against cases worked by hand and the moments of its life."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.model import stock
from tests.model.tiny import number

jitted_age = jax.jit(stock.age)


def held(moving, stages):
    return stock.Stock(
        moving=jnp.broadcast_to(number(moving), (2, 1)),
        stages=jnp.broadcast_to(number(stages)[:, None, None], (4, 2, 1)),
    )


def test_age__by_hand():
    # transit 1: half of 6 + 2 arrives; life of 2 years: half of each stage moves on every quarter
    after, out = stock.age(held(6, [8, 4, 2, 1]), jnp.full((2, 1), number(2)), number(1), number(2))
    np.testing.assert_allclose(after.moving[:, 0], [4, 4], rtol=1e-6)
    np.testing.assert_allclose(after.stages[:, 0, 0], [4 + 4, 2 + 4, 1 + 2, 0.5 + 1], rtol=1e-6)
    np.testing.assert_allclose(out[:, 0], [0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(stock.serving(after)[:, 0], [18.5, 18.5], rtol=1e-6)


arrays = {name: hnp.arrays(np.float32, shape, elements=st.floats(0, 64, width=32))
          for name, shape in {"moving": (2, 3, 2), "stages": (4, 2, 3, 2), "shipped": (2, 3, 2)}.items()}  # fmt: skip


@given(**arrays, transit=st.floats(0, 20), lifetime=st.floats(0.25, 30))
@settings(max_examples=25)
def test_age__neither_makes_nor_loses_anything(moving, stages, shipped, transit, lifetime):
    before = stock.Stock(number(moving), number(stages))
    after, out = jitted_age(before, number(shipped), number(transit), number(lifetime))
    for each in (after.moving, after.stages, out):
        assert np.all(np.asarray(each) >= 0)
    whole = moving + stages.sum(axis=0) + shipped
    np.testing.assert_allclose(after.moving + after.stages.sum(axis=0) + out, whole, rtol=1e-5, atol=1e-5)
    arrived = moving + shipped - np.asarray(after.moving)
    retained = stages.sum(axis=0) + arrived - np.asarray(out)
    np.testing.assert_allclose(stock.serving(after), retained, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("transit", "lifetime"), [(0.0, 1.0), (1.5, 5.5), (0.8, 4.0), (2.6, 7.5)])
def test_age__mean_life_and_transit_are_those_asked_for(transit, lifetime):
    """Quarter-ends counted over an impulse: a geometric wait of mean ``transit``, four of mean ``lifetime`` quarters.

    Both are exact for the parts used. 400 quarters leave less than 1e-9 of the slowest case (a fourth-order tail of
    (1 - 1/7.5)^400), and 400 float32 roundings of 6e-8 sum to 3e-5: hence 1e-4.
    """
    now, shipped = held(0, [0, 0, 0, 0]), jnp.ones((2, 1))
    waited, served, retired = 0.0, 0.0, 0.0
    for _ in range(400):
        now, out = jitted_age(now, shipped, number(transit), number(lifetime))
        waited += float(now.moving[0, 0])
        served += float(stock.serving(now)[0, 0])
        retired += float(out[0, 0])
        shipped = jnp.zeros((2, 1))
    assert waited == pytest.approx(transit, rel=1e-4)
    assert served == pytest.approx(4 * lifetime, rel=1e-4)
    assert retired == pytest.approx(1, rel=1e-4)


def test_age__spread_of_life_is_that_of_four_stages():
    """Variance of four geometric waits of mean m: 4 m (m - 1), an Erlang's 4 m^2 as the quarter gets short."""
    now, shipped, life = held(0, [0, 0, 0, 0]), jnp.ones((2, 1)), 5.5
    left = []
    for _ in range(400):
        now, out = jitted_age(now, shipped, number(0), number(life))
        left.append(float(out[0, 0]))
        shipped = jnp.zeros((2, 1))
    quarters = np.arange(400)
    mean = np.dot(left, quarters)
    assert np.dot(left, (quarters - mean) ** 2) == pytest.approx(4 * life * (life - 1), rel=1e-3)


def test_serving__adds_the_stages_and_not_the_way():
    np.testing.assert_allclose(stock.serving(held(100, [8, 4, 2, 1]))[:, 0], [15, 15])


def test_age__a_life_shorter_than_a_quarter_leaves_nothing_in_a_stage():
    after, out = jitted_age(held(0, [8, 4, 2, 1]), jnp.zeros((2, 1)), number(0), number(0.1))
    np.testing.assert_allclose(after.stages[:, 0, 0], [0, 8, 4, 2])
    assert out[0, 0] == 1


def test_survivors__by_hand():
    # 15 in service, 100 on the way and 85 ordered, of which 4 quarters of a life of 2 years leave exp(-1/2)
    left = stock.survivors(held(100, [8, 4, 2, 1]), number([85]), number(4), number(2))
    np.testing.assert_allclose(left, [200 * math.exp(-0.5)], rtol=1e-6)


def test_survivors__of_no_horizon_is_all_there_is():
    assert stock.survivors(held(3, [1, 1, 1, 1]), number([2]), number(0), number(5))[0] == 9


@given(st.floats(0, 12), st.floats(0.5, 20))
@settings(max_examples=25)
def test_survivors__are_never_more_than_a_young_fleet_keeps(horizon, lifetime):
    """A fleet in its first stage dies later than at a constant rate of the same mean: the buyer errs to buy."""
    after, gone = held(0, [8, 0, 0, 0]), 0.0
    for _ in range(math.ceil(horizon)):
        after, out = jitted_age(after, jnp.zeros((2, 1)), number(0), number(lifetime))
        gone += float(out[0, 0])
    left = stock.survivors(held(0, [8, 0, 0, 0]), number([0]), number(math.ceil(horizon)), number(lifetime))
    if math.ceil(horizon) <= 2 * lifetime:  # half the mean life
        assert left[0] <= 8 - gone + 1e-4
