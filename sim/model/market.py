"""The market: who buys from whom, what is ordered, shipped and waits, and what holds it back (3, 10 to 12)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model.constants import BINDING_MARGIN, CAPACITY_GUARD, DOLLAR_GUARD, QUARTERS, RATIO_GUARD
from sim.model.structure import Structure, highest, once, pick, stacked, sums

__all__ = [
    "Cleared",
    "answer",
    "budgets",
    "clear",
    "filled",
    "kept_part",
    "mix",
    "mix_step",
    "owners",
    "pressure",
    "restraints",
    "room",
    "under",
]


class Cleared(NamedTuple):
    """What becomes of a quarter's orders on its open days, by pair [bn USD]."""

    shipped: Float[Array, "pair *draw"]
    cancelled: Float[Array, "pair *draw"]
    spilled: Float[Array, "pair *draw"]  # taken away from the pair's supplier
    received: Float[Array, "pair *draw"]  # taken from the buyer's other suppliers
    backlog: Float[Array, "pair *draw"]  # at the end of the quarter


def owners(
    structure: Structure,
    then: Float[Array, "pair *draw"],
    now: Float[Array, "pair *draw"],
    progress: Float[Array, ""],
) -> Float[Array, "pair *draw"]:
    """Share of a supplier's revenue that each of its buyers takes [1]; they sum to 1 over its buyers (equation 14).

    share = then^(1 - progress) * now^progress / sum over buyers of the same
    """
    weight = jnp.exp((1 - progress) * jnp.log(then) + progress * jnp.log(now))
    whole = once(sums(weight, structure.pair_supplier, structure.suppliers))
    return weight / pick(whole, structure.pair_supplier)


def mix_step(
    structure: Structure,
    drift: Float[Array, "supplier *draw"],
    walk_sd: Float[Array, "supplier *draw"],
    walk: Float[Array, "supplier *draw"],
    pair_walk_sd: Float[Array, "*draw"],
    pair_walk: Float[Array, "pair *draw"],
) -> Float[Array, "pair *draw"]:
    """Change in one quarter of the log weight of each pair [1] (equation 3).

    step = (drift + walk_sd * walk)[supplier] / 4 + pair_walk_sd * pair_walk / 4
    """
    common = pick(drift + walk_sd * walk, structure.pair_supplier)
    return (common + pair_walk_sd * pair_walk) / QUARTERS


def mix(structure: Structure, log_weight: Float[Array, "pair *draw"]) -> Float[Array, "pair *draw"]:
    """Share of each pair in its buyer's accelerator budget [1], a softmax over the buyer's pairs (equation 3)."""
    peak = highest(log_weight, structure.pair_buyer, structure.buyers)
    weight = jnp.exp(log_weight - pick(peak, structure.pair_buyer))
    return weight / pick(once(sums(weight, structure.pair_buyer, structure.buyers)), structure.pair_buyer)


def budgets(
    structure: Structure, spend: Float[Array, "buyer *draw"], shares: Float[Array, "pair *draw"]
) -> Float[Array, "pair *draw"]:
    """Accelerator budget of each pair [bn USD / quarter] (equation 3).

    budget = spend * mix
    """
    return pick(spend, structure.pair_buyer) * shares


def kept_part(
    wanted: Float[Array, "buyer *draw"],
    affordable: Float[Array, "buyer *draw"],
    discipline: Float[Array, "buyer *draw"],
) -> tuple[Float[Array, "buyer *draw"], Float[Array, "buyer *draw"]]:
    """Part of its budget that a buyer orders for [1], and how far need holds it below that (equation 10).

        part = r^discipline,  r = min(1, wanted / affordable);  restraint = -discipline * log(r)

    Both [M H100e / quarter]. Discipline 0 buys what the budget allows, 1 only what is wanted.
    """
    ratio = jnp.where(affordable > 0, wanted / jnp.where(affordable > 0, affordable, 1), 1)
    restraint = -discipline * jnp.log(jnp.clip(ratio, RATIO_GUARD, 1))
    return jnp.exp(-restraint), restraint


