"""Index lists, and the sums made along them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.model.structure import along_draws, highest, once, pick, pick_some, place, stacked, sums, total
from tests.model.tiny import PLAIN, STRUCTURE, number

jitted_once = jax.jit(once)


def test_capex_buyers__stand_in_the_order_of_the_buyer_axis():
    assert STRUCTURE.capex_buyers == (0, 1, 2)
    mixed = STRUCTURE._replace(reported_buyers=(1, 3), elicited_buyers=(0, 2), direct_buyers=())
    assert mixed.capex_buyers == (0, 1, 2, 3)


def test_first_chips__are_the_oldest_of_each_supplier():
    assert STRUCTURE.chip_supplier == (0, 0, 0, 0, 1, 2, 2, 3)
    assert STRUCTURE.first_chips == (True, False, False, False, True, True, False, True)


def test_later_chips__name_the_next_of_the_same_supplier_then_the_one_after():
    assert STRUCTURE.later_chips == (
        (1, 2, 3, None, None, 6, None, None),
        (2, 3, None, None, None, None, None, None),
        (3, None, None, None, None, None, None, None),
    )
    assert PLAIN.later_chips == ()  # one chip each


@pytest.mark.parametrize("line", [(0, 1, 2), (2, 1, 0), (0, 0, 0), (1, 1, 0, 2, 2, 2)])
def test_later_chips__are_every_younger_one_of_the_line_once(line):
    structure = STRUCTURE._replace(chip_supplier=line, chips=len(line), suppliers=3)
    for chip, supplier in enumerate(line):
        found = [later[chip] for later in structure.later_chips if later[chip] is not None]
        assert found == [other for other in range(chip + 1, len(line)) if line[other] == supplier]


def test_pick__takes_rows_in_the_order_of_the_index():
    values = number([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(pick(values, (2, 0, 2)), [[3, 30], [1, 10], [3, 30]])
    np.testing.assert_array_equal(pick(values[:, 0], (1,)), [2])


def test_pick__of_nothing_keeps_the_draws():
    assert pick(number([[1, 10], [2, 20]]), ()).shape == (0, 2)


def test_pick_some__takes_rows_or_what_else_is_said():
    values = number([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(pick_some(values, (2, None, 0)), [[3, 30], [0, 0], [1, 10]])
    np.testing.assert_array_equal(pick_some(values, (None, 1), jnp.inf), [[jnp.inf, jnp.inf], [2, 20]])
    other = number([[7, 70], [8, 80], [9, 90]])
    np.testing.assert_array_equal(pick_some(values, (2, None, 0), other), [[3, 30], [8, 80], [1, 10]])
    np.testing.assert_array_equal(pick_some(values, (None, 2), other[0]), [[7, 70], [3, 30]])
    np.testing.assert_array_equal(pick_some(values[:, 0], (1, None)), [2, 0])


def test_pick_some__with_every_row_named_is_pick():
    values = number([[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(pick_some(values, (2, 0, 2), 9), pick(values, (2, 0, 2)))


def test_pick_some__of_flags_keeps_them_flags():
    found = pick_some(jnp.array([True, False]), (None, 0, 1), False)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, [False, True, False])


numbers = st.floats(width=32, allow_nan=False, allow_infinity=True, allow_subnormal=False)


@given(hnp.arrays(np.float32, (2, 3), elements=numbers))
@settings(max_examples=40)
def test_once__changes_no_bit_of_a_number(values):
    np.testing.assert_array_equal(once(jnp.asarray(values)), values)
    np.testing.assert_array_equal(jitted_once(jnp.asarray(values)), values)


def test_once__keeps_nan_and_precision():
    assert np.isnan(once(number([np.nan]))).all()
    assert once(number([2])).dtype == number([2]).dtype


@pytest.mark.parametrize("draws", [(), (3,)])
def test_highest__is_the_greatest_of_each_group_also_below_zero(draws):
    values = number(np.random.default_rng(2).normal(-5, 3, (8, *draws)))
    groups = STRUCTURE.pair_supplier
    expected = [np.asarray(values)[np.array(groups) == supplier].max(axis=0) for supplier in range(4)]
    np.testing.assert_array_equal(highest(values, groups, 4), expected)
    np.testing.assert_array_equal(highest(number([-3, -1, -2]), (1, 0, 1), 2), [-1, -2])


def test_stacked__puts_equal_arrays_side_by_side():
    one, two, three = number([[1, 10], [2, 20]]), number([[3, 30], [4, 40]]), number([[5], [6]])
    np.testing.assert_array_equal(stacked(one, two), np.stack([one, two]))
    np.testing.assert_array_equal(stacked(one, two, three), np.stack([one, two, [[5, 5], [6, 6]]]))
    np.testing.assert_array_equal(stacked(three, one), np.stack([[[5, 5], [6, 6]], one]))
    np.testing.assert_array_equal(stacked(number(1), number(2)), [1, 2])
    np.testing.assert_array_equal(jax.jit(stacked)(one, two, three), stacked(one, two, three))
    assert stacked(jnp.array([True]), jnp.array([False])).dtype == bool


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
