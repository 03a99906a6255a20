"""The market against cases worked by hand, and its identities for any numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.model import market
from sim.model.structure import sums
from tests.model.tiny import STRUCTURE, number

PAIRS = len(STRUCTURE.pair_buyer)
ONE_PAIR_BUYER, ONE_PAIR_SUPPLIERS = 4, (3, 6)  # pair of buyer 2; pairs of suppliers 2 and 3
weights = hnp.arrays(np.float32, (PAIRS, 2), elements=st.floats(2**-20, 2**10, width=32))
jitted_age = jax.jit(market.age)


def by_supplier(values):
    return np.asarray(sums(values, STRUCTURE.pair_supplier, STRUCTURE.suppliers))


def by_buyer(values):
    return np.asarray(sums(values, STRUCTURE.pair_buyer, STRUCTURE.buyers))


@given(weights, weights, st.floats(0, 1))
@settings(max_examples=25)
def test_owners__sum_to_one_over_a_suppliers_buyers(then, now, progress):
    share = market.owners(STRUCTURE, number(then), number(now), number(progress))
    assert np.all(np.asarray(share) >= 0)
    np.testing.assert_allclose(by_supplier(share), 1, rtol=1e-5)
    np.testing.assert_allclose(share[np.array(ONE_PAIR_SUPPLIERS)], 1, rtol=1e-6)


def test_owners__run_from_the_first_weights_to_the_last():
    then, now = number([8, 1, 1, 1, 1, 6, 1, 3]), number([2, 1, 4, 1, 2, 2, 1, 1])
    np.testing.assert_allclose(
        market.owners(STRUCTURE, then, now, number(0)), [8 / 16, 1 / 4, 1 / 16, 1, 1 / 16, 6 / 16, 1, 3 / 4], rtol=1e-5
    )
    np.testing.assert_allclose(
        market.owners(STRUCTURE, then, now, number(1)), [0.2, 0.5, 0.4, 1, 0.2, 0.2, 1, 0.5], rtol=1e-5
    )


def test_owners__pass_through_the_geometric_mean():
    then, now = number([16, 1, 1, 1, 4, 4, 1, 1]), number([1, 1, 16, 1, 4, 4, 1, 1])
    halfway = market.owners(STRUCTURE, then, now, number(0.5))
    np.testing.assert_allclose(halfway[np.array([0, 2, 4, 5])], 0.25, rtol=1e-5)


def test_mix_step__by_hand():
    drift, sd, walk = number([0, 0.4, 0.8, 0]), number([0.1, 0.2, 0, 0.4]), number([2, -1, 9, 1])
    pair_walk = number([0, 1, -1, 0, 0, 0, 2, 0])
    # supplier part a year: 0.2, 0.2, 0.8, 0.4; pair part 0.4 * pair_walk; a quarter of both
    expected = np.array([0.2, 0.2 + 0.4, 0.2 - 0.4, 0.8, 0.2, 0.2, 0.4 + 0.8, 0.2]) / 4
    step = market.mix_step(STRUCTURE, drift, sd, walk, number(0.4), pair_walk)
    np.testing.assert_allclose(step, expected, atol=1e-7)


@given(hnp.arrays(np.float32, (PAIRS, 2), elements=st.floats(-128, 128, width=32)))
@settings(max_examples=25)
def test_mix__sums_to_one_over_a_buyers_pairs(log_weight):
    share = np.asarray(market.mix(STRUCTURE, number(log_weight)))
    assert np.all((share >= 0) & (share <= 1))
    np.testing.assert_allclose(by_buyer(number(share)), 1, rtol=1e-6)
    np.testing.assert_array_equal(share[ONE_PAIR_BUYER], 1)


def test_mix__starts_at_the_dollar_matrix():
    dollars = np.array([30, 10, 2, 6, 7, 5, 4, 1.0])
    share = market.mix(STRUCTURE, jnp.log(number(dollars)))
    np.testing.assert_allclose(share, [0.75, 0.25, 0.25, 0.75, 1, 0.5, 0.4, 0.1], rtol=1e-6)


def test_mix__is_unmoved_by_a_common_factor():
    log_weight = number([0.3, -0.4, 1, 2, 0, 0.5, -1, 0.25])
    np.testing.assert_allclose(
        market.mix(STRUCTURE, log_weight + 64), market.mix(STRUCTURE, log_weight), rtol=2e-5, atol=0
    )


def test_budgets__spend_all_and_no_more():
    spend = number([40, 8, 7, 10])
    budget = market.budgets(STRUCTURE, spend, number([0.75, 0.25, 0.25, 0.75, 1, 0.5, 0.4, 0.1]))
    np.testing.assert_allclose(budget, [30, 10, 2, 6, 7, 5, 4, 1], rtol=1e-6)
    np.testing.assert_allclose(by_buyer(budget), spend, rtol=1e-6)


def test_filled__by_hand():
    filled = market.filled(number([10, 10, 10, 0, 0]), number([5, 10, 20, 3, 0]))
    np.testing.assert_allclose(filled, [0.5, 1, 1, 1, 1], rtol=1e-6)


amounts = hnp.arrays(np.float32, 8, elements=st.just(0.0) | st.floats(2**-20, 2**20, width=32))


@given(amounts, amounts)
@settings(max_examples=40)
def test_filled__ships_the_smaller_of_orders_and_capacity(ordered, capacity):
    shipped = np.asarray(market.filled(number(ordered), number(capacity))) * ordered
    np.testing.assert_allclose(shipped, np.minimum(ordered, capacity), rtol=1e-6)


def stock(moving, stages):
    return market.Stock(
        moving=jnp.broadcast_to(number(moving), (2, 1)),
        stages=jnp.broadcast_to(number(stages)[:, None, None], (4, 2, 1)),
    )


def test_age__by_hand():
    # transit 1: half of 6 + 2 arrives; life of 2 years: half of each stage moves on every quarter
    after, out = market.age(stock(6, [8, 4, 2, 1]), jnp.full((2, 1), number(2)), number(1), number(2))
    np.testing.assert_allclose(after.moving[:, 0], [4, 4], rtol=1e-6)
    np.testing.assert_allclose(after.stages[:, 0, 0], [4 + 4, 2 + 4, 1 + 2, 0.5 + 1], rtol=1e-6)
    np.testing.assert_allclose(out[:, 0], [0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(market.serving(after)[:, 0], [18.5, 18.5], rtol=1e-6)


arrays = {name: hnp.arrays(np.float32, shape, elements=st.floats(0, 64, width=32))
          for name, shape in {"moving": (2, 3, 2), "stages": (4, 2, 3, 2), "shipped": (2, 3, 2)}.items()}  # fmt: skip


@given(**arrays, transit=st.floats(0, 20), lifetime=st.floats(0.25, 30))
@settings(max_examples=25)
def test_age__neither_makes_nor_loses_anything(moving, stages, shipped, transit, lifetime):
    before = market.Stock(number(moving), number(stages))
    after, out = jitted_age(before, number(shipped), number(transit), number(lifetime))
    for each in (after.moving, after.stages, out):
        assert np.all(np.asarray(each) >= 0)
    whole = moving + stages.sum(axis=0) + shipped
    np.testing.assert_allclose(after.moving + after.stages.sum(axis=0) + out, whole, rtol=1e-5, atol=1e-5)
    arrived = np.asarray(moving + shipped - after.moving)
    retained = stages.sum(axis=0) + arrived - np.asarray(out)
    np.testing.assert_allclose(market.serving(after), retained, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("transit", "lifetime"), [(0.0, 1.0), (1.5, 5.5), (0.8, 4.0), (2.6, 7.5)])
def test_age__mean_life_and_transit_are_those_asked_for(transit, lifetime):
    """Quarter-ends counted over an impulse: a geometric wait of mean ``transit``, four of mean ``lifetime`` quarters.

    Both are exact for the parts used. 400 quarters leave less than 1e-9 of the slowest case (a fourth-order tail of
    (1 - 1/7.5)^400), and 400 float32 roundings of 6e-8 sum to 3e-5: hence 1e-4.
    """
    now, shipped = stock(0, [0, 0, 0, 0]), jnp.ones((2, 1))
    waited, served, retired = 0.0, 0.0, 0.0
    for _ in range(400):
        now, out = jitted_age(now, shipped, number(transit), number(lifetime))
        waited += float(now.moving[0, 0])
        served += float(market.serving(now)[0, 0])
        retired += float(out[0, 0])
        shipped = jnp.zeros((2, 1))
    assert waited == pytest.approx(transit, rel=1e-4)
    assert served == pytest.approx(4 * lifetime, rel=1e-4)
    assert retired == pytest.approx(1, rel=1e-4)


def test_age__spread_of_life_is_that_of_four_stages():
    """Variance of four geometric waits of mean m: 4 m (m - 1), an Erlang's 4 m^2 as the quarter gets short."""
    now, shipped, life = stock(0, [0, 0, 0, 0]), jnp.ones((2, 1)), 5.5
    left = []
    for _ in range(400):
        now, out = jitted_age(now, shipped, number(0), number(life))
        left.append(float(out[0, 0]))
        shipped = jnp.zeros((2, 1))
    quarters = np.arange(400)
    mean = np.dot(left, quarters)
    assert np.dot(left, (quarters - mean) ** 2) == pytest.approx(4 * life * (life - 1), rel=1e-3)


def test_serving__adds_the_stages_and_not_the_way():
    np.testing.assert_allclose(market.serving(stock(100, [8, 4, 2, 1]))[:, 0], [15, 15])
