"""Index lists, and the sums made along them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.model.structure import along_draws, pick, place, sums, total
from tests.model.tiny import STRUCTURE, number


def test_capex_buyers__stand_in_the_order_of_the_buyer_axis():
    assert STRUCTURE.capex_buyers == (0, 1, 2)
    mixed = STRUCTURE._replace(reported_buyers=(1, 3), elicited_buyers=(0, 2), direct_buyers=())
    assert mixed.capex_buyers == (0, 1, 2, 3)


def test_pick__takes_rows_in_the_order_of_the_index():
    values = number([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(pick(values, (2, 0, 2)), [[3, 30], [1, 10], [3, 30]])
    np.testing.assert_array_equal(pick(values[:, 0], (1,)), [2])


def test_pick__of_nothing_keeps_the_draws():
    assert pick(number([[1, 10], [2, 20]]), ()).shape == (0, 2)


def test_total__adds_the_leading_axis():
    np.testing.assert_array_equal(total(number([[1, 10], [2, 20], [4, 40]])), [7, 70])
    assert total(number([5])) == 5


def test_sums__adds_each_group_and_leaves_an_empty_one_at_zero():
    values = number([[1, 10], [2, 20], [4, 40], [8, 80]])
    np.testing.assert_array_equal(sums(values, (2, 0, 2, 0), 3), [[10, 100], [0, 0], [5, 50]])


@pytest.mark.parametrize("draws", [(), (3,)])
def test_sums__keep_the_whole(draws):
    values = number(np.arange(8.0 * np.prod(draws, dtype=int)).reshape(8, *draws))
    of_suppliers = sums(values, STRUCTURE.pair_supplier, STRUCTURE.suppliers)
    of_buyers = sums(values, STRUCTURE.pair_buyer, STRUCTURE.buyers)
    assert of_suppliers.shape == (4, *draws)
    np.testing.assert_array_equal(total(of_suppliers), total(of_buyers))


def test_place__puts_groups_at_their_indices():
    placed = place(number(0), ((2, 0), number([5, 6])), ((), number([])), ((1,), number([7])))
    np.testing.assert_array_equal(placed, [6, 7, 5])


def test_place__runs_jitted_on_draws_as_it_does_on_one():
    like, values, same = jnp.zeros(2), number(np.arange(4.0).reshape(2, 2)), number([[7.0]])
    placed = jax.jit(lambda like, values, same: place(like, ((2, 0), values), ((1,), same)))(like, values, same)
    np.testing.assert_array_equal(placed, [[2, 3], [7, 7], [0, 1]])
    np.testing.assert_array_equal(place(like[0], ((1,), values[:1, 1]), ((0,), same[:, 0])), [7, 1])


@pytest.mark.parametrize(("draws", "shape"), [((), (2,)), ((3,), (2, 1))])
def test_along_draws__leaves_values_alone_but_for_an_axis_of_length_one(draws, shape):
    spread = jax.jit(along_draws)(number([3, 5]), jnp.zeros(draws))
    assert spread.shape == shape
    np.testing.assert_array_equal(spread.ravel(), [3, 5])
