"""One quarter of the world: what is reported, what the market clears, and what follows from both.

Up to the hand-over the revenue of a supplier is what it reported; after it, what its buyers order and its capacity
meets. Everything downstream of revenue is the same equations (14), and in each draw every process starts from what
history implies in that draw (15).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from sim.model import capex, chips, market
from sim.model.constants import DOLLAR_GUARD, QUARTERS
from sim.model.structure import Structure, pick, sums

__all__ = ["Beliefs", "Flows", "Known", "State", "step"]

Beliefs = dict[str, Array]
"""Values of the priors by name; time-like axes are cut to the quarter at hand."""


class Known(NamedTuple):
    """What the record says of one quarter; the same in every draw."""

    year: Float[Array, ""]  # decimal year at mid-quarter
    ahead: Bool[Array, ""]  # after the hand-over
    quarters_ahead: Float[Array, ""]  # quarters since the hand-over, negative before it
    horizon: Float[Array, ""]  # quarters from the hand-over to the end of 2030
    progress: Float[Array, ""]  # 0 at the start of the axis, 1 from the hand-over on
    capex: Float[Array, " reported_buyer"]  # bn USD; 0 after the hand-over
    capex_growth: Float[Array, ""]  # of the reported buyers together, over two quarters, against the quarter before
    guided: Bool[Array, " reported_buyer"]  # an open quarter of a year with guidance
    line: Float[Array, " reported_supplier"]  # reported revenue line on the days it covers, bn USD
    attach: Float[Array, " reported_supplier"]  # networking share of the line
    cover: Float[Array, " supplier"]  # part of the quarter's days that are reported or elicited


class State(NamedTuple):
    """What one quarter hands to the next."""

    spending: Float[Array, "buyer *draw"]  # bn USD / quarter: capex, or accelerator spend of direct buyers
    spending_before: Float[Array, "buyer *draw"]  # one quarter earlier
    share_start: Float[Array, "capex_buyer *draw"]  # log odds of accelerator over capex at the hand-over
    share_change: Float[Array, "capex_buyer *draw"]  # change of those log odds since
    weight: Float[Array, "pair *draw"]  # log weight of each pair in its buyer's budget
    revenue: Float[Array, "supplier *draw"]  # bn USD
    capacity: Float[Array, "supplier *draw"]  # M package areas / quarter
    stock: market.Stock


class Flows(NamedTuple):
    """Outputs of one quarter; units and long names stand in ``sim.axes.OUTPUTS``."""

    units: Float[Array, "supplier *draw"]
    h100e: Float[Array, "supplier *draw"]
    h100e8: Float[Array, "supplier *draw"]
    revenue: Float[Array, "supplier *draw"]
    shortfall: Float[Array, "supplier *draw"]
    capex: Float[Array, "capex_buyer *draw"]
    ai_capex: Float[Array, "capex_buyer *draw"]
    accelerator_spend: Float[Array, "buyer *draw"]
    buyer_h100e: Float[Array, "buyer *draw"]
    installed: Float[Array, "buyer *draw"]
    power: Float[Array, "buyer *draw"]
    pair_h100e: Float[Array, "pair *draw"]
    chip_units: Float[Array, "chip *draw"]


def place(like: Array, *parts: tuple[tuple[int, ...], Array]) -> Array:
    """Rows of several groups put at their indices of one axis, each broadcast to the draws of ``like``."""
    rows = {i: jnp.broadcast_to(values[k], like.shape) for index, values in parts for k, i in enumerate(index)}
    return jnp.stack([rows[i] for i in range(len(rows))])


def attach_share(structure: Structure, beliefs: Beliefs, known: Known, like: Array) -> Array:
    """Share of revenue that is not accelerators [1]: reported, then on a straight line to the belief for 2030.

    attach = attach_last + (attach_2030 - attach_last) * quarters_ahead / horizon
    """
    path = jnp.clip(known.quarters_ahead / known.horizon, 0, 1)
    last = known.attach.reshape(known.attach.shape + (1,) * like.ndim)
    reported = last + (beliefs["attach_share_2030"] - last) * path
    rest = tuple(s for s in range(structure.suppliers) if s not in structure.reported_suppliers)
    return place(
        like, (structure.reported_suppliers, reported), (rest, jnp.zeros((len(rest), *like.shape), like.dtype))
    )


def known_revenue(
    structure: Structure, beliefs: Beliefs, known: Known, units_per_dollar: Float[Array, "supplier *draw"]
) -> Float[Array, "supplier *draw"]:
    """Revenue of the days that are reported or elicited [bn USD] (equation 14).

    reported: line * reported_share           band: the believed revenue
    units:    units / units per dollar        backcast: run rate * exp(growth * quarters_ahead / 4) * started

    ``started`` is the ramp of a backcast supplier's first chip: 0 before its launch, 1 in full volume.
    """
    like = units_per_dollar[0]
    line = known.line.reshape(known.line.shape + (1,) * like.ndim) * beliefs["reported_share"]
    sold = beliefs["units_band"] / pick(units_per_dollar, structure.units_suppliers)
    first = [structure.chip_supplier.index(supplier) for supplier in structure.backcast_suppliers]
    launch = pick(beliefs["launch"], [structure.catalogue.index(chip) for chip in first])
    started = chips.ramp(known.year, launch, pick(beliefs["ramp"], first))
    growth = jnp.exp(beliefs["revenue_past_growth"] * known.quarters_ahead / QUARTERS)
    backcast = beliefs["revenue_run_rate"] * growth * started
    revenue = place(
        like,
        (structure.reported_suppliers, line),
        (structure.band_suppliers, beliefs["revenue_band"]),
        (structure.units_suppliers, sold),
        (structure.backcast_suppliers, backcast),
    )
    elicited = jnp.where(known.ahead, 0, revenue)
    return jnp.stack(
        [revenue[s] if s in structure.reported_suppliers else elicited[s] for s in range(structure.suppliers)]
    )


def spending(structure: Structure, beliefs: Beliefs, known: Known, state: State, guided: Array) -> Array:
    """Spending of each buyer this quarter [bn USD] by the process, or as reported (equation 1)."""
    growth = capex.quarter_growth(
        beliefs["capex_drift"],
        beliefs["spending_drift"],
        beliefs["capex_common_sd"],
        beliefs["capex_common_shock"],
        beliefs["capex_own_sd"],
        beliefs["capex_own_shock"],
        beliefs["shock_timing"],
    )
    steps = [growth[b] for b in range(structure.buyers)]
    for i, b in enumerate(structure.reported_buyers):
        steps[b] = jnp.where(known.guided[i], guided[i], steps[b])
    forecast = state.spending * jnp.exp(jnp.stack(steps))
    elicited = beliefs["spending_run_rate"] * jnp.exp(beliefs["spending_past_growth"] * known.quarters_ahead / QUARTERS)
    reported = known.capex.reshape(known.capex.shape + (1,) * forecast[0].ndim)
    past = place(
        forecast[0],
        (structure.reported_buyers, reported),
        (structure.elicited_buyers, elicited),
        (structure.direct_buyers, pick(forecast, structure.direct_buyers)),
    )
    return jnp.where(known.ahead, forecast, past)


class Trade(NamedTuple):
    """What is ordered, sold and bought in one quarter."""

    revenue: Float[Array, "supplier *draw"]  # bn USD
    bought: Float[Array, "pair *draw"]  # bn USD
    unmet: Float[Array, "supplier *draw"]  # bn USD of orders beyond capacity
    capacity: Float[Array, "supplier *draw"]  # M package areas / quarter


def per_revenue(
    structure: Structure, beliefs: Beliefs, line_up: chips.Generations, known: Known, like: Array
) -> chips.Content:
    """What one bn USD of each supplier's revenue holds, after software and what is sold with accelerators.

    per revenue = hardware_share * (1 - attach share) * content
    """
    holds = chips.content(structure, line_up, known.year)
    hardware = beliefs["hardware_share"] * (1 - attach_share(structure, beliefs, known, like))
    return chips.Content(
        units=pick(hardware, structure.chip_supplier) * holds.units,
        h100e=hardware * holds.h100e,
        h100e8=hardware * holds.h100e8,
        power=hardware * holds.power,
        area=hardware * holds.area,
    )


def orders(
    structure: Structure, spent: Array, led: Array, share: Array, weight: Float[Array, "pair *draw"]
) -> Float[Array, "pair *draw"]:
    """Accelerator orders of each pair [bn USD / quarter] (equation 3).

    ordered = led capex * accelerator share * mix, or for direct buyers their own spending * mix
    """
    spend = place(
        led[0],
        (structure.capex_buyers, pick(led, structure.capex_buyers) * share),
        (structure.direct_buyers, pick(spent, structure.direct_buyers)),
    )
    return market.budgets(structure, spend, market.mix(structure, weight))


def trade(
    structure: Structure, beliefs: Beliefs, known: Known, state: State, holds: chips.Content, ordered: Array
) -> Trade:
    """What is sold: the reported days as reported, the others by the market or carried on (equations 11 and 14).

        revenue = reported + (1 - cover) * (min(1, capacity / ordered) * ordered, or the last revenue carried on)

    Revenue carried on grows with the reported buyers' capex; it stands in for days up to the hand-over only.
    """
    reported = known_revenue(structure, beliefs, known, sums(holds.units, structure.chip_supplier, structure.suppliers))
    owner = market.owners(structure, beliefs["owner_weight_2022"], beliefs["owner_weight"], known.progress)
    wanted = sums(ordered, structure.pair_supplier, structure.suppliers)
    growing = state.capacity * jnp.exp(beliefs["capacity_growth"] / QUARTERS)
    filled = market.filled(wanted * holds.area, growing)
    open_days = (1 - known.cover).reshape(known.cover.shape + (1,) * wanted[0].ndim)
    carried = state.revenue * known.capex_growth * jnp.exp(beliefs["nowcast_error"])
    revenue = reported + open_days * jnp.where(known.ahead, filled * wanted, carried)
    cleared = (
        pick(reported, structure.pair_supplier) * owner + pick(open_days * filled, structure.pair_supplier) * ordered
    )
    return Trade(
        revenue=revenue,
        bought=jnp.where(known.ahead, cleared, pick(revenue, structure.pair_supplier) * owner),
        unmet=jnp.where(known.ahead, open_days * (1 - filled) * wanted, 0),
        capacity=jnp.where(known.ahead, growing, revenue * holds.area / beliefs["capacity_use"]),
    )


def shipped_to(
    structure: Structure, bought: Float[Array, "pair *draw"], holds: chips.Content
) -> tuple[Float[Array, "pair *draw"], Float[Array, "2 buyer *draw"]]:
    """H100e of each pair [M H100e], and H100e and IT power of each buyer [M H100e, MW] shipped in the quarter."""
    h100e = bought * pick(holds.h100e, structure.pair_supplier)
    power = bought * pick(holds.power, structure.pair_supplier)
    return h100e, jnp.stack([sums(each, structure.pair_buyer, structure.buyers) for each in (h100e, power)])


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


def step(
    structure: Structure, beliefs: Beliefs, line_up: chips.Generations, guided: Array, state: State, known: Known
) -> tuple[State, Flows]:
    """Advance the world by one quarter.

        spent   = capex as reported, or the process
        ordered = led spending * accelerator share * mix
        sold    = what is reported, else what capacity lets through
        units   = revenue * hardware share * (1 - attach share) * chip share / price

    ``guided`` is the quarterly growth of the reported buyers in their guided year. Up to the hand-over the state is
    overwritten with what history implies in this draw, so that the forecast opens without a jump (equation 15).
    """
    holds = per_revenue(structure, beliefs, line_up, known, state.revenue[0])
    spent = spending(structure, beliefs, known, state, guided)
    led = capex.led(spent, state.spending, state.spending_before, beliefs["capex_lead"])
    change = share_change(beliefs, known, state)
    weight = weights(structure, beliefs, state)
    ordered = orders(structure, spent, led, capex.accelerator_share(state.share_start, change), weight)
    sold = trade(structure, beliefs, known, state, holds, ordered)
    pair_h100e, shipped = shipped_to(structure, sold.bought, holds)
    stock, _ = market.age(state.stock, shipped, beliefs["transit"], beliefs["lifetime"])
    serving = market.serving(stock)
    spend = sums(sold.bought, structure.pair_buyer, structure.buyers)

    direct = jnp.where(known.ahead, pick(spent, structure.direct_buyers), pick(spend, structure.direct_buyers))
    paid, paid_led = pick(spent, structure.capex_buyers), pick(led, structure.capex_buyers)
    implied = capex.logit(pick(spend, structure.capex_buyers) / paid_led)
    following = State(
        spending=place(spent[0], (structure.capex_buyers, paid), (structure.direct_buyers, direct)),
        spending_before=state.spending,
        share_start=jnp.where(known.ahead, state.share_start, implied),
        share_change=change,
        weight=jnp.where(known.ahead, weight, jnp.log(jnp.maximum(sold.bought, DOLLAR_GUARD))),
        revenue=sold.revenue,
        capacity=sold.capacity,
        stock=stock,
    )
    flows = Flows(
        units=sold.revenue * sums(holds.units, structure.chip_supplier, structure.suppliers),
        h100e=sold.revenue * holds.h100e,
        h100e8=sold.revenue * holds.h100e8,
        revenue=sold.revenue,
        shortfall=sold.unmet * holds.h100e,
        capex=paid,
        ai_capex=jnp.maximum(
            paid * capex.accelerator_share(capex.logit(beliefs["ai_share"]), change),
            pick(spend, structure.capex_buyers),
        ),
        accelerator_spend=spend,
        buyer_h100e=shipped[0],
        installed=serving[0],
        power=serving[1] * beliefs["pue"],
        pair_h100e=pair_h100e,
        chip_units=pick(sold.revenue, structure.chip_supplier) * holds.units,
    )
    return following, flows
