"""One quarter of the world: what is needed, paid, ordered, shipped, and what follows from it.

Up to the hand-over the revenue of a supplier is what it reported; after it, what its buyers order and its capacity
meets. Everything downstream of revenue is the same equations (14), and in each draw every process starts from what
history implies in that draw (15).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model import buyers, capex, chips, stock, suppliers, workloads
from sim.model.constants import COMPUTE_GUARD, DOLLAR_GUARD, QUARTERS
from sim.model.money import depreciation
from sim.model.state import Beliefs, Course, Fixed, Flows, Known, Setting, State
from sim.model.structure import Structure, pick, place, sums
from sim.model.tiers import tier_revenue

__all__ = ["flows", "move", "setting"]


def setting(
    structure: Structure, beliefs: Beliefs, fixed: Fixed, risen: Float[Array, "chip *draw"], known: Known
) -> Setting:
    """What beliefs and record say of one quarter, whatever became of those before it.

    ``risen`` is how far each chip has come in it (``chips.risen``). Raw need is told of the quarter and, for what is
    wanted, of the planning horizon after it (equation 10).
    """
    years, lag = known.quarters_ahead / QUARTERS, beliefs["planning_horizon"] / QUARTERS
    attach = suppliers.attach_share(structure, beliefs, known, beliefs["capex_drift"])
    content = chips.content(structure, fixed.line_up, risen, known.year)
    holds = suppliers.per_revenue(structure, beliefs, content, attach)
    units = sums(holds.units, structure.chip_supplier, structure.suppliers)
    return Setting(
        holds=holds,
        attach=attach,
        reported=suppliers.known_revenue(structure, beliefs, known, units),
        owner=suppliers.owners(structure, beliefs, known),
        raw=workloads.raw_need(beliefs, fixed.workloads, known.year, years),
        raw_ahead=workloads.raw_need(beliefs, fixed.workloads, known.year + lag, years + lag),
        tokens=workloads.tokens(beliefs, years),
        growth=buyers.growth(beliefs),
        spent=buyers.reported_spending(structure, beliefs, known),
        cash_growth=buyers.cash_growth(beliefs),
        share_move=buyers.share_move(beliefs, known),
        weight_move=buyers.weight_move(structure, beliefs),
        capacity_growth=suppliers.capacity_growth(beliefs),
    )


def move(
    structure: Structure, beliefs: Beliefs, fixed: Fixed, setting: Setting, state: State, known: Known
) -> tuple[State, Course]:
    """Advance the world by one quarter.

        need    = what was installed at the hand-over, grown with the workloads
        spent   = capex as reported, or the process as far as cash bears it
        ordered = led spending * accelerator share * mix, as far as it is wanted
        sold    = what is reported, else what capacity lets through of orders and backlog

    Up to the hand-over the state is overwritten with what history implies in this draw, so that the forecast opens
    without a jump (equation 15).
    """
    need, need_ahead = (
        workloads.needed(state.installed_start, beliefs["fill"], raw, fixed.raw_start)
        for raw in (setting.raw, setting.raw_ahead)
    )
    paid = buyers.spending(structure, beliefs, fixed, known, setting, state, need)
    led = capex.led(paid.spent, state.spending, state.spending_before, beliefs["capex_lead"])
    change, weight = state.share_change + setting.share_move, state.weight + setting.weight_move
    budget = buyers.budget_of(structure, paid.spent, led, capex.accelerator_share(state.share_start, change))
    order = buyers.orders(structure, beliefs, state, setting.holds, budget, weight, need_ahead)
    sold = suppliers.trade(structure, beliefs, known, setting, state, order)
    shipped = suppliers.shipped_to(structure, sold.bought, setting.holds)
    moved, _ = stock.age(state.stock, shipped, beliefs["transit"], beliefs["lifetime"])
    serving = stock.serving(moved)
    spend = sums(sold.bought, structure.pair_buyer, structure.buyers)
    following = State(
        intended=opening(structure, known, paid.intended, spend),
        spending=paid.spent,
        spending_before=state.spending,
        cash=paid.cash,
        share_start=jnp.where(known.ahead, state.share_start, implied_share(structure, spend, led)),
        share_change=change,
        weight=jnp.where(known.ahead, weight, jnp.log(jnp.maximum(sold.bought, DOLLAR_GUARD))),
        revenue=sold.revenue,
        capacity=sold.capacity,
        pressure=sold.pressure,
        backlog=sold.backlog,
        installed_start=jnp.where(known.ahead, state.installed_start, serving[0]),
        stock=moved,
    )
    return following, Course(
        need, paid, change, order.restraint, sold.revenue, sold.bought, sold.waiting, sold.backlog, serving
    )


def flows(structure: Structure, beliefs: Beliefs, setting: Setting, course: Course, known: Known) -> Flows:
    """Outputs of a quarter from what it was given and what it came to."""
    revenue, holds = course.revenue, setting.holds
    shipped = suppliers.pair_h100e(structure, course.bought, holds)
    bought = sums(shipped, structure.pair_buyer, structure.buyers)
    spend = sums(course.bought, structure.pair_buyer, structure.buyers)
    bound_h100e, bound_buyers = buyers.bound(structure, known, course.waiting, spend, course.restraint, bought)
    return Flows(
        units=revenue * sums(holds.units, structure.chip_supplier, structure.suppliers),
        h100e=revenue * holds.h100e,
        h100e8=revenue * holds.h100e8,
        revenue=revenue,
        accelerator_spend=spend,
        buyer_h100e=bought,
        pair_h100e=shipped,
        chip_units=pick(revenue, structure.chip_supplier) * holds.units,
        raw_need=setting.raw,
        bound_h100e=bound_h100e,
        bound_buyers=bound_buyers,
        tier_revenue=tier_revenue(revenue, setting.attach, beliefs["tier_content"]),
        **of_money(structure, beliefs, known, course, spend),
        **of_stock(structure, beliefs, known, setting, course),
    )


def opening(
    structure: Structure, known: Known, intended: Float[Array, "buyer *draw"], spend: Float[Array, "buyer *draw"]
) -> Float[Array, "buyer *draw"]:
    """Spending the next quarter grows from [bn USD]: up to the hand-over direct buyers' is what they bought (15)."""
    direct = jnp.where(known.ahead, pick(intended, structure.direct_buyers), pick(spend, structure.direct_buyers))
    return place(
        intended[0],
        (structure.capex_buyers, pick(intended, structure.capex_buyers)),
        (structure.direct_buyers, direct),
    )


