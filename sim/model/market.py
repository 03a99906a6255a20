"""The market: budgets, what capacity lets through, and the installed base (equations 3, 11 and 13)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model.constants import QUARTERS, STAGES
from sim.model.structure import Structure, pick, sums, total

__all__ = ["Stock", "age", "budgets", "filled", "mix", "mix_step", "owners", "serving"]


class Stock(NamedTuple):
    """H100e and power of each buyer, on the way and in service, by stage of life."""

    moving: Float[Array, "2 buyer *draw"]  # shipped, not yet in service: M H100e, MW
    stages: Float[Array, "4 2 buyer *draw"]  # in service, youngest first: M H100e, MW


def owners(
    structure: Structure,
    then: Float[Array, "pair *draw"],
    now: Float[Array, "pair *draw"],
    progress: Float[Array, ""],
) -> Float[Array, "pair *draw"]:
    """Share of a supplier's revenue that each of its buyers takes [1]; they sum to 1 over a supplier's buyers.

    share = then^(1 - progress) * now^progress / sum over buyers of the same
    """
    weight = jnp.exp((1 - progress) * jnp.log(then) + progress * jnp.log(now))
    whole = sums(weight, structure.pair_supplier, structure.suppliers)
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
    shares: dict[int, Array] = {}
    for buyer in range(structure.buyers):
        own = [pair for pair, of in enumerate(structure.pair_buyer) if of == buyer]
        highest = log_weight[own[0]]
        for pair in own[1:]:
            highest = jnp.maximum(highest, log_weight[pair])
        weights = jnp.stack([jnp.exp(log_weight[pair] - highest) for pair in own])
        whole = total(weights)
        shares.update({pair: weights[i] / whole for i, pair in enumerate(own)})
    return jnp.stack([shares[pair] for pair in range(len(structure.pair_buyer))])


def budgets(
    structure: Structure, spend: Float[Array, "buyer *draw"], shares: Float[Array, "pair *draw"]
) -> Float[Array, "pair *draw"]:
    """Accelerator budget of each pair [bn USD / quarter] (equation 3).

    budget[b, s] = spend[b] * mix[b, s]
    """
    return pick(spend, structure.pair_buyer) * shares


def filled(
    ordered: Float[Array, "supplier *draw"], capacity: Float[Array, "supplier *draw"]
) -> Float[Array, "supplier *draw"]:
    """Part of the orders that capacity meets, shared pro rata [1] (equation 11, without backlog or spill).

        filled = min(1, capacity / ordered)

    Both in packaging area; 1 where nothing is ordered.
    """
    return jnp.where(ordered > capacity, capacity / jnp.where(ordered > capacity, ordered, 1), 1)


def age(
    stock: Stock,
    shipped: Float[Array, "2 buyer *draw"],
    transit: Float[Array, "*draw"],
    lifetime: Float[Array, "*draw"],
) -> tuple[Stock, Float[Array, "2 buyer *draw"]]:
    """Advance stocks by one quarter; also what left service (equation 13).

        arrived = (moving + shipped) / (1 + transit)
        out_i   = stage_i * min(1, 4 / (4 * lifetime))       four stages of equal mean: an Erlang life

    Transit [quarter], lifetime [year]. Stock = stock + in - out holds for each stage. These parts, and not those of a
    continuous decay, make the quarter-ends before arrival and in service average ``transit`` and 4 * ``lifetime``.
    """
    waiting = stock.moving + shipped
    arrived = waiting / (1 + transit)
    out = stock.stages * jnp.minimum(STAGES / (QUARTERS * lifetime), 1)
    entering = [arrived, *(out[i] for i in range(STAGES - 1))]
    stages = jnp.stack([stock.stages[i] - out[i] + entering[i] for i in range(STAGES)])
    return Stock(moving=waiting - arrived, stages=stages), out[STAGES - 1]


def serving(stock: Stock) -> Float[Array, "2 buyer *draw"]:
    """What is in service at the end of the quarter [M H100e, MW] (equation 13)."""
    return total(stock.stages)