def room(
    backlog: Float[Array, "buyer *draw"], budget: Float[Array, "buyer *draw"], cover: Float[Array, "*draw"]
) -> Float[Array, "buyer *draw"]:
    """Part of its orders that a buyer still places while it waits for others [1] (equation 10).

        room = clip(1 + cover - backlog / budget, 0, 1)

    Backlog [bn USD], budget [bn USD / quarter], cover [quarter]: money that cannot be spent is not ordered twice.
    """
    quarters = jnp.where(budget > 0, backlog / jnp.where(budget > 0, budget, 1), 0)
    return jnp.clip(1 + cover - quarters, 0, 1)


def pressure(
    waiting: Float[Array, "supplier *draw"],
    made: Float[Array, "2 supplier *draw"],
    capacity: Float[Array, "2 supplier *draw"],
) -> Float[Array, "supplier *draw"]:
    """What waits over what packaging and memory can make on the open days, the scarcer of the two [1] (equation 11).

        pressure = max over packaging and memory of waiting * made / capacity

    Waiting [bn USD]; made is what one bn USD takes [M package areas, PB]; capacity is the same on the open days.
    """
    needed = waiting * made / jnp.maximum(capacity, CAPACITY_GUARD)
    return jnp.maximum(needed[0], needed[1])


def filled(pressure: Float[Array, "supplier *draw"]) -> Float[Array, "supplier *draw"]:
    """Part of what waits that is shipped, shared pro rata [1] (equation 11).

    filled = min(1, 1 / pressure)
    """
    short = pressure > 1
    return jnp.where(short, 1 / jnp.where(short, pressure, 1), 1)


def answer(strength: Float[Array, "*draw"], pressure: Float[Array, "supplier *draw"]) -> Float[Array, "supplier *draw"]:
    """Log growth a year of capacity with which makers answer the pressure of the quarter before [1 / year] (11).

    answer = strength * clip(log(pressure), -1, 1)
    """
    return strength * jnp.clip(jnp.log(jnp.maximum(pressure, RATIO_GUARD)), -1, 1)


def clear(
    structure: Structure,
    waiting: Float[Array, "pair *draw"],
    filled: Float[Array, "supplier *draw"],
    slack: Float[Array, "supplier *draw"],
    shares: Float[Array, "pair *draw"],
    cancellation: Float[Array, "supplier *draw"],
    spill: Float[Array, "supplier *draw"],
) -> Cleared:
    """Ship what capacity lets through; of the rest, part is cancelled, part moves to where there is slack (11).

        shipped = filled * waiting,  left = waiting - shipped,  cancelled = cancellation * left
        spilled = spill * (left - cancelled) * room,  room = sum over the buyer's pairs of mix * slack
        received = sum over the buyer's pairs of spill * (left - cancelled) * mix * slack
        backlog = left - cancelled - spilled + received

    Waiting [bn USD]; cancellation and spill are parts of a quarter's rest on the supplier's open days [1].
    """
    shipped = pick(filled, structure.pair_supplier) * waiting
    left = waiting - shipped
    cancelled = pick(cancellation, structure.pair_supplier) * left
    leaving = once(pick(spill, structure.pair_supplier) * (left - cancelled))
    taking = once(shares * pick(slack, structure.pair_supplier))
    room = pick(once(sums(taking, structure.pair_buyer, structure.buyers)), structure.pair_buyer)
    pool = pick(once(sums(leaving, structure.pair_buyer, structure.buyers)), structure.pair_buyer)
    spilled, received = leaving * room, pool * taking
    return Cleared(shipped, cancelled, spilled, received, left - cancelled - spilled + received)


def restraints(
    waiting: Float[Array, "buyer *draw"], bought: Float[Array, "buyer *draw"]
) -> Float[Array, "buyer *draw"]:
    """How far supply holds a buyer below what it has on order [1] (equation 12).

    restraint = log(waiting / bought), both [bn USD]
    """
    return jnp.log(jnp.maximum(waiting, DOLLAR_GUARD)) - jnp.log(jnp.maximum(bought, DOLLAR_GUARD))


def under(
    by_need: Float[Array, "buyer *draw"], by_supply: Float[Array, "buyer *draw"]
) -> Float[Array, "constraint buyer *draw"]:
    """1 under the constraint that holds each buyer back, 0 under the others: budget, need, supply (equation 12).

    The larger of the two restraints names it, if over the margin; else the budget does.
    """
    binds = jnp.maximum(by_need, by_supply) > BINDING_MARGIN
    supply = binds & (by_supply > by_need)
    return stacked(~binds, binds & ~supply, supply).astype(by_need.dtype)
