"""W in the engine's primitives: a scan over years, state [axis, draw], random numbers made inside it."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, UInt32

from benchmarks.w import spec
from benchmarks.w.betas import logit_polynomial
from sim import draws

__all__ = ["ORDER", "simulate"]

GROUP = 6
"""Rows of random numbers made at once: few, so that they stay in the nearest cache until they are used."""
YEARLY = ("capex", "ai_step", "supplier_step", "price", "perf")
"""Variates of each year, a group of rows each."""
STATIC = tuple(name for name in spec.VARIATES if name not in YEARLY)

ORDER = np.arange(len(spec.OUTPUTS)).reshape(spec.YEARS, -1).T.ravel()
"""Cell of each output: cells run year by year, outputs have the year fastest."""

Normals = dict[str, Float[Array, "row draw"]]
"""Standard normal scores of variates by name."""


class Static(NamedTuple):
    """What a draw keeps over the years."""

    rho: Float[Array, " draw"]
    drift: Float[Array, "buyer draw"]
    shock: Float[Array, "buyer draw"]
    ai: Float[Array, "buyer draw"]
    ai_slope: Float[Array, "buyer draw"]
    accelerators: Float[Array, "buyer draw"]
    taste: Float[Array, "supplier buyer draw"]
    rate: Float[Array, "buyer draw"]
    midpoint: Float[Array, "buyer draw"]
    log_need: Float[Array, "buyer draw"]
    trend: Float[Array, " draw"]
    kept: Float[Array, " draw"]


class State(NamedTuple):
    """What a year hands to the next."""

    growth: Float[Array, "buyer draw"]
    log_capex: Float[Array, "buyer draw"]
    ai_walk: Float[Array, "buyer draw"]
    supplier: Float[Array, "supplier draw"]
    installed: Float[Array, "buyer draw"]


def simulate(key: UInt32[Array, " 2"], first: UInt32[Array, ""], n: int) -> Float[Array, "cell draw"]:
    """Outputs of the draws first, first + 1, ..., year by year; ``ORDER`` says where those of ``spec.OUTPUTS`` are."""
    normals = functools.partial(_normals, key, first, n)
    static = _static(normals(STATIC, jnp.asarray(_elements(STATIC))))
    yearly = jnp.asarray(np.stack([_elements(YEARLY, year) for year in range(spec.YEARS)]))

    def step(state: State, xs: tuple[Array, Array]) -> tuple[State, Array]:
        elements, year = xs
        return _step(normals(YEARLY, elements), static, state, year)

    _, cells = lax.scan(step, _start(n), (yearly, jnp.arange(spec.YEARS, dtype=jnp.float32)))
    return cells.reshape(len(spec.OUTPUTS), n)


def _elements(names: Sequence[str], year: int | None = None) -> UInt32[np.ndarray, "group row"]:
    """Rows of variates in groups; those of one year, if they have years."""
    every = [spec.rows(name) if year is None else spec.rows(name)[:, year] for name in names]
    return np.concatenate([rows.ravel() for rows in every]).reshape(-1, GROUP).astype(np.uint32)


def _normals(key: Array, first: Array, n: int, names: Sequence[str], elements: UInt32[Array, "group row"]) -> Normals:
    """Scores of variates by name. Two loops over groups: bits and scores are each made once, whoever reads them."""
    words = lax.map(lambda rows: draws.bits(key[None, :], rows, first, n), elements)
    z = lax.map(draws.scores, words).reshape(-1, n)
    sizes = [spec.rows(name).size // (spec.YEARS if name in YEARLY else 1) for name in names]
    return dict(zip(names, jnp.split(z, np.cumsum(sizes)[:-1]), strict=True))


def _static(z: Normals) -> Static:
    trend = [spec.TREND[k] + spec.TREND_SD[k] * z["trend"][k] for k in range(spec.LEVELS)]
    return Static(
        rho=_beta(z["persistence"][0], *spec.PERSISTENCE),
        drift=_at(spec.GROWTH) + spec.GROWTH_SD * z["growth"],
        shock=jnp.exp(spec.LOG_SHOCK + spec.LOG_SHOCK_SD * z["shock"]),
        ai=_at(spec.AI) + spec.AI_SD * z["ai"],
        ai_slope=spec.AI_SLOPE + spec.AI_SLOPE_SD * z["ai_slope"],
        accelerators=_beta(z["accelerators"], *spec.ACCELERATORS),
        taste=_taste(z["tilt"]),
        rate=jnp.exp(spec.LOG_RATE + spec.LOG_RATE_SD * z["rate"]),
        midpoint=jnp.exp(spec.LOG_MIDPOINT + spec.LOG_MIDPOINT_SD * z["midpoint"]),
        log_need=_log_need(z),
        trend=_total(trend),
        kept=1 - jnp.exp(spec.LOG_RETIRED + spec.LOG_RETIRED_SD * z["retired"][0]),
    )


def _log_need(z: Normals) -> Float[Array, "buyer draw"]:
    """Log of year 0's need if every user had come [M H100e]."""
    level = z["level"].reshape(spec.LEVELS, spec.BUYERS, -1)
    fixed = spec.LOG_CEILING + spec.LOG_LEVEL.sum(axis=0) + np.log(spec.FLOP) + spec.LOG_PEAK
    moving = _total([spec.LOG_LEVEL_SD[k] * level[k] for k in range(spec.LEVELS)])
    moving = moving + spec.LOG_CEILING_SD * z["ceiling"] + spec.LOG_PEAK_SD * z["peak"]
    return _at(fixed) + moving - jnp.log(_beta(z["utilisation"], *spec.UTILISATION))


