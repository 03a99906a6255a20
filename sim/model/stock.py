"""What has been shipped: on the way, in service, worn out (equation 13)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model.constants import QUARTERS, STAGES
from sim.model.structure import pick_some, total

__all__ = ["Stock", "age", "serving", "survivors"]


class Stock(NamedTuple):
    """H100e and power of each buyer, on the way and in service, by stage of life."""

    moving: Float[Array, "2 buyer *draw"]  # shipped, not yet in service: M H100e, MW
    stages: Float[Array, "4 2 buyer *draw"]  # in service, youngest first: M H100e, MW


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
    stages = stock.stages - out + pick_some(out, [None, *range(STAGES - 1)], arrived)
    return Stock(moving=waiting - arrived, stages=stages), out[STAGES - 1]


def serving(stock: Stock) -> Float[Array, "2 buyer *draw"]:
    """What is in service at the end of the quarter [M H100e, MW] (equation 13)."""
    return total(stock.stages)


def survivors(
    stock: Stock,
    backlog: Float[Array, "buyer *draw"],
    horizon: Float[Array, "*draw"],
    lifetime: Float[Array, "*draw"],
) -> Float[Array, "buyer *draw"]:
    """What of the stock, in service and coming, is still there at the planning horizon [M H100e] (equation 10).

        survivors = (in service + moving + backlog) * exp(-horizon / (4 * lifetime))

    Backlog [M H100e], horizon [quarter], lifetime [year]. A young fleet loses less than this: the buyer errs to buy.
    """
    return (serving(stock)[0] + stock.moving[0] + backlog) * jnp.exp(-horizon / (QUARTERS * lifetime))