def implied_share(
    structure: Structure, spend: Float[Array, "buyer *draw"], led: Float[Array, "buyer *draw"]
) -> Float[Array, "capex_buyer *draw"]:
    """Log odds of the accelerators bought over the capex that led to them [1] (equation 3)."""
    return capex.logit(pick(spend, structure.capex_buyers) / pick(led, structure.capex_buyers))


def of_money(
    structure: Structure, beliefs: Beliefs, known: Known, course: Course, spend: Float[Array, "buyer *draw"]
) -> dict[str, Array]:
    """Flows of buyers' money: capex, its AI part, the depreciation it adds and net income (equations 2 and 3)."""
    paid_capex, earned = (pick(each, structure.capex_buyers) for each in (course.paid.spent, course.paid.cash))
    on_ai = paid_capex * capex.accelerator_share(capex.logit(beliefs["ai_share"]), course.share_change)
    return {
        "capex": paid_capex,
        "ai_capex": jnp.maximum(on_ai, pick(spend, structure.capex_buyers)),
        "depreciation_added": jnp.where(known.ahead, depreciation(paid_capex, beliefs["depreciation_life"]), 0),
        "net_income": jnp.where(known.ahead, earned * beliefs["net_income_share"], 0),
    }


def of_stock(
    structure: Structure, beliefs: Beliefs, known: Known, setting: Setting, course: Course
) -> dict[str, Array]:
    """Flows of what is in service, wanted beyond it and still to come (equations 9, 11 and 13)."""
    installed, power = course.serving
    met = jnp.minimum(installed / jnp.maximum(course.need, COMPUTE_GUARD), 1)
    coming = suppliers.pair_h100e(structure, course.backlog, setting.holds)
    ahead = {
        "need": course.need,
        "shortfall": jnp.maximum(course.need - installed, 0),
        "backlog": sums(coming, structure.pair_buyer, structure.buyers),
        "tokens_served": setting.tokens * met,
    }
    return {
        "installed": installed,
        "power": power * beliefs["pue"],
        **{name: jnp.where(known.ahead, values, 0) for name, values in ahead.items()},
    }
