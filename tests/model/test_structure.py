"""Index lists, and the sums made along them."""

import numpy as np
import pytest

from sim.model.structure import pick, sums, total
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
