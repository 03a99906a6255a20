"""What buyers do in one quarter: what they spend, need, prefer, order, and what holds them back (1 to 3, 9, 10, 12)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model import capex, chips, market, stock, workloads
from sim.model.constants import QUARTERS
from sim.model.state import Beliefs, Fixed, Known, State
from sim.model.structure import Structure, along_draws, pick, place, sums, total

__all__ = ["Orders", "Spending", "bound", "budget_of", "need_at", "orders", "share_change", "spending", "weights"]


class Spending(NamedTuple):
    """What buyers spend in one quarter [bn USD]."""

    intended: Float[Array, "buyer *draw"]
    spent: Float[Array, "buyer *draw"]
    cash: Float[Array, "buyer *draw"]


class Orders(NamedTuple):
    """What buyers order in one quarter."""

    ordered: Float[Array, "pair *draw"]  # bn USD
    mix: Float[Array, "pair *draw"]  # share of each pair in its buyer's budget
    restraint: Float[Array, "buyer *draw"]  # how far need holds orders below budgets


def need_at(
    beliefs: Beliefs, fixed: Fixed, installed_start: Array, year: Float[Array, "*#draw"], years: Float[Array, "*#draw"]
) -> tuple[Float[Array, "buyer *draw"], Float[Array, "buyer *draw"]]:
    """Raw need and need of each buyer [M H100e] at a time, now or ahead (equation 9)."""
    raw = workloads.raw_need(beliefs, fixed.workloads, year, years)
    return raw, workloads.needed(installed_start, beliefs["fill"], raw, fixed.raw_start)


def spending(
    structure: Structure,
    beliefs: Beliefs,
    fixed: Fixed,
    known: Known,
    state: State,
    need: Float[Array, "buyer *draw"],
) -> Spending:
    """Spending of each buyer this quarter [bn USD]: the process as far as cash bears it, or as reported (1 and 2)."""
    growth = capex.quarter_growth(
        beliefs["capex_drift"],
        beliefs["spending_drift"],
        beliefs["capex_common_sd"],
        beliefs["capex_common_shock"],
        beliefs["capex_own_sd"],
        beliefs["capex_own_shock"],
        beliefs["wave"],
        beliefs["shock_timing"],
    ) + capex.response(beliefs["need_response"], need, stock.serving(state.stock)[0])
    steps = [growth[b] for b in range(structure.buyers)]
    for i, b in enumerate(structure.reported_buyers):
        steps[b] = jnp.where(known.guided[i], fixed.guided[i], steps[b])
    forecast = state.intended * jnp.exp(jnp.stack(steps))
    intended = jnp.where(known.ahead, forecast, reported_spending(structure, beliefs, known, forecast))
    cash = cash_flow(structure, beliefs, known, state)
    unguided = structure.elicited_buyers + structure.direct_buyers
    reach = place(
        known.year,
        (structure.reported_buyers, known.reach),
        (unguided, jnp.ones(len(unguided), known.reach.dtype)),
    )
    borne = capex.affordable(intended, cash, beliefs["capex_ceiling"], along_draws(reach, intended[0]))
    return Spending(intended, jnp.where(known.ahead, borne, intended), cash)


def reported_spending(structure: Structure, beliefs: Beliefs, known: Known, forecast: Array) -> Array:
    """Spending of a quarter of the record [bn USD], reported or elicited; of direct buyers no matter (equation 1)."""
    elicited = beliefs["spending_run_rate"] * jnp.exp(beliefs["spending_past_growth"] * known.quarters_ahead / QUARTERS)
    return place(
        forecast[0],
        (structure.reported_buyers, along_draws(known.capex, forecast[0])),
        (structure.elicited_buyers, elicited),
        (structure.direct_buyers, pick(forecast, structure.direct_buyers)),
    )


def cash_flow(structure: Structure, beliefs: Beliefs, known: Known, state: State) -> Float[Array, "buyer *draw"]:
    """Cash of the quarter [bn USD]: operating cash flow; of direct buyers an index of their spending (equation 2)."""
    common = beliefs["cash_cycle"] * beliefs["capex_common_sd"] * beliefs["capex_common_shock"]
    growth = capex.cash_growth(
        beliefs["cash_growth"], common, beliefs["cash_shock_sd"], beliefs["cash_shock"], beliefs["shock_timing"]
    )
    opening = place(
        state.cash[0],
        (structure.capex_buyers, beliefs["operating_cash_flow"] / QUARTERS),
        (structure.direct_buyers, pick(state.intended, structure.direct_buyers)),
    )
    before = jnp.where(known.quarters_ahead == 1, opening, state.cash)
    return jnp.where(known.ahead, before * jnp.exp(growth), opening)


def share_change(beliefs: Beliefs, known: Known, state: State) -> Float[Array, "capex_buyer *draw"]:
    """Change of the log odds of the AI share since the hand-over; none before it, no drift after 2030 (equation 3)."""
    later = jnp.where(known.quarters_ahead > known.horizon, beliefs["ai_share"], beliefs["ai_share_2030"])
    move = capex.share_step(beliefs["ai_share"], later, known.horizon, beliefs["share_walk_sd"], beliefs["share_walk"])
    return state.share_change + jnp.where(known.ahead, move, 0)


def weights(structure: Structure, beliefs: Beliefs, state: State) -> Float[Array, "pair *draw"]:
    """Log weight of each pair after one more quarter of its walk (equation 3)."""
    return state.weight + market.mix_step(
        structure,
        beliefs["supplier_drift"],
        beliefs["supplier_walk_sd"],
        beliefs["supplier_walk"],
        beliefs["pair_walk_sd"],
        beliefs["pair_walk"],
    )


def budget_of(
    structure: Structure, spent: Array, led: Array, share: Float[Array, "capex_buyer *draw"]
) -> Float[Array, "buyer *draw"]:
    """Accelerator budget of each buyer [bn USD / quarter]: a share of led capex, or its own spending (equation 3)."""
    return place(
        led[0],
        (structure.capex_buyers, pick(led, structure.capex_buyers) * share),
        (structure.direct_buyers, pick(spent, structure.direct_buyers)),
    )


def orders(
    structure: Structure,
    beliefs: Beliefs,
    state: State,
    holds: chips.Content,
    spend: Float[Array, "buyer *draw"],
    weight: Float[Array, "pair *draw"],
    need_ahead: Float[Array, "buyer *draw"],
) -> Orders:
    """Accelerator orders of each pair [bn USD / quarter]: the budget, as far as it is wanted (equations 3 and 10).

    wanted = max(0, need ahead * (1 + headroom) - survivors) / planning horizon,  ordered = budget * kept part * room
    """
    shares = market.mix(structure, weight)
    budget = market.budgets(structure, spend, shares)
    per_dollar = pick(holds.h100e, structure.pair_supplier)
    affordable, coming = (
        sums(dollars * per_dollar, structure.pair_buyer, structure.buyers) for dollars in (budget, state.backlog)
    )
    horizon = beliefs["planning_horizon"]
    surviving = stock.survivors(state.stock, coming, horizon, beliefs["lifetime"])
    wanted = jnp.maximum(need_ahead * (1 + beliefs["headroom"]) - surviving, 0) / horizon
    part, restraint = market.kept_part(wanted, affordable, beliefs["discipline"])
    waiting = sums(state.backlog, structure.pair_buyer, structure.buyers)
    placed = part * market.room(waiting, spend, beliefs["order_cover"])
    return Orders(budget * pick(placed, structure.pair_buyer), shares, restraint)


def bound(
    structure: Structure,
    known: Known,
    waiting: Float[Array, "pair *draw"],
    spend: Float[Array, "buyer *draw"],
    restraint: Float[Array, "buyer *draw"],
    shipped: Float[Array, "buyer *draw"],
) -> tuple[Float[Array, "constraint *draw"], Float[Array, "constraint *draw"]]:
    """Shipments under each constraint [M H100e], and the share of buyers under it [1] (equation 12)."""
    on_order = sums(waiting, structure.pair_buyer, structure.buyers)
    under = market.under(restraint, market.restraints(on_order, spend))
    held = [total(under[i] * shipped) for i in range(len(under))]
    buyers = [total(under[i]) / structure.buyers for i in range(len(under))]
    return jnp.where(known.ahead, jnp.stack(held), 0), jnp.where(known.ahead, jnp.stack(buyers), 0)
