"""One quarter against cases worked by hand, its identities, and the hand-over."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model import capex, chips, market, quarter
from sim.model.structure import sums
from tests.model import tiny
from tests.model.tiny import STRUCTURE, number

step = jax.jit(quarter.step, static_argnums=0)
PAIR_BUYER, PAIR_SUPPLIER = np.array(STRUCTURE.pair_buyer), np.array(STRUCTURE.pair_supplier)


def known(**given):
    """A quarter ahead, ten quarters of twenty from the hand-over, in which nothing is reported or guided."""
    fields = {
        **{"year": 2028.375, "quarters_ahead": 10, "horizon": 20, "progress": 1, "capex_growth": 1},
        **{"capex": [0, 0], "line": [0], "attach": [0.2], "cover": [0, 0, 0, 0]},
    } | given
    flags = {"ahead": fields.pop("ahead", True), "guided": fields.pop("guided", [False, False])}
    return quarter.Known(
        **{name: number(each) for name, each in fields.items()},
        **{name: jnp.asarray(each) for name, each in flags.items()},
    )


def state(**given):
    fields = {
        **{"spending": [10, 20, 30, 40], "spending_before": [10, 20, 30, 40]},
        **{"share_start": [0, 0, 0], "share_change": [0, 0, 0], "weight": np.zeros(8)},
        **{"revenue": [1, 2, 3, 4], "capacity": [1e6, 1e6, 1e6, 1e6]},
    } | given
    empty = market.Stock(moving=jnp.zeros((2, 4)), stages=jnp.zeros((4, 2, 4)))
    return quarter.State(stock=empty, **{name: number(each) for name, each in fields.items()})


def still(**given):
    """Beliefs under which nothing moves of itself: no growth, drift, walk, networking or fall of price."""
    quiet = ("drift", "growth", "walk", "shock", "decline", "error", "successor_cadence")
    found = tiny.beliefs()
    moving = {name: np.zeros(each.shape) for name, each in found.items() if any(part in name for part in quiet)}
    sure = {name: np.full(found[name].shape, 0.5) for name in ("ai_share", "ai_share_2030", "capacity_use")}
    fixed = {"capex_lead": 0, "attach_share_2030": [0.2], "launch": np.full(7, 2000), "retirement": [2100]}
    return tiny.beliefs(**(moving | sure | fixed | {"ceiling": np.full(8, 0.5)} | given))


def one_step(believed, begin, now):
    return step(STRUCTURE, believed, chips.generations(STRUCTURE, believed), jnp.zeros(2), begin, now)


def test_place__puts_groups_at_their_indices():
    placed = quarter.place(number(0), ((2, 0), number([5, 6])), ((1,), number([7])))
    np.testing.assert_array_equal(placed, [6, 7, 5])


@pytest.mark.parametrize(("ahead", "expected"), [(-4, 0.2), (0, 0.2), (5, 0.25), (10, 0.3), (20, 0.4), (28, 0.4)])
def test_attach_share__runs_straight_from_the_record_to_the_belief(ahead, expected):
    believed = still(attach_share_2030=[0.4])
    share = quarter.attach_share(STRUCTURE, believed, known(quarters_ahead=ahead), number(0))
    np.testing.assert_allclose(share, [expected, 0, 0, 0], rtol=1e-6)


REVENUE = {
    "reported_share": [0.5],
    "revenue_band": [3],
    "units_band": [0.25],
    "revenue_run_rate": [8],
    "revenue_past_growth": [2 * np.log(2)],
    "launch": [2000] * 7,
    "ramp": [1] * 8,
}


def test_known_revenue__of_each_kind_by_hand():
    # half of a line of 12; 3 as believed; 0.25 M units at 0.05 M a bn USD; 8 halved per half-year back: 2 quarters ago
    now = known(ahead=False, quarters_ahead=-2, line=[12])
    revenue = quarter.known_revenue(STRUCTURE, still(**REVENUE), now, number([9, 9, 0.05, 9]))
    np.testing.assert_allclose(revenue, [6, 3, 5, 4], rtol=1e-6)


def test_known_revenue__carried_back_begins_with_the_first_chip():
    early = REVENUE | {"launch": [2000] * 6 + [3000]}
    launched = [quarter.known_revenue(STRUCTURE, still(**beliefs), known(ahead=False), number([9, 9, 0.05, 9]))[3]
                for beliefs in (REVENUE, early)]  # fmt: skip
    assert launched[0] > 0
    assert launched[1] == 0


def test_known_revenue__ahead_is_the_reported_line_alone():
    revenue = quarter.known_revenue(STRUCTURE, still(**REVENUE), known(line=[12]), number([9, 9, 0.05, 9]))
    np.testing.assert_allclose(revenue, [6, 0, 0, 0], rtol=1e-6)


def test_spending__ahead_grows_as_guided_or_by_the_process():
    believed = still(capex_drift=4 * np.log(1.5), spending_drift=[0, 0, 0, 4 * np.log(2)])
    spent = quarter.spending(
        STRUCTURE, believed, known(guided=[True, False]), state(), number([np.log(1.1), np.log(9)])
    )
    np.testing.assert_allclose(spent, [11, 30, 45, 120], rtol=1e-5)


def test_spending__up_to_the_handover_is_the_record():
    believed = still(spending_run_rate=[8], spending_past_growth=[2 * np.log(2)])
    spent = quarter.spending(
        STRUCTURE, believed, known(ahead=False, quarters_ahead=-2, capex=[3, 5]), state(), jnp.zeros(2)
    )
    np.testing.assert_allclose(spent, [3, 5, 4, 40], rtol=1e-6)


def test_per_revenue__leaves_out_software_and_networking():
    believed = still(hardware_share=[0.5, 1, 1, 1], attach_share_2030=[0.4])
    line_up = chips.generations(STRUCTURE, believed)
    now = known()  # half way from 0.2 to 0.4
    whole = chips.content(STRUCTURE, line_up, now.year)
    part = quarter.per_revenue(STRUCTURE, believed, line_up, now, number(0))
    for name in ("h100e", "h100e8", "power", "area"):
        np.testing.assert_allclose(getattr(part, name) / getattr(whole, name), [0.5 * 0.7, 1, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(part.units / whole.units, [0.35] * 4 + [1] * 4, rtol=1e-5)


def test_orders__by_hand():
    weight = jnp.log(number([3, 1, 1, 3, 1, 5, 4, 1]))
    ordered = quarter.orders(
        STRUCTURE, number([99, 99, 99, 10]), number([40, 20, 10, 99]), number([0.5, 0.25, 0.1]), weight
    )
    np.testing.assert_allclose(ordered, [15, 5, 1.25, 3.75, 1, 5, 4, 1], rtol=1e-5)


def holds(area):
    one = number(np.ones(4))
    return chips.Content(units=number(np.ones(8)), h100e=one, h100e8=one, power=one, area=number(area))


ORDERED = np.array([8, 2, 2, 6, 4, 6, 4, 2.0])  # by supplier 20, 4, 6, 4


def test_trade__capacity_cuts_orders_pro_rata_in_area():
    sold = quarter.trade(
        STRUCTURE, still(), known(), state(capacity=[5, 4, 2, 100]), holds([0.5, 1, 2, 1]), number(ORDERED)
    )
    np.testing.assert_allclose(sold.revenue, [10, 4, 1, 4], rtol=1e-5)  # areas ordered 10, 4, 12, 4
    np.testing.assert_allclose(sold.unmet, [10, 0, 5, 0], atol=1e-5)
    np.testing.assert_allclose(sold.bought, ORDERED * np.array([1 / 2, 1, 1 / 2, 1 / 6, 1 / 2, 1 / 2, 1, 1]), rtol=1e-5)
    np.testing.assert_allclose(sold.capacity, [5, 4, 2, 100], rtol=1e-6)


def test_trade__capacity_grows_by_a_quarter_of_the_year():
    believed = still(capacity_growth=[4 * np.log(2), 0, 0, 0])
    sold = quarter.trade(STRUCTURE, believed, known(), state(capacity=[5, 4, 6, 4]), holds(np.ones(4)), number(ORDERED))
    np.testing.assert_allclose(sold.capacity, [10, 4, 6, 4], rtol=1e-5)
    np.testing.assert_allclose(sold.revenue, [10, 4, 6, 4], rtol=1e-5)


def test_trade__reported_days_stand_and_the_market_fills_the_others():
    believed = still(reported_share=[1], owner_weight=[4, 1, 3, 1, 2, 1, 1, 1])
    now = known(line=[7], cover=[0.25, 0, 0, 0])
    sold = quarter.trade(STRUCTURE, believed, now, state(capacity=[10, 99, 99, 99]), holds(np.ones(4)), number(ORDERED))
    np.testing.assert_allclose(sold.revenue, [7 + 0.75 * 10, 4, 6, 4], rtol=1e-5)
    np.testing.assert_allclose(sold.unmet, [0.75 * 10, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(sold.bought[0], 7 * 0.4 + 0.75 * 0.5 * 8, rtol=1e-5)
    np.testing.assert_allclose(sums(sold.bought, STRUCTURE.pair_supplier, 4), sold.revenue, rtol=1e-5)


def test_trade__up_to_the_handover_is_the_record_and_sets_capacity():
    believed = still(**REVENUE, capacity_use=[0.5, 1, 0.8, 0.9], owner_weight=[4, 1, 3, 1, 2, 1, 1, 1])
    now = known(ahead=False, quarters_ahead=0, line=[12], cover=np.ones(4))
    sold = quarter.trade(STRUCTURE, believed, now, state(), holds([0.5, 1, 2, 1]), number(ORDERED))
    np.testing.assert_allclose(sold.revenue, [6, 3, 0.25 / 2, 8], rtol=1e-5)  # supplier 2: two chips of one unit a bn
    np.testing.assert_allclose(sold.bought[np.array([0, 2, 4, 5])], 6 * np.array([0.4, 0.3, 0.2, 0.1]), rtol=1e-5)
    np.testing.assert_allclose(sold.unmet, 0)
    np.testing.assert_allclose(sold.capacity, [6, 3, 0.25 / 0.8, 8 / 0.9], rtol=1e-5)


def test_trade__days_nobody_reported_yet_carry_the_last_revenue_on():
    believed = still(**REVENUE, nowcast_error=[0, np.log(1.5), 0, 0])
    now = known(ahead=False, quarters_ahead=0, line=[12], cover=[0.5, 0, 1, 1], capex_growth=1.2)
    sold = quarter.trade(STRUCTURE, believed, now, state(revenue=[10, 20, 30, 40]), holds(np.ones(4)), number(ORDERED))
    np.testing.assert_allclose(sold.revenue, [6 + 0.5 * 12, 3 + 20 * 1.8, 0.125, 8], rtol=1e-5)


def test_shipped_to__by_hand():
    content = holds(np.ones(4))._replace(h100e=number([0.1, 0.2, 0.3, 0.4]), power=number([1, 2, 3, 4]))
    h100e, shipped = quarter.shipped_to(STRUCTURE, number(ORDERED), content)
    np.testing.assert_allclose(h100e, [0.8, 0.4, 0.2, 1.8, 0.4, 0.6, 1.6, 0.4], rtol=1e-6)
    np.testing.assert_allclose(shipped, [[1.2, 2.0, 0.4, 2.6], [12, 20, 4, 26]], rtol=1e-6)


def test_share_change__begins_at_the_handover_and_holds_the_belief_after_its_date():
    believed = still(ai_share=[0.5, 0.5, 0.5], ai_share_2030=[0.8, 0.5, 0.2])
    begin = state(share_change=[0.1, 0.1, 0.1])
    move = np.log(4) / 20 * np.array([1, 0, -1])
    for ahead, quarters, expected in ((False, 0, 0), (True, 1, move), (True, 20, move), (True, 21, 0)):
        change = quarter.share_change(believed, known(ahead=ahead, quarters_ahead=quarters), begin)
        np.testing.assert_allclose(change, 0.1 + expected * np.ones(3), rtol=1e-5)


def test_weights__add_a_quarter_of_the_walk():
    believed = still(supplier_drift=[0.4, 0, 0, 0.8])
    moved = quarter.weights(STRUCTURE, believed, state(weight=np.arange(8.0)))
    np.testing.assert_allclose(moved, np.arange(8) + np.array([0.1, 0, 0.1, 0, 0.1, 0.1, 0.2, 0]), rtol=1e-5)


def reported_quarter(**given):
    return known(ahead=False, quarters_ahead=0, line=[30], capex=[40, 30], cover=np.ones(4), **given)


def quiet_world(**given):
    return still(**(REVENUE | {"reported_share": [0.9], "spending_run_rate": [20]} | given))


def check_identities(believed, flows, after, now):
    """What must hold of any quarter, whatever the numbers."""
    flows = jax.tree.map(np.asarray, flows)
    for each in jax.tree.leaves((flows, after)):
        assert np.isfinite(np.asarray(each)).all()
    line_up = chips.generations(STRUCTURE, believed)
    price = np.asarray(chips.price(line_up, now.year))
    attach = np.asarray(quarter.attach_share(STRUCTURE, believed, now, number(0)))
    sold = np.bincount(STRUCTURE.chip_supplier, flows.chip_units * price)
    hardware = np.asarray(believed["hardware_share"]) * (1 - attach)
    np.testing.assert_allclose(sold, hardware * flows.revenue, rtol=1e-4)
    np.testing.assert_allclose(np.bincount(STRUCTURE.chip_supplier, flows.chip_units), flows.units, rtol=1e-5)
    np.testing.assert_allclose(np.bincount(PAIR_SUPPLIER, flows.pair_h100e), flows.h100e, rtol=1e-5)
    np.testing.assert_allclose(np.bincount(PAIR_BUYER, flows.pair_h100e), flows.buyer_h100e, rtol=1e-5)
    assert flows.accelerator_spend.sum() == pytest.approx(flows.revenue.sum(), rel=1e-5)
    h100e = np.bincount(STRUCTURE.chip_supplier, flows.chip_units * np.asarray(line_up.performance) / 989)
    np.testing.assert_allclose(h100e, flows.h100e, rtol=1e-5)
    assert np.all(flows.revenue >= 0)


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=30)
def test_step__keeps_its_identities_for_any_numbers(seed, ahead):
    rng = np.random.default_rng(seed)
    believed = tiny.beliefs(rng=rng)
    believed["attach_share_2030"] = 0.5 * believed["attach_share_2030"]
    now = known(ahead=ahead, quarters_ahead=3 if ahead else -3, line=[5], capex=[4, 3], cover=rng.uniform(0, 1, 4))
    begin = state(capacity=rng.uniform(0, 3, 4), weight=rng.normal(size=8))
    after, flows = one_step(believed, begin, now)
    check_identities(believed, flows, after, now)


def test_step__opens_from_what_history_implies():
    # nothing moves and capacity is twice what shipped, so the first quarter ahead is the last one reported
    believed = quiet_world()
    after, last = one_step(believed, state(), reported_quarter())
    _, first = one_step(believed, after, known(quarters_ahead=1))
    for name in ("revenue", "units", "h100e", "h100e8", "accelerator_spend", "buyer_h100e", "pair_h100e", "chip_units"):
        np.testing.assert_allclose(getattr(first, name), getattr(last, name), rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(first.capex, last.capex, rtol=1e-6)
    np.testing.assert_allclose(last.capex, [40, 30, 20], rtol=1e-6)
    np.testing.assert_allclose(last.revenue, [27, 3, 0.25 * last.revenue[2] / last.units[2], 8], rtol=1e-5)


def test_step__opens_from_the_lead_that_history_was_read_with():
    """With growing capex and a lead, orders of the next quarter grow as the led spending does."""
    believed = quiet_world(capex_lead=1)
    after, last = one_step(believed, state(spending=[20, 15, 10, 40]), reported_quarter())
    _, first = one_step(believed, after, known(quarters_ahead=1))
    np.testing.assert_allclose(first.accelerator_spend[:3] / last.accelerator_spend[:3], [2, 2, 2], rtol=1e-3)


def test_step__hands_on_spending_and_leaves_the_start_alone():
    believed = quiet_world(capex_drift=4 * np.log(1.5), ai_share_2030=[0.8, 0.8, 0.8])
    begin = state(share_start=[-1, -2, -1.5], spending_before=[1, 2, 3, 4])
    after, flows = one_step(believed, begin, known())
    np.testing.assert_allclose(after.spending, [15, 30, 45, 60], rtol=1e-5)
    np.testing.assert_array_equal(after.spending_before, begin.spending)
    np.testing.assert_array_equal(after.share_start, begin.share_start)
    np.testing.assert_allclose(after.share_change, np.full(3, np.log(4) / 20), rtol=1e-5)
    np.testing.assert_allclose(
        flows.ai_capex, flows.capex * np.asarray(capex.accelerator_share(number(0), number(np.log(4) / 20))), rtol=1e-5
    )


def test_step__puts_shipments_on_the_way_and_into_service():
    believed = quiet_world(transit=1, lifetime=2, pue=1.25)
    after, flows = one_step(believed, state(), known())
    np.testing.assert_allclose(flows.installed, flows.buyer_h100e / 2, rtol=1e-5)
    np.testing.assert_allclose(after.stock.moving[0], flows.buyer_h100e / 2, rtol=1e-5)
    power = np.asarray(after.stock.moving[1])
    np.testing.assert_allclose(flows.power, 1.25 * power, rtol=1e-5)
