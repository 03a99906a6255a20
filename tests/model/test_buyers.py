"""What buyers spend, prefer, order and are held back by, against cases worked by hand."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import buyers, chips, workloads
from tests.model.tiny import PLAIN, STRUCTURE, fixed, known, number, setting, state, still, stock

LN2 = math.log(2)
NEED = np.ones(4)


def told(believed, now):
    """What spending is given of a quarter."""
    return setting(
        growth=buyers.growth(believed),
        spent=buyers.reported_spending(STRUCTURE, believed, now),
        cash_growth=buyers.cash_growth(believed),
    )


def spending(believed, now=None, begin=None, guided=0.0, need=NEED):
    held, now = fixed(STRUCTURE, believed, guided), now or known()
    return buyers.spending(STRUCTURE, believed, held, now, told(believed, now), begin or state(), number(need))


def cash_flow(believed, now, begin):
    return buyers.cash_flow(STRUCTURE, believed, now, told(believed, now), begin)


def test_need__of_a_quarter_by_hand():
    # assistants only: 3 and 5 in service filled to 1.2, twice the tokens every year, 1.5 years after the hand-over
    believed = still(users=0, frontier_run=0, token_growth=LN2, token_growth_later=LN2, fill=1.2)
    held = fixed(STRUCTURE, believed)
    raw = workloads.raw_need(believed, held.workloads, number(2027.375), number(1.5))
    need = workloads.needed(number([3, 5, 0, 1]), believed["fill"], raw, held.raw_start)
    np.testing.assert_allclose(need, 1.2 * 2**1.5 * np.array([3, 5, 0, 1]), rtol=1e-5)
    np.testing.assert_allclose(raw, 2**1.5 * np.asarray(held.raw_start), rtol=1e-5)


def test_growth__by_hand():
    # (0.2 + 0.4 of the fourth) / 4 + half of a year's shocks: 0.2 * 3 for all, 0.1 * (1, 0, 0, -2), a wave of -0.2
    believed = still(
        **{"capex_drift": 0.2, "spending_drift": [0, 0, 0, 0.4], "capex_common_sd": 0.2, "capex_common_shock": 3},
        **{"capex_own_sd": 0.1, "capex_own_shock": [1, 0, 0, -2], "wave": -0.2, "shock_timing": 0.5},
    )
    drift, shocks = np.array([0.2, 0.2, 0.2, 0.6]) / 4, np.array([0.1, 0, 0, -0.2]) + 0.6 - 0.2
    np.testing.assert_allclose(buyers.growth(believed), drift + 0.5 * shocks, rtol=1e-5)


def test_spending__ahead_grows_as_guided_or_by_the_process():
    believed = still(capex_drift=4 * np.log(1.5), spending_drift=[0, 0, 0, 4 * LN2])
    paid = spending(believed, known(guided=[True, False], reach=[0, 1]), guided=[np.log(1.1), np.log(9)])
    np.testing.assert_allclose(paid.intended, [11, 30, 45, 120], rtol=1e-5)
    np.testing.assert_allclose(paid.spent, paid.intended, rtol=1e-6)  # the ceiling is far away


def test_spending__answers_need_but_not_in_a_guided_quarter():
    # installed 1 each; need of e, 1, 1/e^2 and sqrt(e): 0.4 a year is 0.1, 0, -0.1 and 0.05 a quarter
    paid = spending(
        still(need_response=0.4),
        known(guided=[True, False]),
        state(stock=stock(installed=1)),
        need=np.exp([1, 0, -2, 0.5]),
    )
    np.testing.assert_allclose(paid.intended, [10, 20, 30 * math.exp(-0.1), 40 * math.exp(0.05)], rtol=1e-5)


def test_spending__is_what_cash_bears_and_the_process_goes_on_from_what_was_intended():
    # everyone intends just the ceiling: 2^(-1/4) of it is left, a guided buyer's is not cut, the next one's half
    believed = still(capex_ceiling=2)
    begin = state(cash=[5, 10, 15, 20])
    paid = spending(believed, known(guided=[True, False], reach=[0, 0.5]), begin)
    np.testing.assert_allclose(paid.intended, [10, 20, 30, 40], rtol=1e-6)
    np.testing.assert_allclose(paid.spent, [10, 20 * 2**-0.125, 30 * 2**-0.25, 40 * 2**-0.25], rtol=1e-5)
    np.testing.assert_allclose(paid.cash, begin.cash)


def test_spending__up_to_the_handover_is_the_record_whatever_the_ceiling():
    believed = still(spending_run_rate=8, spending_past_growth=2 * LN2, capex_ceiling=1e-3, operating_cash_flow=40)
    paid = spending(believed, known(ahead=False, quarters_ahead=-2, capex=[3, 5]))
    np.testing.assert_allclose(paid.spent, [3, 5, 4, 0], rtol=1e-6)  # what a direct buyer spends follows from sales
    np.testing.assert_allclose(paid.cash, [10, 10, 10, 40], rtol=1e-6)


def test_reported_spending__by_hand():
    # elicited 8 a quarter at the hand-over, doubling every two quarters: 4 two before it
    believed = still(spending_run_rate=8, spending_past_growth=2 * LN2)
    now = known(ahead=False, quarters_ahead=-2, capex=[3, 5])
    np.testing.assert_allclose(buyers.reported_spending(STRUCTURE, believed, now), [3, 5, 4, 0], rtol=1e-6)


def test_cash_flow__starts_from_the_belief_or_from_spending_and_grows():
    believed = still(operating_cash_flow=[40, 80, 120], cash_growth=[0, 0, 0, 4 * LN2])
    begin = state(cash=[1, 2, 3, 4], intended=[10, 20, 30, 40])
    for ahead, quarters, expected in (
        (False, 0, [10, 20, 30, 40]),
        (True, 1, [10, 20, 30, 80]),
        (True, 2, [1, 2, 3, 8]),
    ):
        cash = cash_flow(believed, known(ahead=ahead, quarters_ahead=quarters), begin)
        np.testing.assert_allclose(cash, expected, rtol=1e-5)


def test_cash_flow__shares_a_part_of_the_common_shock_and_nothing_of_the_wave():
    # 0.5 * 0.2 * 3 + 0.1 * (1, 0, 0, -2), half of it in this quarter
    believed = still(
        cash_cycle=0.5,
        capex_common_sd=0.2,
        capex_common_shock=3,
        wave=-0.2,
        cash_shock_sd=0.1,
        cash_shock=[1, 0, 0, -2],
        shock_timing=0.5,
    )
    cash = cash_flow(believed, known(), state())
    np.testing.assert_allclose(cash, np.exp([0.2, 0.15, 0.15, 0.05]), rtol=1e-5)


def test_share_move__begins_at_the_handover_and_holds_the_belief_after_its_date():
    believed = still(ai_share=[0.5, 0.5, 0.5], ai_share_2030=[0.8, 0.5, 0.2])
    move = np.log(4) / 20 * np.array([1, 0, -1])
    for ahead, quarters, expected in ((False, 0, 0), (True, 1, move), (True, 20, move), (True, 21, 0)):
        moved = buyers.share_move(believed, known(ahead=ahead, quarters_ahead=quarters))
        np.testing.assert_allclose(moved, expected * np.ones(3), rtol=1e-5)


def test_weight_move__is_a_quarter_of_the_walk():
    believed = still(supplier_drift=[0.4, 0, 0, 0.8])
    moved = buyers.weight_move(STRUCTURE, believed)
    np.testing.assert_allclose(moved, [0.1, 0, 0.1, 0, 0.1, 0.1, 0.2, 0], rtol=1e-5)


def test_budget_of__is_a_share_of_led_capex_or_a_direct_buyers_own_spending():
    budget = buyers.budget_of(STRUCTURE, number([99, 99, 99, 10]), number([40, 20, 10, 99]), number([0.5, 0.25, 0.1]))
    np.testing.assert_allclose(budget, [20, 5, 1, 10], rtol=1e-6)


def content(h100e):
    one = np.ones_like(h100e)
    made = number(np.stack([one, one]))
    return chips.Content(units=number(one), h100e=number(h100e), h100e8=number(one), power=number(one), made=made)


BACKLOG = {"backlog": [5, 10, 0], "stock": stock(PLAIN, installed=[40, 10], moving=[5, 0])}


def orders(believed, need_ahead, spend=(40, 10), begin=BACKLOG):
    """Two buyers; a bn USD buys two H100e of the first supplier, one of the second."""
    weight = np.log([3, 1, 1])
    return buyers.orders(
        PLAIN, believed, state(PLAIN, **begin), content([2.0, 1.0]), number(spend), number(weight), number(need_ahead)
    )


def test_orders__by_hand():
    # budgets of 30 + 10 and 10 bn afford 70 and 20 M H100e. There are 65 and 10 in service, on the way and ordered, of
    # which two quarters leave 0.8: 52 and 8. With 10 % headroom 110 and 33 are needed, so 29 and 12.5 a quarter wanted.
    # A backlog of 15 on a budget of 40 with a cover of 0.25 leaves room for 0.875
    believed = still(
        PLAIN,
        planning_horizon=2,
        headroom=0.1,
        lifetime=2 / (4 * math.log(1.25)),
        discipline=[1, 0.5],
        order_cover=0.25,
    )
    placed = orders(believed, need_ahead=[100, 30])
    np.testing.assert_allclose(placed.mix, [0.75, 0.25, 1], rtol=1e-6)
    np.testing.assert_allclose(placed.restraint, [math.log(70 / 29), 0.5 * math.log(1.6)], rtol=1e-5)
    part = np.array([29 / 70 * 0.875, 29 / 70 * 0.875, math.sqrt(0.625)])
    np.testing.assert_allclose(placed.ordered, [30, 10, 10] * part, rtol=1e-5)


@given(st.floats(0, 1e3), st.just(0.0) | st.floats(0.01, 100), st.floats(0, 1), st.floats(0, 3), st.floats(1, 8))
@settings(max_examples=30)
def test_orders__never_exceed_the_budget_nor_at_full_discipline_what_is_wanted(need, spend, headroom, cover, horizon):
    believed = still(PLAIN, planning_horizon=horizon, headroom=headroom, order_cover=cover, discipline=1)
    placed = orders(believed, need_ahead=[need, need], spend=(spend, spend))
    ordered, free = np.asarray(placed.ordered), np.asarray(orders(still(PLAIN), [need, need], (spend, spend)).ordered)
    assert np.all(ordered >= 0)
    np.testing.assert_allclose(free, spend * np.array([0.75, 0.25, 1]), rtol=1e-5)  # discipline 0: all of the budget
    assert np.all(ordered <= free * (1 + 1e-5))
    wanted = max(0, need * (1 + headroom) - 10) / horizon
    assert 2 * ordered[2] <= wanted * (1 + 1e-4) + 2e-6 * 2 * spend


def test_orders__stop_where_a_quarter_beyond_the_cover_is_waiting():
    for cover, room in ((1, 1), (0.375, 1), (0, 0.625)):
        placed = orders(still(PLAIN, order_cover=cover), need_ahead=[1e6, 1e6])
        np.testing.assert_allclose(placed.ordered, [30 * room, 10 * room, 10], rtol=1e-5)
    deep = dict(BACKLOG, backlog=[50, 30, 0])
    np.testing.assert_allclose(orders(still(PLAIN, order_cover=1), [1e6, 1e6], begin=deep).ordered, [0, 0, 10])


def test_bound__by_hand():
    # the first buyer waits for 30 and gets 15: supply, over its restraint of 0.3; the second gets all, unrestrained
    given = (number([20, 10, 8]), number([15, 8]), number([0.3, 0.02]), number([12, 4]))
    held, share = buyers.bound(PLAIN, known(PLAIN), *given)
    np.testing.assert_allclose(held, [4, 0, 12])
    np.testing.assert_allclose(share, [0.5, 0, 0.5])
    held, share = buyers.bound(PLAIN, known(PLAIN), *given[:2], number([0.7, 0.051]), given[3])
    np.testing.assert_allclose(held, [0, 16, 0])
    np.testing.assert_allclose(share, [0, 1, 0])


def test_bound__says_nothing_of_the_record():
    given = (number([20, 10, 8]), number([15, 8]), number([0.3, 0.02]), number([12, 4]))
    for each in buyers.bound(PLAIN, known(PLAIN, ahead=False), *given):
        np.testing.assert_array_equal(each, 0)


@given(st.lists(st.floats(0, 100), min_size=3, max_size=3), st.lists(st.floats(0, 2), min_size=2, max_size=2))
@settings(max_examples=30)
def test_bound__adds_up_to_what_was_shipped(waiting, restraint):
    shipped = number([3, 5])
    held, share = buyers.bound(PLAIN, known(PLAIN), number(waiting), number([2, 7]), number(restraint), shipped)
    assert float(held.sum()) == 8
    assert float(share.sum()) == 1