def _taste(tilt: Float[Array, "buyer draw"]) -> Float[Array, "supplier buyer draw"]:
    """A buyer's factor on each supplier's weight."""
    scores = _at(spec.TASTE.T) + spec.TILT_SD * jnp.asarray(spec.TILT, tilt.dtype)[:, None, None] * tilt
    return jnp.exp(scores)


def _start(n: int) -> State:
    def of(values: np.ndarray) -> Array:
        return jnp.broadcast_to(_at(values), (len(values), n))

    return State(
        growth=of(np.full(spec.BUYERS, spec.GROWTH_START)),
        log_capex=of(np.log(spec.CAPEX_START)),
        ai_walk=of(np.zeros(spec.BUYERS)),
        supplier=of(spec.SUPPLIER),
        installed=of(spec.INSTALLED),
    )


def _step(z: Normals, static: Static, state: State, t: Float[Array, ""]) -> tuple[State, Float[Array, "cell draw"]]:
    """One year: money, its split over suppliers, what it buys, what is needed."""
    growth = static.drift + static.rho * (state.growth - static.drift) + static.shock * _mixed(z["capex"])
    log_capex = state.log_capex + growth
    ai_walk = state.ai_walk + spec.AI_STEP_SD * z["ai_step"]
    supplier = state.supplier + spec.SUPPLIER_STEP_SD * z["supplier_step"]

    capex = jnp.exp(log_capex)
    spend = capex * static.accelerators / (1 + jnp.exp(-(static.ai + static.ai_slope * t + ai_walk)))
    weight = jnp.exp(supplier)
    parts = [weight[s] * static.taste[s] for s in range(spec.SUPPLIERS)]
    per_weight = spend / _total(parts)
    bought = [part * per_weight for part in parts]  # [supplier][buyer, draw], bn USD
    revenue = [_total(each) for each in bought]
    worth = jnp.exp(  # of a thousand USD, H100e
        _at(spec.LOG_PERF - spec.LOG_PRICE)
        + (spec.PERF_SLOPE - spec.PRICE_SLOPE) * t
        + spec.PERF_SD * z["perf"]
        - spec.PRICE_SD * z["price"]
    )
    shipped = [revenue[s] * worth[s] for s in range(spec.SUPPLIERS)]
    installed = static.kept * state.installed + _total([bought[s] * worth[s] for s in range(spec.SUPPLIERS)])
    need = jnp.exp(static.log_need + static.trend * t) / (1 + jnp.exp(-static.rate * (t - static.midpoint)))
    short = jnp.maximum(need - installed, 0)
    totals = [_total(each) for each in (capex, spend, shipped, need, short)]
    return State(growth, log_capex, ai_walk, supplier, installed), jnp.stack([*shipped, *revenue, *totals])


def _mixed(z: Float[Array, "buyer draw"]) -> Float[Array, "buyer draw"]:
    """Scores with the buyers' correlations."""
    root = spec.CORRELATION_ROOT
    return jnp.stack([_total([float(root[b, c]) * z[c] for c in range(b + 1)]) for b in range(spec.BUYERS)])


def _total(parts: Sequence[Array] | Array) -> Array:
    """Sum over a small leading axis as a chain of additions, which fuses."""
    return functools.reduce(jnp.add, list(parts))


def _at(values: np.ndarray) -> Float[Array, "*axes 1"]:
    """Fixed numbers beside draws."""
    return jnp.asarray(values, jnp.float32)[..., None]


def _beta(z: Float[Array, "*axes draw"], a: float, b: float) -> Float[Array, "*axes draw"]:
    """Beta variates of standard normal scores."""
    logit = functools.reduce(lambda total, each: total * z + each, reversed(logit_polynomial(a, b)))
    return 1 / (1 + jnp.exp(-logit))
