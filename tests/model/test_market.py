"""The market against cases worked by hand, and its identities for any numbers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.axes import CONSTRAINTS
from sim.model import market
from sim.model.structure import sums
from tests.model.tiny import STRUCTURE, number

PAIRS = len(STRUCTURE.pair_buyer)
PAIR_BUYER, PAIR_SUPPLIER = np.array(STRUCTURE.pair_buyer), np.array(STRUCTURE.pair_supplier)
ONE_PAIR_BUYER, ONE_PAIR_SUPPLIERS = 4, (3, 6)  # pair of buyer 2; pairs of suppliers 2 and 3
weights = hnp.arrays(np.float32, (PAIRS, 2), elements=st.floats(2**-20, 2**10, width=32))
jitted_clear = jax.jit(market.clear, static_argnums=0)


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


def test_kept_part__by_hand():
    # a quarter of the budget wanted: orders of 1, 1/2 and 1/4 of it at discipline 0, 1/2 and 1
    part, restraint = market.kept_part(number([5, 5, 5]), number([20, 20, 20]), number([0, 0.5, 1]))
    np.testing.assert_allclose(part, [1, 0.5, 0.25], rtol=1e-5)
    np.testing.assert_allclose(restraint, [0, math.log(2), math.log(4)], atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "affordable", "expected"), [(30, 20, 1), (20, 20, 1), (0, 0, 1), (7, 0, 1), (0, 20, 1e-6)]
)
def test_kept_part__orders_no_more_than_the_budget_and_next_to_nothing_unwanted(wanted, affordable, expected):
    part, restraint = market.kept_part(number([wanted]), number([affordable]), number([1]))
    assert part[0] == pytest.approx(expected, rel=1e-4)
    assert restraint[0] == pytest.approx(-math.log(expected), rel=1e-5, abs=1e-6)


amount = st.just(0.0) | st.floats(2**-20, 2**20, width=32)
amounts = hnp.arrays(np.float32, 8, elements=amount)
shares = hnp.arrays(np.float32, 8, elements=st.floats(0, 1, width=32))


@given(amounts, amounts, shares)
@settings(max_examples=40)
def test_kept_part__is_a_part_and_falls_with_discipline(wanted, affordable, discipline):
    part, restraint = (
        np.asarray(each) for each in market.kept_part(number(wanted), number(affordable), number(discipline))
    )
    none, _ = market.kept_part(number(wanted), number(affordable), number(np.zeros(8)))
    all_of_it, _ = market.kept_part(number(wanted), number(affordable), number(np.ones(8)))
    np.testing.assert_array_equal(none, 1)
    assert np.all((part >= np.asarray(all_of_it) * (1 - 1e-5)) & (part <= 1))
    assert np.all(restraint >= 0)
    bought = np.asarray(all_of_it) * affordable
    assert np.all(bought <= np.maximum(wanted, 2e-6 * affordable) * (1 + 1e-4))


@pytest.mark.parametrize(
    ("backlog", "budget", "cover", "expected"),
    [(0, 10, 1, 1), (10, 10, 1, 1), (15, 10, 1, 0.5), (20, 10, 1, 0), (99, 10, 1, 0), (3, 10, 0, 0.7), (5, 0, 1, 1)],
)
def test_room__shrinks_over_the_quarter_after_the_cover(backlog, budget, cover, expected):
    assert market.room(number([backlog]), number([budget]), number(cover))[0] == pytest.approx(expected, abs=1e-6)


def test_pressure__is_that_of_the_scarcer():
    # packaging of 0.5 a bn USD and memory of 2: 20 bn take 10 of 20 and 40 of 20; then 10 of 5 and 40 of 80
    made = number([[0.5, 0.5, 0.5], [2, 2, 2]])
    found = market.pressure(number([20, 20, 0]), made, number([[20, 5, 1], [20, 80, 0]]))
    np.testing.assert_allclose(found, [2, 2, 0], rtol=1e-6)


def test_filled__by_hand():
    np.testing.assert_allclose(market.filled(number([0, 0.5, 1, 2, 8])), [1, 1, 1, 0.5, 0.125])


@given(amounts, amounts, amounts)
@settings(max_examples=40)
def test_filled__ships_what_waits_or_what_the_scarcer_capacity_makes(waiting, area, memory):
    made = number(np.stack([np.full(8, 0.5), np.full(8, 2.0)]))
    pressed = market.pressure(number(waiting), made, number(np.stack([area, memory])))
    shipped = np.asarray(market.filled(pressed)) * waiting
    most = np.minimum(area / 0.5, memory / 2)
    np.testing.assert_allclose(shipped, np.minimum(waiting, most), rtol=1e-5, atol=1e-11)


@pytest.mark.parametrize(
    ("pressure", "expected"),
    [(1, 0), (math.sqrt(math.e), 0.3), (math.e, 0.6), (50, 0.6), (1 / math.e, -0.6), (0, -0.6)],
)
def test_answer__is_the_log_of_the_pressure_clipped(pressure, expected):
    assert market.answer(number(0.6), number([pressure]))[0] == pytest.approx(expected, abs=1e-6)


def test_clear__by_hand():
    # buyer 0 waits for 16 at supplier 0, which fills a quarter, and for 4 at supplier 1, which fills all and has slack
    # of a half: 12 are left, 3 cancelled, of 9 a third looks elsewhere and finds 0.2 * 0.5 of its budget there
    waiting, mix = number([16, 4, 0, 0, 0, 0, 0, 0]), number([0.8, 0.2, 0.5, 0.5, 1, 0.4, 0.3, 0.3])
    cleared = market.clear(
        STRUCTURE,
        waiting,
        filled=number([0.25, 1, 1, 1]),
        slack=number([0, 0.5, 0, 0]),
        shares=mix,
        cancellation=number(np.full(4, 0.25)),
        spill=number(np.full(4, 1 / 3)),
    )
    np.testing.assert_allclose(cleared.shipped[:2], [4, 4], rtol=1e-6)
    np.testing.assert_allclose(cleared.cancelled[:2], [3, 0], rtol=1e-6)
    np.testing.assert_allclose(cleared.spilled[:2], [0.3, 0], rtol=1e-5)
    np.testing.assert_allclose(cleared.received[:2], [0, 0.3], rtol=1e-5)
    np.testing.assert_allclose(cleared.backlog[:2], [8.7, 0.3], rtol=1e-5)
    assert all(float(jnp.abs(each[2:]).max()) == 0 for each in cleared)


parts = hnp.arrays(np.float32, (4, 2), elements=st.floats(0, 1, width=32))
sums_of_orders = hnp.arrays(np.float32, (PAIRS, 2), elements=amount)


@given(sums_of_orders, parts, parts, weights, parts, parts)
@settings(max_examples=60)
def test_clear__neither_makes_nor_loses_orders(waiting, filled, slack, weight, cancellation, spill):
    mix = market.mix(STRUCTURE, jnp.log(number(weight)))
    given = [number(each) for each in (waiting, filled, slack)]
    cleared = jitted_clear(STRUCTURE, *given, mix, number(cancellation), number(spill))
    shipped, cancelled, spilled, received, backlog = (np.asarray(each, np.float64) for each in cleared)
    size = by_buyer(number(waiting))[PAIR_BUYER] + 1e-6
    after = backlog + shipped + cancelled + spilled
    np.testing.assert_allclose(after / size, (waiting + received) / size, atol=1e-5)
    np.testing.assert_allclose(by_buyer(spilled), by_buyer(received), rtol=1e-4, atol=1e-6)
    assert np.all((cleared.cancelled >= 0) & (cleared.spilled >= 0) & (cleared.received >= 0))
    assert np.all(backlog >= -1e-5 * size)
    assert np.all(received[slack[PAIR_SUPPLIER] == 0] == 0)
    np.testing.assert_array_equal(cleared.shipped, np.asarray(number(filled)[PAIR_SUPPLIER] * number(waiting)))


def test_clear__on_no_open_days_leaves_everything_waiting():
    waiting = number([16, 4, 1, 2, 3, 4, 5, 6])
    closed = number(np.zeros(4))
    cleared = market.clear(STRUCTURE, waiting, closed, closed, number(np.full(8, 0.5)), closed, closed)
    np.testing.assert_array_equal(cleared.backlog, waiting)


def test_restraints__are_log_ratios():
    found = market.restraints(number([20, 5, 0, 8]), number([10, 5, 0, 0]))
    np.testing.assert_allclose(found, [math.log(2), 0, 0, math.log(8e9)], rtol=1e-5)


@pytest.mark.parametrize(
    ("by_need", "by_supply", "expected"),
    [
        (0, 0, "budget"),
        (0.04, 0.049, "budget"),
        (0.051, 0, "need"),
        (0.3, 0.2, "need"),
        (0.3, 0.3, "need"),
        (0.2, 0.3, "supply"),
        (0, 0.051, "supply"),
        (0.06, -0.5, "need"),
    ],
)
def test_under__names_the_larger_restraint_over_the_margin(by_need, by_supply, expected):
    named = market.under(number([by_need]), number([by_supply]))[:, 0]
    assert CONSTRAINTS[int(jnp.argmax(named))] == expected
    assert sorted(named.tolist()) == [0, 0, 1]


@given(hnp.arrays(np.float32, (2, 4, 3), elements=st.floats(-1, 2, width=32)))
@settings(max_examples=40)
def test_under__is_one_constraint_for_each_buyer(restraint):
    named = np.asarray(market.under(*number(restraint)))
    assert set(np.unique(named)) <= {0, 1}
    np.testing.assert_array_equal(named.sum(axis=0), 1)
    np.testing.assert_array_equal(named[0] == 1, restraint.max(axis=0) <= np.float32(0.05))
