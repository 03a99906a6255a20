"""What suppliers do in one quarter: what they are known to have sold, can make, ship and keep waiting (11 and 14)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model import chips, market
from sim.model.buyers import Orders
from sim.model.constants import QUARTERS
from sim.model.state import Beliefs, Known, Setting, State
from sim.model.structure import Structure, along_draws, pick, place, stacked, sums

__all__ = [
    "Trade",
    "attach_share",
    "capacities",
    "capacity_growth",
    "known_revenue",
    "owners",
    "pair_h100e",
    "per_revenue",
    "shipped_to",
    "trade",
]


class Trade(NamedTuple):
    """What is sold and bought in one quarter."""

    revenue: Float[Array, "supplier *draw"]  # bn USD
    bought: Float[Array, "pair *draw"]  # bn USD
    waiting: Float[Array, "pair *draw"]  # bn USD that would have been bought if capacity were no limit
    backlog: Float[Array, "pair *draw"]  # bn USD at the end of the quarter
    capacity: Float[Array, "2 supplier *draw"]  # M package areas and PB of HBM a quarter
    pressure: Float[Array, "supplier *draw"]  # what waited over what could be made


def attach_share(structure: Structure, beliefs: Beliefs, known: Known, like: Array) -> Float[Array, "supplier *draw"]:
    """Share of revenue that is not accelerators [1]: reported, then on a line to the belief for 2030 (equation 14).

    attach = attach_last + (attach_2030 - attach_last) * quarters_ahead / horizon
    """
    path = jnp.clip(known.quarters_ahead / known.horizon, 0, 1)
    last = along_draws(known.attach, like)
    reported = last + (beliefs["attach_share_2030"] - last) * path
    rest = tuple(s for s in range(structure.suppliers) if s not in structure.reported_suppliers)
    return place(
        like, (structure.reported_suppliers, reported), (rest, jnp.zeros((len(rest), *like.shape), like.dtype))
    )


def known_revenue(
    structure: Structure, beliefs: Beliefs, known: Known, units_per_dollar: Float[Array, "supplier *draw"]
) -> Float[Array, "supplier *draw"]:
    """Revenue of the days that are reported, under outlook or elicited [bn USD] (equation 14).

    reported: (line + outlook * outlook_share * exp(beat)) * reported_share
    band:     the believed revenue         units: units / units per dollar
    backcast: run rate * exp(growth * quarters_ahead / 4) * started

    ``started`` is the ramp of a backcast supplier's first chip: 0 before its launch, 1 in full volume.
    """
    like = units_per_dollar[0]
    expected = along_draws(known.outlook, like) * beliefs["outlook_share"] * jnp.exp(beliefs["outlook_beat"])
    line = (along_draws(known.line, like) + expected) * beliefs["reported_share"]
    sold = beliefs["units_band"] / pick(units_per_dollar, structure.units_suppliers)
    first = [structure.chip_supplier.index(supplier) for supplier in structure.backcast_suppliers]
    launch = pick(beliefs["launch"], [structure.catalogue.index(chip) for chip in first])
    started = chips.ramp(known.year, launch, pick(beliefs["ramp"], first))
    growth = jnp.exp(beliefs["revenue_past_growth"] * known.quarters_ahead / QUARTERS)
    backcast = beliefs["revenue_run_rate"] * growth * started
    elicited = (beliefs["revenue_band"], sold, backcast)
    revenue = jnp.concatenate([line, *(jnp.where(known.ahead, 0, each) for each in elicited)])
    order = structure.reported_suppliers + structure.band_suppliers
    order += structure.units_suppliers + structure.backcast_suppliers
    return pick(revenue, [order.index(supplier) for supplier in range(structure.suppliers)])


def per_revenue(
    structure: Structure, beliefs: Beliefs, holds: chips.Content, attach: Float[Array, "supplier *draw"]
) -> chips.Content:
    """What one bn USD of each supplier's revenue holds, without software and networking (equation 14).

    per revenue = hardware_share * (1 - attach share) * content
    """
    hardware = beliefs["hardware_share"] * (1 - attach)
    return chips.Content(
        units=pick(hardware, structure.chip_supplier) * holds.units,
        h100e=hardware * holds.h100e,
        h100e8=hardware * holds.h100e8,
        power=hardware * holds.power,
        made=hardware * holds.made,
    )


def capacity_growth(beliefs: Beliefs) -> Float[Array, "2 supplier *draw"]:
    """Log growth a year of packaging and memory capacity, before it answers pressure [1 / year] (equation 11)."""
    return stacked(beliefs["capacity_growth"], beliefs["memory_growth"])


def capacities(
    beliefs: Beliefs,
    known: Known,
    setting: Setting,
    state: State,
    revenue: Float[Array, "supplier *draw"],
) -> Float[Array, "2 supplier *draw"]:
    """Packaging and memory capacity of each supplier [M package areas, PB / quarter] (equation 11).

    Up to the hand-over what was shipped over its use; then it grows, the faster the more was waiting, and holds at
    least what an outlook implies.
    """
    use = stacked(beliefs["capacity_use"], beliefs["memory_use"])
    answer = market.answer(beliefs["supply_response"], state.pressure)
    growth = setting.capacity_growth + answer
    cover = along_draws(known.cover, revenue[0])
    covered = jnp.where(cover > 0, setting.reported / jnp.where(cover > 0, cover, 1), 0)
    made = setting.holds.made / use
    grown = jnp.maximum(state.capacity * jnp.exp(growth / QUARTERS), covered * made)
    return jnp.where(known.ahead, grown, revenue * made)


def owners(structure: Structure, beliefs: Beliefs, known: Known) -> Float[Array, "pair *draw"]:
    """Share of a supplier's reported revenue that each of its buyers takes [1] (equation 14)."""
    return market.owners(structure, beliefs["owner_weight_2022"], beliefs["owner_weight"], known.progress)


