"""W in NumPyro: one draw's model of array sites, ``Predictive(parallel=True)`` compiled, quantiles by one sort."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax import Array, lax
from jax.nn import sigmoid, softmax
from numpyro import distributions as dist
from numpyro.infer import Predictive

from benchmarks.w import spec
from benchmarks.w.summary import Summary, sorted_summary

__all__ = ["job"]

CALL = 8_192
"""Draws of one call: the fastest of those tried, 1,024 to 65,536."""


def model() -> None:
    """One draw of W."""
    z = {name: _site(name, shape) for name, shape in spec.VARIATES.items()}
    year = jnp.arange(spec.YEARS)
    capex = _capex(z)
    ai = sigmoid(
        (spec.AI + spec.AI_SD * z["ai"])[:, None]
        + (spec.AI_SLOPE + spec.AI_SLOPE_SD * z["ai_slope"])[:, None] * year
        + spec.AI_STEP_SD * jnp.cumsum(z["ai_step"], axis=1)
    )
    spend = capex * ai * z["accelerators"][:, None]
    walk = spec.SUPPLIER[:, None] + spec.SUPPLIER_STEP_SD * jnp.cumsum(z["supplier_step"], axis=1)
    taste = spec.TASTE + spec.TILT_SD * z["tilt"][:, None] * spec.TILT
    bought = spend[:, None, :] * softmax(walk + taste[:, :, None], axis=1)
    log_worth = spec.LOG_PERF - spec.LOG_PRICE
    moved = spec.PERF_SD * z["perf"] - spec.PRICE_SD * z["price"]
    worth = jnp.exp(log_worth[:, None] + (spec.PERF_SLOPE - spec.PRICE_SLOPE) * year + moved)
    revenue = bought.sum(axis=0)
    shipped = revenue * worth
    need = _need(z)
    short = jnp.maximum(need - _installed(z, jnp.einsum("bst,st->bt", bought, worth)), 0).sum(axis=0)
    totals = [each.sum(axis=0) for each in (capex, spend, shipped, need)]
    numpyro.deterministic("cells", jnp.concatenate([shipped.ravel(), revenue.ravel(), *totals, short]))


def _site(name: str, shape: tuple[int, ...]) -> Array:
    family = dist.Beta(*spec.BETAS[name]) if name in spec.BETAS else dist.Normal(0.0, 1.0)
    return numpyro.sample(name, family.expand(shape).to_event(len(shape)))


def _capex(z: dict[str, Array]) -> Array:
    mu = spec.GROWTH + spec.GROWTH_SD * z["growth"]
    sigma = jnp.exp(spec.LOG_SHOCK + spec.LOG_SHOCK_SD * z["shock"])
    shocks = sigma[:, None] * (spec.CORRELATION_ROOT @ z["capex"])

    def grow(before: Array, shock: Array) -> tuple[Array, Array]:
        growth = mu + z["persistence"] * (before - mu) + shock
        return growth, growth

    _, growth = lax.scan(grow, jnp.full(spec.BUYERS, spec.GROWTH_START), shocks.T)
    return spec.CAPEX_START[:, None] * jnp.exp(jnp.cumsum(growth.T, axis=1))


def _need(z: dict[str, Array]) -> Array:
    year = jnp.arange(spec.YEARS)
    log_ceiling = spec.LOG_CEILING + spec.LOG_CEILING_SD * z["ceiling"]
    rate = jnp.exp(spec.LOG_RATE + spec.LOG_RATE_SD * z["rate"])
    midpoint = jnp.exp(spec.LOG_MIDPOINT + spec.LOG_MIDPOINT_SD * z["midpoint"])
    log_level = (spec.LOG_LEVEL + spec.LOG_LEVEL_SD[:, None] * z["level"]).sum(axis=0)
    trend = (spec.TREND + spec.TREND_SD * z["trend"]).sum()
    log_peak = spec.LOG_PEAK + spec.LOG_PEAK_SD * z["peak"]
    log_need = log_ceiling + log_level + log_peak + np.log(spec.FLOP) - jnp.log(z["utilisation"])
    return jnp.exp(log_need[:, None] + trend * year) * sigmoid(rate[:, None] * (year - midpoint[:, None]))


def _installed(z: dict[str, Array], added: Array) -> Array:
    kept = 1 - jnp.exp(spec.LOG_RETIRED + spec.LOG_RETIRED_SD * z["retired"])

    def keep(before: Array, new: Array) -> tuple[Array, Array]:
        after = kept * before + new
        return after, after

    return lax.scan(keep, jnp.asarray(spec.INSTALLED, added.dtype), added.T)[1].T


@functools.cache
def _program(draws: int) -> jax.stages.Wrapped:
    return jax.jit(Predictive(model, num_samples=draws, parallel=True, return_sites=["cells"]))


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job, call by call."""
    size = min(CALL, draws)
    keys = jax.random.split(jax.random.key(seed), -(-draws // size))
    cells = np.concatenate([np.asarray(_program(size)(key)["cells"]).T for key in keys], axis=1)
    return sorted_summary(cells[:, :draws])
