"""What suppliers are known to have sold, can make and ship, against cases worked by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from sim.model import chips, suppliers
from sim.model.buyers import Orders
from sim.model.structure import sums
from tests.model.tiny import PLAIN, STRUCTURE, content, known, number, setting, state, still

LN2 = math.log(2)
MIX = np.array([0.8, 0.2, 0.25, 0.75, 1, 0.5, 0.3, 0.2])
ORDERED = np.array([8, 2, 2, 6, 4, 6, 4, 2.0])  # by supplier 20, 4, 6, 4
OWNERS = [4, 1, 3, 1, 2, 1, 1, 1]  # of supplier 0: 0.4, 0.3, 0.2, 0.1
OF_FIRST = np.array([0, 2, 4, 5])  # pairs of supplier 0


def holds(area, memory=1.0, structure=STRUCTURE):
    """Contents of one bn USD: ``area`` package areas and ``memory`` PB of each supplier, otherwise 1."""
    one = np.ones(structure.suppliers)
    units = np.ones(structure.chips)
    made = np.stack([one * area, one * memory])
    each = {"units": units, "h100e": one, "h100e8": one, "power": one, "made": made}
    return chips.Content(**{name: number(values) for name, values in each.items()})


def order(ordered=ORDERED, mix=MIX, structure=STRUCTURE):
    return Orders(number(ordered), number(mix), number(np.zeros(structure.buyers)))


def trade(believed, now, begin, holds, placed=None, structure=STRUCTURE):
    """What is sold by suppliers of which a bn USD holds what is told."""
    units = sums(holds.units, structure.chip_supplier, structure.suppliers)
    told = setting(
        holds=holds,
        reported=suppliers.known_revenue(structure, believed, now, units),
        owner=suppliers.owners(structure, believed, now),
        capacity_growth=suppliers.capacity_growth(believed),
    )
    return suppliers.trade(structure, believed, now, told, begin, placed or order())


@pytest.mark.parametrize(("ahead", "expected"), [(-4, 0.2), (0, 0.2), (5, 0.25), (10, 0.3), (20, 0.4), (28, 0.4)])
def test_attach_share__runs_straight_from_the_record_to_the_belief(ahead, expected):
    believed = still(attach_share_2030=0.4)
    share = suppliers.attach_share(STRUCTURE, believed, known(quarters_ahead=ahead), number(0))
    np.testing.assert_allclose(share, [expected, 0, 0, 0], rtol=1e-6)


REVENUE = {
    "reported_share": 0.5,
    "revenue_band": 3,
    "units_band": 0.25,
    "revenue_run_rate": 8,
    "revenue_past_growth": 2 * LN2,
}
PER_DOLLAR = [9, 9, 0.05, 9]


def known_revenue(now, **given):
    return suppliers.known_revenue(STRUCTURE, still(**(REVENUE | given)), now, number(PER_DOLLAR))


def test_known_revenue__of_each_kind_by_hand():
    # half of a line of 12; 3 as believed; 0.25 M units at 0.05 M a bn USD; 8 halved per half-year back: 2 quarters ago
    revenue = known_revenue(known(ahead=False, quarters_ahead=-2, line=[12]))
    np.testing.assert_allclose(revenue, [6, 3, 5, 4], rtol=1e-6)


def test_known_revenue__carried_back_begins_with_the_first_chip():
    now = known(ahead=False)
    launched = [known_revenue(now, launch=[2000] * 6 + [last])[3] for last in (2000, 3000)]
    assert launched[0] > 0
    assert launched[1] == 0


def test_known_revenue__ahead_is_the_reported_line_alone():
    np.testing.assert_allclose(known_revenue(known(line=[12])), [6, 0, 0, 0], rtol=1e-6)


def test_known_revenue__adds_the_outlook_with_its_share_and_beat():
    # (12 + 100 * 0.9 * 1.1) * 0.5: the outlook is of the total, the beat on it, the part of ours on both
    revenue = known_revenue(known(line=[12], outlook=[100]), outlook_share=0.9, outlook_beat=math.log(1.1))
    np.testing.assert_allclose(revenue, [(12 + 99) * 0.5, 0, 0, 0], rtol=1e-5)


def test_per_revenue__leaves_out_software_and_networking():
    believed = still(hardware_share=[0.5, 1, 1, 1])
    whole = content(believed)
    part = suppliers.per_revenue(STRUCTURE, believed, whole, number([0.3, 0, 0, 0]))
    for name in ("h100e", "h100e8", "power"):
        np.testing.assert_allclose(getattr(part, name) / getattr(whole, name), [0.35, 1, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(part.made / whole.made, [[0.35, 1, 1, 1]] * 2, rtol=1e-5)
    np.testing.assert_allclose(part.units / whole.units, [0.35] * 4 + [1] * 4, rtol=1e-5)


def capacities(believed, now, begin, reported=(0, 0, 0, 0), revenue=(0, 0, 0, 0), content=None):
    told = setting(
        holds=content or holds([0.5, 1, 2, 1], 4),
        reported=number(reported),
        capacity_growth=suppliers.capacity_growth(believed),
    )
    return suppliers.capacities(believed, now, told, begin, number(revenue))


def test_capacities__at_the_handover_are_shipments_over_use():
    believed = still(capacity_use=[0.5, 1, 0.8, 0.9], memory_use=0.5)
    made = capacities(believed, known(ahead=False), state(), revenue=[6, 3, 2, 9])
    np.testing.assert_allclose(made, [[6, 3, 5, 10], [48, 24, 16, 72]], rtol=1e-5)


def test_capacities__grow_with_the_belief_and_the_answer_to_pressure():
    # 4 log 2 a year is a doubling a quarter; pressure of e, 1, 1/e^2 and e^9 at 2 a year is +-1/2 or 0 a quarter
    believed = still(capacity_growth=[4 * LN2, 0, 0, 0], memory_growth=[0, 4 * LN2, 0, 0], supply_response=2)
    begin = state(capacity=np.ones((2, 4)), pressure=np.exp([1, 0, -2, 9]))
    answer = np.exp([0.5, 0, -0.5, 0.5])
    np.testing.assert_allclose(
        capacities(believed, known(), begin), [answer * [2, 1, 1, 1], answer * [1, 2, 1, 1]], rtol=1e-5
    )


def test_capacities__hold_at_least_what_an_outlook_implies():
    # 10 on half the days are 20 a quarter, of half an area and 4 PB each, used to one half: 20 and 160; 1 would be less
    begin = state(capacity=np.full((2, 4), 30.0))
    made = capacities(still(), known(cover=[0.5, 0.5, 0, 1]), begin, reported=[10, 1, 9, 0])
    np.testing.assert_allclose(made, [[30, 30, 30, 30], [160, 30, 30, 30]], rtol=1e-5)


def test_trade__capacity_cuts_orders_pro_rata_in_the_scarcer():
    # areas 10 of 5, 4 of 4, 12 of 2 and 4 of 100; memory 20 of 100, 4 of 2, 6 of 100 and 4 of 100
    begin = state(capacity=[[5, 4, 2, 100], [100, 2, 100, 100]])
    sold = trade(still(), known(), begin, holds([0.5, 1, 2, 1]))
    np.testing.assert_allclose(sold.pressure, [2, 2, 6, 0.04], rtol=1e-5)
    np.testing.assert_allclose(sold.revenue, [10, 2, 1, 4], rtol=1e-5)
    part = np.array([1 / 2, 1 / 2, 1 / 2, 1 / 6, 1 / 2, 1 / 2, 1, 1 / 2])
    np.testing.assert_allclose(sold.bought, ORDERED * part, rtol=1e-5)
    np.testing.assert_allclose(sold.backlog, ORDERED * (1 - part), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sold.waiting, ORDERED, rtol=1e-5)
    np.testing.assert_allclose(sold.capacity, begin.capacity, rtol=1e-6)


def test_trade__backlog_waits_with_the_orders_is_cancelled_and_looks_elsewhere():
    # 8 waiting and 8 ordered from the first supplier, which makes 4: 12 are left, 3 cancelled, a third of 9 looks
    # elsewhere; the second has 4 of 8 to do, so a slack of a half, where 0.2 of the buyer's budget goes: 0.3
    believed = still(PLAIN, cancellation=0.25, spill=1 / 3)
    begin = state(PLAIN, backlog=[8, 0, 0], capacity=np.array([[4, 8], [4, 8]]))
    placed = order([8, 4, 0], [0.8, 0.2, 1], PLAIN)
    sold = trade(believed, known(PLAIN), begin, holds(1, structure=PLAIN), placed, PLAIN)
    np.testing.assert_allclose(sold.pressure, [4, 0.5], rtol=1e-6)
    np.testing.assert_allclose(sold.revenue, [4, 4], rtol=1e-6)
    np.testing.assert_allclose(sold.backlog, [8.7, 0.3, 0], rtol=1e-5)
    np.testing.assert_allclose(sold.waiting, [16, 4, 0], rtol=1e-6)


def test_trade__reported_days_stand_and_the_market_fills_the_others():
    # a quarter of the days is reported at 1 bn; on the others 15 of 20 are ordered and 7.5 can be made
    believed = still(owner_weight=OWNERS)
    begin = state(capacity=np.array([[10, 99, 99, 99]] * 2))
    sold = trade(believed, known(line=[1], cover=[0.25, 0, 0, 0]), begin, holds(1))
    np.testing.assert_allclose(sold.revenue, [1 + 7.5, 4, 6, 4], rtol=1e-5)
    np.testing.assert_allclose(sold.bought[0], 1 * 0.4 + 0.75 * 0.5 * 8, rtol=1e-5)
    np.testing.assert_allclose(sold.waiting[0], 1 * 0.4 + 0.75 * 8, rtol=1e-5)
    np.testing.assert_allclose(sums(sold.bought, STRUCTURE.pair_supplier, 4), sold.revenue, rtol=1e-5)
    np.testing.assert_allclose(sold.backlog[OF_FIRST], 0.75 * 0.5 * ORDERED[OF_FIRST], rtol=1e-5)


def test_trade__parts_of_a_quarter_cancel_and_spill_in_proportion():
    believed = still(cancellation=0.5)
    now = known(line=[1], cover=[0.75, 0, 0, 0])
    begin = state(backlog=ORDERED, capacity=np.array([[8, 99, 99, 99]] * 2))
    sold = trade(believed, now, begin, holds(1))
    # 20 waiting and a quarter of 20 ordered; a quarter of 8 is made; an eighth of the rest is cancelled
    np.testing.assert_allclose(sold.revenue[0], 1 + 2, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(sold.backlog)[OF_FIRST].sum(), (25 - 2) * 7 / 8, rtol=1e-5)


def test_trade__a_quarter_wholly_under_outlook_leaves_the_market_closed():
    believed = still(owner_weight=OWNERS, outlook_share=0.9, outlook_beat=math.log(1.1), spill=0.5, cancellation=0.5)
    now = known(line=[2], outlook=[8], cover=[1, 0, 0, 0])
    begin = state(backlog=[5, 0, 1, 0, 0, 0, 0, 0], pressure=[3, 1, 1, 1])
    sold = trade(believed, now, begin, holds(1))
    np.testing.assert_allclose(sold.revenue[0], 2 + 8 * 0.9 * 1.1, rtol=1e-5)
    np.testing.assert_allclose(sold.bought[OF_FIRST], 9.92 * np.array([0.4, 0.3, 0.2, 0.1]), rtol=1e-5)
    np.testing.assert_allclose(sold.backlog[OF_FIRST], [5, 1, 0, 0], atol=1e-6)
    assert sold.pressure[0] == 3
    assert np.all(np.asarray(sold.backlog) >= 0)


def test_trade__up_to_the_handover_is_the_record_and_sets_capacity_and_backlog():
    believed = still(
        **REVENUE, capacity_use=[0.5, 1, 0.8, 0.9], memory_use=0.5, owner_weight=OWNERS, backlog_start=[0.5, 0, 0, 2]
    )
    now = known(ahead=False, quarters_ahead=0, line=[12], cover=np.ones(4))
    sold = trade(believed, now, state(pressure=[9, 9, 9, 9]), holds([0.5, 1, 2, 1]))
    np.testing.assert_allclose(sold.revenue, [6, 3, 0.25 / 2, 8], rtol=1e-5)  # supplier 2: two chips of one unit a bn
    np.testing.assert_allclose(sold.bought[OF_FIRST], [2.4, 1.8, 1.2, 0.6], rtol=1e-5)
    np.testing.assert_allclose(sold.capacity, [[6, 3, 0.25 / 0.8, 8 / 0.9], [12, 6, 0.25, 16]], rtol=1e-5)
    np.testing.assert_allclose(sold.backlog, [1.2, 0, 0.9, 0, 0.6, 0.3, 16, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(sold.pressure, 1)


def test_trade__days_nobody_reported_yet_carry_the_last_revenue_on():
    believed = still(**REVENUE, nowcast_error=[0, np.log(1.5), 0, 0])
    now = known(ahead=False, quarters_ahead=0, line=[12], cover=[0.5, 0, 1, 1], capex_growth=1.2)
    sold = trade(believed, now, state(revenue=[10, 20, 30, 40]), holds(1))
    np.testing.assert_allclose(sold.revenue, [6 + 0.5 * 12, 3 + 20 * 1.8, 0.125, 8], rtol=1e-5)


def test_trade__nothing_is_placed_with_a_supplier_that_is_closed():
    """Orders look elsewhere, but all days of the other supplier are reported: it has no slack, though nothing waits."""
    believed = still(PLAIN, spill=0.5)
    begin = state(PLAIN, backlog=[8, 0, 0], capacity=np.array([[4, 8], [4, 8]]))
    placed = order([8, 4, 0], [0.8, 0.2, 1], PLAIN)
    sold = trade(believed, known(PLAIN, cover=[0, 1]), begin, holds(1, structure=PLAIN), placed, PLAIN)
    np.testing.assert_allclose(sold.backlog, [12, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_trade__ships_within_both_capacities_on_the_open_days_and_loses_no_order(seed):
    rng = np.random.default_rng(seed)
    draws = 200
    believed = {name: jnp.broadcast_to(each[..., None], (*each.shape, draws)) for name, each in still(
        cancellation=0.2, spill=0.4).items()}  # fmt: skip
    cover = np.array([0.3, 0, 0, 0])
    capacity, made = rng.uniform(0, 12, (2, 4, draws)), rng.uniform(0.2, 2, (2, 4, draws))
    backlog, ordered = rng.uniform(0, 8, (2, 8, draws)) * (rng.uniform(size=(2, 8, draws)) < 0.7)
    content = holds(1)._replace(made=number(made), units=number(np.ones((8, draws))))
    begin = state(backlog=backlog, capacity=capacity, pressure=np.ones((4, draws)), revenue=np.ones((4, draws)))
    mix = rng.dirichlet([1, 1], draws).T
    placed = Orders(number(ordered), number(np.tile(mix, (4, 1))), number(np.zeros((4, draws))))
    sold = trade(believed, known(cover=cover), begin, content, placed)
    shipped = np.asarray(sums(sold.bought, STRUCTURE.pair_supplier, 4), np.float64)
    limit = (1 - cover)[:, None] * np.asarray(sold.capacity)
    assert np.all(shipped * made <= limit * (1 + 1e-5))
    full = np.isclose(shipped * made, limit, rtol=1e-5).any(axis=0)
    waited = np.asarray(sums(sold.waiting, STRUCTURE.pair_supplier, 4))
    assert np.all(full | np.isclose(shipped, waited, rtol=1e-5, atol=1e-6))  # all is shipped, or a capacity is used up
    assert full.any()
    assert not full.all()
    asked = backlog + (1 - cover)[np.array(STRUCTURE.pair_supplier), None] * ordered
    assert np.asarray(sold.backlog).sum() < asked.sum() - shipped.sum()  # the rest is cancelled
    np.testing.assert_allclose(sold.waiting, asked, rtol=1e-5, atol=1e-6)


def test_shipped_to__by_hand():
    content = holds(1)._replace(h100e=number([0.1, 0.2, 0.3, 0.4]), power=number([1, 2, 3, 4]))
    h100e = suppliers.pair_h100e(STRUCTURE, number(ORDERED), content)
    shipped = suppliers.shipped_to(STRUCTURE, number(ORDERED), content)
    np.testing.assert_allclose(h100e, [0.8, 0.4, 0.2, 1.8, 0.4, 0.6, 1.6, 0.4], rtol=1e-6)
    np.testing.assert_allclose(shipped, [[1.2, 2.0, 0.4, 2.6], [12, 20, 4, 26]], rtol=1e-6)
