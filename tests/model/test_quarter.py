"""Whole quarters: the hand-over, identities for any numbers, and each mechanism over several quarters by hand."""

import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.axes import CONSTRAINTS, TIERS
from sim.model import capex, chips, market, quarter, suppliers, workloads
from sim.model.state import Spending
from sim.model.stock import serving
from sim.replicate import read_book
from sim.replicate.book import parse_printed
from tests.model import tiny
from tests.model.tiny import PLAIN, STRUCTURE, content, course, fixed, known, number, setting, state, still, stock

step = jax.jit(tiny.step, static_argnums=0)
PAIR_BUYER, PAIR_SUPPLIER = np.array(STRUCTURE.pair_buyer), np.array(STRUCTURE.pair_supplier)
BUDGET, NEED, SUPPLY = (CONSTRAINTS.index(name) for name in ("budget", "need", "supply"))
ACCELERATOR, NETWORK = TIERS.index("accelerator"), TIERS.index("network")
LN2 = math.log(2)
REVENUE = {
    "revenue_band": 3,
    "units_band": 0.25,
    "revenue_run_rate": 8,
    "revenue_past_growth": 2 * LN2,
    "spending_run_rate": 20,
    "reported_share": 0.9,
}


def one_step(believed, begin, now, guided=0.0):
    return step(STRUCTURE, believed, fixed(STRUCTURE, believed, guided), begin, now)


# the parts of a step


def test_opening__takes_up_what_direct_buyers_bought_until_the_handover():
    intended, spend = number([1, 2, 3, 4]), number([10, 20, 30, 40])
    np.testing.assert_array_equal(quarter.opening(STRUCTURE, known(ahead=False), intended, spend), [1, 2, 3, 40])
    np.testing.assert_array_equal(quarter.opening(STRUCTURE, known(), intended, spend), [1, 2, 3, 4])


