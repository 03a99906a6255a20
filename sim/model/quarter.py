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
from sim.model.state import Beliefs, Fixed, Flows, Known, State
from sim.model.structure import Structure, pick, place, sums
from sim.model.tiers import tier_revenue

__all__ = ["step"]


def step(structure: Structure, beliefs: Beliefs, fixed: Fixed, state: State, known: Known) -> tuple[State, Flows]:
    """Advance the world by one quarter.

        need    = what was installed at the hand-over, grown with the workloads
        spent   = capex as reported, or the process as far as cash bears it
        ordered = led spending * accelerator share * mix, as far as it is wanted
        sold    = what is reported, else what capacity lets through of orders and backlog
        units   = revenue * hardware share * (1 - attach share) * chip share / price

    Up to the hand-over the state is overwritten with what history implies in this draw, so that the forecast opens
    without a jump (equation 15).
    """
    years, lag = known.quarters_ahead / QUARTERS, beliefs["planning_horizon"] / QUARTERS
    raw, need = buyers.need_at(beliefs, fixed, state.installed_start, known.year, years)
    _, need_ahead = buyers.need_at(beliefs, fixed, state.installed_start, known.year + lag, years + lag)
    paid = buyers.spending(structure, beliefs, fixed, known, state, need)
    led = capex.led(paid.spent, state.spending, state.spending_before, beliefs["capex_lead"])
    change = buyers.share_change(beliefs, known, state)
    weight = buyers.weights(structure, beliefs, state)
    budget = buyers.budget_of(structure, paid.spent, led, capex.accelerator_share(state.share_start, change))
    attach = suppliers.attach_share(structure, beliefs, known, state.revenue[0])
    holds = suppliers.per_revenue(structure, beliefs, chips.content(structure, fixed.line_up, known.year), attach)
    order = buyers.orders(structure, beliefs, state, holds, budget, weight, need_ahead)
    sold = suppliers.trade(structure, beliefs, known, state, holds, order)
    pair_h100e, shipped = suppliers.shipped_to(structure, sold.bought, holds)
    moved, _ = stock.age(state.stock, shipped, beliefs["transit"], beliefs["lifetime"])
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
        installed_start=jnp.where(known.ahead, state.installed_start, stock.serving(moved)[0]),
        stock=moved,
    )
    bound_h100e, bound_buyers = buyers.bound(structure, known, sold.waiting, spend, order.restraint, shipped[0])
    flows = Flows(
        units=sold.revenue * sums(holds.units, structure.chip_supplier, structure.suppliers),
        h100e=sold.revenue * holds.h100e,
        h100e8=sold.revenue * holds.h100e8,
        revenue=sold.revenue,
        accelerator_spend=spend,
        buyer_h100e=shipped[0],
        pair_h100e=pair_h100e,
        chip_units=pick(sold.revenue, structure.chip_supplier) * holds.units,
        raw_need=raw,
        bound_h100e=bound_h100e,
        bound_buyers=bound_buyers,
        tier_revenue=tier_revenue(sold.revenue, attach, beliefs["tier_content"]),
        **of_money(structure, beliefs, known, paid, change, spend),
        **of_stock(structure, beliefs, known, moved, need, years, sold.backlog, holds),
    )
    return following, flows


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
    structure: Structure,
    beliefs: Beliefs,
    known: Known,
    paid: buyers.Spending,
    change: Float[Array, "capex_buyer *draw"],
    spend: Float[Array, "buyer *draw"],
) -> dict[str, Array]:
    """Flows of buyers' money: capex, its AI part, the depreciation it adds and net income (equations 2 and 3)."""
    paid_capex, earned = (pick(each, structure.capex_buyers) for each in (paid.spent, paid.cash))
    on_ai = paid_capex * capex.accelerator_share(capex.logit(beliefs["ai_share"]), change)
    return {
        "capex": paid_capex,
        "ai_capex": jnp.maximum(on_ai, pick(spend, structure.capex_buyers)),
        "depreciation_added": jnp.where(known.ahead, depreciation(paid_capex, beliefs["depreciation_life"]), 0),
        "net_income": jnp.where(known.ahead, earned * beliefs["net_income_share"], 0),
    }


def of_stock(
    structure: Structure,
    beliefs: Beliefs,
    known: Known,
    moved: stock.Stock,
    need: Float[Array, "buyer *draw"],
    years: Float[Array, "*#draw"],
    backlog: Float[Array, "pair *draw"],
    holds: chips.Content,
) -> dict[str, Array]:
    """Flows of what is in service, wanted beyond it and still to come (equations 9, 11 and 13)."""
    serving = stock.serving(moved)
    met = jnp.minimum(serving[0] / jnp.maximum(need, COMPUTE_GUARD), 1)
    coming = sums(backlog * pick(holds.h100e, structure.pair_supplier), structure.pair_buyer, structure.buyers)
    ahead = {
        "need": need,
        "shortfall": jnp.maximum(need - serving[0], 0),
        "backlog": coming,
        "tokens_served": workloads.tokens(beliefs, years) * met,
    }
    return {
        "installed": serving[0],
        "power": serving[1] * beliefs["pue"],
        **{name: jnp.where(known.ahead, values, 0) for name, values in ahead.items()},
    }
