"""What buyers do in one quarter: what they spend, need, prefer, order, and what holds them back (1 to 3, 9, 10, 12)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model import capex, chips, market, stock
from sim.model.constants import QUARTERS
from sim.model.state import Beliefs, Fixed, Known, Setting, Spending, State
from sim.model.structure import Structure, along_draws, pick, pick_some, place, sums, total

__all__ = [
    "Orders",
    "bound",
    "budget_of",
    "cash_growth",
    "growth",
    "orders",
    "reported_spending",
    "share_move",
    "spending",
    "weight_move",
]


class Orders(NamedTuple):
    """What buyers order in one quarter."""

    ordered: Float[Array, "pair *draw"]  # bn USD
    mix: Float[Array, "pair *draw"]  # share of each pair in its buyer's budget
    restraint: Float[Array, "buyer *draw"]  # how far need holds orders below budgets


def growth(beliefs: Beliefs) -> Float[Array, "buyer *draw"]:
    """Log growth of each buyer's spending in one quarter [1], before it answers need (equation 1)."""
    return capex.quarter_growth(
        beliefs["capex_drift"],
        beliefs["spending_drift"],
        beliefs["capex_common_sd"],
        beliefs["capex_common_shock"],
        beliefs["capex_own_sd"],
        beliefs["capex_own_shock"],
        beliefs["wave"],
        beliefs["shock_timing"],
    )


def cash_growth(beliefs: Beliefs) -> Float[Array, "buyer *draw"]:
    """Log growth of each buyer's cash in one quarter [1] (equation 2)."""
    common = beliefs["cash_cycle"] * beliefs["capex_common_sd"] * beliefs["capex_common_shock"]
    return capex.cash_growth(
        beliefs["cash_growth"], common, beliefs["cash_shock_sd"], beliefs["cash_shock"], beliefs["shock_timing"]
    )


def spending(
    structure: Structure,
    beliefs: Beliefs,
    fixed: Fixed,
    known: Known,
    setting: Setting,
    state: State,
    need: Float[Array, "buyer *draw"],
) -> Spending:
    """Spending of each buyer this quarter [bn USD]: the process as far as cash bears it, or as reported (1 and 2)."""
    answered = setting.growth + capex.response(beliefs["need_response"], need, stock.serving(state.stock)[0])
    forecast = state.intended * jnp.exp(_guided(structure, fixed, known, answered))
    intended = jnp.where(known.ahead, forecast, setting.spent)
    cash = cash_flow(structure, beliefs, known, setting, state)
    unguided = structure.elicited_buyers + structure.direct_buyers
    reach = place(
        known.year,
        (structure.reported_buyers, known.reach),
        (unguided, jnp.ones(len(unguided), known.reach.dtype)),
    )
    borne = capex.affordable(intended, cash, beliefs["capex_ceiling"], along_draws(reach, intended[0]))
    return Spending(intended, jnp.where(known.ahead, borne, intended), cash)


def _guided(structure: Structure, fixed: Fixed, known: Known, growth: Array) -> Array:
    """Log growth of the quarter [1], that of the guidance in open quarters of a year with one (equation 1)."""
    own = [structure.reported_buyers.index(b) if b in structure.reported_buyers else None for b in range(len(growth))]
    there = pick_some(along_draws(known.guided, growth[0]), own, False)
    return jnp.where(there, pick_some(fixed.guided, own), growth)


def reported_spending(structure: Structure, beliefs: Beliefs, known: Known) -> Float[Array, "buyer *draw"]:
    """Spending of a quarter of the record [bn USD], reported or elicited; none of direct buyers (equation 1)."""
    elicited = beliefs["spending_run_rate"] * jnp.exp(beliefs["spending_past_growth"] * known.quarters_ahead / QUARTERS)
    like = beliefs["capex_drift"]
    return place(
        like,
        (structure.reported_buyers, along_draws(known.capex, like)),
        (structure.elicited_buyers, elicited),
        (structure.direct_buyers, jnp.zeros((1, *like.shape), like.dtype)),
    )


def cash_flow(
    structure: Structure, beliefs: Beliefs, known: Known, setting: Setting, state: State
) -> Float[Array, "buyer *draw"]:
    """Cash of the quarter [bn USD]: operating cash flow; of direct buyers an index of their spending (equation 2)."""
    opening = place(
        state.cash[0],
        (structure.capex_buyers, beliefs["operating_cash_flow"] / QUARTERS),
        (structure.direct_buyers, pick(state.intended, structure.direct_buyers)),
    )
    before = jnp.where(known.quarters_ahead == 1, opening, state.cash)
    return jnp.where(known.ahead, before * jnp.exp(setting.cash_growth), opening)


def share_move(beliefs: Beliefs, known: Known) -> Float[Array, "capex_buyer *draw"]:
    """Change of the log odds of the AI share in a quarter [1]; none before the hand-over, no drift after 2030 (3)."""
    later = jnp.where(known.quarters_ahead > known.horizon, beliefs["ai_share"], beliefs["ai_share_2030"])
    move = capex.share_step(beliefs["ai_share"], later, known.horizon, beliefs["share_walk_sd"], beliefs["share_walk"])
    return jnp.where(known.ahead, move, 0)


def weight_move(structure: Structure, beliefs: Beliefs) -> Float[Array, "pair *draw"]:
    """Change of the log weight of each pair in a quarter of its walk [1] (equation 3)."""
    return market.mix_step(
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
    by_buyer = jnp.moveaxis(under, 1, 0)
    held, buyers = total(by_buyer * shipped[:, None]), total(by_buyer) / structure.buyers
    return jnp.where(known.ahead, held, 0), jnp.where(known.ahead, buyers, 0)
