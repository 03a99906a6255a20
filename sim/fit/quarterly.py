"""From the annual process to the model's quarters: what the same parameters give in ``sim.model.capex``."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from sim.fit.process import Hyper
from sim.model.capex import quarter_growth

__all__ = ["TIMING", "Moments", "horizon_ratios", "moments", "quarterly", "scale_needed"]

TIMING = (0.5, 0.3, 0.15, 0.05)
"""``shock_timing`` of the base book; a test holds the two equal."""


class Moments(NamedTuple):
    """Of one company's annual log growth, pooled over companies and draws of the shocks."""

    mean: float
    sd: float
    lag1: float


def quarterly(
    hyper: Hyper, years: int, rng: np.random.Generator, timing: tuple[float, ...] = TIMING, scale: float = 1.0
) -> Float64[np.ndarray, "company year chain"]:
    """Log growth [1] of calendar-year sums of the model's quarterly process, all shocks multiplied by ``scale``.

    One year goes before, so that the first year's growth carries the tail of the shock before it.
    """
    companies, chains = hyper.own.shape
    common = rng.standard_normal((years + 2, chains))
    normal = rng.standard_normal((companies, years + 2, chains))
    own = normal * np.sqrt((hyper.nu - 2) / (2 * rng.standard_gamma(hyper.nu / 2, size=normal.shape)))
    drift, own_drift, common_sd = (
        jnp.asarray(each, jnp.float32) for each in (hyper.mu, hyper.own, scale * hyper.sigma_c)
    )
    own_sd = jnp.asarray(np.broadcast_to(scale * hyper.sigma_o, (companies, chains)), jnp.float32)
    level, sums = np.zeros((companies, chains)), []
    for year in range(years + 2):
        shock, own_shock = (jnp.asarray(each, jnp.float32) for each in (common[year], own[:, year]))
        levels = []
        for part in timing:
            now = jnp.full(chains, part, jnp.float32)
            growth = quarter_growth(drift, own_drift, common_sd, shock, own_sd, own_shock, jnp.zeros_like(now), now)
            level = level + np.asarray(growth, np.float64)
            levels.append(level)
        sums.append(np.log(np.exp(np.stack(levels) - levels[0]).sum(axis=0)) + levels[0])
    return np.diff(np.stack(sums, axis=1), axis=1)[:, 1:]


def moments(growth: Float64[np.ndarray, "company year chain"], hyper: Hyper) -> Moments:
    """Mean, sd and lag-1 autocorrelation about each draw's own drift."""
    apart = growth - hyper.mu - hyper.own[:, None]
    centred = apart - apart.mean()
    return Moments(
        float(growth.mean()), float(apart.std()), float((centred[:, 1:] * centred[:, :-1]).mean() / apart.var())
    )


def horizon_ratios(timing: tuple[float, ...] = TIMING, years: int = 3) -> tuple[float, ...]:
    """Sd of growth over 1, 2, .. years from a known year, quarterly over annual process [1], to first order.

        ratio(h) = sqrt((h - 1 + a^2) / h),  a = mean over the year of the part of its shock that has fallen

    The last year's shock has reached its sum with weight a; the one before the origin is known.
    """
    fallen = np.cumsum(timing).mean()
    return tuple(float(np.sqrt((h - 1 + fallen**2) / h)) for h in range(1, years + 1))


def scale_needed(timing: tuple[float, ...] = TIMING) -> float:
    """What the shocks' sd must be multiplied by [1]: one over the geometric mean of the ratios at 1 to 3 years."""
    return float(np.exp(-np.mean(np.log(horizon_ratios(timing)))))
