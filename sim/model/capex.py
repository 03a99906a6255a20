"""Spending: capital expenditure, what cash bears of it, and the share that reaches suppliers (equations 1 to 3)."""

import jax.numpy as jnp
from jax.nn import sigmoid, softplus
from jaxtyping import Array, Bool, Float

from sim.model.constants import (
    COMPUTE_GUARD,
    DOLLAR_GUARD,
    LEAST_GUIDED,
    NEWTON_STEPS,
    QUARTERS,
    RATIO_GUARD,
    SHARE_GUARD,
    SHARPNESS,
)
from sim.model.structure import total

__all__ = [
    "accelerator_share",
    "affordable",
    "cash_growth",
    "guided_growth",
    "led",
    "logit",
    "quarter_growth",
    "response",
    "share_step",
]


def logit(share: Float[Array, "*axis"]) -> Float[Array, "*axis"]:
    """Log odds of a share, kept off 0 and 1 by the guard [1] (equation 3)."""
    inside = jnp.clip(share, SHARE_GUARD, 1 - SHARE_GUARD)
    return jnp.log(inside) - jnp.log1p(-inside)


def quarter_growth(
    drift: Float[Array, "*draw"],
    own_drift: Float[Array, "buyer *draw"],
    common_sd: Float[Array, "*draw"],
    common_shock: Float[Array, "*draw"],
    own_sd: Float[Array, "buyer *draw"],
    own_shock: Float[Array, "buyer *draw"],
    wave: Float[Array, "*draw"],
    timing: Float[Array, "*draw"],
) -> Float[Array, "buyer *draw"]:
    """Log growth of spending in one quarter [1], before it answers need (equation 1).

        growth = (drift + own_drift) / 4 + (common_sd * common_shock + own_sd * own_shock + wave) * timing

    Drifts a year, shocks and wave of the calendar year, of which the part ``timing`` falls in this quarter.
    """
    return (drift + own_drift) / QUARTERS + (common_sd * common_shock + own_sd * own_shock + wave) * timing


def response(
    strength: Float[Array, "*draw"], need: Float[Array, "buyer *draw"], installed: Float[Array, "buyer *draw"]
) -> Float[Array, "buyer *draw"]:
    """Log growth of spending in one quarter that answers need [1] (equation 1).

        response = strength * clip(log(need / installed), -1, 1) / 4

    Strength [1 / year]; need and what is installed [M H100e].
    """
    gap = jnp.log(jnp.maximum(need, COMPUTE_GUARD)) - jnp.log(jnp.maximum(installed, COMPUTE_GUARD))
    return strength * jnp.clip(gap, -1, 1) / QUARTERS


def cash_growth(
    drift: Float[Array, "buyer *draw"],
    common: Float[Array, "*draw"],
    shock_sd: Float[Array, "*draw"],
    shock: Float[Array, "buyer *draw"],
    timing: Float[Array, "*draw"],
) -> Float[Array, "buyer *draw"]:
    """Log growth of cash in one quarter [1] (equation 2).

        growth = drift / 4 + (common + shock_sd * shock) * timing

    Drift a year; ``common`` is the part of the spending shocks of the year that cash flow shares.
    """
    return drift / QUARTERS + (common + shock_sd * shock) * timing


def affordable(
    intended: Float[Array, "buyer *draw"],
    cash: Float[Array, "buyer *draw"],
    ceiling: Float[Array, "buyer *draw"],
    reach: Float[Array, "buyer #draw"],
) -> Float[Array, "buyer *draw"]:
    """Spending that cash bears, a soft limit [bn USD / quarter] (equation 2).

        spent = intended * (1 + (intended / (ceiling * cash))^4)^(-reach / 4)

    Intended and cash [bn USD / quarter], ceiling [1], reach from 0, no limit, to 1, in force.
    """
    ratio = intended / jnp.maximum(ceiling * cash, DOLLAR_GUARD)
    excess = softplus(SHARPNESS * jnp.log(jnp.maximum(ratio, RATIO_GUARD)))
    return intended * jnp.exp(-reach / SHARPNESS * excess)


def guided_growth(
    last: Float[Array, "buyer *draw"], target: Float[Array, "buyer *draw"], open_quarters: Bool[Array, "4 buyer #draw"]
) -> Float[Array, "buyer *draw"]:
    """The one log growth a quarter that brings the open quarters of the guided year to the target [1] (equation 1).

        sum_i last * exp(i * growth) = target,  i = 1 .. number of open quarters

    Money in bn USD; ``target`` is guidance times bridge and beat less what the year already reported, and not less than
    a quarter of the last quarter's spending in each open quarter. Newton's method on the log of the sum, which is
    convex: a few steps reach float32 precision. Zero where no quarter is open.
    """
    counts = jnp.stack([jnp.full_like(last, i + 1) for i in range(len(open_quarters))])
    is_open = jnp.broadcast_to(open_quarters, counts.shape)
    least = LEAST_GUIDED * total(is_open.astype(last.dtype))
    goal = jnp.log(jnp.maximum(jnp.maximum(target / last, least), SHARE_GUARD))
    growth = jnp.zeros_like(last)
    for _ in range(NEWTON_STEPS):
        terms = jnp.where(is_open, jnp.exp(counts * growth), 0)
        level, slope = total(terms), total(counts * terms)
        growth = jnp.where(level > 0, growth - (jnp.log(jnp.maximum(level, SHARE_GUARD)) - goal) * level / slope, 0)
    return growth


def led(
    now: Float[Array, "buyer *draw"],
    before: Float[Array, "buyer *draw"],
    earlier: Float[Array, "buyer *draw"],
    lead: Float[Array, "*draw"],
) -> Float[Array, "buyer *draw"]:
    """Spending ``lead`` quarters ago, 0 to 2, interpolated between quarters, in the unit given (equation 3)."""
    weight_now = jnp.maximum(1 - lead, 0)
    weight_earlier = jnp.maximum(lead - 1, 0)
    return weight_now * now + (1 - weight_now - weight_earlier) * before + weight_earlier * earlier


def share_step(
    now: Float[Array, "buyer *draw"],
    later: Float[Array, "buyer *draw"],
    quarters_ahead: Float[Array, ""],
    walk_sd: Float[Array, "*draw"],
    walk: Float[Array, "buyer *draw"],
) -> Float[Array, "buyer *draw"]:
    """Change in one quarter of the log odds of the AI share of capex [1] (equation 3).

        step = (logit(later) - logit(now)) / quarters_ahead + walk_sd * walk / 4

    ``later`` is the believed share of 2030, whose end is ``quarters_ahead`` quarters after the hand-over.
    """
    return (logit(later) - logit(now)) / quarters_ahead + walk_sd * walk / QUARTERS


def accelerator_share(
    start: Float[Array, "buyer *draw"], change: Float[Array, "buyer *draw"]
) -> Float[Array, "buyer *draw"]:
    """Supplier revenue bought over capex [1], from its log odds at the hand-over and their change (equation 3)."""
    return sigmoid(start + change)