def test_implied_share__gives_back_what_was_bought_of_capex():
    odds = quarter.implied_share(STRUCTURE, number([2, 5, 9, 99]), number([8, 10, 10, 0]))
    np.testing.assert_allclose(odds, np.log([1 / 3, 1, 9]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(capex.accelerator_share(odds, number(np.zeros(3))), [0.25, 0.5, 0.9], rtol=1e-5)


def money_of(believed, spent, cash, now=None, change=0.0, spend=0.0):
    paid = Spending(intended=number(spent), spent=number(spent), cash=number(cash))
    bought = number(np.broadcast_to(spend, (4,)))
    came_to = course(paid=paid, share_change=number([change] * 3))
    return quarter.of_money(STRUCTURE, believed, now or known(), came_to, bought)


def test_of_money__reproduces_the_reports_depreciation():
    """CJ25: the capex of 2024 over five years and over net income, on the path of a simulated year."""
    given = read_book().tables["cj25_depreciation"]
    spent, life, income = (given.inputs[name].values() for name in ("capex", "life", "net_income"))
    share = np.array([0.5, 0.4, 0.8, 0.6])
    for first in (0, 1):  # three buyers with capex at a time
        part = slice(first, first + 3)
        believed = still(depreciation_life=life[0], net_income_share=share[part])
        direct = [1.0]
        quarterly = money_of(believed, [*spent[part] / 4, *direct], [*income[part] / share[part] / 4, *direct])
        added = 4 * np.asarray(quarterly["depreciation_added"], np.float64)
        over_income = 100 * added / (4 * np.asarray(quarterly["net_income"], np.float64))
        for name, found in (("amount", added), ("share", over_income)):
            for value, text in zip(found, given.published[name].values[part], strict=True):
                printed = parse_printed(text)
                assert value == pytest.approx(printed.low, abs=printed.half_unit), (name, text)


def test_of_money__ai_capex_is_its_share_but_at_least_the_accelerators_bought():
    believed = still(ai_share=0.5)  # odds of 1, then of 3: 3/4 of 40, 20 and 8
    flows = money_of(believed, [40, 20, 8, 99], [1, 1, 1, 1], change=math.log(3), spend=[10, 18, 2, 99])
    np.testing.assert_allclose(flows["capex"], [40, 20, 8], rtol=1e-6)
    np.testing.assert_allclose(flows["ai_capex"], [30, 18, 6], rtol=1e-5)


def test_of_money__says_nothing_of_income_in_the_record():
    flows = money_of(still(), [40, 20, 8, 99], [1, 1, 1, 1], known(ahead=False))
    assert float(jnp.abs(flows["depreciation_added"]).max()) == float(jnp.abs(flows["net_income"]).max()) == 0


def stock_of(believed, held, need, backlog, now=None, years=0.0):
    holds = content(believed)
    told = setting(holds=holds, tokens=workloads.tokens(believed, number(years)))
    came_to = course(need=number(need), backlog=number(backlog), serving=serving(held))
    return quarter.of_stock(STRUCTURE, believed, now or known(), told, came_to), holds


def test_of_stock__by_hand():
    # 10 in service each; need of 8, 10, 40 and none; tokens met in full, in full, a quarter, in full
    believed = still(tokens=[1, 2, 4, 8], pue=1.25)
    held = stock(installed=10, moving=7, power=100)
    flows, holds = stock_of(believed, held, [8, 10, 40, 0], [4, 0, 0, 2, 0, 0, 0, 0])
    np.testing.assert_allclose(flows["installed"], [10] * 4)
    np.testing.assert_allclose(flows["power"], [125] * 4)
    np.testing.assert_allclose(flows["need"], [8, 10, 40, 0])
    np.testing.assert_allclose(flows["shortfall"], [0, 0, 30, 0])
    np.testing.assert_allclose(flows["tokens_served"], [1, 2, 1, 8], rtol=1e-6)
    expected = [4 * float(holds.h100e[0]), 2 * float(holds.h100e[2]), 0, 0]  # pairs 0 and 3: suppliers 0 and 2
    np.testing.assert_allclose(flows["backlog"], expected, rtol=1e-6)


def test_of_stock__says_nothing_of_need_in_the_record():
    flows, _ = stock_of(still(), stock(installed=10, power=1), [40] * 4, np.ones(8), known(ahead=False))
    for name in ("need", "shortfall", "backlog", "tokens_served"):
        np.testing.assert_array_equal(flows[name], 0, err_msg=name)
    np.testing.assert_array_equal(flows["installed"], 10)


# identities of any quarter


def check_identities(believed, after, flows, now):
    """What must hold of any quarter, whatever the numbers."""
    flows = jax.tree.map(np.asarray, flows)
    for each in jax.tree.leaves((flows, after)):
        assert np.isfinite(np.asarray(each)).all()
    line_up = chips.generations(STRUCTURE, believed)
    price = np.asarray(chips.price(line_up, now.year))
    attach = np.asarray(suppliers.attach_share(STRUCTURE, believed, now, number(0)))
    sold = np.bincount(STRUCTURE.chip_supplier, flows.chip_units * price)
    hardware = np.asarray(believed["hardware_share"]) * (1 - attach)
    np.testing.assert_allclose(sold, hardware * flows.revenue, rtol=1e-4)
    np.testing.assert_allclose(np.bincount(STRUCTURE.chip_supplier, flows.chip_units), flows.units, rtol=1e-5)
    np.testing.assert_allclose(np.bincount(PAIR_SUPPLIER, flows.pair_h100e), flows.h100e, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(np.bincount(PAIR_BUYER, flows.pair_h100e), flows.buyer_h100e, rtol=1e-5)
    assert flows.accelerator_spend.sum() == pytest.approx(flows.revenue.sum(), rel=1e-4)
    h100e = np.bincount(STRUCTURE.chip_supplier, flows.chip_units * np.asarray(line_up.performance) / 989)
    np.testing.assert_allclose(h100e, flows.h100e, rtol=1e-4)
    assert np.all(flows.revenue >= 0)
    networking = (flows.revenue * attach).sum()
    accelerators = flows.revenue.sum() - networking
    content = np.asarray(believed["tier_content"])
    expected = content * accelerators + networking * (np.arange(len(TIERS)) == NETWORK)
    np.testing.assert_allclose(flows.tier_revenue, expected, rtol=1e-4)
    np.testing.assert_allclose(flows.installed, serving(after.stock)[0], rtol=1e-6)
    np.testing.assert_allclose(flows.power, serving(after.stock)[1] * believed["pue"], rtol=1e-5)
    assert np.all(flows.ai_capex >= flows.accelerator_spend[[0, 1, 2]])
    ahead = float(now.ahead)
    assert flows.bound_h100e.sum() == pytest.approx(ahead * flows.buyer_h100e.sum(), rel=1e-5)
    assert flows.bound_buyers.sum() == pytest.approx(ahead, rel=1e-6)
    np.testing.assert_allclose(flows.shortfall, ahead * np.maximum(flows.need - flows.installed, 0), rtol=1e-6)
    assert np.all(flows.backlog >= 0)
    asked = np.asarray(workloads.tokens(believed, now.quarters_ahead / 4))
    assert np.all(flows.tokens_served <= asked * (1 + 1e-6))


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=40)
def test_step__keeps_its_identities_for_any_numbers(seed, ahead):
    rng = np.random.default_rng(seed)
    believed = tiny.beliefs(rng=rng)
    for name in ("attach_share_2030", "cancellation", "spill", "ai_share", "ai_share_2030", "discipline", "ceiling"):
        believed[name] = 0.5 * believed[name]
    now = known(
        ahead=ahead,
        quarters_ahead=3 if ahead else -3,
        **{"line": [5], "outlook": [2], "capex": [4, 3], "cover": rng.uniform(0, 1, 4), "reach": rng.uniform(0, 1, 2)},
    )
    begin = state(
        **{"capacity": rng.uniform(0, 3, (2, 4)), "weight": rng.normal(size=8), "pressure": rng.uniform(0, 4, 4)},
        **{
            "backlog": rng.uniform(0, 5, 8),
            "stock": stock(installed=rng.uniform(0, 9, 4), moving=rng.uniform(0, 3, 4)),
        },
    )
    after, flows = one_step(believed, begin, now)
    check_identities(believed, after, flows, now)
    lasting = jax.tree.map(np.asarray, after)
    assert np.all(lasting.backlog >= 0)
    assert np.all(lasting.capacity >= 0)
    mix = market.mix(STRUCTURE, after.weight)
    np.testing.assert_allclose(np.bincount(PAIR_BUYER, np.asarray(mix)), 1, rtol=1e-5)


# the hand-over


def reported_quarter(**given):
    return known(ahead=False, quarters_ahead=0, line=[30], capex=[40, 30], cover=np.ones(4), **given)


def test_step__opens_from_what_history_implies():
    # nothing moves and capacity is twice what shipped, so the first quarter ahead is the last one reported
    believed = still(**REVENUE)
    after, last = one_step(believed, state(), reported_quarter())
    _, first = one_step(believed, after, known(quarters_ahead=1))
    for name in ("revenue", "units", "h100e", "h100e8", "accelerator_spend", "buyer_h100e", "pair_h100e", "chip_units"):
        np.testing.assert_allclose(getattr(first, name), getattr(last, name), rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(first.tier_revenue, last.tier_revenue, rtol=1e-4)
    np.testing.assert_allclose(first.capex, last.capex, rtol=1e-6)
    np.testing.assert_allclose(last.capex, [40, 30, 20], rtol=1e-6)
    np.testing.assert_allclose(last.revenue, [27, 3, 0.25 * last.revenue[2] / last.units[2], 8], rtol=1e-5)


def test_step__opens_from_the_lead_that_history_was_read_with():
    """With growing capex and a lead, orders of the next quarter grow as the led spending does."""
    believed = still(**REVENUE, capex_lead=1)
    after, last = one_step(believed, state(spending=[20, 15, 10, 40]), reported_quarter())
    _, first = one_step(believed, after, known(quarters_ahead=1))
    np.testing.assert_allclose(first.accelerator_spend[:3] / last.accelerator_spend[:3], [2, 2, 2], rtol=1e-3)


def test_step__a_direct_buyer_goes_on_from_what_it_bought():
    believed = still(**REVENUE, spending_drift=[0, 0, 0, 4 * LN2], cash_growth=[0, 0, 0, 4 * math.log(3)])
    after, last = one_step(believed, state(), reported_quarter())
    bought = float(last.accelerator_spend[3])
    assert bought != 40  # what the state before it said
    following, _ = one_step(believed, after, known(quarters_ahead=1))
    assert float(following.spending[3]) == pytest.approx(2 * bought, rel=1e-5)
    assert float(following.cash[3]) == pytest.approx(3 * bought, rel=1e-5)


def test_step__need_starts_from_what_is_installed_at_the_handover():
    believed = still(**REVENUE, fill=1.25)
    after, last = one_step(believed, state(stock=stock(installed=6)), reported_quarter())
    np.testing.assert_allclose(after.installed_start, last.installed, rtol=1e-6)
    later, first = one_step(believed, after, known(quarters_ahead=1))
    np.testing.assert_allclose(first.need, 1.25 * np.asarray(last.installed), rtol=1e-5)
    np.testing.assert_array_equal(later.installed_start, after.installed_start)


def test_step__hands_on_spending_and_leaves_the_start_alone():
    believed = still(**REVENUE, capex_drift=4 * np.log(1.5), ai_share_2030=0.8)
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
    believed = still(**REVENUE, transit=1, lifetime=2, pue=1.25)
    after, flows = one_step(believed, state(), known())
    np.testing.assert_allclose(flows.installed, flows.buyer_h100e / 2, rtol=1e-5)
    np.testing.assert_allclose(after.stock.moving[0], flows.buyer_h100e / 2, rtol=1e-5)
    power = np.asarray(after.stock.moving[1])
    np.testing.assert_allclose(flows.power, 1.25 * power, rtol=1e-5)


# several quarters by hand: buyer 0 reports capex, of which it spends half on suppliers 0 and 1; buyer 1 is direct, buys
# from supplier 0, and one bn USD is one M H100e, one package area and one PB


def run(believed, quarters, **begin):
    """States after and flows of some quarters of the plain world, beginning one after the hand-over."""
    held = fixed(PLAIN, believed, begin.pop("guided", 0.0))
    now, states, flows = state(PLAIN, **begin), [], []
    for i, told in enumerate(quarters):
        at = known(PLAIN, **({"quarters_ahead": i + 1, "year": 2026.125 + i / 4} | told))
        now, made = step(PLAIN, believed, held, now, at)
        states.append(now)
        flows.append(made)
    return SimpleNamespace(
        state=lambda name: np.array([getattr(each, name) for each in states], np.float64),
        flow=lambda name: np.array([getattr(each, name) for each in flows], np.float64),
    )


def plain(**given):
    """Assistants are the only workload; supplier 0 of the first buyer has all of its budget unless told."""
    return still(PLAIN, **({"users": 0, "frontier_run": 0} | given))


ALL_FROM_FIRST = {"weight": [0, -200, 0]}


def test_step__spending_answers_need_over_quarters():
    """The direct buyer spends 4 a quarter, which adds to the 10 it has, and its need of 10 grows fourfold a year."""
    growth, strength = math.log(4), 0.4
    believed = plain(need_response=strength, token_growth=growth, token_growth_later=growth)
    # what it intends at first, 4, is also its index of cash; the ceiling is far away
    made = run(believed, [{}] * 8, intended=[8, 4], installed_start=[10, 10], stock=stock(PLAIN, installed=10))
    spent, installed = 4.0, 10.0
    for t in range(8):
        need = 10 * math.exp(growth * (t + 1) / 4)
        spent *= math.exp(strength / 4 * max(-1, min(1, math.log(need / installed))))
        installed += spent
        assert made.flow("accelerator_spend")[t, 1] == pytest.approx(spent, rel=1e-5)
        assert made.flow("installed")[t, 1] == pytest.approx(installed, rel=1e-5)
        assert made.flow("need")[t, 1] == pytest.approx(need, rel=1e-5)
        assert made.flow("shortfall")[t, 1] == pytest.approx(max(0, need - installed), rel=1e-4, abs=1e-4)
        asked = math.exp(growth * (t + 1) / 4)
        assert made.flow("tokens_served")[t, 1] == pytest.approx(asked * min(1, installed / need), rel=1e-5)


def test_step__cash_bears_on_spending_after_the_guided_year():
    """Two guided quarters double capex whatever the ceiling; then it comes into force, on a process that goes on."""
    quarters = [{"guided": [True], "reach": [0]}] * 2 + [{"reach": [0.25]}, {"reach": [0.5]}, {}]
    believed = plain(operating_cash_flow=40, capex_ceiling=4, capex_drift=4 * math.log(1.1))
    made = run(believed, quarters, guided=LN2, intended=[10, 10])
    intended = [20, 40, 44, 48.4, 53.24]
    expected = [
        20,
        40,
        *(x * (1 + (x / 40) ** 4) ** (-r / 4) for x, r in zip(intended[2:], (0.25, 0.5, 1), strict=True)),
    ]
    np.testing.assert_allclose(made.state("intended")[:, 0], intended, rtol=1e-5)
    np.testing.assert_allclose(made.flow("capex")[:, 0], expected, rtol=1e-5)
    assert expected[4] == pytest.approx(53.24 / 1.42626, rel=1e-4)  # 1 + 1.331^4 = 4.138


def test_step__depreciation_over_income_adds_up_over_the_year():
    """Capex of 10 a quarter over 5 years on cash of 8 of which half is income: 8 over 16 in a year."""
    believed = plain(depreciation_life=5, net_income_share=0.5, operating_cash_flow=32)
    made = run(believed, [{}] * 4, intended=[10, 10])
    assert made.flow("depreciation_added").sum() == pytest.approx(8, rel=1e-5)
    assert made.flow("net_income").sum() == pytest.approx(16, rel=1e-5)


def test_step__orders_stop_where_a_queue_has_no_room():
    """A budget of 10, a cover of one quarter and a capacity of 2: orders fall until they equal what is shipped."""
    believed = plain(order_cover=1, ai_share=0.5)
    made = run(believed, [{}] * 6, intended=[20, 0], capacity=np.array([[2, 0]] * 2), **ALL_FROM_FIRST)
    waiting = []
    backlog = 0.0
    for _ in range(6):
        backlog += 10 * min(1, max(0, 2 - backlog / 10)) - 2
        waiting.append(backlog)
    assert waiting == pytest.approx([8, 16, 18, 18, 18, 18])
    np.testing.assert_allclose(made.state("backlog")[:, 0], waiting, rtol=1e-5)
    np.testing.assert_allclose(made.flow("backlog")[:, 0], waiting, rtol=1e-5)
    np.testing.assert_allclose(made.flow("revenue")[:, 0], 2, rtol=1e-5)
    np.testing.assert_allclose(made.state("pressure")[:, 0], np.array([10, 18, 20, 20, 20, 20]) / 2, rtol=1e-5)
    assert np.all(made.flow("bound_buyers")[:, SUPPLY] == 0.5)
    np.testing.assert_allclose(made.flow("bound_h100e")[:, SUPPLY], 2, rtol=1e-5)


def test_step__makers_answer_the_pressure_of_the_quarter_before():
    """Ten a quarter on a capacity of 2: the log of the pressure is cut at 1, so capacity grows by half a log unit."""
    believed = plain(supply_response=2)
    made = run(believed, [{}] * 6, intended=[20, 0], capacity=np.array([[2, 0]] * 2), **ALL_FROM_FIRST)
    capacity, pressure, backlog = 2.0, 1.0, 0.0
    for t in range(6):
        capacity *= math.exp(2 * max(-1, min(1, math.log(pressure))) / 4)
        waiting = backlog + 10
        pressure = waiting / capacity
        backlog = max(0, waiting - capacity)
        assert made.state("capacity")[t, 0, 0] == pytest.approx(capacity, rel=1e-5)
        assert made.state("pressure")[t, 0] == pytest.approx(pressure, rel=1e-5)
        assert made.state("backlog")[t, 0] == pytest.approx(backlog, rel=1e-4, abs=1e-4)
    assert made.state("capacity")[1, 0, 0] == pytest.approx(2 * math.exp(0.5), rel=1e-5)


def test_step__what_is_cancelled_never_comes_back():
    believed = plain(cancellation=0.25)
    made = run(believed, [{}] * 3, intended=[20, 0], capacity=np.array([[2, 0]] * 2), **ALL_FROM_FIRST)
    np.testing.assert_allclose(made.state("backlog")[:, 0], [6, 10.5, 13.875], rtol=1e-5)  # 3/4 of 8, 14 and 18.5


def test_step__spilled_orders_ship_a_quarter_later_where_there_is_slack():
    """Of 8 a quarter each supplier gets half; the first makes 1, the second 8, so a slack of half: 0.75 moves over."""
    believed = plain(spill=1)
    made = run(believed, [{}] * 2, intended=[16, 0], capacity=np.array([[1, 8]] * 2))
    # 3 are left and all look elsewhere: 0.5 of the budget times a slack of 0.5 takes 0.75
    np.testing.assert_allclose(made.state("backlog")[0], [2.25, 0.75, 0], rtol=1e-5)
    # then 6.25 and 4.75 wait: 5.25 left, a slack of 1 - 4.75 / 8 takes 5.25 * 0.5 * 0.40625
    taken = 5.25 * 0.5 * (1 - 4.75 / 8)
    np.testing.assert_allclose(made.flow("revenue"), [[1, 4], [1, 4.75]], rtol=1e-5)
    np.testing.assert_allclose(made.state("backlog")[1], [5.25 - taken, taken, 0], rtol=1e-5)


def test_step__outlook_days_are_the_suppliers_own_and_the_market_has_the_rest():
    """A quarter under outlook, then one under it for a quarter of its days, then the market."""
    believed = plain(outlook_share=0.9, outlook_beat=math.log(1.2), owner_weight=[3, 1, 1])
    quarters = [
        {"line": [1], "outlook": [5], "cover": [1, 0]},
        {"outlook": [2], "cover": [0.25, 0]},
        {},
    ]
    start = {"intended": [16, 6], "capacity": np.array([[4, 100]] * 2), "backlog": [2, 0, 0]}
    made = run(believed, quarters, **start, **ALL_FROM_FIRST)
    expected = 1 + 5 * 0.9 * 1.2
    assert made.flow("revenue")[0, 0] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(made.flow("accelerator_spend")[0], expected * np.array([0.75, 0.25]), rtol=1e-5)
    np.testing.assert_allclose(made.state("backlog")[0], [2, 0, 0], atol=1e-5)  # closed: nothing ordered or shipped
    # capacity is at least what the covered days say: 6.4 over a use of a half, and 12.8 a quarter goes on
    np.testing.assert_allclose(made.state("capacity")[0, :, 0], expected / 0.5, rtol=1e-5)
    covered = 2 * 0.9 * 1.2
    assert covered / 0.25 / 0.5 > expected / 0.5
    capacity = covered / 0.25 / 0.5
    np.testing.assert_allclose(made.state("capacity")[1, :, 0], capacity, rtol=1e-5)
    # on three quarters of the days 0.75 * (8 + 6) are ordered beside the 2 that wait, and 0.75 of capacity can be made
    waiting = 2 + 0.75 * 14
    assert waiting < 0.75 * capacity
    assert made.flow("revenue")[1, 0] == pytest.approx(covered + waiting, rel=1e-5)
    np.testing.assert_allclose(made.state("backlog")[1], 0, atol=1e-5)
    assert made.flow("revenue")[2, 0] == pytest.approx(14, rel=1e-5)


def test_step__need_holds_orders_back_where_there_is_enough():
    """Needing 10 of 10 in service for ever and looking a quarter ahead, a disciplined buyer orders next to nothing."""
    believed = plain(discipline=[1, 0])
    made = run(believed, [{}] * 3, intended=[20, 4], installed_start=[10, 10], stock=stock(PLAIN, installed=10))
    np.testing.assert_allclose(made.flow("accelerator_spend")[:, 0], 0, atol=1e-4)
    np.testing.assert_allclose(made.flow("accelerator_spend")[:, 1], 4, rtol=1e-5)
    np.testing.assert_allclose(made.flow("bound_buyers"), [[0.5, 0.5, 0]] * 3)
    assert np.all(made.flow("bound_h100e")[:, BUDGET] > 3.9)
    assert np.all(made.flow("bound_h100e")[:, NEED] < 1e-3)


def test_step__what_is_on_the_way_and_ordered_counts_towards_what_is_wanted():
    """Of 30 needed 10 are in service, 4 on the way and 6 ordered: 10 more are wanted, on a budget of 40 a quarter."""
    believed = plain(discipline=1)
    start = {"installed_start": [30, 1], "stock": stock(PLAIN, installed=[10, 1], moving=[4, 0]), "backlog": [6, 0, 0]}
    made = run(believed, [{}], intended=[80, 0], **start, **ALL_FROM_FIRST)
    assert made.flow("accelerator_spend")[0, 0] == pytest.approx(16, rel=1e-4)  # with the 6 that waited
    assert made.flow("installed")[0, 0] == pytest.approx(30, rel=1e-5)


def test_step__buyers_look_ahead_by_their_planning_horizon():
    """Need of 10 doubles every year; a year ahead of the first quarter it is 10 * 2^1.25, spread over four quarters."""
    believed = plain(discipline=1, planning_horizon=4, token_growth=LN2, token_growth_later=LN2)
    start = {"installed_start": [10, 10], "stock": stock(PLAIN, installed=10)}
    made = run(believed, [{}] * 2, intended=[80, 40], **start, **ALL_FROM_FIRST)
    first = (10 * 2**1.25 - 10) / 4
    second = (10 * 2**1.5 - 10 - first) / 4
    for buyer in (0, 1):
        np.testing.assert_allclose(made.flow("accelerator_spend")[:, buyer], [first, second], rtol=1e-4)


def test_step__walks_move_the_mix_of_suppliers():
    """A supplier that drifts by log 3 a year against another has three times its odds after four quarters."""
    believed = plain(supplier_drift=[0, math.log(3)])
    made = run(believed, [{}] * 4, intended=[16, 0])
    np.testing.assert_allclose(made.flow("revenue")[3], [2, 6], rtol=1e-5)
    odds = made.flow("revenue")[:, 1] / made.flow("revenue")[:, 0]
    np.testing.assert_allclose(odds, 3 ** (np.arange(1, 5) / 4), rtol=1e-5)


def test_step__share_of_capex_walks_to_the_belief_and_stays():
    """From odds of 1 to odds of 4 over twenty quarters; afterwards the share stands still."""
    believed = plain(ai_share=0.5, ai_share_2030=0.8)
    made = run(believed, [{}] * 22, intended=[10, 0])
    spend = made.flow("accelerator_spend")[:, 0]
    odds = spend / (10 - spend)
    np.testing.assert_allclose(odds[[0, 9, 19, 21]], [4 ** (1 / 20), 2, 4, 4], rtol=1e-4)


def test_step__orders_follow_capex_of_the_lead():
    """With a lead of 1.5 quarters half of the capex of one and half of that of two quarters ago is looked at."""
    believed = plain(capex_lead=1.5, capex_drift=4 * LN2)
    made = run(believed, [{}] * 3, intended=[8, 0], spending=[8, 0], spending_before=[4, 0])
    np.testing.assert_allclose(made.flow("capex")[:, 0], [16, 32, 64], rtol=1e-5)
    np.testing.assert_allclose(made.flow("accelerator_spend")[:, 0], [3, 6, 12], rtol=1e-5)


def test_step__the_network_tier_takes_the_attached_share():
    """A quarter of supplier 0's 8 bn is networking; the other 6 and the 4 of the second are accelerators."""
    believed = plain(attach_share_2030=0.25, tier_content=[1, 0.1, 0.1, 0.2, 0.1, 0.5])
    made = run(believed, [{"attach": [0.25]}], intended=[16, 4], weight=[0, 0, 0])
    revenue = made.flow("revenue")[0]
    np.testing.assert_allclose(revenue, [8, 4], rtol=1e-5)
    np.testing.assert_allclose(made.flow("tier_revenue")[0], [10, 1, 1, 2, 3, 5], rtol=1e-5)
    assert made.flow("tier_revenue")[0, [ACCELERATOR, NETWORK]].sum() == pytest.approx(12 + 0.1 * 10, rel=1e-5)
    np.testing.assert_allclose(made.flow("h100e")[0], [8 * 0.75, 4], rtol=1e-5)