def trade(structure: Structure, beliefs: Beliefs, known: Known, setting: Setting, state: State, order: Orders) -> Trade:
    """What is sold: the reported days as reported, the others by the market or carried on (equations 11 and 14).

        revenue = reported + what capacity lets through on the open days, or the last revenue carried on

    Revenue carried on grows with the reported buyers' capex; it stands in for days up to the hand-over only.
    """
    reported, holds = setting.reported, setting.holds
    open_days = along_draws(1 - known.cover, reported[0])
    carried = open_days * state.revenue * known.capex_growth * jnp.exp(beliefs["nowcast_error"])
    past = reported + carried
    capacity = capacities(beliefs, known, setting, state, past)
    waiting = state.backlog + pick(open_days, structure.pair_supplier) * order.ordered
    asked = sums(waiting, structure.pair_supplier, structure.suppliers)
    pressed = market.pressure(asked, holds.made, open_days * capacity)
    is_open = open_days > 0
    cleared = market.clear(
        structure,
        waiting,
        market.filled(pressed),
        jnp.where(is_open, jnp.maximum(1 - pressed, 0), 0),
        order.mix,
        open_days * beliefs["cancellation"],
        open_days * beliefs["spill"],
    )
    shipped = sums(cleared.shipped, structure.pair_supplier, structure.suppliers)
    known_part = pick(jnp.where(known.ahead, reported, past), structure.pair_supplier) * setting.owner
    bought = known_part + jnp.where(known.ahead, cleared.shipped, 0)
    held = pick(beliefs["backlog_start"], structure.pair_supplier) * bought
    return Trade(
        revenue=jnp.where(known.ahead, reported + shipped, past),
        bought=bought,
        waiting=known_part + waiting,
        backlog=jnp.where(known.ahead, cleared.backlog, held),
        capacity=capacity,
        pressure=jnp.where(known.ahead, jnp.where(is_open, pressed, state.pressure), 1),
    )


def pair_h100e(
    structure: Structure, bought: Float[Array, "pair *draw"], holds: chips.Content
) -> Float[Array, "pair *draw"]:
    """What the money of each pair buys [M H100e] (equation 13)."""
    return bought * pick(holds.h100e, structure.pair_supplier)


def shipped_to(
    structure: Structure, bought: Float[Array, "pair *draw"], holds: chips.Content
) -> Float[Array, "2 buyer *draw"]:
    """H100e and IT power shipped to each buyer in the quarter [M H100e, MW] (equation 13)."""
    h100e = pair_h100e(structure, bought, holds)
    power = bought * pick(holds.power, structure.pair_supplier)
    return stacked(*(sums(each, structure.pair_buyer, structure.buyers) for each in (h100e, power)))
